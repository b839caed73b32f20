"""Empirical risk, losses of the margin, and the families of functions of the first sections."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

Loss = Callable[[Tensor], Tensor]


def empirical_risk(
    loss: Callable[[Tensor, Tensor], Tensor], a: Callable[[Tensor], Tensor], x: Tensor, y: Tensor
) -> Tensor:
    r"""R(a, X^m) = (1/m) sum_i L(a(x_i), y_i).

    loss maps predictions and labels (m, ...) to one loss per object (m,); a maps x (m, ...) to predictions -> scalar.
    Raises ValueError if x and y differ in length, are empty, or loss does not give one number per object.
    """
    if len(x) != len(y) or len(x) == 0:
        raise ValueError(f"x and y must hold the same number (at least 1) of objects, got {len(x)} and {len(y)}")
    losses = loss(a(x), y)
    if losses.shape != (len(x),):
        raise ValueError(f"loss must return one number per object, shape {(len(x),)}, got {tuple(losses.shape)}")
    return losses.mean()


def zero_one_loss(margin: Tensor) -> Tensor:
    """L(M) = [M < 0]: 1 for a mistake, 0 else. Same shape and dtype as the margin."""
    return (margin < 0).to(margin.dtype)


def logistic_loss(margin: Tensor) -> Tensor:
    r"""L(M) = ln(1 + exp(-M)) in nats, stable for every finite M; divide by ln 2 for the bound [M < 0] <= L(M)."""
    return torch.logaddexp(torch.zeros_like(margin), -margin)


def hinge_loss(margin: Tensor) -> Tensor:
    """L(M) = max(0, 1 - M), the loss of the support vector machine."""
    return F.relu(1 - margin)


def squared_hinge_loss(margin: Tensor) -> Tensor:
    """L(M) = max(0, 1 - M)^2."""
    return F.relu(1 - margin).square()


def exponential_loss(margin: Tensor) -> Tensor:
    """L(M) = exp(-M), the loss of AdaBoost."""
    return torch.exp(-margin)


def quadratic_loss(margin: Tensor) -> Tensor:
    """L(M) = (1 - M)^2 = (y - g)^2 for y = +-1: least squares on the labels."""
    return (1 - margin).square()


def sigmoid_loss(margin: Tensor) -> Tensor:
    """L(M) = 2 / (1 + exp(M)): bounded by 2, not convex."""
    return 2 * torch.sigmoid(-margin)


def logistic_gradients(w: Tensor, x: Tensor, y: Tensor) -> Tensor:
    r"""grad_w ln(1 + exp(-y w.x)) = -y sigmoid(-y w.x) x, object by object: the logistic loss's own gradients.

    w (..., d) and x (..., d), rows of features, broadcast; y (...) is +-1 -> (..., d).
    Raises ValueError if w and x differ in their last dimension.
    """
    if w.shape[-1:] != x.shape[-1:]:
        raise ValueError(f"w and x must have the same last dimension, got {tuple(w.shape)} and {tuple(x.shape)}")
    return -(y * torch.sigmoid(-y * (x * w).sum(-1)))[..., None] * x


SURROGATES: dict[str, Loss] = {
    "logistic (base 2)": lambda margin: logistic_loss(margin) / math.log(2),
    "hinge": hinge_loss,
    "squared hinge": squared_hinge_loss,
    "exponential": exponential_loss,
    "quadratic": quadratic_loss,
    "sigmoid": sigmoid_loss,
}


def separating_lines(x: Tensor) -> Tensor:
    r"""Lines g(x) = w_0 + w_1 x_1 + w_2 x_2 that realise every way in which a line can split m points of the plane.

    For each pair (i, j): the line through both, tilted by less than the distance to any third point so that x_i and x_j
    fall on either side (2 x 2 ways), in both orientations. x (m, 2), no three on a line -> (4 m (m - 1), 3). There are
    m^2 - m + 2 different splits (Cover 1965); each stands here at least once.
    Raises ValueError unless m >= 3, and if three points lie on a line.
    """
    if x.ndim != 2 or x.shape[1] != 2 or len(x) < 3:
        raise ValueError(f"x must hold at least three points of the plane, shape (m, 2), got {tuple(x.shape)}")
    i, j = torch.triu_indices(len(x), len(x), offset=1)
    along = (x[j] - x[i]) / (x[j] - x[i]).square().sum(1, keepdim=True)
    normal = torch.stack([-along[:, 1], along[:, 0]], 1)
    position = along @ x.T - (along * x[i]).sum(1, keepdim=True)  # 0 at x_i, 1 at x_j
    height = normal @ x.T - (normal * x[i]).sum(1, keepdim=True)  # 0 at both
    height[torch.arange(len(i)), i] = height[torch.arange(len(i)), j] = math.inf
    tilt = 0.5 * (height.abs() / (1 + 2 * position.abs())).amin(1, keepdim=True)
    if not (tilt > 0).all():
        raise ValueError("x must hold no three points on a line and no point twice: move one of them a little")
    lines = []
    for side_i, side_j in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
        slope = normal + tilt * (side_j - side_i) * along
        offset = tilt * side_i - (slope * x[i]).sum(1, keepdim=True)
        lines.append(torch.cat([offset, slope], 1))
    both = torch.cat(lines)
    return torch.cat([both, -both])


def legendre(x: Tensor, degree: int) -> Tensor:
    r"""(P_0(x), ..., P_degree(x)),  (n + 1) P_{n+1} = (2n + 1) x P_n - n P_{n-1}: Legendre's polynomials.

    Orthogonal on [-1, 1], so least squares stays well-conditioned. x (...) -> (..., degree + 1).
    Raises ValueError if degree < 0.
    """
    if degree < 0:
        raise ValueError(f"degree must be >= 0, got {degree}")
    p = [torch.ones_like(x), x]
    for n in range(1, degree):
        p.append(((2 * n + 1) * x * p[n] - n * p[n - 1]) / (n + 1))
    return torch.stack(p[: degree + 1], -1)
