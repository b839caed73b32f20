"""Exercises 9.5 and 9.9: the certified radius, and the largest that n votes can certify."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.special import ndtr, ndtri

from helpers import smoothing
from helpers.exercises import Draw, Exercise, agree, args, holds, require, same
from helpers.smoothing.exercises.gaussian import F64, MISSED, erf_inverse, tensor

Function = Callable[..., Any]


def _binary(draw: Draw) -> Any:
    return args(draw.uniform(10, low=0.3, high=0.999), draw.number(0.1, 0.8))


def _rivals(draw: Draw) -> Any:
    top = draw.uniform(10, low=0.3, high=0.95)
    others = (1 - top) * draw.uniform(10, low=0.2, high=0.95)
    top[0], others[0] = 0.45, 0.2
    return args(top, draw.number(0.1, 0.8), others)


def _linear(f: Function, draw: Draw) -> None:
    w, b, x, sigma = draw.normal(6), draw.number(-1, 1), draw.normal(9, 6), draw.number(0.3, 1.0)
    distance = ((x @ w + b) / w.norm()).abs()
    p = ndtr(distance / sigma).clamp(max=0.9999)
    agree(
        f(p, sigma),
        sigma * ndtri(p),
        rtol=1e-3,
        atol=1e-4,
        meaning="A linear classifier keeps x with p_A = Phi(distance / sigma): the radius is its distance.",
    )


def _balance(f: Function, draw: Draw) -> None:
    p_a, sigma, p_b = _rivals(draw).positional
    p_a, p_b = torch.maximum(p_a, p_b), torch.minimum(p_a, p_b)
    r = f(p_a, sigma, p_b)
    own = smoothing.neyman_pearson_bound(p_a, r.clamp(min=0), sigma)
    other = 1 - smoothing.neyman_pearson_bound(1 - p_b, r.clamp(min=0), sigma)
    require(
        (own - other).abs() < 1e-4,
        expected="at the radius A has fallen, at worst, to what B has risen to at best",
        got=f"A at {own[0]:.4g}, B at {other[0]:.4g} at r = {r[0]:.4g}",
    )


def _nothing(f: Function, draw: Draw) -> None:
    p, sigma = draw.uniform(6, low=0.05, high=0.45), draw.number(0.2, 0.9)
    for r in (f(p, sigma), f(p, sigma, p + 0.02)):
        require(r == 0, expected="0: p_A <= p_B certifies nothing")


def _certified(
    *,
    half: float = 0.5,
    alone: float = 1.0,
    cut: str = "equal",
    quantile: Callable[[Tensor], Tensor] = ndtri,
    scale: Callable[[float], float] = lambda s: s,
    pair: Callable[[Tensor, Tensor], Tensor] = lambda a, b: a - b,
    rival: bool = True,
) -> Function:
    def answer(p_a, sigma, p_b=None):  # type: ignore[no-untyped-def]
        p_a = tensor(p_a)
        if p_b is None or not rival:
            r, keep = alone * scale(sigma) * quantile(p_a), p_a > 0.5
        else:
            p_b = tensor(p_b)
            r = half * scale(sigma) * pair(quantile(p_a), quantile(p_b))
            keep = p_a > (p_b if cut == "equal" else 0.5)
        return r if cut == "none" else torch.where(keep, r, 0.0)

    return answer


def _of_the_gap(p_a, sigma, p_b=None):  # type: ignore[no-untyped-def]
    p_a = tensor(p_a)
    gap = 2 * p_a - 1 if p_b is None else p_a - tensor(p_b)
    return torch.where(gap > 0, sigma * ndtri((1 + gap) / 2), 0.0)


certified_radius = Exercise(
    "9.5",
    smoothing.certified_radius,
    checks=(
        holds("is the distance to the boundary of a linear classifier", _linear, dtype=F64),
        holds("is 0 where p_A <= p_B", _nothing, dtype=F64),
        holds("is where the worst case of A meets the best case of B", _balance, dtype=F64),
        same("alone: sigma Phi^{-1}(p_A)", _binary, dtype=F64, rtol=1e-4, atol=MISSED),
        same("with p_B: sigma / 2 (Phi^{-1}(p_A) - Phi^{-1}(p_B))", _rivals, dtype=F64, rtol=1e-4, atol=MISSED),
        same(
            "takes plain numbers as well",
            lambda draw: args(draw.number(0.5, 0.99), draw.number(0.1, 0.8)),
            rtol=1e-4,
            atol=MISSED,
        ),
    ),
    mistakes=(
        (
            "Without p_B the other term is -Phi^{-1}(1 - p_A) = Phi^{-1}(p_A): both add up, and the 1/2 goes.",
            _certified(alone=0.5),
        ),
        ("The 1/2 is missing: A falls while B rises, so they meet half-way.", _certified(half=1.0)),
        ("A radius below 0, or one where p_A <= p_B: there is nothing to certify, return 0.", _certified(cut="none")),
        (
            "p_A > 1/2 is needed only without p_B. With it, p_A = .45 against p_B = .2 certifies too.",
            _certified(cut="half"),
        ),
        ("sigma is forgotten: Phi^{-1} counts in units of sigma.", _certified(scale=lambda s: 1.0)),
        ("sigma comes in as it is: it is a length, and so is r.", _certified(scale=lambda s: s**2)),
        ("The quantile Phi^{-1} is asked for, `torch.special.ndtri`; that is Phi.", _certified(quantile=ndtr)),
        (
            "Phi^{-1}(p) = sqrt(2) erfinv(2 p - 1): the root is missing. `torch.special.ndtri` is Phi^{-1}.",
            _certified(quantile=erf_inverse),
        ),
        ("p_B is ignored: where it is known, it gives a larger radius than 1 - p_A.", _certified(rival=False)),
        (
            "The difference of the two quantiles: Phi^{-1}(p_B) is negative for p_B < 1/2 and adds to the radius.",
            _certified(pair=lambda a, b: a + b),
        ),
        (
            "The sign is flipped: Phi^{-1}(p_A) comes first, and the radius is positive where p_A > p_B.",
            _certified(pair=lambda a, b: b - a),
        ),
        (
            "`torch.special` wants tensors, and p_a may be a plain number: `p_a = torch.as_tensor(p_a, "
            "dtype=torch.float64)` first.",
            lambda p_a, sigma, p_b=None: torch.where(
                p_a > (p_b if p_b is not None else 1 - p_a),
                sigma / 2 * (ndtri(p_a) - ndtri(p_b if p_b is not None else 1 - p_a)),
                0.0,
            ),
        ),
        (
            "Phi^{-1} is not linear: take it of p_A and of p_B, and then the difference, not of the gap p_A - p_B.",
            _of_the_gap,
        ),
    ),
    hints=(
        "By Exercise 9.4 A falls at worst to Phi(Phi^{-1}(p_A) - r / sigma); B rises at most to Phi(Phi^{-1}(p_B) + r "
        "/ sigma).",
        "Set the two equal: the arguments of Phi must agree. Solve for r.",
        "Without p_B put p_B = 1 - p_A, and use Phi^{-1}(1 - p) = -Phi^{-1}(p).",
        "`torch.where(p_a > p_b, radius, 0.0)`.",
    ),
    why="Two half-spaces, one for the class and one against it, meet where their arguments of Phi agree. Nothing else "
    "of the classifier goes in, and a linear one attains it: with p_A and p_B alone no larger radius can be right.",
    minutes=10,
)


def _unanimous(f: Function, draw: Draw) -> None:
    n, alpha, sigma = draw.integer(20, 5000), draw.choice([0.1, 0.01, 0.001]), draw.number(0.1, 1.0)
    all_agree = smoothing.certified_radius(smoothing.clopper_pearson_lower(n, n, alpha), sigma).item()
    nearly = smoothing.certified_radius(smoothing.clopper_pearson_lower(n - 1, n, alpha), sigma).item()
    got = f(n, alpha, sigma)
    require(
        abs(got - all_agree) < 1e-3 * all_agree,
        expected=f"{all_agree:.6g}: the radius of n votes that all agree",
        got=got,
    )
    require(got > nearly, expected=f"more than {nearly:.6g}, the radius of n - 1 votes of n", got=got)


def _grows(f: Function, draw: Draw) -> None:
    sigma, alpha = draw.number(0.1, 1.0), draw.choice([0.1, 0.01, 0.001])
    for less, more in ((f(100, alpha, sigma), f(1000, alpha, sigma)), (f(50, alpha, sigma), f(50, 2 * alpha, sigma))):
        require(more > less, expected="a larger radius of more votes, or of a larger alpha", got=(less, more))


def _ceiling(quantile_of: Callable[[int, float], float], *, scaled: bool = True, cut: bool = True) -> Function:
    def answer(n, alpha, sigma):  # type: ignore[no-untyped-def]
        z = ndtri(tensor(quantile_of(n, alpha))).item()
        return (sigma if scaled else 1.0) * (max(z, 0.0) if cut else z)

    return answer


max_certifiable_radius = Exercise(
    "9.9",
    smoothing.max_certifiable_radius,
    checks=(
        holds("is the radius of n votes that all agree", _unanimous, times=4),
        holds("grows with n and with alpha", _grows),
        same(
            "is sigma Phi^{-1}(alpha^{1/n})",
            lambda draw: args(draw.choice([10, 100, 10_000, 100_000]), draw.number(1e-4, 0.05), draw.number(0.1, 1.0)),
            times=6,
            rtol=1e-3,
        ),
        same("is 0 where one vote is all there is", lambda draw: args(1, draw.number(0.01, 0.4), draw.number(0.1, 1))),
    ),
    mistakes=(
        ("The n-th root, not the n-th power: p^n = alpha gives p = alpha^{1/n}.", _ceiling(lambda n, alpha: alpha**n)),
        (
            "n is not used: that is the quantile of one look at the data, not the bound of n votes.",
            _ceiling(lambda n, alpha: 1 - alpha),
        ),
        (
            "alpha and 1 - alpha are exchanged: the bound is the p at which n votes of n happen with probability alpha "
            "only.",
            _ceiling(lambda n, alpha: (1 - alpha) ** (1 / n)),
        ),
        ("The bound is one-sided: alpha, not alpha / 2.", _ceiling(lambda n, alpha: (alpha / 2) ** (1 / n))),
        (
            "That is Hoeffding's bound; it wastes the knowledge that no vote was against: 1 - p of order 1/sqrt(n) "
            "instead of 1/n.",
            _ceiling(lambda n, alpha: 1 - math.sqrt(math.log(1 / alpha) / (2 * n))),
        ),
        (
            "log10 with exp: use the natural logarithm in both, or simply `alpha ** (1 / n)`.",
            _ceiling(lambda n, alpha: math.exp(math.log10(alpha) / n)),
        ),
        (
            "sigma sqrt(2 ln n) is how it grows for huge n; it is not the value.",
            lambda n, alpha, sigma: sigma * math.sqrt(2 * math.log(n)),
        ),
        (
            "sigma is forgotten: Phi^{-1} counts in units of sigma.",
            _ceiling(lambda n, alpha: alpha ** (1 / n), scaled=False),
        ),
        (
            "That is Phi; the radius needs the quantile Phi^{-1}, `torch.special.ndtri`.",
            lambda n, alpha, sigma: sigma * ndtr(tensor(alpha ** (1 / n))).item(),
        ),
        (
            "Below p = 1/2 the quantile is negative: nothing is certified there, return 0.",
            _ceiling(lambda n, alpha: alpha ** (1 / n), cut=False),
        ),
    ),
    hints=(
        "The best that can happen: all n votes for A. Which p makes that as unlikely as alpha?",
        "P(Bin(n, p) >= n) = p^n, so p = alpha^{1/n}; put it into the radius of Exercise 9.5.",
        "Return a Python float: `certified_radius(alpha ** (1 / n), sigma).item()`.",
    ),
    why="p^n = alpha is the only Clopper-Pearson bound with a closed form. It is the ceiling of every curve of "
    "certified accuracy: 3.81 sigma for n = 100,000, alpha = .001, however sure the classifier. To raise it to "
    "4 sigma takes n = 218,000 votes.",
    minutes=5,
)
