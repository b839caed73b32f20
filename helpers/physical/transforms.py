r"""What lies between a picture and its photograph, part by part: warps, blur, colour response, noise, grey levels.

Pictures x (N, 1 or 3, H, W) are in [0, 1] and stay there. Each part is a pure function of x and of parameters that are
one number, or one per picture (N,): nothing is drawn here. All are differentiable in x; what rounds says how. At
strength zero each returns x to the last bit.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from helpers.faceid.pictures import check_pictures

Each = float | Tensor
TOE = 0.055  # of the colour response, as in sRGB: the slope at black is finite, whatever gamma


def each(name: str, value: Each, x: Tensor, low: float = -math.inf, high: float = math.inf) -> Tensor:
    """One number, or one per picture (N,), as (N, 1, 1, 1). Raises ValueError for NaN, or outside [low, high]."""
    values = torch.as_tensor(value, dtype=x.dtype, device=x.device)
    if values.ndim > 1 or values.numel() not in (1, len(x)):
        raise ValueError(f"{name} must be one number or one per picture, ({len(x)},), got {tuple(values.shape)}")
    if not ((low <= values) & (values <= high)).all():
        raise ValueError(f"{name} must lie in [{low:g}, {high:g}], got {values.tolist()}")
    return values.expand(len(x)).reshape(-1, 1, 1, 1)


def in_range(x: Tensor) -> Tensor:
    """x clipped to [0, 1], with the gradient of x: for what leaves the range by a rounding error only."""
    return x.detach().clamp(0, 1) + (x - x.detach())


def round_through(x: Tensor) -> Tensor:
    """round(x), with the gradient of x: a straight-through estimator. Bengio et al. 2013, section 4."""
    return x.detach().round() + (x - x.detach())


def rotation(x: Tensor, angle: Each = 0.0, scale: Each = 1.0, shift: Tensor | None = None) -> Tensor:
    r"""p -> scale R p + shift:  the homographies (N, 3, 3) that turn pictures about their centres.

    Points p are in pixels from the centre, x to the right and y down; angle in degrees, counter-clockwise as seen;
    scale in [0.01, 100]; shift (N, 2) in shares of the width and the height, 0 unless given.
    """
    turn = each("angle", angle, x, -360, 360).flatten() * (math.pi / 180)
    c, s = (each("scale", scale, x, 0.01, 100).flatten() * part for part in (turn.cos(), turn.sin()))
    move = _shares("shift", shift, x, (2,)) if shift is not None else x.new_zeros(len(x), 2)
    zero, one = torch.zeros_like(c), torch.ones_like(c)
    rows = [c, s, move[:, 0], -s, c, move[:, 1], zero, zero, one]
    return torch.stack(rows, 1).view(-1, 3, 3)


def tilt(x: Tensor, corners: Tensor) -> Tensor:
    r"""The homographies (N, 3, 3) that take the four corners p_k of a picture to q_k = p_k + move_k: with M = I + D,
    D_33 = 0, eight linear equations  (D p)_i - q_i (D p)_3 = move_i  (i = 1, 2; p = (x, y, 1)).

    corners (N, 4, 2): the moves of the corners top left, top right, bottom right, bottom left, in shares of the width
    and the height. Raises ValueError where the new corners make no convex quadrilateral.
    """
    move = _shares("corners", corners, x, (4, 2))
    signs = move.new_tensor([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    p = (signs * _size(x) / 2).expand_as(move)
    q = p + move
    side, following = q.roll(-1, 1) - q, q.roll(-2, 1) - q.roll(-1, 1)
    if not (side[..., 0] * following[..., 1] > side[..., 1] * following[..., 0]).all():
        raise ValueError("corners must leave a convex quadrilateral: moves of less than 0.25 always do")
    full = torch.cat([p, torch.ones_like(p[..., :1])], 2)
    none = torch.zeros_like(full)
    left = torch.stack([torch.cat([full, none], 2), torch.cat([none, full], 2)], 2)
    equations = torch.cat([left, -q[..., None] * p[:, :, None]], 3).flatten(1, 2)
    d = torch.linalg.solve(equations, move.flatten(1))
    return torch.eye(3, dtype=x.dtype, device=x.device) + F.pad(d, (0, 1)).view(-1, 3, 3)


def warp(x: Tensor, matrix: Tensor) -> Tensor:
    """What is at p goes to M p, read bilinearly; beyond the picture its edge goes on. p in pixels from the centre.

    x (N, 1 or 3, H, W), homographies M (N, 3, 3) or (3, 3) -> as x. Nothing is smoothed before it is shrunk.
    Raises ValueError for other shapes, NaN, or a matrix without inverse.
    """
    check_pictures("x", x)
    if matrix.shape not in ((3, 3), (len(x), 3, 3)) or not matrix.isfinite().all():
        raise ValueError(f"matrix must be finite, (3, 3) or ({len(x)}, 3, 3), got {tuple(matrix.shape)}")
    matrix = matrix.expand(len(x), 3, 3)
    still = (matrix == torch.eye(3, dtype=matrix.dtype, device=matrix.device)).all(-1).all(-1)
    if still.all():
        return x
    inverse, singular = torch.linalg.inv_ex(matrix)
    if singular.any():
        raise ValueError("matrix must have an inverse")
    return torch.where(still.view(-1, 1, 1, 1), x, in_range(resampled(x, inverse, x.shape[2:], "border")))


def resampled(x: Tensor, inverse: Tensor, size: tuple[int, ...], outside: str) -> Tensor:
    """A picture of `size` whose pixel p shows x at M^-1 p, from the centres both; outside: "border" or "zeros"."""
    points = torch.cat([_from_centre(size, x), x.new_ones(*size, 1)], 2)
    at = torch.einsum("nij,hwj->nhwi", inverse, points)
    at = at[..., :2] / at[..., 2:]
    return F.grid_sample(x, 2 * at / _size(x), padding_mode=outside, align_corners=False)


def rotate_scale(x: Tensor, angle: Each = 0.0, scale: Each = 1.0, shift: Tensor | None = None) -> Tensor:
    """x turned by `angle` degrees (counter-clockwise), enlarged by `scale`, moved by `shift`: `rotation`, `warp`."""
    check_pictures("x", x)
    return warp(x, rotation(x, angle, scale, shift))


def perspective(x: Tensor, corners: Tensor) -> Tensor:
    """x seen from aside: its four corners move by `corners` (N, 4, 2), shares of width and height: `tilt`, `warp`."""
    check_pictures("x", x)
    return warp(x, tilt(x, corners))


def blur(x: Tensor, sigma: Each) -> Tensor:
    r"""y_ij = sum_kl G_ik G'_jl x_kl,  G_ik = exp(-(i - k)^2 / (2 sigma^2)) / sum_k (the same): at the border the
    weights that lie inside sum to 1. sigma >= 0 in pixels."""
    check_pictures("x", x)
    sigma = each("sigma", sigma, x, 0)
    if not sigma.any():
        return x
    down, across = (_gaussian(length, sigma) for length in x.shape[2:])
    return torch.where(sigma == 0, x, in_range(down @ x @ across.mT))


def colour(x: Tensor, gain: Each = 1.0, offset: Each = 0.0, gamma: Each = 1.0) -> Tensor:
    r"""clip(gain r(x) + offset),  r(x) = ((x + a)^gamma - a^gamma) / ((1 + a)^gamma - a^gamma),  a = 0.055:
    brightness and contrast of light, ink and sensor. r(0) = 0, r(1) = 1; gamma = 1: r(x) = x.

    gain >= 0, offset in [-1, 1], gamma in [0.1, 10]. What is clipped has no gradient: the photograph does not show it.
    """
    check_pictures("x", x)
    gain, offset = each("gain", gain, x, 0), each("offset", offset, x, -1, 1)
    gamma = each("gamma", gamma, x, 0.1, 10)
    black, white = TOE**gamma, (1 + TOE) ** gamma
    response = torch.where(gamma == 1, x, ((x + TOE) ** gamma - black) / (white - black))
    still = (gain == 1) & (offset == 0)
    return torch.where(still, in_range(response), (gain * response + offset).clamp(0, 1))


def noisy(x: Tensor, xi: Tensor, sigma: Each) -> Tensor:
    r"""clip(x + sigma xi): the noise of a sensor. xi of the shape of x, drawn by the caller; sigma >= 0."""
    check_pictures("x", x)
    if xi.shape != x.shape or not xi.isfinite().all():
        raise ValueError(f"xi must be finite and of the shape of x, {tuple(x.shape)}, got {tuple(xi.shape)}")
    return (x + each("sigma", sigma, x, 0) * xi).clamp(0, 1)


def quantised(x: Tensor, levels: Each, *, rounding: Callable[[Tensor], Tensor] = round_through) -> Tensor:
    r"""round((levels - 1) x) / (levels - 1): so many grey levels per channel, 256 in a file; infinitely many: x.

    levels >= 2. rounding=torch.round has no gradient where the default has that of x.
    """
    check_pictures("x", x)
    steps = each("levels", levels, x, 2) - 1
    finite = steps.where(steps.isfinite(), 1)
    return torch.where(steps.isfinite(), rounding(x * finite) / finite, x)


def _shares(name: str, value: Tensor, x: Tensor, tail: tuple[int, ...]) -> Tensor:
    """value (N, ...) in shares of width and height -> pixels."""
    if value.shape != (len(x), *tail) or not value.isfinite().all():
        raise ValueError(f"{name} must be finite, {(len(x), *tail)}, got {tuple(value.shape)}")
    return value.to(x) * _size(x)


def _size(x: Tensor) -> Tensor:
    return x.new_tensor([x.shape[3], x.shape[2]])


def _from_centre(size: tuple[int, ...], like: Tensor) -> Tensor:
    """The places (H, W, 2) of the pixels of a picture of `size`, x and y from its centre."""
    y, x = (torch.arange(n, dtype=like.dtype, device=like.device) - (n - 1) / 2 for n in size)
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)


def _gaussian(length: int, sigma: Tensor) -> Tensor:
    """G (N, 1, length, length) of `blur`; sigma = 0: the identity."""
    place = torch.arange(length, dtype=sigma.dtype, device=sigma.device)
    away = (place[:, None] - place) / sigma.clamp(min=torch.finfo(sigma.dtype).tiny)
    return (-away.square() / 2).softmax(-1)
