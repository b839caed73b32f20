"""Figures of Lecture 5: diagnostics, calibration, posteriors of networks."""

from collections.abc import Mapping

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from helpers.figures import COLOUR, FAMILY, Picture, figure
from helpers.mcmc import diagnostics as judge


def diagnostics(runs: Mapping[str, Tensor]) -> Picture:
    """Traces of the chains (4, n, 1) of each run, and their autocorrelation."""
    fig, axes = figure(2, len(runs), width=13, height=4.4, height_ratios=(1.4, 1), sharey="row")
    for (name, x), (top, bottom) in zip(runs.items(), axes.T, strict=True):
        for trace, colour in zip(x[..., 0], FAMILY, strict=False):
            top.plot(trace[::2].clamp(-9, 9), color=colour, linewidth=0.6)
        top.set_title(name, fontsize=12)
        top.set_xticks(())
        bottom.plot(judge.autocorrelation(x, 100)[:, 0], color=COLOUR["data"])
        bottom.set(xlabel="lag", ylim=(-0.2, 1.05))
    axes[0, 0].set_ylabel("trace")
    axes[1, 0].set_ylabel("autocorrelation")
    fig.suptitle("Five runs of four chains: which of them can be trusted?")
    return fig


def calibration(ranks: Mapping[str, Tensor]) -> Picture:
    """Histograms of the ranks of the true parameter among 19 posterior draws, and what chance allows."""
    fig, axes = figure(1, len(ranks), width=10, height=3.0, sharey=True)
    for panel, (name, values), colour in zip(axes, ranks.items(), ("model", "attack"), strict=True):
        expected = len(values) / 20
        panel.axhspan(
            *stats.binom(len(values), 1 / 20).ppf((0.005, 0.995)), color=COLOUR["truth"], alpha=0.2, linewidth=0
        )
        panel.axhline(expected, color=COLOUR["truth"])
        panel.bar(np.arange(20), torch.bincount(values, minlength=20), color=COLOUR[colour], alpha=0.75)
        panel.set(xlabel="rank of the true parameter", xticks=range(0, 20, 3), title=f"MALA, {name}")
    axes[0].set_ylabel("runs")
    return fig


def spreads(centres: Mapping[str, Tensor], widths: Mapping[str, Tensor], mean: Tensor, sd: Tensor) -> Picture:
    """Posterior means (in reference sd) and standard deviations of every method over those of the reference."""
    fig, (left, right) = figure(1, 2, width=11, height=4.0)
    names = list(widths)
    for k, (name, colour) in enumerate(zip(names, ("model", "second", "bound", "attack"), strict=True)):
        place = k + np.linspace(-0.28, 0.28, len(mean))
        left.plot(place, (centres[name] - mean) / sd, ".", color=COLOUR[colour])
        right.plot(place, widths[name] / sd, ".", color=COLOUR[colour])
    for axes, level, title in (
        (left, 0, "Means: distance from the reference, in sd"),
        (right, 1, "Standard deviation / reference"),
    ):
        axes.axhline(level, linestyle="--", color=COLOUR["truth"])
        axes.set_xticks(range(len(names)), [name.replace(" by ", "\nby ") for name in names])
        axes.set_title(title)
    right.set_ylim(0, None)
    return fig


def reliability(results: Mapping[str, tuple[Tensor, ...]]) -> Picture:
    """Accuracy over confidence in each bin, area of the dots by share; the expected calibration error in the title."""
    fig, axes = figure(1, len(results), width=12, height=3.4, sharey=True)
    for panel, (name, (share, confidence, right, error)) in zip(axes, results.items(), strict=True):
        panel.plot([0, 1], [0, 1], "--", color=COLOUR["truth"])
        seen = share > 0
        panel.plot(confidence[seen], right[seen], color=COLOUR["model"], linewidth=1)
        panel.scatter(confidence[seen], right[seen], s=10 + 500 * share[seen], color=COLOUR["model"], alpha=0.6)
        panel.set(xlim=(0, 1.05), ylim=(0, 1.05), xlabel="confidence")
        panel.set_title(f"{name}: {error:.3f}", fontsize=12)
    axes[0].set_ylabel("accuracy")
    fig.suptitle("Calibration error; above the line too modest, below it too sure")
    return fig


def prior_maps(maps: Mapping[str, Tensor], x: Tensor, y: Tensor) -> Picture:
    """Posterior probability of class 1 over the plane, per prior (41, 33), and the data."""
    fig, axes = figure(1, len(maps), width=12, height=3.4, sharey=True)
    for panel, (name, p) in zip(axes, maps.items(), strict=True):
        shades = panel.imshow(
            p.T, extent=(-2.5, 2.5, -2, 2), origin="lower", cmap="RdBu", vmin=0, vmax=1, aspect="auto"
        )
        for k, marker in ((0, "x"), (1, "o")):
            panel.plot(*x[y == k].T, marker, color="black", markersize=4)
        panel.set(xlabel="$x_1$", title=f"{name} prior")
        panel.grid(False)
    axes[0].set_ylabel("$x_2$")
    fig.colorbar(shades, ax=axes[-1], label="P(class 1 | data)")
    return fig
