"""Exercises 5.1 and 5.2: the stationary law, reversibility."""

from __future__ import annotations

import torch
from torch import Tensor

from helpers import mcmc
from helpers.exercises import Arguments, Draw, Exercise, agree, args, holds, raises, require
from helpers.mcmc import finite
from helpers.mcmc.exercises.common import F64, Function, alike


def exactly(draw: Draw, matrix: Tensor) -> Tensor:
    """The matrix in the draw's dtype, in multiples of 2^-30 or, for float32, 2^-10: its rows sum to 1 exactly."""
    grain = 2.0 ** (10 if draw.dtype == torch.float32 else 30)
    p = (grain * matrix.double()).floor() / grain
    p[:, 0] += 1 - p.sum(1)
    return p.to(device=draw.device, dtype=draw.dtype)


def _any(draw: Draw, k: int) -> Tensor:
    return exactly(draw, finite.transition_matrix(draw.probabilities(k, k).cpu()))


def _chains(draw: Draw) -> list[Tensor]:
    """Periodic; states that are left for good; an absorbing state; a single state; slow ones; anything."""
    fixed = (
        finite.PERIODIC,
        ((0.5, 0.25, 0.25), (0.0, 0.625, 0.375), (0.0, 0.125, 0.875)),
        ((0.5, 0.25, 0.25), (0.0, 1.0, 0.0), (0.0, 0.125, 0.875)),
        ((1.0,),),
    )
    slow = torch.eye(4, dtype=draw.dtype, device=draw.device) * (1 - 2**-8) + _any(draw, 4) * 2**-8
    given = [torch.tensor(matrix, dtype=draw.dtype, device=draw.device) for matrix in fixed]
    return [_any(draw, draw.integer(3, 6)), _any(draw, 2), slow, *given, _any(draw, 9)]


def _cut(draw: Draw) -> Tensor:
    """Two blocks; two absorbing states; nothing but absorbing states."""
    absorbing = torch.tensor([[1, 0, 0], [0.25, 0.5, 0.25], [0, 0, 1]])
    blocks = torch.block_diag(_any(draw, 2).cpu(), _any(draw, 3).cpu())
    return exactly(draw, draw.choice([blocks, absorbing, torch.eye(3)]))


def _stays(f: Function, draw: Draw) -> None:
    matrix = _any(draw, draw.integer(2, 6))
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


def _balanced(draw: Draw, k: int) -> tuple[Tensor, Tensor]:
    """A Metropolis chain and its law, in float64; symmetric and uniform, exact in either dtype, for float32."""
    if draw.dtype == torch.float32:
        half = _any(draw, k).cpu().triu(1) / k
        p = half + half.T
        return exactly(draw, p + torch.diag(1 - p.sum(1))), torch.full((k,), 1 / k, dtype=F64, device=draw.device)
    law = draw.uniform(k, low=0.2)
    return finite.metropolis_matrix(law, draw.probabilities(k, k)).to(draw.device), law / law.sum()


def _ring(draw: Draw, k: int, drift: float) -> tuple[Tensor, Tensor]:
    """The uniform law is stationary, and the flow from i to i + 1 exceeds that back by `drift`."""
    eye = torch.eye(k, dtype=F64)
    ring = eye.roll(1, 1) * (0.25 + k * drift / 2) + eye.roll(-1, 1) * (0.25 - k * drift / 2) + eye / 2
    return ring.to(draw.device), torch.full((k,), 1 / k, dtype=F64, device=draw.device)


def _judged(draw: Draw) -> list[Arguments]:
    """Chains in balance, with their law given or not, within the tolerance or just; and chains that are not."""
    matrix, law = _balanced(draw, draw.integer(3, 6))
    other = _any(draw, draw.integer(3, 6))
    ladder = finite.metropolis_matrix(torch.tensor([1.0, 2.0, 4.0]), torch.full((3, 3), 1 / 3)).to(draw.device)
    upside_down, shuffled = torch.tensor([[4.0, 2.0, 1.0], [2.0, 4.0, 1.0]], dtype=F64, device=draw.device) / 7
    return [
        args(matrix),
        args(matrix, law),
        args(finite.metropolis_matrix(draw.uniform(5, low=0.2), draw.probabilities(5, 5)).to(draw.device)),
        args(*_ring(draw, 4, 0.0), tolerance=0.0),
        args(*_ring(draw, 4, 0.2e-9)),
        args(*_ring(draw, 4, 0.96e-9)),
        args(*_ring(draw, 4, 1.04e-9)),
        args(_ring(draw, 3, 0.019)[0], tolerance=0.02),
        args(_ring(draw, 3, 0.019)[0]),
        args(*_ring(draw, 4, 1e-12), tolerance=1e-13),
        args(torch.ones(1, 1, dtype=draw.dtype, device=draw.device)),
        args(other),
        args(other, mcmc.stationary_distribution(other), tolerance=1e-6),
        args(ladder, upside_down),
        args(ladder, shuffled),
    ]


def _symmetric_part(f: Function, draw: Draw) -> None:
    """(P + P*)/2 is in balance, P* the chain of the film backwards, P*_ij = pi_j P_ji / pi_i."""
    matrix = _any(draw, draw.integer(3, 6)).double()
    law = mcmc.stationary_distribution(matrix)
    backwards = (law[:, None] * matrix).T / law[:, None]
    got = [f(matrix, law), f((matrix + backwards) / 2, law), f((matrix + backwards) / 2)]
    require(got == [False, True, True], expected="False for P, True for (P + P*)/2, with its law or without", got=got)


BALANCE = "((flow - flow.T).abs() <= tolerance).all()"

is_reversible = Exercise(
    "5.2",
    mcmc.is_reversible,
    checks=(
        holds(
            "is True for chains in balance, to within the tolerance, and False for all others",
            alike(_judged, mcmc.is_reversible),
            meaning="Compare pi_i P_ij with pi_j P_ji for every pair, in float64, to within `tolerance`; a law that is "
            "given counts. One pair that is off by more makes it False.",
        ),
        holds(
            "is False for chains drawn at random, True for their symmetric part",
            _symmetric_part,
            meaning="Every pair of states exchanges as much one way as the other: that is rare at random.",
        ),
    ),
    mistakes=(
        (
            "It says True of every chain: take the absolute differences, whose signed sum is always 0, and `.all()` of "
            "the comparisons, since one pair in balance is not enough.",
            lambda matrix, law=None, *, tolerance=1e-9: True,
        ),
        ("It says False of every chain, also of those in balance.", lambda matrix, law=None, *, tolerance=1e-9: False),
        (
            "That asks whether P is symmetric, which is detailed balance for the uniform law only.",
            {BALANCE: "((p - p.T).abs() <= tolerance).all()"},
        ),
        ("pi_i belongs to the row that is left: `pi[:, None] * P`, not `pi * P`.", {"pi[:, None]": "pi"}),
        (
            "That asks whether pi is stationary. Detailed balance is more: every pair of states exchanges as much one "
            "way as the other.",
            {BALANCE: "((pi @ p - pi).abs() <= tolerance).all()"},
        ),
        (
            "The law that is given as the second argument counts; only without one is it computed.",
            {"if law is None else law": ""},
        ),
        ("Bit by bit no two sums agree: compare to within the tolerance.", {"<= tolerance": "== 0"}),
        ("The tolerance is an argument: it need not be 1e-9.", {"<= tolerance": "<= 1e-9"}),
        (
            "The comparison is relative there: `torch.allclose` has a tolerance rtol of its own; set rtol=0.",
            {BALANCE: "torch.allclose(flow, flow.T, atol=tolerance)"},
        ),
        (
            "Flows that are equal are in balance at a tolerance of 0, too: `<=`.",
            {"<= tolerance": "< tolerance"},
        ),
        (
            "The difference is compared on average, or as a sum: each pair by itself must be within the tolerance.",
            {BALANCE: "(flow - flow.T).abs().mean() <= tolerance"},
        ),
    ),
    hints=(
        "The flow from i to j is pi_i P_ij: a matrix. What must be true of this matrix?",
        "`pi[:, None] * matrix` multiplies each row by its own probability.",
    ),
    why="The flow matrix is symmetric: that is detailed balance, all pairs at once. A chain of two states passes "
    "always, since its only pair exchanges what a stationary law makes it exchange.",
)
