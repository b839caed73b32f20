"""The still figures of Lecture 7."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from torch import Tensor

from helpers.attacks.figures.curves import INK
from helpers.figures import COLOUR, FAMILY, Picture, figure, label, pictures


def bars(axes: Axes, names: Sequence[str], before: Tensor, after: Tensor, count: int = 5, *, log: bool = False) -> None:
    """The `count` most probable classes of two predictions (K,), with log of the second: grey, then coloured."""
    ranked = after if log else torch.maximum(before, after)
    top = ranked.topk(min(count, len(before))).indices.tolist()
    places = np.arange(len(top))[::-1]
    for k, place in zip(top, places, strict=True):
        axes.barh(place + 0.18, before[k], 0.34, color=COLOUR["muted"])
        axes.barh(place - 0.18, after[k], 0.34, color=COLOUR["attack"])
    axes.set_yticks(places, [names[k][:18] for k in top])
    axes.set(xlim=(0, 1.02), xlabel="probability")
    if log:
        low = 0.1 * min(before[top].min().item(), after[top].min().item())
        axes.set(xscale="log", xlim=(max(low, 1e-12), 1.5), xlabel="probability (log scale)")
    axes.grid(False, axis="y")


def signed(delta: Tensor) -> tuple[Tensor, tuple[float, float] | None]:
    """A perturbation (C, H, W) as `pictures` shows it: signed grey, or colours around one half."""
    if len(delta) == 1:
        return delta[None], None
    return (0.5 + delta / (2 * delta.abs().max().clamp(min=1e-9)))[None], (0.0, 1.0)


def attacked(
    x: Tensor,
    x_adv: Tensor,
    names: Sequence[str],
    before: Tensor,
    after: Tensor,
    titles: Sequence[str],
    count: int = 5,
    *,
    log: bool = False,
) -> Picture:
    """One row per image: the image, the perturbation (its own scale), the result, the probabilities of both."""
    fig, rows = figure(len(x), 4, width=11.5, height=min(2.7 * len(x), 6.4), squeeze=False, width_ratios=(1, 1, 1, 1.5))
    x, x_adv, before, after = x.cpu(), x_adv.cpu(), before.cpu(), after.cpu()
    for k, (image, delta, result, chart) in enumerate(rows):
        change, limits = signed(x_adv[k] - x[k])
        pictures(image, x[k : k + 1])
        pictures(delta, change, limits=limits)
        pictures(result, x_adv[k : k + 1])
        bars(chart, names, before[k], after[k], count, log=log)
        image.set_title(names[int(before[k].argmax())], color=COLOUR["muted"])
        delta.set_title(titles[k])
        factor = 0.5 / (x_adv[k] - x[k]).abs().max().clamp(min=1e-9).item()
        drawn = "red: brighter, blue: darker" if limits is None else f"drawn {factor:.0f} times as strong"
        delta.text(0.5, -0.03, drawn, ha="center", va="top", fontsize=11, transform=delta.transAxes)
        changed = before[k].argmax() != after[k].argmax()
        result.set_title(names[int(after[k].argmax())], color=COLOUR["attack" if changed else "muted"])
        chart.set_title("before (grey) and after")
    return fig


def noise_against_fgsm(sizes: Sequence[float], curves: Mapping[str, Sequence[float]]) -> Picture:
    """Accuracy over eps."""
    fig, axes = figure(width=9, height=3.4)
    for name, values in curves.items():
        label(axes.plot(sizes, values, "o-", color=INK.get(name, COLOUR["muted"]))[0], name, offset=(6, 6))
    axes.set(xlabel="$\\varepsilon$ (change of every pixel)", ylabel="accuracy", ylim=(0, 1.03), xlim=(0, 0.34))
    axes.set_title("The same size, another direction: random signs and FGSM")
    return fig


def balls() -> Picture:
    """The unit balls of five p in the plane."""
    fig, row = figure(1, 5, width=12, height=3.2, sharey=True)
    t = np.linspace(0, 2 * np.pi, 2001)
    for axes, p in zip(row, (0, 0.5, 1, 2, math.inf), strict=True):
        colour = COLOUR["bound"] if p >= 1 else COLOUR["second"]
        if p == 0:
            axes.plot((-1.4, 1.4), (0, 0), color=colour, linewidth=3)
            axes.plot((0, 0), (-1.4, 1.4), color=colour, linewidth=3)
        else:
            u = np.stack([np.cos(t), np.sin(t)])
            size = np.abs(u).max(0) if p == math.inf else (np.abs(u) ** p).sum(0) ** (1 / p)
            axes.fill(*(u / size), color=colour, alpha=0.25)
            axes.plot(*(u / size), color=colour)
        name = {math.inf: "∞"}.get(p, f"{p:g}")
        axes.set(xlim=(-1.5, 1.5), ylim=(-1.5, 1.5), aspect="equal", xticks=(-1, 0, 1), yticks=(-1, 0, 1))
        axes.set(title=f"$p$ = {name}", xlabel="$\\delta_1$")
    row[0].set_ylabel("$\\delta_2$")
    fig.suptitle("Unit balls: purple of a norm, ochre of none")
    return fig


def dimensions(sizes: Sequence[int], distances: Mapping[float, Sequence[float]], slope: float) -> Picture:
    """Median distance to a random linear boundary over the dimension, in three norms."""
    fig, axes = figure(width=9, height=3.6)
    texts = {1: "$\\ell_1$", 2: "$\\ell_2$: constant", math.inf: f"$\\ell_\\infty$: slope {slope:.2f}"}
    for (p, values), colour in zip(distances.items(), FAMILY, strict=False):
        label(axes.loglog(sizes, values, "o-", color=colour)[0], texts[p])
    axes.set(xlabel="dimension $d$", ylabel="distance to the boundary", xlim=(3, 2.5e4))
    axes.set_title("Random linear models: in $\\ell_\\infty$ the boundary comes nearer like $1/\\sqrt{d}$")
    return fig


def targets(x: Tensor, x_adv: Tensor, labels: Sequence[int], success: Tensor, eps: float) -> Picture:
    """One digit (C, H, W) as it is, and led to each of nine labels, in two rows."""
    fig, axes = figure(width=9, height=4.2)
    verdicts = [f"→ {k}" if hit else f"→ {k}: missed" for k, hit in zip(labels, success.tolist(), strict=True)]
    pictures(axes, torch.cat([x.cpu()[None], x_adv.cpu()]), ["clean", *verdicts], columns=5)
    axes.set_title(f"One seven led to nine other labels (ε {eps:g} in every pixel)")
    return fig


def marked(x: Tensor, x_adv: Tensor) -> Tensor:
    """x_adv (N, 1, H, W) in colour (N, 3, H, W), each pixel that differs from x tinted: brighter red, darker blue."""
    x, x_adv = x.cpu(), x_adv.cpu()
    red, blue = torch.tensor([0.9, 0.25, 0.0]), torch.tensor([0.1, 0.45, 0.9])
    tint = torch.where(x_adv > x, red.view(1, 3, 1, 1), blue.view(1, 3, 1, 1))
    return torch.where((x_adv - x).abs() > 1e-6, tint, x_adv.expand(-1, 3, -1, -1))


def sparse(x: Tensor, found: Mapping[str, Tensor], success: Mapping[str, Tensor], count: int = 10) -> Picture:
    """Rows: the clean images and what each sparse attack made of them, its pixels coloured; failures are faded."""
    size = len(found) + 1
    fig, rows = figure(size, 2, width=11, height=1.0 * size, width_ratios=(1, 5.5))
    for (side, axes), (name, x_adv) in zip(rows, {"clean": x, **found}.items(), strict=True):
        hit = success[name][:count].cpu() if name in success else torch.ones(count, dtype=torch.bool)
        shown = marked(x[:count], x_adv[:count])
        pictures(axes, torch.where(hit[:, None, None, None], shown, 0.75 + 0.25 * shown))
        side.text(1, 0.5, name, ha="right", va="center", fontsize=11, transform=side.transAxes)
        side.set_axis_off()
    fig.suptitle("Few pixels: red was raised, blue lowered (faded: not fooled)")
    return fig


def universal(
    x: Tensor,
    y: int,
    made: Mapping[str, Tensor],
    fooled: Mapping[str, float],
    taken_for: Sequence[int],
    samples: Sequence[int],
    rates: Tensor,
) -> Picture:
    """The perturbations, one digit of label y with each, and the fooling rates (runs, samples) over the images."""
    fig, (left, right) = figure(1, 2, width=12, height=4.6, width_ratios=(1.9, 1))
    deltas = torch.stack([v.cpu() for v in made.values()])
    biggest = deltas.abs().max()
    strength = (deltas / biggest).expand(-1, 3, -1, -1)
    sides = torch.tensor([0.0, 1.0, 1.0]).view(3, 1, 1), torch.tensor([1.0, 1.0, 0.0]).view(3, 1, 1)
    coloured = 1 - strength.clamp(min=0) * sides[0] + strength.clamp(max=0) * sides[1]
    sheet = torch.cat([coloured, (x.cpu() + deltas).clamp(0, 1).expand(-1, 3, -1, -1)])
    titles = [f"{name}\n{fooled[name]:.0%} fooled" for name in made]
    pictures(left, sheet, [*titles, *(f"taken for {k}" for k in taken_for)], columns=len(made))
    for title, k in zip(left.texts[len(made) :], taken_for, strict=True):
        title.set_color(COLOUR["muted" if k == y else "attack"])
    left.set_title(f"Perturbations (red: +{biggest:.2f}, blue: −{biggest:.2f}), one digit with each", pad=24)
    right.semilogx(samples, rates.T, "o", color=COLOUR["muted"])
    right.semilogx(samples, rates.mean(0), "-", color=COLOUR["attack"], linewidth=2.5)
    right.set(xlabel="digits it was made from", ylabel="fooling rate, new digits", ylim=(0, 1.03))
    right.set_title("Gradient steps: single runs and their mean")
    return fig


def transfer(names: Sequence[str], matrix: Tensor, images: int) -> Picture:
    """Success of examples made on the row's network against the column's; images: how many each rate stands on."""
    fig, axes = figure(width=6.4, height=4.6)
    axes.imshow(matrix, cmap="Oranges", vmin=0, vmax=1)
    for i in range(len(names)):
        for j in range(len(names)):
            value = matrix[i, j].item()
            axes.text(j, i, f"{value:.2f}", ha="center", va="center", color="white" if value > 0.6 else "black")
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), names)
    error = 1.96 * math.sqrt(0.25 / images)
    axes.set(xlabel="tried on", ylabel="made on", title=f"Share fooled, {images} digits (each ± {error:.2f} at most)")
    axes.grid(False)
    return fig


def inevitable(d: int, outside: Tensor) -> Picture:
    """Tsipras' toy in d dimensions over eps, and distances to a half-sphere over the dimension."""
    from helpers.attacks.toy import distance_to_half, tsipras_accuracy

    fig, (left, right) = figure(1, 2, width=11, height=3.8)
    eps = np.linspace(0, 0.4, 81)
    weak = [tsipras_accuracy(d, 3 / math.sqrt(d), e) for e in eps]
    left.plot(eps, weak, color=COLOUR["attack"], label=f"mean of {d} weak features")
    left.axhline(0.95, color=COLOUR["truth"], label="the strong feature")
    left.set(xlabel="ε ($\\ell_\\infty$)", ylabel="accuracy", ylim=(0, 1.03), title="Accurate, or robust")
    left.legend(loc="center right")
    sizes = np.unique(np.logspace(0.5, 5, 40).astype(int))
    for share, colour in ((0.5, "model"), (0.99, "bound")):
        line = right.loglog(sizes, [distance_to_half(int(k), share) for k in sizes], color=COLOUR[colour])[0]
        label(line, f"{share:.0%} within", at=-1)
    right.plot(784, outside.median(), "o", color=COLOUR["data"])
    text = "median of those drawn"
    right.annotate(text, (784, outside.median()), (-8, -6), ha="right", va="top", textcoords="offset points")
    right.set(
        xlabel="dimension $d$",
        ylabel="angle (radians)",
        xlim=(3, 4e5),
        title="Points outside a half-sphere: within which angle of it?",
    )
    return fig
