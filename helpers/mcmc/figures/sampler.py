"""The sampler explorer of Lecture 5: a film of one chain."""

import math
from functools import lru_cache, partial
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from helpers import mcmc
from helpers.figures import COLOUR, FAMILY, Choice, Picture, Range, explorer, figure
from helpers.mcmc import targets
from helpers.mcmc.figures.plane import Box, _density
from helpers.mcmc.state import chain, noise

PLANE: dict[str, tuple[Any, Box]] = {
    "Gaussian": (targets.correlated_gaussian(2, 0.9), (-4, 4, -4, 4)),
    "banana": (targets.banana(), (-7, 7, -5, 13)),
    "funnel": (targets.funnel(2, scale=1.5), (-5, 5, -7, 7)),
    "mixture": (targets.mixture(torch.tensor([[-2.5, 0.0], [2.5, 0.0]]), 0.8), (-6, 6, -5, 5)),
}

STEPS: dict[str, Any] = {
    "random walk": mcmc.random_walk_step,
    "ULA": mcmc.ula_step,
    "MALA": mcmc.mala_step,
    "HMC": mcmc.hmc_step,
    "Gibbs": mcmc.gibbs_step,
}

MOVES = 150


@lru_cache(maxsize=24)
def _film(
    target: str, sampler: str, step_size: float, leapfrogs: int, chains: int, start: str, seed: int
) -> tuple[Tensor, Tensor, Tensor, list[Tensor]]:
    """Positions (chains, MOVES + 1, 2), proposals and acceptance of each move, the generator's state before it."""
    log_prob, box = PLANE[target]
    g = torch.Generator().manual_seed(seed)
    step = partial(STEPS[sampler], steps=leapfrogs) if sampler == "HMC" else STEPS[sampler]
    corners = torch.tensor([[-1, 1], [1, -1], [1, 1], [-1, -1], [0, 1], [0, -1], [1, 0], [-1, 0]], dtype=torch.float64)
    middle = torch.tensor([box[0] + box[1], box[2] + box[3]]).double() / 2
    spread = torch.tensor([box[1] - box[0], box[3] - box[2]]) * 0.3
    s = chain(middle + (corners[:chains] if start == "apart" else corners[2].expand(chains, 2)) * spread, log_prob)
    x, proposals, accepted, before = [s.x], [], [], []
    for _ in range(MOVES):
        before.append(g.get_state())
        s, info = step(log_prob, s, step_size=step_size, generator=g)
        x.append(s.x)
        proposals.append(info.proposal)
        accepted.append(info.accepted)
    return torch.stack(x, 1), torch.stack(proposals, 1), torch.stack(accepted, 1), before


def _joined(paths: Tensor) -> Tensor:
    """Paths (k, n, 2) as one line (k (n + 1), 2) with a gap after each: one artist instead of k."""
    return torch.cat([paths, paths.new_full((len(paths), 1, 2), math.nan)], 1).reshape(-1, 2)


def _move(axes: Axes, log_prob: Any, steps: int, step_size: float, t: int, film: tuple[Any, ...]) -> str:
    """The path up to step t, and the last proposal of each chain: accepted in blue, refused as a red cross.

    HMC (steps > 0): the first chain's whole trajectory, and its energy error as words, else "".
    """
    x, proposals, accepted, before = film
    axes.plot(*_joined(x[:, max(0, t - 25) : t + 1]).T, ".-", color=COLOUR["muted"], linewidth=0.6, markersize=4)
    for taken, style, colour in ((True, "o", "model"), (False, "X", "attack")):
        rows = accepted[:, t - 1] == taken
        joined = _joined(torch.stack([x[rows, t - 1], proposals[rows, t - 1]], 1))
        if steps and rows[0]:
            joined = joined[3:]
        axes.plot(*joined.T, color=COLOUR[colour], linewidth=1.5)
        axes.plot(*proposals[rows, t - 1].T, style, color=COLOUR[colour], markersize=9, markeredgecolor="white")
    if not steps:
        return ""
    g = torch.Generator()
    g.set_state(before[t - 1])
    y, p, orbit, energy = x[:1, t - 1], noise(x[:, t - 1], g)[:1], [], []
    for step in range(steps + 1):
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
    leapfrogs=Range(1, 20, 6, label="leapfrogs (HMC)"),
    chains=Range(1, 8, 4, label="chains"),
    start=Choice(("apart", "together"), "apart", label="start"),
    seed=Range(0, 20, 8, label="seed"),
    coordinate=Choice((1, 2), 1, label="axis"),
    t=Range(1, MOVES, 60, label="step t", play=True),
    stills=(
        {"t": 150},
        {"sampler": "HMC", "step_size": 0.4, "t": 150},
        {"target": "mixture", "sampler": "MALA", "step_size": 0.1, "chains": 2, "t": 150},
    ),
)
def sampler(
    target: str,
    sampler: str,
    step_size: float,
    leapfrogs: int,
    chains: int,
    start: str,
    seed: int,
    coordinate: int,
    t: int,
) -> Picture:
    """The last move of every chain over the density; the traces of a coordinate; its draws so far and the truth.

    Gibbs needs the full conditionals, which only the Gaussian has: on other targets it is replaced by the Gaussian.
    """
    target = "Gaussian" if sampler == "Gibbs" else target
    film = _film(target, sampler, step_size, leapfrogs if sampler == "HMC" else 0, chains, start, seed)
    log_prob, box = PLANE[target]
    low, high = box[2 * coordinate - 2 : 2 * coordinate]
    values = film[0][:, : t + 1, coordinate - 1]
    x = values[:, 1:]
    fig, (left, middle, right) = figure(1, 3, width=12, height=3.9, width_ratios=(1.3, 1.2, 1))
    grid, marginal = _density(left, log_prob, box, 70, coordinate)
    energy_error = _move(left, log_prob, leapfrogs if sampler == "HMC" else 0, step_size, t, film)
    share = film[2][:, :t].double().mean()
    only = "Gibbs needs the Gaussian" if sampler == "Gibbs" else f"{100 * share:.0f} % accepted"
    left.set_title(f"step {t}: {only}{energy_error}")
    steps = torch.arange(t + 1.0).double().expand(chains, -1)
    traces = torch.stack([steps, values], 2).numpy()
    middle.add_collection(LineCollection(list(traces), colors=FAMILY[:chains], linewidths=1), autolim=False)
    middle.set(xlim=(0, MOVES), ylim=(low, high), xlabel="step", title=_worth(x), xticks=range(0, MOVES + 1, 50))
    seen = x[x.isfinite()].clamp(low, high).numpy()
    heights, edges = np.histogram(seen, bins=28, range=(low, high), density=True)
    right.stairs(heights, edges, fill=True, color=COLOUR["model"], alpha=0.5)
    right.plot(grid, marginal, color=COLOUR["truth"])
    right.set(xlim=(low, high), ylim=(0, 2.2 * marginal.max()), yticks=(), xlabel=f"$x_{coordinate}$")
    right.set_title("draws and truth")
    for axis in (left.xaxis, left.yaxis, middle.yaxis, right.xaxis):  # ticks are half of what a redraw costs
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    return fig
