"""Gibbs sampling."""

import math
from typing import Protocol

import torch
from torch import Generator, Tensor

from helpers.mcmc.state import Chain, Info, moved, noise


class Conditionals(Protocol):
    """A target with full conditionals: conditional(i, x, generator) draws x_i (chains,) given the other coordinates."""

    def conditional(self, i: int, x: Tensor, generator: Generator | None) -> Tensor: ...  # noqa: D102


def gibbs_bivariate_normal(x: Tensor, rho: float, *, generator: Generator | None = None) -> Tensor:
    r"""One systematic sweep for N(0, [[1, rho], [rho, 1]]):
    x_1 ~ N(rho x_2, 1 - rho^2), then x_2 ~ N(rho x_1, 1 - rho^2) with the new x_1.

    x (chains, 2) -> (chains, 2). Raises ValueError unless |rho| < 1 and x has two columns. Source: Geman & Geman 1984.
    """
    if not abs(rho) < 1:
        raise ValueError(f"rho must lie strictly between -1 and 1, got {rho}")
    if x.ndim != 2 or x.shape[1] != 2:
        raise ValueError(f"x must have shape (chains, 2), got {tuple(x.shape)}")
    xi = math.sqrt(1 - rho**2) * noise(x, generator)
    first = rho * x[:, 1] + xi[:, 0]
    return torch.stack([first, rho * first + xi[:, 1]], dim=1)


def gibbs_step(
    target: Conditionals,
    s: Chain,
    *,
    step_size: float | None = None,
    generator: Generator | None = None,
    scan: str = "systematic",
) -> tuple[Chain, Info]:
    r"""x_i ~ pi(x_i | x_1, ..., x_{i-1}, x_{i+1}, ..., x_d): for i = 1, ..., d in turn (scan="systematic": stationary,
    not reversible), or for one i drawn afresh for every chain (scan="random": reversible). It refuses nothing.

    s.x (chains, d) -> the next state, its log_prob NaN (not evaluated). Gibbs has no step size: step_size is ignored.
    """
    if scan not in ("systematic", "random"):
        raise ValueError(f'scan must be "systematic" or "random", got {scan!r}')
    x, d = s.x.clone(), s.x.shape[1]
    if scan == "systematic":
        for i in range(d):
            x[:, i] = target.conditional(i, x, generator)
    else:
        chosen = torch.randint(d, (len(x),), generator=generator, device=x.device)
        for i in range(d):
            rows = chosen == i
            x[rows, i] = target.conditional(i, x[rows], generator)
    return moved(Chain(x, torch.full_like(s.log_prob, math.nan), x[:, :0]))
