"""Exercise 9.3: intervals through a linear layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from helpers import smoothing
from helpers.exercises import Draw, Exercise, agree, args, holds, require, same

Function = Callable[..., Any]


def _box(draw: Draw) -> Any:
    rows, n, m = draw.choice([(5, 3, 4), (1, 6, 2), (7, 4, 4)])
    lower, weight = draw.normal(rows, n), draw.normal(m, n)
    weight[0] = -weight[0].abs()
    weight[1, 0], weight[1, 1] = weight[1, 0].abs() + 0.2, -weight[1, 1].abs() - 0.2
    return args(lower, lower + draw.uniform(rows, n, low=0.1, high=2.0), weight, draw.normal(m))


def _contains(f: Function, draw: Draw) -> None:
    box = _box(draw).positional
    low, high = f(*box)
    lower, upper, weight, bias = box
    share = draw.uniform(400, *lower.shape)
    share[200:] = share[200:].round()  # corners
    images = (lower + share * (upper - lower)) @ weight.T + bias
    gap = torch.maximum(low - images, images - high).max().item()
    require(gap < 1e-4, expected="bounds that hold W x + b for every x of the box", got=f"one lies {gap:.4g} outside")


def _attained(f: Function, draw: Draw) -> None:
    lower, upper, weight, bias = _box(draw).positional
    low, high = f(lower, upper, weight, bias)
    up = weight > 0
    best = torch.where(up, upper[:, None], lower[:, None])  # (N, m, n): the corner for each output
    worst = torch.where(up, lower[:, None], upper[:, None])
    meaning = "Each bound is attained at a corner of the box; yours is not."
    agree(high, (best * weight).sum(2) + bias, rtol=1e-3, atol=1e-4, meaning=meaning)
    agree(low, (worst * weight).sum(2) + bias, rtol=1e-3, atol=1e-4, meaning=meaning)


def _point(f: Function, draw: Draw) -> None:
    x, w, b = draw.normal(4, 5), draw.normal(3, 5), draw.normal(3)
    for bound in f(x, x.clone(), w, b):
        agree(
            bound, x @ w.T + b, rtol=1e-3, atol=1e-5, meaning="A box of no width is a point: both bounds are W x + b."
        )


def _interval(
    make: Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]],
    *,
    bias_in: tuple[int, int] = (1, 1),
    half: float = 2.0,
    swap: bool = False,
) -> Function:
    def answer(lower, upper, weight, bias):  # type: ignore[no-untyped-def]
        middle, reach = make((upper + lower) / 2, (upper - lower) / half, weight)
        low, high = middle - reach + bias_in[0] * bias, middle + reach + bias_in[1] * bias
        return (high, low) if swap else (low, high)

    return answer


def _right(c: Tensor, rho: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
    return c @ w.T, rho @ w.abs().T


interval_linear = Exercise(
    "9.3",
    smoothing.interval_linear,
    checks=(
        holds("holds the image of every point of the box", _contains, times=3),
        holds("is attained: each bound at a corner of the box", _attained, times=3),
        holds("takes a point to a point", _point),
        same("is W c + b -+ |W| rho", _box),
    ),
    mistakes=(
        (
            "That is W lower + b and W upper + b: a negative weight exchanges the two ends. The reach is |W| rho.",
            _interval(lambda c, rho, w: (c @ w.T, rho @ w.T)),
        ),
        (
            "That is |W rho|, where terms cancel; each entry can go its own way: |W| rho.",
            _interval(lambda c, rho, w: (c @ w.T, (rho @ w.T).abs())),
        ),
        (
            "|W| belongs to the radius only; the centre goes through W itself.",
            _interval(lambda c, rho, w: (c @ w.abs().T, rho @ w.abs().T)),
        ),
        ("The radius is half the width: (upper - lower) / 2.", _interval(_right, half=1.0)),
        ("The bias is missing: it shifts both bounds.", _interval(_right, bias_in=(0, 0))),
        ("The bias shifts both bounds the same way; it is no uncertainty.", _interval(_right, bias_in=(-1, 1))),
        ("Lower and upper are exchanged: return the lower bound first.", _interval(_right, swap=True)),
        (
            "That takes the widest side of the box for all sides: sound, but not exact. Each side has its own radius.",
            _interval(lambda c, rho, w: (c @ w.T, rho.amax(1, keepdim=True) * w.abs().sum(1))),
        ),
        (
            "That is the bound for the ball around the box (Cauchy-Schwarz): sound, but not attained in the box.",
            _interval(lambda c, rho, w: (c @ w.T, rho.norm(dim=1, keepdim=True) * w.norm(dim=1))),
        ),
        (
            "The rows of x are the points, so W x is `x @ weight.T`.",
            _interval(lambda c, rho, w: (c @ w, rho @ w.abs())),
        ),
    ),
    hints=(
        "Which corner of the box makes w . x largest? Where w_i > 0 take upper_i, where w_i < 0 take lower_i.",
        "Write x = c + s with |s_i| <= rho_i. Then w . s is at most sum |w_i| rho_i, and that is attained.",
        "`centre @ weight.T + bias` and `radius @ weight.abs().T`, then minus and plus.",
    ),
    why="For each output the worst corner follows the signs of its row, which turns w into |w|. It is exact for one "
    "layer; but different outputs have different worst corners, the next layer treats the box as if all were reached "
    "at once, and so the bounds grow from layer to layer.",
    minutes=10,
)
