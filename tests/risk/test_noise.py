"""The noise of stochastic gradients by enumeration, linear algebra and Monte Carlo."""

import itertools
import math

import numpy as np
import pytest
import torch

from helpers.risk import noise
from tests.risk.common import close, normal


def test_running_risk_forgets_exponentially() -> None:
    q = torch.tensor(1.0, dtype=torch.float64)
    for _ in range(7):
        q = noise.running_risk(q, torch.tensor(0.0, dtype=torch.float64), rate=0.1)
    assert math.isclose(q.item(), 0.9**7)
    assert close(noise.running_risk(torch.tensor(2.0), torch.tensor(4.0), rate=0.25), 2.5)
    assert noise.running_risk(torch.tensor(2.0), torch.tensor(4.0), rate=1) == 4


@pytest.mark.parametrize("replacement", [True, False])
def test_minibatch_variance_by_all_batches(g: torch.Generator, replacement: bool) -> None:
    gradients, m = normal(g, 5, 3), 5
    for k in (1, 2, 3, 5):
        ways = itertools.product(range(m), repeat=k) if replacement else itertools.permutations(range(m), k)
        batches = torch.tensor(list(ways))
        exact = (gradients[batches].mean(1) - gradients.mean(0)).square().sum(1).mean()
        assert close(noise.minibatch_variance(gradients, k, replacement=replacement), exact)
    assert noise.minibatch_variance(gradients[:1], 1, replacement=False) == 0
    two = noise.minibatch_variance(gradients[:2], 1, replacement=False)
    assert close(two, (gradients[0] - gradients[1]).square().sum() / 4)


def test_mean_square_error_by_monte_carlo(g: torch.Generator) -> None:
    etas = torch.tensor([0.5, 0.3, 0.2, 0.1], dtype=torch.float64)
    error = noise.mean_square_error(etas, curvature=1.5, variance=2.0, start=3.0)
    w = torch.full((200_000,), 3.0, dtype=torch.float64)
    assert error[0] == 9 and error.dtype == torch.float64
    for eta, expected in zip(etas, error[1:], strict=True):
        w = w - eta * (1.5 * w + math.sqrt(2.0) * normal(g, 200_000))
        sample = w.square()
        assert abs(sample.mean() - expected) < 5 * sample.std() / math.sqrt(200_000)


@pytest.mark.parametrize("eta, beta", [(0.1, 0.0), (0.5, 0.0), (1.9, 0.0), (0.1, 0.9), (0.5, 0.5), (3.0, 0.6)])
def test_noise_floor_solves_the_stationary_equation(eta: float, beta: float) -> None:
    mu, variance = 0.7, 1.3
    a = np.array([[1 + beta - eta * mu, -beta], [1.0, 0.0]])  # (w_t, w_{t-1}) -> (w_{t+1}, w_t)
    source = np.array([eta**2 * variance, 0, 0, 0])
    covariance = np.linalg.solve(np.eye(4) - np.kron(a, a), source)
    assert math.isclose(noise.noise_floor(eta, curvature=mu, variance=variance, beta=beta), covariance[0], rel_tol=1e-9)


def test_without_noise_the_error_goes_to_zero() -> None:
    error = noise.mean_square_error(torch.tensor([0.5, 0.5]), curvature=1.0, variance=0.0, start=2.0)
    assert error.tolist() == [4, 1, 0.25]
    assert noise.noise_floor(0.1, curvature=1.0, variance=0.0) == 0


def test_noise_floor_for_small_steps() -> None:
    assert math.isclose(noise.noise_floor(10.0, curvature=0.1, variance=0.5), 10**2 * 0.5)  # eta mu = 1: no memory
    assert math.isclose(
        noise.noise_floor(1e-4, curvature=2.0, variance=3.0, beta=0.9), 1e-4 * 3 / (2 * 2 * 0.1), rel_tol=1e-4
    )
