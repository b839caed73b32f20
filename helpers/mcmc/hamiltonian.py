"""Hamiltonian Monte Carlo."""

from functools import partial

import torch
from torch import Generator, Tensor

from helpers.mcmc.metropolis import settle
from helpers.mcmc.state import Chain, Info, LogProb, chain, dot, gradient_at, noise, positive, with_gradient

DIVERGENT = -1000.0
"""A Hamiltonian trajectory whose log acceptance ratio is below this has left the level set: it is called divergent."""


def leapfrog(gradient: LogProb, x: Tensor, p: Tensor, step_size: float, steps: int) -> tuple[Tensor, Tensor]:
    r"""`steps` times:  p += h/2 g(x);  x += h p;  p += h/2 g(x),  g = grad log pi (two half kicks in a row are one).

    x, p (chains, d), h = step_size -> (x, p). Reversible (negate p and run again) and volume-preserving, exactly.
    Raises ValueError unless step_size > 0 and steps >= 1. Source: Neal 2011, section 5.2.3.3.
    """
    positive(step_size)
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}")
    p = p + step_size / 2 * gradient(x)
    for i in range(steps):
        x = x + step_size * p
        p = p + (step_size if i < steps - 1 else step_size / 2) * gradient(x)
    return x, p


def momentum(x: Tensor, mass: Tensor | None, generator: Generator | None) -> Tensor:
    """p ~ N(0, M) for x (chains, d), M = diag(mass), mass (d,) or None for I. Raises ValueError unless mass > 0."""
    if mass is None:
        return noise(x, generator)
    if mass.shape != x.shape[1:] or not (mass > 0).all() or not mass.isfinite().all():
        raise ValueError(f"mass must be {x.shape[1]} positive numbers, got {mass.tolist()}")
    return mass.to(x).sqrt() * noise(x, generator)


def kinetic(p: Tensor, mass: Tensor | None) -> Tensor:
    """p^T M^-1 p / 2: (chains, d) -> (chains,)."""
    return dot(p, p if mass is None else p / mass.to(p)) / 2


def hmc_step(
    log_prob: LogProb,
    s: Chain,
    *,
    step_size: float,
    generator: Generator | None = None,
    steps: int = 10,
    mass: Tensor | None = None,
) -> tuple[Chain, Info]:
    r"""p ~ N(0, M);  (y, q) = `steps` leapfrog steps from (x, p);  A = min(1, exp(H(x, p) - H(y, q))),
    H(x, p) = -log pi(x) + p^T M^-1 p / 2. Flipping q makes the move its own inverse; H does not see it, q is dropped.

    s.x (chains, d), mass the diagonal of M (d,) or None for I -> the next state, after `steps` gradients.
    Raises ValueError unless step_size > 0, steps >= 1, mass > 0. Source: Duane et al. 1987; Neal 2011, section 5.3.2.
    """
    positive(step_size)
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}")
    s, p = with_gradient(s, log_prob), momentum(s.x, mass, generator)
    y, q = path(log_prob, s, p, step_size, steps, mass)
    less = p - q if mass is None else (p - q) / mass.to(p)
    log_ratio = (y.log_prob - s.log_prob).add_(dot(less, p + q), alpha=0.5)
    state, info = settle(s, y, log_ratio, generator=generator, limit=DIVERGENT)
    return state, info._replace(gradients=steps)


def path(
    log_prob: LogProb, s: Chain, p: Tensor, step_size: float, steps: int, mass: Tensor | None = None
) -> tuple[Chain, Tensor]:
    """`leapfrog` from s, whose gradient is known, to the state at the end, the only one whose density is needed."""
    drift = torch.add if mass is None else partial(_drift, mass=mass.to(p))
    p = torch.add(p, s.grad, alpha=step_size / 2)  # a new tensor, from here on changed in place
    x = drift(s.x, p, alpha=step_size)
    for _ in range(steps - 1):
        p.add_(gradient_at(x, log_prob), alpha=step_size)
        x = drift(x, p, alpha=step_size)
    y = chain(x, log_prob)
    return y, p.add_(y.grad, alpha=step_size / 2)


def _drift(x: Tensor, p: Tensor, *, alpha: float, mass: Tensor) -> Tensor:
    """x + h M^-1 p."""
    return torch.addcdiv(x, p, mass, value=alpha)
