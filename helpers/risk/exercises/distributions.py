"""Pairs of distributions for exercises 1.9 to 1.11: near, far, with zeros."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from helpers.exercises import Arguments, Draw, agree, args

Function = Callable[..., Any]

ROWS = [(4, 3), (3, 3), (2, 3, 4), (5,)]
SHAPE = (
    "One number for each pair of distributions: sum over the last dimension, whatever the number of dimensions, and "
    "over nothing else. "
)


def pair(draw: Draw) -> Arguments:
    """p and q at random: 2-D, square, 3-D and single rows in turn."""
    shape = draw.choice(ROWS)
    return args(draw.probabilities(*shape), draw.probabilities(*shape))


def far_pair(draw: Draw) -> Arguments:
    """p has at least 3/4 at the first entry, q at the last."""
    p, q = pair(draw).positional
    first, last = (torch.eye(p.shape[-1], dtype=p.dtype, device=p.device)[k] for k in (0, -1))
    return args((p + 3 * first) / 4, (q + 3 * last) / 4)


def with_zeros(draw: Draw, *shape: int) -> Tensor:
    """Distributions with the first entry 0."""
    p = draw.probabilities(*shape)
    p[..., 0] = 0
    return p / p.sum(-1, keepdim=True)


def zeros(draw: Draw) -> Arguments:
    """0 ln 0 twice: where q_k > 0 = p_k, and where both are 0; the support of p is never missed. The last p is sure."""
    p, q = with_zeros(draw, 5, 5), torch.cat([draw.probabilities(2, 5), with_zeros(draw, 3, 5)])
    p[4] = torch.eye(5, dtype=p.dtype, device=p.device)[2]
    return args(p, q)


def missed(draw: Draw) -> Arguments:
    """q_k = 0 < p_k in the first three rows of five, in the third for a p_k of 1e-6."""
    p, q = draw.probabilities(5, 5), torch.cat([with_zeros(draw, 3, 5), draw.probabilities(2, 5)])
    p[2] *= (1 - 1e-6) / p[2, 1:].sum()
    p[2, 0] = 1e-6
    return args(p, q)


def rare(f: Function, draw: Draw, entropy: float) -> None:
    """For q = (t, 1 - t) f is -ln t at p = (1, 0), and -(ln t + ln(1 - t)) / 2 + entropy at p = (1/2, 1/2)."""
    for tiny in (1e-3, 1e-30, 1e-300):
        q = torch.tensor([tiny, 1 - tiny], dtype=draw.dtype, device=draw.device)
        expected = torch.stack([-q[0].log(), -q.log().mean() + entropy])
        agree(f(torch.tensor([[1.0, 0.0], [0.5, 0.5]]).to(q), q.expand(2, 2)), expected, rtol=0, atol=5e-10)
