"""The data that the samplers are judged on: small mixtures, in float64."""

import math

import torch
from torch import Tensor

from helpers.diffusion.mixture import Mixture


def line() -> Mixture:
    """On the line: 0.3 N(-1.2, 0.15^2) + 0.5 N(0.2, 0.35^2) + 0.2 N(1.4, 0.1^2), which touch; variance 0.91."""
    return _mixture([0.3, 0.5, 0.2], [[-1.2], [0.2], [1.4]], [0.15**2, 0.35**2, 0.1**2])


def ring(k: int = 8, sigma: float = 0.1) -> Mixture:
    """In the plane: k equal components of standard deviation sigma, evenly on the circle of radius sqrt(2)."""
    angle = 2 * math.pi * torch.arange(k, dtype=torch.float64) / k
    means = math.sqrt(2) * torch.stack([angle.cos(), angle.sin()], 1)
    return _mixture([1 / k] * k, means.tolist(), [sigma**2] * k)


def two_classes() -> Mixture:
    """Two classes on the line, N(-1, 0.25) and N(1, 0.25), equally likely."""
    return _mixture([0.5, 0.5], [[-1.0], [1.0]], [0.25, 0.25])


def _mixture(weights: list[float], means: list[list[float]], variances: list[float]) -> Mixture:
    parts: list[Tensor] = [torch.tensor(part, dtype=torch.float64) for part in (weights, means, variances)]
    return Mixture(*parts)
