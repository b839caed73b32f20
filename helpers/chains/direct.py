r"""Sampling without a chain, and how fast it stops working as the dimension grows."""

from typing import NamedTuple

import torch
from torch import Generator, Tensor

from helpers.chains.state import LogProb
from helpers.chains.targets import Draw


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
