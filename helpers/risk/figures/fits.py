"""Figures of Lecture 1: polynomials through noisy points, and what cures them."""

import math

import torch
from torch import Tensor

from helpers import risk
from helpers.figures import COLOUR, Picture, figure, label


def overfitting(x: Tensor, y: Tensor, seen: Tensor, new: Tensor) -> Picture:
    """Three fits to one sample x, y (m,); risks (degree, sample) on the samples themselves and on new points."""
    fig, (left, right) = figure(1, 2, width=11, height=4.2)
    grid = torch.linspace(-1, 1, 400, dtype=x.dtype)
    left.plot(grid, torch.sin(math.pi * grid), "--", color=COLOUR["truth"], label="truth")
    for degree, name in ((1, "muted"), (3, "model"), (12, "attack")):
        w = torch.linalg.lstsq(risk.legendre(x, degree), y[:, None]).solution
        left.plot(grid, (risk.legendre(grid, degree) @ w)[:, 0], color=COLOUR[name], label=f"degree {degree}")
    left.plot(x, y, "o", color=COLOUR["data"])
    left.set(ylim=(-2.8, 2.1), xlabel="$x$", ylabel="$y$", title="One sample of 20 points, three families")
    left.legend(ncols=2, loc="lower right")
    degrees = range(len(seen))
    for risks, name, text in ((seen, "model", "on the sample"), (new, "attack", "on new points")):
        low, middle, high = risks.quantile(torch.tensor([0.25, 0.5, 0.75], dtype=risks.dtype), dim=1)
        right.fill_between(degrees, low, high, color=COLOUR[name], alpha=0.15, linewidth=0)
        line = right.semilogy(degrees, middle, "o", color=COLOUR[name])[0]
        label(line, text, at=5, offset=(-4, 30 if risks is new else -28), ha="center")
    right.set_ylim(bottom=4e-3)
    right.axhline(0.09, linestyle="--", color=COLOUR["truth"])
    right.annotate("noise", (12, 0.09), (0, 9), textcoords="offset points", color=COLOUR["truth"], ha="right")
    right.set(xlabel="degree", ylabel="mean squared error", title="Risk: median and quartiles of 200 samples")
    return fig


def cures(penalty: tuple[Tensor, Tensor], stopping: tuple[Tensor, Tensor], reached: dict[str, Tensor]) -> Picture:
    """Risk on new points over the penalty and over the steps, (values, risks (n, sample)); what each cure reaches."""
    fig, (left, middle, right) = figure(1, 3, width=12, height=4.2, width_ratios=(1, 1, 1.1))
    quartiles = torch.tensor([0.25, 0.5, 0.75], dtype=penalty[1].dtype)
    for axes, (values, risks), text in ((left, penalty, "penalty $\\tau$"), (middle, stopping, "steps")):
        low, half, high = risks.quantile(quartiles, dim=1)
        axes.fill_between(values, low, high, color=COLOUR["attack"], alpha=0.15, linewidth=0)
        axes.loglog(values, half, color=COLOUR["attack"])
        axes.axhline(0.09, linestyle="--", color=COLOUR["truth"])
        axes.set(xlabel=text, ylim=(0.07, 30))
    left.set(ylabel="risk on new points", title="Degree 12, penalised")
    middle.set(title="Degree 12, stopped early", yticklabels=())
    for place, (name, risks) in enumerate(reversed(reached.items())):
        low, half, high = risks.quantile(quartiles).tolist()
        right.plot((low, high), (place, place), color=COLOUR["attack"], linewidth=5, alpha=0.3)
        right.plot(half, place, "o", color=COLOUR["attack"], markersize=9)
        beside = {"xytext": (0, 14), "ha": "center"} if half > 1 else {"xytext": (12, 0), "va": "center"}
        right.annotate(f"{name}: {half:.2g}", (half, place), textcoords="offset points", **beside)
    right.axvline(0.09, linestyle="--", color=COLOUR["truth"])
    right.set(xscale="log", xlim=(0.03, 3e4), ylim=(-0.5, len(reached) - 0.3), yticks=(), xlabel="risk on new points")
    right.set_title("Chosen on validation data")
    return fig
