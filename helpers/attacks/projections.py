"""Norms, their balls, projections on them and steepest directions; one radius for all images or one per image."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from helpers.checks import at_least

Eps = float | Tensor


def per_image(value: float | Tensor, x: Tensor, name: str = "eps") -> Tensor:
    """One number for all images, or one per image (N,), as a tensor (N, 1, ..., 1) that broadcasts over x (N, ...).

    What has that shape already passes through. Raises ValueError unless all are finite, >= 0, and 1 or N in number.
    """
    if isinstance(value, Tensor) and value.shape == (len(x), *[1] * (x.ndim - 1)) and x.ndim > 1:
        return value
    values = torch.as_tensor(value, dtype=x.dtype, device=x.device)
    if values.ndim > 1 or values.numel() not in (1, len(x)):
        raise ValueError(f"{name} must be one number or one per image, ({len(x)},), got shape {tuple(values.shape)}")
    if not (values.isfinite() & (values >= 0)).all():
        raise ValueError(f"{name} must be finite and >= 0, got {value if values.numel() == 1 else values.min().item()}")
    return spread(values.expand(len(x)), x)


# Norms, their balls and their steepest directions.


def spread(values: Tensor, x: Tensor) -> Tensor:
    """(N,) -> (N, 1, ..., 1), to broadcast over x (N, ...)."""
    return values.reshape(-1, *[1] * (x.ndim - 1))


def norm(delta: Tensor, p: float) -> Tensor:
    r"""||delta||_p = (sum_i |delta_i|^p)^{1/p};  p = inf: max_i |delta_i|;  p = 0: how many delta_i != 0.

    (N, ...) -> (N,). Raises ValueError for p < 0.
    """
    at_least("p", p, 0)
    return torch.linalg.vector_norm(delta.flatten(1), p, dim=1)


def dual(p: float) -> float:
    """q with 1/p + 1/q = 1, so that max{<g, delta> : ||delta||_p <= 1} = ||g||_q. Raises ValueError for p < 1."""
    at_least("p", p, 1)
    return math.inf if p == 1 else 1.0 if p == math.inf else p / (p - 1)


def steepest_ascent(g: Tensor, p: float) -> Tensor:
    r"""argmax of <g, delta> over ||delta||_p <= 1, one per row:  sign(g_i) |g_i|^{q-1} / ||g||_q^{q-1},  q = dual(p).

    p = inf: sign(g);  p = 2: g / ||g||_2;  p = 1: sign(g_i) at the first largest |g_i|, else 0. (N, ...) -> (N, ...);
    where g = 0 so is the direction. Raises ValueError for p < 1.
    """
    q = dual(p)
    if q == math.inf:
        largest = g.abs().flatten(1).argmax(1, keepdim=True)
        return torch.zeros_like(g).flatten(1).scatter(1, largest, g.sign().flatten(1).gather(1, largest)).view_as(g)
    size = spread(norm(g, q), g)
    return g.sign() * torch.where(size > 0, g.abs() / size, 0) ** (q - 1) if q > 1 else g.sign()


def project_linf(delta: Tensor, eps: float | Tensor) -> Tensor:
    r"""The closest point of {||delta||_inf <= eps}:  max(-eps, min(eps, delta_i)).  (N, ...) -> (N, ...)."""
    eps = per_image(eps, delta)
    return delta.clamp(-eps, eps)


def project_l2(delta: Tensor, eps: Eps) -> Tensor:
    r"""The closest point of {||delta||_2 <= eps}:  delta min(1, eps / ||delta||_2).  (N, ...) -> (N, ...).

    eps one number or (N,). Raises ValueError for eps < 0.
    """
    eps, length = per_image(eps, delta), spread(norm(delta, 2), delta)
    return torch.where(length > eps, delta * (eps / length), delta)


def project_l1(delta: Tensor, eps: Eps) -> Tensor:
    r"""The closest point of {||delta||_1 <= eps}:  sign(delta_i) max(|delta_i| - theta, 0), theta by sorting:
    u = |delta| in falling order,  theta_j = (u_1 + ... + u_j - eps) / j,  theta = theta_rho;
    rho = max{j : u_j > theta_j}.

    (N, ...) -> (N, ...); a point inside the ball stays. eps one number or (N,). Raises ValueError for eps < 0.
    Duchi et al. 2008, figure 1.
    """
    eps = per_image(eps, delta).reshape(-1, 1)
    size = delta.abs().flatten(1)
    u = size.sort(dim=1, descending=True).values
    theta = (u.cumsum(1) - eps) / torch.arange(1, u.shape[1] + 1, device=u.device)
    rho = (u > theta).sum(1, keepdim=True).clamp(min=1)
    theta = theta.gather(1, rho - 1).clamp(min=0)
    return delta.sign() * (size - theta).clamp(min=0).view_as(delta)


PROJECTIONS: dict[float, Callable[[Tensor, Tensor], Tensor]] = {1: project_l1, 2: project_l2, math.inf: project_linf}


def project_l0(delta: Tensor, k: int) -> Tensor:
    """A closest point of {at most k entries differ from 0}: the k largest |delta_i| stay. (N, ...) -> (N, ...).

    Raises ValueError for k < 0.
    """
    at_least("k", k, 0)
    flat = delta.flatten(1)
    keep = flat.abs().topk(min(k, flat.shape[1]), dim=1).indices
    return torch.zeros_like(flat).scatter(1, keep, flat.gather(1, keep)).view_as(delta)


def random_in_ball(x: Tensor, eps: Tensor, p: float, generator: Generator | None = None) -> Tensor:
    """A point drawn evenly from {||delta||_p <= eps}, p in {1, 2, inf}, one for each image of x (N, ...).

    p = 2: a normal direction, p = 1: signed exponentials, each times U^{1/d}. eps (N, 1, ..., 1).
    """
    like: dict[str, Any] = {"generator": generator, "device": x.device, "dtype": x.dtype}
    u = 2 * torch.rand(x.shape, **like) - 1
    if p == math.inf:
        return eps * u
    xi = torch.randn(x.shape, **like) if p == 2 else -u.sign() * torch.log1p(-u.abs())
    length = torch.rand(len(x), **like) ** (1 / x[0].numel())
    return eps * spread(length / norm(xi, p), x) * xi


def clip_linf(x: Tensor, eps: Tensor) -> Callable[[Tensor], Tensor]:
    """P of the attacks in the l_inf ball: z -> the point of [x - eps, x + eps] and [0, 1] closest to z, in any l_p.

    eps (N, 1, ..., 1). The two clips are one, to [max(x - eps, 0), min(x + eps, 1)].
    """
    low, high = (x - eps).clamp(min=0), (x + eps).clamp(max=1)
    return lambda z: z.clamp(low, high)
