"""Exercise 9.4: the worst case of the Neyman-Pearson lemma."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.special import ndtr, ndtri

from helpers import smoothing
from helpers.exercises import Draw, Exercise, agree, args, holds, require, same

Function = Callable[..., Any]
F64 = torch.float64
MISSED = 1e-5  # right answers in single precision agree so far


def _moved(draw: Draw) -> Any:
    return args(draw.uniform(8, low=0.02, high=0.99), draw.uniform(8, high=1.5), draw.number(0.2, 0.8))


def _numbers(draw: Draw) -> Any:
    return args(draw.number(0.5, 0.99), draw.number(0.1, 1.0), draw.number(0.2, 0.8))


def _broadcast(draw: Draw) -> Any:
    return args(draw.uniform(3, 1, low=0.3, high=0.99), draw.uniform(4, high=1.5), draw.number(0.2, 0.8))


def _half_space(f: Function, draw: Draw) -> None:
    """Five standard errors: a right answer is refused once in 1.7 million checks."""
    p, sigma = draw.number(0.6, 0.95), draw.number(0.3, 0.8)
    distance, n = draw.number(0.2, 1.2) * sigma, 200_000
    noise = sigma * draw.normal(n)
    threshold = sigma * math.sqrt(2) * torch.erfinv(torch.tensor(2 * p - 1, dtype=F64)).item()
    votes = (noise + distance <= threshold).double().mean().item()
    wrong = 5 * math.sqrt(0.25 / n)
    got = f(tensor(p).to(draw.device), tensor(distance).to(draw.device), sigma)
    require(
        abs(got.item() - votes) < wrong,
        expected=f"{votes:.4f} +- {wrong:.4f}, what {n:,} noisy copies of x + delta vote under the half-space",
        on=f"p_a = {p:.4g}, distance = {distance:.4g}, sigma = {sigma:.4g}",
    )


def _no_worse(f: Function, draw: Draw) -> None:
    """Slabs |z| <= a, and the half-space that faces the other way: both have the mass p around x."""
    p, sigma = draw.uniform(20, low=0.05, high=0.98), draw.number(0.3, 0.8)
    distance = draw.uniform(20, high=1.5)
    bound, d, a = f(p, distance, sigma), distance / sigma, ndtri((1 + p) / 2)
    slab, facing = ndtr(a - d) - ndtr(-a - d), ndtr(ndtri(p) + d)
    require(bound <= slab + MISSED, expected="at most what the slab |z| <= a of mass p_A keeps", got=bound)
    require(bound <= facing + MISSED, expected="at most what any half-space of mass p_A keeps", got=bound)


def _two_steps(f: Function, draw: Draw) -> None:
    p, sigma = draw.uniform(6, low=0.2, high=0.99), draw.number(0.3, 0.8)
    d, e = draw.uniform(6), draw.uniform(6)
    agree(f(p, torch.zeros_like(p), sigma), p, rtol=1e-4, atol=MISSED, meaning="Without a shift nothing changes.")
    agree(f(f(p, d, sigma), e, sigma), f(p, d + e, sigma), rtol=1e-4, atol=MISSED)


def tensor(value: Any) -> Tensor:
    """A number or a tensor in double precision."""
    return torch.as_tensor(value, dtype=F64)


def _bound(
    cdf: Callable[[Tensor], Tensor] = ndtr,
    inverse: Callable[[Tensor], Tensor] = ndtri,
    shift: Callable[[Tensor, float], Tensor] = lambda d, s: -d / s,
) -> Function:
    return lambda p_a, distance, sigma: cdf(inverse(tensor(p_a)) + shift(tensor(distance), sigma))


def _erf(z: Tensor) -> Tensor:
    return (1 + torch.erf(z)) / 2


def erf_inverse(p: Tensor) -> Tensor:
    """Phi^{-1} without its sqrt(2), a mistake."""
    return torch.erfinv(2 * p - 1)


neyman_pearson_bound = Exercise(
    "9.4",
    smoothing.neyman_pearson_bound,
    checks=(
        holds("is what the half-space across delta keeps", _half_space),
        holds("no slab and no half-space of the same mass keeps less", _no_worse, dtype=F64),
        holds("two shifts one after the other are one", _two_steps, dtype=F64),
        same("is Phi(Phi^{-1}(p_A) - distance / sigma)", _moved, dtype=F64, rtol=1e-4, atol=MISSED),
        same("takes plain numbers as well", _numbers, dtype=F64, rtol=1e-4, atol=MISSED),
        same("takes shapes that broadcast", _broadcast, dtype=F64, rtol=1e-4, atol=MISSED),
    ),
    mistakes=(
        (
            "The sign: with + it is the half-space whose class the shift favours, the best case. The worst case loses.",
            _bound(shift=lambda d, s: d / s),
        ),
        ("sigma is forgotten: noise of scale sigma sees the shift as distance / sigma.", _bound(shift=lambda d, s: -d)),
        ("Divide by sigma: the wider the noise, the less a shift matters.", _bound(shift=lambda d, s: -d * s)),
        ("The distance comes in as it is, not squared.", _bound(shift=lambda d, s: -((d / s) ** 2))),
        ("The first step is the quantile Phi^{-1}, `torch.special.ndtri`, not Phi.", _bound(inverse=ndtr)),
        ("That is the quantile after the shift; Phi of it is the probability.", _bound(cdf=lambda z: z)),
        (
            "erf belongs to exp(-t^2), not to exp(-t^2 / 2): Phi(z) = (1 + erf(z / sqrt(2))) / 2. Or take "
            "`torch.special.ndtr` and `ndtri`.",
            _bound(cdf=_erf, inverse=erf_inverse),
        ),
        ("Phi(z) = (1 + erf(z / sqrt(2))) / 2: the root is missing. `torch.special.ndtr` is Phi.", _bound(cdf=_erf)),
        (
            "Phi^{-1}(p) = sqrt(2) erfinv(2 p - 1): the root is missing. `torch.special.ndtri` is Phi^{-1}.",
            _bound(inverse=erf_inverse),
        ),
        (
            "The normal density has 1 / sqrt(2 pi), not 1 / (2 pi); else Phi does not go from 0 to 1.",
            _bound(cdf=lambda z: 0.5 + (ndtr(z) - 0.5) / math.sqrt(2 * math.pi)),
        ),
        (
            "That is the density of the normal law; Phi is its integral, `torch.special.ndtr`.",
            _bound(cdf=lambda z: (-(z**2) / 2).exp() / math.sqrt(2 * math.pi)),
        ),
        (
            "`torch.special` wants tensors, and p_a may be a plain number: `p_a = torch.as_tensor(p_a, "
            "dtype=torch.float64)` first, and the same for distance.",
            lambda p_a, distance, sigma: ndtr(ndtri(p_a) - distance / sigma),
        ),
        (
            "That is the Lipschitz bound with the largest slope of Phi: sound, but not the minimum, and soon below 0.",
            lambda p_a, distance, sigma: tensor(p_a) - tensor(distance) / (sigma * math.sqrt(2 * math.pi)),
        ),
    ),
    hints=(
        "Along the shift only one number matters, u = noise / sigma ~ N(0, 1). Which half-space u <= c has mass p_A?",
        "c = Phi^{-1}(p_A), `torch.special.ndtri`. At x + delta the noise is seen from distance / sigma further: "
        "u + distance / sigma <= c.",
        "So P(u <= c - distance / sigma): `torch.special.ndtr`.",
    ),
    why="The likelihood ratio of the two Gaussians grows along delta only, so by Neyman and Pearson the set that keeps "
    "least at x + delta, among all of mass p_A at x, is the half-space that delta leaves. All that is left of the "
    "classifier is one number, p_A; all that is left of delta is its length.",
    minutes=10,
)
