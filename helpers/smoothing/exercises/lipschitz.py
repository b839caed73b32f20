"""Exercise 9.1: the Lipschitz constant of a network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from helpers import smoothing
from helpers.exercises import Draw, Exercise, args, holds, require, same

Function = Callable[..., Any]
SIZES = [(4, 6, 3), (5, 3), (3, 7, 5, 2), (6, 1, 4), (1, 5, 1)]


def _layers(draw: Draw) -> Any:
    """One matrix, two, three; rows and columns alone; one of rank 1, whose smallest singular value is 0."""
    sizes = draw.choice(SIZES)
    weights = [draw.number(0.5, 2.0) * draw.normal(m, n) for n, m in zip(sizes, sizes[1:], strict=False)]
    weights[0] = 0.05 * weights[0]  # a factor below 1 counts as well
    weights[-1] = draw.choice([weights[-1], weights[-1][:1].expand_as(weights[-1]).clone()])
    return args(weights)


def _rotations(f: Function, draw: Draw) -> None:
    n = draw.integer(3, 7)
    turns = [torch.linalg.qr(draw.normal(n, n))[0].contiguous() for _ in range(3)]
    got = f(turns)
    require(abs(got - 1) < 1e-3, expected="1: orthogonal matrices change no length", got=got, on="three rotations")


def _absolute_value(f: Function, draw: Draw) -> None:
    size = draw.number(3.0, 5.0)
    pair = torch.tensor([[size], [-size]], device=draw.device, dtype=draw.dtype)
    got = f([pair, torch.ones(1, 2, device=draw.device, dtype=draw.dtype)])
    require(got > 0.999 * size, expected=f"at least {size:.4g}, the slope of {size:.4g} |x|", got=got)


def _stretches(f: Function, draw: Draw) -> None:
    sizes = [6, draw.integer(3, 9), draw.integer(3, 9), 4]
    weights = [5 * draw.normal(m, n) for n, m in zip(sizes, sizes[1:], strict=False)]  # none can be left out
    bound = f(weights)
    out, inp = draw.normal(3000, 6, std=2.0), draw.normal(3000, 6)
    a, b = out, out + inp
    for k, w in enumerate(weights):
        bias = draw.normal(len(w))
        a, b = a @ w.T + bias, b @ w.T + bias
        a, b = (a, b) if k == len(weights) - 1 else (a.relu(), b.relu())
    stretch = ((a - b).norm(dim=1) / inp.norm(dim=1)).max().item()
    require(stretch <= bound * 1.001, expected=f"at least {stretch:.4g}: two points did move apart by that", got=bound)


NORM = "torch.linalg.matrix_norm(w, 2)"

lipschitz_upper_bound = Exercise(
    "9.1",
    smoothing.lipschitz_upper_bound,
    checks=(
        holds(
            "is 1 for rotations, which change no length",
            _rotations,
            seconds=10,
            meaning="Every singular value of a rotation is 1, and so is the product of the largest ones.",
        ),
        holds(
            "is no smaller than the slope of c |x| = relu(c x) + relu(-c x)",
            _absolute_value,
            times=2,
            meaning="The bound has to cover every pair of points: one factor for each matrix, none left out.",
        ),
        holds(
            "no two points of a ReLU net move further apart than L times their distance",
            _stretches,
            times=2,
            meaning="Each matrix can stretch a difference by its largest singular value: leave none of the factors "
            "out, and take none too small.",
        ),
        same(
            "is the product of the largest singular values",
            _layers,
            rtol=1e-3,
            meaning="One factor for each matrix, its largest singular value, `torch.linalg.matrix_norm(W, 2)`; their "
            "product as a Python float.",
        ),
    ),
    mistakes=(
        (
            "That is the Frobenius norm, the root of the sum of all squares; it is up to sqrt(rank) too large. The "
            "spectral norm is the largest singular value: `torch.linalg.matrix_norm(W, 2)`.",
            {NORM: "w.norm()"},
        ),
        (
            "That is the sum of the norms; each layer stretches what the one before has stretched already: multiply.",
            {"math.prod(": "sum("},
        ),
        ("That is the layer that stretches most; the others stretch too: multiply.", {"math.prod(": "max("}),
        ("The last matrix is left out: it stretches as the others do.", {"_chain(weights)": "_chain(weights)[:-1]"}),
        ("The first matrix is left out: it stretches as the others do.", {"_chain(weights)": "_chain(weights)[1:]"}),
        (
            "Every layer stretches by its own norm: multiply, do not average.",
            {"math.prod(": "__import__('statistics').fmean("},
        ),
        (
            "That is the norm of W_k ... W_1, right without the ReLUs between. They may switch off one of two terms "
            "that cancel: multiply the norms, not the matrices.",
            {"_chain(weights)": "[__import__('functools').reduce(lambda first, then: then @ first, weights)]"},
        ),
        (
            "Those are the eigenvalues of W'W, the squares of the singular values: take the root.",
            {NORM: NORM + " ** 2"},
        ),
        (
            "That is the root of the spectral norm: the singular values themselves are wanted.",
            {NORM: NORM + " ** 0.5"},
        ),
        (
            "That is the nuclear norm, the sum of the singular values; only the largest one counts.",
            {NORM: "torch.linalg.matrix_norm(w, 'nuc')"},
        ),
        (
            "The largest row sum is the norm for l_inf; for l_2 it is the largest singular value.",
            {NORM: "w.abs().sum(1).amax()"},
        ),
        (
            "The largest column sum is the norm for l_1; for l_2 it is the largest singular value.",
            {NORM: "w.abs().sum(0).amax()"},
        ),
        ("The longest row is no bound: several rows add up.", {NORM: "w.norm(dim=1).amax()"}),
        ("The longest column is no bound: several columns add up.", {NORM: "w.norm(dim=0).amax()"}),
        ("The largest entry is no bound: several entries add up.", {NORM: "w.abs().max()"}),
        (
            "That is the smallest singular value, the least that W stretches; `svdvals` has the largest one first.",
            {NORM: "torch.linalg.svdvals(w)[-1]"},
        ),
        (
            "Eigenvalues belong to square matrices, and even there they can be 0 where W stretches: take singular "
            "values.",
            {NORM: "torch.linalg.eigvals(w).abs().amax()"},
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
