"""The still figures of Lecture 9 that show networks: votes, curves of certified accuracy, attacks, certificates."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from torch import Tensor

from helpers import smoothing
from helpers.figures import COLOUR, Picture, figure, from_any_device, label, pictures
from helpers.smoothing.noise_training import noisy_copies
from helpers.smoothing.smooth import Smooth


def votes_bar(axes: Axes, votes: Tensor, names: Sequence[str], lower: float, leader: int) -> None:
    """Shares of the votes (K,) as bars, with the bound of the leader's probability and the line of one half."""
    n = int(votes.sum())
    colours = [COLOUR["model" if k == leader else "muted"] for k in range(len(votes))]
    axes.bar(range(len(votes)), (votes.double().cpu() / n).tolist(), color=colours)
    axes.plot((leader - 0.45, leader + 0.45), (lower, lower), color=COLOUR["bound"], linewidth=3)
    right = leader < len(votes) / 2  # the side that has room for the name
    axes.annotate("lower bound", (leader + (0.6 if right else -0.6), lower), color=COLOUR["bound"],
                  ha="left" if right else "right", va="bottom" if 0.5 < lower < 0.9 else "top")  # fmt: skip
    axes.axhline(0.5, color=COLOUR["data"], linewidth=1)
    axes.set_xticks(range(len(votes)), list(names))
    axes.set(ylim=(0, 1.03), ylabel="share of the votes", xlabel="class")
    axes.set_title(f"{int(votes[leader]):,} of {n:,}: $p_A$ ≥ {lower:.3f}")
    axes.grid(False, axis="x")


def votes(
    x: Tensor, copies: Tensor, classes: Tensor, counts: Tensor, certificate: smoothing.Certificate, leader: int
) -> Picture:
    """One image (1, 1, H, W), noisy copies of it and what f says of them, the votes (1, 10), the certificate of the
    class that the other sample chose, `leader`."""
    fig, (left, right) = figure(1, 2, width=10, height=3.7, width_ratios=(1.35, 1))
    radius = float(certificate.radius)
    sheet = torch.cat([x, copies]).cpu()
    pictures(left, sheet, ["clean", *(str(int(k)) for k in classes)], columns=5)
    text = f"certified: {leader}, radius {radius:.2f}" if int(certificate.prediction) >= 0 else "it abstains"
    left.set_title(f"Noisy copies, and what $f$ says; {text}", pad=20)
    votes_bar(right, counts[0], "0123456789", float(certificate.lower), leader)
    return fig


def opening(g: Smooth, x: Tensor, certificate: smoothing.Certificate, counts: Tensor, seed: int) -> Picture:
    """`votes` of a smoothed classifier that is certified, with nine fresh copies for show."""
    generator = torch.Generator(x.device).manual_seed(seed)
    copies = noisy_copies(x, g.sigma, 9, generator)[:, 0]
    with torch.no_grad():
        classes = g.model(copies).argmax(1)
    return votes(x, copies, classes, counts, certificate, int(certificate.prediction))


NOISE = {0.0: COLOUR["muted"], 0.12: "#86BBDD", 0.25: "#3D8FC6", 0.5: "#0B5C94", 1.0: "#06304F"}  # darker: more


def interval(hits: float, count: int) -> tuple[float, float]:
    """The 95 % interval of Clopper and Pearson for a rate of which `hits` of `count` were seen."""
    below = float(smoothing.clopper_pearson_lower(round(hits), count, 0.025))
    return below, 1 - float(smoothing.clopper_pearson_lower(count - round(hits), count, 0.025))


def rates(axes: Axes, places: Sequence[float], shares: Sequence[float], count: int, colour: str) -> None:
    """Measured rates as dots, each with its 95 % interval, and no line between them."""
    for place, share in zip(places, shares, strict=True):
        axes.plot((place, place), interval(share * count, count), color=colour, linewidth=1.5)
        axes.plot(place, share, "o", color=colour)


STEPS = "steps-pre"  # a certificate of radius r holds up to r: on a grid the curve falls before r, never after


@from_any_device
def two_sides(
    radii: Tensor, certified: Tensor, eps: Sequence[float], left: Sequence[float], count: int, ceiling: float
) -> Picture:
    """Certified accuracy over the radius, and the accuracy that an attack leaves: the truth is in between.

    What is left at eps bounds all beyond it, since robust accuracy never rises: steps, with 95 % intervals; up to the
    failures that alpha allows, and to majorities that few votes misread.
    """
    fig, axes = figure(width=9, height=3.7)
    above = np.asarray(left)[np.searchsorted(np.asarray(eps), radii.numpy() + 1e-6, side="right") - 1]
    axes.fill_between(radii, certified, above, step="pre", color=COLOUR["truth"], alpha=0.15, linewidth=0)
    axes.plot(radii, above, color=COLOUR["attack"], drawstyle="steps-post")
    axes.plot(radii, certified, color=COLOUR["bound"], drawstyle=STEPS)
    rates(axes, eps, left, count, COLOUR["attack"])
    axes.axvline(ceiling, color=COLOUR["bound"], linestyle=":", linewidth=1.5)
    axes.annotate("ceiling", (ceiling, 0.04), (4, 0), textcoords="offset points", color=COLOUR["bound"])
    axes.annotate("left by the attack", (1.55, 1.05), color=COLOUR["attack"])
    axes.annotate("certified", (0.3, 0.72), color=COLOUR["bound"])
    axes.annotate("the truth", (1.4, 0.35), color=COLOUR["truth"], fontsize=14)
    axes.set(xlabel="$\\ell_2$ radius", ylabel="accuracy", ylim=(-0.02, 1.15), xlim=(-0.03, None))
    axes.set_title("Attacks bound the truth from above, certificates from below")
    return fig


@from_any_device
def waterfalls(radii: Tensor, curves: Mapping[float, Tensor], ceilings: Mapping[float, float]) -> Picture:
    """Certified accuracy over the radius for several noises, each with its ceiling as a dotted line."""
    fig, axes = figure(width=10, height=4.2)
    for sigma, curve in curves.items():
        axes.plot(radii, curve, color=NOISE[sigma], drawstyle=STEPS)
        axes.axvline(ceilings[sigma], color=NOISE[sigma], linestyle=":", linewidth=1.5)
        axes.annotate(f"σ = {sigma:g}", (ceilings[sigma], 1.06), (-4, 0), textcoords="offset points", ha="right")
    axes.set(xlabel="$\\ell_2$ radius $r$ (dotted: the ceiling)", ylabel="certified accuracy", ylim=(-0.02, 1.14))
    axes.set_xlim(0, float(radii[-1]))
    axes.set_title("Waterfalls: little noise for short radii, much noise for long ones")
    return fig


@from_any_device
def methods(radii: Tensor, curves: Mapping[str, Tensor], ceiling: float) -> Picture:
    """Certified accuracy over the radius for several ways to train, at one noise."""
    fig, axes = figure(width=9, height=3.7)
    for (name, curve), colour in zip(curves.items(), ("data", "second", "third"), strict=True):
        axes.plot(radii, curve, color=COLOUR[colour], label=name, drawstyle=STEPS)
    axes.axvline(ceiling, color=COLOUR["data"], linestyle=":", linewidth=1.5)
    axes.annotate("ceiling", (ceiling, 0.93), (4, 0), textcoords="offset points")
    axes.set(xlabel="$\\ell_2$ radius $r$", ylabel="certified accuracy", ylim=(-0.02, 1.03), xlim=(0, ceiling * 1.1))
    axes.set_title("Both recipes lift the end of the curve, σ = 0.5")
    axes.legend(loc="lower left")
    return fig


@from_any_device
def crossed(radii: Tensor, by_test: Mapping[float, Tensor], by_training: Mapping[float, Tensor]) -> Picture:
    """Certified accuracy for one noise of the vote and several of the training, and the other way round."""
    fig, panels = figure(1, 2, width=10, height=3.9, sharey=True)
    titles = "Vote at σ = 0.5: train with as much or more", "Trained with 0.5: 1 loses digits, 0.25 reach"
    for axes, curves, title, name in zip(panels, (by_training, by_test), titles, ("trained", "vote"), strict=True):
        for sigma, curve in curves.items():
            style = "-" if sigma == 0.5 else "--"
            axes.plot(radii, curve, style, color=NOISE[sigma], label=f"{name}: σ = {sigma:g}", drawstyle=STEPS)
        axes.set(xlabel="$\\ell_2$ radius $r$", ylim=(-0.02, 1.03), xlim=(0, float(radii[-1])))
        axes.set_title(title)
        axes.legend(loc="upper right")
    panels[0].set_ylabel("certified accuracy")
    return fig


@from_any_device
def knobs(by_n: Mapping[float, Tensor], by_alpha: Mapping[float, Tensor]) -> Picture:
    """Certified accuracy for several n and for several alpha, from radii (N,) that are 0 where the class is wrong."""
    fig, panels = figure(1, 2, width=10, height=3.8, sharey=True)
    r = torch.linspace(0, 1.9, 381).double()
    colours = ("muted", "second", "bound"), ("data", "bound", "third")  # the last of n is the middle of alpha
    for axes, family, name, palette in zip(panels, (by_n, by_alpha), ("n", "α"), colours, strict=True):
        for (key, radius), colour in zip(family.items(), palette, strict=True):
            text = f"n = {key:,}" if name == "n" else f"α = {key:f}".rstrip("0")
            shares = (radius[:, None] >= r.clamp(min=1e-9)).double().mean(0)
            axes.plot(r, shares, color=COLOUR[colour], label=text, drawstyle=STEPS)
        axes.set(xlabel="$\\ell_2$ radius $r$", ylim=(-0.02, 1.03), xticks=(0, 0.5, 1, 1.5))
        axes.legend(loc="lower left")
    panels[0].set_title("100 times the votes: twice the reach")
    panels[1].set_title("10,000 times as certain: hardly a loss")
    panels[0].set_ylabel("certified accuracy")
    return fig


def beyond(turned: Mapping[float, int], images: int, allowed: int) -> Picture:
    """The share of significant flips, with 95 % intervals, over the length of the attack in certified radii."""
    fig, axes = figure(width=9, height=3.5)
    axes.axvspan(0, 1, color=COLOUR["bound"], alpha=0.12, linewidth=0)
    rates(axes, list(turned), [k / images for k in turned.values()], images, COLOUR["attack"])
    axes.plot((0, 1), (allowed / images,) * 2, "--", color=COLOUR["data"], linewidth=1.5)
    axes.annotate(f"allowed: {allowed} of {images}", (0.04, allowed / images), (0, 8),
                  textcoords="offset points", color=COLOUR["data"])  # fmt: skip
    axes.annotate("certified", (0.04, 0.9), color=COLOUR["bound"])
    axes.set(xlabel="length of the attack / certified radius", ylabel="significant flips")
    axes.set(ylim=(-0.03, 1.03), xlim=(0, None))
    inside = sum(k for factor, k in turned.items() if factor < 1)
    axes.set_title(f"Inside the radius {inside} flips, at twice the radius {turned[2.0]} of {images}")
    return fig


@from_any_device
def same_votes(radii: Mapping[str, Tensor], top: Mapping[int, Tensor], y_label: str = "radius / σ") -> Picture:
    """Three certificates over p_A; and top-k curves over the radius."""
    fig, (left, right) = figure(1, 2, width=10, height=3.9)
    p = torch.linspace(0.5, 0.9999, 300).double()
    for (name, values), colour, place in zip(radii.items(), ("bound", "data", "muted"), (-2, -2, -2), strict=True):
        label(left.plot(p, values, color=COLOUR[colour])[0], name, at=place, offset=(8, 0))
    left.set(
        xlabel="bound $\\underline{p}$ of $p_A$", ylabel=y_label, xlim=(0.5, 1.22), xticks=(0.5, 0.6, 0.7, 0.8, 0.9, 1)
    )
    left.set_title("Three theorems, the same votes")
    r = torch.linspace(0, 3, 301).double()
    for (k, radius), colour in zip(top.items(), (COLOUR["bound"], COLOUR["second"], COLOUR["third"]), strict=True):
        share = (radius[:, None] >= r.clamp(min=1e-9)).double().mean(0)
        right.plot(r, share, color=colour, label=f"top {k}", drawstyle=STEPS)
    right.set(xlabel="$\\ell_2$ radius $r$", ylabel="certified top-k accuracy", ylim=(-0.02, 1.03))
    right.set_title("Among the first $k$, σ = 1")
    right.legend(loc="upper right")
    return fig
