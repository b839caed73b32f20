"""Exercises 9.5 and 9.9: the certified radius, and the largest that n votes can certify."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.special import ndtr, ndtri

from helpers import smoothing
from helpers.exercises import Draw, Exercise, agree, args, holds, require, same
from helpers.smoothing.exercises.gaussian import ATOL, F64, RTOL, chances, scale

Function = Callable[..., Any]


def _binary(draw: Draw) -> Any:
    p = chances(draw, 10, low=0.3)
    p[4], p[5] = 0.0, 0.5 + 1e-5
    return args(p, scale(draw))


def _rivals(draw: Draw) -> Any:
    top = draw.uniform(10, low=0.3, high=0.95)
    others = (1 - top) * draw.uniform(10, low=0.2, high=0.95)
    top[:6] = torch.tensor([0.45, 0.9999, 0.4, 0.5, 0.4, 0.6]).to(top)
    others[:6] = torch.tensor([0.2, 1e-6, 0.4, 0.5, 0.40001, 0.1]).to(top)
    return args(top, scale(draw), others)


def _numbers(draw: Draw) -> Any:
    p, q, sigma = draw.uniform(3, 1, low=0.4, high=0.99), draw.uniform(4, low=0.001, high=0.5), scale(draw)
    return draw.choice(
        [
            args(draw.number(0.6, 0.95), sigma),
            args(0.4, sigma, p_b=0.1),
            args(0.5, sigma),
            args(p[:, 0], sigma, 0.2),
            args(0.6, sigma, p_b=q),
            args(p, sigma, q),
        ]
    )


def _linear(f: Function, draw: Draw) -> None:
    w, b, x, sigma = draw.normal(6), draw.number(-1, 1), draw.normal(9, 6), draw.number(0.3, 1.0)
    distance = ((x @ w + b) / w.norm()).abs()
    p = ndtr(distance / sigma).clamp(max=0.9999)
    agree(f(p, sigma), sigma * ndtri(p), rtol=RTOL, atol=ATOL)


def _balance(f: Function, draw: Draw) -> None:
    p_a, sigma, p_b = _rivals(draw).positional
    p_a, p_b = torch.maximum(p_a, p_b), torch.minimum(p_a, p_b)
    r = f(p_a, sigma, p_b)
    own = smoothing.neyman_pearson_bound(p_a, r.clamp(min=0), sigma)
    other = 1 - smoothing.neyman_pearson_bound(1 - p_b, r.clamp(min=0), sigma)
    require(
        (own - other).abs() < 1e-6,
        expected="at the radius A has fallen, at worst, to what B has risen to at best",
        got=f"A at {own[0]:.4g}, B at {other[0]:.4g} at r = {r[0]:.4g}",
    )


def _nothing(f: Function, draw: Draw) -> None:
    p, sigma = draw.uniform(6, low=0.05, high=0.45), scale(draw)
    for top, others in ((p, ()), (p, (p + 0.02,)), (torch.zeros_like(p), ()), (p, (p,))):
        require(f(top, sigma, *others) == 0, expected="0: p_A <= p_B certifies nothing")


QUANTILES = "(torch.special.ndtri(p_a) - torch.special.ndtri(p_b))"
CUT = "torch.where(p_a > p_b, radius, 0.0)"
BINARY, GIVEN = "p_b = 1 - p_a if", 'if p_b is None else checks.probability("p_b", p_b)'

certified_radius = Exercise(
    "9.5",
    smoothing.certified_radius,
    checks=(
        holds(
            "is the distance to the boundary of a linear classifier",
            _linear,
            dtype=F64,
            times=2,
            meaning="A linear classifier keeps x with p_A = Phi(distance / sigma): the radius is its distance.",
        ),
        holds(
            "is 0 where p_A <= p_B",
            _nothing,
            dtype=F64,
            times=2,
            meaning="Nothing is certified there, so the radius is exactly 0: not negative, not NaN.",
        ),
        holds(
            "is where the worst case of A meets the best case of B",
            _balance,
            dtype=F64,
            times=2,
            meaning="With p_B the two quantiles are subtracted, and sigma / 2 goes in front.",
        ),
        same(
            "alone: sigma Phi^{-1}(p_A)",
            _binary,
            rtol=RTOL,
            atol=ATOL,
            meaning="sigma Phi^{-1}(p_A) where p_A > 1/2, else 0; in float64 all the way, since 1 - p_A is small.",
        ),
        same(
            "with p_B: sigma / 2 (Phi^{-1}(p_A) - Phi^{-1}(p_B))",
            _rivals,
            rtol=RTOL,
            atol=ATOL,
            meaning="sigma / 2 (Phi^{-1}(p_A) - Phi^{-1}(p_B)) where p_A > p_B, else 0; in float64 all the way.",
        ),
        same(
            "takes numbers, tensors, and shapes that broadcast",
            _numbers,
            rtol=1e-5,
            atol=1e-7,
            meaning="`p_a = torch.as_tensor(p_a, dtype=torch.float64)` first, and the same for p_b: then numbers and "
            "tensors go together.",
        ),
    ),
    mistakes=(
        (
            "Always 0. Is it Phi^{-1}(p_A) + Phi^{-1}(1 - p_A)? Subtract the second quantile: the radius is positive "
            "where p_A > p_B.",
            {CUT: "torch.zeros_like(radius)"},
        ),
        (
            "Without p_B the other term is -Phi^{-1}(1 - p_A) = Phi^{-1}(p_A): both add up, and the 1/2 goes.",
            {"1 - p_a if": "torch.full_like(p_a, 0.5) if"},
        ),
        (
            "The 1/2 is missing with p_B: A falls while B rises, so they meet half-way.",
            {BINARY: "alone = p_b is None\n    " + BINARY, "sigma / 2": "(sigma / 2 if alone else sigma)"},
        ),
        ("The 1/2 is missing: A falls while B rises, so they meet half-way.", {"sigma / 2": "sigma"}),
        ("A radius below 0, or one where p_A <= p_B: there is nothing to certify, return 0.", {CUT: "radius"}),
        ("|r| certifies where p_A < p_B: there is nothing to certify, return 0.", {CUT: "radius.abs()"}),
        (
            "p_A > 1/2 is needed only without p_B. With it, p_A = .45 against p_B = .2 certifies too.",
            {"p_a > p_b": "p_a > 0.5"},
        ),
        ("sigma is forgotten: Phi^{-1} counts in units of sigma.", {"sigma / 2": "0.5"}),
        ("sigma comes in as it is: it is a length, and so is r.", {"sigma / 2": "sigma**2 / 2"}),
        ("sigma multiplies: the wider the noise, the wider the radius for the same p_A.", {"sigma / 2": "0.5 / sigma"}),
        (
            "The quantile Phi^{-1} is asked for, `torch.special.ndtri`; that is Phi.",
            {QUANTILES: QUANTILES.replace("ndtri", "ndtr")},
        ),
        (
            "Phi^{-1}(p) = sqrt(2) erfinv(2 p - 1): the root is missing. `torch.special.ndtri` is Phi^{-1}.",
            {QUANTILES: "(torch.erfinv(2 * p_a - 1) - torch.erfinv(2 * p_b - 1))"},
        ),
        ("p_B is ignored: where it is known, it gives a larger radius than 1 - p_A.", {GIVEN: ""}),
        (
            "The difference of the two quantiles: Phi^{-1}(p_B) is negative for p_B < 1/2 and adds to the radius.",
            {
                BINARY: "sign = -1 if p_b is None else 1\n    " + BINARY,
                QUANTILES: QUANTILES.replace("- ", "+ sign * "),
            },
        ),
        (
            "The sign is flipped: Phi^{-1}(p_A) comes first, and the radius is positive where p_A > p_B.",
            {"sigma / 2": "-sigma / 2"},
        ),
        (
            "`torch.special` wants tensors, and p_a may be a plain number: `p_a = torch.as_tensor(p_a, "
            "dtype=torch.float64)` first.",
            lambda p_a, sigma, p_b=None: torch.where(
                p_a > (1 - p_a if p_b is None else p_b),
                sigma / 2 * (ndtri(p_a) - ndtri(1 - p_a if p_b is None else p_b)),
                0.0,
            ),
        ),
        (
            "Phi^{-1} is not linear: take it of p_A and of p_B, and then the difference, not of the gap p_A - p_B.",
            {QUANTILES: "2 * torch.special.ndtri((1 + p_a - p_b) / 2)"},
        ),
    ),
    hints=(
        "By Exercise 9.4 A falls at worst to Phi(Phi^{-1}(p_A) - r / sigma); B rises at most to Phi(Phi^{-1}(p_B) + r "
        "/ sigma).",
        "Set the two equal: the arguments of Phi must agree. Solve for r.",
        "`p_a = torch.as_tensor(p_a, dtype=torch.float64)`, the same for p_b, which is 1 - p_a if it is None; "
        "`torch.special.ndtri` is Phi^{-1}.",
        "`torch.where(p_a > p_b, radius, 0.0)`.",
    ),
    why="Two half-spaces, one for the class and one against it, meet where their arguments of Phi agree. Nothing else "
    "of the classifier goes in, and a linear one attains it: with p_A and p_B alone no larger radius can be right.",
    minutes=10,
)
