r"""Gaussian mixtures: data for which the law of x_t, its score and E[x_0 | x_t] are known at every noise level."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from helpers.diffusion.levels import Denoiser, level
from helpers.diffusion.schedules import Schedule


@dataclass(frozen=True)
class Mixture:
    r"""p(x) = sum_k w_k N(x; m_k, v_k I): weights (K,), means (K, d), variances (K,).

    After `noised` at levels (N,), a mixture for each sample: means (N, K, d), variances (N, K).
    Raises ValueError for other shapes, weights that are no distribution, variances that are not positive.
    """

    weights: Tensor
    means: Tensor
    variances: Tensor

    def __post_init__(self) -> None:
        w, m, v = self.weights, self.means, self.variances
        if w.ndim != 1 or m.ndim < 2 or m.shape[:-1] != v.shape or v.shape[-1:] != w.shape:
            shapes = ", ".join(str(tuple(part.shape)) for part in (w, m, v))
            raise ValueError(f"weights (K,), means (K, d), variances (K,) expected, got {shapes}")
        if not ((w > 0).all() and math.isclose(float(w.sum()), 1, rel_tol=1e-6) and (v > 0).all()):
            got = f"{w.tolist()} and {v.tolist()}"
            raise ValueError(f"weights must be positive and sum to 1, variances be positive, got {got}")

    def _parts(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Weights, means and variances where x lives, in its dtype."""
        return self.weights.to(x), self.means.to(x), self.variances.to(x)

    def noised(self, alpha_bar_t: Tensor | float) -> "Mixture":
        r"""The law of x_t: sum_k w_k N(sqrt(\bar alpha_t) m_k, (\bar alpha_t v_k + 1 - \bar alpha_t) I).

        alpha_bar_t a number or (N,) in (0, 1], then x_t (N, d) meets row by row. Raises ValueError outside.
        """
        a = level("alpha_bar_t", alpha_bar_t, one=True).to(self.means)[..., None]
        return Mixture(self.weights, a[..., None].sqrt() * self.means, a * self.variances + 1 - a)

    def log_terms(self, x: Tensor) -> Tensor:
        """ln(w_k N(x; m_k, v_k I)): x (N, d) -> (N, K)."""
        w, m, v = self._parts(x)
        squares = (x[:, None] - m).square().sum(-1)
        return w.log() - (squares / v + x.shape[1] * (2 * math.pi * v).log()) / 2

    def log_density(self, x: Tensor) -> Tensor:
        """ln p(x): x (N, d) -> (N,)."""
        return self.log_terms(x).logsumexp(1)

    def responsibilities(self, x: Tensor) -> Tensor:
        """r_k(x) = P(component k | x): x (N, d) -> (N, K), rows of sum 1."""
        return self.log_terms(x).softmax(1)

    def score(self, x: Tensor) -> Tensor:
        r"""grad ln p(x) = sum_k r_k(x) (m_k - x) / v_k: x (N, d) -> (N, d)."""
        _, m, v = self._parts(x)
        return (self.responsibilities(x)[..., None] * (m - x[:, None]) / v[..., None]).sum(1)

    def sample(self, n: int, *, generator: Generator | None = None) -> Tensor:
        """n independent draws (n, d), where the generator lives, else where the mixture does."""
        device = generator.device if generator else self.means.device
        xi = torch.randn(n, self.means.shape[1], generator=generator, dtype=self.means.dtype, device=device)
        w, m, v = self._parts(xi)
        k = torch.multinomial(w, n, replacement=True, generator=generator)
        return m[k] + v[k].sqrt()[:, None] * xi

    def cdf(self, x: Tensor) -> Tensor:
        """F(x) of a mixture on the line: x (n,) -> (n,). Raises ValueError unless d = 1."""
        self._on_the_line()
        w, m, v = self._parts(x)
        return torch.special.ndtr((x[:, None] - m[:, 0]) / v.sqrt()) @ w

    def quantile(self, u: Tensor) -> Tensor:
        """F^-1(u), by 80 bisections: u (n,) in (0, 1) -> (n,). Raises ValueError unless d = 1, and outside."""
        self._on_the_line()
        level("u", u)
        reach = self.variances.max().sqrt() * 40
        low = torch.full_like(u, float(self.means.min() - reach))
        high = torch.full_like(u, float(self.means.max() + reach))
        for _ in range(80):
            middle = (low + high) / 2
            below = self.cdf(middle) < u
            low, high = torch.where(below, middle, low), torch.where(below, high, middle)
        return (low + high) / 2

    def _on_the_line(self) -> None:
        if self.means.ndim != 2 or self.means.shape[1] != 1:
            raise ValueError(f"d must be 1, got means of shape {tuple(self.means.shape)}")


def posterior_mean(mixture: Mixture, x_t: Tensor, alpha_bar_t: Tensor | float) -> Tensor:
    r"""E[x_0 | x_t] = sum_k r_k(x_t) [m_k + g_k (x_t - sqrt(a) m_k)],  g_k = sqrt(a) v_k / (a v_k + 1 - a),

    a = \bar alpha_t: each component by Gaussian conditioning, weighed by its share of x_t; no score in it.
    x_t (N, d), alpha_bar_t a number or (N,) in (0, 1] -> (N, d). Raises ValueError for anything else.
    """
    a = level("alpha_bar_t", alpha_bar_t, one=True).to(x_t)[..., None]
    noised = mixture.noised(alpha_bar_t)
    (_, m, v), (_, m_t, v_t) = mixture._parts(x_t), noised._parts(x_t)
    means = m + (a.sqrt() * v / v_t)[..., None] * (x_t[:, None] - m_t)
    return (noised.responsibilities(x_t)[..., None] * means).sum(1)


def mixture_denoiser(mixture: Mixture, schedule: Schedule) -> Denoiser:
    r"""noise(x_t, t) = E[xi | x_t] = -sqrt(1 - \bar alpha_t) grad ln p_t(x_t), exactly: the best there is."""

    def noise(x_t: Tensor, t: Tensor) -> Tensor:
        a = schedule.at(t).to(x_t)
        return -(1 - a).sqrt()[:, None] * mixture.noised(a).score(x_t)

    return noise


def labelled_denoiser(mixture: Mixture, schedule: Schedule) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """model(x_t, t, y) = E[xi | x_t, component y], exactly; y = K, the null label, stands for the whole mixture."""

    def model(x_t: Tensor, t: Tensor, y: Tensor) -> Tensor:
        a = schedule.at(t).to(x_t)
        noised = mixture.noised(a)
        _, m, v = noised._parts(x_t)
        slopes = (m - x_t[:, None]) / v[..., None]
        every = torch.cat([slopes, noised.score(x_t)[:, None]], 1)
        return -(1 - a).sqrt()[:, None] * every[torch.arange(len(y), device=y.device), y]

    return model
