"""Figures of Lecture 5: diagnostics, calibration, posteriors of networks."""

from collections.abc import Mapping

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from helpers.figures import COLOUR, FAMILY, Picture, figure
from helpers.mcmc import diagnostics as judge
from helpers.mcmc.figures.plane import _density
from helpers.mcmc.state import LogProb


def diagnostics(runs: Mapping[str, Tensor]) -> Picture:
    """Traces of the chains (4, n, 1) of six runs, and below each their autocorrelation."""
    fig, axes = figure(4, 3, width=12, height=6.5, height_ratios=(1.5, 1, 1.5, 1), sharey="row")
    for k, (name, x) in enumerate(runs.items()):
        top, bottom = axes[2 * (k // 3), k % 3], axes[2 * (k // 3) + 1, k % 3]
        steps = np.arange(0, x.shape[1], 2)
        for trace, colour in zip(x[..., 0], FAMILY, strict=False):
            top.plot(steps, trace[::2].clamp(-9, 9), color=colour, linewidth=0.6)
        cut = " (cut at ±9)" if x.abs().max() > 20 else ""
        top.set(title=name + cut, ylim=(-9.5, 9.5), xticks=(0, 500, 1000))
        bottom.plot(judge.autocorrelation(x, 100)[:, 0], color=COLOUR["data"])
        bottom.set_ylim(-0.2, 1.05)
        for panel, words, height in ((top, "step", 0.07), (bottom, "lag", 0.72)):  # inside: six runs on one screen
            box = {"facecolor": "white", "edgecolor": "none", "pad": 0.5, "alpha": 0.8}
            panel.annotate(words, (0.99, height), xycoords="axes fraction", ha="right", bbox=box)
    for row, words in enumerate(("$x$", "autocorr.") * 2):
        axes[row, 0].set_ylabel(words)
    fig.suptitle("Six runs of four chains: which of them can be trusted?")
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
        panel.set(
            xlabel="rank of the true parameter",
            xticks=range(0, 20, 3),
            title=f"MALA, {name}" + (": too wide" if name == "flawed" else ""),
        )
    axes[0].set_ylabel("runs")
    axes[0].annotate("99 % band", (0, expected), (0, 20), textcoords="offset points", color=COLOUR["truth"])
    return fig


def spreads(centres: Mapping[str, Tensor], widths: Mapping[str, Tensor], mean: Tensor, sd: Tensor) -> Picture:
    """Posterior means (in reference sd) and standard deviations of every method over those of the reference."""
    fig, (left, right) = figure(1, 2, width=11, height=4.0)
    names = list(widths)
    for k, (name, colour) in enumerate(zip(names, ("model", "second", "bound", "attack"), strict=True)):
        place = k + np.linspace(-0.28, 0.28, len(mean))
        left.plot(place, (centres[name] - mean) / sd, ".", color=COLOUR[colour])
        right.plot(place, widths[name] / sd, ".", color=COLOUR[colour], clip_on=False)
    for axes, level, title in (
        (left, 0, "Means: distance from the reference, in sd"),
        (right, 1, "Standard deviation / reference"),
    ):
        axes.axhline(level, linestyle="--", color=COLOUR["truth"])
        axes.set_xticks(range(len(names)), [name.replace(" by ", "\nby ") for name in names])
        axes.set_title(title)
    right.set_ylim(-0.1, None)
    return fig


def reliability(results: Mapping[str, tuple[Tensor, ...]], n: int) -> Picture:
    """Accuracy over confidence in each bin of n predictions, with 95 % intervals (Clopper-Pearson), area of the dots by
    share; the expected calibration error in the title."""
    fig, axes = figure(2, 2, width=12, height=6.4, sharex=True, sharey=True)
    for panel, (name, (share, confidence, right, error)) in zip(axes.flat, results.items(), strict=True):
        panel.plot([0, 1], [0, 1], "--", color=COLOUR["truth"])
        seen = share > 0
        count = (n * share[seen]).round().double().numpy()
        hits = np.round(count * right[seen].numpy())
        low, high = stats.beta.ppf(0.025, hits, count - hits + 1), stats.beta.ppf(0.975, hits + 1, count - hits)
        low, high = np.where(hits == 0, 0, low), np.where(hits == count, 1, high)
        panel.vlines(confidence[seen], low, high, color=COLOUR["model"], linewidth=1.5)
        panel.scatter(confidence[seen], right[seen], s=10 + 400 * share[seen], color=COLOUR["model"], alpha=0.6)
        panel.set(xlim=(0, 1.05), ylim=(0, 1.05), title=f"{name}: error {error:.3f}")
    for panel in axes[1]:
        panel.set_xlabel("confidence")
    for panel in axes[:, 0]:
        panel.set_ylabel("accuracy")
    fig.suptitle("Above the line too modest, below it too sure (95 % intervals; area: how many digits)")
    return fig


def contest(table: Mapping[tuple[str, str], tuple[float, float, float]]) -> Picture:
    """Per (target, sampler): bulk ESS per 1,000 evaluations, and the error of E x_1^2 with two standard errors."""
    fig, (left, right) = figure(1, 2, width=12, height=4.4, sharey=True)
    places = list(dict.fromkeys(where for where, _ in table))
    colours = dict(
        zip(
            ("Gibbs", "random walk", "MALA", "ULA", "HMC"),
            FAMILY[6:7] + FAMILY[1:2] + FAMILY[4:5] + FAMILY[3:4] + FAMILY[:1],
            strict=True,
        )
    )
    for k, (name, colour) in enumerate(colours.items()):
        rows = [
            (places.index(where) + 0.15 * (k - 2), *values) for (where, who), values in table.items() if who == name
        ]
        y, worth, error, se = np.array(rows).T
        left.semilogx(worth, y, "o", color=colour, label=name)
        off = np.abs(error) > 1
        right.errorbar(error[~off], y[~off], xerr=2 * se[~off].clip(0, 1), fmt="o", color=colour, capsize=4)
        for height, far in zip(y[off], error[off], strict=True):
            right.annotate(f"{name}: {far:.0e} →", (1, height), color=colour, ha="right", va="center")
        if name == "ULA" and ("banana", "ULA") not in table:
            right.annotate("ULA ran away", (1, places.index("banana")), color=colour, ha="right", va="center")
    left.set(yticks=range(len(places)), yticklabels=places, xlabel="bulk ESS per 1,000 evaluations")
    left.invert_yaxis()
    fig.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=5)
    right.axvline(0, linestyle="--", color=COLOUR["truth"])
    right.set(
        xlabel="relative error of $E\\,x_1^2$ (± 2 se)",
        xlim=(-1.05, 1.05),
        title="Is it right?",
    )
    left.set_title("Is it quick?")
    return fig


def divergences(target: LogProb, bent: Tensor, centred: Tensor, lost: Tensor, other: Tensor, few: Tensor) -> Picture:
    """Where divergent paths begin: on the banana (k, 2); on the eight schools in (theta_1, ln tau), draws (n, 2) and
    divergences (k, 2) of the centred form, and the same of the non-centred one."""
    fig, (left, middle, right) = figure(1, 3, width=12, height=4.2)
    _density(left, target, (-6, 6, -4, 12))
    cross = dict(marker="x", linestyle="", color=COLOUR["attack"], markersize=5, markeredgewidth=1.5)
    left.plot(*bent.T, **cross)
    left.set_title("Crosses: divergent paths begin")
    for panel, x, k, name in (
        (middle, centred, lost, "Centred: the neck is not entered"),
        (right, other, few, "Non-centred: the neck is there"),
    ):
        panel.plot(*x.T, ".", color=COLOUR["model"], markersize=2, alpha=0.3)
        panel.plot(*k[:: max(1, len(k) // 120)].T, **cross)
        panel.set(xlim=(-15, 30), ylim=(-7, 4), xlabel="$\\theta_1$", title=name)
    middle.set_ylabel("$\\ln\\tau$")
    middle.annotate("draws", (16, -1), color=COLOUR["model"])
    return fig
