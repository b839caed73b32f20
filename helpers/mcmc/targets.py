r"""Targets for samplers: densities on R^d whose moments are known in closed form.

A `Target` is called like any log-density; where it is cheap it also knows its gradient, its full conditionals and exact
draws. Everything is float64 unless said otherwise; log-densities are up to a constant.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Generator, Tensor

from helpers import runtime
from helpers.mcmc.state import LogProb

Draw = Callable[[int, Generator | None], Tensor]


@dataclass(frozen=True)
class Target:
    """A log-density on R^d with what is known about it: mean and variance of each coordinate (d,), exact draws.

    The density is evaluated where x lives; draws live where their generator does.
    """

    name: str
    log_prob: LogProb
    mean: Tensor
    variance: Tensor
    draw: Draw

    def __call__(self, x: Tensor) -> Tensor:
        """log pi(x) + constant: (chains, d) -> (chains,)."""
        return self.log_prob(x)


@dataclass(frozen=True)
class Smooth(Target):
    """A target that knows its gradient, in a fifth of autograd's time."""

    gradient: LogProb

    def value_and_grad(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """log pi(x) (chains,) and its gradient (chains, d)."""
        return self.log_prob(x), self.gradient(x)


@dataclass(frozen=True)
class Gaussian(Target):
    """N(mean, covariance) with its own gradient (one matrix product) and its full conditionals."""

    precision: Tensor

    @cached_property
    def _parts(self) -> tuple[Tensor, Tensor, bool]:
        """-P, the vector of d halves, and whether there is a mean to subtract."""
        return -self.precision, torch.full_like(self.mean, 0.5), bool(self.mean.any())

    def value_and_grad(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """-1/2 (x - mean)^T P (x - mean) and its gradient -P (x - mean)."""
        slope, halves, shifted = self._parts
        centred = x - self.mean.to(x) if shifted else x
        grad = centred @ slope.to(x)
        return (centred * grad).mv(halves.to(x)), grad

    def gradient(self, x: Tensor) -> Tensor:
        """-P (x - mean) alone."""
        slope, _, shifted = self._parts
        return (x - self.mean.to(x) if shifted else x) @ slope.to(x)

    def conditional(self, i: int, x: Tensor, generator: Generator | None) -> Tensor:
        r"""x_i ~ N(x_i + g_i(x) / P_ii, 1 / P_ii), where g_i is the i-th partial derivative of the log-density."""
        row = self.precision[:, i].to(x)
        partial = -((x - self.mean.to(x)) @ row)
        xi = torch.randn(len(x), generator=generator, device=x.device, dtype=x.dtype)
        return x[:, i] + partial / row[i] + xi * row[i].rsqrt()


def _randn(*shape: int, generator: Generator | None) -> Tensor:
    """N(0, I) on the generator's device."""
    return torch.randn(*shape, generator=generator, dtype=torch.float64, device=runtime.home(generator))


class _Normal:
    """ln N(x; 0, scale^2 I), with its constant and its gradient: (chains, d) -> (chains,)."""

    def __call__(self, x: Tensor, scale: float = 1.0) -> Tensor:
        return -(x / scale).square().sum(1) / 2 - x.shape[1] * math.log(scale * math.sqrt(2 * math.pi))

    def value_and_grad(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The log-density (chains,) and its gradient -x (chains, d)."""
        return self(x), -x

    def gradient(self, x: Tensor) -> Tensor:
        """-x alone."""
        return -x


log_normal = _Normal()


def gaussian(covariance: Tensor, mean: Tensor | None = None) -> Gaussian:
    """N(mean, covariance), covariance (d, d), mean (d,) or None for 0; dtype and device of the covariance.

    Raises ValueError unless the covariance is symmetric and positive definite.
    """
    if covariance.ndim != 2 or not torch.equal(covariance, covariance.T):
        raise ValueError(f"covariance must be a symmetric matrix, got shape {tuple(covariance.shape)}")
    lower, failed = torch.linalg.cholesky_ex(covariance)
    if failed:
        raise ValueError(f"covariance must be positive definite, got eigenvalues {torch.linalg.eigvalsh(covariance)}")
    centre = covariance.new_zeros(len(covariance)) if mean is None else mean

    def log_prob(x: Tensor) -> Tensor:
        return target.value_and_grad(x)[0]

    def draw(n: int, generator: Generator | None) -> Tensor:
        device = generator.device if generator else centre.device
        xi = torch.randn(n, len(centre), generator=generator, dtype=centre.dtype, device=device)
        return centre.to(xi) + xi @ lower.T.to(xi)

    target = Gaussian("Gaussian", log_prob, centre, covariance.diagonal(), draw, torch.cholesky_inverse(lower))
    return target


def correlated_gaussian(d: int, rho: float) -> Gaussian:
    """N(0, S), S_ij = rho^|i - j|: unit variances; the condition number grows to ((1 + rho) / (1 - rho))^2 with d."""
    if not abs(rho) < 1:
        raise ValueError(f"rho must lie strictly between -1 and 1, got {rho}")
    i = torch.arange(d, dtype=torch.float64)
    return gaussian(rho ** (i[:, None] - i).abs())


def banana(scale: float = 2.0, bend: float = 0.5) -> Smooth:
    r"""x_1 ~ N(0, s^2),  x_2 | x_1 ~ N(b (x_1^2 - s^2), 1): mean 0, variances s^2, 1 + 2 b^2 s^4.

    Source: Haario, Saksman & Tamminen 1999.
    """

    def log_prob(x: Tensor) -> Tensor:
        first, second = x.unbind(1)
        bent = second - bend * (first.square() - scale**2)
        return -(first / scale).square() / 2 - bent.square() / 2

    def gradient(x: Tensor) -> Tensor:
        first, second = x.unbind(1)
        down = bend * (first.square() - scale**2) - second
        return torch.stack([-first * (2 * bend * down + 1 / scale**2), down], dim=1)

    def draw(n: int, generator: Generator | None) -> Tensor:
        first, second = _randn(2, n, generator=generator)
        first = scale * first
        return torch.stack([first, second + bend * (first.square() - scale**2)], dim=1)

    variance = torch.tensor([scale**2, 1 + 2 * bend**2 * scale**4], dtype=torch.float64)
    return Smooth("banana", log_prob, torch.zeros(2, dtype=torch.float64), variance, draw, gradient)


def funnel(d: int = 10, scale: float = 3.0) -> Smooth:
    r"""v = x_1 ~ N(0, s^2),  x_i | v ~ N(0, e^v), i = 2, ..., d: mean 0, variances s^2, e^{s^2/2}. Source: Neal 2003.

    Non-centred, x_i = e^{v/2} z_i with (v/s, z) ~ N(0, I): the same law from a target without a neck.
    """
    if d < 2:
        raise ValueError(f"a funnel has at least 2 dimensions, got {d}")

    def log_prob(x: Tensor) -> Tensor:
        v = x[:, 0]
        return -(v / scale).square() / 2 - (x[:, 1:].square().sum(1) * (-v).exp() + (d - 1) * v) / 2

    def gradient(x: Tensor) -> Tensor:
        narrow = (-x[:, :1]).exp()
        neck = -x[:, :1] / scale**2 + (x[:, 1:].square().sum(1, keepdim=True) * narrow - (d - 1)) / 2
        return torch.cat([neck, -x[:, 1:] * narrow], dim=1)

    def draw(n: int, generator: Generator | None) -> Tensor:
        z = _randn(n, d, generator=generator)
        v = scale * z[:, :1]
        return torch.cat([v, (v / 2).exp() * z[:, 1:]], dim=1)

    variance = torch.full((d,), math.exp(scale**2 / 2), dtype=torch.float64)
    variance[0] = scale**2
    return Smooth("funnel", log_prob, torch.zeros(d, dtype=torch.float64), variance, draw, gradient)


def mixture(means: Tensor, scale: float = 1.0, weights: Tensor | None = None) -> Smooth:
    r"""sum_k w_k N(m_k, s^2 I): mean sum w_k m_k, variance s^2 + sum w_k m_k^2 - mean^2, coordinate by coordinate.

    means (k, d), weights (k,) summing to 1, or None for equal ones. Raises ValueError otherwise.
    """
    w = torch.full((len(means),), 1 / len(means), dtype=torch.float64) if weights is None else weights.double()
    if w.shape != means.shape[:1] or not ((w > 0).all() and math.isclose(float(w.sum()), 1, rel_tol=1e-6)):
        raise ValueError(f"weights must be {len(means)} positive numbers that sum to 1, got {w.tolist()}")
    m = means.double()

    def log_prob(x: Tensor) -> Tensor:
        squares = (x[:, None] - m.to(x)).square().sum(2)
        return (w.log().to(x) - squares / (2 * scale**2)).logsumexp(1)

    def gradient(x: Tensor) -> Tensor:
        away = m.to(x) - x[:, None]
        share = (w.log().to(x) - away.square().sum(2) / (2 * scale**2)).softmax(1)
        return (share[:, :, None] * away).sum(1) / scale**2

    def draw(n: int, generator: Generator | None) -> Tensor:
        device = generator.device if generator else w.device
        which = torch.multinomial(w.to(device), n, replacement=True, generator=generator)
        return m.to(device)[which] + scale * _randn(n, m.shape[1], generator=generator)

    mean = w @ m
    return Smooth("mixture", log_prob, mean, scale**2 + w @ m.square() - mean.square(), draw, gradient)
