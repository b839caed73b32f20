r"""Angular losses: soft-max over s cos(theta_j), where the own class has to win by a margin.

    z_j = s cos(theta_j), j != y;    z_y = s (cos(m1 theta_y + m2) - m3);    loss = cross_entropy(z, y)

m1: SphereFace, m2: ArcFace, m3: CosFace; m1 = 1, m2 = m3 = 0: NormFace. All but L-Softmax take the cosines.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from helpers import checks
from helpers.faceid.features import check_batch, unit


def cosines(features: Tensor, weights: Tensor) -> Tensor:
    r"""cos theta_ij = <x_i, w_j> / (|x_i| |w_j|).  (N, d), (K, d) -> (N, K), up to rounding in [-1, 1].

    Raises ValueError for a norm that is 0, infinite or NaN, and for dimensions that differ.
    """
    if features.ndim != 2 or weights.ndim != 2 or features.shape[1] != weights.shape[1]:
        raise ValueError(f"need (N, d) and (K, d), got {tuple(features.shape)} and {tuple(weights.shape)}")
    return unit(features) @ unit(weights).T


def angle(cos: Tensor) -> Tensor:
    r"""theta = arccos(c) in [0, pi]; what rounding left outside [-1, 1] counts as -1 or 1. Any shape.

    d theta / dc = -1 / sin(theta) is infinite at 0 and pi, where the angle has no gradient in x either: 0 stands there.
    """
    inside = cos.abs() < 1
    return torch.where(inside, cos.where(inside, 0).acos(), (1 - cos.sign()) * (math.pi / 2))


def check_cosines(cos: Tensor, y: Tensor) -> None:
    """Raise ValueError unless cos is (N, K) in [-1, 1], a rounding beyond allowed, and y (N,) in 0 ... K - 1."""
    check_batch(cos, y, cos.shape[-1])
    low, high = torch.aminmax(cos.detach())
    if not (low > -1.001 and high < 1.001):
        raise ValueError(f"cos must lie in [-1, 1], got {low:.4g} to {high:.4g}; cosines(features, weights) makes it")


def on_target(cos: Tensor, y: Tensor, margin: Callable[[Tensor], Tensor]) -> Tensor:
    """cos (N, K) with margin(cos[i, y_i]) in place of cos[i, y_i]."""
    target = cos.gather(1, y[:, None])
    return cos.scatter(1, y[:, None], margin(target))


def sphereface_psi(theta: Tensor, m: float) -> Tensor:
    r"""psi(theta) = (-1)^k cos(m theta) - 2k,  k = floor(m theta / pi):  falls from 1 at 0 to 1 - 2m at pi (m whole).

    cos(m theta) alone would rise again after theta = pi/m; here each rising branch is mirrored and put below the last,
    so that psi is monotone, continuous, and so is its slope. theta >= 0 of any shape. Liu et al. 2017, equation 7.
    """
    k = torch.floor(m * theta / math.pi)
    return (1 - 2 * (k % 2)) * torch.cos(m * theta) - 2 * k


def margin_logits(
    cos: Tensor, y: Tensor, *, s: float | Tensor, m1: float = 1.0, m2: float = 0.0, m3: float = 0.0
) -> Tensor:
    r"""z_j = s cos theta_j for j != y,  z_y = s (psi(m1 theta_y + m2) - m3):  cos(m1 theta_y + m2) - m3 as long as
    m1 theta_y + m2 <= pi, and from there on mirrored, as SphereFace does, so that it never rises.

    cos (N, K), y (N,), s > 0 one number or one per row (N,) -> (N, K). Raises ValueError for m1 < 1, m2 < 0, m3 < 0,
    y outside 0 ... K - 1, cos outside [-1, 1]. Deng et al. 2019, equation 4.
    """
    check_cosines(cos, y)
    checks.at_least("m1", m1, 1)
    checks.at_least("m2", m2, 0)
    checks.at_least("m3", m3, 0)
    return scale(s, cos) * on_target(cos, y, lambda c: sphereface_psi(m1 * angle(c) + m2, 1) - m3)


def scale(s: float | Tensor, cos: Tensor) -> float | Tensor:
    """s, as it multiplies cos (N, K). Raises ValueError unless it is one positive number, or one per row (N,)."""
    if not isinstance(s, Tensor) or s.ndim == 0:
        checks.positive("s", float(s))
        return s
    if s.shape != cos.shape[:1] or not ((s > 0) & s.isfinite()).all():
        raise ValueError(f"s must be positive, one number or ({len(cos)},), got {tuple(s.shape)}, least {s.min():g}")
    return s[:, None]


def normface_logits(cos: Tensor, *, s: float | Tensor) -> Tensor:
    r"""z = s cos theta: the soft-max loss with unit weights, unit features and no bias. Wang et al. 2017 (NormFace)."""
    return scale(s, cos) * cos


def sphereface_logits(cos: Tensor, y: Tensor, *, s: float | Tensor, m: float = 4, annealing: float = 0.0) -> Tensor:
    r"""z_y = s (lambda cos theta_y + psi(theta_y)) / (lambda + 1),  lambda = annealing >= 0;  z_j = s cos theta_j.

    s = |x_i| (N,) in the paper, where lambda falls from 1,500 towards 5: from lambda = 0 training hardly starts.
    cos (N, K), y (N,) -> (N, K). Raises ValueError for m < 1, annealing < 0. Liu et al. 2017 (SphereFace).
    """
    check_cosines(cos, y)
    checks.at_least("m", m, 1)
    checks.at_least("annealing", annealing, 0)
    return scale(s, cos) * on_target(cos, y, lambda c: (annealing * c + sphereface_psi(angle(c), m)) / (annealing + 1))


def l_softmax_logits(features: Tensor, weights: Tensor, y: Tensor, *, m: float = 2) -> Tensor:
    r"""z_j = |w_j| |x| cos theta_j,  z_y = |w_y| |x| psi(theta_y): SphereFace before the weights were normalised.

    features (N, d), weights (K, d), y (N,) -> (N, K). Liu et al. 2016 (L-Softmax).
    """
    cos = cosines(features, weights)
    return weights.norm(dim=1) * sphereface_logits(cos, y, s=features.norm(dim=1), m=m)


def cosface_logits(cos: Tensor, y: Tensor, *, s: float, m: float) -> Tensor:
    r"""z_y = s (cos theta_y - m);  z_j = s cos theta_j for j != y.

    cos (N, K), y (N,) in 0 ... K - 1, s > 0, m >= 0 -> (N, K). Wang et al. 2018 (CosFace; AM-Softmax).
    """
    check_cosines(cos, y)
    checks.positive("s", s)
    checks.at_least("m", m, 0)
    target = cos.gather(1, y[:, None])
    return s * cos.scatter(1, y[:, None], target - m)


def arcface_logits(cos: Tensor, y: Tensor, *, s: float, m: float) -> Tensor:
    r"""z_y = s cos(theta_y + m) where theta_y <= pi - m, beyond it s (cos theta_y - m sin m);  z_j = s cos theta_j.

    Beyond pi - m cos(theta + m) would rise again. The continuation falls, with a step down of m sin m + cos m - 1
    where it begins. cos (N, K), y (N,), s > 0, 0 <= m < pi -> (N, K); the gradient is finite at theta = 0 and pi.
    Deng et al. 2019 (ArcFace), and the authors' program.
    """
    check_cosines(cos, y)
    checks.positive("s", s)
    checks.at_least("m", m, 0)
    theta = angle(cos.gather(1, y[:, None]))
    beyond = torch.cos(theta) - m * math.sin(m)
    target = torch.where(theta <= math.pi - m, torch.cos(theta + m), beyond)
    return s * cos.scatter(1, y[:, None], target)
