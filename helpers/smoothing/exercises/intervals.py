"""Exercise 9.3: intervals through a linear layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from helpers import smoothing
from helpers.exercises import Draw, Exercise, agree, args, holds, require, same

Function = Callable[..., Any]
SHAPES = [(5, 3, 4), (1, 6, 2), (4, 4, 4), (3, 1, 2), (4, 5, 1)]  # images, inputs, outputs


def _box(draw: Draw) -> Any:
    """Boxes and weights: one input far from 0, one side of no width, all weights of a row negative or 0."""
    rows, n, m = draw.choice(SHAPES)
    lower, weight = draw.normal(rows, n), draw.normal(m, n)
    width = draw.uniform(rows, n, low=0.1, high=2.0)
    weight[0] = -weight[0].abs()
    if n > 1:
        weight[-1, :2] = weight[-1, :2].abs() * torch.tensor([1.0, -1.0]).to(weight)
        weight[-1, 2:3] = 0
        width[-1, 1] = 0
    else:
        weight[-1] = weight[-1].abs()
    lower[:, 0] += 30
    bias = draw.normal(m) - 30 * weight[:, 0]  # what is left is small: digits are needed
    bias[-1] = -bias[-1].abs()
    return args(lower, lower + width, weight, bias)


def _contains(f: Function, draw: Draw) -> None:
    lower, upper, weight, bias = _box(draw).positional
    low, high = f(lower, upper, weight, bias)
    share = draw.uniform(400, *lower.shape)
    share[200:] = share[200:].round()  # corners
    images = (lower + share * (upper - lower)) @ weight.T + bias
    gap = torch.maximum(low - images, images - high).max().item()
    require(gap < 1e-3, expected="bounds that hold W x + b for every x of the box", got=f"one lies {gap:.4g} outside")


def _attained(f: Function, draw: Draw) -> None:
    lower, upper, weight, bias = _box(draw).positional
    low, high = f(lower, upper, weight, bias)
    up = weight > 0
    best = torch.where(up, upper[:, None], lower[:, None])  # (N, m, n): the corner for each output
    worst = torch.where(up, lower[:, None], upper[:, None])
    agree(high, (best * weight).sum(2) + bias)
    agree(low, (worst * weight).sum(2) + bias)


def _point(f: Function, draw: Draw) -> None:
    x, w, b = draw.normal(4, 5), draw.normal(3, 5), draw.normal(3)
    for bound in f(x, x.clone(), w, b):
        agree(bound, x @ w.T + b)


MIDDLE, REACH, ENDS = "centre @ weight.T + bias", "radius @ weight.abs().T", "middle - reach, middle + reach"

interval_linear = Exercise(
    "9.3",
    smoothing.interval_linear,
    checks=(
        holds(
            "holds the image of every point of the box",
            _contains,
            meaning="Some x of the box is sent outside the bounds. For each output take the worst corner: where w_i > "
            "0 one end, where w_i < 0 the other.",
        ),
        holds(
            "is attained: each bound at a corner of the box",
            _attained,
            meaning="Each bound is attained at a corner of the box, which the signs of that row of W choose; yours is "
            "not, so it is too loose or too tight.",
        ),
        holds(
            "takes a point to a point",
            _point,
            meaning="A box of no width is a point: both bounds are W x + b.",
        ),
        same(
            "is W c + b -+ |W| rho",
            _box,
            meaning="c = (upper + lower) / 2 goes through W and the bias, rho = (upper - lower) / 2 through |W|.",
        ),
    ),
    mistakes=(
        (
            "That is W lower + b and W upper + b: a negative weight exchanges the two ends. The reach is |W| rho.",
            {REACH: "radius @ weight.T"},
        ),
        (
            "That is |W rho|, where terms cancel (the smaller and larger end of W lower + b, W upper + b); each entry "
            "can go its own way: |W| rho.",
            {REACH: "(radius @ weight.T).abs()"},
        ),
        (
            "|W| belongs to the radius only; the centre goes through W itself.",
            {"centre @ weight.T": "centre @ weight.abs().T"},
        ),
        ("The radius is half the width: (upper - lower) / 2.", {"(upper - lower) / 2": "upper - lower"}),
        ("The centre is half the sum: (upper + lower) / 2.", {"(upper + lower) / 2": "upper + lower"}),
        ("The bias is missing: it shifts both bounds.", {MIDDLE: "centre @ weight.T"}),
        (
            "The bias shifts both bounds the same way; it is no uncertainty.",
            {MIDDLE: "centre @ weight.T", REACH: REACH + " + bias"},
        ),
        (
            "|b| makes no difference to the width: the bias goes to the middle, with its sign.",
            {MIDDLE: "centre @ weight.T", REACH: REACH + " + bias.abs()"},
        ),
        ("Lower and upper are exchanged: return the lower bound first.", {ENDS: "middle + reach, middle - reach"}),
        ("Those are centre and reach; the bounds are middle - reach and middle + reach.", {ENDS: "middle, reach"}),
        (
            "That takes the widest side of the box for all sides: sound, but not exact. Each side has its own radius.",
            {REACH: "radius.amax(1, keepdim=True) * weight.abs().sum(1)"},
        ),
        (
            "That is the bound for the ball around the box (Cauchy-Schwarz): sound, but not attained in the box.",
            {REACH: "radius.norm(dim=1, keepdim=True) * weight.norm(dim=1)"},
        ),
        (
            "Only the positive weights are used: the negative ones take the other end, they do not vanish.",
            {MIDDLE: "centre @ weight.clamp(min=0).T + bias", REACH: "radius @ weight.clamp(min=0).T"},
        ),
        (
            "The rows of x are the points, so W x is `x @ weight.T`.",
            {"centre @ weight.T": "centre @ weight", "weight.abs().T": "weight.abs()"},
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
