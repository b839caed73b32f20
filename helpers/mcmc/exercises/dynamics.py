"""Exercises 5.7 and 5.8: MALA's acceptance, the leapfrog."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from helpers import mcmc
from helpers.exercises import Arguments, Draw, Exercise, agree, args, holds, require, same
from helpers.mcmc.exercises.samplers import F64, Function
from helpers.mcmc.state import Chain, chain


def _quartic(x: Tensor) -> Tensor:
    return -x.square().sum(1) / 2 - x.pow(4).sum(1) / 8 - x.prod(1) / 3


def _force(x: Tensor) -> Tensor:
    return chain(x, _quartic).grad


def _two_chains(draw: Draw) -> Arguments:
    """x, log_prob and grad unrelated, so that nothing can be computed from another: ln r is a formula of all six."""
    n, d = draw.choice([(1, 3), (2, 5), (5, 5), (6, 3), (3, 1)])
    x, y = (Chain(draw.normal(n, d), draw.normal(n), draw.normal(n, d)) for _ in range(2))
    return args(x, y, draw.number(0.05, 0.9))


def _at_the_border(draw: Draw) -> Arguments:
    """A chain that leaves the support, one whose density is NaN, one whose gradient is; two that are well."""
    x, y, eta = draw.normal(5, 2), draw.normal(5, 2), draw.number(0.1, 0.9)
    log_prob, grad = draw.normal(5), draw.normal(5, 2)
    log_prob[0], log_prob[1], grad[2, 0] = -math.inf, math.nan, math.nan
    return args(Chain(x, draw.normal(5), draw.normal(5, 2)), Chain(y, log_prob, grad), eta)


def _there_and_back(f: Function, draw: Draw) -> None:
    x, y, eta = _two_chains(draw).positional
    agree(f(x, y, eta), -f(y, x, eta), meaning="ln r(x, y) = -ln r(y, x): one of the two moves is read wrongly.")


def _small_steps(f: Function, draw: Draw) -> None:
    eta, x = 1e-6, chain(draw.normal(200, 3), _quartic)
    y = chain(x.x + eta * x.grad + (2 * eta) ** 0.5 * draw.normal(200, 3), _quartic)
    require(f(x, y, eta).abs() < 1e-3, expected="ln r near 0 for a step of 1e-6: nearly every move is accepted")


RATIO = "y.log_prob + log_q(x, y) - x.log_prob - log_q(y, x)"

mala_log_acceptance = Exercise(
    "5.7",
    mcmc.mala_log_acceptance,
    checks=(
        same(
            "is ln pi(y) + ln q(x|y) - ln pi(x) - ln q(y|x), chain by chain",
            _two_chains,
            meaning="q(b|a) is a Gaussian about a + eta g(a) of variance 2 eta in each coordinate, summed over the "
            "coordinates of a chain.",
        ),
        same(
            "is -inf where the density at y is 0, and NaN in the chains with a NaN only",
            _at_the_border,
            meaning="Nothing is repaired or clamped here: `metropolis_accept` refuses NaN and -inf.",
        ),
        holds(
            "changes its sign when x and y change places",
            _there_and_back,
            meaning="ln r(x, y) = -ln r(y, x).",
        ),
        holds(
            "is near 0 for tiny steps",
            _small_steps,
            dtype=F64,
            meaning="As eta goes to 0, MALA refuses nothing: the exponent of q is wrong.",
        ),
    ),
    mistakes=(
        (
            "The noise is sqrt(2 eta) xi, of variance 2 eta, and a Gaussian has twice its variance below the square: "
            "4 eta.",
            {"(4 * step_size)": "(2 * step_size)"},
        ),
        ("Below the square stands twice the variance 2 eta, that is 4 eta: eta is missing.", {"(4 * step_size)": "4"}),
        ("Divided, not multiplied, by 4 eta: mind the brackets.", {"/ (4 * step_size)": "/ 4 * step_size"}),
        ("Below the square stands twice the variance 2 eta: not 8 eta.", {"(4 * step_size)": "(8 * step_size)"}),
        ("Below the square stands twice the variance 2 eta, and not its square.", {"(4 * step_size)": "(4 * step_size**2)"}),
        (
            "The proposal is not symmetric: without ln q(x|y) - ln q(y|x) detailed balance fails.",
            {RATIO: "y.log_prob - x.log_prob"},
        ),
        ("ln pi(y) - ln pi(x) is missing.", {RATIO: "log_q(x, y) - log_q(y, x)"}),
        (
            "The proposal stands upside down: the way back, q(x|y), belongs into the numerator.",
            {RATIO: "y.log_prob + log_q(y, x) - x.log_prob - log_q(x, y)"},
        ),
        (
            "The sum runs over the coordinates of a chain, `.sum(-1)`; the chains have nothing to do with each other.",
            {".sum(1)": ".sum()"},
        ),
        ("The squares of the coordinates are added, not averaged.", {".sum(1)": ".mean(1)"}),
        ("That is the distance; the exponent has its square.", {".square().sum(1)": ".square().sum(1).sqrt()"}),
        (
            "The way back starts at y, so it drifts with y's gradient.",
            {"log_q(x, y)": "log_q(x, y._replace(grad=x.grad))"},
        ),
        (
            "q(b|a) starts at a: the drift is eta g(a), not eta g(b).",
            {"a.grad": "b.grad"},
        ),
        ("From a one goes to a + eta g(a): subtract both from b.", {"- step_size * a.grad": "+ step_size * a.grad"}),
        ("The mean of the move is a + eta g(a): the whole eta.", {"step_size * a.grad": "step_size / 2 * a.grad"}),
        (
            "That is ln min(1, r); asked for is ln r itself, `metropolis_accept` takes the minimum.",
            {RATIO: f"({RATIO}).clamp(max=0)"},
        ),
        (
            "That is -ln r, the ratio of the move back from y to x.",
            {RATIO: f"-({RATIO})"},
        ),
        ("That is r; asked for is its logarithm.", {RATIO: f"({RATIO}).exp()"}),
        (
            "NaN and -inf are handed on: `metropolis_accept` knows what to do with them.",
            {RATIO: f"({RATIO}).nan_to_num()"},
        ),
    ),
    hints=(
        "Write the proposal as a density: a Gaussian of which mean, of which variance?",
        "Its exponent is -(difference)^2 / (2 variance), and the variance is 2 eta.",
        "From a one goes to a + eta g(a) on average: q(b|a) needs the gradient of a.",
    ),
    why="Two calls of one density, there and back, each from its own end with its own gradient. `mala_step` itself uses "
    "the same ratio multiplied out: the squares of y - x cancel, which saves work and a difference of two large "
    "numbers when eta is small.",
    minutes=15,
)


def _phase(draw: Draw) -> Arguments:
    n, d, steps = draw.choice([(1, 1, 2), (3, 2, 1), (4, 3, 5), (2, 1, 1), (5, 4, 8)])
    return args(_force, draw.normal(n, d), draw.normal(n, d), draw.number(0.05, 0.2), steps)


def _reversible(f: Function, draw: Draw) -> None:
    force, x, p, h, steps = _phase(draw).positional
    y, q = f(force, x, p, h, steps)
    z, r = f(force, y, -q, h, steps)
    agree(z, x, rtol=1e-5, atol=1e-5, meaning="Run from the end with the momentum turned round, it does not come back.")
    agree(-r, p, rtol=1e-5, atol=1e-5, meaning="The momentum does not come back.")


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


def _wasteful(gradient: Any, x: Any, p: Any, step_size: Any, steps: Any) -> Any:
    for _ in range(steps):
        p = p + step_size / 2 * gradient(x)
        x = x + step_size * p
        p = p + step_size / 2 * gradient(x)
    return x, p


FIRST, KICK = "step_size / 2 * gradient(x)\n", "(step_size if i < steps - 1 else step_size / 2)"
FLOW, MOVED = "for i in range(steps):", "x = x + step_size * p"

leapfrog = Exercise(
    "5.8",
    mcmc.leapfrog,
    checks=(
        same(
            "is half a kick, a drift, half a kick, `steps` times",
            _phase,
            meaning="Half a kick; then drift and whole kick in turn; half a kick at the end; and x comes first: (x, p).",
        ),
        holds(
            "comes back when the momentum is turned round",
            _reversible,
            meaning="The scheme must read the same from both ends.",
        ),
        holds(
            "calls the gradient no more than steps + 1 times",
            _thrifty,
            meaning="The gradient after one drift serves both half kicks around it: keep it.",
        ),
    ),
    mistakes=(
        ("p comes out first; asked for is (x, p).", {"return x, p": "return p, x"}),
        (
            "That is Euler's method: it moves x and p at once, from the same place, and gains energy.",
            {
                f"p + {FIRST}": "p\n",
                f"{MOVED}\n": "x, p = x + step_size * p, p + step_size * gradient(x)\n",
                f"p = p + {KICK} * gradient(x)": "pass",
            },
        ),
        (
            "Whole kicks before each drift: symplectic Euler, which keeps volume and is not reversible.",
            {FIRST: "step_size * gradient(x)\n", KICK: "(step_size if i < steps - 1 else 0)"},
        ),
        (
            "Whole kicks after each drift: symplectic Euler, which keeps volume and is not reversible.",
            {FIRST: "0 * gradient(x)\n", KICK: "step_size"},
        ),
        (
            "The last half kick is missing: x is right, p is half a step behind.",
            {KICK: "(step_size if i < steps - 1 else 0)"},
        ),
        ("The last kick is half a kick: there is no other half after it.", {KICK: "step_size"}),
        ("The first half kick is missing.", {FIRST: "0 * gradient(x)\n"}),
        ("That is one step; `steps` of them are asked for.", {FLOW: "for i in range(steps - 1, steps):"}),
        (
            "Half a drift at the ends and whole kicks between: as good an integrator, and another one.",
            {
                f"p = p + {FIRST}": "x = x + step_size / 2 * p\n",
                f"{MOVED}\n": "p = p + step_size * gradient(x)\n",
                f"p = p + {KICK} * gradient(x)": f"x = x + {KICK} * p",
            },
        ),
        ("Between two drifts there are two half kicks, a whole one.", {KICK: "(step_size / 2)"}),
        (
            "Every kick is a whole one; the first and the last are halves.",
            {FIRST: "step_size * gradient(x)\n", KICK: "step_size"},
        ),
        ("x drifts with the whole step h, not half of it.", {MOVED: "x = x + step_size / 2 * p"}),
        (
            "The force is + grad log pi: it pulls towards the mode.",
            {"= p + step_size": "= p - step_size", "p + (step": "p - (step"},
        ),
        (
            "The momentum comes out turned round. HMC may do that, but it is not part of the leapfrog.",
            {"return x, p": "return x, -p"},
        ),
        (
            "The right place, with twice the gradients: the half kicks on either side of a place are one kick.",
            _wasteful,
        ),
        (
            "The kick after a drift uses the gradient at the new x: evaluate it again.",
            {f"p + {FIRST}": f"p + {FIRST}    kept = gradient(x)\n", f"{KICK} * gradient(x)": f"{KICK} * kept"},
        ),
        ("x drifts with the momentum as it is now, after the kick.", {f"p = p + {FIRST}": f"old, p = p, p + {FIRST}",
                                                                       MOVED: "x, old = x + step_size * old, p"}),  # fmt: skip
    ),
    hints=(
        "Half a kick, then drift and whole kick in turn, and half a kick at the end.",
        "In the loop: `x = x + h * p`, then `p = p + h * gradient(x)`, but only h/2 in the last round.",
        "`x += ...` would change the caller's tensor.",
    ),
    why="Half kicks at both ends make the scheme symmetric in time, hence reversible and of second order. The inner "
    "pairs are taken together, so a path of `steps` steps costs steps + 1 gradients, and HMC already knows the first.",
)
