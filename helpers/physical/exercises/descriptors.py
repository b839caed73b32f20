"""Exercises 8.5 and 8.6 of Lecture 8: to be taken for another, or not to be known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from helpers.exercises import Draw, Exercise, agree, args, holds, raises, same
from helpers.physical import identity

Function = Callable[..., Any]


def _pairs(draw: Draw, *, unlike: bool = False) -> tuple[Tensor, Tensor]:
    """Rows of different lengths, alike and unlike."""
    n, d = draw.choice([(6, 4), (1, 8), (5, 2), (4, 3)])
    u, v = draw.normal(n, d), draw.normal(n, d)
    v = v + draw.choice([0.0, 2.0, -2.0]) * u
    return u * draw.uniform(n, 1, low=0.2, high=5.0), v * draw.choice([1.0, 7.0])


def _plain(draw: Draw) -> Any:
    return args(*_pairs(draw))


def _bounded(draw: Draw) -> Any:
    return args(*_pairs(draw), enough=draw.choice([0.3, -0.4, 0.9, 0.0, -0.9]))


def _extremes(wanted: float) -> Callable[[Function, Draw], None]:
    """0 where it is fully met, 2 at the other end, and 1 between."""

    def test(f: Function, draw: Draw) -> None:
        u = draw.normal(4, 5)
        turned = torch.stack([-u[:, 1], u[:, 0]], 1)
        one = torch.ones(4, dtype=u.dtype, device=u.device)
        agree(f(u, wanted * 3 * u), 0 * one, atol=1e-5)
        agree(f(u, -wanted * 2 * u), 2 * one, atol=1e-5)
        agree(f(u[:, :2].contiguous(), turned), one, atol=1e-5)

    return test


def _length_is_free(f: Function, draw: Draw) -> None:
    u, v = _pairs(draw)
    before = f(u, v, enough=0.2)
    agree(f(3 * u, 0.1 * v, enough=0.2), before, meaning=DIRECTION)


def _slope(reference: Function) -> Callable[[Function, Draw], None]:
    def test(f: Function, draw: Draw) -> None:
        u, v = _pairs(draw)
        enough = draw.choice([0.3, -0.3])
        got, due = (
            torch.autograd.grad(g(z, v, enough=enough).sum(), z)[0]
            for g in (f, reference)
            for z in [u.clone().requires_grad_()]
        )
        agree(got, due, rtol=1e-3, atol=1e-5)

    return test


def _out_of_range(draw: Draw) -> Any:
    return args(*_pairs(draw), enough=draw.choice([1.2, -1.1, float("nan")]))


DIRECTION = "A descriptor counts by its direction: the cosine is <u, v> / (|u| |v|), whatever the lengths."
NEAR = "max(0, enough - cos(u, v)), one number a row: 0 as soon as the photograph is near enough to the person wanted."
FAR = "max(0, cos(u, v) - enough), one number a row: 0 as soon as the photograph is far enough from its own person."
RANGE = "`enough` is a cosine: outside of [-1, 1] raise a ValueError."
CLIPPED = "It falls below 0: what is near or far enough earns nothing more, max(0, .)."
PLAIN = "That is the inner product: divide by both lengths."
ALL = "One number for each row, not one for the batch."
OTHER_WAY = "The sign is turned around: "

impersonation_loss = Exercise(
    "8.5",
    identity.impersonation_loss,
    checks=(
        holds("is 0 in the same direction, 1 across, 2 opposite", _extremes(1.0), times=2, meaning=NEAR),
        same("is 1 - cos unless told what is enough", _plain, times=6, meaning=NEAR),
        same("is max(0, enough - cos)", _bounded, times=10, meaning=NEAR),
        holds("does not see the lengths", _length_is_free, times=3, meaning=DIRECTION),
        holds("has the gradient of the formula", _slope(identity.impersonation_loss), times=6, meaning=NEAR),
        raises("refuses what is no cosine", _out_of_range, meaning=RANGE),
    ),
    mistakes=(
        (CLIPPED, {"F.relu(enough - cosine(u, v))": "enough - cosine(u, v)"}),
        (
            OTHER_WAY + "it must fall when the photograph comes nearer to v.",
            {"enough - cosine(u, v)": "cosine(u, v) - enough"},
        ),
        ("`enough` is ignored.", {"enough - cosine(u, v)": "1 - cosine(u, v)"}),
        (PLAIN, {"cosine(u, v)": "(u * v).sum(1)"}),
        (ALL, {"F.relu(enough - cosine(u, v))": "F.relu(enough - cosine(u, v)).mean()"}),
        ("That is the distance, which sees the lengths too.", {"F.relu(enough - cosine(u, v))": "(u - v).norm(dim=1)"}),
        (RANGE, {"_check_enough(enough)": "pass"}),
        ("The loss is not squared.", {"F.relu(enough - cosine(u, v))": "F.relu(enough - cosine(u, v)).square()"}),
        (
            "Divided by one length only: both descriptors may be of any length.",
            {"cosine(u, v)": "(u * v).sum(1) / u.norm(dim=1)"},
        ),
    ),
    hints=(
        "`physical.cosine(u, v)` or `F.cosine_similarity(u, v)` gives one cosine for each row.",
        "The attacker wants cos >= enough: what is missing is enough - cos, and never less than 0.",
        "`torch.relu(z)` or `z.clamp(min=0)` is max(0, z).",
    ),
    why="The system says yes above its threshold, not at cosine 1: from there on other photographs need the gradient. "
    "Without the hinge the attack polishes what has already succeeded.",
    minutes=5,
    differentiable=True,
)

dodging_loss = Exercise(
    "8.6",
    identity.dodging_loss,
    checks=(
        holds("is 0 in the opposite direction, 1 across, 2 in the same", _extremes(-1.0), times=2, meaning=FAR),
        same("is 1 + cos unless told what is enough", _plain, times=6, meaning=FAR),
        same("is max(0, cos - enough)", _bounded, times=10, meaning=FAR),
        holds("does not see the lengths", _length_is_free, times=3, meaning=DIRECTION),
        holds("has the gradient of the formula", _slope(identity.dodging_loss), times=6, meaning=FAR),
        raises("refuses what is no cosine", _out_of_range, meaning=RANGE),
    ),
    mistakes=(
        (CLIPPED, {"F.relu(cosine(u, v) - enough)": "cosine(u, v) - enough"}),
        (
            OTHER_WAY + "it must fall when the photograph moves away from v.",
            {"cosine(u, v) - enough": "enough - cosine(u, v)"},
        ),
        ("`enough` is ignored.", {"cosine(u, v) - enough": "cosine(u, v) + 1"}),
        (PLAIN, {"cosine(u, v)": "(u * v).sum(1)"}),
        (ALL, {"F.relu(cosine(u, v) - enough)": "F.relu(cosine(u, v) - enough).mean()"}),
        ("The absolute value: opposite is far, too, not near.", {"cosine(u, v)": "cosine(u, v).abs()"}),
        (RANGE, {"_check_enough(enough)": "pass"}),
        ("The loss is not squared.", {"F.relu(cosine(u, v) - enough)": "F.relu(cosine(u, v) - enough).square()"}),
        (
            "Divided by one length only: both descriptors may be of any length.",
            {"cosine(u, v)": "(u * v).sum(1) / u.norm(dim=1)"},
        ),
    ),
    hints=(
        "It is the impersonation loss turned around: here v is the person's own template.",
        "The attacker wants cos <= enough: what is too much is cos - enough, and never less than 0.",
    ),
    why="Not to be known takes a cosine below the threshold, in any direction; to be taken for someone takes one above "
    "it, in a single direction. With as many steps the first is the easier of the two.",
    minutes=5,
    differentiable=True,
)
