"""The still figures of Lecture 9 that show networks: votes, curves of certified accuracy, attacks, certificates."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from torch import Tensor

from helpers import smoothing
from helpers.figures import COLOUR, Picture, figure, from_any_device, label, pictures
from helpers.smoothing.figures.theory import FAMILY
from helpers.smoothing.noise_training import noisy_copies
from helpers.smoothing.smooth import Smooth


def votes_bar(axes: Axes, votes: Tensor, names: Sequence[str], lower: float, leader: int) -> None:
    """Shares of the votes (K,) as bars, with the bound of the leader's probability and the line of one half."""
    n = int(votes.sum())
    colours = [COLOUR["model" if k == leader else "muted"] for k in range(len(votes))]
    axes.bar(range(len(votes)), (votes.double().cpu() / n).tolist(), color=colours)
    axes.plot((leader - 0.45, leader + 0.45), (lower, lower), color=COLOUR["bound"], linewidth=3)
    axes.axhline(0.5, color=COLOUR["data"], linewidth=1)
    axes.set_xticks(range(len(votes)), list(names))
    axes.set(ylim=(0, 1.03), ylabel="share of the votes")
    axes.set_title(f"{int(votes.max()):,} of {n:,}: $p_A$ ≥ {lower:.3f}")
    axes.grid(False, axis="x")


def votes(x: Tensor, copies: Tensor, classes: Tensor, counts: Tensor, certificate: smoothing.Certificate) -> Picture:
    """One image (1, 1, H, W), noisy copies of it and what f says of them, the votes (1, 10), the certificate."""
    fig, (left, right) = figure(1, 2, width=11.5, height=3.7, width_ratios=(1.35, 1))
    leader, radius = int(counts[0].argmax()), float(certificate.radius)
    sheet = torch.cat([x, copies]).cpu()
    pictures(left, sheet, ["clean", *(str(int(k)) for k in classes)], columns=5)
    text = f"certified: {leader}, radius {radius:.2f}" if int(certificate.prediction) >= 0 else "it abstains"
    left.set_title(f"Noisy copies, and what $f$ says; {text}", pad=20)
    votes_bar(right, counts[0], "0123456789", float(certificate.lower), leader)
    return fig


def opening(g: Smooth, x: Tensor, certificate: smoothing.Certificate, counts: Tensor, seed: int) -> Picture:
    """`votes` of a smoothed classifier, with nine fresh copies for show."""
    generator = torch.Generator(x.device).manual_seed(seed)
    copies = noisy_copies(x, g.sigma, 9, generator)[:, 0]
    with torch.no_grad():
        classes = g.model(copies).argmax(1)
    return votes(x, copies, classes, counts, certificate)


@from_any_device
def two_sides(radii: Tensor, certified: Tensor, eps: Sequence[float], left: Sequence[float], ceiling: float) -> Picture:
    """Certified accuracy over the radius, and the accuracy that an attack leaves: the truth is in between."""
    fig, axes = figure(width=9, height=3.7)
    attacked = torch.tensor([float(certified[0]), *left])
    places = torch.tensor([0.0, *eps])
    axes.plot(places, attacked, "o-", color=COLOUR["attack"])
    axes.plot(radii, certified, color=COLOUR["bound"])
    above = np.interp(radii, places, attacked)
    axes.fill_between(radii, certified, above, color=COLOUR["truth"], alpha=0.15, linewidth=0)
    axes.axvline(ceiling, color=COLOUR["bound"], linestyle=":", linewidth=1.5)
    axes.annotate("ceiling", (ceiling, 0.04), (4, 0), textcoords="offset points", color=COLOUR["bound"])
    axes.annotate("left by the attack", (1.7, 0.78), color=COLOUR["attack"])
    axes.annotate("certified", (0.3, 0.72), color=COLOUR["bound"])
    axes.annotate("the truth", (1.45, 0.45), color=COLOUR["truth"], fontsize=14)
    axes.set(xlabel="$\\ell_2$ radius", ylabel="accuracy", ylim=(-0.02, 1.1), xlim=(0, None))
    axes.set_title("Attacks bound the truth from above, certificates from below")
    return fig


@from_any_device
def waterfalls(radii: Tensor, curves: Mapping[float, Tensor], ceilings: Mapping[float, float]) -> Picture:
    """Certified accuracy over the radius for several noises, each with its ceiling as a dotted line."""
    fig, axes = figure(width=10, height=4.2)
    for (sigma, curve), colour in zip(curves.items(), FAMILY, strict=False):
        axes.plot(radii, curve, color=colour, label=f"σ = {sigma:g}")
        axes.axvline(ceilings[sigma], color=colour, linestyle=":", linewidth=1.5)
    axes.set(xlabel="$\\ell_2$ radius $r$ (dotted: the ceiling)", ylabel="certified accuracy", ylim=(-0.02, 1.03))
    axes.set_xlim(0, float(radii[-1]))
    axes.set_title("Waterfalls: little noise for short radii, much noise for long ones")
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return fig


@from_any_device
def methods(radii: Tensor, curves: Mapping[str, Tensor], ceiling: float) -> Picture:
    """Certified accuracy over the radius for several ways to train, at one noise."""
    fig, axes = figure(width=9, height=3.7)
    for (name, curve), colour in zip(curves.items(), FAMILY, strict=False):
        axes.plot(radii, curve, color=colour, label=name)
    axes.axvline(ceiling, color=COLOUR["data"], linestyle=":", linewidth=1.5)
    axes.set(xlabel="$\\ell_2$ radius $r$", ylabel="certified accuracy", ylim=(-0.02, 1.03), xlim=(0, ceiling * 1.1))
    axes.set_title("Three ways to train for the same noise, σ = 0.5")
    axes.legend(loc="lower left")
    return fig


@from_any_device
def ablations(
    sigmas: Sequence[float], cross: Tensor, by_n: Mapping[int, Tensor], by_alpha: Mapping[float, Tensor]
) -> Picture:
    """Mean radius per training and test noise; curves over n and over alpha from radii (N,), 0 where wrong."""
    fig, (left, middle, right) = figure(1, 3, width=12.5, height=3.9, width_ratios=(1, 1.1, 1.1))
    left.imshow(cross / cross.amax(0), cmap="Blues", vmin=0, vmax=1.25)
    for i in range(len(sigmas)):
        for j in range(len(sigmas)):
            value = cross[i, j].item()
            dark = value / cross[:, j].max().item() > 0.75
            left.text(j, i, f"{value:.2f}", ha="center", va="center", color="white" if dark else "black")
    left.set_xticks(range(len(sigmas)), [f"{s:g}" for s in sigmas])
    left.set_yticks(range(len(sigmas)), [f"{s:g}" for s in sigmas])
    left.set(xlabel="σ of the vote", ylabel="σ in training", title="Mean radius")
    left.grid(False)
    for axes, family, name, title in (
        (middle, by_n, "n", "More votes: a higher ceiling"),
        (right, by_alpha, "α", "More certainty: hardly a loss"),
    ):
        for (key, radius), colour in zip(family.items(), FAMILY, strict=False):
            r = torch.linspace(0, 1.8, 181).double()
            text = f"{name} = {key:,}" if name == "n" else f"{name} = {key:f}".rstrip("0")
            axes.plot(r, (radius[:, None] >= r.clamp(min=1e-9)).double().mean(0), color=colour, label=text)
        axes.set(xlabel="radius $r$", ylim=(-0.02, 1.03), xticks=(0, 0.5, 1, 1.5), title=title)
        axes.legend(loc="lower left")
    middle.set_ylabel("certified accuracy")
    return fig


def beyond(share: Mapping[float, float], count: int, allowed: int) -> Picture:
    """The share of significant flips over the radius of the attack in units of the certified one."""
    fig, axes = figure(width=9, height=3.5)
    axes.axvspan(0, 1, color=COLOUR["truth"], alpha=0.12, linewidth=0)
    axes.plot(list(share), list(share.values()), "o-", color=COLOUR["attack"])
    axes.plot((0, 1), (allowed / count,) * 2, "--", color=COLOUR["bound"])
    axes.annotate(
        f"allowed: {allowed} of {count}",
        (0.04, allowed / count),
        (0, 6),
        textcoords="offset points",
        color=COLOUR["bound"],
    )
    axes.annotate("certified", (0.04, 0.9), color=COLOUR["truth"])
    axes.set(
        xlabel="length of the attack / certified radius", ylabel="significant flips", ylim=(-0.03, 1.03), xlim=(0, None)
    )
    axes.set_title("No flip inside the certificates, more and more beyond")
    return fig


@from_any_device
def same_votes(radii: Mapping[str, Tensor], top: Mapping[int, Tensor], y_label: str = "radius / σ") -> Picture:
    """Three certificates over p_A; and top-k curves over the radius."""
    fig, (left, right) = figure(1, 2, width=11, height=3.9)
    p = torch.linspace(0.5, 0.9999, 300).double()
    for (name, values), colour, place in zip(radii.items(), ("bound", "model", "attack"), (-2, -2, -2), strict=True):
        label(left.plot(p, values, color=COLOUR[colour])[0], name, at=place, offset=(8, 0))
    left.set(
        xlabel="bound $\\underline{p}$ of $p_A$", ylabel=y_label, xlim=(0.5, 1.22), xticks=(0.5, 0.6, 0.7, 0.8, 0.9, 1)
    )
    left.set_title("Three theorems, the same votes")
    r = torch.linspace(0, 3, 301).double()
    for (k, radius), colour in zip(top.items(), FAMILY, strict=False):
        right.plot(r, (radius[:, None] >= r.clamp(min=1e-9)).double().mean(0), color=colour, label=f"top {k}")
    right.set(xlabel="$\\ell_2$ radius $r$", ylabel="certified top-k accuracy", ylim=(-0.02, 1.03))
    right.set_title("Among the first $k$, σ = 1")
    right.legend(loc="upper right")
    return fig
