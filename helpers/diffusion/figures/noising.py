"""Figures of Lecture 6, session A: the way into noise, one step back, the bound and its weights."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from helpers.diffusion.schedules import Schedule, signal_to_noise
from helpers.figures import COLOUR, FAMILY, Picture, figure, label


def schedules(shown: Mapping[str, Schedule]) -> Picture:
    """alpha-bar and the signal-to-noise ratio over t / T for each schedule."""
    fig, (left, right) = figure(1, 2, width=12, height=4.2)
    places = {0: (0.28, -12, 4), 1: (0.6, 8, 8)}  # t / T at which the name stands, its offset
    for k, ((name, s), colour) in enumerate(zip(shown.items(), FAMILY, strict=False)):
        t = torch.arange(1, s.T + 1) / s.T
        line = left.plot(t, s.alpha_bar, color=colour)[0]
        share, *offset = places.get(k, (0.85, -6, 12))
        label(line, name, at=int(share * s.T), offset=tuple(offset), ha="right" if k == 0 else "center")
        right.semilogy(t, signal_to_noise(s.alpha_bar), color=colour)
        right.plot(1, signal_to_noise(s.alpha_bar)[-1], "o", color=colour, clip_on=False)
    left.set(xlabel="t / T", ylabel=r"share of the data's variance, $\bar\alpha_t$", ylim=(-0.02, 1.05))
    left.set_title("What is left of the data")
    right.axhline(1, color=COLOUR["muted"], linestyle="--")
    right.set(xlabel="t / T", ylabel="signal-to-noise ratio", ylim=(1e-9, 3e4))
    right.set_title("Signal over noise (dashed: as much of both)")
    return fig


def one_step_back(x: Tensor, laws: Mapping[str, Tensor], gaussians: Mapping[str, Tensor]) -> Picture:
    """The law of x_s given x_t for a few s (densities on the grid x), and the Gaussian of its mean and variance."""
    fig, panels = figure(1, len(laws), width=12, height=3.6)
    for panel, (name, density) in zip(panels, laws.items(), strict=True):
        panel.fill_between(x, density, color=COLOUR["truth"], alpha=0.35, linewidth=0)
        panel.plot(x, density, color=COLOUR["truth"])
        panel.plot(x, gaussians[name], "--", color=COLOUR["attack"])
        seen = x[(density > 1e-3 * density.max()) | (gaussians[name] > 1e-3 * gaussians[name].max())]
        panel.set(title=name, xlabel="$x_s$", yticks=(), xlim=(float(seen[0]), float(seen[-1])))
    panels[0].set_ylabel("density given $x_t$")
    fig.suptitle("Where $x_t$ came from (green), and a Gaussian (dashed)")
    return fig


def bound(gaps: Mapping[str, tuple[Sequence[int], Sequence[float]]], costs: Mapping[str, Tensor]) -> Picture:
    """How far the bound lies below the truth for some T (points); what each t costs, for each schedule."""
    fig, (left, right) = figure(1, 2, width=12, height=4.2)
    for (name, (T, gap)), colour, marker in zip(gaps.items(), FAMILY, "os^", strict=False):
        left.loglog(T, gap, marker, color=colour, markersize=8, label=name)
    least = min(gap[-1] for _, gap in gaps.values())
    longest = max(T[-1] for T, _ in gaps.values())
    guide = torch.tensor([longest / 30, longest])
    line = left.loglog(guide, 0.6 * least * longest / guide, "--", color=COLOUR["muted"])[0]
    label(line, "1 / T", at=0, offset=(-6, 0))
    left.set(xlabel="layers T", ylabel="truth minus bound (nats)", title="More layers, less gap")
    left.legend()
    for (name, cost), colour in zip(costs.items(), FAMILY, strict=False):
        line = right.plot(torch.arange(len(cost)) / len(cost), cost.cumsum(0) / cost.sum(), color=colour)[0]
        label(line, name, at=len(cost) // 3, offset=(8, -10))
    right.set(xlabel="t / T", ylabel="share of the cost up to t", ylim=(0, 1.03))
    right.set_title("Where the denoising cost is paid")
    return fig


def weights(t: Tensor, of: Mapping[str, Tensor], floors: Mapping[str, Tensor]) -> Picture:
    """The weight of each prediction's squared error in the bound over t, and the least errors that exist."""
    fig, (left, right) = figure(1, 2, width=12, height=4.2)
    for name, colour, at, offset in (
        ("picture $x_0$", "model", 0.06, (8, 8)),
        ("noise $\\xi$", "attack", 0.5, (0, 12)),
        ("score $s$", "truth", 0.5, (0, -14)),
    ):
        place = {"at": int(at * len(t)), "offset": offset, "ha": "left" if at < 0.2 else "center"}
        label(left.semilogy(t, of[name], color=COLOUR[colour])[0], name, **place)
        if name in floors:
            place = {"at": int(0.62 * len(t)), "offset": (0, 12 if colour == "model" else -16), "ha": "center"}
            label(right.plot(t, floors[name], color=COLOUR[colour])[0], name, **place)
    left.set(xlabel="t", ylabel="weight in the bound", title="One bound, three weights")
    right.set(xlabel="t", ylabel="mean squared error, per dimension")
    right.set_title("The least error of a perfect network")
    return fig
