"""Optimal transport against brute force and closed forms; the errors of a flow, told apart."""

import itertools

import pytest
import torch
from scipy import stats

from helpers import diffusion
from tests.diffusion.test_forward import F64, close, randn, rng


@pytest.mark.parametrize("d", [1, 2, 5])
def test_the_distance_is_the_best_of_all_pairings(d):
    a, b = randn(6, d), 1 + randn(6, d, seed=1)
    every = [float((a - b[list(order)]).square().sum(1).mean().sqrt()) for order in itertools.permutations(range(6))]
    assert diffusion.wasserstein2(a, b) == pytest.approx(min(every), rel=1e-12)
    assert diffusion.wasserstein2(a, a[torch.tensor([3, 1, 0, 5, 4, 2])]) == pytest.approx(0, abs=1e-12)


def test_a_shift_and_a_stretch():
    """W_2(N(0, 1), N(m, s^2))^2 = m^2 + (1 - s)^2, by quantiles; a shift of any cloud costs its length."""
    x = torch.special.ndtri(diffusion.quantiles(20_000))[:, None]
    assert diffusion.wasserstein2(x, 0.3 + 1.5 * x) == pytest.approx((0.09 + 0.25) ** 0.5, rel=1e-3)
    cloud = randn(40, 3)
    assert diffusion.wasserstein2(cloud, cloud + torch.tensor([1.0, 2.0, 2.0])) == pytest.approx(3, rel=1e-9)
    assert diffusion.wasserstein2(cloud.float(), cloud.float()) == 0


def test_on_the_line_sorting_is_the_assignment():
    a, b = randn(50, 1), randn(50, 1, seed=1)
    plane = [torch.cat([x, torch.zeros(50, 1, dtype=F64)], 1) for x in (a, b)]
    assert diffusion.wasserstein2(a, b) == pytest.approx(diffusion.wasserstein2(*plane), rel=1e-12)


def test_the_floor_falls_with_n():
    g = rng(0)
    few, many = (diffusion.truth_floor(diffusion.ring(), n, repeats=6, generator=g) for n in (20, 300))
    assert few.shape == (6,) and many.mean() < few.mean() and (many > 0).all()


def test_the_exact_flow_carries_the_law():
    m, s = diffusion.line(), diffusion.cosine(50)
    u = diffusion.quantiles(1000)
    x_t = m.noised(s.at(30)).quantile(u)[:, None]
    close(diffusion.flow_map(m, x_t, s.at(30))[:, 0], m.quantile(u), rtol=1e-8, atol=1e-8)


def test_the_exact_flow_solves_the_equation():
    """dy/ds = noise in y = x / sqrt(a), s = sqrt(1/a - 1), against the exact denoiser in 400 Heun steps."""
    m, s = diffusion.two_classes(), diffusion.polynomial(400)
    x_T = torch.special.ndtri(diffusion.quantiles(20))[:, None]
    x_0 = diffusion.sample(diffusion.mixture_denoiser(m, s), s, x_T, method="heun")
    close(x_0, diffusion.flow_map(m, x_T, s.at(400)), rtol=0, atol=1e-3)


def test_each_error_is_found_where_it_is_made():
    m, right = diffusion.two_classes(), diffusion.linear(200)
    denoiser = diffusion.mixture_denoiser(m, right)
    base = diffusion.separate_errors(m, right, denoiser, steps=200, method="heun", n=500)
    assert max(base) < 0.01 and base.discretisation == 0
    coarse = diffusion.separate_errors(m, right, denoiser, steps=10, n=500)
    assert coarse.discretisation > 0.05 and coarse[:2] == base[:2]
    off = diffusion.separate_errors(m, right, lambda x, t: denoiser(x, t) + 0.02, steps=200, method="heun", n=500)
    assert off.score > 0.05 and off.prior == base.prior
    short = diffusion.linear(100, scaled=False)  # alpha-bar_T = 0.36: N(0, 1) is not where the chain ends
    exact = diffusion.mixture_denoiser(m, short)
    prior = diffusion.separate_errors(m, short, exact, steps=100, method="heun", n=500)
    assert prior.prior > 0.02 and prior.prior > 10 * max(prior.score, prior.discretisation)
    for errors in (base, coarse, off, prior):
        assert errors.total <= sum(errors[:3]) + 1e-12
    with pytest.raises(ValueError, match="method must be ddim, euler or heun"):
        diffusion.separate_errors(m, right, denoiser, steps=10, method="ddpm")


def test_the_order_of_a_power():
    assert diffusion.fitted_order([10, 20, 40, 80], [3 / n**1.5 for n in (10, 20, 40, 80)]) == pytest.approx(1.5)
    for steps, errors in (([1], [1.0]), ([1, 2], [1.0]), ([1, 2], [1.0, 0.0]), ([0, 2], [1.0, 1.0])):
        with pytest.raises(ValueError, match="steps and errors"):
            diffusion.fitted_order(steps, errors)


def test_scipy_agrees_on_the_line():
    """SciPy has W_1 only: it is the mean where W_2 is the root of the mean square of one sorted difference."""
    a, b = randn(200, 1), randn(200, 1, seed=1)
    gap = a.sort(0).values - b.sort(0).values
    assert stats.wasserstein_distance(a[:, 0], b[:, 0]) == pytest.approx(float(gap.abs().mean()), rel=1e-9)
    assert diffusion.wasserstein2(a, b) == pytest.approx(float(gap.square().mean().sqrt()), rel=1e-12)
