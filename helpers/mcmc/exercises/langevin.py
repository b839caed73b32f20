"""Exercise 5.6: a step along the gradient."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from helpers import mcmc
from helpers.exercises import Draw, Exercise, agree, holds, require
from helpers.mcmc.exercises.common import F64, Function, N, Z, obeys, standard
from helpers.mcmc.state import Chain, chain, moved


def _target(draw: Draw, d: int) -> Callable[[Tensor], Tensor]:
    mean, precision = draw.normal(d), draw.uniform(d, low=0.5, high=2.0)
    return lambda x: -(precision.to(x) * (x - mean.to(x)).square()).sum(1) / 2


def _moved(f: Function, draw: Draw) -> tuple[Chain, Tensor, float]:
    """Where the chains stood, what should be standard noise (n, d), and eta; starts far from the mode."""
    d, eta = draw.choice([1, 2, 3]), draw.number(0.2, 0.3)
    log_prob = _target(draw, d)
    s = chain(draw.normal(N, d, mean=2.0, std=2.0), log_prob)
    state, _ = f(log_prob, s, step_size=eta, generator=draw.generator())
    return s, (state.x - s.x - eta * s.grad) / math.sqrt(2 * eta), eta


def _drift(f: Function, draw: Draw) -> None:
    s, xi, _ = _moved(f, draw)
    along = s.grad / s.grad.square().mean(0).sqrt()
    scores = torch.stack([xi.mean(0), (xi * along).mean(0)]).abs() * math.sqrt(N) / xi.std(0).clamp(min=1)
    require(
        scores < Z,
        expected="y - x - eta g(x) of mean 0 and without correlation to g(x)",
        got=f"correlations {[round(v, 2) for v in (xi * along).mean(0).tolist()]} with g(x)",
    )


def _spread(f: Function, draw: Draw) -> None:
    _, xi, eta = _moved(f, draw)
    got = f"variances {(2 * eta * xi.var(0)).tolist()} for {eta=:.3f}"
    require(standard(xi) < Z, expected="noise of variance 2 eta, independent", got=got)


def _new_state(f: Function, draw: Draw) -> None:
    log_prob = _target(draw, 3)
    s = chain(draw.normal(draw.choice([1, 5, 200]), 3), log_prob)
    state, info = f(log_prob, s, step_size=0.3, generator=draw.generator())
    fresh, events = moved(chain(state.x, log_prob), gradients=1)
    for name, got, expected in zip(state._fields, state, fresh, strict=True):
        agree(got, expected, meaning=f"{name} must be that at the new x: `chain(y, log_prob)`.")
    for name, got, expected in zip(info._fields, tuple[Any, ...](info), tuple[Any, ...](events), strict=True):
        agree(got, expected, meaning=f"info.{name}: return `moved(chain(y, log_prob), gradients=1)`.")


def _generator(f: Function, draw: Draw) -> None:
    log_prob = _target(draw, 2)
    obeys(f, draw, log_prob, chain(draw.normal(9, 2), log_prob), step_size=0.3)


DRIFT, SPREAD = "step_size * s.grad", "math.sqrt(2 * step_size)"
MOVE, NEW = f"s.x + {DRIFT} + {SPREAD} * noise(s.x, generator)", "chain(y, log_prob)"

ula_step = Exercise(
    "5.6",
    mcmc.ula_step,
    checks=(
        holds(
            "moves by eta g(x) on average",
            _drift,
            dtype=F64,
            meaning="The mean move is eta times each chain's own gradient, s.grad.",
        ),
        holds(
            "adds noise of variance 2 eta, fresh for every chain and coordinate",
            _spread,
            dtype=F64,
            meaning="sqrt(2 eta) xi with xi = noise(s.x, generator), one xi for each chain and coordinate.",
        ),
        holds(
            "returns the density and the gradient at the new place, and what the step cost",
            _new_state,
            times=9,
            dtype=F64,
            meaning="`return moved(chain(y, log_prob), gradients=1)` makes both.",
        ),
        holds(
            "draws from its generator",
            _generator,
            dtype=F64,
            meaning="`noise(s.x, generator)`.",
        ),
    ),
    mistakes=(
        (
            "Two things come back, (state, info): `moved(chain(y, log_prob), gradients=1)` makes both.",
            {f"moved({NEW}, gradients=1)": "y"},
        ),
        ("The chains stay where they are: y = x + eta g(x) + sqrt(2 eta) xi.", {MOVE: "s.x"}),
        (
            "The sign of the drift is flipped: that goes downhill, away from where the density is.",
            {f"+ {DRIFT}": f"- {DRIFT}"},
        ),
        ("There is no drift: that is the random walk, and it accepts everything.", {f"+ {DRIFT}": ""}),
        ("The drift is eta times the gradient; eta is missing.", {DRIFT: "s.grad"}),
        (
            "So write Welling and Teh, epsilon/2 and sqrt(epsilon): with epsilon = eta it is our step eta/2.",
            {DRIFT: f"{DRIFT} / 2", SPREAD: "math.sqrt(step_size)"},
        ),
        (
            "Half the gradient goes with the noise sqrt(eta) of Welling and Teh; with sqrt(2 eta) it is too hot.",
            {DRIFT: f"{DRIFT} / 2"},
        ),
        (
            "sqrt(eta) instead of sqrt(2 eta): the chain samples pi^2, a target of half the temperature.",
            {SPREAD: "math.sqrt(step_size)"},
        ),
        (
            "2 eta is the variance of the noise; xi is multiplied by its square root.",
            {SPREAD: "(2 * step_size)"},
        ),
        ("The 2 belongs under the root: sqrt(2 eta), not 2 sqrt(eta).", {SPREAD: "2 * math.sqrt(step_size)"}),
        ("There is no noise: that is gradient ascent.", {SPREAD: "0"}),
        (
            "All chains got the same noise: they must be independent.",
            {"noise(s.x, generator)": "noise(s.x[:1], generator)"},
        ),
        (
            "All coordinates of a chain got the same noise.",
            {"noise(s.x, generator)": "noise(s.x[:, :1], generator)"},
        ),
        ("The gradient is averaged over the chains; each goes along its own.", {"s.grad +": "s.grad.mean(0) +"}),
        (
            "The noise does not come from `generator`: hand it on to everything that draws.",
            {"noise(s.x, generator)": "noise(s.x, None)"},
        ),
        (
            "The new state carries the density and gradient of the old place: `chain(y, log_prob)` evaluates anew.",
            {NEW: "s._replace(x=y)"},
        ),
        (
            "The new state has no gradient, which the next step needs: `chain(y, log_prob)` evaluates it.",
            {NEW: "chain(y, log_prob, gradient=False)"},
        ),
        ("The step costs one gradient per chain, and says so: `moved(..., gradients=1)`.", {", gradients=1": ""}),
    ),
    hints=(
        "`s.grad` is already the gradient at s.x; nothing has to be differentiated before the move.",
        "`y = s.x + step_size * s.grad + math.sqrt(2 * step_size) * noise(s.x, generator)`",
        "`return moved(chain(y, log_prob), gradients=1)`",
    ),
    why="The state carries its gradient, so one step costs one gradient, at the new place, for the next step. sqrt(2 "
    "eta) is what balances the drift in the Fokker-Planck equation; any other factor is another temperature.",
)
