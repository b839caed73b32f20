"""Targets with known moments, samplers with one mistake, and how seldom a statistical test may alarm falsely."""

import math
from functools import partial

import torch
from scipy import stats

from helpers import mcmc
from helpers.mcmc import targets
from helpers.mcmc.state import chain, noise

FALSE_ALARM = 1e-6
Z = float(stats.norm.isf(FALSE_ALARM / 200))  # two-sided, over at most 100 scores
CHAINS = 100_000


def rng(number=0):
    return torch.Generator().manual_seed(number)


def tilted():
    covariance = torch.tensor([[1.0, 0.6], [0.6, 2.0]], dtype=torch.float64)
    return targets.gaussian(covariance, torch.tensor([1.0, -1.0], dtype=torch.float64))


def gamma(x):
    """Gamma(3, 1) on x > 0."""
    return torch.where(x[:, 0] > 0, 2 * x[:, 0].clamp(min=1e-300).log() - x[:, 0], -math.inf)


def gamma_target():
    def draw(n, generator):
        return -torch.rand(n, 3, generator=generator, dtype=torch.float64).log().sum(1, keepdim=True)

    three = torch.tensor([3.0], dtype=torch.float64)
    return targets.Target("gamma", gamma, three, three, draw)


def log_gamma_target(jacobian=True):
    """u = log x for x ~ Gamma(3, 1): density x^2 e^-x times the Jacobian dx/du = x."""

    def log_prob(u):
        return (2 + jacobian) * u[:, 0] - u[:, 0].exp()

    def draw(n, generator):
        return gamma_target().draw(n, generator).log()

    mean, variance = torch.tensor(
        [[0.9227843350984671], [0.3949340668482264]], dtype=torch.float64
    )  # digamma, trigamma
    return targets.Target("log gamma", log_prob, mean, variance, draw)


def bent():
    return targets.banana(1.0, 0.5)


hmc = partial(mcmc.hmc_step, steps=3)


# Samplers with one mistake that more than one file tries


def small_noise_mala(log_prob, s, *, step_size, generator):
    """The proposal has noise sqrt(eta), the ratio believes sqrt(2 eta)."""
    s = chain(s.x, log_prob)
    y = chain(s.x + step_size * s.grad + math.sqrt(step_size) * noise(s.x, generator), log_prob)
    return mcmc.settle(s, y, mcmc.mala_log_acceptance(s, y, step_size), generator=generator)


def uncorrected_mala(log_prob, s, *, step_size, generator):
    """No q in the ratio."""
    s = chain(s.x, log_prob)
    y, _ = mcmc.ula_step(log_prob, s, step_size=step_size, generator=generator)
    return mcmc.settle(s, y, y.log_prob - s.log_prob, generator=generator)


def hmc_with(integrate, energy=0.5):
    def step(log_prob, s, *, step_size, generator):
        s = chain(s.x, log_prob)
        p = noise(s.x, generator)
        x, q = integrate(lambda x: chain(x, log_prob).grad, s.x, p, step_size, 3)
        y = chain(x, log_prob)
        log_ratio = y.log_prob - s.log_prob + energy * (p.square() - q.square()).sum(1)
        return mcmc.settle(s, y, log_ratio, generator=generator)

    return step


def euler(gradient, x, p, step_size, steps):
    for _ in range(steps):
        x, p = x + step_size * p, p + step_size * gradient(x)
    return x, p


def missing_half_kick(gradient, x, p, step_size, steps):
    """Symplectic Euler: volume-preserving, but not its own inverse."""
    for _ in range(steps):
        x = x + step_size * p
        p = p + step_size * gradient(x)
    return x, p
