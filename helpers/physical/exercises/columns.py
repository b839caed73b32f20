"""Exercise 8.11 of Lecture 8: a vote that no patch turns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from helpers.exercises import Draw, Exercise, agree, args, holds, same
from helpers.physical import columns

Function = Callable[..., Any]


def _votes(draw: Draw) -> Any:
    """Leads around 2 (m + s - 1), ties at the top and below it, the winner first or last."""
    n, K, m, s = 12, draw.choice([2, 3, 10]), draw.integer(1, 6), draw.integer(1, 5)
    votes = draw.integers(0, 3, n, K)
    leads = torch.tensor([-2, -1, 0, 1, 2, 3], device=votes.device).repeat(2) + 2 * (m + s - 1)
    leads[draw.choice([0, 5, 7])] = 0
    winner = draw.integers(0, K, n)
    others = votes.scatter(1, winner[:, None], -1).amax(1)
    return args(votes.scatter(1, winner[:, None], (others + leads)[:, None]), patch=m, band=s)


def _attacked(f: Function, draw: Draw) -> None:
    """The lead of 2 D + 1 is the first that D turned votes cannot turn; D = m + s - 1, counted on a ring."""
    W, m, s = 28, draw.integer(1, 6), draw.integer(1, 5)
    D = int(columns.touched(W, m, s)[0].sum())
    for lead, due in ((2 * D, False), (2 * D + 1, True)):
        votes = torch.tensor([[0, lead + 1, 1], [lead, 0, 0]], device=draw.device)
        found = f(votes, patch=m, band=s)
        agree(found.certified, torch.tensor([due, due], device=draw.device))
        agree(found.prediction, torch.tensor([1, 0], device=draw.device))


RULE = (
    "A has most votes, B most of the others; certified where n_A - n_B > 2 (m + s - 1): a band that sees the patch may "
)
RULE += "leave A and go to B, and m + s - 1 bands see it."

column_smoothing_certificate = Exercise(
    "8.11",
    columns.column_smoothing_certificate,
    checks=(
        same("certifies a lead above twice the bands touched", _votes, times=18, meaning=RULE),
        holds("the lead 2 (m + s - 1) is not enough, one more is", _attacked, times=6, meaning=RULE),
    ),
    mistakes=(
        ("A tie is no win: > and not >=.", {"most[:, 1] > 2": "most[:, 1] >= 2"}),
        (
            "A band that turns takes one vote from A and gives one to B: 2 for each band.",
            {"> 2 * (patch + band - 1)": "> (patch + band - 1)"},
        ),
        ("A patch of m columns is seen by m + s - 1 bands, not by m.", {"(patch + band - 1)": "patch"}),
        ("A patch of m columns is seen by m + s - 1 bands, not by s.", {"(patch + band - 1)": "band"}),
        (
            "m + s - 1: the band that begins at j and the one that ends there are counted already.",
            {"(patch + band - 1)": "(patch + band)"},
        ),
        (
            "m + s - 1 bands, no fewer: a patch of one column is seen by s of them.",
            {"(patch + band - 1)": "(patch + band - 2)"},
        ),
        (
            "A's votes against all others together: B is the best of them.",
            {"most[:, 0] - most[:, 1]": "2 * most[:, 0] - votes.sum(1)"},
        ),
        ("The lead counts, not A's votes alone.", {"most[:, 0] - most[:, 1]": "most[:, 0]"}),
        (
            "That is the lead over the worst class; B is the second best.",
            {"most[:, 0] - most[:, 1]": "most[:, 0] - votes.amin(1)"},
        ),
        ("The prediction is the class, not its votes.", {"votes.argmax(1)": "most[:, 0]"}),
        ("Of equal classes the smallest wins.", {"votes.argmax(1)": "votes.shape[1] - 1 - votes.flip(1).argmax(1)"}),
    ),
    hints=(
        "`votes.topk(2, dim=1).values` are n_A and n_B.",
        "Bands that see a patch on columns j, ..., j + m - 1 begin at j - s + 1, ..., j + m - 1. How many is that?",
        "`return Certified(votes.argmax(1), lead > ...)`.",
    ),
    why="Nothing is assumed of the network, nor of the patch: whatever a band shows it has one say. The price is "
    "a vote of networks that each see a few columns.",
)
