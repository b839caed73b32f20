"""Exercises of Lecture 7 on what is optimised: the objectives, saliency and success."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from helpers import attacks
from helpers.attacks.threat import goal
from helpers.exercises import Draw, Exercise, args, holds, same

Function = Callable[..., Any]


def _cw_case(draw: Draw, **named: Any) -> Any:
    shape = draw.choice([(1, 3, 4), (10,)])
    x, x_adv = draw.uniform(8, *shape), draw.uniform(8, *shape)
    return args(x_adv, x, 2 * draw.normal(8, 5), draw.integers(0, 5, 8), c=draw.number(2.0, 5.0), **named)


def _cw(
    *, square: bool = True, others: bool = True, cut: int = -1, weight: bool = True, aim: bool = True, up: int = 1
) -> Function:
    def answer(x_adv, x, logits, y, *, c, kappa=0.0, targeted=False):  # type: ignore[no-untyped-def]
        rest = logits.scatter(1, y[:, None], -torch.inf) if others else logits
        gap = up * (logits.gather(1, y[:, None])[:, 0] - rest.amax(1))
        gap = -gap if targeted and aim else gap
        size = (x_adv - x).flatten(1).square().sum(1)
        return (size if square else size.sqrt()) + (c if weight else 1) * gap.clamp(min=cut * kappa)

    return answer


def _cw_of(total: Function) -> Function:
    def answer(x_adv, x, logits, y, *, c, kappa=0.0, targeted=False):  # type: ignore[no-untyped-def]
        size = (x_adv - x).flatten(1).square().sum(1)
        return total(goal(logits, y, targeted), size, x[0].numel(), c, kappa)

    return answer


carlini_wagner_objective = Exercise(
    "7.7",
    attacks.carlini_wagner_objective,
    checks=(
        same("is |x_adv - x|^2 + c max(M, -kappa), untargeted", lambda draw: _cw_case(draw, kappa=1.0)),
        same("targeted: the margin has the other sign", lambda draw: _cw_case(draw, kappa=0.5, targeted=True)),
        same("takes one c per image", lambda draw: _per_image(draw)),
    ),
    mistakes=(
        ("The square is missing: |x_adv - x|_2^2 is smooth at 0, its root is not.", _cw(square=False)),
        ("The maximum must leave out y itself; with it M is never positive.", _cw(others=False)),
        ("The margin is cut off at -kappa: beyond that the attack has won by enough.", _cw(cut=1)),
        ("c is missing: it weighs success against distance.", _cw(weight=False)),
        ("The sign of the margin is flipped: untargeted, M = z_y - max of the others must fall.", _cw(up=-1)),
        ("`targeted` is ignored: then M = max of the others - z_y.", _cw(aim=False)),
        (
            "That is the sum over the batch: the bisection on c needs one value per image.",
            lambda x_adv, x, logits, y, *, c, kappa=0.0, targeted=False: _cw()(
                x_adv, x, logits, y, c=c, kappa=kappa, targeted=targeted
            ).sum(),
        ),
        (
            "The squares are summed, not averaged.",
            _cw_of(lambda gap, size, d, c, kappa: size / d + c * gap.clamp(min=-kappa)),
        ),
        (
            "The margin is cut at 0; it is cut at -kappa, so that the attack wins by kappa.",
            _cw_of(lambda gap, size, d, c, kappa: size + c * gap.clamp(min=0)),
        ),
        (
            "c weighs the margin here, not the distance.",
            _cw_of(lambda gap, size, d, c, kappa: c * size + gap.clamp(min=-kappa)),
        ),
        (
            "M is a difference of logits, not of probabilities: these saturate, and their gradient with them.",
            lambda x_adv, x, logits, y, *, c, kappa=0.0, targeted=False: _cw()(
                x_adv, x, logits.softmax(1), y, c=c, kappa=kappa, targeted=targeted
            ),
        ),
    ),
    hints=(
        "z_y is `logits.gather(1, y[:, None])[:, 0]`; for the others set that entry to -inf, then `amax(1)`.",
        "max(M, -kappa) is `clamp(min=-kappa)`.",
    ),
    why="The margin is zero exactly at the boundary, whatever the scale of the logits, and the cut at -kappa stops "
    "the push once it has won, so that the rest of the search only shortens the perturbation.",
)


def _per_image(draw: Draw) -> Any:
    case = _cw_case(draw)
    return args(*case.positional, **{**case.named, "c": draw.uniform(8, low=1.0, high=9.0)})


def _parts(draw: Draw) -> Any:
    shape = draw.choice([(24,), (4, 9), (2, 3, 5)])
    return draw.normal(*shape), draw.normal(*shape)


jsma_saliency = Exercise(
    "7.8",
    attacks.jsma_saliency,
    checks=(
        same("is alpha |beta| where alpha > 0 > beta, else 0", _parts),
        holds("is never negative", lambda f, draw: f(*_parts(draw)) >= 0),
    ),
    mistakes=(
        ("The condition is missing: S = 0 unless alpha > 0 and beta < 0.", lambda alpha, beta: alpha * beta.abs()),
        (
            "beta is negative there, so the product is too: take |beta|.",
            lambda alpha, beta: torch.where((alpha > 0) & (beta < 0), alpha * beta, 0),
        ),
        (
            "Both conditions must hold, not one of them.",
            lambda alpha, beta: torch.where((alpha > 0) | (beta < 0), alpha * beta.abs(), 0),
        ),
        (
            "These are the pixels worth lowering; here those worth raising are asked for.",
            lambda alpha, beta: torch.where((alpha < 0) & (beta > 0), alpha.abs() * beta, 0),
        ),
        (
            "That is the sum alpha + |beta|; the saliency is the product.",
            lambda alpha, beta: torch.where((alpha > 0) & (beta < 0), alpha - beta, 0),
        ),
        (
            "All pixels count there, whatever their signs; S = 0 unless alpha > 0 and beta < 0.",
            lambda alpha, beta: (alpha * beta).abs(),
        ),
        (
            "That keeps the pixels with beta > 0, which raise the other classes too; beta must be negative.",
            lambda alpha, beta: alpha.clamp(min=0) * beta.clamp(min=0),
        ),
        (
            "That is the smaller of alpha and |beta|; the saliency is their product.",
            lambda alpha, beta: torch.where((alpha > 0) & (beta < 0), torch.minimum(alpha, -beta), 0),
        ),
    ),
    hints=("`torch.where(condition, value, 0)`.", "Conditions on tensors are joined by `&`, each in brackets."),
    why="A product is large only if both are: a pixel that raises the target and every other class alike is useless.",
    minutes=5,
)


def _ranked(draw: Draw) -> Any:
    """Rows where the targets lead in order, in another order, all but one, or tied."""
    k, rows = draw.choice([1, 2, 3]), 24
    logits = draw.normal(rows, 6)
    order = logits.argsort(1, descending=True)
    targets = order[:, :k].clone()
    targets[6:10] = targets[6:10].flip(1)
    targets[10:14, -1] = order[10:14, k]
    targets[14:18, 0] = order[14:18, k]
    targets[2:5] = order[2:5, 1 : k + 1]
    logits[18:24] = logits[18:24].scatter(1, order[18:24, k : k + 1], logits[18:24].gather(1, order[18:24, k - 1 : k]))
    return logits, targets


def _gaps(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    chosen = logits.gather(1, targets)
    return chosen, logits.scatter(1, targets, -torch.inf).amax(1)


def _top_k(kind: str) -> Function:
    def answer(logits, targets):  # type: ignore[no-untyped-def]
        chosen, others = _gaps(logits, targets)
        falling = (chosen[:, :-1] > chosen[:, 1:]).all(1)
        k, ranked = targets.shape[1], logits.topk(targets.shape[1], dim=1).indices
        return {
            "indices": (ranked == targets).all(1),
            "any": (ranked == targets).any(1),
            "smallest": (logits.argsort(1)[:, :k] == targets).all(1),
            "set": chosen.amin(1) > others,
            "order": falling & (chosen.amax(1) > -torch.inf),
            "first": falling & (chosen[:, 0] > others),
            "ties": (chosen[:, :-1] >= chosen[:, 1:]).all(1) & (chosen[:, -1] >= others),
            "rising": (chosen[:, :-1] < chosen[:, 1:]).all(1) & (chosen[:, 0] > others),
        }[kind]

    return answer


top_k_success = Exercise(
    "7.10",
    attacks.top_k_success,
    checks=(
        same("is: z_t1 > ... > z_tk > every other logit", _ranked, times=12),
        holds(
            "a shift of all logits changes nothing",
            lambda f, draw: (lambda z, t: f(z + 8.0, t) == f(z, t))(
                draw.integers(0, 6, 9, 5).to(draw.dtype), _some(draw)
            ),
        ),
    ),
    mistakes=(
        ("That asks for the set of labels only; their order counts.", _top_k("set")),
        ("The last target must beat all others as well, not only the first.", _top_k("first")),
        ("A tie is no success: the inequalities are strict.", _top_k("ties")),
        ("One target in its place is not enough: all of them must lead.", _top_k("any")),
        ("The labels are sorted from the smallest logit up; the largest leads.", _top_k("smallest")),
        ("`topk` breaks ties by chance: compare the logits themselves, strictly.", _top_k("indices")),
        ("The first target shall have the largest logit, so they fall from left to right.", _top_k("rising")),
        ("The targets are in order, but must also beat every other logit.", _top_k("order")),
    ),
    hints=(
        "`logits.gather(1, targets)` are the targets' logits in the order wanted: each must be larger than the next.",
        "The largest other logit: set the targets to -inf by `scatter`, then `amax(1)`. Ties are no success, so "
        "`topk`'s order of equal values must not decide.",
    ),
    why="k strict inequalities, side by side: the targets' logits with the largest other one behind them must fall "
    "strictly. Comparing topk's indices would count ties by chance.",
)


def _some(draw: Draw) -> Tensor:
    return draw.uniform(9, 5).argsort(1)[:, :2]
