"""Further certificates on the same votes, how many votes a radius needs, and the curves that judge a network."""

import math

import torch
from torch import Tensor

from helpers import checks


def renyi_radius(p_a: Tensor | float, p_b: Tensor | float, sigma: float, *, points: int = 1000) -> Tensor:
    r"""sup over a > 1 of sigma sqrt(-(2 / a) ln(1 - p_A - p_B + 2 M)),  M = ((p_A^{1-a} + p_B^{1-a}) / 2)^{1/(1-a)}:
    what the Renyi divergence of order a between the noise and the shifted noise, a r^2 / (2 sigma^2), certifies.

    Every order certifies; the supremum is taken on a grid of `points` orders, 1 + 10^{-3} ... 1 + 10^3. p_A bounds the
    first class's probability from below, p_B the second's from above; shapes broadcast; 0 where p_A <= p_B. Raises
    ValueError for sigma <= 0 and outside [0, 1]. Li et al. 2018, theorem 3.2, as in Cohen et al. 2019, appendix I.
    """
    checks.positive("sigma", sigma)
    a, b = torch.broadcast_tensors(checks.probability("p_a", p_a), checks.probability("p_b", p_b))
    order = 1 + torch.logspace(-3, 3, points, dtype=torch.float64, device=a.device)
    powers = torch.stack([a.log(), b.log()])[..., None] * (1 - order)
    mean = ((powers.logsumexp(0) - math.log(2)) / (1 - order)).exp()
    distance = (1 - a - b)[..., None] + 2 * mean
    radius = sigma * (-2 / order * distance.clamp(min=0, max=1).log()).sqrt()
    return torch.where(a > b, radius.amax(-1), 0.0)


def hoeffding_lower(successes: Tensor | int, n: int, alpha: float) -> Tensor:
    r"""max(0, k / n - sqrt(ln(1 / alpha) / (2 n))),  k = successes: at most the true probability, in at least 1 - alpha
    of all draws.

    The same room at every k, so it never comes near 1: with n votes that all agree, p >= 1 - sqrt(ln(1 / alpha) /
    (2 n)), where Clopper and Pearson have alpha^{1/n}. Any shape. Raises ValueError for n < 1, counts outside
    0 ... n, alpha outside (0, 1). Hoeffding 1963, theorem 1.
    """
    checks.level(alpha)
    k = checks.counts("successes", torch.as_tensor(successes), n).double()
    return (k / n - math.sqrt(math.log(1 / alpha) / (2 * n))).clamp(min=0)


def samples_needed(radius: float, sigma: float, alpha: float) -> int:
    r"""The least n with max_certifiable_radius(n, alpha, sigma) >= radius:  ceil(ln alpha / ln Phi(radius / sigma)).

    radius = 4 sigma and alpha = .001 need about 218,000 votes, all of which must agree. Raises ValueError for
    sigma <= 0, radius <= 0, alpha outside (0, 1). Cohen et al. 2019, section 3.2.2.
    """
    checks.positive("sigma", sigma)
    checks.positive("radius", radius)
    checks.level(alpha)
    log_p = float(torch.special.log_ndtr(torch.tensor(radius / sigma, dtype=torch.float64)))
    return math.ceil(math.log(alpha) / log_p)


def certified_accuracy(prediction: Tensor, radius: Tensor, y: Tensor, radii: Tensor) -> Tensor:
    r"""A(rho) = (1/N) #{i : prediction_i = y_i, radius_i >= rho}: images that are right and certified to stay so.

    prediction, radius, y (N,), radii (R,) -> (R,) in float64. An abstention (-1) is never right. It is the
    *approximate* certified test accuracy: each certificate may fail with probability alpha, so about alpha N of those
    counted may be wrong. Raises ValueError for other shapes. Cohen et al. 2019, section 4.
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
