"""Exercise 7.11 of Lecture 7, find the flaw: the typical norm of an attack."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from helpers.attacks import report
from helpers.exercises import Draw, Exercise, args, holds, require, same

Function = Callable[..., Any]


def given(success: Tensor, norms: Tensor) -> Tensor:
    """What the lecture hands out."""
    return norms[success].median()


def _norms(draw: Draw) -> Any:
    """Odd and even numbers of images; exactly half found, all but one, all; a failure's norm is anything."""
    n = draw.choice([5, 8, 11, 6, 1])
    found = draw.choice([n, (n + 1) // 2, max(n - 1, (n + 1) // 2)])
    success = draw.uniform(n).argsort() < found
    norms = draw.uniform(n, low=0.2, high=5.0)
    return args(success, norms.where(success, norms * draw.choice([1.0, 0.0, 1e-3])))


def _too_few(draw: Draw) -> Any:
    n = draw.choice([5, 8])
    return args(draw.uniform(n).argsort() < draw.choice([0, (n - 1) // 2]), draw.uniform(n))


def _undefined(draw: Draw) -> Any:
    success = draw.uniform(9).argsort() < 6
    return args(success, draw.uniform(9, low=0.2, high=5.0).where(success, draw.choice([math.nan, math.inf])))


def _better_never_looks_worse(f: Function, draw: Draw) -> None:
    norms = draw.uniform(9, low=0.2, high=5.0).sort().values
    few, more = (torch.arange(9, device=norms.device) < k for k in (3, draw.integer(6, 9)))
    require(
        f(more, norms) <= f(few, norms) + 1e-6,
        expected="an attack that finds more, with the same norms, has no larger figure",
        got=f"{float(f(few, norms)):.3f} for the weaker, {float(f(more, norms)):.3f} for the stronger attack",
    )
    require(f(norms > 0, norms) == norms[4], expected=f"{float(norms[4]):.6g} where the attack finds everything")


CAUSE = "The flaw is who is counted: all N images are asked, and a failure is farther away than any radius."
MEDIAN, FAR = "norms.where(success, torch.inf).median()", "norms.where(success, torch.inf)"

median_norm = Exercise(
    "7.11",
    report.median_norm,
    given=given,
    checks=(
        holds(
            "a stronger attack never looks worse",
            _better_never_looks_worse,
            times=3,
            dtype=torch.float32,
            meaning=CAUSE,
        ),
        same("is the radius that holds half of the images, successes all", _norms, times=15, meaning=CAUSE),
        same("is infinite where fewer than half fall", _too_few, times=4, meaning=CAUSE),
        same("asks nothing of a failure's norm, NaN included", _undefined, times=4, meaning=CAUSE),
        same(
            "is one of the norms, to the last digit",
            _norms,
            times=4,
            dtype=torch.float64,
            rtol=1e-15,
            atol=0,
            meaning="The lower of the two in the middle is a norm that was measured: no average, no float32.",
        ),
    ),
    mistakes=(
        (
            "That is always infinite; it is finite where at least half of the images fall.",
            {MEDIAN: "norms.sum() * 0 + torch.inf"},
        ),
        (
            "A mean, and over the successes only: an attack looks better by giving up on hard images.",
            {MEDIAN: "norms[success].mean()"},
        ),
        (
            "That is the flaw itself: over the successes only, an attack looks better by giving up on hard images.",
            {MEDIAN: "norms.where(success, torch.nan).nanmedian()"},
        ),
        ("Failures count as 0, as if they were the closest of all; they are infinitely far.", {"torch.inf": "0"}),
        (
            "One failure makes the mean infinite; the question is which radius holds half of the images.",
            {".median()": ".mean()"},
        ),
        (
            "Of an even number, that is the upper of the two in the middle; asked is the lower.",
            {MEDIAN: f"{FAR}.sort().values[len(norms) // 2]"},
        ),
        (
            "`quantile` goes between the two in the middle, and infinity minus infinity is no number; take the lower.",
            {MEDIAN: f"{FAR}.quantile(0.5)"},
        ),
        (
            "Failures count as the largest norm met; they are infinitely far, however few there are.",
            {"torch.inf": "norms.max()"},
        ),
        ("`success` is ignored: the norm of a failure means nothing.", {".where(success, torch.inf)": ""}),
        ("Successes and failures are exchanged.", {"success, torch": "~success, torch"}),
        ("That is the least norm of all; asked is the radius that holds half of the images.", {".median()": ".min()"}),
    ),
    hints=(
        "What should the norm of a failure be, so that no new success ever raises the result?",
        "`norms.where(success, torch.inf)` replaces the failures; `.median()` takes the lower of two in the middle.",
    ),
    why="With failures at infinity the figure is monotone: no new success and no shorter perturbation "
    "ever raises it. The median stays finite as long as half of the images are fooled.",
)
