"""Exercise 9.10: the certificate for the k most probable classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from helpers import smoothing
from helpers.exercises import Draw, Exercise, agree, args, holds, require, same
from helpers.smoothing.exercises.gaussian import ATOL, F64, RTOL, scale

Function = Callable[..., Any]


def _ranked(draw: Draw) -> tuple[Tensor, Tensor]:
    """Bounds for five classes in any order: a label at any place, sure, hopeless, tied; some sums exceed 1."""
    p = draw.probabilities(10, 5)
    label, others = 0.97 * p[:, 0], 1.03 * p[:, 1:]
    label[4:] = torch.tensor([0.45, 0.5, 1 - 1e-6, 0.0, 0.25, 0.4], dtype=F64)
    others[4:] = torch.tensor(
        [
            [0.38, 0.36, 0.1, 0.34],  # more than 1 - p_l together
            [0.05, 0.3, 0.45, 0.35],
            [2e-7, 1e-7, 5e-7, 3e-7],
            [0.4, 0.3, 0.2, 0.1],  # the label is never seen
            [0.25, 0.25, 0.25, 0.25],  # a tie of all five
            [0.4, 0.1, 0.05, 0.05],  # a tie for the first place
        ],
        dtype=F64,
    )
    places = draw.uniform(4).argsort()
    return label, others[:, places]


def _many(draw: Draw) -> Any:
    return args(*_ranked(draw), draw.choice([1, 2, 3, 4]), scale(draw))


def _one_image(draw: Draw) -> Any:
    """One image, two classes; halvings left out, or enough of them."""
    label, other = draw.uniform(1, low=0.5, high=0.9), draw.uniform(1, 1, low=0.01, high=0.4)
    return draw.choice([args(label, other, 1, scale(draw)), args(label, other, 1, scale(draw), halvings=50)])


def _like_cohen(f: Function, draw: Draw) -> None:
    p, sigma = draw.probabilities(8, 5), scale(draw)
    p[:4] = p[:4].sort(1).values[:, [4, 1, 0, 3, 2]]  # here the label leads
    expected = smoothing.certified_radius(p[:, 0], sigma, p[:, 1:].amax(1))
    agree(f(p[:, 0], p[:, 1:], 1, sigma), expected, rtol=RTOL, atol=ATOL)


def _grows_with_k(f: Function, draw: Draw) -> None:
    label, others = _ranked(draw)
    radii = torch.stack([f(label, others, k, 0.5) for k in (1, 2, 3, 4)])
    require(radii.diff(dim=0) >= -1e-6, expected="a radius that does not shrink when k grows: more places", got=radii)
    require(radii >= 0, expected="0 where the label is not certain to be among the k", got=radii)


def _few_halvings(f: Function, draw: Draw) -> None:
    label, others = _ranked(draw)
    sigma, k, steps = draw.number(0.02, 0.05), draw.choice([1, 2, 3]), draw.choice([6, 12])
    got, true = f(label, others, k, sigma, halvings=steps), smoothing.top_k_radius(label, others, k, sigma)
    width = 40 * sigma / 2**steps
    require(
        (got - true).abs() <= 1.1 * width,
        expected=f"a radius within 40 sigma / 2^{steps} = {width:.4g} of the root after {steps} halvings",
        got=f"{(got - true).abs().max():.4g} away",
    )


def _order(f: Function, draw: Draw) -> None:
    label, others = _ranked(draw)
    places = draw.uniform(4).argsort()
    agree(f(label, others[:, places], 2, 0.5), f(label, others, 2, 0.5), rtol=RTOL, atol=ATOL)


STRONGEST, SUMS = "p_others.topk(k).values", ".flip(1).cumsum(1)"
CAP, T, LEAST = ".minimum(1 - p_label[:, None])", "/ sigma) / t", "rivals.amin(1)"

top_k_radius = Exercise(
    "9.10",
    smoothing.top_k_radius,
    checks=(
        holds(
            "is Cohen's radius for k = 1",
            _like_cohen,
            dtype=F64,
            times=2,
            meaning="For k = 1 there is one rival, the strongest, and the equation gives the radius of Exercise 9.5.",
        ),
        holds(
            "does not shrink when k grows",
            _grows_with_k,
            dtype=F64,
            seconds=15,
            meaning="More places are easier to keep; and a radius is never below 0.",
        ),
        same(
            "solves the equation, or is 0",
            _many,
            dtype=F64,
            rtol=RTOL,
            atol=ATOL,
            times=4,
            seconds=15,
            meaning="Row by row the r at which left = right, the minimum taken over t = 1 ... k; 0 where left > right "
            "fails at r = 0 already.",
        ),
        same(
            "takes one image, two classes, and the default of halvings",
            _one_image,
            dtype=F64,
            rtol=RTOL,
            atol=ATOL,
            meaning="(1,) and (1, 1) with k = 1 give (1,): keep the axes apart.",
        ),
        holds(
            "comes within 40 sigma / 2^halvings",
            _few_halvings,
            dtype=F64,
            seconds=15,
            meaning="`halvings` says how often the interval [0, 40 sigma] is halved.",
        ),
        holds(
            "does not depend on the order of the other classes",
            _order,
            dtype=F64,
            meaning="p_others comes in any order: sort it, or take `topk`.",
        ),
    ),
    mistakes=(
        (
            "Always 0: where the label is sure to be among the k, the radius is positive.",
            {"return low": "return 0 * low"},
        ),
        (
            "The minimum with 1 - p_l is missing: upper bounds may add up to more than what the label leaves.",
            {CAP: ".clamp(max=1)"},
        ),
        (
            "That is t = 1 alone, the k-th rival: sound, but too small. Is each sum divided by its t? Otherwise no "
            "other t is ever the minimum.",
            {LEAST: "rivals[:, 0]"},
        ),
        (
            "That is t = k alone. The minimum runs over t = 1, ..., k, and S_t holds the t least probable of the k "
            "strongest rivals, not the t most probable.",
            {LEAST: "rivals[:, -1]"},
        ),
        (
            "That is the maximum over t. Each t alone is a proof that some rival stays below; the best of them counts: "
            "the minimum.",
            {LEAST: "rivals.amax(1)"},
        ),
        (
            "S_t is taken from the k strongest rivals, not from all: the t least probable classes never matter.",
            {STRONGEST + ".flip(1)": "p_others.sort(1).values[:, :k]"},
        ),
        (
            "The other classes come in any order: take the k largest, `p_others.topk(k, dim=1)`.",
            {STRONGEST: "p_others[:, :k]"},
        ),
        (
            "One rival too many: to push the label out of the first k, k others must pass it.",
            {STRONGEST + SUMS: "p_others.sort(1).values[:, -k - 1 :].cumsum(1)[:, :k]"},
        ),
        (
            "One rival too few: to push the label out of the first k, k others must pass it, the label not among them.",
            {STRONGEST: "p_others.topk(max(1, k - 1), dim=1).values", "k + 1": "max(1, k - 1) + 1"},
        ),
        ("p_{S_t} is the sum over S_t, not the probability of one class: `cumsum`.", {".cumsum(1)": ""}),
        (
            "Phi is divided by t, not its argument nor the sum: Phi(Phi^{-1}(p_{S_t}) + r / sigma) / t.",
            {"special.ndtri(sums)": "special.ndtri(sums / t)", T: "/ sigma)"},
        ),
        (
            "sigma is forgotten: the shift counts as r / sigma.",
            {"r[:, None] / sigma": "r[:, None]", "ours - r / sigma": "ours - r"},
        ),
        (
            "Both sides move: the label falls by r / sigma and the rivals rise by r / sigma.",
            {"theirs + r[:, None] / sigma": "theirs.expand(len(r), k)"},
        ),
        (
            "Below 0 in the rows that are lost at r = 0? The interval starts at 0: there the radius is 0.",
            {"zeros_like(p_label)": "full_like(p_label, -40 * sigma)"},
        ),
    ),
    hints=(
        "Write first a function of r that says, row by row, whether left > right; at r = 0 it can be seen whether the "
        "label is safe at all.",
        "`p_others.topk(k, dim=1).values` falls from left to right; `.flip(1).cumsum(1)` are the sums over S_1, ..., "
        "S_k. Then the minimum with 1 - p_l, `p_label[:, None]` for the axes.",
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
