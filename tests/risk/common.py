"""What the tests of Lecture 1 share."""

import torch
from torch import Tensor


def close(a: Tensor, b: object, rtol: float = 1e-9, atol: float = 1e-12) -> bool:
    """Same shape, equal within the tolerance."""
    expected = torch.as_tensor(b, dtype=a.dtype)
    return a.shape == expected.shape and torch.allclose(a, expected, rtol=rtol, atol=atol)


def normal(g: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=g, dtype=torch.float64)


def distributions(g: torch.Generator, *shape: int, zeros: bool = False) -> Tensor:
    raw = torch.rand(*shape, generator=g, dtype=torch.float64) ** 3
    if zeros:
        raw = raw * (raw > raw.median(-1, keepdim=True).values / 2)
    return raw / raw.sum(-1, keepdim=True)
