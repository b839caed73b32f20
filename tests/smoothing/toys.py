"""Networks small enough for every bound, and the corners of a box."""

import itertools

import torch
from torch import Tensor, nn

from helpers import models, runtime

CONVOLUTIONS = [
    lambda: nn.Conv2d(1, 4, 4, stride=2, padding=1),
    lambda: nn.Conv2d(2, 3, 3, padding=1, bias=False),
    lambda: nn.Conv2d(2, 4, 3, dilation=2, groups=2),
]


def dense(seed: int, sizes: tuple[int, ...] = (3, 6, 5, 2)) -> nn.Sequential:
    runtime.seed(seed)
    return models.mlp(sizes).double()


def corners(lower: Tensor, upper: Tensor) -> Tensor:
    signs = torch.tensor(list(itertools.product((0.0, 1.0), repeat=lower.shape[-1])), dtype=lower.dtype)
    return lower + signs * (upper - lower)
