"""Mean-field variational inference, which the lecture holds beside its samplers."""

import torch
from torch import Tensor

from helpers import runtime
from helpers.mcmc.state import LogProb


def mean_field(
    log_prob: LogProb, start: Tensor, *, steps: int = 800, batch: int = 32, seed: int = 1
) -> tuple[Tensor, Tensor]:
    r"""Maximise E log pi(m + s xi) + sum log s over m, s (d,), xi ~ N(0, I): KL(N(m, diag s^2) || pi) with its sign
    changed, up to a constant, by Adam with a falling step from m = start (d,). log_prob may be an unbiased estimate.
    Source: Blundell et al. 2015.
    """
    g = runtime.generator(seed, str(start.device))
    m = start.detach().clone().requires_grad_()
    log_s = torch.full_like(start, -1.0, requires_grad=True)
    adam = torch.optim.Adam([m, log_s])
    for t in range(steps):
        adam.param_groups[0]["lr"] = 0.05 * (1 - t / steps)
        adam.zero_grad()
        xi = torch.randn(batch, len(m), generator=g, device=m.device, dtype=m.dtype)
        (-log_prob(m + log_s.exp() * xi).mean() - log_s.sum()).backward()
        adam.step()
    return m.detach(), log_s.detach().exp()
