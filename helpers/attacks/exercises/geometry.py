"""Exercises of Lecture 7 on distances: project_l2, project_l1, deepfool_step."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from helpers import attacks
from helpers.exercises import Check, Draw, Exercise, agree, args, holds, require, same

Function = Callable[..., Any]


def _column(values: Tensor, x: Tensor) -> Tensor:
    return values.reshape(-1, *[1] * (x.ndim - 1))


def _size(delta: Tensor, p: float) -> Tensor:
    return _column(torch.linalg.vector_norm(delta.flatten(1), p, dim=1), delta)


def _deltas(draw: Draw, p: float) -> Any:
    """Rows well outside, and rows inside the ball."""
    delta = draw.normal(6, *draw.choice([(1, 3, 4), (3, 2, 2)]))  # never flat: an image has one norm
    wanted = torch.tensor([0.3, 0.9, 1.5, 3.0, 0.6, 2.0], device=delta.device, dtype=delta.dtype)
    eps = draw.choice([0.5, 2.0, 1.5])
    return args(delta / _size(delta, p) * _column(eps * wanted, delta), eps)


def _closest(p: float) -> Function:
    def test(f: Function, draw: Draw) -> None:
        delta, eps = 2 * draw.normal(5, 9), draw.number(0.5, 2.0)
        inside = f(delta, eps)
        require((_size(inside, p) <= eps * (1 + 1e-4)).all(), expected=f"|delta|_{p} <= {eps:.3f}")
        rivals = draw.normal(400, 9)
        rivals = rivals / _size(rivals, p) * eps * draw.uniform(400, 1)
        angle = ((delta - inside)[:, None] * (rivals - inside[:, None])).sum(2)
        require((angle < 1e-3).all(), expected="no point of the ball is closer to delta", got=inside)

    return test


def _idempotent(f: Function, draw: Draw) -> None:
    delta = draw.normal(5, 2, 6)
    agree(f(f(delta, 1.2), 1.2), f(delta, 1.2))


def _projection(p: int) -> tuple[Check, ...]:
    """What makes f(delta, eps) the projection on the l_p ball."""
    return (
        same(f"is the closest point of the l_{p} ball", lambda draw: _deltas(draw, p)),
        holds("no other point of the ball is closer", _closest(p)),
        holds("projecting twice is projecting once", _idempotent),
    )


project_l2 = Exercise(
    "7.2",
    attacks.project_l2,
    checks=_projection(2),
    mistakes=(
        ("Points inside the ball are pushed out to the sphere.", lambda delta, eps: delta * eps / _size(delta, 2)),
        (
            "That is one norm for the whole batch: each row has its own.",
            lambda delta, eps: delta * min(1.0, float(eps / delta.norm())),
        ),
        ("That is the projection on the l_inf ball.", lambda delta, eps: delta.clamp(-eps, eps)),
        (
            "The square root is missing: the norm is the root of the sum of squares.",
            lambda delta, eps: delta * (eps / _size(delta, 2) ** 2).clamp(max=1),
        ),
        ("That is the l_1 norm.", lambda delta, eps: delta * (eps / _size(delta, 1)).clamp(max=1)),
        (
            "One norm for each last axis: an image has one norm, so flatten all but the first axis before.",
            lambda delta, eps: delta * (eps / delta.norm(dim=-1, keepdim=True)).clamp(max=1),
        ),
        (
            "Points outside end at length 1; they belong at length eps.",
            lambda delta, eps: torch.where(_size(delta, 2) > eps, delta / _size(delta, 2), delta),
        ),
        (
            "Inside and outside are exchanged: the factor is never larger than 1, `clamp(max=1)`.",
            lambda delta, eps: delta * (eps / _size(delta, 2)).clamp(min=1),
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


def _uniform_shrink(delta: Tensor, eps: float) -> Tensor:
    d = delta[0].numel()
    theta = ((_size(delta, 1) - eps) / d).clamp(min=0)
    return delta.sign() * (delta.abs() - theta).clamp(min=0)


def _sorted_threshold(
    delta: Tensor, eps: float, *, keep: bool = True, signed: bool = True, soft: bool = True, rho: str = "largest"
) -> Tensor:
    size = delta.abs().flatten(1)
    u = size.sort(dim=1, descending=True).values
    theta = (u.cumsum(1) - eps) / torch.arange(1, u.shape[1] + 1, device=u.device)
    count = (u > theta).sum(1, keepdim=True).clamp(min=1)
    place = {"largest": count - 1, "next": count.clamp(max=u.shape[1] - 1), "first": torch.zeros_like(count)}[rho]
    theta = theta.gather(1, place)
    theta = theta.clamp(min=0) if keep else theta
    out = ((size - theta).clamp(min=0) if soft else size * (size > theta)).view_as(delta)
    return delta.sign() * out if signed else out


project_l1 = Exercise(
    "7.3",
    attacks.project_l1,
    checks=_projection(1),
    mistakes=(
        (
            "Scaling ends in the ball, but not at its closest point: the closest one is sparse.",
            lambda delta, eps: delta * (eps / _size(delta, 1)).clamp(max=1),
        ),
        (
            "Points inside the ball have a negative threshold and are pushed out: theta must be at least 0.",
            lambda delta, eps: _sorted_threshold(delta, eps, keep=False),
        ),
        (
            "The signs are lost: shrink |delta_i|, then give the sign back.",
            lambda delta, eps: _sorted_threshold(delta, eps, signed=False),
        ),
        (
            "That spreads the excess over all entries; those that reach 0 stop, and the rest must shrink more: the "
            "threshold comes from the rho largest entries.",
            _uniform_shrink,
        ),
        ("That is the projection on the l_2 ball.", lambda delta, eps: delta * (eps / _size(delta, 2)).clamp(max=1)),
        (
            "The entries that stay must shrink too, by theta: |delta_i| - theta, not |delta_i|.",
            lambda delta, eps: _sorted_threshold(delta, eps, soft=False),
        ),
        (
            "theta is one place too far: rho counts from 1, an index from 0, so theta_rho is at place rho - 1.",
            lambda delta, eps: _sorted_threshold(delta, eps, rho="next"),
        ),
        (
            "That takes the first j with u_j > theta_j, which is always 1: rho is the last one.",
            lambda delta, eps: _sorted_threshold(delta, eps, rho="first"),
        ),
    ),
    hints=(
        "`u = |delta|.flatten(1).sort(descending=True)`, and u_1 + ... + u_j is a `cumsum`.",
        "rho is how many j have u_j > theta_j (they come first); theta by `gather` at rho - 1.",
        "Points inside: there theta is negative; clamp it at 0.",
    ),
    why="The sorted entries turn the unknown threshold into d candidates, of which exactly one is consistent with the "
    "number of entries it leaves positive. One sort for the batch, no loop.",
    minutes=15,
)


def _logits(draw: Draw) -> Any:
    shape = draw.choice([(8,), (1, 3, 4)])
    scale = draw.uniform(6, 5, 1, low=0.2, high=4.0)
    return args(
        draw.normal(6, 5), (draw.normal(6, 5, math.prod(shape)) * scale).view(6, 5, *shape), draw.integers(0, 5, 6)
    )


def _deepfool(
    power: int = 2, *, nearest: bool = True, differences: bool = True, sign: int = 1, scores: bool = True,
    others: bool = True, far: bool = False, absolute: bool = True,
) -> Any:  # fmt: skip
    def answer(logits, jacobian, y):  # type: ignore[no-untyped-def]
        rows, w = torch.arange(len(y), device=y.device), jacobian.flatten(2)
        f = (logits - logits[rows, y][:, None]) if scores else logits
        w = w - w[rows, y][:, None] if differences else w
        distance = f.abs() / (w.norm(dim=2) if nearest else 1)
        if others:
            distance[rows, y] = -math.inf if far else math.inf
        k = distance.argmax(1) if far else distance.argmin(1)
        step = (
            (f.abs() if absolute else f)[rows, k][:, None] / w[rows, k].norm(dim=1, keepdim=True) ** power * w[rows, k]
        )
        return sign * step.view_as(jacobian[:, 0])

    return answer


def _manhattan(logits, jacobian, y):  # type: ignore[no-untyped-def]
    rows, w = torch.arange(len(y), device=y.device), jacobian.flatten(2)
    f, w = (logits - logits[rows, y][:, None]).abs(), w - w[rows, y][:, None]
    distance = f / w.abs().sum(2)
    distance[rows, y] = math.inf
    k = distance.argmin(1)
    return (distance[rows, k][:, None] * w[rows, k].sign()).view_as(jacobian[:, 0])


def _reaches(f: Function, draw: Draw) -> None:
    W, b, x = draw.normal(4, 7), draw.normal(4), draw.normal(8, 7)
    z = x @ W.T + b
    y = z.argmax(1)
    after = (x + f(z, W.expand(8, 4, 7).clone(), y)) @ W.T + b
    two = after.topk(2, dim=1).values
    require(
        ((two[:, 0] - two[:, 1]).abs() < 1e-3).all(), expected="the two largest logits equal: on the boundary", got=two
    )
    agree(after.gather(1, y[:, None])[:, 0], two[:, 0], rtol=1e-3, atol=1e-3)


deepfool_step = Exercise(
    "7.4",
    attacks.deepfool_step,
    checks=(
        same("is |f_l| w_l / |w_l|^2 of the nearest boundary l", _logits, times=6),
        holds("ends exactly on the boundary of a linear classifier", _reaches),
    ),
    mistakes=(
        ("The norm must be squared: |f| / |w|_2 is the length, w / |w|_2 the direction.", _deepfool(1)),
        ("The nearest boundary has the smallest |f_k| / |w_k|_2, not the smallest |f_k|.", _deepfool(nearest=False)),
        ("The boundary between k and y has the normal w_k = grad z_k - grad z_y.", _deepfool(differences=False)),
        ("f_k is the difference z_k - z_y of logits.", _deepfool(scores=False)),
        ("That is the farthest of the boundaries; the region of y is left at the nearest.", _deepfool(far=True)),
        ("f_l may be negative: the length of the step is |f_l| / |w_l|_2.", _deepfool(absolute=False)),
        (
            "The class y itself is 0/0: take it out, by an infinite distance, before the argmin.",
            _deepfool(others=False),
        ),
        ("That is the closest boundary point in l_inf, |f| / |w|_1 in the signs of w; asked is l_2.", _manhattan),
        ("The step leads away from the boundary: z_k must rise against z_y.", _deepfool(sign=-1)),
    ),
    hints=(
        "Subtract the row of y from logits and jacobian: `logits[torch.arange(N), y]`.",
        "Distances (N, K) = |f| / |w|_2; put infinity in the column of y, then argmin.",
        "For the chosen l: |f_l| / |w_l|_2^2 * w_l, reshaped like an image.",
    ),
    why="Each boundary is a hyperplane; the foot of the perpendicular is the closest point, and the region of y is "
    "left where the first of them is met. The class y itself (0/0) is taken out by an infinite distance.",
    minutes=15,
)
