"""Divergences against torch's and SciPy's, the bound against the exact log-density, T = 1 against a VAE."""

import math

import pytest
import torch
from scipy import stats
from torch.distributions import Independent, MultivariateNormal, Normal, kl_divergence

from helpers import diffusion
from tests.diffusion.test_forward import F64, close, randn, rng


def covariance(*shape: int, seed: int = 0) -> torch.Tensor:
    root = randn(*shape, shape[-1], seed=seed)
    s = root @ root.mT + 0.1 * torch.eye(shape[-1], dtype=F64)
    return (s + s.mT) / 2


@pytest.mark.parametrize("shape", [(1,), (3,), (4, 2), (2, 3, 5)])
def test_the_divergence_of_gaussians(shape):
    mean_q, mean_p = randn(*shape), randn(*shape, seed=1)
    cov_q, cov_p = covariance(*shape, seed=2), covariance(*shape, seed=3)
    ours = diffusion.gaussian_kl_full(mean_q, cov_q, mean_p, cov_p)
    q, p = MultivariateNormal(mean_q.cpu(), cov_q.cpu()), MultivariateNormal(mean_p.cpu(), cov_p.cpu())
    close(ours.cpu(), kl_divergence(q, p), rtol=1e-9, atol=1e-9)
    close(diffusion.gaussian_kl_full(mean_q, cov_q, mean_q, cov_q), ours * 0, rtol=0, atol=1e-10)


def test_the_isotropic_divergence_is_the_full_one():
    mean_q, mean_p = randn(6, 4), randn(6, 4, seed=1)
    v_q, v_p = randn(6, seed=2).exp(), randn(6, seed=3).exp()
    eye = torch.eye(4, dtype=F64)
    full = diffusion.gaussian_kl_full(mean_q, v_q[:, None, None] * eye, mean_p, v_p[:, None, None] * eye)
    close(diffusion.gaussian_kl(mean_q, v_q, mean_p, v_p), full)
    pictures = diffusion.gaussian_kl(mean_q.view(6, 1, 2, 2), v_q, mean_p.view(6, 1, 2, 2), v_p)
    close(pictures, full)
    with pytest.raises(ValueError, match="variances must be positive"):
        diffusion.gaussian_kl(mean_q, 0 * v_q, mean_p, v_p)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"mean_p": torch.zeros(3, dtype=F64)}, "one shape"),
        ({"cov_q": torch.eye(3, dtype=F64)}, "one shape"),
        ({"cov_q": torch.zeros(2, 2, dtype=F64)}, "cov_q must be positive definite"),
        ({"cov_p": torch.tensor([[1.0, 0.5], [0.2, 1.0]], dtype=F64)}, "cov_p .* symmetric"),
    ],
)
def test_a_divergence_of_what_is_no_gaussian(change, match):
    good = {"mean_q": torch.zeros(2, dtype=F64), "cov_q": torch.eye(2, dtype=F64)}
    good |= {"mean_p": torch.ones(2, dtype=F64), "cov_p": 2 * torch.eye(2, dtype=F64)}
    with pytest.raises(ValueError, match=match):
        diffusion.gaussian_kl_full(**(good | change))


def test_the_discretised_decoder_is_a_distribution():
    grey = (2 * torch.arange(256, dtype=F64) / 255 - 1)[:, None]
    for mean, sd in ((0.3, 0.2), (-1.4, 0.05), (1.0, 0.003), (0.0, 2.0)):
        log_p = diffusion.discretised_log_likelihood(grey, torch.full_like(grey, mean), sd**2)
        assert float(log_p.exp().sum()) == pytest.approx(1, abs=1e-9)
        edges = torch.cat([torch.tensor([-math.inf]), grey[:-1, 0] + 1 / 255, torch.tensor([math.inf])]).numpy()
        expected = torch.from_numpy(stats.norm.cdf(edges[1:], mean, sd) - stats.norm.cdf(edges[:-1], mean, sd))
        sure = expected > 1e-3
        close(log_p.exp()[sure], expected[sure], rtol=1e-9, atol=0)
        assert log_p.isfinite().all() and log_p.max() <= 0
    far = diffusion.discretised_log_likelihood(torch.ones(1, 1), -torch.ones(1, 1), 1e-4)
    assert float(far) == pytest.approx(stats.norm.logsf(2 - 1 / 255, scale=0.01), rel=1e-6)
    with pytest.raises(ValueError, match="x_0 must lie in"):
        diffusion.discretised_log_likelihood(2 * grey + 1, grey, 0.1)


@pytest.mark.parametrize("make", [diffusion.linear, diffusion.cosine])
@pytest.mark.parametrize("m", [diffusion.line(), diffusion.two_classes()], ids=["line", "two"])
def test_the_bound_is_below_the_log_density_and_rises_with_T(make, m):
    """With beta_t and with the least variance the gap closes like 1/T; beta-tilde is too small near t = 1."""
    log_p = float(diffusion.mean_log_density(m))
    for variance in ("posterior", "beta", "analytic"):
        gaps = [log_p - float(diffusion.exact_bound(m, make(T), variance=variance).total) for T in (25, 100, 400)]
        assert gaps[0] > gaps[1] > gaps[2] > 0
        if variance != "posterior":
            assert gaps[2] < gaps[1] / 2.5
        else:
            assert gaps[2] > 0.25
    posterior, beta, analytic = (
        diffusion.exact_bound(m, make(50), variance=v).total for v in ("posterior", "beta", "analytic")
    )
    assert analytic > max(posterior, beta)


@pytest.mark.parametrize("variance", ["posterior", "beta"])
def test_the_terms_by_quadrature_are_the_terms_by_drawing(variance):
    """Each term of the mixture's bound, 4,000 draws against the integral, within six standard errors."""
    m, s, g = diffusion.line(), diffusion.cosine(30), rng(0)
    exact = diffusion.exact_bound(m, s, variance=variance)
    x_0 = m.sample(4000, generator=g)
    drawn = diffusion.elbo_terms(diffusion.mixture_denoiser(m, s), s, x_0, variance=variance, generator=g)
    for got, expected in zip(drawn, exact, strict=True):
        error = got.std(0) / len(x_0) ** 0.5
        assert ((got.mean(0) - expected).abs() < 6 * error + 1e-9).all()
    assert drawn.denoising.shape == (4000, 29) and drawn.total.shape == (4000,)


def test_the_least_error_is_that_of_the_posterior_mean():
    m, a, g = diffusion.line(), 0.4, rng(0)
    x_0 = m.sample(50_000, generator=g)
    x_t = diffusion.q_sample(x_0, a, torch.randn(x_0.shape, generator=g, dtype=F64))
    squares = (diffusion.posterior_mean(m, x_t, a) - x_0).square()
    least = float(diffusion.mean_squared_error(m, a))
    assert float(squares.mean()) == pytest.approx(least, abs=6 * float(squares.std()) / 50_000**0.5)


def test_one_step_is_a_vae():
    """T = 1: E_q log p(x | z) - KL(q(z | x) || N(0, I)) with q(z | x) = N(sqrt(a) x, 1 - a), by torch.distributions."""
    m, s = diffusion.two_classes(), diffusion.schedule(torch.tensor([0.8], dtype=F64))
    x, a = torch.tensor([[0.7], [-1.1]], dtype=F64), s.at(1)
    encoder = Independent(Normal(a.sqrt() * x, (1 - a).sqrt()), 1)
    prior = Independent(Normal(torch.zeros_like(x), torch.ones_like(x)), 1)
    denoiser = diffusion.mixture_denoiser(m, s)
    bound = diffusion.elbo_terms(denoiser, s, x.repeat(20_000, 1), generator=rng(0))
    assert bound.denoising.shape == (40_000, 0)
    close(bound.prior[:2], kl_divergence(encoder, prior))
    z = encoder.rsample((20_000,))
    decoder_mean = torch.stack([diffusion.posterior_mean(m, part, a) for part in z.unbind(1)], 1)
    log_p = Independent(Normal(decoder_mean, s.beta[0].sqrt()), 1).log_prob(x)
    ours = bound.reconstruction.view(-1, 2)
    assert ((ours.mean(0) - log_p.mean(0)).abs() < 6 * (2**0.5) * ours.std(0) / 20_000**0.5).all()


def test_a_sub_sequence_is_a_chain_of_its_own():
    m, s, g = diffusion.two_classes(), diffusion.linear(100), rng(0)
    times = diffusion.spaced(100, 20)
    short = diffusion.from_alpha_bar(s.at(times))
    drawn = diffusion.elbo_terms(
        diffusion.mixture_denoiser(m, s), s, m.sample(6000, generator=g), steps=20, generator=g
    )
    error = drawn.total.std() / 6000**0.5
    assert (drawn.total.mean() - diffusion.exact_bound(m, short).total).abs() < 6 * error


def test_the_larger_variance_costs():
    m, s = diffusion.two_classes(), diffusion.cosine(20)
    x_0 = m.sample(2000, generator=rng(0))
    denoiser = diffusion.mixture_denoiser(m, s)
    for variance in ("posterior", "beta"):
        bound = diffusion.elbo_terms(denoiser, s, x_0, variance=variance, generator=rng(1))
        assert (bound.denoising >= 0).all()
    assert float(diffusion.bits_per_dimension(torch.tensor(-784 * math.log(2.0)), 784)) == pytest.approx(1)
