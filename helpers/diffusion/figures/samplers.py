"""Figures of Lecture 6, session B: samplers, their distance from the truth, its causes, their orders; guidance."""

from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor

from helpers.diffusion.guidance import Law
from helpers.diffusion.transport import Errors
from helpers.figures import COLOUR, Picture, figure, label

METHODS = {  # name -> colour, marker
    "DDPM, β̃": ("attack", "s"),
    "DDPM, β": ("muted", "p"),
    "SDE": ("second", "v"),
    "DDIM": ("model", "o"),
    "Euler in t": ("third", "^"),
    "Heun": ("bound", "D"),
}


def contest(evaluations: Mapping[str, Sequence[int]], apart: Mapping[str, Sequence[float]], floor: Tensor) -> Picture:
    """W2 to the truth over the evaluations for each method; the band is truth against truth, from 5 to 95 %."""
    fig, axes = figure(width=9, height=4.6)
    for name, values in apart.items():
        colour, marker = METHODS[name]
        axes.plot(evaluations[name], values, marker, color=COLOUR[colour], markersize=9, label=name)
    low, middle, high = floor.quantile(floor.new_tensor([0.05, 0.5, 0.95])).tolist()
    axes.axhspan(low, high, color=COLOUR["truth"], alpha=0.3, linewidth=0)
    axes.annotate("truth against truth", (0.02, middle), xycoords=("axes fraction", "data"), color=COLOUR["truth"],
                  va="center")  # fmt: skip
    axes.set(xscale="log", yscale="log", xlabel="evaluations of the denoiser", ylabel="$W_2$ to the truth")
    ticks = sorted({5, 10, 20, 50, 100})
    axes.set_xticks(ticks, [str(t) for t in ticks])
    axes.set_xticks([], minor=True)
    axes.legend(loc="upper right")
    axes.set_title("Six samplers with the exact denoiser")
    return fig


def orders(steps: Sequence[int], error: Mapping[str, Sequence[float]], order: Mapping[str, float]) -> Picture:
    """Error of the ends of paths over the steps, with the fitted order written beside each method."""
    fig, axes = figure(width=9, height=4.2)
    for name, values in error.items():
        colour, marker = METHODS[name]
        line = axes.loglog(steps, values, marker, color=COLOUR[colour], markersize=8)[0]
        above = {"DDIM": 10, "Euler in t": -10}.get(name, 0)
        label(line, f"{name}: order {order[name]:.2f}", offset=(10, above))
    axes.set(xlabel="steps", ylabel="error of $x_0$ (root mean square)", xlim=(0.9 * steps[0], 5 * steps[-1]))
    axes.set_xticks(steps, [str(s) for s in steps])
    axes.set_xticks([], minor=True)
    axes.set_title("Where paths end, against the exact flow")
    return fig


def errors(parts: Mapping[str, Errors]) -> Picture:
    """The three errors of each case, from stage to stage, and the total."""
    fig, axes = figure(width=10, height=4.0)
    kinds = (("prior", "bound"), ("score", "attack"), ("discretisation", "model"), ("total", "muted"))
    for k, (kind, colour) in enumerate(kinds):
        values = [getattr(errors, kind) for errors in parts.values()]
        axes.bar(np.arange(len(parts)) + 0.2 * (k - 1.5), values, 0.18, color=COLOUR[colour], label=kind)
    axes.set(xticks=range(len(parts)), xticklabels=list(parts), yscale="log", ylim=(1e-4, 0.6))
    axes.set(ylabel="$W_2$ from stage to stage")
    axes.legend(ncols=4, loc="upper left")
    axes.set_title("Which error is to blame?")
    return fig


def guided_law(tilted: Mapping[float, Law], guided: Mapping[float, Law], *, at: float) -> Picture:
    """The class, the tilted law and the guided one as histograms of their quantiles; their means over gamma."""
    fig, (left, right) = figure(1, 2, width=12, height=4.2)
    shown = (
        (tilted[1.0], "class", "muted", 0.15),
        (tilted[at], "tilted", "truth", 0.6),
        (guided[at], "guided", "attack", 1.9),
    )
    for law, name, colour, place in shown:
        height, edges = np.histogram(law.points.numpy(), bins=np.linspace(-1, 3, 81), density=True)
        height = np.convolve(height, np.ones(3) / 3, "same")
        line = left.plot((edges[1:] + edges[:-1]) / 2, height, color=COLOUR[colour])[0]
        at_bin = int((place + 1) / 4 * 80)
        right_of = name == "guided"
        label(line, name, at=at_bin, offset=(10 if right_of else -10, 4), ha="left" if right_of else "right")
    left.set(xlabel="$x_0$", yticks=(), ylabel="density", ylim=(0, None))
    left.set_title(rf"Asked for the class at $+1$ with $\gamma={at:.0f}$")
    for laws, name, colour in ((tilted, "tilted", "truth"), (guided, "guided", "attack")):
        gammas, means, sds = (np.array(v) for v in zip(*((g, w.mean, w.sd) for g, w in laws.items()), strict=True))
        line = right.plot(gammas, means, color=COLOUR[colour])[0]
        right.fill_between(gammas, means - sds, means + sds, color=COLOUR[colour], alpha=0.2, linewidth=0)
        label(line, name, at=-1)
    right.set(xlabel=r"guidance $\gamma$", ylabel="mean, and one standard deviation", xlim=(0, 6))
    right.set_title("Guidance goes further than it says")
    return fig
