"""Exercises 9.1 and 9.2: the Lipschitz constant of a network, the radius of a margin."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from helpers import smoothing
from helpers.exercises import Draw, Exercise, agree, args, holds, require, same

Function = Callable[..., Any]


def _layers(draw: Draw) -> Any:
    sizes = [draw.integer(3, 8) for _ in range(draw.choice([2, 3, 4]) + 1)]
    return args([draw.normal(m, n) for n, m in zip(sizes, sizes[1:], strict=False)])


def _rotations(f: Function, draw: Draw) -> None:
    n = draw.integer(3, 7)
    turns = [torch.linalg.qr(draw.normal(n, n))[0].contiguous() for _ in range(3)]
    got = f(turns)
    require(abs(got - 1) < 1e-3, expected="1: orthogonal matrices change no length", got=got, on="three rotations")


def _absolute_value(f: Function, draw: Draw) -> None:
    size = draw.number(0.5, 3.0)
    pair = torch.tensor([[size], [-size]], device=draw.device)
    got = f([pair, torch.ones(1, 2, device=draw.device)])
    require(got > 0.999 * size, expected=f"at least {size:.4g}, the slope of {size:.4g} |x|", got=got)


def _stretches(f: Function, draw: Draw) -> None:
    sizes = [6, draw.integer(3, 9), draw.integer(3, 9), 4]
    weights = [draw.normal(m, n) for n, m in zip(sizes, sizes[1:], strict=False)]
    bound = f(weights)
    out, inp = draw.normal(3000, 6, std=2.0), draw.normal(3000, 6)
    a, b = out, out + inp
    for k, w in enumerate(weights):
        bias = draw.normal(len(w))
        a, b = a @ w.T + bias, b @ w.T + bias
        a, b = (a, b) if k == len(weights) - 1 else (a.relu(), b.relu())
    stretch = ((a - b).norm(dim=1) / inp.norm(dim=1)).max().item()
    require(stretch <= bound * 1.001, expected=f"at least {stretch:.4g}: two points did move apart by that", got=bound)


def _product(norm: Callable[[Tensor], Tensor | float]) -> Function:
    return lambda weights: math.prod(float(norm(w)) for w in weights)


def _spectral(weight: Tensor) -> float:
    return float(torch.linalg.matrix_norm(weight, 2))


def _multiplied(weights: Sequence[Tensor]) -> float:
    whole = weights[0]
    for w in weights[1:]:
        whole = w @ whole
    return _spectral(whole)


lipschitz_upper_bound = Exercise(
    "9.1",
    smoothing.lipschitz_upper_bound,
    checks=(
        holds("is 1 for rotations, which change no length", _rotations, seconds=10),
        holds("is no smaller than the slope of c |x| = relu(c x) + relu(-c x)", _absolute_value),
        holds("no two points of a ReLU net move further apart than L times their distance", _stretches),
        same("is the product of the largest singular values", _layers, rtol=1e-3, times=6),
    ),
    mistakes=(
        (
            "That is the Frobenius norm, the root of the sum of all squares; it is up to sqrt(rank) too large. The "
            "spectral norm is the largest singular value: `torch.linalg.matrix_norm(W, 2)`.",
            _product(lambda w: w.norm()),
        ),
        (
            "That is the sum of the norms; each layer stretches what the one before has stretched already: multiply.",
            lambda weights: sum(_spectral(w) for w in weights),
        ),
        (
            "That is the layer that stretches most; the others stretch too: multiply.",
            lambda weights: max(_spectral(w) for w in weights),
        ),
        (
            "That is the norm of W_k ... W_1, right without the ReLUs between. They may switch off one of two terms "
            "that cancel: multiply the norms, not the matrices.",
            _multiplied,
        ),
        (
            "Those are the eigenvalues of W'W, the squares of the singular values: take the root.",
            _product(lambda w: torch.linalg.eigvalsh(w.T @ w).amax()),
        ),
        (
            "The largest row sum is the norm for l_inf; for l_2 it is the largest singular value.",
            _product(lambda w: w.abs().sum(1).amax()),
        ),
        (
            "The largest column sum is the norm for l_1; for l_2 it is the largest singular value.",
            _product(lambda w: w.abs().sum(0).amax()),
        ),
        ("The largest entry is no bound: several entries add up.", _product(lambda w: w.abs().max())),
        (
            "That is the smallest singular value, the least that W stretches; `svdvals` has the largest one first.",
            _product(lambda w: torch.linalg.svdvals(w)[-1]),
        ),
        (
            "Eigenvalues belong to square matrices, and even there they can be 0 where W stretches: take singular "
            "values.",
            _product(lambda w: torch.linalg.eigvals(w).abs().amax()),
        ),
    ),
    hints=(
        "What is the longest W v can be for a v of length 1? How does it follow that |W x - W x'| <= ||W||_2 |x - x'|?",
        "A bias moves both points alike, and a ReLU brings no two numbers further apart: both have the constant 1.",
        "A chain of maps multiplies its constants: one factor `torch.linalg.matrix_norm(W, 2)` for each matrix; return "
        "a Python float.",
    ),
    why="Each layer can stretch a difference by at most its largest singular value, and the next layer can stretch the "
    "result again. Equality would need the direction that W_1 stretches most to come out, ReLU and all, as the one "
    "that W_2 stretches most: hardly ever so, and the bound is loose by a factor that grows with depth.",
)


def _scores(draw: Draw) -> tuple[Tensor, Tensor, float]:
    logits = draw.normal(10, draw.integer(3, 6), std=2.0)
    y = logits.argmax(1)
    y[6:] = draw.integers(0, logits.shape[1], 4)
    y[-1] = logits[-1].argmin()
    return logits, y, draw.choice([draw.number(0.2, 0.7), draw.number(1.8, 5.0)])


def _never_beyond(f: Function, draw: Draw) -> None:
    w, x = draw.normal(4, 6), draw.normal(9, 6)
    z = x @ w.T + draw.normal(4)
    y, rows = z.argmax(1), torch.arange(9, device=draw.device)
    apart = (w[y][:, None] - w).norm(dim=2)
    gaps = (z[rows, y][:, None] - z) / apart.clamp(min=1e-9)
    gaps[rows, y] = math.inf
    distance = gaps.amin(1)
    for per_logit, constant in ((False, _spectral(w)), (True, float(w.norm(dim=1).max()))):
        got = f(z, y, constant, per_logit=per_logit)
        k = int((got / distance).argmax())
        text = f"at most {distance[k]:.4g}, the distance to the boundary of a linear classifier, at [{k}]"
        require(got <= distance * 1.001, expected=text, got=f"{got[k]:.4g} there")


def _reaches(f: Function, draw: Draw) -> None:
    scale, x = draw.number(0.3, 4.0), draw.normal(5, 6)
    across = torch.linalg.qr(draw.normal(6, 2))[0].T * scale
    along = torch.stack([across[0], -across[0]])
    results = []
    for per_logit, w, name in ((False, across, "orthogonal rows"), (True, along, "opposite rows")):
        z = x @ w.T
        distance = (z[:, 0] - z[:, 1]).abs() / (w[0] - w[1]).norm()
        results.append((f(z, z.argmax(1), scale, per_logit=per_logit), distance, name, per_logit))
    for got, distance, name, per_logit in results:
        on = f"two logits W x with {name} of length {scale:.4g} = lipschitz, per_logit = {per_logit}"
        agree(got, distance, rtol=1e-3, atol=1e-4, on=on, meaning="Here the radius is the distance to the boundary.")


def _radius(
    *,
    whole: float = math.sqrt(2),
    each: float = 2.0,
    cut: bool = True,
    rule: str = "others",
    combine: Callable[[Tensor, float], Tensor] = lambda m, c: m / c,
) -> Function:
    def answer(logits, y, lipschitz, *, per_logit=False):  # type: ignore[no-untyped-def]
        own, two = logits.gather(1, y[:, None])[:, 0], logits.topk(2, dim=1).values
        others = logits.scatter(1, y[:, None], -math.inf).amax(1)
        m = {"others": own - others, "all": own - two[:, 0], "first": two[:, 0] - two[:, 1], "alone": own}[rule]
        factor = each if per_logit else whole
        return combine(m.clamp(min=0) if cut else m, factor * lipschitz)

    return answer


def _precedence(logits, y, lipschitz, *, per_logit=False):  # type: ignore[no-untyped-def]
    return _radius()(logits, y, 1.0, per_logit=per_logit) * lipschitz


margin_radius = Exercise(
    "9.2",
    smoothing.margin_radius,
    checks=(
        holds("is the distance to the boundary of two orthogonal, or two opposite, logits", _reaches),
        holds("never passes the boundary of a linear classifier", _never_beyond),
        same("is max(M, 0) / (sqrt(2) L), L of the whole map", _scores),
        same("is max(M, 0) / (2 L), L of each logit", lambda draw: args(*_scores(draw), per_logit=True)),
    ),
    mistakes=(
        (
            "The two constants are exchanged: sqrt(2) L goes with the whole map, 2 L with each single logit.",
            _radius(whole=2.0, each=math.sqrt(2)),
        ),
        (
            "`per_logit` is ignored: 2 L is for the constant of each logit; for the whole map sqrt(2) L is enough.",
            _radius(whole=2.0),
        ),
        (
            "`per_logit` is ignored: two logits of constant L can move towards each other by 2 L |delta|, so there "
            "the divisor is 2 L.",
            _radius(each=math.sqrt(2)),
        ),
        ("Not one logit moves but a difference of two: divide by sqrt(2) L or 2 L.", _radius(whole=1.0, each=1.0)),
        ("Where y is not predicted the margin is negative; the radius is 0 there: `clamp(min=0)`.", _radius(cut=False)),
        (
            "|M| gives a radius to wrong predictions; there is none: `clamp(min=0)`, not `abs`.",
            _radius(cut=False, combine=lambda m, c: m.abs() / c),
        ),
        ("The maximum must leave out y itself; with it the margin is never positive.", _radius(rule="all")),
        (
            "That is the gap of the two largest logits, whatever y is: a wrong prediction gets a radius.",
            _radius(rule="first"),
        ),
        ("That is z_y; the margin is z_y minus the largest of the other logits.", _radius(rule="alone")),
        ("`M / 2 * L` multiplies by L: put brackets around the divisor. Steeper maps have smaller radii.", _precedence),
    ),
    hints=(
        "z_y is `logits.gather(1, y[:, None])[:, 0]`; for the others set that entry to -inf by `scatter`, then "
        "`amax(1)`.",
        "By how much can z_y - z_k change when x moves by delta? Each logit alone changes by at most L |delta|; in the "
        "whole map (1, -1) . (z_y, z_k) changes by at most sqrt(2) L |delta|.",
        "`margin.clamp(min=0) / (factor * lipschitz)`: the factor is 2 if per_logit else sqrt(2).",
    ),
    why="The prediction can change only when some difference z_y - z_k, at least M, has been used up. As a function of "
    "x that difference has the constant sqrt(2) L, since (1, -1) has length sqrt(2), or 2 L if all that is known is "
    "each logit's own. Mixing the two up is a radius too large by sqrt(2): no certificate at all.",
    minutes=10,
)
