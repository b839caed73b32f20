"""Hamiltonian Monte Carlo."""

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


def hmc_step(
    log_prob: LogProb, s: Chain, *, step_size: float, generator: Generator | None = None, steps: int = 10
) -> tuple[Chain, Info]:
    r"""p ~ N(0, I);  (y, q) = `steps` leapfrog steps from (x, p);  A = min(1, exp(H(x, p) - H(y, q))),
    H(x, p) = -log pi(x) + |p|^2 / 2. Flipping q makes the move its own inverse; H does not see it, q is thrown away.

    s.x (chains, d) -> the next state, after `steps` gradients. Raises ValueError unless step_size > 0 and steps >= 1.
    Source: Duane et al. 1987; Neal 2011, section 5.3.2.
    """
    positive(step_size)
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}")
    s, p = with_gradient(s, log_prob), noise(s.x, generator)
    y, q = _path(log_prob, s, p, step_size, steps)
    log_ratio = (y.log_prob - s.log_prob).add_(dot(p - q, p + q), alpha=0.5)
    state, info = settle(s, y, log_ratio, generator=generator, limit=DIVERGENT)
    return state, info._replace(gradients=steps)


def _path(log_prob: LogProb, s: Chain, p: Tensor, step_size: float, steps: int) -> tuple[Chain, Tensor]:
    """`leapfrog` from s, whose gradient is known, to the state at the end, the only one whose density is needed."""
    p = torch.add(p, s.grad, alpha=step_size / 2)  # a new tensor, from here on changed in place
    x = torch.add(s.x, p, alpha=step_size)
    for _ in range(steps - 1):
        p.add_(gradient_at(x, log_prob), alpha=step_size)
        x = torch.add(x, p, alpha=step_size)
    y = chain(x, log_prob)
    return y, p.add_(y.grad, alpha=step_size / 2)
