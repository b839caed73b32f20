"""The still figures of Lecture 9 that need no network: bounds, half-spaces, closed forms, intervals of a proportion."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from scipy import stats
from torch import Tensor

from helpers import smoothing
from helpers.figures import COLOUR, Picture, figure, from_any_device, label
from helpers.smoothing.figures.curves import NOISE, rates

SHADES = [*NOISE.values()][1:]  # of one blue, since tau and d are ordered


@from_any_device
def looseness(rows: Mapping[str, Mapping[str, Tensor]]) -> Picture:
    """Per network: the radii of a certificate, of an estimate, of an attack, one dot an image, log scale."""
    fig, panels = figure(1, len(rows), width=10, height=3.8, sharey=True)
    for axes, (name, columns) in zip(panels, rows.items(), strict=True):
        for place, (values, colour) in enumerate(zip(columns.values(), ("bound", "muted", "attack"), strict=True)):
            shown = values[values.isfinite() & (values > 0)]
            spread = place + torch.linspace(-0.22, 0.22, len(shown))
            axes.semilogy(spread, shown, ".", color=COLOUR[colour], alpha=0.5, markersize=5)
            axes.semilogy(place, shown.median(), "D", color=COLOUR[colour], markeredgecolor="white")
            axes.annotate(f"{shown.median():.2g}", (place + 0.3, shown.median()), color=COLOUR[colour], va="center")
        axes.set_xticks(range(len(columns)), list(columns))
        axes.set(xlim=(-0.5, len(columns) - 0.2))
        first, *_, last = columns.values()
        ratio = (last / first)[last.isfinite() & (first > 0)].median()
        axes.set_title(f"{name}: the attack needs {ratio:.0f} times as much")
    panels[0].set_ylabel("$\\ell_2$ radius (diamond: median)")
    return fig


def ladder(centres: Tensor, upper: Mapping[str, Sequence[float]]) -> Picture:
    """The triangle that encloses a ReLU; the upper bounds of f over the unit box about (c, 0), over c."""
    fig, (left, right) = figure(1, 2, width=10, height=3.9)
    low, high = -1.0, 2.0
    z = np.array([low, 0.0, high])
    left.fill([low, 0, high], [0, 0, high], color=COLOUR["bound"], alpha=0.2)
    left.plot(z, z.clip(0), color=COLOUR["data"], linewidth=3)
    left.plot([low, high], [0, high], color=COLOUR["bound"])
    left.annotate(r"$\frac{u\,(s-l)}{u-l}$", (0.35, 0.95), color=COLOUR["bound"], ha="right", va="bottom", fontsize=16)
    left.annotate("ReLU", (1.4, 1.1), color=COLOUR["data"])
    left.set(xlabel="$s$ in $[l, u]$", xticks=(low, 0, high), yticks=(0, high), title="The triangle around a ReLU")
    left.set_xticklabels(("$l$", "0", "$u$"))
    left.set_yticklabels(("0", "$u$"))
    for (name, values), colour in zip(upper.items(), ("data", "bound", "muted"), strict=True):
        line = right.plot(centres, values, color=COLOUR[colour], linestyle="--" if name == "exact" else "-")[0]
        label(line, name, at=20, offset=(8, -12) if name == "exact" else (-8, 10))
    right.axvline(2, color=COLOUR["data"], linestyle=":", linewidth=1)
    right.annotate("both open", (2.04, 2.1))
    right.set(xlabel="centre $c$ of the unit box", xlim=(0, 3), ylim=(1.8, 10.4), xticks=(0, 1, 2, 3))
    right.set_yticks((2, 3, 4, 6, 8, 10))
    right.set_title("Upper bound of $f$: 2, 3, 4 at $c$ = 0")
    return fig


def depth(depths: Sequence[int], widths: Tensor, sampled: Tensor, rate: float) -> Picture:
    """The width of the intervals after each layer of a random network, against what points of the box reach."""
    fig, axes = figure(width=9, height=3.5)
    line = axes.semilogy(depths, widths, "o", color=COLOUR["bound"])[0]
    label(line, f"interval bounds: $\\times${rate:.1f} a layer", at=-2, offset=(-8, 8))
    line = axes.semilogy(depths, sampled, "o", color=COLOUR["data"])[0]
    label(line, "2,000 points of the box", at=4, offset=(0, 12), ha="center")
    axes.set(xlabel="layer", ylabel="mean width", xticks=depths, title="Intervals forget what cancels")
    return fig


def certified_linf(
    eps: Sequence[float], curves: Mapping[str, tuple[Sequence[float], Sequence[float]]], count: int
) -> Picture:
    """Accuracy certified by intervals and left by PGD over eps in l_inf, per network, as the steps that both prove;
    95 % intervals for the rates of `count` images."""
    fig, panels = figure(1, len(curves), width=10, height=3.7, sharey=True)
    for axes, (name, (certified, attacked)) in zip(panels, curves.items(), strict=True):
        between(axes, eps, certified, attacked, count)
        axes.set(xlabel="ε ($\\ell_\\infty$)", ylim=(-0.03, 1.1), xlim=(-0.003, None))
        middle = len(eps) // 2
        axes.set_title(f"{name}: {certified[middle]:.0%} proved at ε = {eps[middle]:g}")
    panels[0].set_ylabel("accuracy")
    panels[0].annotate("left by PGD", (0.06, 1.01), color=COLOUR["attack"])
    panels[0].annotate("certified", (0.06, 0.73), color=COLOUR["bound"])
    return fig


def between(
    axes: Axes, radii: Sequence[float], certified: Sequence[float], attacked: Sequence[float], count: int
) -> None:
    """Steps, since robust accuracy never rises with the radius: what is certified at r holds up to r, what an attack
    leaves at r bounds all that lies beyond; the truth is in the area."""
    r, low, high = (np.asarray(values, dtype=float) for values in (radii, certified, attacked))
    grid = np.linspace(r[0], r[-1], 600)
    below = low[np.searchsorted(r, grid).clip(max=len(r) - 1)]
    above = high[np.searchsorted(r, grid, side="right") - 1]
    axes.fill_between(grid, below, above, color=COLOUR["truth"], alpha=0.15, linewidth=0)
    for line, shares, colour in ((below, certified, "bound"), (above, attacked, "attack")):
        axes.plot(grid, line, color=COLOUR[colour])
        rates(axes, radii, shares, count, COLOUR[colour])


def scales(p: Tensor, by_margin: Tensor) -> Picture:
    """The radius over p_A: by the Lipschitz constant of the probability, and by Phi^{-1}; and why."""
    fig, (left, right) = figure(1, 2, width=10, height=3.7)
    z = np.linspace(-3.2, 3.2, 300)
    left.plot(z, stats.norm.cdf(z), color=COLOUR["model"])
    left.plot(z, 0.5 + z / np.sqrt(2 * np.pi), "--", color=COLOUR["muted"])
    left.annotate("steepest: $1/(\\sigma\\sqrt{2\\pi})$", (0.9, 0.86), (0.55, 0.3), color=COLOUR["muted"])
    left.set(xlabel="distance from the edge of a half-space / σ", ylabel="$p_A$", ylim=(-0.03, 1.05))
    left.set_title("Steep at one half, flat where it is sure")
    exact = smoothing.certified_radius(p, 1.0)
    label(right.plot(p, exact, color=COLOUR["bound"])[0], "$\\Phi^{-1}(p_A)$", at=-60, offset=(-8, 8))
    label(right.plot(p, by_margin, "--", color=COLOUR["muted"])[0], "margin / $2L$", at=250, offset=(4, -16))
    right.set(xlabel="$p_A$", ylabel="radius / σ", title="Two certificates from the same $p_A$")
    return fig


def rivals(shifts: Sequence[float], found: Tensor, p_a: float, sigma: float) -> Picture:
    """P(A) at x + delta of many classifiers with the same p_A at x: rows of found (shifts, classifiers)."""
    fig, axes = figure(width=9, height=3.9)
    g = np.random.default_rng(0)
    for shift, values in zip(shifts, found, strict=True):
        places = shift + 0.08 * (g.random(len(values)) - 0.5)
        axes.plot(places, values, ".", color=COLOUR["muted"], markersize=3, alpha=0.6)
    line = np.linspace(0, max(shifts) + 0.2, 200)
    bound = smoothing.neyman_pearson_bound(p_a, torch.tensor(line), sigma)
    edge = axes.plot(line, bound, color=COLOUR["bound"], linewidth=3)[0]
    label(edge, "half-space", at=-90, offset=(-6, -14))
    axes.axhline(0.5, color=COLOUR["data"], linewidth=1)
    radius = float(smoothing.certified_radius(p_a, sigma))
    axes.plot(radius, 0.5, "o", color=COLOUR["bound"], markersize=9)
    axes.annotate(
        f"$r$ = {radius:.2f} σ", (radius, 0.5), (-8, -14), textcoords="offset points", color=COLOUR["bound"], ha="right"
    )
    axes.set(xlabel="shift $\\|\\delta\\|/\\sigma$", ylabel="$P(A)$ at $x+\\delta$", ylim=(-0.02, 1.03))
    axes.set_title(f"{found.shape[1]} classifiers with $p_A$ = {p_a:g} at $x$: none below the half-space")
    return fig


def closed_forms(
    taus: Sequence[float], slabs: Mapping[float, Tensor], line: Tensor, balls: Mapping[int, Tensor]
) -> Picture:
    """P(1) along the line for slabs; true over certified radius at the centre of a ball, over p_A."""
    fig, (left, right) = figure(1, 2, width=10, height=3.8)
    for tau, colour in zip(taus, SHADES, strict=True):
        left.plot(line, slabs[tau], color=colour, label=f"{tau:g}")
    left.axhline(0.5, color=COLOUR["data"], linewidth=1)
    left.set(xlabel="$x/\\sigma$", ylabel="$P(f(x+\\sigma\\xi)=1)$", ylim=(0, 1.04))
    left.legend(loc="lower right", title="certificate at 0")
    left.set_title("Slabs: always above ½, so $g$ = 1 everywhere")
    p = torch.linspace(0.55, 0.99, 45)
    for (d, ratio), colour in zip(balls.items(), SHADES, strict=True):
        label(right.semilogy(p, ratio, color=colour)[0], f"$d$ = {d:,}", offset=(5, 0))
    right.axhline(1, color=COLOUR["data"], linewidth=1)
    right.set(
        xlabel="$p_A$ at the centre of a ball",
        ylabel="true radius / certificate",
        xlim=(0.54, 1.1),
        xticks=(0.6, 0.7, 0.8, 0.9, 1),
        yticks=(1, 2, 5, 10, 20),
        yticklabels=("1", "2", "5", "10", "20"),
    )
    right.minorticks_off()
    right.set_title("Balls: the looser, the higher the dimension")
    return fig


def coverage(
    p: Tensor,
    covered: Mapping[str, Tensor],
    n: int,
    alpha: float,
    sizes: Sequence[int],
    radii: Mapping[str, Sequence[float]],
) -> Picture:
    """How often each lower bound lies below p; the radius each gives when all votes agree, over their number."""
    fig, (left, right) = figure(1, 2, width=10, height=3.8)
    for (name, values), colour in zip(covered.items(), ("bound", "muted", "attack"), strict=True):
        left.plot(p, values, color=COLOUR[colour], linewidth=1, label=name)
    left.axhline(1 - alpha, color=COLOUR["data"], linewidth=1)
    left.annotate(f"1 − α = {1 - alpha:g}", (0.02, 1 - alpha), (0, -13), textcoords="offset points")
    left.set(xlabel="true $p$", ylabel="P(bound ≤ p)", ylim=(0.75, 1.005))
    last = float(covered["normal approximation"][-1])
    left.annotate(f"down to {last:.2f}", (0.93, 0.81), color=COLOUR["attack"], ha="right")
    left.set_title(f"Normal approximation: fails near 1 (n = {n})")
    left.legend(loc="lower left")
    for (name, column), colour in zip(radii.items(), ("bound", "muted"), strict=True):
        line = right.semilogx(sizes, column, color=COLOUR[colour])[0]
        label(line, name, at=len(sizes) // 2, offset=(-6, 12), ha="right")
    right.set(xlabel="votes $n$, all for one class", ylabel="radius / σ")
    right.set_title("Hoeffding gives away a third (α = 0.001)")
    return fig


def budget(alphas: Sequence[float]) -> Picture:
    """The ceiling of the radius over n; the n that a radius needs."""
    fig, (left, right) = figure(1, 2, width=10, height=3.8)
    n = np.unique(np.logspace(1, 7, 61).astype(int))
    for alpha, colour in zip(alphas, ("third", "bound", "data"), strict=True):
        radii = [smoothing.max_certifiable_radius(int(k), alpha, 1.0) for k in n]
        left.semilogx(n, radii, color=COLOUR[colour], label=f"α = {alpha:g}")
    m = n / np.log(1000)
    far = m > 10
    law = np.sqrt(2 * np.log(m[far]) - np.log(4 * np.pi * np.log(m[far])))
    left.semilogx(n[far], law, "--", color=COLOUR["muted"], label="the law, α = 0.001", linewidth=1.5)
    for k in (100, 1000, 10_000, 100_000):
        radius = smoothing.max_certifiable_radius(k, 0.001, 1.0)
        left.plot(k, radius, "o", color=COLOUR["bound"])
        left.annotate(f"{radius:.2f}", (k, radius), (5, -13), textcoords="offset points", color=COLOUR["bound"])
    left.set(
        xlabel="votes $n$, all for one class",
        ylabel="largest radius / σ",
        title="The ceiling crawls",
    )
    left.legend(loc="upper left")
    reach = np.linspace(0.5, 5.5, 101)
    right.semilogy(reach, np.log(0.001) / stats.norm.logcdf(reach), color=COLOUR["bound"])
    right.plot(4, np.log(0.001) / stats.norm.logcdf(4), "o", color=COLOUR["bound"])
    right.annotate("4 σ: 218,000", (4, 2.2e5), (-8, 6), textcoords="offset points", ha="right", color=COLOUR["bound"])
    right.set(xlabel="radius / σ", ylabel="votes needed", title="Each σ costs more than the last")
    return fig
