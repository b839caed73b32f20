"""Exercise 1.5: the soft-max."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from helpers import risk
from helpers.exercises import Draw, Exercise, agree, holds, same
from helpers.risk.exercises.losses import slope

Function = Callable[..., Any]


def _scores(draw: Draw) -> Tensor:
    return draw.normal(*draw.choice([(4, 3), (3, 3), (2, 3, 4), (5,)]), std=2.0)


def _shift(f: Function, draw: Draw) -> None:
    z = draw.normal(3, 4)
    shifted = f(z + torch.tensor([-5.0, 0.5, 300.0], dtype=z.dtype, device=z.device)[:, None])
    agree(shifted, f(z), rtol=1e-11, meaning="A common shift of a row's scores should change nothing.")
    two = z[:, :2]
    agree(f(two)[:, 0], torch.sigmoid(two[:, 0] - two[:, 1]), rtol=1e-12)
    agree(f(torch.zeros_like(z)), torch.full_like(z, 0.25), rtol=1e-12, meaning="Equal scores, equal probabilities.")


def _huge(draw: Draw) -> Tensor:
    """Rows near 1e4, near -1e4 and near 0 in one batch, and rows of scores that far apart; a tie among the largest."""
    near = draw.normal(4, 5) + torch.tensor([[1e4], [-1e4], [0.0], [1e4]], dtype=draw.dtype, device=draw.device)
    apart = draw.signs(4, 5) * draw.uniform(4, 5, low=1e3, high=1e4)
    apart[0, :2] = apart[0].abs().amax() + 1
    return torch.stack([near, apart])


def _jacobian(f: Function, draw: Draw) -> None:
    z = draw.normal(4).requires_grad_()
    rows = torch.stack([slope(f(z)[k], z) for k in range(4)])
    p = risk.softmax(z.detach())
    agree(rows, p.diag() - torch.outer(p, p))


ROWS = "(-1, keepdim=True)"
EXP, RATIO = f"torch.exp(z - z.amax{ROWS})", f"e / e.sum{ROWS}"

softmax = Exercise(
    "1.5",
    risk.softmax,
    checks=(
        same(
            "is exp(z_k) / sum_j exp(z_j) over the last dimension",
            _scores,
            meaning="Exponentials divided by their sum over the last dimension, whatever the number of dimensions: "
            "each row is positive and sums to 1.",
        ),
        holds(
            "a shift of all scores changes nothing; two classes give the sigmoid",
            _shift,
            dtype=torch.float64,
            meaning="To all digits: no small number in the denominator, no cut of the scores, no step in float32.",
        ),
        same(
            "is right for scores of 1e4 and -1e4, in one batch and in one row",
            _huge,
            dtype=torch.float64,
            meaning="Some exponential overflows, or all of a row vanish, or the scores were cut or scaled to avoid it. "
            "Only a shift, one for each row, leaves the probabilities as they are.",
        ),
        same(
            "and in float32",
            _huge,
            dtype=torch.float32,
            rtol=3e-3,  # 1e4 is known to 2^-11 there: exp(z - logsumexp(z)) may be off by twice that
            meaning="Right in float64 only: exp(89) is already inf in float32.",
        ),
        holds(
            "its derivatives are dp_k / dz_j = p_k ([k = j] - p_j)",
            _jacobian,
            meaning="The values are right, the gradient is not: each p_k depends on every score, through the sum as "
            "well. A `detach` cuts that off.",
        ),
    ),
    mistakes=(
        (
            "exp overflows to inf, and inf/inf is NaN. A common shift changes nothing: take the largest score out "
            "first.",
            {EXP: "torch.exp(z)"},
        ),
        (
            "The maximum of the whole batch is taken out; a row far below it becomes 0/0. Each row needs its own.",
            {f"z.amax{ROWS}": "z.max()"},
        ),
        (
            "That normalises over the first dimension; each row, the last dimension, should sum to 1.",
            {EXP: "torch.exp(z - z.amax(0))", RATIO: "e / e.sum(0)"},
        ),
        (
            "That normalises over dimension 1, the last one of a matrix only; -1 is the last one always.",
            {EXP: "torch.exp(z - z.amax(1, keepdim=True))", RATIO: "e / e.sum(1, keepdim=True)"},
        ),
        (
            "The whole batch sums to 1; each row should.",
            {EXP: "torch.exp(z - z.max())", RATIO: "e / e.sum()"},
        ),
        ("That is the logarithm of the soft-max.", {RATIO: f"(e / e.sum{ROWS}).log()"}),
        (
            "Each score goes through a sigmoid of its own; the classes do not compete, and the sum is not 1.",
            {RATIO: "torch.sigmoid(z)"},
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
