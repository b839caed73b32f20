"""Exercises 7.2 and 7.3 of Lecture 7: project_l2, project_l1."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from helpers import attacks
from helpers.attacks.projections import norm, spread
from helpers.exercises import Check, Draw, Exercise, agree, args, holds, require, same

Function = Callable[..., Any]


def _deltas(draw: Draw, p: float) -> Any:
    """Images, never flat: inside the ball, outside, on the sphere, sparse, all equal, all zero."""
    delta = draw.normal(9, *draw.choice([(1, 3, 4), (3, 2, 2), (2, 6)]))
    wanted = torch.tensor([0.3, 0.9, 1.5, 3.0, 0.6, 20.0, 1.0, 4.0, 1.0], device=delta.device, dtype=delta.dtype)
    delta.flatten(1)[6, 1:], delta.flatten(1)[3, 2:] = 0, 0
    delta[7] = 1
    eps = draw.choice([0.5, 2.0, 1.5])
    delta = delta / spread(norm(delta, p), delta) * spread(eps * wanted, delta)
    delta[8] = 0
    return args(delta, eps)


def _closest(p: float) -> Function:
    def test(f: Function, draw: Draw) -> None:
        delta, eps = 2 * draw.normal(5, 9), draw.number(0.5, 2.0)
        inside = f(delta, eps)
        require((norm(inside, p) <= eps * (1 + 1e-4)).all(), expected=f"|delta|_{p} <= {eps:.3f}")
        rivals = draw.normal(400, 9)
        rivals = rivals / spread(norm(rivals, p), rivals) * eps * draw.uniform(400, 1)
        angle = ((delta - inside)[:, None] * (rivals - inside[:, None])).sum(2)
        require((angle < 1e-3).all(), expected="no point of the ball is closer to delta", got=inside)

    return test


def _idempotent(f: Function, draw: Draw) -> None:
    delta = draw.normal(5, 2, 6)
    agree(f(f(delta, 1.2), 1.2), f(delta, 1.2))


def _kept(f: Function, draw: Draw) -> None:
    delta = draw.uniform(5, 2, 6, low=-0.08, high=0.08)
    require(f(delta, 1.0) == delta, expected="points inside the ball, to the last bit as they were")


def _projection(p: int, meaning: str) -> tuple[Check, ...]:
    """What makes f(delta, eps) the projection on the l_p ball."""
    inside = "A point inside the ball is its own closest point: change only what is outside."
    return (
        same(f"is the closest point of the l_{p} ball", lambda draw: _deltas(draw, p), rtol=1e-6, meaning=meaning),
        holds("no other point of the ball is closer", _closest(p), meaning=meaning),
        holds("points inside stay exactly where they are", _kept, meaning=inside),
        holds("projecting twice is projecting once", _idempotent, meaning=inside),
    )


ROW = "One norm for each last axis: an image has one norm, so flatten all but the first axis before."
RETURN = "torch.where(length > eps, delta * (eps / length), delta)"
LENGTH = "spread(norm(delta, 2), delta)"

project_l2 = Exercise(
    "7.2",
    attacks.project_l2,
    checks=_projection(2, "Outside, delta * eps / |delta|_2, with one norm for each image; inside, delta."),
    mistakes=(
        ("Points inside the ball are pushed out to the sphere.", {RETURN: "delta * (eps / length)"}),
        ("That is one norm for the whole batch: each row has its own.", {LENGTH: "delta.norm()"}),
        (ROW, {LENGTH: "delta.norm(dim=-1, keepdim=True)"}),
        (
            "One norm for each channel: an image has one norm, so flatten all but the first axis before.",
            {LENGTH: "delta.norm(dim=tuple(range(1, delta.ndim))[-2:], keepdim=True)"},
        ),
        (
            "One norm for each pixel, over the batch: the first axis counts the images, flatten the others.",
            {LENGTH: "delta.norm(dim=0, keepdim=True)"},
        ),
        (
            "One norm for each pixel, over the channels: an image has one norm; flatten all but the first axis.",
            {LENGTH: "delta.norm(dim=1, keepdim=True)"},
        ),
        ("That is the projection on the l_inf ball.", {RETURN: "delta.clamp(-eps, eps)"}),
        (
            "The square root is missing: the norm is the root of the sum of squares.",
            {"norm(delta, 2)": "norm(delta, 2) ** 2"},
        ),
        ("That is the l_1 norm.", {"norm(delta, 2)": "norm(delta, 1)"}),
        ("Points outside end at length 1; they belong at length eps.", {"(eps / length)": "(1 / length)"}),
        (
            "Inside and outside are exchanged: the factor is never larger than 1, `clamp(max=1)`.",
            {"length > eps": "length < eps"},
        ),
        (
            "Points outside are moved to 0; the closest point lies on the sphere.",
            {"delta * (eps / length)": "0 * delta"},
        ),
    ),
    hints=(
        "The norm of each row: `delta.flatten(1).norm(dim=1)`, shape (N,); reshape it to (N, 1, ..., 1).",
        "Scale by min(1, eps / norm). What happens for delta = 0?",
    ),
    why="Outside the ball the closest point lies on the ray to the centre. torch.where keeps points inside to the "
    "last bit, and never divides zero by zero for them in the result.",
    minutes=5,
)

SHRUNK = "return delta.sign() * (size - theta).clamp(min=0).view_as(delta)"

project_l1 = Exercise(
    "7.3",
    attacks.project_l1,
    checks=_projection(
        1, "sign(delta_i) max(|delta_i| - theta, 0): theta from the sorted |delta_i| of each image, at least 0."
    ),
    mistakes=(
        (
            "Scaling ends in the ball, but not at its closest point: the closest one is sparse.",
            {SHRUNK: "return (delta.flatten(1) * (eps / size.sum(1, keepdim=True)).clamp(max=1)).view_as(delta)"},
        ),
        (
            "Points inside the ball have a negative threshold and are pushed out: theta must be at least 0.",
            {"theta.gather(1, rho - 1).clamp(min=0)": "theta.gather(1, rho - 1)"},
        ),
        ("The signs are lost: shrink |delta_i|, then give the sign back.", {"delta.sign() * ": ""}),
        (
            "That spreads the excess over all entries; those that reach 0 stop, and the rest must shrink more: the "
            "threshold comes from the rho largest entries. (Sorted upwards, u gives rho = d.)",
            {"theta.gather(1, rho - 1)": "((size.sum(1, keepdim=True) - eps) / size.shape[1])"},
        ),
        (
            "That is the projection on the l_2 ball.",
            {SHRUNK: "return (delta.flatten(1) * (eps / size.norm(dim=1)[:, None]).clamp(max=1)).view_as(delta)"},
        ),
        ("That is the projection on the l_inf ball.", {SHRUNK: "return delta.clamp(-float(eps[0]), float(eps[0]))"}),
        (
            "The entries that stay must shrink too, by theta: |delta_i| - theta, not |delta_i|.",
            {"(size - theta).clamp(min=0)": "(size * (size > theta))"},
        ),
        (
            "theta is one place too far: rho counts from 1, an index from 0, so theta_rho is at place rho - 1.",
            {"rho - 1": "rho.clamp(max=u.shape[1] - 1)"},
        ),
        (
            "That takes the first j with u_j > theta_j, which is always 1: rho is the last one.",
            {"rho - 1": "0 * rho"},
        ),
        (
            "theta_j divides by j, which counts from 1, not from 0.",
            {"arange(1, u.shape[1] + 1": "arange(0, u.shape[1]"},
        ),
        (
            "theta_j is (u_1 + ... + u_j - eps) / j: the division comes last.",
            {"(u.cumsum(1) - eps) / torch": "u.cumsum(1) - eps / torch"},
        ),
        (
            "One threshold for each last axis: an image has one, so flatten all but the first axis before.",
            {"delta.abs().flatten(1)": "delta.abs().flatten(0, -2)", "per_image(eps, delta).reshape(-1, 1)": "eps"},
        ),
        (
            "One threshold for the whole batch: each image has its own.",
            {"delta.abs().flatten(1)": "delta.abs().reshape(1, -1)", "per_image(eps, delta).reshape(-1, 1)": "eps"},
        ),
    ),
    hints=(
        "`u = delta.abs().flatten(1).sort(dim=1, descending=True).values`, and u_1 + ... + u_j is a `cumsum`.",
        "rho is how many j have u_j > theta_j (they come first); theta by `gather` at rho - 1.",
        "Points inside: there theta is negative; clamp it at 0.",
    ),
    why="The sorted entries turn the unknown threshold into d candidates, of which exactly one is consistent with the "
    "number of entries it leaves positive. One sort for the batch, no loop.",
    minutes=15,
)
