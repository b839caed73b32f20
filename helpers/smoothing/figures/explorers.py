"""The sliders of Lecture 9."""

import functools
import math

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, to_rgb
from matplotlib.patches import Circle
from scipy import ndimage, stats
from torch import Tensor, nn

from helpers import checkpoints, data, smoothing
from helpers.figures import COLOUR, Choice, Picture, Range, explorer, figure
from helpers.smoothing.figures.curves import (
    votes,
    votes_bar,
)

CLASSES = COLOUR["model"], COLOUR["second"]  # of the plane: below, above
REGIONS = ListedColormap([tuple(0.82 + 0.18 * v for v in to_rgb(colour)) for colour in CLASSES])  # light shades


def _half_space_plane(axes: Axes, edge: float, shift: float, disc: float) -> None:
    """The half-space {first coordinate <= edge}, a disc with the same p_A, both Gaussians as circles."""
    axes.axvspan(-4, edge, color=COLOUR["model"], alpha=0.14, linewidth=0)
    axes.axvline(edge, color=COLOUR["model"])
    axes.add_patch(Circle((0, 0), disc, fill=False, linestyle="--", color=COLOUR["second"], linewidth=1.8))
    for place, colour in ((0.0, "data"), (shift, "attack")):
        for k in (1, 2):
            axes.add_patch(Circle((place, 0), k, fill=False, color=COLOUR[colour], linewidth=1, alpha=0.8))
        axes.plot(place, 0, "o", color=COLOUR[colour])
    axes.annotate("A", (-3.6, 3.1), color=COLOUR["model"], fontsize=15, fontweight="bold")
    axes.annotate(
        "same $p_A$", (0, -disc), (0, -4), textcoords="offset points", color=COLOUR["second"], ha="center", va="top"
    )
    axes.set(xlim=(-4, 6), ylim=(-3.7, 3.7), aspect="equal", xlabel="along δ, in σ", ylabel="across δ, in σ")


@explorer(
    p_a=Range(0.55, 0.995, 0.9, step=0.005, label="P(A) at x"),
    shift=Range(0.0, 4.0, 0.8, step=0.1, label="shift ‖δ‖ / σ"),
    stills=({"shift": 0.0}, {}, {"shift": 2.0}),
)
def half_space(p_a: float, shift: float) -> Picture:
    """Neyman-Pearson: the half-space is the worst classifier with a given p_A; a disc with the same p_A beside it."""
    edge, disc = float(torch.special.ndtri(torch.tensor(p_a).double())), math.sqrt(-2 * math.log(1 - p_a))
    worst = float(smoothing.neyman_pearson_bound(p_a, shift, 1.0))
    rival = stats.ncx2.cdf(disc**2, 2, shift**2) if shift else p_a
    fig, (left, right) = figure(1, 2, width=10, height=3.7)
    _half_space_plane(left, edge, shift, disc)
    left.set_title(f"P(A) at x + δ: half-space {worst:.2f}, disc {rival:.2f}")
    z = np.linspace(-4, 6, 401)
    for place, colour, name in ((0.0, "data", "at x"), (shift, "attack", "at x + δ")):
        density = stats.norm.pdf(z, place)
        right.plot(z, density, color=COLOUR[colour], label=name)
        right.fill_between(z, density, where=list(z <= edge), color=COLOUR[colour], alpha=0.2, linewidth=0)
    ratio = np.exp(shift * z - shift**2 / 2)
    right.plot(z, 0.1 * ratio, color=COLOUR["muted"], linewidth=1.5, label="likelihood ratio / 10")
    right.axvline(edge, color=COLOUR["model"])
    right.set(xlabel="along δ, in σ", ylim=(0, 0.66), xlim=(-4, 6), ylabel="density")
    verdict = "A still leads" if worst > 0.5 else "A has lost"
    right.set_title(f"r = {edge:.2f} σ, shift {shift:.1f} σ: {verdict}")
    right.legend(loc="upper left")
    return fig


def plane_classifier(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The base classifier of the plane: above or below a wavy line, with pockets of the other class. -> 0 or 1."""
    above = y > 0.7 * np.sin(1.8 * x) + 0.25 * np.sin(5.0 * x)
    for a, b, radius in ((-0.9, 0.55, 0.22), (1.1, 1.9, 0.3), (0.2, -1.1, 0.28), (-2.0, -1.6, 0.2), (2.3, 1.0, 0.24)):
        above ^= (x - a) ** 2 + (y - b) ** 2 < radius**2
    return above.astype(int)


REACH, STEP, SURE = 6.0, 0.03, 1 - 1e-4  # beyond 4 sigma the blurred grid is no probability any more


@functools.cache
def _grid() -> tuple[np.ndarray, np.ndarray]:
    """Coordinates of a fine grid that reaches far beyond the picture, and the classes there."""
    a = np.arange(-REACH, REACH + STEP / 2, STEP)
    return a, plane_classifier(*np.meshgrid(a, a))


@functools.cache
def smoothed_plane(sigma: float) -> np.ndarray:
    """P(class 1 at x + sigma xi) on the grid: the classes, blurred by the Gaussian."""
    return ndimage.gaussian_filter(_grid()[1].astype(float), sigma / STEP, mode="nearest", truncate=4.0)


@explorer(
    x=Range(-2.5, 2.5, -0.9, step=0.1, label="x₁"),
    y=Range(-2.0, 2.0, 1.0, step=0.1, label="x₂"),
    sigma=Range(0.1, 1.2, 0.5, step=0.05, label="noise σ"),
    n=Range(20, 2000, 200, step=20, label="votes n"),
    stills=({"sigma": 0.2}, {}, {"sigma": 1.0}),
    on_release=True,
)
def plane(x: float, y: float, sigma: float, n: int) -> Picture:
    """A classifier in the plane with pockets, n noisy copies of a point, the boundary of g, the certified disc."""
    xi = np.random.default_rng(9).standard_normal((2, 2000))[:, :n]
    copies = np.array([[x], [y]]) + sigma * xi
    classes = plane_classifier(*copies)
    smooth = smoothed_plane(sigma)
    place = tuple(round((v + REACH) / STEP) for v in (y, x))
    p_one = float(smooth[place])
    leader = int(p_one > 0.5)
    count, p = int((classes == leader).sum()), min(max(p_one, 1 - p_one), SURE)
    lower = smoothing.clopper_pearson_lower(torch.tensor(count), n, 0.001)
    certified, exact = (float(smoothing.certified_radius(q, sigma)) for q in (lower, p))
    fig, (left, right) = figure(1, 2, width=10, height=3.9, width_ratios=(1.5, 1))
    _regions(left, smooth)
    for k, colour in enumerate(CLASSES):
        left.plot(*copies[:, classes == k], ".", color=colour, markersize=3, alpha=0.5)
    left.add_patch(Circle((x, y), certified, fill=False, color=COLOUR["bound"], linewidth=2.5))
    if p < SURE:
        left.add_patch(Circle((x, y), exact, fill=False, color=COLOUR["bound"], linestyle=":", linewidth=2))
    left.plot(x, y, "o", color=COLOUR["data"])
    left.set(xlim=(-3, 3), ylim=(-2.4, 2.4), xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
    left.grid(False)
    limit = f"{exact:.2f}" if p < SURE else f"over {exact:.2f}"
    left.set_title(f"σ = {sigma:g}: r = {certified:.2f} (dotted: n = ∞, {limit})")
    votes_bar(right, torch.tensor([n - classes.sum(), classes.sum()]), ("below", "above"), float(lower), leader)
    for bar, colour in zip(right.patches, CLASSES, strict=True):
        bar.set_color(colour)
    return fig


def _regions(axes: Axes, smooth: np.ndarray) -> None:
    """The classes of f as light areas, the boundary of g as a line, cut to what the picture shows."""
    (coordinates, shades), cut = _grid(), slice(round((REACH - 3) / STEP), round((REACH + 3) / STEP) + 1)
    axes.imshow(shades[cut, cut], extent=(-3, 3, -3, 3), origin="lower", cmap=REGIONS, vmin=0, vmax=1)
    line = coordinates[cut][::2]
    axes.contour(line, line, smooth[cut, cut][::2, ::2], levels=[0.5], colors=COLOUR["data"], linewidths=2)
    axes.annotate("black: boundary of $g$", (-2.9, -2.3), color=COLOUR["data"], backgroundcolor="#FFFFFFB0")


NETWORKS = {"no noise": "mnist_cnn", "σ 0.25": "mnist_sigma025", "σ 0.5": "mnist_sigma050", "σ 1": "mnist_sigma100"}


@functools.cache
def _network(name: str) -> nn.Module:
    return checkpoints.load(NETWORKS[name], "cpu").eval().requires_grad_(False)


@functools.cache
def _digits() -> Tensor:
    mnist = data.load("mnist")
    return mnist.x_test[[int((mnist.y_test == k).nonzero()[0]) for k in range(10)]]


@functools.cache
def _noise() -> Tensor:
    return torch.randn(1100, 1, 28, 28, generator=torch.Generator().manual_seed(9))


@explorer(
    digit=Range(0, 9, 3, label="digit"),
    trained=Choice(tuple(NETWORKS), "σ 0.5", label="trained with"),
    sigma=Range(0.1, 1.5, 0.5, step=0.05, label="noise σ of the vote"),
    n=Range(20, 1000, 500, step=20, label="votes n"),
    alpha=Range(1e-6, 0.1, 1e-3, log=True, label="failure rate α"),
    stills=({"trained": "no noise"}, {}, {"sigma": 1.0}),
    on_release=True,
)
def digit(digit: int, trained: str, sigma: float, n: int, alpha: float) -> Picture:
    """One digit: noisy copies, the votes of a network, the bound of p_A and the certified radius. n_0 = 100."""
    x, f = _digits()[digit : digit + 1], _network(trained)
    with torch.no_grad():
        classes = f(x + sigma * _noise()[: 100 + n]).argmax(1)
    selection, counts = (classes[part].bincount(minlength=10)[None] for part in (slice(100), slice(100, None)))
    certificate = smoothing.certify(selection, counts, sigma=sigma, alpha=alpha)
    shown = x + sigma * _noise()[100:109]
    return votes(x, shown, classes[100:109], counts, certificate, int(selection.argmax()))
