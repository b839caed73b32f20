"""Momentum on quadratics: its rate, its best step and momentum, and a function beside them where it fails."""

import math

import torch
from torch import Tensor


def optimal_step_quadratic(gradient: Tensor, hessian: Tensor) -> Tensor:
    r"""eta* = g'g / g'Hg, the step that minimises 1/2 w'Hw - b'w along -g.

    gradient (..., d), hessian (..., d, d) or (d, d), positive definite -> (...).
    Raises ValueError if the shapes disagree or the curvature g'Hg is not positive.
    """
    d = gradient.shape[-1:]
    if hessian.shape not in (d + d, gradient.shape + d):
        allowed = f"{tuple(d + d)} or {tuple(gradient.shape + d)}"
        raise ValueError(f"for this gradient, hessian must have the shape {allowed}, got {tuple(hessian.shape)}")
    curvature = torch.einsum("...i,...ij,...j->...", gradient, hessian, gradient)
    if not (curvature > 0).all():
        raise ValueError(f"g'Hg must be positive, got {curvature.min().item():.3g}: is g zero or H indefinite?")
    return gradient.square().sum(-1) / curvature


def spectral_radius(eta: Tensor, beta: Tensor, eigenvalues: Tensor) -> Tensor:
    r"""rho = max_lambda max |z|,  z^2 - (1 + beta - eta lambda) z + beta = 0: the asymptotic rate |w_t| ~ rho^t.

    eta and beta broadcast to (...), eigenvalues (d,) of the Hessian -> (...). Source: Polyak 1964.
    """
    b = 1 + beta.unsqueeze(-1) - eta.unsqueeze(-1) * eigenvalues
    root = (b.square() - 4 * beta.unsqueeze(-1)).sqrt()  # NaN for complex roots
    real = (b.abs() + root) / 2
    return torch.where(b.square() < 4 * beta.unsqueeze(-1), beta.unsqueeze(-1).sqrt(), real).amax(-1)


def optimal_heavy_ball(smallest: float, largest: float) -> tuple[float, float]:
    r"""eta = (2 / (sqrt l_max + sqrt l_min))^2,  beta = ((sqrt kappa - 1)/(sqrt kappa + 1))^2,  kappa = l_max / l_min.

    For curvatures in [l_min, l_max] = [smallest, largest]. The rate is then sqrt beta, the least of all steps and
    momenta, against (kappa - 1)/(kappa + 1) without momentum. Raises ValueError unless 0 < smallest <= largest.
    """
    if not 0 < smallest <= largest:
        raise ValueError(f"need 0 < smallest <= largest, got {smallest=}, {largest=}")
    low, high = math.sqrt(smallest), math.sqrt(largest)
    return (2 / (high + low)) ** 2, ((high - low) / (high + low)) ** 2


def lessard_gradient(x: Tensor) -> Tensor:
    """f' = 25 x (x < 1), x + 24 (1 <= x < 2), 25 x - 24 (x >= 2). Source: Lessard et al. 2016, equation 4.11."""
    return torch.where(x < 1, 25 * x, torch.where(x < 2, x + 24, 25 * x - 24))
