"""The playground: mixtures and what is known about them, by other means."""

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from helpers import diffusion
from helpers.mcmc import exactness, targets
from helpers.risk import information
from tests.diffusion.test_forward import F64, close, randn, rng

MIXTURES = {"line": diffusion.line(), "ring": diffusion.ring(5), "two": diffusion.two_classes()}
every_mixture = pytest.mark.parametrize("m", MIXTURES.values(), ids=MIXTURES)
LEVELS = (0.999, 0.7, 0.2, 1e-4)


@every_mixture
@pytest.mark.parametrize("a", LEVELS)
def test_the_score_is_the_gradient_of_the_density(m, a):
    noised, x = m.noised(a), randn(20, m.means.shape[1])
    assert exactness.gradient_error(noised.log_density, x) < 1e-6
    leaf = x.clone().requires_grad_()
    close(noised.score(x), torch.autograd.grad(noised.log_density(leaf).sum(), leaf)[0], rtol=1e-9, atol=1e-9)


def test_densities_beside_those_of_earlier_lectures():
    line, x = diffusion.line(), randn(50, 1)
    w, m, v = (part.to(x) for part in (line.weights, line.means, line.variances))
    other = information.mixture_log_density(x[:, 0], m[:, 0], v.sqrt(), w)
    close(line.log_density(x), other)
    ring, x = diffusion.ring(4, 0.3), randn(50, 2)
    target = targets.mixture(ring.means, 0.3)
    close(ring.score(x), target.gradient(x))
    constant = ring.log_density(x) - target(x)
    close(constant, constant[:1].expand(50))


@pytest.mark.parametrize("a", [0.9, 0.3])
def test_the_law_of_x_t_is_a_convolution(a):
    """On the line, by quadrature: p_t(x) = int p_0(z) N(x; sqrt(a) z, 1 - a) dz, and E[x_0 | x] by Bayes' rule."""
    line, x = diffusion.line(), torch.tensor([[0.4]], dtype=F64)

    def joint(z: float, power: int) -> float:
        density = float(line.log_density(torch.tensor([[z]], dtype=F64)).exp())
        return z**power * density * stats.norm.pdf(0.4, np.sqrt(a) * z, np.sqrt(1 - a))

    mass, first = (
        integrate.quad(joint, -4, 4, args=(power,), points=[-1.2, 0.2, 1.4], limit=500)[0] for power in (0, 1)
    )
    assert float(line.noised(a).log_density(x).exp()) == pytest.approx(mass, rel=1e-7)
    assert float(diffusion.posterior_mean(line, x, a)) == pytest.approx(first / mass, rel=1e-6)


@every_mixture
@pytest.mark.parametrize("a", LEVELS)
def test_tweedie_gives_the_posterior_mean_with_the_marginal_score(m, a):
    x_t = randn(30, m.means.shape[1])
    mean = diffusion.posterior_mean(m, x_t, a)
    close(diffusion.tweedie_mean(x_t, m.noised(a).score(x_t), a), mean, rtol=1e-8, atol=1e-8)
    x_0 = m.sample(30, generator=rng(0))
    conditional = -(x_t - a**0.5 * x_0) / (1 - a)
    close(diffusion.tweedie_mean(x_t, conditional, a), x_0, rtol=1e-8, atol=1e-8)  # that score knows x_0 itself
    assert (mean - x_0).abs().max() > 0.1


@every_mixture
def test_the_exact_denoiser_is_the_mean_of_the_noise(m):
    s, x_t = diffusion.cosine(20), randn(9, m.means.shape[1])
    t = torch.tensor([1, 2, 5, 9, 10, 14, 18, 19, 20])
    noise = diffusion.mixture_denoiser(m, s)(x_t, t)
    close(diffusion.x0_from_noise(x_t, noise, s.at(t)), diffusion.posterior_mean(m, x_t, s.at(t)), rtol=1e-6, atol=1e-6)
    labelled, k = diffusion.labelled_denoiser(m, s), len(m.weights)
    close(labelled(x_t, t, torch.full((9,), k)), noise)
    share = torch.stack([m.noised(s.at(int(i))).responsibilities(x)[0] for i, x in zip(t, x_t[:, None], strict=True)])
    parts = torch.stack([labelled(x_t, t, torch.full((9,), y)) for y in range(k)], 1)
    close((share[..., None] * parts).sum(1), noise)
    one = diffusion.Mixture(torch.ones(1, dtype=F64), m.means[1:2], m.variances[1:2])
    close(parts[:, 1], diffusion.mixture_denoiser(one, s)(x_t, t))


@every_mixture
def test_draws_have_the_stated_law(m):
    x = m.sample(40_000, generator=rng(1))
    mean = m.weights @ m.means
    variance = m.weights @ (m.variances[:, None] + m.means.square()) - mean.square()
    assert exactness.moment_scores(x, mean, variance).abs().max() < 6
    if x.shape[1] == 1:
        assert stats.kstest(x[:, 0].numpy(), lambda v: m.cdf(torch.as_tensor(v)).numpy()).pvalue > 1e-6


def test_quantiles_undo_the_distribution_function():
    line, u = diffusion.line(), torch.tensor([1e-9, 0.01, 0.3999, 0.5, 0.9, 1 - 1e-9], dtype=F64)
    close(line.cdf(line.quantile(u)), u, rtol=1e-9, atol=1e-12)
    with pytest.raises(ValueError, match="d must be 1"):
        diffusion.ring().quantile(u)
    with pytest.raises(ValueError, match="u must lie in"):
        line.quantile(torch.tensor([0.5, 1.0], dtype=F64))


@pytest.mark.parametrize(
    "parts",
    [
        (torch.ones(2), torch.zeros(2, 1), torch.ones(2)),
        (torch.tensor([0.5, 0.5]), torch.zeros(2, 1), torch.tensor([1.0, 0.0])),
        (torch.tensor([0.5, 0.5]), torch.zeros(2), torch.ones(2)),
        (torch.tensor([0.5, 0.5]), torch.zeros(3, 1), torch.ones(3)),
        (torch.tensor([1.5, -0.5]), torch.zeros(2, 1), torch.ones(2)),
        (torch.tensor([0.5, float("nan")]), torch.zeros(2, 1), torch.ones(2)),
    ],
)
def test_what_is_no_mixture_is_refused(parts):
    with pytest.raises(ValueError, match="weights"):
        diffusion.Mixture(*parts)
