"""Section 13: every sampler on every target, with one budget; and the lines of its table."""

import math
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Generator, Tensor

from helpers import runtime
from helpers.mcmc import diagnostics, targets
from helpers.mcmc.sampling import Draws, Step, sample, tune_step_size
from helpers.mcmc.targets import Target

BEST = {"random walk": 0.25, "MALA": 0.574, "HMC": 0.8}
"""The acceptance that a sampler is tuned to; ULA, which refuses nothing, takes MALA's step."""

COST = {"HMC": 8}
"""Evaluations per draw where it is not one; a Gibbs sweep costs d conditionals."""


def goals() -> dict[str, Target]:
    """Four targets with known moments: a correlated Gaussian, a banana, a funnel, two modes."""
    two = torch.tensor([[-2.0, 0.0], [2.0, 0.0]], dtype=torch.float64)
    return {
        "Gaussian": targets.correlated_gaussian(10, 0.8),
        "banana": targets.banana(scale=1.5),
        "funnel": targets.funnel(10, scale=3.0),
        "mixture": targets.mixture(two, weights=torch.tensor([0.3, 0.7])),
    }


def quietly(run: Callable[..., Draws], *args: Any, **options: Any) -> Draws:
    """run(...) without its warning of divergences, for a place that shows them itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return run(*args, **options)


def contest(goal: Target, name: str, step: Step, budget: int, *, generator: Generator | None) -> Draws:
    """64 chains from the target, the step size tuned (ULA's as MALA's), and the draws that `budget` evaluations buy."""
    from helpers.mcmc import mala_step

    eta, goes = None, mala_step if name == "ULA" else step
    if name != "Gibbs":
        target = BEST.get(name, BEST["MALA"])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            eta, _ = tune_step_size(goes, goal, goal.draw(64, generator), target=target, steps=60, generator=generator)
    draws = budget // (len(goal.mean) if name == "Gibbs" else COST.get(name, 1))
    return quietly(sample, step, goal, goal.draw(64, generator), draws, step_size=eta, generator=generator)


def score(goal: Target, run: Draws, budget: int) -> tuple[float, float, float]:
    """Worst bulk ESS per chain and 1,000 evaluations; relative error of E x_1^2 and its standard error."""
    truth = float((goal.variance + goal.mean.square())[0])
    per_chain = run.x[..., 0].square().mean(1) / truth
    worth = float(diagnostics.bulk_ess(run.x).min()) / len(run.x) / budget * 1000
    return worth, float(per_chain.mean()) - 1, float(per_chain.std()) / math.sqrt(len(run.x))


def per_gradient(goal: Target, step: Step, *, draws: int = 200, generator: Generator | None) -> float:
    """Worst bulk ESS of the x_i and the x_i^2 per 1,000 gradients: 32 chains from the target, the step size tuned to an
    acceptance of 0.8 and varied by a fifth, so that no path of one length is resonant for long."""
    eta, _ = tune_step_size(step, goal, goal.draw(32, generator), target=0.8, steps=60, generator=generator)

    def varied(t: int) -> float:
        return eta * (1 + 0.2 * math.sin(2.0 * t))

    run = quietly(sample, step, goal, goal.draw(32, generator), draws, step_size=varied, generator=generator)
    worth = min(float(diagnostics.bulk_ess(f).min()) for f in (run.x, run.x.square()))
    return worth / 32 / run.gradients * 1000


def head() -> str:
    """The head of the table; a time, never the same twice, only where it is not stored."""
    clock = "" if runtime.building() else f"{'ESS per s':>11}"
    first = f"{'':<22}{'evaluated':>10}{'ESS per 1,000':>15}{'error of E x^2':>16}"
    return first + f"{'se':>9}{'accepted':>10}{'divergent':>11}{clock}"


def row(where: str, name: str, goal: Target, run: Draws, budget: int) -> str:
    """One line: D densities, G gradients or C conditionals per chain, worth, error, acceptance, divergent moves."""
    kind = (
        f"{run.gradients:,.0f} G" if run.gradients else f"{run.densities:,.0f} D" if run.densities else f"{budget:,} C"
    )
    line, lost = f"{where:<10}{name:<12}{kind:>10}", int(run.divergent.sum())
    if not run.x.isfinite().all():
        return line + f"{'runs away to infinity':>40}{'':>10}{lost:>11}"
    worth, *error = score(goal, run, budget)
    off, about = (f"{v:.2f}" if abs(v) < 100 else f"{v:.0e}" for v in error)
    clock = "" if runtime.building() else f"{worth * budget / 1000 * len(run.x) / run.seconds:>11,.0f}"
    return line + f"{worth:>15.1f}{off:>16}{about:>9}{run.acceptance.mean():>10.2f}{lost:>11}{clock}"


def schools_plane(forms: Mapping[str, Draws]) -> list[Tensor]:
    """(theta_1, ln tau) of the draws and of the divergences, of the centred run and of the non-centred one."""
    planes = []
    for name, run in forms.items():
        for x in (run.x[:, ::4].flatten(0, 1), run.lost):
            theta = x[:, 2] if name == "centred" else x[:, 0] + x[:, 1].exp() * x[:, 2]
            planes.append(torch.stack([theta, x[:, 1]], 1))
    return planes
