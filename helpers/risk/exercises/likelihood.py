"""Exercises 1.3 and 1.7: the Gaussian log-likelihood, the strength of a prior."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from helpers import risk
from helpers.exercises import Arguments, Draw, Exercise, agree, args, holds, same
from helpers.risk.exercises.losses import slope

Function = Callable[..., Any]


def _moment(f: Function, draw: Draw, sigma: float, power: int) -> Tensor:
    """E u^power of u = y - mean under exp f, by the trapezoid rule; exact for wrong widths too."""
    mean, edge = draw.number(-1, 1), 12 * max(1, sigma**2)
    u = torch.linspace(-edge, edge, 8001, dtype=draw.dtype, device=draw.device)
    return torch.trapezoid(u**power * f(mean + u, mean, sigma).exp(), u)


def _integrates(f: Function, draw: Draw) -> None:
    for sigma in (draw.number(0.2, 0.7), draw.number(1.5, 4.0), 1):
        total = _moment(f, draw, sigma, 0)
        agree(total, torch.ones_like(total), rtol=1e-9, on=f"sigma = {sigma:.4g}")


def _has_variance(f: Function, draw: Draw) -> None:
    for sigma in (draw.number(0.2, 0.7), draw.number(1.5, 4.0)):
        variance = _moment(f, draw, sigma, 2)
        agree(variance, torch.full_like(variance, sigma**2), rtol=1e-9, on=f"sigma = {sigma:.4g}")


def _peak(f: Function, draw: Draw) -> None:
    for sigma in (1, 1e-4, 1e-8):
        y = torch.full((2,), 0.5, dtype=draw.dtype, device=draw.device)
        agree(f(y, 0.5, sigma), torch.full_like(y, -math.log(sigma) - math.log(2 * math.pi) / 2), rtol=1e-12)


def _observations(draw: Draw) -> Arguments:
    shape = draw.choice([(6,), (3, 4), (2, 3, 4), ()])
    return args(draw.normal(*shape, std=draw.choice([1.0, 100.0])), draw.normal(*shape), draw.number(0.2, 3.0))


def _score(f: Function, draw: Draw) -> None:
    y, mean, sigma = draw.normal(5).requires_grad_(), draw.normal(5).requires_grad_(), draw.number(0.2, 3.0)
    expected = (mean.detach() - y.detach()) / sigma**2
    agree(slope(f(y, mean, sigma), y), expected)
    agree(slope(f(y, mean, sigma), mean), -expected)


gaussian_log_likelihood = Exercise(
    "1.3",
    risk.gaussian_log_likelihood,
    checks=(
        holds(
            "its exponential integrates to 1 for every sigma",
            _integrates,
            dtype=torch.float64,
            meaning="The constant under the logarithm does not belong to the exponent. The integral of exp(-(y - "
            "mean)^2 / (2 sigma^2)) over y is sqrt(2 pi) sigma: divide by that.",
        ),
        holds(
            "its exponential has the variance sigma^2",
            _has_variance,
            dtype=torch.float64,
            meaning="It integrates to 1 but is too wide or too narrow: sigma is the standard deviation, and the "
            "exponent is -(y - mean)^2 / (2 sigma^2).",
        ),
        holds(
            "at y = mean it is -ln(sigma sqrt(2 pi)), which grows without end as sigma goes to 0",
            _peak,
            dtype=torch.float64,
            meaning="A small number added to sigma or inside the logarithm, a clamp, or a step in float32 changes the "
            "value for small sigma.",
        ),
        same(
            "is ln N(y; mean, sigma^2), elementwise",
            _observations,
            meaning="One log-density for each y, in the shape of y, and each has the mean at its own place. Far out it "
            "is a large negative number: the logarithm of exp(...) would be -inf there.",
        ),
        holds(
            "its slope is (mean - y) / sigma^2 in y and the opposite in the mean",
            _score,
            meaning="The values are right, the graph is not: some step cuts it off from y or from the mean, and a "
            "posterior could not be maximised over them.",
        ),
    ),
    mistakes=(
        (
            "That is the flaw itself: sigma is not squared under the logarithm, so the density integrates to "
            "sqrt(sigma), and to 1 only for sigma = 1.",
            {"math.pi * sigma**2": "math.pi * sigma"},
        ),
        (
            "It integrates to 1, but sigma is taken for the variance in both places; sigma is the standard deviation.",
            {"(2 * sigma**2)": "(2 * sigma)", "math.pi * sigma**2": "math.pi * sigma"},
        ),
        (
            "The 2 pi is missing: the integral of exp(-z^2 / 2) is sqrt(2 pi), not 1.",
            {"2 * math.pi * sigma**2": "sigma**2"},
        ),
        (
            "The factor 1/2 before the logarithm is missing: the normaliser is the square root of 2 pi sigma^2.",
            {"0.5 * math": "math"},
        ),
        (
            "The normaliser is added; it divides the density, so its logarithm is subtracted.",
            {"- 0.5": "+ 0.5"},
        ),
        (
            "That is the loss, -ln p; the log-likelihood has the other sign.",
            {"return -(": "return (", "- 0.5": "+ 0.5"},
        ),
        (
            "That is the density; its logarithm is asked for.",
            {"return -": "return torch.exp(-", "math.pi * sigma**2)": "math.pi * sigma**2))"},
        ),
    ),
    hints=(
        "Look at the printed integrals for sigma = 0.5, 1 and 2. Which simple function of sigma are they?",
        "Substitute z = (y - mean)/sigma in the integral of exp(-(y - mean)^2 / (2 sigma^2)): what stands before "
        "the integral over z?",
        "The integral is sqrt(2 pi) sigma = sqrt(2 pi sigma^2). Take its logarithm and compare with the constant "
        "in the flawed function.",
    ),
    why="The normaliser is sqrt(2 pi sigma^2); the flawed line divides by sqrt(2 pi sigma). The factor is the same "
    "for all y and all means, so least squares never shows it, but it shifts the likelihood of one sigma against "
    "another. Whatever else a density does, it integrates to 1: test that first.",
    minutes=5,
    differentiable=True,
)


def _same_minimum(f: Function, draw: Draw) -> None:
    sigma, m = draw.number(0.1, 3.0), draw.choice([1, 2, 60_000])
    agree(m * f(sigma, m=m), f(sigma), rtol=1e-6, on=f"sigma = {sigma:.4g}, m = {m}")


def _is_log_prior(f: Function, draw: Draw) -> None:
    sigma, u, v = draw.choice([0.04, 3, draw.number(0.3, 2.0)]), draw.number(1, 2), draw.number(-1, 0)
    log_prior = [-(w**2) / (2 * sigma**2) for w in (u, v)]  # up to a constant
    agree(f(sigma) / 2 * (u**2 - v**2), log_prior[1] - log_prior[0], rtol=1e-6, on=f"sigma = {sigma:.4g}")


prior_strength = Exercise(
    "1.4",
    risk.prior_strength,
    checks=(
        same(
            "for the sum: 1 / sigma^2",
            lambda draw: args(draw.choice([draw.number(0.1, 3.0), 0.25, 3])),
            meaning="-ln N(w; 0, sigma^2) is w^2 / (2 sigma^2) up to a constant, and the penalty is tau w^2 / 2: "
            "compare the factors of w^2. A plain number comes back.",
        ),
        same(
            "for the mean over m objects: 1 / (m sigma^2)",
            lambda draw: args(draw.number(0.1, 3.0), draw.choice([draw.integer(2, 1000), 1, 60_000])),
            meaning="Divide the whole objective, losses and penalty, by m, once: what was tau becomes tau / m.",
        ),
        holds(
            "m times the mean's strength is the sum's, so both have one minimum",
            _same_minimum,
            meaning="The mean of the losses is the sum divided by m, and the penalty has to be divided by m too, or "
            "the two objectives have different minima.",
        ),
        holds(
            "tau w^2 / 2 is -ln N(w; 0, sigma^2), up to a constant",
            _is_log_prior,
            meaning="The penalty does not have the curvature of the prior, 1 / sigma^2.",
        ),
    ),
    mistakes=(
        (
            "Upside down: a narrow prior, a small sigma, is a strong opinion and a large penalty.",
            {"1 / (sigma**2 * (1 if m is None else m))": "sigma**2 / (1 if m is None else m)"},
        ),
        ("sigma is not squared; that is the strength of a Laplace prior.", {"sigma**2": "sigma"}),
        (
            "The 1/2 is already in the penalty tau/2 |w|^2; do not put it in again.",
            {"1 / (sigma": "1 / (2 * sigma"},
        ),
        (
            "m is not used: the mean of -ln p is m times smaller than the sum, so the penalty has to be too.",
            {"(1 if m is None else m)": "1"},
        ),
        (
            "Without m nothing is divided: the sum of -ln p has tau = 1 / sigma^2. `m=None` is the default for that.",
            {"(1 if m is None else m)": "m"},
        ),
        (
            "m goes the other way: the more objects, the less the prior matters beside their mean.",
            {"* (1 if m is None else m)": "/ (1 if m is None else m)"},
        ),
    ),
    hints=(
        "Write down -ln N(w; 0, sigma^2), drop what does not depend on w, and compare with tau/2 |w|^2.",
        "That was for the sum of -ln p. Divide the whole objective by m: what becomes of the penalty?",
        "`m is None` tells the two cases apart.",
    ),
    why="-ln N(w; 0, sigma^2 I) = |w|^2 / (2 sigma^2) + const, so tau = 1/sigma^2 beside the sum of the losses. "
    "Dividing the objective by m does not move its minimum, but it divides the penalty as well: tau = 1/(m "
    "sigma^2) beside the mean. Mixing the two up is a prior that is wrong by a factor of m.",
    minutes=5,
)
