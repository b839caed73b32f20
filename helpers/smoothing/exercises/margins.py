"""Exercise 9.2: the radius of a margin."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from helpers import smoothing
from helpers.exercises import Draw, Exercise, agree, args, holds, require, same

Function = Callable[..., Any]
FACTOR = "2 if per_logit else math.sqrt(2)"


def _scores(draw: Draw, classes: int) -> tuple[Tensor, Tensor, float]:
    """Right and wrong labels, the least and the second of a row; a tie, equal logits, negative ones."""
    logits = draw.normal(10, classes, std=2.0)
    y = logits.argmax(1)
    y[6:8] = draw.integers(0, logits.shape[1], 2)
    y[-1] = logits[-1].argmin()
    y[-2] = logits[-2].topk(2).indices[1]
    logits[0] = logits[0, 0]
    logits[1, :2], y[1] = logits[1].max(), 1
    logits[2] -= 20
    logits[3] += 20
    return logits, y, draw.number(*draw.choice([(0.2, 0.7), (1.8, 5.0)]))


def _never_beyond(f: Function, draw: Draw) -> None:
    w, x = draw.normal(4, 6), draw.normal(9, 6)
    z = x @ w.T + draw.normal(4)
    y, rows = z.argmax(1), torch.arange(9, device=draw.device)
    apart = (w[y][:, None] - w).norm(dim=2)
    gaps = (z[rows, y][:, None] - z) / apart.clamp(min=1e-9)
    gaps[rows, y] = math.inf
    distance = gaps.amin(1)
    whole = float(torch.linalg.matrix_norm(w, 2))
    for per_logit, constant in ((False, whole), (True, float(w.norm(dim=1).max()))):
        got = f(z, y, constant, per_logit=per_logit)
        k = int((got / distance).argmax())
        text = f"at most {distance[k]:.4g}, the distance to the boundary of a linear classifier, at [{k}]"
        require(got <= distance * 1.001, expected=text, got=f"{got[k]:.4g} there")


def _reaches(f: Function, draw: Draw) -> None:
    scale, x = draw.number(0.3, 4.0), draw.normal(16, 6)
    across = torch.linalg.qr(draw.normal(6, 2))[0].T * scale
    along = torch.stack([across[0], -across[0]])
    results = []
    for per_logit, w, name in ((False, across, "orthogonal rows"), (True, along, "opposite rows")):
        z = x @ w.T
        distance = (z[:, 0] - z[:, 1]).abs() / (w[0] - w[1]).norm()
        results.append((f(z, z.argmax(1), scale, per_logit=per_logit), distance, name, per_logit))
    for got, distance, name, per_logit in results:
        on = f"two logits W x with {name} of length {scale:.4g} = lipschitz, per_logit = {per_logit}"
        agree(got, distance, rtol=1e-3, atol=1e-4, on=on, meaning="Here the radius is the distance to the boundary.")


margin_radius = Exercise(
    "9.2",
    smoothing.margin_radius,
    checks=(
        holds(
            "is the distance to the boundary of two orthogonal, or two opposite, logits",
            _reaches,
            times=2,
            meaning="The margin is divided by what it can lose per unit of |delta|: sqrt(2) L, or 2 L with per_logit.",
        ),
        holds(
            "never passes the boundary of a linear classifier",
            _never_beyond,
            times=2,
            meaning="A radius beyond the boundary is no certificate: the margin is z_y minus the largest other logit, "
            "the divisor sqrt(2) L or 2 L.",
        ),
        same(
            "is max(M, 0) / (sqrt(2) L), L of the whole map",
            lambda draw: _scores(draw, draw.choice([4, 6])),
            meaning="M = z_y - max of the others, row by row; 0 where it is not positive, else M / (sqrt(2) L).",
        ),
        same(
            "is max(M, 0) / (2 L), L of each logit",
            lambda draw: args(*_scores(draw, draw.choice([4, 2, 6])), per_logit=True),
            meaning="With per_logit=True the same margin is divided by 2 L.",
        ),
    ),
    mistakes=(
        (
            "Always 0. Does the maximum still hold z_y itself? Then no margin is positive: set that entry to -inf "
            "before. Or is the sign flipped? z_y comes first.",
            {"-math.inf": "logits.gather(1, y[:, None])"},
        ),
        (
            "The two constants are exchanged: sqrt(2) L goes with the whole map, 2 L with each single logit.",
            {FACTOR: "math.sqrt(2) if per_logit else 2"},
        ),
        (
            "`per_logit` is ignored: 2 L is for the constant of each logit; for the whole map sqrt(2) L is enough.",
            {FACTOR: "2"},
        ),
        (
            "`per_logit` is ignored: two logits of constant L can move towards each other by 2 L |delta|, so there "
            "the divisor is 2 L.",
            {FACTOR: "math.sqrt(2)"},
        ),
        ("Not one logit moves but a difference of two: divide by sqrt(2) L or 2 L.", {FACTOR: "1"}),
        ("For the whole map the divisor is sqrt(2) L: (1, -1) has length sqrt(2), not 1.", {"math.sqrt(2)": "1"}),
        ("L is forgotten: the steeper the map, the smaller the radius.", {" * lipschitz)": ")"}),
        (
            "Where y is not predicted the margin is negative; the radius is 0 there: `clamp(min=0)`.",
            {".clamp(min=0)": ""},
        ),
        (
            "|M| gives a radius to wrong predictions; there is none: `clamp(min=0)`, not `abs`.",
            {".clamp(min=0)": ".abs()"},
        ),
        (
            "That is the gap of the two largest logits, whatever y is: a wrong prediction gets a radius.",
            {"(own - others)": "(logits.topk(2, dim=1).values @ logits.new_tensor([1.0, -1.0]))"},
        ),
        (
            "That is z_y; the margin is z_y minus the largest of the other logits.",
            {"own - others": "own"},
        ),
        (
            "That is the margin of the soft-max probabilities; L is the constant of the logits.",
            {"own = logits": "logits = logits.softmax(1)\n    own = logits"},
        ),
        (
            "z_y minus the smallest of the others: the rival that passes first is the largest one.",
            {"-math.inf": "math.inf", "amax": "amin"},
        ),
        (
            "z_y minus the mean of the others: the rival that passes first is the largest one.",
            {"own - others": "own - (logits.sum(1) - own) / (logits.shape[1] - 1)"},
        ),
        (
            "0 in place of z_y is not below the other logits where these are negative: set it to -inf.",
            {"-math.inf": "0.0"},
        ),
        (
            "`M / 2 * L` multiplies by L: put brackets around the divisor. Steeper maps have smaller radii.",
            {f"(({FACTOR}) * lipschitz)": f"({FACTOR}) * lipschitz"},
        ),
    ),
    hints=(
        "By how much can z_y - z_k change when x moves by delta? Each logit alone changes by at most L |delta|; in the "
        "whole map (1, -1) . (z_y, z_k) changes by at most sqrt(2) L |delta|.",
        "z_y is `logits.gather(1, y[:, None])[:, 0]`; for the others set that entry to -inf, "
        "`logits.scatter(1, y[:, None], -math.inf)`, then `amax(1)`.",
        "`margin.clamp(min=0) / (factor * lipschitz)`: the factor is 2 if per_logit else sqrt(2).",
    ),
    why="The prediction can change only when some difference z_y - z_k, at least M, has been used up. As a function of "
    "x that difference has the constant sqrt(2) L, since (1, -1) has length sqrt(2), or 2 L if all that is known is "
    "each logit's own. Mixing the two up is a radius too large by sqrt(2): no certificate at all.",
    minutes=10,
)
