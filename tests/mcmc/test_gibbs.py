"""Gibbs: how fast it forgets, what it leaves alone, its place among the Metropolis-Hastings samplers."""

import math

import pytest
import torch

from helpers import mcmc
from helpers.mcmc import exactness, targets, theory
from helpers.mcmc.state import noise
from tests.mcmc.toys import CHAINS, Z, rng, tilted


def gibbs_scores(sweep, rho=0.8, lag=3):
    """z-scores of the lag-1 and lag-3 covariances of x_2 against rho^2 per sweep, from many stationary chains."""
    generator = rng(9)
    x = targets.correlated_gaussian(2, rho).draw(CHAINS, generator)
    y, scores = x, []
    for t in range(1, lag + 1):
        y = sweep(y, rho, generator=generator)
        product = x[:, 1] * y[:, 1]
        scores.append(float((product.mean() - rho ** (2 * t)) / (product.std() / CHAINS**0.5)))
    return max(map(abs, scores))


def stale_sweep(x, rho, *, generator):
    xi = (1 - rho**2) ** 0.5 * noise(x, generator)
    return torch.stack([rho * x[:, 1] + xi[:, 0], rho * x[:, 0] + xi[:, 1]], dim=1)


def variance_for_deviation(x, rho, *, generator):
    xi = (1 - rho**2) * noise(x, generator)
    first = rho * x[:, 1] + xi[:, 0]
    return torch.stack([first, rho * first + xi[:, 1]], dim=1)


def test_gibbs_forgets_by_rho_squared_per_sweep():
    assert gibbs_scores(mcmc.gibbs_bivariate_normal) < Z
    assert gibbs_scores(stale_sweep) > Z


def test_gibbs_sweep_leaves_the_normal_alone():
    def moments(sweep):
        generator = rng(10)
        x = targets.correlated_gaussian(2, 0.8).draw(CHAINS, generator)
        for _ in range(5):
            x = sweep(x, 0.8, generator=generator)
        product = x[:, 0] * x[:, 1]
        own = exactness.moment_scores(x, torch.zeros(2, dtype=x.dtype), torch.ones(2, dtype=x.dtype)).abs().max()
        return max(float(own), abs(float((product.mean() - 0.8) / (product.std() / CHAINS**0.5))))

    assert moments(mcmc.gibbs_bivariate_normal) < Z
    assert moments(variance_for_deviation) > Z and moments(stale_sweep) > Z


def test_gibbs_is_metropolis_hastings_that_never_refuses():
    target, generator = tilted(), rng(11)
    x = target.draw(100, generator)
    y = x.clone()
    y[:, 0] = target.conditional(0, x, generator)
    p00 = target.precision[0, 0]

    def log_q(b, a):
        mean = a[:, 0] - ((a - target.mean) @ target.precision[:, 0]) / p00
        return -(b[:, 0] - mean).square() * p00 / 2

    log_ratio = target(y) + log_q(x, y) - target(x) - log_q(y, x)
    assert log_ratio.abs().max() < 1e-10


@pytest.mark.parametrize("rho", [-0.9, 0.0, 0.5, 0.95])
def test_gibbs_eigenvalues(rho):
    precision = targets.correlated_gaussian(2, rho).precision
    sweep, random = (
        torch.linalg.eigvals(theory.gibbs_matrix(precision, s)).abs().max() for s in ("systematic", "random")
    )
    assert math.isclose(sweep, rho**2, abs_tol=1e-12) and math.isclose(random, (1 + abs(rho)) / 2, rel_tol=1e-12)
