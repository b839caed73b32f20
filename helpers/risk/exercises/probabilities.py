"""Exercises 1.7 and 1.8: the strength of a prior, the soft-max."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from helpers import risk
from helpers.exercises import Draw, Exercise, agree, args, holds, require, same

Function = Callable[..., Any]


def _same_minimum(f: Function, draw: Draw) -> None:
    sigma, m = draw.number(0.1, 3.0), draw.integer(2, 1000)
    agree(m * f(sigma, m), f(sigma), on=f"sigma = {sigma:.4g}, m = {m}")


def _is_log_prior(f: Function, draw: Draw) -> None:
    sigma, u, v = draw.number(0.3, 2.0), draw.number(-2, 2), draw.number(-2, 2)
    prior = torch.distributions.Normal(0.0, torch.tensor(sigma, dtype=torch.float64))
    drop = (prior.log_prob(torch.tensor(v).double()) - prior.log_prob(torch.tensor(u).double())).item()
    agree(f(sigma) / 2 * (u**2 - v**2), drop, rtol=1e-4, atol=1e-4)


def _share(m):  # type: ignore[no-untyped-def]
    return 1 if m is None else m


prior_strength = Exercise(
    "1.7",
    risk.prior_strength,
    checks=(
        same("for the sum: 1 / sigma^2", lambda draw: args(draw.number(0.1, 3.0))),
        same(
            "for the mean over m objects: 1 / (m sigma^2)",
            lambda draw: args(draw.number(0.1, 3.0), draw.integer(2, 1000)),
        ),
        holds("m times the mean's strength is the sum's, so both have one minimum", _same_minimum),
        holds("tau w^2 / 2 is -ln N(w; 0, sigma^2), up to a constant", _is_log_prior),
    ),
    mistakes=(
        (
            "sigma is not squared; that is the strength of a Laplace prior.",
            lambda sigma, m=None: 1 / (sigma * _share(m)),
        ),
        (
            "Upside down: a narrow prior, a small sigma, is a strong opinion and a large penalty.",
            lambda sigma, m=None: sigma**2 / _share(m),
        ),
        (
            "The 1/2 is already in the penalty tau/2 |w|^2; do not put it in again.",
            lambda sigma, m=None: 1 / (2 * sigma**2 * _share(m)),
        ),
        (
            "m is not used: the mean of -ln p is m times smaller than the sum, so the penalty has to be too.",
            lambda sigma, m=None: 1 / sigma**2,
        ),
        (
            "m goes the other way: the more objects, the less the prior matters beside their mean.",
            lambda sigma, m=None: _share(m) / sigma**2,
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


def _scores(draw: Draw) -> Tensor:
    return draw.normal(*draw.choice([(4, 3), (2, 5), (2, 3, 4)]), std=2.0)


def _shift(f: Function, draw: Draw) -> None:
    z = draw.normal(4)
    agree(f(z + draw.number(-5, 5)), f(z), rtol=1e-3, meaning="A common shift of all scores should change nothing.")
    require((f(z).sum() - 1).abs() < 1e-5, expected="probabilities that sum to 1", got=f(z))
    agree(f(z)[:2] / f(z)[:2].sum(), torch.sigmoid(torch.stack([z[0] - z[1], z[1] - z[0]])), rtol=1e-3)


def _huge(draw: Draw) -> Tensor:
    return draw.normal(4, 5) + torch.tensor([[1e4], [-1e4], [0.0], [1e4]], dtype=draw.dtype, device=draw.device)


softmax = Exercise(
    "1.8",
    risk.softmax,
    checks=(
        same("is exp(z_k) / sum_j exp(z_j) over the last dimension", _scores),
        holds("a shift of all scores changes nothing; two classes give the sigmoid", _shift),
        same("is right for scores of 1e4 and -1e4, in one batch", _huge, dtype=torch.float64),
        same(
            "and for scores that far apart",
            lambda draw: draw.signs(3, 5) * draw.uniform(3, 5, low=1e3, high=1e4),
            dtype=torch.float64,
        ),
    ),
    mistakes=(
        (
            "exp overflows to inf, and inf/inf is NaN. A common shift changes nothing: take the largest score out "
            "first.",
            lambda z: z.exp() / z.exp().sum(-1, keepdim=True),
        ),
        (
            "The maximum of the whole batch is taken out; a row far below it becomes 0/0. Each row needs its own.",
            lambda z: (z - z.max()).exp() / (z - z.max()).exp().sum(-1, keepdim=True),
        ),
        (
            "That normalises over the first dimension; each row, the last dimension, should sum to 1.",
            lambda z: F.softmax(z, 0),
        ),
        ("The whole batch sums to 1; each row should.", lambda z: F.softmax(z.flatten(), 0).reshape(z.shape)),
        ("That is the logarithm of the soft-max.", lambda z: F.log_softmax(z, -1)),
        (
            "Each score goes through a sigmoid of its own; the classes do not compete, and the sum is not 1.",
            lambda z: torch.sigmoid(z),
        ),
    ),
    hints=(
        "Divide by the sum over the last dimension; `keepdim=True` keeps the shapes together.",
        "exp(1e4) is inf. Which number may be subtracted from all scores of a row without changing the result?",
        "Subtract each row's largest score, `z.amax(-1, keepdim=True)`: then the largest exponential is 1, and "
        "none overflows.",
    ),
    why="exp(z_k - c) / sum_j exp(z_j - c) does not depend on c. With c the row's largest score every exponential "
    "is at most 1 and the sum at least 1: no overflow, no 0/0. Each row needs its own c, or rows far below the "
    "others vanish.",
    minutes=5,
    differentiable=True,
)
