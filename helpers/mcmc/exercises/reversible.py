"""Exercise 5.2: reversibility."""

from __future__ import annotations

import torch
from torch import Tensor

from helpers import mcmc
from helpers.exercises import Arguments, Draw, Exercise, args, holds, require
from helpers.mcmc import finite
from helpers.mcmc.exercises.chains import any_chain, exactly
from helpers.mcmc.exercises.common import F64, Function, alike


def _balanced(draw: Draw, k: int) -> tuple[Tensor, Tensor]:
    """A Metropolis chain and its law, in float64; symmetric and uniform, exact in either dtype, for float32."""
    if draw.dtype == torch.float32:
        half = any_chain(draw, k).cpu().triu(1) / k
        p = half + half.T
        return exactly(draw, p + torch.diag(1 - p.sum(1))), torch.full((k,), 1 / k, dtype=F64, device=draw.device)
    law = draw.uniform(k, low=0.2)
    return finite.metropolis_matrix(law, draw.probabilities(k, k)).to(draw.device), law / law.sum()


def _ring(draw: Draw, k: int, drift: float) -> tuple[Tensor, Tensor]:
    """The uniform law is stationary, and the flow from i to i + 1 exceeds that back by `drift`."""
    eye = torch.eye(k, dtype=F64)
    ring = eye.roll(1, 1) * (0.25 + k * drift / 2) + eye.roll(-1, 1) * (0.25 - k * drift / 2) + eye / 2
    return ring.to(draw.device), torch.full((k,), 1 / k, dtype=F64, device=draw.device)


def _far_ring(draw: Draw) -> tuple[Tensor, Tensor]:
    """A ring over the states 0, 2, 4 of 5: every pair of neighbours is in balance, and 0 and 2 are not."""
    matrix = torch.eye(5, dtype=F64, device=draw.device)
    matrix[::2, ::2] = _ring(draw, 3, 0.05)[0]
    return matrix, torch.full((5,), 0.2, dtype=F64, device=draw.device)


def _judged(draw: Draw) -> list[Arguments]:
    """Chains in balance, with their law given or not, within the tolerance or just; and chains that are not."""
    matrix, law = _balanced(draw, draw.integer(3, 6))
    other = any_chain(draw, draw.integer(3, 6))
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
        args(*_far_ring(draw)),
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
    matrix = any_chain(draw, draw.integer(3, 6)).double()
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
            "`torch.allclose` has tolerances of its own: set rtol=0 and atol=tolerance.",
            {BALANCE: "torch.allclose(flow, flow.T)"},
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
