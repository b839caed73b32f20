"""What a table of certificates reports: certified accuracy, average radius, the votes that a radius needs."""

import math

import torch
from torch import Tensor

from helpers import checks


def certified_accuracy(prediction: Tensor, radius: Tensor, y: Tensor, radii: Tensor) -> Tensor:
    r"""A(rho) = (1/N) #{i : prediction_i = y_i, radius_i >= rho}: images that are right and certified to stay so.

    prediction, radius, y (N,), radii (R,) -> (R,) in float64. An abstention (-1) is never right. It is the
    *approximate* certified test accuracy: each certificate may fail with probability alpha, so at most alpha N of
    them are wrong on average. Raises ValueError for other shapes. Cohen et al. 2019, section 4.
    """
    if prediction.ndim != 1 or not prediction.shape == radius.shape == y.shape or radii.ndim != 1 or len(y) == 0:
        shapes = [tuple(t.shape) for t in (prediction, radius, y, radii)]
        raise ValueError(f"need prediction, radius, y (N,), N >= 1, and radii (R,), got {shapes}")
    reached = radius[:, None] >= radii.to(radius)[None, :]
    return ((prediction == y)[:, None] & reached).double().mean(0)


def average_certified_radius(prediction: Tensor, radius: Tensor, y: Tensor) -> float:
    r"""ACR = (1/N) sum_i radius_i [prediction_i = y_i], the area under the curve of certified_accuracy.

    All (N,). Zhai et al. 2020, section 5.
    """
    if prediction.ndim != 1 or not prediction.shape == radius.shape == y.shape or len(y) == 0:
        shapes = [tuple(t.shape) for t in (prediction, radius, y)]
        raise ValueError(f"need prediction, radius, y (N,), N >= 1, got {shapes}")
    return float((radius * (prediction == y)).double().mean())


PUBLISHED_RADII = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5)


# Certified test accuracy on CIFAR-10 of ResNet-110 trained with noise of scale sigma, at PUBLISHED_RADII: n = 100,000,
# alpha = .001, 500 test pictures. Figures of Cohen et al. 2019 as their repository locuslab/smoothing
# states them (analysis/markdown/vary_noise_cifar10), not measured here.
PUBLISHED_CIFAR10 = {
    0.12: (0.59, 0.00, 0.00, 0.00, 0.00, 0.00),
    0.25: (0.60, 0.43, 0.27, 0.00, 0.00, 0.00),
    0.50: (0.55, 0.41, 0.32, 0.23, 0.15, 0.09),
    1.00: (0.39, 0.34, 0.28, 0.22, 0.17, 0.14),
}


def samples_needed(radius: float, sigma: float, alpha: float) -> int:
    r"""The least n with max_certifiable_radius(n, alpha, sigma) >= radius:  ceil(ln alpha / ln Phi(radius / sigma)).

    radius = 4 sigma and alpha = .001 need about 218,000 votes, all of which must agree. Raises ValueError for
    sigma <= 0, radius <= 0, radius >= 37 sigma (no float64 holds 1 - Phi there), alpha outside (0, 1). Cohen et al.
    2019, section 3.2.2.
    """
    checks.positive("sigma", sigma)
    checks.positive("radius", radius)
    checks.level(alpha)
    if not radius < 37 * sigma:
        raise ValueError(f"radius must be below 37 sigma = {37 * sigma:.4g}, got {radius}: no computer counts so far")
    log_p = float(torch.special.log_ndtr(torch.tensor(radius / sigma, dtype=torch.float64)))
    return math.ceil(math.log(alpha) / log_p)
