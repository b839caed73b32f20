"""Exercise 5.1: the stationary law."""

from __future__ import annotations

import torch
from torch import Tensor

from helpers import mcmc
from helpers.exercises import Draw, Exercise, agree, holds, raises
from helpers.mcmc import finite
from helpers.mcmc.exercises.common import F64, Function, alike


def exactly(draw: Draw, matrix: Tensor) -> Tensor:
    """The matrix in the draw's dtype, in multiples of 2^-30 or, for float32, 2^-10: its rows sum to 1 exactly."""
    grain = 2.0 ** (10 if draw.dtype == torch.float32 else 30)
    p = (grain * matrix.double()).floor() / grain
    p[:, 0] += 1 - p.sum(1)
    return p.to(device=draw.device, dtype=draw.dtype)


def any_chain(draw: Draw, k: int) -> Tensor:
    """A random transition matrix (k, k)."""
    return exactly(draw, finite.transition_matrix(draw.probabilities(k, k).cpu()))


def _chains(draw: Draw) -> list[Tensor]:
    """Periodic; states that are left for good; an absorbing state; a single state; slow ones; anything."""
    fixed = (
        finite.PERIODIC,
        ((0.5, 0.25, 0.25), (0.0, 0.625, 0.375), (0.0, 0.125, 0.875)),
        ((0.5, 0.25, 0.25), (0.0, 1.0, 0.0), (0.0, 0.125, 0.875)),
        ((1.0,),),
    )
    slow = torch.eye(4, dtype=draw.dtype, device=draw.device) * (1 - 2**-8) + any_chain(draw, 4) * 2**-8
    given = [torch.tensor(matrix, dtype=draw.dtype, device=draw.device) for matrix in fixed]
    return [any_chain(draw, draw.integer(3, 6)), any_chain(draw, 2), slow, *given, any_chain(draw, 9)]


def _cut(draw: Draw) -> Tensor:
    """Two blocks; two absorbing states; nothing but absorbing states."""
    absorbing = torch.tensor([[1, 0, 0], [0.25, 0.5, 0.25], [0, 0, 1]])
    blocks = torch.block_diag(any_chain(draw, 2).cpu(), any_chain(draw, 3).cpu())
    return exactly(draw, draw.choice([blocks, absorbing, torch.eye(3)]))


def _stays(f: Function, draw: Draw) -> None:
    matrix = any_chain(draw, draw.integer(2, 6))
    law = f(matrix)
    agree(law @ matrix.double(), law, meaning="One step changes the law: pi multiplies P from the left.")
    agree(law.sum(), torch.ones((), dtype=F64, device=draw.device), meaning="The law must sum to 1.")


def _eigenvector(matrix: Tensor) -> Tensor:
    values, vectors = torch.linalg.eig(matrix.double().mT)
    return vectors[:, (values - 1).abs().argmin()].real


def _any_of_them(matrix: Tensor) -> Tensor:
    return _eigenvector(matrix) / _eigenvector(matrix).sum()


def _first_of_them(matrix: Tensor) -> Tensor:
    first = torch.linalg.eig(matrix.double().mT)[1][:, 0].real
    return first / first.sum()


SOLVED = "torch.linalg.solve(change + 1, p.new_ones(k))"

stationary_distribution = Exercise(
    "5.1",
    mcmc.stationary_distribution,
    checks=(
        holds(
            "is the law with pi P = pi, also for periodic, absorbing and slow chains, and of 1 to 9 states",
            alike(_chains, mcmc.stationary_distribution, rtol=1e-9, atol=1e-12),
            meaning="pi is a row: pi P = pi, sum pi = 1, in float64 whatever the dtype of P. No power of P needs to "
            "converge to it.",
        ),
        holds(
            "one step leaves it alone, and it sums to 1",
            _stays,
            meaning="pi @ P must be pi again.",
        ),
        raises(
            "refuses a chain with more than one stationary law, whatever its form",
            _cut,
            meaning="The eigenvalue 1 of P comes twice (rank of P - I below k - 1): `raise ValueError(...)`.",
        ),
    ),
    mistakes=(
        (
            "The law must be float64, whatever the dtype of P: begin with `matrix.double()`.",
            {f"{SOLVED}.clamp(min=0)": f"{SOLVED}.clamp(min=0).to(matrix)"},
        ),
        (
            "That solves P v = v, whose solution is constant; the law multiplies P from the left.",
            {"p.T - ": "p - "},
        ),
        (
            "An eigenvector comes with length 1; a law has the sum 1. Divide by the sum.",
            lambda matrix: _eigenvector(matrix).abs(),
        ),
        (
            "An eigenvector has no sign: dividing by the sum mends it, dividing by the norm does not.",
            lambda matrix: -_eigenvector(matrix).abs(),
        ),
        (
            "That is the law after one step from a uniform start; it has to stay the same under every step.",
            {SOLVED: "p.mean(0)"},
        ),
        (
            "Right when the law is unique. If P has the eigenvalue 1 twice, there are many: count it, or look at the "
            "rank of P - I, and raise ValueError.",
            _any_of_them,
        ),
        (
            "Powers of P do not converge for a periodic chain, and too late for a slow one.",
            {SOLVED: "torch.linalg.matrix_power(p, 200)[0]"},
        ),
        (
            "Powers of P do not converge for a periodic chain, which has a stationary law all the same.",
            {SOLVED: "torch.linalg.matrix_power(p, 2**20)[0]"},
        ),
        (
            "The first eigenvector is not always that of the eigenvalue 1: look for it, they come in any order.",
            _first_of_them,
        ),
    ),
    hints=(
        "pi P = pi is pi (P - I) = 0: k linear equations, one of which follows from the others. The missing one is "
        "sum pi = 1.",
        "Stack them, `torch.cat([P.T - I, ones])`, and solve by `torch.linalg.lstsq`; or take the eigenvector of P.T "
        "for the eigenvalue 1.",
        "The law is unique if the rank of P - I is k - 1.",
    ),
    why="Adding sum pi = 1 to each of the k equations (P.T - I) pi = 0 makes them solvable at once: no power has to "
    "converge, so periodic chains and slow ones are exact as well. The rank of P - I counts the closed classes, and "
    "two of them are refused rather than mixed.",
    minutes=15,
)
