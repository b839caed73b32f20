"""MALA's ratio, and the biased samplers ULA and SGLD against their closed forms (false alarms: see toys.py)."""

import itertools
import math

import torch

from helpers import mcmc
from helpers.mcmc import posteriors, targets, theory
from helpers.mcmc.state import chain, moved, noise
from tests.mcmc.toys import CHAINS, Z, bent, rng


def test_mala_acceptance_is_the_ratio_of_its_definition():
    x, y = (chain(torch.randn(50, 2, generator=rng(n), dtype=torch.float64), bent()) for n in (17, 18))
    eta = 0.3

    def log_q(b, a):
        mean = a.x + eta * a.grad
        return torch.distributions.Normal(mean, math.sqrt(2 * eta)).log_prob(b.x).sum(1)

    direct = y.log_prob + log_q(x, y) - x.log_prob - log_q(y, x)
    assert torch.allclose(mcmc.mala_log_acceptance(x, y, eta), direct, atol=1e-10)


def eta_for_two_eta(log_prob, s, *, step_size, generator):
    s = chain(s.x, log_prob)
    return moved(chain(s.x + step_size * s.grad + math.sqrt(step_size) * noise(s.x, generator), log_prob))


def ula_scores(step, eta=0.5, s2=4.0):
    """z-score of the variance of ULA on N(0, s2), started in its own closed-form law, and of the target's variance."""
    target, generator = targets.gaussian(torch.tensor([[s2]], dtype=torch.float64)), rng(6)
    variance = theory.ula_variance(eta, s2)
    s = chain(variance**0.5 * noise(torch.empty(CHAINS, 1, dtype=torch.float64), generator), target)
    for _ in range(30):
        s, _ = step(target, s, step_size=eta, generator=generator)
    square = s.x.square()
    return [float((square.mean() - v) / (square.std() / CHAINS**0.5)) for v in (variance, s2)]


def test_ula_has_the_variance_of_its_closed_form():
    own, target = ula_scores(mcmc.ula_step)
    assert abs(own) < Z and abs(target) > Z


def test_ula_variance_has_teeth():
    assert abs(ula_scores(eta_for_two_eta)[0]) > Z


def conjugate(batch_size=5):
    x = torch.randn(40, generator=rng(7), dtype=torch.float64) + 0.5
    return posteriors.gaussian_mean_posterior(x, noise=1.0, prior=1.0, batch_size=batch_size), x


def sgld_score(step, eta=0.01):
    posterior, x = conjugate()
    precision = len(x) + 1.0
    variance = theory.sgld_variance(eta, precision, theory.minibatch_noise(x, 1.0, posterior.batch_size))
    generator, mean = rng(8), x.sum() / precision
    s = chain(mean + variance**0.5 * torch.randn(CHAINS, 1, generator=generator, dtype=torch.float64), posterior)
    for _ in range(15):
        s, _ = step(posterior, s, step_size=eta, generator=generator)
    square = (s.x - mean).square()
    return [float((square.mean() - v) / (square.std() / CHAINS**0.5)) for v in (variance, 1 / precision)]


def test_sgld_has_the_variance_of_its_closed_form():
    own, target = sgld_score(mcmc.sgld_step)
    assert abs(own) < Z and abs(target) > Z


def without_factor(log_prior, log_likelihood, theta, batch, data_size):
    return gradient_with(log_prior, log_likelihood, theta, batch, 1.0)


def prior_scaled_too(log_prior, log_likelihood, theta, batch, data_size):
    factor = data_size / batch[0].shape[1]
    return factor * gradient_with(log_prior, log_likelihood, theta, batch, 1.0)


def gradient_with(log_prior, log_likelihood, theta, batch, factor):
    leaf = theta.clone().requires_grad_(True)
    return torch.autograd.grad((log_prior(leaf) + factor * log_likelihood(leaf, *batch).sum(1)).sum(), leaf)[0]


def bias(gradient):
    """|mean over all 4^2 batches of 2 out of 4 with replacement - full gradient|."""
    x = torch.tensor([0.3, -1.0, 2.0, 0.7], dtype=torch.float64)
    posterior = posteriors.gaussian_mean_posterior(x)
    theta = torch.tensor([[0.4]], dtype=torch.float64)
    batches = [x[list(rows)][None] for rows in itertools.product(range(4), repeat=2)]
    mean = torch.stack([gradient(posterior.log_prior, posterior.log_likelihood, theta, (b,), 4) for b in batches]).mean(
        0
    )
    return float((mean - chain(theta, posterior).grad).abs())


def test_the_factor_makes_the_gradient_unbiased():
    assert bias(mcmc.sgld_gradient) < 1e-12
    assert bias(without_factor) > 0.1 and bias(prior_scaled_too) > 0.1
