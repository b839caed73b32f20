"""Exercise 7.4 of Lecture 7: deepfool_step."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from helpers import attacks
from helpers.exercises import Draw, Exercise, agree, args, holds, require, same

Function = Callable[..., Any]


def _logits(draw: Draw) -> Any:
    shape = draw.choice([(8,), (1, 3, 4), (2, 5)])
    scale = draw.uniform(9, 5, 1, low=0.2, high=4.0) * torch.logspace(-2, 0, 9)[:, None, None].to(draw.device)
    w = draw.normal(9, 5, math.prod(shape)) * scale.to(draw.dtype)
    return args(draw.normal(9, 5), w.view(9, 5, *shape), draw.integers(0, 5, 9))


def _flat(draw: Draw) -> Any:
    """Image 0: all logits move alike; 1: those of two classes do, and are equal; 2: all are equal, none moves."""
    given = _logits(draw)
    z, w, y = given.positional
    w[0], z[1, 1], w[1, 1], y[1] = w[0, 0].clone(), z[1, 0], w[1, 0], 0
    z[2], w[2] = 1, 0
    return given


def _reaches(f: Function, draw: Draw) -> None:
    W, b, x = draw.normal(4, 7), draw.normal(4), draw.normal(8, 7)
    z = x @ W.T + b
    y = z.argmax(1)
    after = (x + f(z, W.expand(8, 4, 7).clone(), y)) @ W.T + b
    two = after.topk(2, dim=1).values
    require(
        ((two[:, 0] - two[:, 1]).abs() < 1e-3).all(), expected="the two largest logits equal: on the boundary", got=two
    )
    agree(after.gather(1, y[:, None])[:, 0], two[:, 0], rtol=1e-3, atol=1e-3)


NEAREST = "torch.where(size > 0, f / size, math.inf).min(1)"
OWN = "(torch.arange(5, device=y.device) != y[:, None])"
STEP = "step = distance[:, None] * w[rows, nearest] / size[rows, nearest][:, None]"

deepfool_step = Exercise(
    "7.4",
    attacks.deepfool_step,
    checks=(
        same(
            "is |f_l| w_l / |w_l|^2 of the nearest boundary l",
            _logits,
            times=6,
            meaning="f_k = z_k - z_y, w_k = grad z_k - grad z_y; l has the smallest |f_k| / |w_k|_2, k = y left out.",
        ),
        holds(
            "ends exactly on the boundary of a linear classifier",
            _reaches,
            meaning="The step goes from x to the foot of the perpendicular: there z_l = z_y.",
        ),
        same(
            "where w_k = 0 there is no boundary; delta = 0 where there is none at all",
            _flat,
            meaning="|f_k| / 0 is infinite, and 0 / 0 no number, which argmin takes first: where |w_k| = 0 put "
            "infinity in its place, and where all are infinite let the step be 0.",
        ),
    ),
    mistakes=(
        (
            "The norm must be squared: |f| / |w|_2 is the length, w / |w|_2 the direction.",
            {" / size[rows, nearest][:, None]": ""},
        ),
        (
            "The nearest boundary has the smallest |f_k| / |w_k|_2, not the smallest |f_k|.",
            {
                "distance, nearest = " + NEAREST: "nearest = torch.where(size > 0, f, math.inf).argmin(1)",
                STEP: STEP.replace("distance", "(f / size)[rows, nearest]") + "\n    distance = step[:, 0]",
            },
        ),
        (
            "The boundary between k and y has the normal w_k = grad z_k - grad z_y.",
            {" - jacobian.flatten(2)[rows, y][:, None]": "", "size > 0": OWN},
        ),
        ("f_k is the difference z_k - z_y of logits.", {" - logits[rows, y][:, None]": ""}),
        (
            "That is the farthest of the boundaries; the region of y is left at the nearest.",
            {NEAREST: "torch.where(size > 0, f / size, -math.inf).max(1)"},
        ),
        (
            "f_l may be negative: the length of the step is |f_l| / |w_l|_2.",
            {
                "[:, None]).abs()": "[:, None])",
                "f / size": "f.abs() / size",
                STEP: STEP.replace("distance", "(f / size)[rows, nearest]"),
            },
        ),
        (
            "Without the absolute value the most negative f_k / |w_k|_2 is taken for the nearest.",
            {"[:, None]).abs()": "[:, None])"},
        ),
        (
            "The class y itself is 0/0: take it out, by an infinite distance, before the argmin.",
            {NEAREST: "(f / size).min(1)", "step.where(distance.isfinite()[:, None], 0)": "step"},
        ),
        (
            "Nothing moves: the class y itself has |f_y| = 0 and is the nearest. Take it out before the argmin.",
            {NEAREST: "(f / (size + 1e-9)).min(1)", "/ size[rows, nearest]": "/ (size[rows, nearest] + 1e-9)"},
        ),
        (
            "Where every |w_k| is 0 there is no boundary: the step is 0 there, not infinity times 0.",
            {"step.where(distance.isfinite()[:, None], 0)": "step"},
        ),
        (
            "That is the closest boundary point in l_inf, |f| / |w|_1 in the signs of w; asked is l_2.",
            {
                "w.norm(dim=2)": "w.norm(1, dim=2)",
                STEP: "step = distance[:, None] * w[rows, nearest].sign()",
            },
        ),
        ("The step leads away from the boundary: z_k must rise against z_y.", {"return step": "return -step"}),
        ("That is the direction w_l / |w_l|_2 alone; its length is |f_l| / |w_l|_2.", {"distance[:, None] * w": "w"}),
        (
            "That is half way: the whole step is |f_l| / |w_l|_2 long.",
            {"return step": "return 0.5 * step"},
        ),
    ),
    hints=(
        "Subtract the row of y from logits and jacobian: `logits[torch.arange(N), y]`.",
        "Distances (N, K) = |f| / |w|_2; put infinity where |w_k| = 0, which includes the column of y, then argmin.",
        "For the chosen l: |f_l| / |w_l|_2^2 * w_l, reshaped like an image; 0 where the distance is infinite.",
    ),
    why="Each boundary is a hyperplane; the foot of the perpendicular is the closest point, and the region of y is "
    "left where the first of them is met. A class with w_k = 0, such as y itself, has no boundary: it is infinitely "
    "far.",
    minutes=15,
)
