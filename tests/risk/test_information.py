"""Entropies and divergences against SciPy, and what they promise."""

import math

import numpy as np
import pytest
import torch
from scipy import special, stats
from scipy.spatial.distance import jensenshannon

from helpers import risk
from tests.risk.common import close, distributions


@pytest.mark.parametrize("zeros", [False, True])
def test_entropies_are_scipys(g: torch.Generator, zeros: bool) -> None:
    p, q = distributions(g, 3, 5, 6, zeros=zeros), distributions(g, 3, 5, 6)
    kl = special.rel_entr(p.numpy(), q.numpy()).sum(-1)
    assert close(risk.entropy(p), stats.entropy(p.numpy(), axis=-1))
    assert close(risk.kl_divergence(p, q), kl)
    assert close(risk.cross_entropy(p, q), stats.entropy(p.numpy(), axis=-1) + kl)
    q = distributions(g, 3, 5, 6, zeros=zeros)
    distance = jensenshannon(p.numpy(), q.numpy(), axis=-1)
    assert close(risk.js_distance(p, q), distance) and close(risk.js_divergence(p, q), distance**2)


def test_entropies_at_the_edge() -> None:
    one, other, half = (torch.tensor(v, dtype=torch.float64) for v in ([1.0, 0.0], [0.0, 1.0], [0.5, 0.5]))
    assert risk.entropy(one) == 0 and close(risk.entropy(half), math.log(2))
    assert risk.kl_divergence(half, one) == math.inf == risk.cross_entropy(half, one)
    assert close(risk.kl_divergence(one, half), math.log(2)) and risk.kl_divergence(one, one) == 0
    assert close(risk.js_divergence(one, other), math.log(2)) and close(
        risk.js_distance(one, other), math.sqrt(math.log(2))
    )


def test_gibbs_and_the_bounds(g: torch.Generator) -> None:
    p, q = distributions(g, 5000, 4, zeros=True), distributions(g, 5000, 4, zeros=True)
    assert (risk.kl_divergence(p, q) >= 0).all() and (risk.entropy(p) <= math.log(4)).all()
    assert (risk.js_divergence(p, q) <= math.log(2) + 1e-12).all()
    assert (risk.cross_entropy(p, q) >= risk.entropy(p) - 1e-12).all()


def test_js_distance_is_a_metric_and_js_is_not(g: torch.Generator) -> None:
    p, q, c = (distributions(g, 20_000, 3, zeros=True) for _ in range(3))
    slack = lambda d: d(p, c) + d(c, q) - d(p, q)  # noqa: E731
    assert slack(risk.js_distance).min() > -1e-9 and slack(risk.js_divergence).min() < -0.1
    near = (p + 1e-9 * c) / (1 + 1e-9)
    assert risk.js_distance(p, near).isfinite().all()  # rounding may leave JS below 0: its root must not be NaN


def test_mixture_log_density(g: torch.Generator) -> None:
    x, means, sigmas, weights = (
        torch.tensor(v).double() for v in ([[0.3, 1.0, 4.0], [-50.0, 0.0, 9.0]], [-1.0, 2.0], [0.5, 2.0], [0.3, 0.7])
    )
    parts = np.log(weights.numpy()) + stats.norm.logpdf(x[..., None].numpy(), means.numpy(), sigmas.numpy())
    assert close(risk.mixture_log_density(x, means, sigmas, weights), special.logsumexp(parts, axis=-1))


def test_fit_gaussian_covers_forward_and_seeks_a_mode_in_reverse() -> None:
    grid = torch.linspace(-12, 12, 801, dtype=torch.float64)
    means, sigmas, weights = (torch.tensor(v).double() for v in ([-2.5, 2.5], [0.7, 0.7], [0.6, 0.4]))
    log_p = risk.mixture_log_density(grid, means, sigmas, weights)
    mu, sigma, _ = risk.fit_gaussian(log_p, grid, forward=True, start=(0.0, 1.0))
    assert (mu, sigma**2) == pytest.approx((-0.5, 0.49 + 0.24 * 25), abs=1e-4)  # the moments of the mixture
    for start, mode, weight in ((-2.0, -2.5, 0.6), (2.0, 2.5, 0.4)):
        mu, sigma, kl = risk.fit_gaussian(log_p, grid, forward=False, start=(start, 1.0))
        assert (mu, sigma, kl) == pytest.approx((mode, 0.7, -math.log(weight)), abs=0.02)


def test_fit_gaussian_stays_at_the_optimum_comes_from_afar_and_takes_two_points() -> None:
    grid = torch.linspace(-40, 40, 2001, dtype=torch.float64)
    log_p = -((grid - 1) / 3).square() / 2 - math.log(3 * math.sqrt(2 * math.pi))
    for forward in (True, False):
        assert risk.fit_gaussian(log_p, grid, forward=forward, start=(1.0, 3.0)) == pytest.approx((1, 3, 0), abs=1e-12)
    mu, sigma, kl = risk.fit_gaussian(log_p, grid, forward=True, start=(-20.0, 0.3))
    assert (mu, sigma, kl) == pytest.approx((1, 3, 0), abs=1e-4)
    two = risk.fit_gaussian(torch.zeros(2), torch.tensor([0.0, 1.0]), forward=True, start=(0.0, 1.0))
    assert all(map(math.isfinite, two))


def test_a_distribution_may_be_off_by_rounding_and_no_more() -> None:
    for excess, fits in ((9e-5, True), (1.05e-4, False), (-9e-5, True), (-1.05e-4, False)):
        p = torch.tensor([[0.5, 0.5], [0.5, 0.5 + excess]], dtype=torch.float64)
        if fits:
            risk.entropy(p)
        else:
            with pytest.raises(ValueError, match="sum to 1"):
                risk.entropy(p)
