"""Figures of Lecture 5: steps, dimensions and what is left of the error."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from matplotlib.ticker import NullLocator
from scipy import stats
from torch import Tensor

from helpers.figures import COLOUR, FAMILY, Choice, Picture, Range, explorer, figure, label
from helpers.mcmc import theory
from helpers.mcmc.figures.plane import _density
from helpers.mcmc.state import LogProb


def bias_and_variance(
    target: LogProb, m: Tensor, s: Tensor, path: Tensor, bias: Tensor, sd: Tensor, vi_error: float
) -> Picture:
    """Mean-field fit N(m, s^2) and a path (n, 2) over the density; bias and sd of MCMC (steps,) beside VI's bias."""
    fig, (left, right) = figure(1, 2, width=11, height=4.0)
    _density(left, target, (-6, 6, -4, 12))
    left.plot(*path.T, color=COLOUR["model"], linewidth=0.7, alpha=0.8, label="400 steps of a chain")
    angle = torch.linspace(0, 2 * math.pi, 100).to(m)
    for k in (1, 2):
        ring = (m[0] + k * s[0] * angle.cos(), m[1] + k * s[1] * angle.sin())
        left.plot(*ring, color=COLOUR["attack"], label="VI: 1 and 2 sd" if k == 1 else None)
    left.legend(loc="upper center")
    left.set_title("A banana, a chain, a fitted Gaussian")
    n = np.arange(1, len(sd) + 1)
    label(right.loglog(n[9:], sd[9:], color=COLOUR["model"])[0], "MCMC: sd", at=400, offset=(6, 14))
    shown = bias > 3 * sd / math.sqrt(1000)  # below that the bias of 1,000 chains is noise
    last = int(shown.logical_not().nonzero()[0]) if not shown.all() else len(n)
    label(
        right.loglog(n[9:last], bias[9:last], ":", color=COLOUR["model"])[0],
        "bias",
        at=40,
        offset=(-8, -10),
        ha="right",
    )
    guide = float(sd[-1]) * (len(n) / n[999:]) ** 0.5
    label(
        right.loglog(n[999:], guide, "--", color=COLOUR["truth"])[0],
        "$1/\\sqrt{n}$",
        at=3000,
        offset=(-6, -14),
        ha="right",
    )
    right.axhline(float(vi_error), color=COLOUR["attack"])
    place = dict(xytext=(0, 7), textcoords="offset points", color=COLOUR["attack"])
    right.annotate("VI: a bias", (10, float(vi_error)), **place)
    right.set(xlabel="steps of the chain", ylabel="error of $E\\,x_1^2$", title="VI's error stays, the chain's falls")
    right.set_yticks((0.1, 0.3, 1, 3), ("0.1", "0.3", "1", "3"))
    right.set_yticks((), minor=True)
    return fig


def optimal_scaling(jumps: Mapping[int, Tensor]) -> Picture:
    """Expected squared jump over the acceptance, per dimension: exact (lines), measured (dots), (steps, 2)."""
    fig, axes = figure(width=9, height=3.8)
    for (d, rows), colour in zip(jumps.items(), FAMILY, strict=False):
        steps = np.geomspace(0.05, 8, 60) * theory.random_walk_optimum(d)[0] / 2
        curve = np.array([theory.random_walk_efficiency(s, d) for s in steps])
        top = curve[:, 1].max()
        best = curve[curve[:, 1].argmax()]
        axes.plot(curve[:, 0], curve[:, 1] / top, color=colour, label=f"$d$ = {d}: best at {best[0]:.2f}")
        axes.plot(rows[:, 0], rows[:, 1] / top, "o", color=colour)
    axes.axvline(0.234, linestyle="--", color=COLOUR["muted"])
    axes.annotate(
        "0.234,\n$d\\to\\infty$", (0.234, 0.03), (-5, 0), textcoords="offset points", color=COLOUR["muted"], ha="right"
    )
    axes.set(xlabel="acceptance", ylabel="expected squared jump / best", ylim=(0, 1.08))
    axes.set_title("Random walk: refuse more than half, go further (dots measured, lines exact)")
    axes.legend(loc="lower left", bbox_to_anchor=(0.3, 0.02))
    return fig


def dimensions(d: Tensor, efficiency: Mapping[str, Tensor], slopes: Mapping[str, float]) -> Picture:
    """Squared jump per coordinate and evaluation over the dimension, (dimensions, 2): the mean and its standard error;
    lines of the theory's slope through the last dot."""
    fig, axes = figure(width=9, height=4.0)
    for (name, rows), colour in zip(efficiency.items(), ("attack", "second", "model"), strict=True):
        axes.errorbar(d, rows[:, 0], 2 * rows[:, 1], fmt="o", color=COLOUR[colour], capsize=4)
        line = axes.loglog(d, rows[-1, 0] * (d / d[-1]) ** slopes[name], color=COLOUR[colour], linewidth=1.5)[0]
        power = {-1.0: "-1", -1 / 3: "-1/3", -1 / 4: "-1/4"}[slopes[name]]
        label(line, f"{name}: $d^{{{power}}}$", offset=(12, {"HMC": 7, "MALA": -7}.get(name, 0)))
    axes.set(xlim=(1.5, 80_000), xlabel="dimension $d$", ylabel="squared jump per\ncoordinate and evaluation")
    axes.set_xticks((2, 10, 100, 1000, 8192), ("2", "10", "100", "1,000", "8,192"))
    axes.set_xticks((), minor=True)
    axes.set_title("What dimension costs: measured (dots, ± 2 se), slope of the theory (lines)")
    return fig


@lru_cache(maxsize=16)
def _curve(d: int) -> np.ndarray:
    """(acceptance, squared jump) of the random walk at 30 steps from 0.2 to 6 over sqrt(d)."""
    return np.array([theory.random_walk_efficiency(s / math.sqrt(d), d) for s in np.linspace(0.2, 6, 30)])


@explorer(
    d=Choice((1, 2, 5, 10, 30, 100, 300, 1000), 30, label="dimension d"),
    step=Range(0.2, 6.0, 2.4, step=0.2, label="step × √d"),
    stills=({"d": 2}, {"d": 30}, {"d": 1000, "step": 5.0}),
)
def shell(d: int, step: float) -> Picture:
    """Where the mass of N(0, I_d) is, where the random walk proposes, and what its step is worth."""
    fig, (left, right) = figure(1, 2, width=11, height=3.6)
    mean, sd = theory.shell(d)
    r = np.linspace(0, mean + 5, 300)
    wider = math.sqrt(1 + step**2 / d)
    left.fill_between(r, stats.chi(d).pdf(r), color=COLOUR["truth"], alpha=0.35, linewidth=0)
    left.plot(r, stats.chi(d).pdf(r / wider) / wider, color=COLOUR["model"])
    left.set(xlim=(0, r[-1]), ylim=(0, 0.85), yticks=(), xlabel="distance from the mode")
    left.set_title(f"|x| = {mean:.1f} ± {sd:.2f}; proposals (blue)")
    curve, (accept, jump) = _curve(d), theory.random_walk_efficiency(step / math.sqrt(d), d)
    right.plot(np.linspace(0.2, 6, 30), curve[:, 1] / curve[:, 1].max(), color=COLOUR["muted"])
    right.plot(step, jump / curve[:, 1].max(), "o", color=COLOUR["model"], markersize=10)
    right.set(ylim=(0, 1.1), xlabel="step × √d", ylabel="squared jump / best", title=f"acceptance {accept:.2f}")
    return fig


def langevin_bias(ula: Mapping[float, float], half: Mapping[float, float]) -> Picture:
    """Stationary variance over the step: ULA and its mutant (dots), closed form (lines), the truth 1."""
    fig, axes = figure(width=9, height=3.6)
    eta = np.linspace(0.01, 1.45, 100)
    exact = np.array([theory.ula_variance(e) for e in eta])
    for values, factor, colour, text, up in (
        (ula, 1.0, "model", "ULA", 14),
        (half, 0.5, "attack", "$\\sqrt{\\eta}$ for $\\sqrt{2\\eta}$", -26),
    ):
        axes.plot(list(values), list(values.values()), "o", color=COLOUR[colour])
        label(axes.plot(eta, factor * exact, color=COLOUR[colour])[0], text, at=60, offset=(0, up), ha="right")
    axes.axhline(1, linestyle="--", color=COLOUR["truth"])
    axes.annotate("target", (1.45, 1), (0, 5), textcoords="offset points", ha="right", color=COLOUR["truth"])
    axes.set(xlabel="step $\\eta$", ylabel="stationary variance", ylim=(0, None))
    axes.set_title("A bias that shrinks with the step, and one that does not")
    return fig


def hamiltonian(
    target: Any,
    leapfrog: Callable[..., Any],
    euler: Callable[..., Any],
    steps: Sequence[int],
    drift: Mapping[str, Tensor],
) -> Picture:
    """One trajectory by leapfrog and by Euler; the median energy error over the step for paths of length 1."""
    fig, (left, right) = figure(1, 2, width=11, height=4.0)
    _density(left, target, (-6, 6, -7, 10))
    start, p0 = torch.tensor([[-2.5, 1.0]], dtype=torch.float64), torch.tensor([[1.6, -0.9]], dtype=torch.float64)
    for name, f, colour in (("leapfrog", leapfrog, "model"), ("Euler", euler, "attack")):
        x, p, path = start, p0, [start]
        for _ in range(80):
            x, p = f(target.gradient, x, p, 0.15, 1)
            path.append(torch.where(x.abs() < 12, x, torch.nan))
        left.plot(*torch.cat(path).T, ".-", color=COLOUR[colour], label=name, linewidth=1.2)
        line = right.loglog([1 / n for n in steps], drift[name], "o-", color=COLOUR[colour])[0]
        label(line, name, at=1, offset=(0, 20), ha="center")
    left.legend(loc="lower right")
    left.set_title("Leapfrog stays, Euler gains energy and leaves")
    h = np.array([1 / n for n in steps])
    for name, power, text in (("leapfrog", 2, "$h^2$"), ("Euler", 1, "$h$")):
        guide = 0.4 * float(drift[name][0]) * (h / h[0]) ** power
        right.loglog(h, guide, "--", color=COLOUR["truth"])
        right.annotate(text, (h[1], guide[1]), (0, -18), textcoords="offset points", color=COLOUR["truth"])
    right.set(xlabel="step $h$", ylabel="median $|H'-H|$", title="Energy error of a path of length 1")
    right.set_xticks(h, [f"1/{n}" for n in steps])
    right.set_xticks((), minor=True)
    return fig


def sgld_bias(eta: Tensor, parts: Tensor, measured: Sequence[float]) -> Picture:
    """Stationary variance over the posterior's: (steps, 2) of ULA and SGLD in closed form, SGLD measured (dots)."""
    fig, axes = figure(width=8, height=3.8)
    axes.fill_between(eta, parts[:, 0], parts[:, 1], color=COLOUR["attack"], alpha=0.15, linewidth=0)
    sgld, ula = (axes.loglog(eta, parts[:, k], color=COLOUR[c])[0] for k, c in ((1, "attack"), (0, "model")))
    label(sgld, "SGLD", at=3, offset=(-10, 8), ha="right")
    label(ula, "ULA: all the data", at=3, offset=(0, 10), ha="center")
    axes.loglog(eta, measured, "o", color=COLOUR["attack"])
    axes.axhline(1, linestyle="--", color=COLOUR["truth"])
    axes.annotate("the posterior", (eta[0], 1), (0, -16), textcoords="offset points", color=COLOUR["truth"])
    axes.annotate("noise of the batch", (float(eta[3]), 2.3), color=COLOUR["attack"], ha="center")
    axes.set(ylim=(0.7, None), xlabel="$\\eta$ × posterior precision", ylabel="variance / posterior variance")
    axes.set_yticks((1, 2, 5, 10), ("1", "2", "5", "10"))
    axes.set_xticks((0.01, 0.02, 0.05, 0.1, 0.2), ("0.01", "0.02", "0.05", "0.1", "0.2"))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())
    axes.set_title("The batch's noise, not the step, makes it too wide")
    return fig


def sgld_falling(paths: Mapping[str, Tensor]) -> Picture:
    """Variance over the posterior's, every tenth step: measured (dots) and by recursion (lines) (2, times)."""
    fig, axes = figure(width=8, height=3.4)
    for (name, (seen, exact)), colour in zip(paths.items(), ("attack", "second"), strict=True):
        t = 10.0 * np.arange(1, len(seen) + 1)
        axes.plot(t, seen, "o", color=COLOUR[colour], markersize=4)
        label(axes.plot(t, exact, color=COLOUR[colour])[0], f"{name} step", at=35, offset=(0, 22), ha="center")
    axes.axhline(1, linestyle="--", color=COLOUR["truth"])
    axes.set(ylim=(0, 8), xlabel="step $t$", ylabel="variance / posterior variance")
    axes.set_title("A falling step lets the variance sink, slowly")
    return fig
