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
RTOL, ATOL = 1e-6, 1e-9  # right answers in double precision agree so far, however they are written


def scale(draw: Draw) -> float:
    """A sigma below 1 and one above it in turn: sigma, 1 / sigma, sigma^2 and 1 are told apart."""
    return draw.number(*draw.choice([(0.2, 0.8), (1.3, 3.0)]))


def chances(draw: Draw, n: int, low: float = 0.02) -> Tensor:
    """Probabilities (n,), n > 4: 1/2 exactly and some near 1 always among them."""
    p = draw.uniform(n, low=low, high=0.99)
    p[:4] = torch.tensor([0.5, 0.9999, 1 - 1e-7, 0.75], dtype=p.dtype, device=p.device)
    return p


def _moved(draw: Draw) -> Any:
    sigma = scale(draw)
    distance = sigma * draw.uniform(8, high=3.0)
    distance[2:5] = sigma * torch.tensor([5.0, 0.0, 5.0])  # p = 1 - 1e-7 is moved to the middle: digits show
    return args(chances(draw, 8), distance, sigma)


def _numbers(draw: Draw) -> Any:
    """Numbers both, a tensor and a number, shapes that broadcast."""
    p, d, sigma = draw.uniform(3, 1, low=0.3, high=0.99), draw.uniform(4, high=1.5), scale(draw)
    return draw.choice(
        [
            args(draw.number(0.5, 0.99), draw.number(0.1, 1.0), sigma),
            args(0.9999, 0.0, sigma),
            args(p[:, 0], draw.number(0.1, 1.0), sigma),
            args(draw.number(0.5, 0.99), d, sigma),
            args(p, d, sigma),
        ]
    )


def _half_space(f: Function, draw: Draw) -> None:
    """Five standard errors: a right answer is refused once in 1.7 million checks."""
    p, sigma = draw.number(0.6, 0.95), draw.number(0.3, 0.8)
    distance, n = draw.number(0.2, 1.2) * sigma, 200_000
    noise = sigma * draw.normal(n)
    votes = (noise + distance <= sigma * ndtri(tensor(p)).item()).double().mean().item()
    wrong = 5 * math.sqrt(0.25 / n)
    got = f(tensor(p).to(draw.device), tensor(distance).to(draw.device), sigma)
    require(
        abs(got.item() - votes) < wrong,
        expected=f"{votes:.4f} +- {wrong:.4f}, what {n:,} noisy copies of x + delta vote under the half-space",
        on=f"p_a = {p:.4g}, distance = {distance:.4g}, sigma = {sigma:.4g}",
    )


def _no_worse(f: Function, draw: Draw) -> None:
    """Slabs |z| <= a, and the half-space that faces the other way: both have the mass p around x."""
    p, sigma = draw.uniform(20, low=0.05, high=0.98), scale(draw)
    distance = sigma * draw.uniform(20, high=3.0)
    bound, d, a = f(p, distance, sigma), distance / sigma, ndtri((1 + p) / 2)
    slab, facing = ndtr(a - d) - ndtr(-a - d), ndtr(ndtri(p) + d)
    require(bound <= slab + 1e-5, expected="at most what the slab |z| <= a of mass p_A keeps", got=bound)
    require(bound <= facing + 1e-5, expected="at most what any half-space of mass p_A keeps", got=bound)


def _two_steps(f: Function, draw: Draw) -> None:
    p, sigma = draw.uniform(6, low=0.2, high=0.99), scale(draw)
    d, e = sigma * draw.uniform(6), sigma * draw.uniform(6)
    agree(f(p, torch.zeros_like(p), sigma), p, rtol=RTOL, atol=ATOL, meaning="Without a shift nothing changes.")
    agree(f(f(p, d, sigma), e, sigma), f(p, d + e, sigma), rtol=RTOL, atol=ATOL)


def tensor(value: Any) -> Tensor:
    """A number or a tensor in double precision."""
    return torch.as_tensor(value, dtype=F64)


PHI, QUANTILE = "torch.special.ndtr(", "torch.special.ndtri(p_a)"
RESULT = "torch.special.ndtr(torch.special.ndtri(p_a) - distance / sigma)"

neyman_pearson_bound = Exercise(
    "9.4",
    smoothing.neyman_pearson_bound,
    checks=(
        holds(
            "is what the half-space across delta keeps",
            _half_space,
            meaning="The half-space {noise . delta <= sigma Phi^{-1}(p_A) |delta|} has mass p_A; how much of it is "
            "left when the noise is centred at delta?",
        ),
        holds(
            "no slab and no half-space of the same mass keeps less",
            _no_worse,
            dtype=F64,
            times=2,
            meaning="It is a minimum over all sets of mass p_A, so no single one of them may keep less.",
        ),
        holds(
            "two shifts one after the other are one",
            _two_steps,
            dtype=F64,
            times=2,
            meaning="Each shift takes distance / sigma off the quantile: in these units shifts add up.",
        ),
        same(
            "is Phi(Phi^{-1}(p_A) - distance / sigma)",
            _moved,
            rtol=RTOL,
            atol=ATOL,
            meaning="Three steps: the quantile of p_A, minus distance / sigma, Phi of that; in float64 all the way, "
            "since 1 - p_A is small.",
        ),
        same(
            "takes numbers, tensors, and shapes that broadcast",
            _numbers,
            rtol=1e-5,
            atol=1e-7,
            times=10,  # each in either precision
            meaning="`torch.as_tensor(p_a, dtype=torch.float64)` first, and the same for distance: then numbers and "
            "tensors go together.",
        ),
    ),
    mistakes=(
        (
            "The sign: with + it is the half-space whose class the shift favours, the best case. The worst case loses.",
            {"- distance / sigma": "+ distance / sigma"},
        ),
        (
            "sigma is forgotten: noise of scale sigma sees the shift as distance / sigma.",
            {"- distance / sigma": "- distance"},
        ),
        (
            "Divide by sigma: the wider the noise, the less a shift matters.",
            {"- distance / sigma": "- distance * sigma"},
        ),
        ("sigma is the scale of the noise, not its variance: no square.", {"distance / sigma": "distance / sigma**2"}),
        ("The distance comes in as it is, not squared.", {"- distance / sigma": "- (distance / sigma) ** 2"}),
        ("Half of the shift is missing: all of distance / sigma.", {"distance / sigma": "distance / (2 * sigma)"}),
        ("The first step is the quantile Phi^{-1}, `torch.special.ndtri`, not Phi.", {"ndtri(p_a)": "ndtr(p_a)"}),
        ("That is the quantile after the shift; Phi of it is the probability.", {PHI: "("}),
        (
            "The probability itself is shifted; the shift acts on its quantile Phi^{-1}(p_A).",
            {RESULT: "p_a - distance / sigma"},
        ),
        ("That is 1 minus the bound: what the half-space loses, not what it keeps.", {PHI: "1 - " + PHI}),
        (
            "erf belongs to exp(-t^2), not to exp(-t^2 / 2): Phi(z) = (1 + erf(z / sqrt(2))) / 2. Or take "
            "`torch.special.ndtr` and `ndtri`.",
            {PHI: "0.5 + 0.5 * torch.erf(", QUANTILE: "torch.erfinv(2 * p_a - 1)"},
        ),
        (
            "Phi(z) = (1 + erf(z / sqrt(2))) / 2: the root is missing. `torch.special.ndtr` is Phi.",
            {PHI: "0.5 + 0.5 * torch.erf("},
        ),
        (
            "Phi^{-1}(p) = sqrt(2) erfinv(2 p - 1): the root is missing. `torch.special.ndtri` is Phi^{-1}.",
            {QUANTILE: "torch.erfinv(2 * p_a - 1)"},
        ),
        (
            "The normal density has 1 / sqrt(2 pi), not 1 / (2 pi); else Phi does not go from 0 to 1.",
            {RESULT: f"0.5 + ({RESULT} - 0.5) / math.sqrt(2 * math.pi)"},
        ),
        (
            "That is the density of the normal law; Phi is its integral, `torch.special.ndtr`.",
            {RESULT: f"(-({QUANTILE} - distance / sigma) ** 2 / 2).exp() / math.sqrt(2 * math.pi)"},
        ),
        (
            "`torch.special` wants tensors, and p_a may be a plain number: `p_a = torch.as_tensor(p_a, "
            "dtype=torch.float64)` first, and the same for distance.",
            lambda p_a, distance, sigma: ndtr(ndtri(p_a) - distance / sigma),
        ),
        (
            "That is the Lipschitz bound with the largest slope of Phi: sound, but not the minimum, and soon below 0.",
            {RESULT: "p_a - distance / (sigma * math.sqrt(2 * math.pi))"},
        ),
    ),
    hints=(
        "Along the shift only one number matters, u = noise / sigma ~ N(0, 1). Which half-space u <= c has mass p_A?",
        "c = Phi^{-1}(p_A), `torch.special.ndtri`. At x + delta the noise is seen from distance / sigma further: "
        "u + distance / sigma <= c.",
        "So P(u <= c - distance / sigma): `torch.special.ndtr`. Numbers become tensors by `torch.as_tensor(p_a, "
        "dtype=torch.float64)`.",
    ),
    why="The likelihood ratio of the two Gaussians grows along delta only, so by Neyman and Pearson the set that keeps "
    "least at x + delta, among all of mass p_A at x, is the half-space that delta leaves. All that is left of the "
    "classifier is one number, p_A; all that is left of delta is its length.",
    minutes=10,
)
