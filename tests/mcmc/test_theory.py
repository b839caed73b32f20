"""Closed forms against brute force, and against the numbers that the literature prints."""

import math

import pytest
import torch
from scipy import stats

from helpers import mcmc
from helpers.mcmc import direct, state, targets, theory


def rng(number=0):
    return torch.Generator().manual_seed(number)


@pytest.mark.parametrize(("eta", "precision", "noise"), [(0.1, 1.0, 0.0), (0.01, 40.0, 100.0), (1.9, 1.0, 0.5)])
def test_sgld_variance_is_the_fixed_point(eta, precision, noise):
    v = theory.sgld_variance(eta, precision, noise)
    assert (1 - eta * precision) ** 2 * v + 2 * eta + eta**2 * noise == pytest.approx(v, rel=1e-12)


def test_ula_bias_is_of_first_order():
    bias = [theory.ula_variance(eta, 4.0) / 4.0 - 1 for eta in (0.1, 0.05)]
    assert bias[0] == pytest.approx(0.1 / 8, rel=0.02) and bias[0] / bias[1] == pytest.approx(2, rel=0.01)
    assert theory.ula_variance(0.5, 4.0) == pytest.approx(4 / (1 - 0.5 / 8))


def test_minibatch_noise_is_the_variance_over_all_batches():
    x = torch.tensor([0.3, -1.0, 2.0], dtype=torch.float64)
    totals = torch.tensor([3 / 2 * (a + b) / 0.25 for a in x for b in x])  # N/n sum (x_i - theta)/noise^2 at theta = 0
    assert theory.minibatch_noise(x, 0.5, 2) == pytest.approx(float(totals.var(correction=0)), rel=1e-6)


@pytest.mark.parametrize("d", [1, 2, 10, 100])
def test_shell(d):
    radius = torch.randn(200_000, d, generator=rng(d), dtype=torch.float32).norm(dim=1)
    mean, deviation = theory.shell(d)
    assert abs(float(radius.mean()) - mean) < 5 * deviation / 200_000**0.5
    assert float(radius.std()) == pytest.approx(deviation, rel=0.02)
    assert mean == pytest.approx(math.sqrt(d - 0.5), rel=0.15 / d)


@pytest.mark.parametrize(("d", "expected"), [(1, 0.4389), (2, 0.3507), (5, 0.2839), (30, 0.2424)])
def test_optimal_random_walk_in_finite_dimension(d, expected):
    step, acceptance = theory.random_walk_optimum(d)
    assert acceptance == pytest.approx(expected, abs=2e-4)
    target, generator = targets.gaussian(torch.eye(d, dtype=torch.float64)), rng(d)
    s = state.chain(target.draw(200_000, generator), target, gradient=False)
    after, info = mcmc.random_walk_step(target, s, step_size=step, generator=generator)
    jump = (after.x - s.x).square().sum(1)
    accept, expected_jump = theory.random_walk_efficiency(step, d)
    assert abs(float(info.accepted.double().mean()) - accept) < 5 * 0.5 / 200_000**0.5
    assert abs(float(jump.mean()) - expected_jump) < 5 * float(jump.std()) / 200_000**0.5


def test_limits_of_optimal_acceptance():
    found = [theory.limiting_acceptance(s) for s in ("random_walk", "mala", "hmc")]
    assert found == pytest.approx([0.234, 0.574, 0.651], abs=5e-4)
    assert theory.random_walk_optimum(1000)[1] == pytest.approx(found[0], abs=0.002)


@pytest.mark.parametrize("d", [1, 5, 10])
def test_direct_sampling_collapses_as_predicted(d):
    target, scale, n = targets.gaussian(torch.eye(d, dtype=torch.float64)), 1.2, 200_000
    log_q = lambda x: -x.square().sum(1) / (2 * scale**2) - d * math.log(scale)  # noqa: E731
    propose = lambda n, g: scale * torch.randn(n, d, generator=g, dtype=torch.float64)  # noqa: E731
    kept = direct.rejection_sample(target, propose, log_q, d * math.log(scale), n, generator=rng(1))
    p = theory.rejection_acceptance(d, scale)
    assert abs(len(kept) / n - p) < 5 * (p / n) ** 0.5
    assert stats.kstest(kept[:, 0].numpy(), "norm").pvalue > 1e-6
    weighted = direct.importance_sample(target, propose, log_q, n, generator=rng(2))
    assert float(weighted.effective) / n == pytest.approx(theory.importance_efficiency(d, scale), rel=0.03)
    error = float(weighted.weights @ weighted.x[:, 0].square()) - 1
    assert abs(error) < 5 * 2 / float(weighted.effective) ** 0.5
    with pytest.raises(ValueError, match="log_bound is too small"):
        direct.rejection_sample(target, propose, log_q, -1.0, n, generator=rng(1))


# Inverse transform --------------------------------------------------------------------------------------------------


def test_inverse_transform_of_continuous_and_discrete_laws():
    u = torch.rand(2000, generator=rng(5), dtype=torch.float64)
    exponential = mcmc.inverse_transform_sample(lambda x: 1 - (-x).exp(), u, 0, 60)
    assert torch.allclose(exponential, -torch.log1p(-u), atol=1e-12)
    binomial = mcmc.inverse_transform_sample(lambda x: torch.from_numpy(stats.binom(5, 0.3).cdf(x.numpy())), u, -1, 5)
    assert torch.equal(binomial.round(), torch.from_numpy(stats.binom(5, 0.3).ppf(u.numpy())))
    atom = mcmc.inverse_transform_sample(lambda x: 0.5 * (x >= 1) + 0.5 * x.clamp(0, 1), u, 0, 1)  # a jump and a slope
    assert torch.allclose(atom, (2 * u).clamp(max=1), atol=1e-12)


def test_bad_input():
    with pytest.raises(ValueError, match="low must be below"):
        mcmc.inverse_transform_sample(torch.sigmoid, torch.rand(3), 1, 0)
    with pytest.raises(ValueError, match=r"u must lie in \[0, 1\]"):
        mcmc.inverse_transform_sample(torch.sigmoid, torch.tensor([1.5]), 0, 1)
    for eta in (0.0, -1.0, 2.0, math.nan):
        with pytest.raises(ValueError, match="stationary law"):
            theory.ula_variance(eta)
    with pytest.raises(ValueError, match="gradient noise"):
        theory.sgld_variance(0.1, 1.0, -1.0)
    with pytest.raises(ValueError, match="sampler must be one of"):
        theory.limiting_acceptance("nuts")
    with pytest.raises(ValueError, match="scale >= 1"):
        theory.rejection_acceptance(3, 0.9)
    with pytest.raises(ValueError, match="infinite variance"):
        theory.importance_efficiency(3, 0.7)
    with pytest.raises(ValueError, match="scan"):
        theory.gibbs_matrix(torch.eye(2), "both")
