"""Divergences of Gaussians, and the bound on log p(x_0), term by term."""

import math
from typing import Literal, NamedTuple

import torch
from torch import Generator, Tensor

from helpers.checks import whole
from helpers.diffusion.forward import posterior_mean_variance, q_sample
from helpers.diffusion.levels import Denoiser, per_sample, same_shape
from helpers.diffusion.mixture import Mixture, posterior_mean
from helpers.diffusion.predictors import weights, x0_from_noise
from helpers.diffusion.samplers import Variance
from helpers.diffusion.sampling import predict, times_of
from helpers.diffusion.schedules import Schedule


def gaussian_kl_full(mean_q: Tensor, cov_q: Tensor, mean_p: Tensor, cov_p: Tensor) -> Tensor:
    r"""KL(N(m_q, S_q) || N(m_p, S_p)) = 1/2 [tr(S_p^-1 S_q) + m^T S_p^-1 m - d + ln(det S_p / det S_q)], m = m_p - m_q.

    means (..., d), covariances (..., d, d), symmetric, positive definite -> (...), nats. Raises ValueError for others.
    """
    same_shape(mean_q=mean_q, mean_p=mean_p)
    same_shape(cov_q=cov_q, cov_p=cov_p)
    check_covariance("cov_q", cov_q, mean_q)
    check_covariance("cov_p", cov_p, mean_p)
    precision, gap, d = torch.linalg.inv(cov_p), mean_p - mean_q, mean_p.shape[-1]
    trace = (precision * cov_q).sum((-2, -1))  # both symmetric
    square = (gap * (precision @ gap[..., None]).squeeze(-1)).sum(-1)
    return (trace + square - d + torch.logdet(cov_p) - torch.logdet(cov_q)) / 2


def check_covariance(name: str, covariance: Tensor, mean: Tensor) -> None:
    """Raise ValueError unless the covariance is of the mean's size, symmetric and positive definite."""
    if covariance.shape != (*mean.shape, mean.shape[-1]) or not torch.equal(covariance, covariance.mT):
        raise ValueError(f"{name} must be {(*mean.shape, mean.shape[-1])} and symmetric, got {tuple(covariance.shape)}")
    if torch.linalg.cholesky_ex(covariance).info.any():
        raise ValueError(f"{name} must be positive definite, got eigenvalues {torch.linalg.eigvalsh(covariance)}")


def gaussian_kl(mean_q: Tensor, variance_q: Tensor, mean_p: Tensor, variance_p: Tensor) -> Tensor:
    r"""KL(N(m_q, v_q I) || N(m_p, v_p I)) = 1/2 [|m_p - m_q|^2 / v_p + d (v_q / v_p - 1 + ln(v_p / v_q))].

    means (N, ...) of d entries each, variances () or (N,), positive -> (N,), nats. Raises ValueError otherwise.
    """
    same_shape(mean_q=mean_q, mean_p=mean_p)
    if not ((variance_q > 0).all() and (variance_p > 0).all()):
        raise ValueError(f"variances must be positive, got {variance_q} and {variance_p}")
    squares, d = (mean_p - mean_q).square().flatten(1).sum(1), mean_q[0].numel()
    return (squares / variance_p + d * (variance_q / variance_p - 1 + (variance_p / variance_q).log())) / 2


def discretised_log_likelihood(x_0: Tensor, mean: Tensor, variance: float | Tensor, *, levels: int = 256) -> Tensor:
    r"""sum_i ln int N(x; mean_i, variance) dx over the bin of x_0i: the pictures' grey levels -1, ..., 1 have bins of
    width 2 / (levels - 1), the outermost ones without end. So a picture has a probability, not a density.

    x_0, mean (N, ...) -> (N,), nats. Raises ValueError for other shapes, or x_0 outside [-1, 1].
    Source: Ho et al. 2020, equation 13.
    """
    same_shape(x_0=x_0, mean=mean)
    if x_0.abs().max() > 1 + 1e-6:
        raise ValueError(f"x_0 must lie in [-1, 1], got from {x_0.min()} to {x_0.max()}; pictures are 2 x - 1")
    x, centre = x_0.double(), mean.double()
    sd, half = torch.as_tensor(variance, dtype=torch.float64).sqrt(), 1 / (levels - 1)
    upper = torch.where(x > 1 - half, math.inf, x + half) - centre
    lower = torch.where(x < -1 + half, -math.inf, x - half) - centre
    left_of = x < centre  # the bin's mirror image in the left tail, where log_ndtr keeps its digits
    far, near = torch.where(left_of, lower, -upper) / sd, torch.where(left_of, upper, -lower) / sd
    outer, inner = torch.special.log_ndtr(far), torch.special.log_ndtr(near)
    return (inner + torch.log1p(-(outer - inner).exp())).flatten(1).sum(1)


class Bound(NamedTuple):
    """The terms of the bound in nats, for each sample or their mean; denoising has t = 2 ... T in its last axis."""

    reconstruction: Tensor
    prior: Tensor
    denoising: Tensor

    @property
    def total(self) -> Tensor:
        """reconstruction - prior - sum of denoising <= log p(x_0)."""
        return self.reconstruction - self.prior - self.denoising.sum(-1)


def bits_per_dimension(nats: Tensor, d: int) -> Tensor:
    """-nats / (d ln 2): what a code costs for each of d entries. nats (...) -> (...)."""
    whole("d", d)
    return -nats / (d * math.log(2))


def elbo_terms(
    denoiser: Denoiser,
    schedule: Schedule,
    x_0: Tensor,
    *,
    steps: int | Tensor | None = None,
    variance: Variance = "posterior",
    levels: int | None = None,
    clip: float | None = None,
    generator: Generator | None = None,
) -> Bound:
    r"""log p(x_0) >= E log p(x_0 | x_1) - KL(q(x_T | x_0) || N(0, I)) - sum_{t >= 2} E KL_t,

    KL_t = KL(q(x_{t-1} | x_t, x_0) || p(x_{t-1} | x_t)), each expectation from one draw of x_t. p has q's mean with
    the predicted x_0 in x_0's place, and its variance or beta_t; p(x_0 | x_1) = N(predicted x_0, beta_1 I), cut into
    `levels` bins if given (pictures in [-1, 1]).

    x_0 (N, ...); steps, clip as in `trajectory`: the bound is that of the chain of these steps -> terms (N,), (N,),
    (N, S - 1). Raises ValueError as `trajectory` does. Source: Ho et al. 2020, equation 5; Luo 2022, equation 58.
    """
    times = [0, *times_of(schedule, steps).tolist()]

    def predicted(t: int) -> tuple[Tensor, Tensor]:
        xi = torch.randn(x_0.shape, generator=generator, device=x_0.device, dtype=x_0.dtype)
        x_t = q_sample(x_0, schedule.at(t), xi)
        guess = x0_from_noise(x_t, predict(denoiser, x_t, t), schedule.at(t))
        return x_t, guess if clip is None else guess.clamp(-clip, clip)

    def denoising(prev: int, t: int) -> Tensor:
        (x_t, guess), a_t, a_prev = predicted(t), schedule.at(t), schedule.at(prev)
        mean_q, variance_q = posterior_mean_variance(x_t, x_0, a_t, a_prev)
        mean_p, _ = posterior_mean_variance(x_t, guess, a_t, a_prev)
        return gaussian_kl(mean_q, variance_q, mean_p, variance_q if variance == "posterior" else 1 - a_t / a_prev)

    first, last = schedule.at(times[1]), schedule.at(times[-1])
    prior = gaussian_kl(per_sample(last.sqrt(), x_0) * x_0, 1 - last, torch.zeros_like(x_0), torch.ones_like(last))
    _, guess = predicted(times[1])
    if levels is None:
        squares, d = (x_0 - guess).square().flatten(1).sum(1), x_0[0].numel()
        reconstruction = -(squares / (1 - first) + d * (2 * math.pi * (1 - first)).log()) / 2
    else:
        reconstruction = discretised_log_likelihood(x_0, guess, 1 - first, levels=levels)
    terms = [denoising(prev, t) for prev, t in zip(times[1:-1], times[2:], strict=True)]
    return Bound(reconstruction, prior, torch.stack(terms, 1) if terms else prior.new_zeros(len(x_0), 0))


def mean_squared_error(mixture: Mixture, alpha_bar_t: Tensor | float) -> Tensor:
    r"""E|x_0 - E[x_0 | x_t]|^2 = E x_0^2 - E (E[x_0 | x_t])^2 on the line, by quadrature: no network does better.

    alpha_bar_t one number -> (). Raises ValueError unless d = 1.
    """
    noised = mixture.noised(alpha_bar_t)
    x, dx = _grid(noised)
    second = mixture.weights @ (mixture.variances + mixture.means[:, 0].square())
    density = noised.log_density(x).exp()
    return second - (density @ posterior_mean(mixture, x, alpha_bar_t)[:, 0].square()) * dx


def exact_bound(
    mixture: Mixture, schedule: Schedule, *, variance: Literal["posterior", "beta", "analytic"] = "posterior"
) -> Bound:
    r"""The terms of `elbo_terms` for the exact denoiser of a mixture on the line, their means over x_0 ~ mixture.

    "analytic" gives p the variance that makes each term least, beta-tilde_t plus the mean square between the means of q
    and p, and x_0 given x_1 its mean squared error: then the bound goes to E ln p(x_0) as T grows.
    Raises ValueError unless d = 1. Source: Bao et al. 2022, theorem 1.
    """
    beta, _, a = schedule
    second = mixture.weights @ (mixture.variances + mixture.means[:, 0].square())
    errors = torch.stack([mean_squared_error(mixture, a_t) for a_t in a])
    gaps = (2 * weights(schedule).x0 * errors)[1:]  # squares between the means, in units of beta-tilde
    if variance == "analytic":
        ratio, decoder = 1 + gaps, errors[0]  # variances of p in units of beta-tilde
    else:
        ratio = (1 - a[1:]) / (1 - a[:-1]) if variance == "beta" else torch.ones_like(gaps)
        decoder = beta[0]
    reconstruction = -(errors[0] / decoder + (2 * math.pi * decoder).log()) / 2
    prior = (a[-1] * second - a[-1] - (1 - a[-1]).log()) / 2
    return Bound(reconstruction, prior, ((1 + gaps) / ratio - 1 + ratio.log()) / 2)


def mean_log_density(mixture: Mixture) -> Tensor:
    """E ln p(x), minus the entropy, of a mixture on the line, by quadrature -> (), nats."""
    x, dx = _grid(mixture)
    log_density = mixture.log_density(x)
    return log_density.exp() @ log_density * dx


def _grid(mixture: Mixture) -> tuple[Tensor, float]:
    """Evenly spaced points (n, 1) over all of a mixture on the line, eight to its narrowest standard deviation."""
    mixture._on_the_line()
    sd = mixture.variances.sqrt()
    low, high = float((mixture.means[:, 0] - 12 * sd).min()), float((mixture.means[:, 0] + 12 * sd).max())
    n = int((high - low) / float(sd.min()) * 8)
    return torch.linspace(low, high, n, dtype=mixture.means.dtype)[:, None], (high - low) / (n - 1)
