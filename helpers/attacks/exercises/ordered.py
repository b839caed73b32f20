"""Exercise 7.10 of Lecture 7: top_k_success."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from helpers import attacks
from helpers.exercises import Draw, Exercise, args, holds, same

Function = Callable[..., Any]


def _leading(draw: Draw, k: int, rows: int = 4) -> tuple[Any, Any]:
    """Logits (rows, 6) with gaps of at least 0.1, and their first k labels in order."""
    values = (0.1 + draw.uniform(rows, 6)).cumsum(1)
    z = values.gather(1, draw.uniform(rows, 6).argsort(1))
    return z, z.argsort(1, descending=True)


def _ranked(draw: Draw) -> Any:
    """The targets lead; reversed; one missing; shifted; the last; another first; tied outside; tied inside."""
    k = draw.choice([2, 3, 1, 5])
    cases = [_leading(draw, k) for _ in range(8)]
    targets = [order[:, :k].clone() for _, order in cases]
    targets[1] = targets[1].flip(1)
    targets[2][:, -1] = cases[2][1][:, k]
    targets[3] = cases[3][1][:, 1 : k + 1]
    targets[4] = cases[4][1].flip(1)[:, :k]
    targets[5][:, 0] = cases[5][1][:, k]
    logits = [z.clone() for z, _ in cases]
    for case, place in ((6, k), (7, min(1, k - 1))):  # the label at that place is raised to the one before it
        z, order = cases[case]
        before = z.gather(1, order[:, max(place - 1, 0), None])
        logits[case] = z.scatter(1, order[:, place, None], before)
    return torch.cat(logits), torch.cat(targets)


def _close(draw: Draw) -> Any:
    """Logits that differ in the last digits: single precision would see a tie, or another order."""
    z = torch.tensor(
        [[1.0, 1 - 1e-12, 0.0], [1.0, 1 + 1e-12, 0.0], [1.0, 1.0, 0.0]], dtype=draw.dtype, device=draw.device
    )
    return z, torch.tensor([[0, 1]] * 3, device=draw.device)


def _negative(draw: Draw) -> Any:
    logits, targets = _ranked(draw)
    return args(logits - 50, targets)


FALL = "(ranked[:, :-1] > ranked[:, 1:]).all(1)"
REST = "ranked = torch.cat([chosen, others], 1)"
TOP = "logits.topk(targets.shape[1], dim=1).indices"
MEANING = "z_t1 > z_t2 > ... > z_tk > every other logit: k strict inequalities for each row, and all of them must hold."

top_k_success = Exercise(
    "7.10",
    attacks.top_k_success,
    checks=(
        same("is: z_t1 > ... > z_tk > every other logit", _ranked, times=8, meaning=MEANING),
        same("the same where all logits are negative", _negative, times=4, meaning=MEANING),
        same("in float64 to the last digit", _close, dtype=torch.float64, meaning=MEANING),
        holds(
            "a shift of all logits changes nothing",
            lambda f, draw: (lambda z, t: f(z + 8.0, t) == f(z, t))(*_ranked(draw)),
            meaning="Only differences of logits count.",
        ),
    ),
    mistakes=(
        ("That is never true; where the targets lead, in order and without a tie, it is.", {FALL: f"{FALL} & False"}),
        ("That is always true; it is not where another order, another label or a tie leads.", {FALL: f"{FALL} | True"}),
        (
            "That is one answer for the whole batch; each row has its own.",
            {FALL: "(ranked[:, :-1] > ranked[:, 1:]).all()"},
        ),
        (
            "That asks for the set of labels only; their order counts.",
            {REST: "ranked = torch.cat([chosen.amin(1, keepdim=True), others], 1)"},
        ),
        (
            "The last target must beat all others as well, not only the first.",
            {FALL: "(chosen[:, :-1] > chosen[:, 1:]).all(1) & (chosen[:, 0] > others[:, 0])"},
        ),
        ("A tie is no success: the inequalities are strict.", {":-1] > ranked": ":-1] >= ranked"}),
        ("One inequality is not enough: all of them must hold.", {").all(1)": ").any(1)"}),
        (
            "The labels are sorted from the smallest logit up; the largest leads.",
            {FALL: "(logits.argsort(1)[:, :targets.shape[1]] == targets).all(1)"},
        ),
        (
            "`topk` breaks ties by chance: compare the logits themselves, strictly.",
            {FALL: f"({TOP} == targets).all(1)"},
        ),
        (
            "`argsort` breaks ties by chance: compare the logits themselves, strictly.",
            {FALL: "(logits.argsort(1, descending=True)[:, :targets.shape[1]] == targets).all(1)"},
        ),
        (
            "One target in its place is not enough: all of them must lead.",
            {FALL: f"({TOP} == targets).any(1)"},
        ),
        (
            "The first target shall have the largest logit, so they fall from left to right.",
            {FALL: "(chosen[:, :-1] < chosen[:, 1:]).all(1) & (chosen[:, 0] > others[:, 0])"},
        ),
        ("The targets are in order, but must also beat every other logit.", {REST: "ranked = chosen"}),
        ("The first target alone is looked at.", {FALL: "logits.argmax(1) == targets[:, 0]"}),
        (
            "The targets are taken out by 0 instead of -inf: where the others are negative, 0 is the largest.",
            {"targets, -math.inf": "targets, 0"},
        ),
    ),
    hints=(
        "`logits.gather(1, targets)` are the targets' logits in the order wanted: each must be larger than the next.",
        "The largest other logit: set the targets to -inf by `scatter`, then `amax(1)`. Ties are no success, so "
        "`topk`'s order of equal values must not decide.",
    ),
    why="k strict inequalities, side by side: the targets' logits with the largest other one behind them must fall "
    "strictly. Comparing topk's indices would count ties by chance.",
)
