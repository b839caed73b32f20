"""Likelihoods and priors against SciPy and brute force."""

import math

import pytest
import torch
from scipy import integrate, stats

from helpers import risk
from tests.risk.common import close, normal


@pytest.mark.parametrize("sigma", [0.2, 1.0, 3.0])
def test_gaussian_log_likelihood_is_scipys_and_integrates_to_one(g: torch.Generator, sigma: float) -> None:
    y, mean = normal(g, 4, 3), normal(g, 4, 3)
    assert close(risk.gaussian_log_likelihood(y, mean, sigma), stats.norm.logpdf(y.numpy(), mean.numpy(), sigma))
    assert close(risk.gaussian_log_likelihood(y, torch.tensor(0.5), sigma), stats.norm.logpdf(y.numpy(), 0.5, sigma))
    density = lambda v: risk.gaussian_log_likelihood(torch.tensor(v), torch.tensor(0.5), sigma).exp().item()  # noqa: E731
    assert math.isclose(integrate.quad(density, -30, 30, points=[0.5])[0], 1, rel_tol=1e-5)


def test_prior_strengths_are_the_curvatures_of_the_priors() -> None:
    assert risk.prior_strength(0.5) == 4 and risk.prior_strength(0.5, m=8) == 0.5
    assert risk.laplace_strength(0.5) == 2 and risk.laplace_strength(0.5, m=8) == 0.25
    assert risk.prior_strength(0.5, m=1) == 4 and risk.laplace_strength(0.5, m=1) == 2
    for u in (0.3, 1.7):
        gaussian = stats.norm.logpdf(0, scale=0.6) - stats.norm.logpdf(u, scale=0.6)
        laplace = stats.laplace.logpdf(0, scale=0.6) - stats.laplace.logpdf(u, scale=0.6)
        assert math.isclose(risk.prior_strength(0.6) * u**2 / 2, gaussian)
        assert math.isclose(risk.laplace_strength(0.6) * u, laplace)


def test_soft_threshold_by_brute_force() -> None:
    u = torch.linspace(-4, 4, 80_001, dtype=torch.float64)
    assert torch.equal(risk.soft_threshold(u, 0), u)
    for w in (-2.0, -0.5, 0.0, 0.3, 0.8, 3.0):
        best = u[((u - w).square() / 2 + 0.8 * u.abs()).argmin()]
        assert abs(best - risk.soft_threshold(torch.tensor(w, dtype=torch.float64), 0.8)) < 1e-4
