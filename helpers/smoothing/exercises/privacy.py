"""Exercise 9.11: the certificate from differential privacy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from helpers import smoothing
from helpers.exercises import Draw, Exercise, agree, args, holds, require, same
from helpers.smoothing.exercises.gaussian import F64, scale

Function = Callable[..., Any]


def _pairs(draw: Draw) -> Any:
    """A sure pair, where beta is capped at 1; close ones; a tie; one that is lost."""
    top = draw.uniform(10, low=0.4, high=0.99)
    other = (1 - top) * draw.uniform(10, low=0.3, high=1.0)
    top[:6] = torch.tensor([0.99, 0.9, 0.45, 0.9999, 0.4, 0.51])
    other[:6] = torch.tensor([0.0005, 0.1, 0.5, 1e-6, 0.4, 0.49])
    return args(top, other, scale(draw))


def _grid(draw: Draw) -> Any:
    top, other, sigma = _pairs(draw).positional
    return args(top[:4], other[:4], sigma, points=draw.choice([1, 2, 5, 40]))


def _below_cohen(f: Function, draw: Draw) -> None:
    top, other, sigma = _pairs(draw).positional
    radius = f(top, other, sigma)
    cohen = smoothing.certified_radius(top, sigma, other)
    require(radius <= cohen + 1e-9, expected="at most Cohen's radius, which is tight", got=radius)
    require((radius >= 0) & ((radius > 0) == (top > other)), expected="positive where p_A > p_B, else 0", got=radius)


def _in_proportion(f: Function, draw: Draw) -> None:
    top, other, sigma = _pairs(draw).positional
    agree(f(top, other, 2 * sigma), 2 * f(top, other, sigma), rtol=1e-9, atol=1e-12)


BEST, DELTA = "private.amax(-1)", "1.25 * (1 + beta.exp())"

lecuyer_radius = Exercise(
    "9.11",
    smoothing.lecuyer_radius,
    checks=(
        same(
            "is the largest over the grid of beta",
            _pairs,
            dtype=F64,
            rtol=1e-9,
            atol=1e-12,
            times=2,
            meaning="beta = (j - 1/2) / points * min(1, ln(p_A / p_B) / 2) for j = 1 ... points, row by row; the "
            "formula at each; the largest.",
        ),
        same(
            "takes as many beta as `points` says",
            _grid,
            dtype=F64,
            rtol=1e-9,
            atol=1e-12,
            meaning="`points` values of beta, at (j - 1/2) / points of the way to the limit: with points = 1 it is "
            "half-way.",
        ),
        holds(
            "goes with sigma",
            _in_proportion,
            dtype=F64,
            meaning="A radius is a length: it goes with sigma.",
        ),
        holds(
            "is at most Cohen's radius, and positive where that is",
            _below_cohen,
            dtype=F64,
            times=2,
            meaning="Cohen's radius is tight, so a larger one cannot be a certificate; where p_A > p_B a small beta "
            "always certifies something, and where p_A <= p_B the radius is 0, not NaN.",
        ),
    ),
    mistakes=(
        ("Always 0: where p_A > p_B every beta of the grid certifies something.", {BEST: "0 * limit"}),
        ("The Gaussian mechanism is private only for beta <= 1: the cap is missing.", {".clamp(max=1)": ""}),
        (
            "e^{2 beta}: A may fall by e^beta and B rise by e^beta, both at once.",
            {"0.5 * ": "", "(2 * beta)": "beta"},
        ),
        (
            "e^{2 beta} in the formula: A may fall by e^beta and B rise by e^beta, both at once.",
            {"(2 * beta)": "beta"},
        ),
        (
            "Where beta runs beyond ln(p_A / p_B) / 2 nothing is left for delta, and the logarithm is NaN: the limit "
            "is min(1, ln(p_A / p_B) / 2), row by row.",
            {"0.5 * ": ""},
        ),
        (
            "One grid on (0, 1) for all rows is sound, but coarse where the limit is small: beta = (j - 1/2) / points "
            "times the limit of each row.",
            {"limit[..., None] * (torch": "(torch", "/ room)": "/ room.clamp(min=0))"},
        ),
        ("The 1.25 of the Gaussian mechanism is missing in the logarithm.", {"1.25 * ": ""}),
        (
            "delta is spent once for A and e^beta times for B: delta = (p_A - e^{2 beta} p_B) / (1 + e^beta).",
            {DELTA: "1.25"},
        ),
        ("The 2 under the root is missing: sqrt(2 ln(1.25 / delta)).", {"(2 * (1.25": "((1.25"}),
        ("ln is the natural logarithm, `torch.log`.", {"room).log()": "room).log10()"}),
        ("The root is missing: sqrt(2 ln(1.25 / delta)).", {".sqrt()": ""}),
        (
            "That takes the largest beta, where hardly anything is left for delta: search over beta.",
            {BEST: "private[..., -1]"},
        ),
        (
            "That is the smallest over beta; every beta is a certificate, so the largest counts.",
            {BEST: "private.amin(-1)"},
        ),
        (
            "That is the mean over beta; every beta is a certificate, so the largest counts.",
            {BEST: "private.mean(-1)"},
        ),
        (
            "That is one beta; every beta is a certificate, so search for the largest radius.",
            {BEST: "private[..., points // 2]"},
        ),
        (
            "That is the largest of all rows; each image has a radius of its own.",
            {BEST: "private.nan_to_num(0).amax().expand_as(limit)"},
        ),
        ("The grid has (j - 1/2) / points: with j / points the last beta leaves nothing for delta.", {" - 0.5": ""}),
        (
            "`points` is not used: its default is 1000, but another may be asked for.",
            {"arange(1, points": "arange(1, 1000", "/ points": "/ 1000"},
        ),
        ("sigma is forgotten: the radius is in units of sigma.", {"sigma * beta": "beta"}),
        ("Where p_A <= p_B nothing is certified: 0, not NaN.", {f"torch.where(p_a > p_b, {BEST}, 0.0)": BEST}),
    ),
    hints=(
        "Solve for delta' what privacy must leave: delta' = (p_A - e^{2 beta} p_B) / (1 + e^beta) > 0. Then solve "
        "sigma = r sqrt(2 ln(1.25 / delta')) / beta for r. For one beta that is a certificate.",
        "All rows and all beta at once: (N, 1) times (points,) is (N, points), with p_A and p_B as `p_a[:, None]`; "
        "then `amax(1)`.",
        "`limit = (p_a / p_b).log().div(2).clamp(max=1)`, `beta = limit[:, None] * (torch.arange(1, points + 1) - "
        "0.5) / points`; `torch.where(p_a > p_b, ..., 0.0)` ends it.",
    ),
    why="Privacy bounds how much any one input can change the law of the output: the same statement as robustness, "
    "for every event and not only for one class, and so a weaker one here. On the same votes Cohen's radius is "
    "several times as large.",
    minutes=15,
)
