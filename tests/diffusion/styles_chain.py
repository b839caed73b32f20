"""Right answers of Lecture 6 in three other styles than the course's own: the chain, divergences, predictions."""

import math

import numpy as np
import torch
from torch.distributions import MultivariateNormal, kl_divergence

from helpers import diffusion


def alpha_bar(beta):
    """A loop."""
    product, out = 1.0, []
    for b in beta:
        product = product * (1 - b)
        out.append(product)
    return torch.stack(out)


def alpha_bar_2(beta):
    return torch.exp(torch.cumsum(torch.log(1 - beta), dim=0))


def alpha_bar_3(beta):
    """The triangle of all products."""
    alpha = (1.0 - beta).double()
    T = len(alpha)
    rows = torch.where(torch.ones(T, T, device=beta.device).tril() > 0, alpha.expand(T, T), 1.0)
    return rows.prod(dim=1).to(beta.dtype)


def q_sample(x_0, alpha_bar_t, xi):
    a = diffusion.per_sample(alpha_bar_t, x_0)
    return torch.sqrt(a) * x_0 + torch.sqrt(1 - a) * xi


def q_sample_2(x_0, alpha_bar_t, xi):
    """Sample by sample."""
    levels = alpha_bar_t if alpha_bar_t.ndim else [alpha_bar_t] * len(x_0)
    return torch.stack([a**0.5 * x + (1 - a) ** 0.5 * noise for a, x, noise in zip(levels, x_0, xi, strict=True)])


def q_sample_3(x_0, alpha_bar_t, xi):
    """By view and addcmul."""
    a = alpha_bar_t.reshape((-1,) + (1,) * (x_0.dim() - 1)) if alpha_bar_t.dim() else alpha_bar_t
    return torch.addcmul(x_0.mul(a.sqrt()), xi, (1.0 - a).sqrt().expand_as(xi))


def cosine_alpha_bar(T, s=0.008):
    def f(t):
        return math.cos((t / T + s) / (1 + s) * math.pi / 2) ** 2

    return torch.tensor([f(t) / f(0) for t in range(1, T + 1)], dtype=torch.float64)


def cosine_alpha_bar_2(T, s=0.008):
    t = np.linspace(0, T, T + 1)
    f = np.cos((t / T + s) / (1 + s) * np.pi * 0.5) ** 2
    return torch.from_numpy((f / f[0])[1:])


def cosine_alpha_bar_3(T, s=0.008):
    """cos^2 as (1 + cos 2x) / 2."""
    u = (torch.arange(1, T + 1).double() / T + s) / (1 + s)
    return (1 + torch.cos(math.pi * u)) / (1 + math.cos(math.pi * s / (1 + s)))


def posterior_mean_variance(x_t, x_0, alpha_bar_t, alpha_bar_prev):
    """The formula of the paper."""
    shape = [-1] + [1] * (x_t.ndim - 1)
    a, prev = (level.view(shape) if level.ndim else level for level in (alpha_bar_t, alpha_bar_prev))
    alpha = a / prev
    mean = (torch.sqrt(alpha) * (1 - prev) * x_t + torch.sqrt(prev) * (1 - alpha) * x_0) / (1 - a)
    return mean, ((1 - alpha) * (1 - prev) / (1 - a)).view(alpha_bar_t.shape)


def posterior_mean_variance_2(x_t, x_0, alpha_bar_t, alpha_bar_prev):
    """Gaussian conditioning: a gain times what is new in x_t."""
    a, prev = alpha_bar_t.double(), alpha_bar_prev.double()
    gain = (a / prev).sqrt() * (1 - prev) / (1 - a)
    x, start = x_t.double(), x_0.double()
    new = x - diffusion.per_sample(a.sqrt(), x) * start
    mean = diffusion.per_sample(prev.sqrt(), x) * start + diffusion.per_sample(gain, x) * new
    variance = (1 - prev) - gain * (a / prev).sqrt() * (1 - prev)
    return mean.to(x_t.dtype), variance.to(x_t.dtype)


def posterior_mean_variance_3(x_t, x_0, alpha_bar_t, alpha_bar_prev):
    """By beta, and by the noise of x_t."""
    beta = 1 - alpha_bar_t / alpha_bar_prev
    noise = diffusion.noise_from_x0(x_t, x_0, alpha_bar_t)
    step = diffusion.per_sample(beta / (1 - alpha_bar_t) ** 0.5, x_t)
    mean = (x_t - step * noise) / diffusion.per_sample((1 - beta) ** 0.5, x_t)
    return mean, beta * (1 - alpha_bar_prev) / (1 - alpha_bar_t)


def gaussian_kl_full(mean_q, cov_q, mean_p, cov_p):
    return kl_divergence(MultivariateNormal(mean_q, cov_q), MultivariateNormal(mean_p, cov_p))


def gaussian_kl_full_2(mean_q, cov_q, mean_p, cov_p):
    d, gap = mean_q.shape[-1], mean_p - mean_q
    precision = torch.linalg.inv(cov_p)
    trace = torch.einsum("...ij,...ji->...", precision, cov_q)
    square = torch.einsum("...i,...ij,...j->...", gap, precision, gap)
    return 0.5 * (trace + square - d + torch.logdet(cov_p) - torch.logdet(cov_q))


def gaussian_kl_full_3(mean_q, cov_q, mean_p, cov_p):
    """By solving, not inverting; the logarithms by eigenvalues; float64 inside."""
    m, S, T = (mean_p - mean_q).double(), cov_q.double(), cov_p.double()
    ratio = torch.linalg.solve(T, S)
    trace = ratio.diagonal(dim1=-2, dim2=-1).sum(-1)
    square = (m[..., None, :] @ torch.linalg.solve(T, m[..., None]))[..., 0, 0]
    log_det = torch.linalg.eigvalsh(T).log().sum(-1) - torch.linalg.slogdet(S).logabsdet
    return ((trace + square + log_det - m.shape[-1]) / 2).to(mean_q.dtype)


def noise_from_x0(x_t, x_0, alpha_bar_t):
    a = diffusion.per_sample(alpha_bar_t, x_t)
    return (x_t - a.sqrt() * x_0) / (1 - a).sqrt()


def noise_from_x0_2(x_t, x_0, alpha_bar_t):
    """As programs have it: 1 / sqrt(a) and sqrt(1/a - 1)."""
    r = diffusion.per_sample(1 / alpha_bar_t, x_t)
    return (r.sqrt() * x_t - x_0) / (r - 1).sqrt()


def noise_from_x0_3(x_t, x_0, alpha_bar_t):
    out = torch.empty_like(x_t)
    for i in range(len(x_t)):
        a = float(alpha_bar_t[i] if alpha_bar_t.ndim else alpha_bar_t)
        out[i] = (x_t[i] - math.sqrt(a) * x_0[i]) / math.sqrt(1 - a)
    return out


def score_from_noise(noise, alpha_bar_t):
    return -noise / diffusion.per_sample((1 - alpha_bar_t).sqrt(), noise)


def score_from_noise_2(noise, alpha_bar_t):
    return noise.mul(diffusion.per_sample(-torch.rsqrt(1 - alpha_bar_t), noise))


def score_from_noise_3(noise, alpha_bar_t):
    """By Tweedie backwards, from x_t = 0."""
    a = alpha_bar_t.expand(len(noise)).view(-1, *[1] * (noise.ndim - 1))
    x_0 = -(1 - a).sqrt() / a.sqrt() * noise
    return a.sqrt() * x_0 / (1 - a)


def tweedie_mean(x_t, score, alpha_bar_t):
    a = diffusion.per_sample(alpha_bar_t, x_t)
    return (x_t + (1 - a) * score) / a.sqrt()


def tweedie_mean_2(x_t, score, alpha_bar_t):
    """Over the noise."""
    noise = -diffusion.per_sample((1 - alpha_bar_t) ** 0.5, x_t) * score
    return diffusion.x0_from_noise(x_t, noise, alpha_bar_t)


def tweedie_mean_3(x_t, score, alpha_bar_t):
    """The samples last, so that the levels meet them by themselves."""
    x, s = x_t.movedim(0, -1), score.movedim(0, -1)
    return (x / alpha_bar_t.sqrt() + (1 - alpha_bar_t) / alpha_bar_t.sqrt() * s).movedim(-1, 0)
