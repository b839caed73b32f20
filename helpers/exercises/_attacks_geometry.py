"""Exercises of Lecture 7 on distances: project_l2, project_l1, deepfool_step, median_norm."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from helpers import attacks
from helpers.adversarial import report
from helpers.exercises import Draw, Exercise, agree, args, holds, require, same

Function = Callable[..., Any]


def _column(values: Tensor, x: Tensor) -> Tensor:
    return values.reshape(-1, *[1] * (x.ndim - 1))


def _size(delta: Tensor, p: float) -> Tensor:
    return _column(torch.linalg.vector_norm(delta.flatten(1), p, dim=1), delta)


def _deltas(draw: Draw, p: float) -> Any:
    """Rows well outside, and rows inside the ball."""
    delta = draw.normal(6, *draw.choice([(7,), (1, 3, 4), (3, 2, 2)]))
    wanted = torch.tensor([0.3, 0.9, 1.5, 3.0, 0.6, 2.0], device=delta.device, dtype=delta.dtype)
    return args(delta / _size(delta, p) * _column(wanted, delta), 1.0)


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


project_l2 = Exercise(
    "7.2",
    attacks.project_l2,
    checks=(
        same("is the closest point of the l_2 ball", lambda draw: _deltas(draw, 2)),
        holds("no other point of the ball is closer", _closest(2)),
        holds("projecting twice is projecting once", _idempotent),
    ),
    mistakes=(
        (lambda delta, eps: delta * eps / _size(delta, 2), "Points inside the ball are pushed out to the sphere."),
        (
            lambda delta, eps: delta * min(1.0, float(eps / delta.norm())),
            "That is one norm for the whole batch: each row has its own.",
        ),
        (lambda delta, eps: delta.clamp(-eps, eps), "That is the projection on the l_inf ball."),
        (
            lambda delta, eps: delta * (eps / _size(delta, 2) ** 2).clamp(max=1),
            "The square root is missing: the norm is the root of the sum of squares.",
        ),
        (lambda delta, eps: delta * (eps / _size(delta, 1)).clamp(max=1), "That is the l_1 norm."),
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


def _sorted_threshold(delta: Tensor, eps: float, *, keep: bool, signed: bool, last: bool = True) -> Tensor:
    size = delta.abs().flatten(1)
    u = size.sort(dim=1, descending=True).values
    theta = (u.cumsum(1) - eps) / torch.arange(1, u.shape[1] + 1, device=u.device)
    rho = (u > theta).sum(1, keepdim=True).clamp(min=1) if last else torch.full((len(u), 1), u.shape[1])
    theta = theta.gather(1, rho.to(u.device) - 1)
    theta = theta.clamp(min=0) if keep else theta
    out = (size - theta).clamp(min=0).view_as(delta)
    return delta.sign() * out if signed else out


project_l1 = Exercise(
    "7.3",
    attacks.project_l1,
    checks=(
        same("is the closest point of the l_1 ball", lambda draw: _deltas(draw, 1)),
        holds("no other point of the ball is closer", _closest(1)),
        holds("projecting twice is projecting once", _idempotent),
    ),
    mistakes=(
        (
            lambda delta, eps: delta * (eps / _size(delta, 1)).clamp(max=1),
            "Scaling ends in the ball, but not at its closest point: the closest one is sparse.",
        ),
        (
            lambda delta, eps: _sorted_threshold(delta, eps, keep=False, signed=True),
            "Points inside the ball have a negative threshold and are pushed out: theta must be at least 0.",
        ),
        (
            lambda delta, eps: _sorted_threshold(delta, eps, keep=True, signed=False),
            "The signs are lost: shrink |delta_i|, then give the sign back.",
        ),
        (
            _uniform_shrink,
            "That spreads the excess over all entries; those that reach 0 stop, and the rest must shrink more: the "
            "threshold comes from the rho largest entries.",
        ),
        (
            lambda delta, eps: delta * (eps / _size(delta, 2)).clamp(max=1),
            "That is the projection on the l_2 ball.",
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
    power: int = 2, *, nearest: bool = True, differences: bool = True, sign: int = 1, scores: bool = True
) -> Any:
    def answer(logits, jacobian, y):  # type: ignore[no-untyped-def]
        rows, w = torch.arange(len(y), device=y.device), jacobian.flatten(2)
        f = (logits - logits[rows, y][:, None]) if scores else logits
        w = w - w[rows, y][:, None] if differences else w
        distance = f.abs() / (w.norm(dim=2) if nearest else 1)
        distance[rows, y] = math.inf
        k = distance.argmin(1)
        step = f[rows, k].abs()[:, None] / w[rows, k].norm(dim=1, keepdim=True) ** power * w[rows, k]
        return sign * step.view_as(jacobian[:, 0])

    return answer


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
        (_deepfool(1), "The norm must be squared: |f| / |w|_2 is the length, w / |w|_2 the direction."),
        (_deepfool(nearest=False), "The nearest boundary has the smallest |f_k| / |w_k|_2, not the smallest |f_k|."),
        (_deepfool(differences=False), "The boundary between k and y has the normal w_k = grad z_k - grad z_y."),
        (_deepfool(scores=False), "f_k is the difference z_k - z_y of logits."),
        (_deepfool(sign=-1), "The step leads away from the boundary: z_k must rise against z_y."),
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
        (_flawed, "That is the flaw itself: the mean over successes rewards attacks that give up on hard images."),
        (
            lambda success, norms: norms[success].median(),
            "A median, but still over the successes only: the failures must count as infinitely far.",
        ),
        (
            lambda success, norms: norms.where(success, 0).median(),
            "Failures count as 0, as if they were the closest of all; they are infinitely far.",
        ),
        (
            lambda success, norms: norms.where(success, torch.inf).mean(),
            "One failure makes the mean infinite; the median says what half of the images cost.",
        ),
        (lambda success, norms: norms.median(), "`success` is ignored: the norm of a failure means nothing."),
    ),
    hints=(
        "What should the norm of a failure be, so that a new success can only lower the result?",
        "`norms.where(success, torch.inf)` replaces the failures; `.median()` takes the lower of two in the middle.",
    ),
    why="With failures at infinity the figure is monotone: every new success, and every shorter perturbation, can only "
    "lower it. The median stays finite as long as half of the images are fooled.",
)
