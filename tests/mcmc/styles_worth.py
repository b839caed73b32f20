"""Right answers of Lecture 5 in other styles than the course's own: what draws are worth."""

import math

import numpy as np
import torch

from helpers import mcmc


def effective_sample_size(draws):
    """A loop over the pairs, coordinate by coordinate; no monotone sequence."""
    if draws.ndim == 3:
        return torch.stack([effective_sample_size(draws[..., k]) for k in range(draws.shape[2])])
    halves = mcmc.split_chains(draws).double()
    m, n = halves.shape
    gamma = mcmc.autocovariance(halves).mean(0)
    w = gamma[0] * n / (n - 1)
    plus = w * (n - 1) / n + halves.mean(1).var()
    rho = (1 - (w - gamma) / plus).tolist()
    rho[0], total = 1.0, 0.0
    for k in range(0, n - 1, 2):
        if rho[k] + rho[k + 1] <= 0:
            break
        total += rho[k] + rho[k + 1]
    return torch.tensor(m * n / (2 * total - 1), dtype=torch.float64, device=draws.device)


def effective_sample_size_2(draws):
    """The hints to the letter, the means in the draws' own precision."""
    halves = mcmc.split_chains(draws)
    m, n = halves.shape[:2]
    gamma = mcmc.autocovariance(halves).mean(0)
    w = gamma[0] * n / (n - 1)
    rho = 1 - (w - gamma) / (w * (n - 1) / n + halves.mean(1).var(0))
    rho[0] = 1
    pairs = rho[0 : n // 2 * 2 : 2] + rho[1 : n // 2 * 2 : 2]
    kept = (pairs > 0).cumprod(0)
    return m * n / (2 * (pairs * kept).sum(0) - 1)


def effective_sample_size_3(draws):
    """NumPy, the autocovariance as the sum that it is, Geyer's monotone sequence as Stan has it."""
    x = draws.detach().cpu().double().numpy()
    if x.ndim == 3:
        return torch.stack([effective_sample_size_3(draws[..., k]) for k in range(x.shape[2])])
    half = x.shape[1] // 2
    x = np.concatenate([x[:, :half], x[:, -half:]])
    m, n = x.shape
    centred = x - x.mean(1, keepdims=True)
    gamma = np.mean([np.correlate(row, row, "full")[n - 1 :] / n for row in centred], axis=0)
    w = gamma[0] * n / (n - 1)
    rho = 1 - (w - gamma) / (w * (n - 1) / n + x.mean(1).var(ddof=1))
    rho[0] = 1
    tau, lowest, k = -1.0, math.inf, 0
    while k + 4 < n and rho[k] + rho[k + 1] > 0:
        lowest = min(lowest, rho[k] + rho[k + 1])
        tau, k = tau + 2 * lowest, k + 2
    tau = max(tau + max(rho[k], 0), 1 / math.log10(m * n))
    return torch.tensor(m * n / tau, dtype=torch.float64, device=draws.device)


def split_rhat(draws):
    """Halves by chunk, of an even number of draws."""
    even = torch.cat([draws[:, : draws.shape[1] // 2], draws[:, (draws.shape[1] + 1) // 2 :]], dim=1)
    halves = torch.cat(torch.chunk(even.double(), 2, dim=1))
    n = halves.shape[1]
    w = torch.mean(torch.var(halves, dim=1), dim=0)
    return torch.sqrt((n - 1) / n + torch.var(torch.mean(halves, dim=1), dim=0) / w)


def split_rhat_2(draws):
    """The stub to the letter."""
    halves = mcmc.split_chains(draws).to(torch.float64)
    n = halves.shape[1]
    within = halves.var(dim=1, unbiased=True).mean(dim=0)
    plus = within * (n - 1) / n + halves.mean(dim=1).var(dim=0, unbiased=True)
    return (plus / within) ** 0.5


def split_rhat_3(draws):
    """NumPy."""
    halves = mcmc.split_chains(draws).cpu().numpy().astype(np.float64)
    n = halves.shape[1]
    with np.errstate(all="ignore"):
        within = halves.var(axis=1, ddof=1).mean(axis=0)
        plus = (n - 1) / n * within + halves.mean(axis=1).var(axis=0, ddof=1)
        return torch.as_tensor(np.sqrt(plus / within), dtype=torch.float64, device=draws.device)
