"""Parallel tempering: flattened copies of the target, which cross between its modes, and swaps that pass them down."""

import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from helpers.mcmc.metropolis import metropolis_accept, random_walk_step
from helpers.mcmc.sampling import Step
from helpers.mcmc.state import Chain, Info, LogProb


def swap_log_ratio(log_prob: Tensor, betas: Tensor) -> Tensor:
    r"""ln of pi(y)^b_k pi(x)^b_{k+1} / (pi(x)^b_k pi(y)^b_{k+1}) for x at level k, y at level k + 1:
    (b_k - b_{k+1}) (ln pi(y) - ln pi(x)), the Metropolis ratio of exchanging them.

    log_prob (levels, chains) of pi itself, betas (levels,) -> (levels - 1, chains).
    """
    return (betas[:-1] - betas[1:])[:, None] * (log_prob[1:] - log_prob[:-1])


def tempering_step(
    log_prob: LogProb,
    s: Chain,
    *,
    step_size: float,
    generator: Generator | None = None,
    betas: Sequence[float],
    step: Step = random_walk_step,
) -> tuple[Chain, Info]:
    r"""`step` on pi^b at each level b, of size step_size / sqrt(b); then every other pair of neighbouring levels (the
    first one even or odd, by a coin) exchanges its states with probability min(1, r), r of `swap_log_ratio`.

    s.x (levels x chains, d), level after level, betas falling from 1: the first len(s.x) / len(betas) rows are draws of
    pi. Leaves the product of all pi^b alone. Raises ValueError for other betas, or rows that they do not divide.
    Sources: Swendsen & Wang 1986; Geyer 1991.
    """
    k = len(betas)
    if k < 2 or betas[0] != 1 or not all(a > b > 0 for a, b in zip(betas, betas[1:], strict=False)) or len(s.x) % k:
        raise ValueError(f"betas must fall from 1, stay positive and divide the {len(s.x)} chains, got {betas}")
    states, infos = [], []
    for beta, rows in zip(betas, zip(*(t.chunk(k) for t in s), strict=True), strict=True):
        at = Chain(rows[0], beta * rows[1], beta * rows[2])
        state, info = step(_flattened(log_prob, beta), at, step_size=step_size / math.sqrt(beta), generator=generator)
        states.append(Chain(state.x, state.log_prob / beta, state.grad / beta))
        infos.append(info)
    stacked = Chain(*(torch.stack(parts) for parts in zip(*states, strict=True)))
    state = Chain(*(t.flatten(0, 1) for t in _swapped(stacked, betas, generator)))
    proposal, log_accept, accepted, divergent, densities, gradients = zip(*infos, strict=True)
    events = Info(torch.cat(proposal), torch.cat(log_accept), torch.cat(accepted), torch.cat(divergent))
    return state, events._replace(densities=sum(densities) / k, gradients=sum(gradients) / k)


def _flattened(log_prob: LogProb, beta: float) -> LogProb:
    return lambda x: beta * log_prob(x)


def _swapped(s: Chain, betas: Sequence[float], generator: Generator | None) -> Chain:
    """The states (levels, chains, ...) after the exchange."""
    device, first = s.x.device, int(torch.randint(2, (), generator=generator, device=s.x.device))
    levels = torch.arange(len(betas), device=device)
    log_ratio = swap_log_ratio(s.log_prob, torch.tensor(betas).to(s.x))
    take = metropolis_accept(log_ratio, generator=generator) & (levels[:-1] % 2 == first)[:, None]
    order = levels[:, None].repeat(1, s.x.shape[1])
    order[:-1] += take
    order[1:] -= take.long()
    chains = torch.arange(s.x.shape[1], device=device)
    return Chain(*(t[order, chains] for t in s))
