"""Figures and sliders of Lecture 5."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.ticker import MaxNLocator, NullLocator
from scipy import stats
from torch import Tensor

from helpers import mcmc
from helpers.figures import COLOUR, Choice, Picture, Range, explorer, figure, label
from helpers.mcmc import diagnostics as judge, finite, targets, theory
from helpers.mcmc.sampling import Step
from helpers.mcmc.state import LogProb, chain, noise

FAMILY = [COLOUR[name] for name in ("model", "attack", "truth", "bound", "second", "third", "data", "muted")]
Box = tuple[float, float, float, float]


def _density(axes: Axes, log_prob: LogProb, box: Box, points: int = 90) -> tuple[np.ndarray, np.ndarray]:
    """The density in a box as shades of green -> the first coordinate and its marginal density."""
    a, b = torch.linspace(*box[:2], points).double(), torch.linspace(*box[2:], points).double()
    values = log_prob(torch.cartesian_prod(a, b)).reshape(points, points)
    shades = (values - values.max()).exp()
    axes.imshow(shades.T.sqrt(), extent=box, origin="lower", aspect="auto", cmap="Greens", vmax=1.6)
    axes.grid(False)
    axes.set(xlim=box[:2], ylim=box[2:], xlabel="$x_1$", ylabel="$x_2$")
    marginal = shades.sum(1)
    return a.numpy(), (marginal / torch.trapezoid(marginal, a)).numpy()


def bias_and_variance(target: LogProb, m: Tensor, s: Tensor, path: Tensor, rms: Tensor, vi_error: float) -> Picture:
    """Mean-field fit N(m, s^2) and a path (n, 2) over the density; error of both over the number of evaluations."""
    fig, (left, right) = figure(1, 2, width=11, height=4.0)
    _density(left, target, (-6, 6, -4, 12))
    left.plot(*path.T, color=COLOUR["model"], linewidth=0.7, alpha=0.8, label="400 steps of a chain")
    angle = torch.linspace(0, 2 * math.pi, 100).to(m)
    for k in (1, 2):
        ring = (m[0] + k * s[0] * angle.cos(), m[1] + k * s[1] * angle.sin())
        left.plot(*ring, color=COLOUR["attack"], label="VI: 1 and 2 sd" if k == 1 else None)
    left.legend(loc="upper center")
    left.set_title("A banana, a chain, a fitted Gaussian")
    n = np.arange(1, len(rms) + 1)
    line = right.loglog(n[9:], rms[9:], color=COLOUR["model"])[0]
    label(line, "MCMC", at=300, offset=(-14, -20), ha="right")
    right.loglog(n[199:], 1.1 * float(rms[-1]) * (len(n) / n[199:]) ** 0.5, "--", color=COLOUR["truth"])
    right.annotate(
        "$1/\\sqrt{n}$",
        (500, 1.1 * float(rms[-1]) * (len(n) / 500) ** 0.5),
        (6, 6),
        textcoords="offset points",
        color=COLOUR["truth"],
    )
    right.set_yticks((0.5, 1, 2), ("0.5", "1", "2"))
    right.set_yticks((), minor=True)
    right.axhline(float(vi_error), color=COLOUR["attack"])
    right.annotate(
        "VI: a bias",
        (len(rms), float(vi_error)),
        (0, 6),
        textcoords="offset points",
        ha="right",
        color=COLOUR["attack"],
    )
    right.set(xlabel="steps of the chain", ylabel="error of $E\\,x_1^2$", title="Bias stays, variance falls")
    return fig


def mixing(distance: Mapping[str, Tensor], rate: float, rates: Tensor) -> Picture:
    """Total variation over the steps for three chains; measured rate over |lambda_2| (chains, 2)."""
    fig, (left, right) = figure(1, 2, width=11, height=3.8)
    for (name, values), colour in zip(distance.items(), ("model", "attack", "bound"), strict=True):
        line, up = left.semilogy(values, color=COLOUR[colour])[0], {"periodic": 9, "reducible": -11}.get(name, 10)
        label(line, name, at=24, offset=(26 if name == "weather" else 0, up), ha="center")
    left.semilogy(distance["weather"][0] * rate ** np.arange(41.0), "--", color=COLOUR["truth"])
    left.annotate("$|\\lambda_2|^t$", (9, rate**9), (0, 12), textcoords="offset points", color=COLOUR["truth"])
    left.set(xlabel="step $t$", ylabel="total variation to $\\pi$", ylim=(None, 8))
    left.set_title("One chain forgets its start, two do not")
    right.plot([0, 1], [0, 1], "--", color=COLOUR["truth"])
    right.plot(*rates.T, "o", color=COLOUR["model"])
    low = float(rates.min()) - 0.03
    right.set(xlim=(low, 1), ylim=(low, 1), xlabel="$|\\lambda_2|$", ylabel="measured factor per step")
    right.set_title("40 random chains: the rate is $|\\lambda_2|$")
    return fig


def _entry(default: float, words: str) -> Range:
    return Range(0.0, 1.0, default, step=0.05, label=words)


RING = {"p12": 1.0, "p13": 0.0, "p21": 0.0, "p23": 1.0, "p31": 1.0, "p32": 0.0}
CUT = {"p12": 0.3, "p13": 0.0, "p21": 0.2, "p23": 0.0, "p31": 0.0, "p32": 0.0}


@explorer(
    p12=_entry(0.15, "1 → 2"),
    p13=_entry(0.05, "1 → 3"),
    p21=_entry(0.3, "2 → 1"),
    p23=_entry(0.3, "2 → 3"),
    p31=_entry(0.1, "3 → 1"),
    p32=_entry(0.3, "3 → 2"),
    t=Range(0, 30, 4, label="step t", play=True),
    stills=({}, {**RING, "t": 9}, {**CUT, "t": 25}),
)
def transition_matrix(p12: float, p13: float, p21: float, p23: float, p31: float, p32: float, t: int) -> Picture:
    """A chain on three states, started in state 1: its matrix, its law at step t, its distance to pi."""
    P = torch.tensor([[0, p12, p13], [p21, 0, p23], [p31, p32, 0]], dtype=torch.float64)
    P = P / P.sum(1, keepdim=True).clamp(min=1)
    P = P + torch.diag(1 - P.sum(1))
    law, second = finite.laws(P, torch.eye(3)[0], 30), finite.second_eigenvalue(P)
    try:
        pi = mcmc.stationary_distribution(P)
        words = "reversible" if mcmc.is_reversible(P, pi) else "not reversible"
    except ValueError:
        pi, words = None, "no unique $\\pi$"
    fig, (left, middle, right) = figure(1, 3, width=11, height=3.3)
    left.imshow(P, cmap="Blues", vmin=0, vmax=1.4)
    for i, j in np.ndindex(3, 3):
        left.text(j, i, f"{P[i, j]:.2f}", ha="center", va="center", fontsize=13)
    left.set(xticks=range(3), yticks=range(3), xticklabels="123", yticklabels="123", ylabel="from", xlabel="to")
    left.set_title(words)
    left.grid(False)
    middle.bar((1, 2, 3), law[t], color=COLOUR["model"], width=0.6)
    if pi is not None:
        middle.plot((1, 2, 3), pi, "_", color=COLOUR["truth"], markersize=42, markeredgewidth=3)
    middle.set(ylim=(0, 1.05), xticks=(1, 2, 3), xlabel="state", title=f"law at step {t}; green: $\\pi$")
    if pi is not None:
        distance = finite.total_variation(law, pi).clamp(min=1e-6)
        right.plot(distance.log10(), color=COLOUR["muted"])
        right.plot(t, distance[t].log10(), "o", color=COLOUR["model"], markersize=9)
    right.set(ylim=(-6.2, 0.2), xlim=(-0.5, 30.5), xlabel="step", ylabel="log₁₀ distance to $\\pi$")
    right.set_title(f"$|\\lambda_2|$ = {second:.3f}")
    return fig


def gibbs(curves: Mapping[float, Tensor], target: targets.Gaussian) -> Picture:
    """Thirty updates of Gibbs as stairs; autocorrelation over the sweeps: measured (dots), rho^(2t) (lines)."""
    fig, (left, right) = figure(1, 2, width=11, height=3.9)
    _density(left, target, (-3.2, 3.2, -3.2, 3.2))
    g, x, path = torch.Generator().manual_seed(3), torch.tensor([[-2.8, 2.6]], dtype=torch.float64), []
    for k in range(40):
        path.append(x[0])
        x = x.clone()
        x[:, k % 2] = target.conditional(k % 2, x, g)
    left.plot(*torch.stack(path).T, ".-", color=COLOUR["model"], linewidth=1.2)
    left.set_title("Gibbs, $\\rho=0.9$: stairs along a ridge")
    t = np.arange(31)
    for (rho, curve), colour in zip(curves.items(), FAMILY, strict=False):
        right.plot(t, curve, "o", color=colour, markersize=4)
        label(
            right.plot(t, rho ** (2.0 * t), color=colour)[0],
            f"$\\rho$ = {rho}",
            at=3 if rho < 0.9 else 9,
            offset=(6, 9),
        )
    right.set(xlabel="sweep $t$", ylabel="autocorrelation of $x_1$", title="Measured (dots) and $\\rho^{2t}$ (lines)")
    return fig


def ising(betas: Sequence[float], measured: Tensor, lattices: Tensor) -> Picture:
    """4 x 4: energy and magnetisation, Gibbs (dots) and exact (lines), (betas, 4); three large lattices (3, n, n)."""
    fig, axes = figure(1, 4, width=12, height=3.2, width_ratios=(1.5, 1, 1, 1))
    for column, colour, text, up in ((0, "model", "energy per spin", -52), (2, "attack", "|magnetisation|", 30)):
        axes[0].plot(betas, measured[:, column], "o", color=COLOUR[colour])
        label(
            axes[0].plot(betas, measured[:, column + 1], color=COLOUR[colour])[0],
            text,
            at=1,
            offset=(0, up),
            ha="center",
        )
    axes[0].set(xlabel="$\\beta$", ylim=(-2.1, 1.35), title="4 × 4: Gibbs and exact")
    for panel, spins, beta in zip(axes[1:], lattices, (0.2, 0.44, 0.7), strict=True):
        panel.imshow(spins, cmap="Greys", vmin=-1.3, vmax=1.3)
        panel.set(title=f"64 × 64, $\\beta$ = {beta}", xticks=(), yticks=())
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
    axes.axvline(0.234, linestyle="--", color=COLOUR["truth"])
    axes.annotate("0.234", (0.234, 0.05), (-5, 0), textcoords="offset points", color=COLOUR["truth"], ha="right")
    axes.set(xlabel="acceptance", ylabel="expected squared jump / best", ylim=(0, 1.08))
    axes.set_title("Random walk: refuse more than half, and go further")
    axes.legend(loc="lower left", bbox_to_anchor=(0.3, 0.02))
    return fig


PLANE: dict[str, tuple[Any, Box]] = {
    "Gaussian": (targets.correlated_gaussian(2, 0.9), (-4, 4, -4, 4)),
    "banana": (targets.banana(), (-7, 7, -5, 13)),
    "funnel": (targets.funnel(2, scale=1.5), (-5, 5, -7, 7)),
    "mixture": (targets.mixture(torch.tensor([[-2.5, 0.0], [2.5, 0.0]]), 0.8), (-6, 6, -5, 5)),
}
STEPS: dict[str, Step] = {
    "random walk": mcmc.random_walk_step,
    "ULA": mcmc.ula_step,
    "MALA": mcmc.mala_step,
    "HMC": partial(mcmc.hmc_step, steps=6),
}
MOVES = 150


@lru_cache(maxsize=24)
def _film(target: str, sampler: str, step_size: float, chains: int) -> tuple[Tensor, Tensor, Tensor, list[Tensor]]:
    """Positions (chains, MOVES + 1, 2), proposals and acceptance of each move, the generator's state before it."""
    log_prob, box = PLANE[target]
    g = torch.Generator().manual_seed(8)
    corners = torch.tensor([[-1, 1], [1, -1], [1, 1], [-1, -1], [0, 1], [0, -1], [1, 0], [-1, 0]], dtype=torch.float64)
    middle = torch.tensor([box[0] + box[1], box[2] + box[3]]).double() / 2
    s = chain(middle + corners[:chains] * torch.tensor([box[1] - box[0], box[3] - box[2]]) * 0.3, log_prob)
    x, proposals, accepted, before = [s.x], [], [], []
    for _ in range(MOVES):
        before.append(g.get_state())
        s, info = STEPS[sampler](log_prob, s, step_size=step_size, generator=g)
        x.append(s.x)
        proposals.append(info.proposal)
        accepted.append(info.accepted)
    return torch.stack(x, 1), torch.stack(proposals, 1), torch.stack(accepted, 1), before


def _joined(paths: Tensor) -> Tensor:
    """Paths (k, n, 2) as one line (k (n + 1), 2) with a gap after each: one artist instead of k."""
    return torch.cat([paths, paths.new_full((len(paths), 1, 2), math.nan)], 1).reshape(-1, 2)


def _move(axes: Axes, log_prob: Any, sampler: str, step_size: float, t: int, film: tuple[Any, ...]) -> str:
    """The path up to step t, and the last proposal of each chain: accepted in blue, refused as a red cross.

    HMC: the first chain's whole trajectory, and its energy error as words, else "".
    """
    x, proposals, accepted, before = film
    axes.plot(*_joined(x[:, max(0, t - 25) : t + 1]).T, ".-", color=COLOUR["muted"], linewidth=0.6, markersize=4)
    for taken, style, colour in ((True, "o", "model"), (False, "X", "attack")):
        rows = accepted[:, t - 1] == taken
        joined = _joined(torch.stack([x[rows, t - 1], proposals[rows, t - 1]], 1))
        if sampler == "HMC" and rows[0]:
            joined = joined[3:]
        axes.plot(*joined.T, color=COLOUR[colour], linewidth=1.5)
        axes.plot(*proposals[rows, t - 1].T, style, color=COLOUR[colour], markersize=9, markeredgecolor="white")
    if sampler != "HMC":
        return ""
    g = torch.Generator()
    g.set_state(before[t - 1])
    y, p, orbit, energy = x[:1, t - 1], noise(x[:, t - 1], g)[:1], [], []
    for step in range(7):
        if step:
            y, p = mcmc.leapfrog(lambda z: chain(z, log_prob).grad, y, p, step_size, 1)
        orbit.append(y)
        energy.append(p.square().sum() / 2 - log_prob(y).sum())
    axes.plot(*torch.cat(orbit).T, ".-", color=COLOUR["model" if accepted[0, t - 1] else "attack"], linewidth=1.5)
    return f", ΔH = {energy[-1] - energy[0]:+.2f}"


def _worth(draws: Tensor) -> str:
    """R-hat and effective sample size in words."""
    if draws.shape[1] < 4 or not draws.isfinite().all():
        return "too few draws to judge" if draws.isfinite().all() else "diverged"
    rhat, ess = float(mcmc.split_rhat(draws)), float(mcmc.effective_sample_size(draws))
    return f"R-hat {rhat:.2f}, ESS {ess:.0f} of {draws.numel()}" if rhat == rhat else "nothing has moved"


@explorer(
    target=Choice(tuple(PLANE), "banana", label="target"),
    sampler=Choice(tuple(STEPS), "random walk", label="sampler"),
    step_size=Range(0.02, 4.0, 0.8, log=True, label="step size"),
    chains=Range(1, 8, 4, label="chains"),
    t=Range(1, MOVES, 60, label="step t", play=True),
    stills=(
        {"t": 150},
        {"sampler": "HMC", "step_size": 0.4, "t": 150},
        {"target": "mixture", "sampler": "MALA", "step_size": 0.1, "chains": 2, "t": 150},
    ),
)
def sampler(target: str, sampler: str, step_size: float, chains: int, t: int) -> Picture:
    """The last move of every chain over the density; the traces; the histogram of all draws so far and the truth."""
    film = _film(target, sampler, step_size, chains)
    log_prob, box = PLANE[target]
    x = film[0][:, 1 : t + 1, 0]
    fig, (left, middle, right) = figure(1, 3, width=12, height=3.9, width_ratios=(1.3, 1.2, 1))
    grid, marginal = _density(left, log_prob, box, 70)
    energy_error = _move(left, log_prob, sampler, step_size, t, film)
    share = film[2][:, :t].double().mean()
    left.set_title(f"step {t}: {100 * share:.0f} % accepted{energy_error}")
    steps = torch.arange(t + 1.0).double().expand(chains, -1)
    traces = torch.stack([steps, film[0][:, : t + 1, 0]], 2).numpy()
    middle.add_collection(LineCollection(list(traces), colors=FAMILY[:chains], linewidths=1), autolim=False)
    middle.set(xlim=(0, MOVES), ylim=box[:2], xlabel="step", title=_worth(x), xticks=range(0, MOVES + 1, 50))
    seen = x[x.isfinite()].clamp(*box[:2]).numpy()
    heights, edges = np.histogram(seen, bins=28, range=box[:2], density=True)
    right.stairs(heights, edges, fill=True, color=COLOUR["model"], alpha=0.5)
    right.plot(grid, marginal, color=COLOUR["truth"])
    right.set(xlim=box[:2], ylim=(0, 2.2 * marginal.max()), yticks=(), xlabel="$x_1$", title="draws and truth")
    for axis in (left.xaxis, left.yaxis, middle.yaxis, right.xaxis):  # ticks are half of what a redraw costs
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    return fig


def dimensions(d: Tensor, efficiency: Mapping[str, Tensor], slopes: Mapping[str, float]) -> Picture:
    """Squared jump per coordinate and evaluation over the dimension: measured (dots) and the theory's slope (lines)."""
    fig, axes = figure(width=9, height=3.8)
    for (name, values), colour in zip(efficiency.items(), ("attack", "second", "model"), strict=True):
        axes.loglog(d, values, "o", color=COLOUR[colour])
        line = axes.loglog(d, values[2] * (d / d[2]) ** slopes[name], color=COLOUR[colour])[0]
        label(line, f"{name}: $d^{{{slopes[name]:.2f}}}$")
    axes.set(xlim=(3, 6000), xlabel="dimension $d$", ylabel="squared jump per\ncoordinate and evaluation")
    axes.set_title("What dimension costs: measured (dots), slope of the theory (lines)")
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
        label(line, name, at=1, offset=(0, 12), ha="center")
    left.legend(loc="lower right")
    left.set_title("80 steps of 0.15 from one start")
    h = np.array([1 / n for n in steps])
    guide = 0.4 * float(drift["leapfrog"][0]) * (h / h[0]) ** 2
    right.loglog(h, guide, "--", color=COLOUR["truth"])
    right.annotate("$h^2$", (h[1], guide[1]), (0, -18), textcoords="offset points", color=COLOUR["truth"])
    right.set(xlabel="step $h$", ylabel="median $|H'-H|$", title="Energy error of a path of length 1")
    right.set_xticks(h, [f"1/{n}" for n in steps])
    right.set_xticks((), minor=True)
    return fig


def sgld_bias(eta: Tensor, parts: Tensor, measured: Sequence[float], paths: Mapping[str, Tensor]) -> Picture:
    """Stationary variance over the posterior's: (steps, 2) of ULA and SGLD in closed form, SGLD measured; then over
    the time, measured and by recursion (2, times), every tenth step, for schedules of the step."""
    fig, (left, right) = figure(1, 2, width=11.5, height=3.8, width_ratios=(1.2, 1))
    left.fill_between(eta, parts[:, 0], parts[:, 1], color=COLOUR["attack"], alpha=0.15, linewidth=0)
    sgld, ula = (left.loglog(eta, parts[:, k], color=COLOUR[c])[0] for k, c in ((1, "attack"), (0, "model")))
    label(sgld, "SGLD", at=3, offset=(-10, 8), ha="right")
    label(ula, "ULA: all the data", at=3, offset=(0, 10), ha="center")
    left.loglog(eta, measured, "o", color=COLOUR["attack"])
    left.annotate("the posterior", (eta[0], 1), (0, -16), textcoords="offset points", color=COLOUR["truth"])
    left.annotate("noise of the batch", (float(eta[3]), 2.3), color=COLOUR["attack"], ha="center")
    left.set(ylim=(0.7, None), xlabel="$\\eta$ × posterior precision", ylabel="variance / posterior variance")
    left.set_yticks((1, 2, 5, 10), ("1", "2", "5", "10"))
    left.set_xticks((0.01, 0.02, 0.05, 0.1, 0.2), ("0.01", "0.02", "0.05", "0.1", "0.2"))
    for axis in (left.xaxis, left.yaxis):
        axis.set_minor_locator(NullLocator())
    left.set_title("SGLD: what the batch adds")
    for (name, (seen, exact)), colour in zip(paths.items(), ("attack", "second"), strict=True):
        t = 10.0 * np.arange(1, len(seen) + 1)
        right.plot(t, seen, "o", color=COLOUR[colour], markersize=4)
        label(right.plot(t, exact, color=COLOUR[colour])[0], f"{name} step", at=35, offset=(0, 28), ha="center")
    right.set(ylim=(0, 8), xlabel="step $t$", title="A smaller step, later: dots measured")
    for axes in (left, right):
        axes.axhline(1, linestyle="--", color=COLOUR["truth"])
    return fig


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
