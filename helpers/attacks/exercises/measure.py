"""Exercise 7.11 of Lecture 7, find the flaw: the typical norm of an attack."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from helpers.attacks import report
from helpers.exercises import Draw, Exercise, args, holds, require, same

Function = Callable[..., Any]


def _norms(draw: Draw) -> Any:
    n = draw.choice([5, 8, 11, 6])
    success = draw.uniform(n) < draw.choice([0.7, 0.9])
    success[: n // 2 + 1] = True
    order = draw.uniform(n).argsort()
    return args(success[order], draw.uniform(n, low=0.2, high=5.0))


def _better_never_looks_worse(f: Function, draw: Draw) -> None:
    norms = draw.uniform(9, low=0.2, high=5.0).sort().values
    few, more = (torch.arange(9, device=norms.device) < k for k in (5, draw.integer(6, 9)))
    require(
        f(more, norms) <= f(few, norms) + 1e-6,
        expected="an attack that finds more, with the same norms, has no larger figure",
        got=f"{float(f(few, norms)):.3f} for the weaker, {float(f(more, norms)):.3f} for the stronger attack",
    )
    require(f(norms < 0, norms) == math.inf, expected="infinite when nothing was found")


def _flawed(success, norms):  # type: ignore[no-untyped-def]
    return norms[success].mean()


median_norm = Exercise(
    "7.11",
    report.median_norm,
    checks=(
        holds("a stronger attack never looks worse; no success is infinitely far", _better_never_looks_worse),
        same("is the (lower) median with failures at infinity", _norms, times=8),
    ),
    mistakes=(
        ("That is the flaw itself: the mean over successes rewards attacks that give up on hard images.", _flawed),
        (
            "A median, but still over the successes only: the failures must count as infinitely far.",
            lambda success, norms: norms[success].median(),
        ),
        (
            "Failures count as 0, as if they were the closest of all; they are infinitely far.",
            lambda success, norms: norms.where(success, 0).median(),
        ),
        (
            "One failure makes the mean infinite; the median says what half of the images cost.",
            lambda success, norms: norms.where(success, torch.inf).mean(),
        ),
        (
            "Of an even number, that is the upper of the two in the middle; asked is the lower.",
            lambda success, norms: norms.where(success, torch.inf).sort().values[len(norms) // 2],
        ),
        (
            "`quantile` goes between the two in the middle, and infinity minus infinity is no number; take the lower.",
            lambda success, norms: norms.where(success, torch.inf).quantile(0.5),
        ),
        (
            "Failures count as the largest norm met; they are infinitely far, however few there are.",
            lambda success, norms: norms.where(success, norms.max()).median(),
        ),
        ("`success` is ignored: the norm of a failure means nothing.", lambda success, norms: norms.median()),
    ),
    hints=(
        "What should the norm of a failure be, so that a new success can only lower the result?",
        "`norms.where(success, torch.inf)` replaces the failures; `.median()` takes the lower of two in the middle.",
    ),
    why="With failures at infinity the figure is monotone: every new success, and every shorter perturbation, can only "
    "lower it. The median stays finite as long as half of the images are fooled.",
)
