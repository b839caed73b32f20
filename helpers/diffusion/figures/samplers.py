"""Figures of Lecture 6, session B: samplers, their distance from the truth, its causes, their orders; guidance."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from helpers.figures import COLOUR, Picture, figure, label

METHODS = {  # name -> colour, marker
    "DDPM": ("attack", "s"),
    "SDE": ("second", "v"),
    "DDIM": ("model", "o"),
    "Euler in t": ("third", "^"),
    "Heun": ("bound", "D"),
}


def clouds(shown: Mapping[str, Tensor], *, reach: float) -> Picture:
    """Points in the plane (N, 2), a panel for each name."""
    fig, panels = figure(1, len(shown), width=4 * len(shown), height=4.1, squeeze=False)
    for panel, (name, x) in zip(panels[0], shown.items(), strict=True):
        panel.plot(*x.T, ".", color=COLOUR["truth" if name == "truth" else "model"], markersize=3, alpha=0.6)
        panel.set(title=name, aspect="equal", xlim=(-reach, reach), ylim=(-reach, reach))
    return fig


def contest(evaluations: Mapping[str, Sequence[int]], apart: Mapping[str, Tensor], floor: Tensor) -> Picture:
    """W2 to the truth (method -> (runs, S)) over the evaluations, mean and range of the runs; the floor's as a band."""
    fig, axes = figure(width=9, height=4.6)
    for name, values in apart.items():
        colour, marker = METHODS[name]
        middle = values.mean(0)
        error = torch.stack([middle - values.amin(0), values.amax(0) - middle])
        axes.errorbar(evaluations[name], middle, error, fmt=marker, color=COLOUR[colour], markersize=7, label=name)
    axes.axhspan(float(floor.min()), float(floor.max()), color=COLOUR["truth"], alpha=0.3, linewidth=0)
    axes.annotate("truth against truth", (0.02, float(floor.min())), xycoords=("axes fraction", "data"),
                  color=COLOUR["truth"], xytext=(0, -4), textcoords="offset points", va="top")  # fmt: skip
    axes.set(xscale="log", yscale="log", xlabel="evaluations of the denoiser", ylabel="$W_2$ to the truth")
    axes.legend(loc="upper right")
    axes.set_title("Distance from the truth, the denoiser being exact")
    return fig


def orders(
    evaluations: Mapping[str, Sequence[int]], error: Mapping[str, Sequence[float]], slope: Mapping[str, float]
) -> Picture:
    """Error of paths over the steps, log-log, with the fitted order written beside each method."""
    fig, axes = figure(width=9, height=4.2)
    for name, values in error.items():
        colour, marker = METHODS[name]
        line = axes.loglog(evaluations[name], values, marker, color=COLOUR[colour], markersize=7)[0]
        label(line, f"{name}: order {slope[name]:.2f}", offset=(10, 0))
    longest = max(max(steps) for steps in evaluations.values())
    axes.set(xlabel="steps", ylabel="root mean square error of $x_0$", xlim=(None, 4 * longest))
    axes.set_title("Error along single paths")
    return fig


def errors(sources: Mapping[str, Sequence[float]], at: Sequence[str], floor: tuple[float, float]) -> Picture:
    """W2 for each source of error switched on alone, a group of bars for each setting; the floor as a band."""
    fig, axes = figure(width=10, height=4.0)
    width = 0.8 / len(sources)
    for k, ((name, values), colour) in enumerate(
        zip(sources.items(), ("muted", "model", "attack", "bound", "second"), strict=False)
    ):
        places = np.arange(len(at)) + (k - (len(sources) - 1) / 2) * width
        axes.bar(places, values, 0.9 * width, color=COLOUR[colour], label=name)
    axes.axhspan(*floor, color=COLOUR["truth"], alpha=0.4, linewidth=0)
    axes.annotate("floor", (1.0, floor[1]), xycoords=("axes fraction", "data"), color=COLOUR["truth"], xytext=(6, 0),
                  textcoords="offset points", va="center", annotation_clip=False)  # fmt: skip
    axes.set(xticks=range(len(at)), xticklabels=at, yscale="log", ylabel="$W_2$ to the truth")
    axes.legend(ncols=len(sources), loc="upper right")
    axes.set_title("Three errors, switched on one at a time")
    return fig


def guided_law(
    x: Tensor, plain: Tensor, tilted: Tensor, guided: Tensor, gammas: Tensor, means: Mapping[str, Tensor]
) -> Picture:
    """The class, the tilted law and the guided one (densities on x); their means over gamma."""
    fig, (left, right) = figure(1, 2, width=12, height=4.2)
    for density, name, colour, at in (
        (plain, "class", "muted", -0.1),
        (tilted, "tilted", "truth", 0.3),
        (guided, "guided", "attack", 1.85),
    ):
        line = left.plot(x, density, color=COLOUR[colour])[0]
        place = int((x - at).abs().argmin())
        label(line, name, at=place, offset=(-8, 8) if at < 1 else (10, 6), ha="right" if at < 1 else "left")
    left.fill_between(x, guided, color=COLOUR["attack"], alpha=0.15, linewidth=0)
    left.set(xlabel="$x_0$", yticks=(), ylabel="density", title=r"Asked for the class at $+1$, with $\gamma=3$")
    for name, colour in (("tilted", "truth"), ("guided", "attack")):
        line = right.plot(gammas, means[name], color=COLOUR[colour])[0]
        label(line, name, at=int(0.8 * len(gammas)), offset=(0, 12 if name == "guided" else -12), ha="center")
    right.set(xlabel=r"guidance $\gamma$", ylabel="mean of the samples", title="Guidance goes further than it says")
    return fig
