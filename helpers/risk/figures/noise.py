"""Figures of Lecture 1: the noise of stochastic gradients, and what the steps make of it."""

import numpy as np
import torch
from torch import Tensor

from helpers import risk
from helpers.figures import COLOUR, FAMILY, Picture, figure, label
from helpers.risk import noise

LEVELS = {"colors": "#BBBBBB", "linewidths": 1}


def gradient_variance(gradients: Tensor, sizes: list[int], measured: dict[bool, list[Tensor]]) -> Picture:
    """Variance of the mean of k of the gradients (m, d) over k: measured at some sizes (dots) and exact (lines)."""
    every = range(1, len(gradients))
    fig, axes = figure(width=9, height=3.6)
    for replacement, name, text in (
        (True, "model", "with replacement: $S/k$"),
        (False, "attack", "without: times $(m-k)/(m-1)$"),
    ):
        exact = [noise.minibatch_variance(gradients, k, replacement=replacement) for k in every]
        axes.loglog(every, exact, color=COLOUR[name], label=text)
        axes.loglog(sizes, measured[replacement], "o", color=COLOUR[name])
    axes.set(xlabel="batch size $k$ of $m=400$", ylabel="mean squared error of the gradient")
    axes.set_title("Noise of a mini-batch: 4,000 batches (dots), formula (lines)")
    axes.legend(loc="lower left")
    return fig


def descent_paths(x: Tensor, y: Tensor, runs: dict[str, tuple[Tensor, Tensor]], patience: int, drop: float) -> Picture:
    """Paths (steps + 1, 3) in the plane (w_1, w_2) over the risk's level lines; running estimates (steps,), with a disc
    where the stopping rule (patience, drop) stops."""
    fig, (left, right) = figure(1, 2, width=11, height=4.4)
    bias = next(iter(runs.values()))[0][-1, 0]
    a, b = np.meshgrid(np.linspace(-0.5, 3.2, 90), np.linspace(-1.4, 2.2, 90))
    w = torch.stack([torch.full((8100,), bias.item()), torch.tensor(a.ravel()), torch.tensor(b.ravel())]).to(x.dtype)
    risks = risk.logistic_loss(y[:, None] * (x @ w)).mean(0).reshape(90, 90)
    left.contour(a, b, risks, levels=risks.min().item() + np.array([0.002, 0.01, 0.03, 0.07, 0.15, 0.3]), **LEVELS)
    for (name, (path, estimate)), colour in zip(reversed(runs.items()), ("second", "model", "data"), strict=True):
        left.plot(*path[:, 1:].T, color=COLOUR[colour], linewidth=1.4, label=f"batch {name}")
        right.plot(estimate, color=COLOUR[colour], linewidth=1.4)
        stop = min(noise.stopping_time(estimate, patience=patience, drop=drop), len(estimate) - 1)
        right.plot(stop, estimate[stop], "o", color=COLOUR[colour], markersize=11, markeredgecolor=COLOUR["data"])
    left.set(xlabel="$w_1$", ylabel="$w_2$", title="Paths over the level lines of the risk")
    left.legend(loc="lower right")
    right.set(xlabel="step", ylabel="running estimate $Q$ (nats)", title="What SGD believes; discs: the rule stops")
    return fig


def robbins_monro(curves: dict[float, tuple[Tensor, Tensor]], limit: Tensor, slopes: dict[float, Tensor]) -> Picture:
    """Mean square error over the steps for step sizes t^-power (lines exact, dots measured), and for c/t.

    limit is what t^-1.2 never gets below.
    """
    fig, (left, right) = figure(1, 2, width=12, height=4.4)
    texts = {0.0: "constant", 0.5: "$t^{-1/2}$", 1.0: "$2/t$", 1.2: "$t^{-1.2}$"}
    for (power, (exact, measured)), colour in zip(curves.items(), FAMILY, strict=False):
        t = np.arange(1, len(exact))
        line = left.loglog(t, exact[1:], color=colour)[0]
        left.loglog([2**k for k in range(14)], measured[1:], "o", color=colour, markersize=4.5)
        label(line, texts[power], at=len(t) - 1)
    left.axhline(limit.item(), linestyle=":", color=FAMILY[3])
    left.annotate("limit of $t^{-1.2}$", (1.3, limit.item()), (0, -15), textcoords="offset points", color=FAMILY[3])
    left.set(xlabel="step $t$", ylabel="$E\\,w_t^2$", xlim=(1, 1.2e5))
    left.set_title("Steps $t^{-p}$: 2,000 chains (dots), exact (lines)")
    t = np.arange(1, 100_001)
    for (c, slope), colour in zip(slopes.items(), FAMILY, strict=False):
        error = noise.mean_square_error(torch.tensor(c / t), curvature=1.0, variance=1.0, start=3.0)
        line = right.loglog(t, error[1:], color=colour)[0]
        label(line, f"$c={c:g}$: slope −{-slope:.2f}", at=99_999, offset=(6, 10 if c == 2 else -6))
    right.set(
        xlabel="step $t$",
        xlim=(1, 2e7),
        ylim=(2e-6, None),
        title="Steps $c/t$, $\\lambda=1$: slope −1 needs $2c\\lambda>1$",
    )
    return fig


def inverse_time(distance: Tensor, bound: Tensor, start: int) -> Picture:
    """E |w_t - w*|^2 (steps,) of SGD on a logistic risk, and the theorem's bound from the step `start` on."""
    fig, axes = figure(width=9, height=3.6)
    t = np.arange(1, len(distance) + 1)
    label(axes.loglog(t, distance, color=COLOUR["model"])[0], "measured", at=len(t) - 1)
    label(axes.loglog(t[start:], bound[start:], "--", color=COLOUR["bound"])[0], "$C/t$", at=-1)
    axes.set(xlabel="step $t$", ylabel="$E\\,\\|w_t-w^*\\|^2$", xlim=(1, 3 * len(t)))
    axes.set_title("Three weights, one object a step: $1/t$ again, below the bound")
    return fig
