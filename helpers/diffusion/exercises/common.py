"""What the checks of Lecture 6's exercises share: batches of all shapes, and noise levels of all kinds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from helpers.exercises import Draw

Function = Callable[..., Any]
SHAPES = ((4, 3), (5,), (3, 1, 4, 4), (3, 3), (1, 2), (2, 2, 2), (6, 1))  # of a batch; 7, so that all kinds meet all
KINDS = ("one", "each", "noisy")  # levels: a number, one for each sample, almost no data left
STEPS = ("one", "each", "last", "some", "noisy")  # of a step: to alpha_bar_prev = 1 for all, or for some of the samples
DIGITS = "float64 in, float64 all the way: no `.float()`, no new tensor of float32 in between."
ROWS = "Levels (N,) belong to the samples: `diffusion.per_sample(v, x)` gives them the shape (N, 1, ..., 1)."


def batches(draw: Draw, number: int) -> tuple[Tensor, ...]:
    """So many batches of one shape."""
    shape = draw.choice(SHAPES)
    return tuple(draw.normal(*shape) for _ in range(number))


def level_for(draw: Draw, x: Tensor, kind: str) -> Tensor:
    """alpha_bar_t in (0, 1), () or (N,)."""
    if kind == "noisy":
        return draw.uniform(low=1e-4, high=1e-2)
    return draw.uniform(*([len(x)] if kind == "each" else []), low=0.05, high=0.95)


def levels_for(draw: Draw, x: Tensor, kind: str) -> tuple[Tensor, Tensor]:
    """alpha_bar_t < alpha_bar_prev <= 1, () or (N,): neighbours in time, or far apart."""
    size = [len(x)] if kind in ("each", "some") else []
    a = draw.uniform(*size, low=1e-4, high=1e-2) if kind == "noisy" else draw.uniform(*size, low=0.05, high=0.6)
    prev = a + draw.uniform(*size, low=0.02, high=0.35)
    if kind == "last":
        prev = torch.ones_like(prev)
    if kind == "some":
        prev[draw.integers(0, len(x)) if len(x) > 1 else 0] = 1
    return a, prev
