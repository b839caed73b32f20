r"""Classifiers of two classes whose smoothed probabilities and true radii are known: half-space, ball, slab.

Each is called like a model, f(x) for x (N, d) -> logits (N, 2), where the logit of class 1 is positive exactly inside
the named set and that of class 0 is 0. probability(x, sigma) = P(f(x + sigma xi) = 1), with label=0 that of class 0 (to
full precision where it is tiny), and true_radius(x, sigma), the distance from x to the nearest point where g answers
otherwise, are exact: (N, d) -> (N,) in float64. The certificate
that exact probabilities give is exact_radius(example, x, sigma), and it never exceeds the true one.
"""

import math
from typing import NamedTuple, Protocol

import torch
from scipy import optimize, stats
from torch import Tensor

from helpers import checks


class Example(Protocol):
    """What the three classifiers have in common."""

    def __call__(self, x: Tensor) -> Tensor:
        """Logits (N, 2)."""
        ...

    def probability(self, x: Tensor, sigma: float, label: int = 1) -> Tensor:
        """P(f(x + sigma xi) = label), (N,)."""
        ...

    def true_radius(self, x: Tensor, sigma: float) -> Tensor:
        """min{||delta||_2 : g(x + delta) != g(x)}, (N,)."""
        ...


def exact_radius(example: Example, x: Tensor, sigma: float) -> Tensor:
    r"""-sigma Phi^{-1}(min(p_0, p_1)) of the exact probabilities: what infinitely many votes certify. (N,)."""
    least = torch.minimum(example.probability(x, sigma, 0), example.probability(x, sigma, 1))
    return -sigma * torch.special.ndtri(least.clamp(max=0.5))


class HalfSpace(NamedTuple):
    r"""Class 1 where <w, x> + b > 0: the linear classifier, w (d,). Smoothing changes nothing: g = f, and
    p = Phi((<w, x> + b) / (sigma ||w||)), so that the certificate is the distance to the boundary."""

    w: Tensor
    b: float = 0.0

    def __call__(self, x: Tensor) -> Tensor:
        """Logits (N, 2)."""
        return _logits(x @ self.w.to(x) + self.b)

    def probability(self, x: Tensor, sigma: float, label: int = 1) -> Tensor:
        """Phi(distance / sigma), the distance signed: positive where f says 1."""
        checks.positive("sigma", sigma)
        return _normal_cdf((2 * label - 1) * self.distance(x) / sigma)

    def true_radius(self, x: Tensor, sigma: float) -> Tensor:
        """|<w, x> + b| / ||w||, whatever sigma is."""
        checks.positive("sigma", sigma)
        return self.distance(x).abs()

    def distance(self, x: Tensor) -> Tensor:
        """(<w, x> + b) / ||w||_2, signed."""
        w = self.w.to(x.device).double()
        return (x.double() @ w + self.b) / w.norm()


def worst_half_space(x: Tensor, delta: Tensor, p_a: float, sigma: float) -> HalfSpace:
    r"""{z : <delta, z - x> <= ||delta|| sigma Phi^{-1}(p_A)}: of all sets of probability p_A under N(x, sigma^2 I) the
    least probable under N(x + delta, sigma^2 I).

    Its probability at x + delta is smoothing.neyman_pearson_bound(p_A, ||delta||, sigma), so g leaves class 1 exactly
    at ||delta|| = sigma Phi^{-1}(p_A). x, delta (d,), delta != 0, p_A in (0, 1). Cohen et al. 2019, lemma 4.
    """
    checks.positive("sigma", sigma)
    checks.probability("p_a", p_a)
    u = delta.double() / delta.double().norm()
    if x.ndim != 1 or x.shape != delta.shape or not u.isfinite().all() or p_a in (0, 1):
        raise ValueError(
            f"need x, delta (d,), delta != 0, 0 < p_a < 1, got {tuple(x.shape)}, {tuple(delta.shape)}, {p_a}"
        )
    reach = sigma * float(torch.special.ndtri(torch.tensor(p_a, dtype=torch.float64)))
    return HalfSpace(-u, float(u @ x.double()) + reach)


class Ball(NamedTuple):
    r"""Class 1 where ||x||_2 < radius. ||x + sigma xi||^2 / sigma^2 is noncentral chi-squared with d degrees of freedom
    and noncentrality ||x||^2 / sigma^2, so g, too, has a ball: about 0, of radius `boundary`."""

    radius: float

    def __call__(self, x: Tensor) -> Tensor:
        """Logits (N, 2)."""
        return _logits(self.radius - x.norm(dim=1))

    def probability(self, x: Tensor, sigma: float, label: int = 1) -> Tensor:
        """P(||x + sigma xi|| < radius)."""
        checks.positive("sigma", sigma)
        length, law = x.double().norm(dim=1).cpu().numpy(), stats.ncx2.cdf if label else stats.ncx2.sf
        p = law((self.radius / sigma) ** 2, x.shape[1], (length / sigma) ** 2)
        return torch.as_tensor(p, dtype=torch.float64, device=x.device)

    def true_radius(self, x: Tensor, sigma: float) -> Tensor:
        """| ||x|| - boundary |; infinite where g is 0 everywhere."""
        checks.positive("sigma", sigma)
        return (x.double().norm(dim=1) - self.boundary(sigma, x.shape[1])).abs()

    def boundary(self, sigma: float, d: int) -> float:
        """The length of x at which both classes have probability 1/2; -inf if even x = 0 is more probably outside."""

        def excess(length: float) -> float:
            return stats.ncx2.cdf((self.radius / sigma) ** 2, d, (length / sigma) ** 2) - 0.5

        if excess(0.0) <= 0:
            return -math.inf
        return float(optimize.brentq(excess, 0, self.radius, xtol=1e-13))


class Slab(NamedTuple):
    r"""Class 1 where |x_1| > half_width: p = Phi((x_1 - t) / sigma) + Phi((-x_1 - t) / sigma), t the half width, is
    smallest at x_1 = 0."""

    half_width: float

    def __call__(self, x: Tensor) -> Tensor:
        """Logits (N, 2)."""
        return _logits(x[:, 0].abs() - self.half_width)

    def probability(self, x: Tensor, sigma: float, label: int = 1) -> Tensor:
        """P(|x_1 + sigma xi_1| > half_width)."""
        checks.positive("sigma", sigma)
        above, below = ((side * x[:, 0].double() - self.half_width) / sigma for side in (1, -1))
        if label:
            return _normal_cdf(above) + _normal_cdf(below)
        return _normal_cdf(-torch.maximum(above, below)) - _normal_cdf(torch.minimum(above, below))

    def true_radius(self, x: Tensor, sigma: float) -> Tensor:
        """The distance of |x_1| from the point where p = 1/2; infinite everywhere if p >= 1/2 at x_1 = 0."""
        first = x[:, 0].double().abs()
        return (first - self.boundary(sigma)).abs()

    def boundary(self, sigma: float) -> float:
        """The x_1 >= 0 at which p = 1/2; -inf if p is larger everywhere, so that g is constant."""

        def excess(first: float) -> float:
            return float(self.probability(torch.tensor([[first]], dtype=torch.float64), sigma)) - 0.5

        if excess(0.0) >= 0:
            return -math.inf
        return float(optimize.brentq(excess, 0, self.half_width + 10 * sigma, xtol=1e-13))


def blind_slab(tau: float, sigma: float) -> Slab:
    r"""The slab of half width t, Phi(-t / sigma) = Phi(tau / sigma) / 2: g is 1 everywhere, its true radius infinite,
    and yet the certificate at 0 is tau, for every tau > 0.

    Raises ValueError for sigma <= 0 or tau <= 0.
    """
    checks.positive("sigma", sigma)
    checks.positive("tau", tau)
    p = _normal_cdf(torch.tensor(tau / sigma, dtype=torch.float64))
    return Slab(-sigma * float(torch.special.ndtri(p / 2)))


def _normal_cdf(z: Tensor) -> Tensor:
    """Phi(z) to full relative precision in the lower tail, where torch.special.ndtr cancels."""
    return torch.special.erfc(-z / math.sqrt(2)) / 2


def _logits(inside: Tensor) -> Tensor:
    return torch.stack([torch.zeros_like(inside), inside], 1)
