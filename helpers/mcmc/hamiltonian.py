"""Hamiltonian Monte Carlo."""

import itertools

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
    p = torch.add(p, gradient(x), alpha=step_size / 2)  # a new tensor, from here on changed in place
    for i in range(steps):
        x = torch.add(x, p, alpha=step_size)
        p.add_(gradient(x), alpha=step_size if i < steps - 1 else step_size / 2)
    return x, p


def hmc_step(
    log_prob: LogProb, s: Chain, *, step_size: float, generator: Generator | None = None, steps: int = 10
) -> tuple[Chain, Info]:
    r"""p ~ N(0, I);  (y, q) = `steps` leapfrog steps from (x, p);  A = min(1, exp(H(x, p) - H(y, q))),
    H(x, p) = -log pi(x) + |p|^2 / 2. Flipping q makes the move its own inverse; H does not see it, q is thrown away.

    s.x (chains, d) -> the next state, after `steps` gradients. Source: Duane et al. 1987; Neal 2011, section 5.3.2.
    """
    first, p = with_gradient(s, log_prob), noise(s.x, generator)
    y, calls = first, itertools.count()

    def gradient(x: Tensor) -> Tensor:  # the first is known, only the last needs its density
        nonlocal y
        call = next(calls)
        if 0 < call < steps:
            return gradient_at(x, log_prob)
        y = chain(x, log_prob) if call else first
        return y.grad

    _, q = leapfrog(gradient, s.x, p, step_size, steps)
    log_ratio = (y.log_prob - first.log_prob).add_(dot(p - q, p + q), alpha=0.5)
    state, info = settle(first, y, log_ratio, generator=generator, limit=DIVERGENT)
    return state, info._replace(gradients=steps)
