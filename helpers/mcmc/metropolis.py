"""Metropolis-Hastings and the random walk."""

import math
from typing import Protocol

import torch
from torch import Generator, Tensor

from helpers.mcmc.state import Chain, Info, LogProb, chain, noise, positive


def metropolis_accept(log_ratio: Tensor, *, generator: Generator | None = None) -> Tensor:
    r"""True with probability A = min(1, r), r the Metropolis-Hastings ratio: log u <= log r, u ~ U(0, 1].

    log_ratio (chains,) -> bool (chains,). A ratio of NaN is refused. Source: Metropolis et al. 1953; Hastings 1970.
    """
    u = 1 - torch.rand(log_ratio.shape, generator=generator, device=log_ratio.device, dtype=log_ratio.dtype)
    return u.log() <= log_ratio


def settle(
    s: Chain, y: Chain, log_ratio: Tensor, *, generator: Generator | None, limit: float = -math.inf
) -> tuple[Chain, Info]:
    """Accept or refuse the proposals y of the chains s; a log ratio of NaN, or below `limit`, is called divergent."""
    take = metropolis_accept(log_ratio, generator=generator)
    rows = take[:, None]
    grad = torch.where(rows, y.grad, s.grad) if s.grad.numel() else s.grad
    state = Chain(torch.where(rows, y.x, s.x), torch.where(take, y.log_prob, s.log_prob), grad)
    log_accept = log_ratio.clamp(max=0).nan_to_num_(nan=-math.inf, neginf=-math.inf)
    return state, Info(y.x, log_accept, take, (log_ratio >= limit).logical_not_())


class Proposal(Protocol):
    """(x, step_size, generator) -> a proposal y (chains, d) and log q(x|y) - log q(y|x) (chains,)."""

    def __call__(self, x: Tensor, step_size: float, generator: Generator | None) -> tuple[Tensor, Tensor]: ...  # noqa: D102


def gaussian_proposal(x: Tensor, step_size: float, generator: Generator | None) -> tuple[Tensor, Tensor]:
    r"""y = x + step xi, xi ~ N(0, I): symmetric, q(y|x) = q(x|y)."""
    return torch.add(x, noise(x, generator), alpha=step_size), x.new_zeros(len(x))


def log_normal_proposal(x: Tensor, step_size: float, generator: Generator | None) -> tuple[Tensor, Tensor]:
    r"""y = x exp(step xi), coordinate by coordinate, for x > 0: q(y|x) is proportional to 1 / prod_i y_i, so that
    log q(x|y) - log q(y|x) = sum_i log y_i - log x_i."""
    shift = step_size * noise(x, generator)
    return x * shift.exp(), shift.sum(1)


def metropolis_hastings_step(
    log_prob: LogProb, s: Chain, *, step_size: float, generator: Generator | None = None, propose: Proposal
) -> tuple[Chain, Info]:
    r"""y ~ q(.|x);  accept with probability A = min(1, pi(y) q(x|y) / (pi(x) q(y|x))). Needs no gradient.

    s.x (chains, d) -> the next state and the events. Raises ValueError unless step_size > 0. Source: Hastings 1970.
    """
    positive(step_size)
    x, log_correction = propose(s.x, step_size, generator)
    y = chain(x, log_prob, gradient=False)
    state, info = settle(s._replace(grad=y.grad), y, y.log_prob - s.log_prob + log_correction, generator=generator)
    return state, info._replace(densities=1)


def random_walk_step(
    log_prob: LogProb, s: Chain, *, step_size: float, generator: Generator | None = None
) -> tuple[Chain, Info]:
    r"""y = x + step xi, xi ~ N(0, I);  A = min(1, pi(y) / pi(x)).  Source: Metropolis et al. 1953."""
    return metropolis_hastings_step(log_prob, s, step_size=step_size, generator=generator, propose=gaussian_proposal)
