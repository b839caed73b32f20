"""Right answers of Lecture 5 in another style than the course's own."""

import math

import torch

from helpers import mcmc
from helpers.mcmc.state import Chain, Info


def stationary_distribution(matrix):
    """By eigenvectors."""
    values, vectors = torch.linalg.eig(matrix.double().T)
    ones = (values - 1).abs() < 1e-9
    if ones.sum() != 1:
        raise ValueError("not unique")
    vector = vectors[:, ones][:, 0].real
    return vector / vector.sum()


def is_reversible(matrix, law=None, *, tolerance=1e-9):
    """Pair by pair."""
    pi = mcmc.stationary_distribution(matrix) if law is None else law
    k = len(matrix)
    pairs = [(i, j) for i in range(k) for j in range(i)]
    return all(abs(float(pi[i] * matrix[i, j] - pi[j] * matrix[j, i])) <= tolerance for i, j in pairs)


def inverse_transform_sample(cdf, u, low, high, *, halvings=60):
    """One width for all, the lower end moved up."""
    x, width = torch.full_like(u, low, dtype=torch.float64), float(high - low)
    for _ in range(halvings):
        width /= 2
        x = x + width * (cdf(x + width) < u)
    return x + width


def gibbs_bivariate_normal(x, rho, *, generator=None):
    """By torch.normal, one coordinate after the other."""
    if abs(rho) >= 1:
        raise ValueError("|rho| < 1 is needed")
    new = x.clone()
    sd = (1 - rho**2) ** 0.5
    for i in (0, 1):
        new[:, i] = torch.normal(rho * new[:, 1 - i], sd, generator=generator)
    return new


def metropolis_accept(log_ratio, *, generator=None):
    """By the ratio itself, cut off at 1."""
    u = torch.rand(log_ratio.shape, generator=generator, device=log_ratio.device)
    return u < torch.nan_to_num(log_ratio, nan=-math.inf, posinf=0.0, neginf=-math.inf).clamp(max=0).exp()


def ula_step(log_prob, s, *, step_size, generator=None):
    """With autograd and the tuples written out."""
    y = torch.normal(s.x + step_size * s.grad, (2 * step_size) ** 0.5, generator=generator).requires_grad_()
    value = log_prob(y)
    (grad,) = torch.autograd.grad(value.sum(), y)
    y, n = y.detach(), len(y)
    state = Chain(y, value.detach(), grad)
    true = torch.ones(n, dtype=torch.bool, device=y.device)
    return state, Info(y, torch.zeros_like(state.log_prob), true, ~true, 0, 1)


def mala_log_acceptance(x, y, step_size):
    """By torch's own normal density."""

    def log_q(b, a):
        law = torch.distributions.Normal(a.x + step_size * a.grad, math.sqrt(2 * step_size))
        return law.log_prob(b.x).sum(1)

    return y.log_prob + log_q(x, y) - x.log_prob - log_q(y, x)


def leapfrog(gradient, x, p, step_size, steps):
    """Half kicks, each gradient kept for the next one."""
    x, p, force = x.clone(), p.clone(), gradient(x)
    for _ in range(steps):
        p += step_size / 2 * force
        x += step_size * p
        force = gradient(x)
        p += step_size / 2 * force
    return x, p


def sgld_gradient(log_prior, log_likelihood, theta, batch, data_size):
    """By backward, chain by chain for the prior."""
    leaf = theta.clone().requires_grad_()
    n = batch[0].shape[1]
    (log_prior(leaf).sum() + data_size * log_likelihood(leaf, *batch).sum() / n).backward()
    return leaf.grad


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


def split_rhat(draws):
    halves = torch.cat(torch.chunk(draws[:, : draws.shape[1] // 2 * 2].double(), 2, dim=1))
    n = halves.shape[1]
    w = torch.mean(torch.var(halves, dim=1), dim=0)
    return torch.sqrt((n - 1) / n + torch.var(torch.mean(halves, dim=1), dim=0) / w)
