"""Exercises 5.7 and 5.8: MALA's acceptance, the leapfrog."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from helpers import mcmc
from helpers.exercises import Draw, Exercise, agree, args, holds, require, same
from helpers.mcmc.state import Chain, chain

Function = Callable[..., Any]
Arguments = Any  # what args(...) makes
F64 = torch.float64


def _quartic(x: Tensor) -> Tensor:
    return -x.square().sum(1) / 2 - x.pow(4).sum(1) / 8 - x.prod(1) / 3


def _force(x: Tensor) -> Tensor:
    return chain(x, _quartic).grad


def _two_chains(draw: Draw) -> Arguments:
    n, d = draw.integer(2, 6), draw.integer(1, 4)
    return args(chain(draw.normal(n, d), _quartic), chain(draw.normal(n, d), _quartic), draw.number(0.1, 0.9))


def _there_and_back(f: Function, draw: Draw) -> None:
    x, y, eta = _two_chains(draw).positional
    agree(f(x, y, eta), -f(y, x, eta), meaning="ln r(x, y) = -ln r(y, x): one of the two moves is read wrongly.")


def _small_steps(f: Function, draw: Draw) -> None:
    eta, x = 1e-6, chain(draw.normal(200, 3), _quartic)
    y = chain(x.x + eta * x.grad + (2 * eta) ** 0.5 * draw.normal(200, 3), _quartic)
    require(f(x, y, eta).abs() < 1e-3, expected="ln r near 0 for a step of 1e-6: nearly every move is accepted")


def _log_q(b: Chain, a: Chain, eta: float, factor: float) -> Tensor:
    return -(b.x - a.x - eta * a.grad).square().sum(-1) / (factor * eta)


def _ratio(x, y, eta, *, factor=4.0, sign=1.0, swap=False):  # type: ignore[no-untyped-def]
    there, back = _log_q(y, x, eta, factor), _log_q(x, y, eta, factor)
    return y.log_prob - x.log_prob + sign * (back - there)


def _old_gradient(x, y, step_size):  # type: ignore[no-untyped-def]
    return _ratio(x, y._replace(grad=x.grad), step_size)


mala_log_acceptance = Exercise(
    "5.7",
    mcmc.mala_log_acceptance,
    checks=(
        same("is ln pi(y) + ln q(x|y) - ln pi(x) - ln q(y|x)", _two_chains, dtype=F64, times=4),
        holds("changes its sign when x and y change places", _there_and_back, dtype=F64),
        holds("is near 0 for tiny steps", _small_steps, dtype=F64),
    ),
    mistakes=(
        (
            "The noise is sqrt(2 eta) xi, of variance 2 eta, and a Gaussian has twice its variance below the square: "
            "4 eta.",
            lambda x, y, step_size: _ratio(x, y, step_size, factor=2.0),
        ),
        (
            "The proposal is not symmetric: without ln q(x|y) - ln q(y|x) detailed balance fails.",
            lambda x, y, step_size: y.log_prob - x.log_prob,
        ),
        (
            "The proposal stands upside down: the way back, q(x|y), belongs into the numerator.",
            lambda x, y, step_size: _ratio(x, y, step_size, sign=-1.0),
        ),
        (
            "The sum runs over the coordinates of a chain, `.sum(-1)`; the chains have nothing to do with each other.",
            lambda x, y, step_size: (
                y.log_prob - x.log_prob + (_log_q(x, y, step_size, 4) - _log_q(y, x, step_size, 4)).sum()
            ),
        ),
        ("The way back starts at y, so it drifts with y's gradient.", _old_gradient),
        (
            "That is ln min(1, r); asked for is ln r itself, `metropolis_accept` takes the minimum.",
            lambda x, y, step_size: _ratio(x, y, step_size).clamp(max=0),
        ),
        (
            "That is -ln r, the ratio of the move back from y to x.",
            lambda x, y, step_size: x.log_prob - y.log_prob - _log_q(x, y, step_size, 4) + _log_q(y, x, step_size, 4),
        ),
    ),
    hints=(
        "Write the proposal as a density: a Gaussian of which mean, of which variance?",
        "Its exponent is -(difference)^2 / (2 variance), and the variance is 2 eta.",
        "From a one goes to a + eta g(a) on average: q(b|a) needs the gradient of a.",
    ),
    why="The squares of y - x cancel between the two directions, which leaves one product of (g(x) + g(y)) with y - x "
    "- eta/2 (g(x) - g(y)), halved: fewer operations, and no difference of two large numbers when eta is small.",
    minutes=15,
)


def _phase(draw: Draw) -> Arguments:
    n, d = draw.integer(1, 5), draw.integer(1, 4)
    return args(_force, draw.normal(n, d), draw.normal(n, d), draw.number(0.05, 0.2), draw.integer(2, 8))


def _reversible(f: Function, draw: Draw) -> None:
    force, x, p, h, steps = _phase(draw).positional
    y, q = f(force, x, p, h, steps)
    z, r = f(force, y, -q, h, steps)
    agree(z, x, meaning="Run from the end with the momentum turned round, it does not come back.")
    agree(-r, p, meaning="The momentum does not come back.")


def _thrifty(f: Function, draw: Draw) -> None:
    force, x, p, h, steps = _phase(draw).positional
    calls: list[int] = []

    def counted(z: Tensor) -> Tensor:
        calls.append(1)
        return force(z)

    f(counted, x, p, h, steps)  # the reference, which f is held against, has steps + 1 calls of its own
    require(
        len(calls) <= 2 * (steps + 1),
        expected=f"at most {steps + 1} gradients for {steps} steps",
        got=f"{len(calls) - steps - 1}",
    )


def _kicks(gradient, x, p, h, steps, *, first, between, last):  # type: ignore[no-untyped-def]
    p = p + first * h * gradient(x)
    for i in range(steps):
        x = x + h * p
        p = p + (between if i < steps - 1 else last) * h * gradient(x)
    return x, p


def _kicked(first: float, between: float, last: float, *, once: bool = False) -> Function:
    return lambda gradient, x, p, step_size, steps: _kicks(
        gradient, x, p, step_size, 1 if once else steps, first=first, between=between, last=last
    )


def _euler(gradient, x, p, step_size, steps):  # type: ignore[no-untyped-def]
    for _ in range(steps):
        x, p = x + step_size * p, p + step_size * gradient(x)
    return x, p


def _flipped(gradient, x, p, step_size, steps):  # type: ignore[no-untyped-def]
    x, p = _kicks(gradient, x, p, step_size, steps, first=0.5, between=1.0, last=0.5)
    return x, -p


def _position_first(gradient, x, p, step_size, steps):  # type: ignore[no-untyped-def]
    x = x + step_size / 2 * p
    for i in range(steps):
        p = p + step_size * gradient(x)
        x = x + (step_size if i < steps - 1 else step_size / 2) * p
    return x, p


def _wasteful(gradient, x, p, step_size, steps):  # type: ignore[no-untyped-def]
    for _ in range(steps):
        p = p + step_size / 2 * gradient(x)
        x = x + step_size * p
        p = p + step_size / 2 * gradient(x)
    return x, p


leapfrog = Exercise(
    "5.8",
    mcmc.leapfrog,
    checks=(
        same("is half a kick, a drift, half a kick, `steps` times", _phase, dtype=F64, times=4),
        holds("comes back when the momentum is turned round", _reversible, dtype=F64),
        holds("calls the gradient no more than steps + 1 times", _thrifty, dtype=F64),
    ),
    mistakes=(
        ("That is Euler's method: it moves x and p at once, from the same place, and gains energy.", _euler),
        (
            "Whole kicks before each drift: symplectic Euler, which keeps volume and is not reversible.",
            _kicked(1.0, 1.0, 0.0),
        ),
        ("The last half kick is missing: x is right, p is half a step behind.", _kicked(0.5, 1.0, 0.0)),
        ("The last kick is half a kick: there is no other half after it.", _kicked(0.5, 1.0, 1.0)),
        ("That is one step; `steps` of them are asked for.", _kicked(0.5, 1.0, 0.5, once=True)),
        ("Half a drift at the ends and whole kicks between: as good an integrator, and another one.", _position_first),
        ("Between two drifts there are two half kicks, a whole one.", _kicked(0.5, 0.5, 0.5)),
        ("The force is + grad log pi: it pulls towards the mode.", _kicked(-0.5, -1.0, -0.5)),
        ("The momentum comes out turned round. HMC may do that, but it is not part of the leapfrog.", _flipped),
        (
            "The right place, with twice the gradients: the half kicks on either side of a place are one kick.",
            _wasteful,
        ),
    ),
    hints=(
        "Half a kick, then drift and whole kick in turn, and half a kick at the end.",
        "In the loop: `x = x + h * p`, then `p = p + h * gradient(x)`, but only h/2 in the last round.",
        "`x += ...` would change the caller's tensor.",
    ),
    why="Half kicks at both ends make the scheme symmetric in time, hence reversible and of second order. The inner "
    "pairs are taken together, so a path of `steps` steps costs steps + 1 gradients, and HMC already knows the first.",
)
