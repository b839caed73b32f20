"""Likelihoods and priors: what a penalty on the weights means."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def gaussian_log_likelihood(y: Tensor, mean: Tensor, sigma: float) -> Tensor:
    r"""ln N(y; mean, sigma^2) = -(y - mean)^2 / (2 sigma^2) - 1/2 ln(2 pi sigma^2), elementwise.

    mean has the shape of y or is one number. Raises ValueError for another shape, or unless sigma > 0.
    """
    if not sigma > 0:
        raise ValueError(f"sigma must be positive, got {sigma}")
    if torch.is_tensor(mean) and mean.ndim > 0 and mean.shape != y.shape:
        raise ValueError(f"mean must be one number or of the shape of y, {tuple(y.shape)}, got {tuple(mean.shape)}")
    return -(y - mean).square() / (2 * sigma**2) - 0.5 * math.log(2 * math.pi * sigma**2)


def prior_strength(sigma: float, m: int | None = None) -> float:
    r"""tau = 1 / sigma^2 for the sum of -ln p over the sample, tau = 1 / (m sigma^2) for its mean over m objects.

    The penalty is tau |w|^2 / 2, the prior N(0, sigma^2 I). Raises ValueError unless sigma > 0 and m >= 1.
    """
    if not sigma > 0 or (m is not None and m < 1):
        raise ValueError(f"need sigma > 0 and m >= 1, got {sigma=}, {m=}")
    return 1 / (sigma**2 * (1 if m is None else m))


def laplace_strength(b: float, m: int | None = None) -> float:
    r"""tau = 1 / b for the sum, 1 / (m b) for the mean: the penalty is tau |w|_1, the prior exp(-|w|/b) / (2b).

    Raises ValueError unless b > 0 and m >= 1.
    """
    if not b > 0 or (m is not None and m < 1):
        raise ValueError(f"need b > 0 and m >= 1, got {b=}, {m=}")
    return 1 / (b * (1 if m is None else m))


def soft_threshold(w: Tensor, threshold: float) -> Tensor:
    r"""sign(w) max(|w| - threshold, 0) = arg min_u 1/2 |u - w|^2 + threshold |u|_1, elementwise.

    Raises ValueError unless threshold >= 0.
    """
    if not threshold >= 0:
        raise ValueError(f"threshold must be >= 0, got {threshold}")
    return w.sign() * F.relu(w.abs() - threshold)
