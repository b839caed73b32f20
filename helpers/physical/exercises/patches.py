"""Exercise 8.1 of Lecture 8: a patch put on a picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from helpers.exercises import Draw, Exercise, agree, args, holds, same
from helpers.physical import patches

Function = Callable[..., Any]


def _worn(draw: Draw, *, soft: bool = True) -> Any:
    """One patch for all pictures or one for each, one mask or many, in colour and grey; soft edges, then hard ones."""
    n, c, h, w = draw.choice([(3, 3, 4, 5), (2, 1, 5, 3), (1, 3, 3, 3), (4, 1, 6, 6)])
    one, alone = draw.choice([(c, h, w), (n, c, h, w)]), draw.choice([(1, h, w), (n, 1, h, w), (1, h, w)])
    mask = draw.uniform(*alone)
    return args(draw.uniform(n, c, h, w), draw.uniform(*one), mask if soft else (mask > 0.5).to(mask))


def _edges(f: Function, draw: Draw) -> None:
    x, p, mask = draw.uniform(3, 3, 6, 5), draw.uniform(3, 6, 5), draw.uniform(1, 6, 5)
    mask = (mask > 0.5).to(mask)
    seen = f(x, p, mask)
    agree(seen, torch.where(mask > 0, p, x), meaning=MIXED)


def _patch_gradient(f: Function, draw: Draw) -> None:
    x, mask, weights = draw.uniform(3, 1, 4, 4), draw.uniform(1, 4, 4), draw.normal(3, 1, 4, 4)
    p = draw.uniform(1, 4, 4).requires_grad_()
    (g,) = torch.autograd.grad((weights * f(x, p, mask)).sum(), p)
    agree(g, mask * weights.sum(0), meaning="The patch is trained through the mask: d x'/d p is m, at each pixel.")


MIXED = "Where the mask is 1 one sees the patch, where it is 0 the picture, and in between a mixture: (1 - m) x + m p."

apply_patch = Exercise(
    "8.1",
    patches.apply_patch,
    checks=(
        holds("shows the patch under the mask and the picture beside it", _edges, times=2, meaning=MIXED),
        same("is (1 - m) x + m p on soft masks", _worn, times=8, meaning=MIXED),
        same("is as exact as its input", _worn, dtype=torch.float64, rtol=1e-12, atol=1e-14, times=8, meaning=MIXED),
        same("is the same on hard masks", lambda draw: _worn(draw, soft=False), times=8, meaning=MIXED),
        holds("lets the gradient through to the patch", _patch_gradient, times=2, meaning=MIXED),
    ),
    mistakes=(
        ("The patch is added to the picture. It covers it: (1 - m) x + m p.", {"(1 - mask) * x": "x"}),
        (
            "The other way round: the mask is 1 where one sees the patch.",
            {"(1 - mask) * x + mask * patch": "mask * x + (1 - mask) * patch"},
        ),
        ("Only the patch is left: beside it, where the mask is 0, the picture stays.", {"(1 - mask) * x + ": ""}),
        ("The picture has a hole, but no patch in it: add m p.", {" + mask * patch": ""}),
        (
            "The patch is added whole, beside its mask too: m p.",
            {"mask * patch": "patch"},
        ),
        (
            "A soft edge is a mixture: the mask is no yes or no.",
            {"(1 - mask) * x + mask * patch": "torch.where(mask > 0, patch, x)"},
        ),
        (
            "A soft edge is a mixture: the mask is not rounded.",
            {"(1 - mask) * x + mask * patch": "torch.where(mask > 0.5, patch, x)"},
        ),
        (
            "The gradient finds no way back to the patch: no `.detach()`, no `.data`.",
            {"mask * patch": "mask * patch.detach()"},
        ),
    ),
    hints=(
        "Two pictures are mixed, pixel by pixel; the mask says how much of the second one sees.",
        "The shapes fit as they are: (1, H, W) against (N, C, H, W) counts for every picture and every channel.",
        "`(1 - mask) * x` is the picture with a hole.",
    ),
    why="The patch is the attacker's own picture, as bright as paint can be: no norm of the change is small. What is "
    "small is its place, the number of pixels under the mask.",
    minutes=8,
    differentiable=True,
)
