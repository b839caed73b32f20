"""Exercise 5.7: MALA's acceptance."""

from __future__ import annotations

import math

from helpers import mcmc
from helpers.exercises import Arguments, Draw, Exercise, agree, args, holds, require, same
from helpers.mcmc.exercises.common import F64, Function, quartic
from helpers.mcmc.state import Chain, chain


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
    eta, x = 1e-6, chain(draw.normal(200, 3), quartic)
    y = chain(x.x + eta * x.grad + (2 * eta) ** 0.5 * draw.normal(200, 3), quartic)
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
        (
            "Below the square stands twice the variance, not its square.",
            {"(4 * step_size)": "(4 * step_size**2)"},
        ),
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
    why="Two calls of one density, there and back, each from its own end with its own gradient. `mala_step` itself "
    "uses the same ratio multiplied out: the squares of y - x cancel, which saves work and a difference of two large "
    "numbers when eta is small.",
    minutes=15,
)
