"""What angular losses can reach: the floor of the normalised soft-max loss, the largest margin, decision boundaries."""

import math

import torch
from torch import Tensor

from helpers import checks
from helpers.faceid.margins import angle, sphereface_psi


def normalised_softmax_bound(s: Tensor, K: int) -> Tensor:
    r"""log(1 + (K - 1) exp(-s K / (K - 1))): no unit features and unit weights of K classes, as many samples in each,
    have a smaller mean loss with the logits s cos theta.

    Attained where features and weights of each class are one corner of the simplex ETF: only for d >= K - 1. For
    weights and features of norm l each, s = l^2. s >= 0 of any shape; K >= 2. Wang et al. 2017, proposition 2.
    """
    if K < 2 or not (s >= 0).all():
        raise ValueError(f"need K >= 2 and s >= 0, got K = {K}, s from {s.min():g}")
    return torch.log1p((K - 1) * torch.exp(-s * K / (K - 1)))


def circle(K: int) -> Tensor:
    r"""(cos, sin)(2 pi k / K), k = 0 ... K - 1: K directions as far apart as the plane allows. (K, 2) in float64."""
    checks.whole("K", K)
    turn = 2 * math.pi / K * torch.arange(K, dtype=torch.float64)
    return torch.stack([turn.cos(), turn.sin()], 1)


def cosface_largest_margin(K: int, d: int) -> float:
    r"""max over K unit vectors in R^d of min_{j != k} (1 - <w_j, w_k>):  K / (K - 1) if d >= K - 1, at the simplex ETF;
    1 - cos(2 pi / K) in the plane, on the circle.

    A margin m <= this can be met by every class at once: cos theta_y - m >= cos theta_j. Raises ValueError for K < 2
    and where 2 < d < K - 1: no formula is known. Wang et al. 2018, equation 8.
    """
    checks.whole("d", d)
    checks.at_least("K", K, 2)
    if d >= K - 1:
        return K / (K - 1)
    if d == 2:
        return 1 - math.cos(2 * math.pi / K)
    if d == 1:
        return 0.0  # two of three classes share a direction of the line
    raise ValueError(f"d must be 1, 2 or at least K - 1 = {K - 1}, got {d}; in between it is below {K / (K - 1):.4g}")


def decision_boundary(theta: Tensor, *, m1: float = 1.0, m2: float = 0.0, m3: float = 0.0) -> Tensor:
    r"""theta_2 with cos theta_2 = psi(m1 theta_1 + m2) - m3: two classes; a sample of class 1 that lies theta from its
    own weights is right, margin included, where the other weights are farther away than theta_2.

    theta of any shape in [0, pi] -> theta_2 in [theta, pi]; pi where even the opposite direction is too near.
    Without margins theta_2 = theta. Raises ValueError outside [0, pi], for m1 < 1, m2 < 0, m3 < 0.
    """
    if not ((theta >= 0) & (theta <= math.pi + 1e-6)).all():
        raise ValueError(f"theta must lie in [0, pi], got {theta.min():.4g} to {theta.max():.4g}")
    for name, value, least in (("m1", m1, 1), ("m2", m2, 0), ("m3", m3, 0)):
        checks.at_least(name, value, least)
    return angle((sphereface_psi(m1 * theta + m2, 1) - m3).clamp(min=-1))
