"""Exercises 9.10 and 9.11: certificates for the k most probable classes, and from differential privacy."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.special import ndtr, ndtri

from helpers import smoothing
from helpers.exercises import Draw, Exercise, agree, args, holds, require, same
from helpers.smoothing.exercises.gaussian import F64, MISSED

Function = Callable[..., Any]


def _ranked(draw: Draw) -> tuple[Tensor, Tensor]:
    """Bounds for five classes, the label anywhere, others in any order; in the last rows they sum to more than 1."""
    p = draw.probabilities(6, 5)
    label, others = 0.97 * p[:, 0], 1.03 * p[:, 1:]
    label[4:] = torch.tensor([0.45, 0.5], dtype=p.dtype, device=p.device)
    others[4:] = torch.tensor([[0.38, 0.36, 0.1, 0.34], [0.05, 0.3, 0.45, 0.35]], dtype=p.dtype, device=p.device)
    return label, others


def _many(draw: Draw) -> Any:
    return args(*_ranked(draw), draw.choice([2, 3]), draw.number(0.2, 0.8))


def _like_cohen(f: Function, draw: Draw) -> None:
    p, sigma = draw.probabilities(8, 5), draw.number(0.2, 0.8)
    p[:4] = p[:4].sort(1).values[:, [4, 1, 0, 3, 2]]  # here the label leads
    expected = smoothing.certified_radius(p[:, 0], sigma, p[:, 1:].amax(1))
    meaning = "For k = 1 it is the radius of Exercise 9.5."
    agree(f(p[:, 0], p[:, 1:], 1, sigma), expected, rtol=1e-4, atol=MISSED, meaning=meaning)


def _grows_with_k(f: Function, draw: Draw) -> None:
    label, others = _ranked(draw)
    radii = torch.stack([f(label, others, k, 0.5) for k in (1, 2, 3, 4)])
    require(radii.diff(dim=0) >= -MISSED, expected="a radius that does not shrink when k grows: more places", got=radii)
    require(radii >= 0, expected="0 where the label is not certain to be among the k", got=radii)


def _order(f: Function, draw: Draw) -> None:
    label, others = _ranked(draw)
    places = draw.uniform(4).argsort()
    agree(f(label, others[:, places], 2, 0.5), f(label, others, 2, 0.5), rtol=1e-4, atol=MISSED)


def _sums(others: Tensor, k: int, which: str) -> Tensor:
    falling = others.sort(1, descending=True).values
    if which == "beyond":
        return falling[:, : k + 1].flip(1).cumsum(1)[:, :k]
    return {
        "least of the k": falling[:, :k].flip(1).cumsum(1),
        "least of all": falling.flip(1).cumsum(1)[:, :k],
        "as given": others[:, :k].flip(1).cumsum(1),
        "singles": falling[:, :k].flip(1),
    }[which]


def _top_k(
    which: str = "least of the k",
    *,
    cap: bool = True,
    only: slice = slice(None),
    largest: bool = False,
    scale: bool = True,
) -> Function:
    def answer(p_label, p_others, k, sigma, *, halvings=60):  # type: ignore[no-untyped-def]
        label, sums = p_label.double(), _sums(p_others.double(), k, which)
        sums = sums.minimum(1 - label[:, None]) if cap else sums.clamp(max=1)
        t = torch.arange(1, sums.shape[1] + 1, device=sums.device)
        s = sigma if scale else 1.0

        def holds_at(r: Tensor) -> Tensor:
            rivals = (ndtr(ndtri(sums) + r[:, None] / s) / t)[:, only]
            return ndtr(ndtri(label) - r / s) > (rivals.amax(1) if largest else rivals.amin(1))

        low, high = torch.zeros_like(label), torch.full_like(label, 40 * s)
        for _ in range(halvings):
            middle = (low + high) / 2
            inside = holds_at(middle)
            low, high = torch.where(inside, middle, low), torch.where(inside, high, middle)
        return low

    return answer


top_k_radius = Exercise(
    "9.10",
    smoothing.top_k_radius,
    checks=(
        holds("is Cohen's radius for k = 1", _like_cohen, dtype=F64),
        holds("does not shrink when k grows", _grows_with_k, dtype=F64, seconds=15),
        same("solves the equation, or is 0", _many, dtype=F64, rtol=1e-4, atol=MISSED, times=4, seconds=15),
        holds("does not depend on the order of the other classes", _order, dtype=F64),
    ),
    mistakes=(
        (
            "The minimum with 1 - p_l is missing: upper bounds may add up to more than what the label leaves.",
            _top_k(cap=False),
        ),
        (
            "That is t = 1 alone, the k-th rival: sound, but too small. Is each sum divided by its t? Otherwise no "
            "other t is ever the minimum.",
            _top_k(only=slice(0, 1)),
        ),
        (
            "That is t = k alone. The minimum runs over t = 1, ..., k, and S_t holds the t least probable of the k "
            "strongest rivals, not the t most probable.",
            _top_k(only=slice(-1, None)),
        ),
        (
            "That is the maximum over t. Each t alone is a proof that some rival stays below; the best of them counts: "
            "the minimum.",
            _top_k(largest=True),
        ),
        (
            "S_t is taken from the k strongest rivals, not from all: the t least probable classes never matter.",
            _top_k("least of all"),
        ),
        ("The other classes come in any order: take the k largest, `p_others.topk(k, dim=1)`.", _top_k("as given")),
        ("One rival too many: to push the label out of the first k, k others must pass it.", _top_k("beyond")),
        ("p_{S_t} is the sum over S_t, not the probability of one class: `cumsum`.", _top_k("singles")),
        ("sigma is forgotten: the shift counts as r / sigma.", _top_k(scale=False)),
    ),
    hints=(
        "`p_others.topk(k, dim=1).values` falls from left to right; `.flip(1).cumsum(1)` are the sums over S_1, ..., "
        "S_k. Then the minimum with 1 - p_l.",
        "The left side falls and the right side grows with r, so there is one crossing: halve an interval [0, 40 "
        "sigma] `halvings` times, keeping in `low` a radius at which left > right.",
        "As tensors: `low = torch.where(inside, middle, low)`, `high = torch.where(inside, high, middle)`. Where left "
        "> right fails already at r = 0, `low` stays 0.",
    ),
    why="To lose its place the label must be passed by k rivals. For each t, the t weakest of the k must together rise "
    "to t times the label's probability, and the half-space bounds how far a sum can rise: one necessary condition for "
    "each t, of which the strictest gives the radius. With k = 1 there is one rival, and Cohen's theorem returns.",
    minutes=25,
)


def _pairs(draw: Draw) -> Any:
    top = draw.uniform(8, low=0.4, high=0.99)
    other = (1 - top) * draw.uniform(8, low=0.3, high=1.0)
    top[:3] = torch.tensor([0.99, 0.9, 0.45], dtype=top.dtype, device=top.device)
    other[:3] = torch.tensor([0.0005, 0.1, 0.5], dtype=top.dtype, device=top.device)
    return args(top, other, draw.number(0.2, 0.8))


def _below_cohen(f: Function, draw: Draw) -> None:
    top, other, sigma = _pairs(draw).positional
    radius = f(top, other, sigma)
    cohen = smoothing.certified_radius(top, sigma, other)
    require(radius <= cohen + MISSED, expected="at most Cohen's radius, which is tight", got=radius)
    require((radius >= 0) & ((radius > 0) == (top > other)), expected="positive where p_A > p_B, else 0", got=radius)


def _in_proportion(f: Function, draw: Draw) -> None:
    top, other, sigma = _pairs(draw).positional
    meaning = "A radius is a length: it goes with sigma."
    agree(f(top, other, 2 * sigma), 2 * f(top, other, sigma), rtol=1e-3, atol=1e-4, meaning=meaning)


def _lecuyer(
    *,
    power: float = 2.0,
    top: float = 1.0,
    constant: float = 1.25,
    spend: bool = True,
    root: float = 2.0,
    scaled: bool = True,
    best: Callable[[Tensor], Tensor] = lambda values: values.amax(-1),
    log: Callable[[Tensor], Tensor] = torch.log,
) -> Function:
    def answer(p_a, p_b, sigma, *, points=1000):  # type: ignore[no-untyped-def]
        p_a, p_b = p_a.double(), p_b.double()
        limit = ((p_a / p_b).log() / power).clamp(min=0, max=top)
        beta = limit[:, None] * torch.arange(1, points + 1, device=p_a.device) / points
        room = (p_a[:, None] - (power * beta).exp() * p_b[:, None]).clamp(min=0)
        delta = room / (1 + beta.exp()) if spend else room
        private = (sigma if scaled else 1.0) * beta / (root * log(constant / delta)).sqrt()
        return torch.where(p_a > p_b, best(private), 0.0)

    return answer


lecuyer_radius = Exercise(
    "9.11",
    smoothing.lecuyer_radius,
    checks=(
        holds("goes with sigma", _in_proportion, dtype=F64),
        holds("is at most Cohen's radius, and positive where that is", _below_cohen, dtype=F64),
        same("is the largest over 0 < beta <= min(1, ln(p_A / p_B) / 2)", _pairs, dtype=F64, rtol=2e-3, atol=1e-4),
    ),
    mistakes=(
        ("The Gaussian mechanism is private only for beta <= 1: the cap is missing.", _lecuyer(top=math.inf)),
        ("e^{2 beta}: A may fall by e^beta and B rise by e^beta, both at once.", _lecuyer(power=1.0)),
        ("The 1.25 of the Gaussian mechanism is missing in the logarithm.", _lecuyer(constant=1.0)),
        (
            "delta is spent once for A and e^beta times for B: delta = (p_A - e^{2 beta} p_B) / (1 + e^beta).",
            _lecuyer(spend=False),
        ),
        ("The 2 under the root is missing: sqrt(2 ln(1.25 / delta)).", _lecuyer(root=1.0)),
        ("ln is the natural logarithm, `torch.log`.", _lecuyer(log=torch.log10)),
        (
            "That takes the largest beta, where nothing is left for delta and the radius goes to 0: search over beta.",
            _lecuyer(best=lambda values: values[..., -2]),
        ),
        (
            "That is the smallest over beta; every beta is a certificate, so the largest counts.",
            _lecuyer(best=lambda values: values.amin(-1)),
        ),
        (
            "That is the mean over beta; every beta is a certificate, so the largest counts.",
            _lecuyer(best=lambda values: values.mean(-1)),
        ),
        (
            "That is one beta; every beta is a certificate, so search for the largest radius.",
            _lecuyer(best=lambda values: values[..., values.shape[-1] // 2]),
        ),
        ("sigma is forgotten: the radius is in units of sigma.", _lecuyer(scaled=False)),
    ),
    hints=(
        "Solve for delta what privacy must leave: delta = (p_A - e^{2 beta} p_B) / (1 + e^beta) > 0.",
        "Solve sigma = r sqrt(2 ln(1.25 / delta)) / beta for r. For one beta that is a certificate.",
        "A grid: `beta = limit[:, None] * torch.arange(1, points + 1) / points` with limit = min(1, ln(p_A / p_B) / 2) "
        "for each row, then `amax(1)`; 0 where p_A <= p_B.",
    ),
    why="Privacy bounds how much any one input can change the law of the output: the same statement as robustness, "
    "for every event and not only for one class, and so a weaker one here. On the same votes Cohen's radius is "
    "several times as large.",
    minutes=15,
)
