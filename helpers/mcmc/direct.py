r"""Sampling without a chain, and how fast it stops working as the dimension grows."""

from typing import NamedTuple

import torch
from torch import Generator, Tensor

from helpers.mcmc.state import LogProb
from helpers.mcmc.targets import Draw


def inverse_transform_sample(cdf: LogProb, u: Tensor, low: float, high: float, *, halvings: int = 60) -> Tensor:
    r"""x = F^-(u) = inf {x : F(x) >= u}, so that u ~ U[0, 1] gives x ~ F, whether F is continuous or has jumps.

    Bisection keeps F(low) < u <= F(high). cdf maps a tensor of any shape to F at each entry, u (...) in [0, 1], the law
    lives on [low, high] -> x (...) in float64, at most (high - low) / 2^halvings above F^-(u).
    Raises ValueError unless low < high, 0 <= u <= 1 and F(high) reaches u. Source: Devroye 1986, theorem II.2.1.
    """
    if not low < high:
        raise ValueError(f"low must be below high, got {low} and {high}")
    if not ((u >= 0) & (u <= 1)).all():
        raise ValueError(f"u must lie in [0, 1], got values in [{u.min()}, {u.max()}]")
    u = u.double()
    below, above = torch.full_like(u, low), torch.full_like(u, high)
    if not (cdf(above) >= u).all():
        raise ValueError(f"the law reaches beyond high = {high}: F(high) = {cdf(above).min()}, u is up to {u.max()}")
    for _ in range(halvings):
        middle = (below + above) / 2
        reached = cdf(middle) >= u
        below, above = torch.where(reached, below, middle), torch.where(reached, middle, above)
    return above


class Weighted(NamedTuple):
    """Draws x (n, d) with weights w (n,) that sum to 1; effective = 1 / sum w^2 of them count."""

    x: Tensor
    weights: Tensor
    effective: Tensor


def rejection_sample(
    log_prob: LogProb, propose: Draw, log_q: LogProb, log_bound: float, n: int, *, generator: Generator | None = None
) -> Tensor:
    r"""y ~ q is kept with probability pi(y) / (M q(y)), M = exp(log_bound): what is kept is exactly pi.

    n proposals -> (k, d), k of them kept, Binomial(n, Z / M) where Z is the integral of pi. log_q must be normalised.
    Raises ValueError when pi exceeds M q at a proposal. Source: von Neumann 1951.
    """
    y = propose(n, generator)
    log_ratio = log_prob(y) - log_q(y) - log_bound
    if (log_ratio > 1e-9).any():
        worst = int(log_ratio.argmax())
        raise ValueError(f"log_bound is too small by {float(log_ratio[worst]):.3g} at x = {y[worst].tolist()}")
    u = torch.rand(n, generator=generator, dtype=y.dtype, device=y.device)
    return y[u.log() < log_ratio]


def importance_sample(
    log_prob: LogProb, propose: Draw, log_q: LogProb, n: int, *, generator: Generator | None = None
) -> Weighted:
    r"""w_i proportional to pi(y_i) / q(y_i), y_i ~ q, sum w_i = 1: sum w_i f(y_i) estimates E[f] (self-normalised).

    Source: Kong 1992 for the effective number.
    """
    y = propose(n, generator)
    w = (log_prob(y) - log_q(y)).softmax(0)
    return Weighted(y, w, 1 / w.square().sum())
