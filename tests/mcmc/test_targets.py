"""Targets: density, exact draws and stated moments agree; posteriors against closed forms and publications."""

import math
from functools import partial

import pytest
import torch
from scipy import stats
from torch import nn

from helpers import mcmc
from helpers.mcmc import exactness, posteriors, targets
from helpers.mcmc.sampling import sample
from helpers.mcmc.state import chain, gradient_at

Z = float(stats.norm.isf(1e-6 / 200))  # false alarm 1e-6 over at most 100 two-sided scores


def rng(number=0):
    return torch.Generator().manual_seed(number)


TARGETS = {
    "normal": lambda: targets.gaussian(
        torch.tensor([[2.0, 0.5], [0.5, 1.0]], dtype=torch.float64), torch.tensor([1.0, -2.0], dtype=torch.float64)
    ),
    "correlated": lambda: targets.correlated_gaussian(5, 0.9),
    "banana": targets.banana,
    "funnel": lambda: targets.funnel(3, 1.0),
    "mixture": lambda: targets.mixture(torch.tensor([[-2.0, 0.0], [3.0, 1.0]]), 0.7, torch.tensor([0.3, 0.7])),
}


@pytest.mark.parametrize("name", TARGETS)
def test_draws_have_the_stated_moments(name):
    target = TARGETS[name]()
    assert exactness.moment_scores(target.draw(100_000, rng(1)), target.mean, target.variance).abs().max() < Z


@pytest.mark.parametrize("name", TARGETS)
def test_draws_have_the_stated_density(name):
    """E_pi[grad log pi] = 0 and E_pi[x_i d_i log pi] = -1 (Stein): these hold for the right density only."""
    target = TARGETS[name]()
    s = chain(target.draw(100_000, rng(2)), target)
    for values, expected in ((s.grad, 0.0), ((s.x - target.mean) * s.grad, -1.0)):
        assert ((values.mean(0) - expected) / (values.std(0) / 100_000**0.5)).abs().max() < Z


@pytest.mark.parametrize("name", [*TARGETS, "schools"])
def test_gradients(name):
    log_prob = posteriors.eight_schools if name == "schools" else TARGETS[name]()
    x = torch.randn(20, 10 if name == "schools" else len(log_prob.mean), generator=rng(3), dtype=torch.float64)
    assert exactness.gradient_error(log_prob, x) < 1e-6


@pytest.mark.parametrize("name", TARGETS)
def test_a_gradient_of_its_own_is_the_gradient(name):
    """`gradient_at` takes it without the density; a mean that is not 0 is in it."""
    target = TARGETS[name]()
    x = target.draw(20, rng(6))
    value, grad = target.value_and_grad(x)
    assert torch.equal(gradient_at(x, target), grad) and torch.equal(target(x), value)
    assert torch.allclose(gradient_at(x, target.log_prob), grad, rtol=1e-12, atol=1e-12)  # by autograd


def test_conditionals_of_the_normal():
    target = TARGETS["correlated"]()
    x = target.draw(1, rng(4)).expand(100_000, 5).clone()
    drawn = target.conditional(2, x, rng(5))
    others = [0, 1, 3, 4]
    covariance = torch.linalg.inv(target.precision)
    weights = torch.linalg.solve(covariance[others][:, others], covariance[others, 2])
    mean, variance = x[0, others] @ weights, covariance[2, 2] - covariance[2, others] @ weights
    assert exactness.moment_scores(drawn[:, None], mean[None], variance[None]).abs().max() < Z


# Eight schools ------------------------------------------------------------------------------------------------------


def test_eight_schools_quadrature_against_the_publication():
    """Each of the ten published means within 4 of its own Monte Carlo errors."""
    reference = posteriors.EIGHT_SCHOOLS_REFERENCE
    exact = posteriors.eight_schools_exact()
    published = torch.tensor([*reference["theta"], reference["mu"], reference["tau"]])
    error = torch.tensor([*reference["theta_error"], reference["mu_error"], reference["tau_error"]])
    assert ((exact - published) / error).abs().max() < 4


def test_eight_schools_by_hmc_against_quadrature():
    """1,000 independent chains: their final states are independent, so the error is sd / sqrt(1000)."""
    start = 0.1 * torch.randn(1000, 10, generator=rng(6), dtype=torch.float64)
    step = partial(mcmc.hmc_step, steps=8)
    draws = sample(step, posteriors.eight_schools, start, 20, step_size=0.35, warmup=60, thin=3, generator=rng(7))
    per_chain = posteriors.eight_schools_effects(draws.x).mean(1)
    scores = (per_chain.mean(0) - posteriors.eight_schools_exact()) / (per_chain.std(0) / 1000**0.5)
    assert scores.abs().max() < Z and not draws.divergent.any()


# Posteriors ---------------------------------------------------------------------------------------------------------


def test_posterior_of_a_gaussian_mean():
    x = torch.randn(30, generator=rng(8), dtype=torch.float64)
    posterior = posteriors.gaussian_mean_posterior(x, noise=0.5, prior=2.0)
    precision = 30 / 0.25 + 1 / 4
    theta = torch.linspace(-1, 1, 9, dtype=torch.float64)[:, None]
    expected = -(theta[:, 0] - x.sum() / 0.25 / precision).square() * precision / 2
    assert torch.allclose(posterior(theta).diff(), expected.diff(), atol=1e-10)


def everything(posterior):
    """sgld_gradient on the whole data, as one batch shared by all chains and as a batch of each chain's own."""
    theta = 0.1 * torch.randn(3, 7, generator=rng(9), dtype=torch.float64)
    size = len(posterior.data[0])
    shared = tuple(t[None] for t in posterior.data)
    own = tuple(t[None].expand(3, *t.shape) for t in posterior.data)
    gradients = [
        mcmc.sgld_gradient(posterior.log_prior, posterior.log_likelihood, theta, b, size) for b in (shared, own)
    ]
    return chain(theta, posterior).grad, *gradients


def logistic():
    x = torch.randn(40, 6, generator=rng(10), dtype=torch.float64)
    return posteriors.logistic_posterior(x, (x[:, 0] > 0).long(), prior=2.0)


def test_full_batch_gradient_is_the_gradient():
    full, shared, own = everything(logistic())
    assert torch.allclose(full, shared, atol=1e-10) and torch.allclose(full, own, atol=1e-10)


def test_logistic_posterior_against_cross_entropy():
    posterior = logistic()
    theta = torch.randn(1, 7, generator=rng(12), dtype=torch.float64)
    rows, sign = posterior.data
    loss = nn.functional.binary_cross_entropy_with_logits(rows @ theta[0], (sign + 1) / 2, reduction="sum")
    assert float(posterior(theta)) == pytest.approx(float(-loss - theta.square().sum() / 8), rel=1e-12)


def test_network_is_the_network():
    sizes, chains = (5, 4, 3), 2
    theta = torch.randn(chains, 6 * 4 + 5 * 3, generator=rng(13), dtype=torch.float64)
    x = torch.randn(7, 5, generator=rng(14), dtype=torch.float64)
    y = torch.randint(3, (7,), generator=rng(15))
    posterior = posteriors.network_posterior(x, y, sizes, prior=0.5)
    for c in range(chains):
        net = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3)).double()
        with torch.no_grad():
            parts = theta[c].split([20, 4, 12, 3])
            for layer, w, b in ((net[0], *parts[:2]), (net[2], *parts[2:])):
                layer.weight.copy_(w.reshape(layer.in_features, -1).T)
                layer.bias.copy_(b)
            expected = -nn.functional.cross_entropy(net(x), y, reduction="sum") - 2 * theta[c].square().sum()
        assert float(posterior(theta)[c]) == pytest.approx(float(expected), rel=1e-10)
    own = posteriors.network_logits(theta, torch.stack([x, x]), sizes)
    assert torch.allclose(own, posteriors.network_logits(theta, x[None], sizes), atol=1e-12)


def test_breast_cancer_table():
    posterior = posteriors.breast_cancer()
    rows, sign = posterior.data
    assert rows.shape == (569, 31) and (sign == 1).sum() == 357
    assert torch.allclose(rows[:, 1:].mean(0), torch.zeros(30, dtype=rows.dtype), atol=1e-10)


def test_breast_cancer_reference_by_another_run():
    """64 chains with random path lengths and independent means; the error of the reference, 0.006, is allowed for."""
    mean, sd = (
        torch.tensor(v, dtype=torch.float64) for v in (posteriors.BREAST_CANCER_MEAN, posteriors.BREAST_CANCER_SD)
    )
    x, r = (
        mean + sd / 2 * torch.randn(64, 31, generator=rng(17), dtype=torch.float64),
        torch.rand(60, generator=rng(18)),
    )
    step, eta = partial(mcmc.hmc_step, steps=12), lambda t: 0.05 + 0.06 * float(r[t])
    draws = sample(step, posteriors.breast_cancer(), x, 40, step_size=eta, warmup=20, generator=rng(19))
    per_chain = draws.x.mean(1)
    error = (per_chain.var(0) / 64 + 0.006**2).sqrt()
    assert ((per_chain.mean(0) - mean) / error).abs().max() < Z
    assert draws.x.flatten(0, 1).std(0) / sd == pytest.approx(torch.ones(31), rel=0.15)


def test_minibatches():
    posterior = logistic()._replace(batch_size=4)
    rows, sign = posterior.batch(3, rng(16))
    assert rows.shape == (3, 4, 7) and sign.shape == (3, 4) and not torch.equal(rows[0], rows[1])


def test_bad_input():
    with pytest.raises(ValueError, match="symmetric"):
        targets.gaussian(torch.tensor([[1.0, 0.5], [0.4, 1.0]]))
    with pytest.raises(ValueError, match="positive definite"):
        targets.gaussian(torch.tensor([[1.0, 2.0], [2.0, 1.0]]))
    with pytest.raises(ValueError, match="rho"):
        targets.correlated_gaussian(3, 1.0)
    with pytest.raises(ValueError, match="2 dimensions"):
        targets.funnel(1)
    with pytest.raises(ValueError, match="weights"):
        targets.mixture(torch.zeros(2, 2), 1.0, torch.tensor([0.5, 0.6]))
    with pytest.raises(ValueError, match="0 and 1 only"):
        posteriors.logistic_posterior(torch.zeros(3, 2), torch.tensor([-1, 1, 1]))
    with pytest.raises(ValueError, match="39 weights"):
        posteriors.network_logits(torch.zeros(1, 38), torch.zeros(1, 2, 5), (5, 4, 3))
    assert math.isfinite(targets.funnel()(torch.zeros(1, 10))[0])


def test_the_laplace_prior_is_the_density_of_its_name():
    theta = torch.randn(50, 4, generator=rng(9), dtype=torch.float64)
    exact = torch.distributions.Laplace(0.0, 0.7).log_prob(theta).sum(1)
    constant = exact - posteriors.laplace_prior(0.7)(theta)
    assert torch.allclose(constant, constant[:1].expand(50))
