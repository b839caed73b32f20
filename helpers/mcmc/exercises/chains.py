"""Exercises 5.1 to 5.3: the stationary law, reversibility, inverse transform sampling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from helpers import mcmc
from helpers.exercises import Draw, Exercise, agree, args, holds, raises, require, same
from helpers.mcmc import finite

Function = Callable[..., Any]
Arguments = Any  # what args(...) makes
F64 = torch.float64


def _matrix(draw: Draw) -> Tensor:
    k = draw.integer(3, 6)
    return draw.probabilities(k, k)


def _special(draw: Draw) -> Tensor:
    """A periodic chain, or one with a state that is left for good."""
    ring = torch.tensor(finite.PERIODIC, dtype=draw.dtype, device=draw.device)
    leaving = torch.tensor([[0.5, 0.3, 0.2], [0.0, 0.6, 0.4], [0.0, 0.1, 0.9]], dtype=draw.dtype, device=draw.device)
    return draw.choice([ring, leaving])


def _cut(draw: Draw) -> Tensor:
    blocks = torch.block_diag(draw.probabilities(2, 2), draw.probabilities(3, 3))
    return (blocks.double() / blocks.double().sum(1, keepdim=True)).to(draw.device)


def _stays(f: Function, draw: Draw) -> None:
    matrix = _matrix(draw)
    law = f(matrix)
    agree(law @ matrix, law, meaning="One step changes the law: pi multiplies P from the left.")
    agree(law.sum(), torch.ones((), dtype=F64, device=draw.device), meaning="The law must sum to 1.")


def _left_vector(matrix: Tensor) -> Tensor:
    values, vectors = torch.linalg.eig(matrix.mT)
    return vectors[:, (values - 1).abs().argmin()].real


def _right_vector(matrix):  # type: ignore[no-untyped-def]
    values, vectors = torch.linalg.eig(matrix)
    vector = vectors[:, (values - 1).abs().argmin()].real
    return vector / vector.sum()


def _one_by_norm(matrix):  # type: ignore[no-untyped-def]
    return _left_vector(matrix).abs()


def _power(matrix):  # type: ignore[no-untyped-def]
    return torch.linalg.matrix_power(matrix, 2000)[0]


def _any_of_them(matrix):  # type: ignore[no-untyped-def]
    vector = _left_vector(matrix)
    return vector / vector.sum()


stationary_distribution = Exercise(
    "5.1",
    mcmc.stationary_distribution,
    checks=(
        same("is the law with pi P = pi", _matrix, dtype=F64),
        holds("one step leaves it alone, and it sums to 1", _stays, dtype=F64, times=3),
        same("is right for a periodic chain and for a state that is left for good", _special, dtype=F64, times=6),
        raises("refuses a chain that falls apart: there are two such laws", _cut),
    ),
    mistakes=(
        ("That solves P v = v, whose solution is constant; the law multiplies P from the left.", _right_vector),
        ("An eigenvector comes with length 1; a law has the sum 1. Divide by the sum.", _one_by_norm),
        (
            "That is the law after one step from a uniform start; it has to stay the same under every step.",
            lambda matrix: matrix.mean(0),
        ),
        (
            "Right when the law is unique. If P has the eigenvalue 1 twice, there are many: count it, or look at the "
            "rank of P - I, and raise ValueError.",
            _any_of_them,
        ),
        ("Powers of P do not converge for a periodic chain, which has a stationary law all the same.", _power),
    ),
    hints=(
        "pi P = pi is pi (P - I) = 0: k linear equations, one of which follows from the others. The missing one is "
        "sum pi = 1.",
        "Stack them, `torch.cat([P.T - I, ones])`, and solve by `torch.linalg.lstsq`; or take the eigenvector of P.T "
        "for the eigenvalue 1.",
        "The law is unique if the rank of P - I is k - 1.",
    ),
    why="k + 1 equations for k unknowns, solved together: no power has to converge, so periodic chains and slow ones "
    "are exact as well. The rank of P - I counts the closed classes, and two of them are refused rather than mixed.",
    minutes=15,
)


def _balanced(draw: Draw) -> Tensor:
    k = draw.integer(3, 6)
    return finite.metropolis_matrix(draw.uniform(k, low=0.2), draw.probabilities(k, k)).to(draw.device)


def _doubly_stochastic(draw: Draw) -> Tensor:
    """The uniform law is stationary, and the chain goes round: not symmetric, not reversible."""
    c = draw.number(0.6, 0.9)
    ring = torch.tensor([[0, c, 1 - c], [1 - c, 0, c], [c, 1 - c, 0]], dtype=draw.dtype, device=draw.device)
    return ring


def _wrong_law(draw: Draw) -> Arguments:
    matrix = _balanced(draw)
    return args(matrix, draw.probabilities(len(matrix)))


def _both_ways(f: Function, draw: Draw) -> None:
    matrix, other = _balanced(draw), _matrix(draw)
    upside_down = 1 / mcmc.stationary_distribution(matrix)
    got = [f(matrix), f(matrix, upside_down / upside_down.sum()), f(other, tolerance=2.0)]
    require(
        got == [True, False, True],
        expected="True, False for another law, True for a tolerance of 2",
        got=got,
        meaning="Compare pi_i P_ij with pi_j P_ji, to within the tolerance.",
    )


def _flow(matrix: Tensor, law: Tensor | None) -> Tensor:
    pi = mcmc.stationary_distribution(matrix) if law is None else law
    return pi[:, None] * matrix


def _columns(matrix, law=None, *, tolerance=1e-9):  # type: ignore[no-untyped-def]
    pi = mcmc.stationary_distribution(matrix) if law is None else law
    return bool(((pi * matrix - (pi * matrix).T).abs() <= tolerance).all())


def _stationary_only(matrix, law=None, *, tolerance=1e-9):  # type: ignore[no-untyped-def]
    pi = mcmc.stationary_distribution(matrix) if law is None else law
    return bool(((pi @ matrix - pi).abs() <= tolerance).all())


def _deaf(matrix, law=None, *, tolerance=1e-9):  # type: ignore[no-untyped-def]
    flow = _flow(matrix, None)
    return bool(((flow - flow.T).abs() <= tolerance).all())


def _exact(matrix, law=None, *, tolerance=1e-9):  # type: ignore[no-untyped-def]
    flow = _flow(matrix, law)
    return torch.equal(flow, flow.T)


is_reversible = Exercise(
    "5.2",
    mcmc.is_reversible,
    checks=(
        holds("is True for Metropolis chains, False with another law, and heeds the tolerance", _both_ways, dtype=F64),
        same("is False for chains drawn at random", _matrix, dtype=F64),
        same("is False for a ring with a drift, whose stationary law is uniform", _doubly_stochastic, dtype=F64),
        same("is False for a law that is not in balance", _wrong_law, dtype=F64),
    ),
    mistakes=(
        (
            "That asks whether P is symmetric, which is detailed balance for the uniform law only.",
            lambda matrix, law=None, *, tolerance=1e-9: bool(((matrix - matrix.T).abs() <= tolerance).all()),
        ),
        ("pi_i belongs to the row that is left: `pi[:, None] * P`, not `pi * P`.", _columns),
        ("Bit by bit no two sums agree: compare to within the tolerance.", _exact),
        (
            "That asks whether pi is stationary. Detailed balance is more: every pair of states exchanges as much one "
            "way as the other.",
            _stationary_only,
        ),
        ("The law that is given as the second argument counts; only without one is it computed.", _deaf),
    ),
    hints=(
        "The flow from i to j is pi_i P_ij: a matrix. What must be true of this matrix?",
        "`pi[:, None] * matrix` multiplies each row by its own probability.",
    ),
    why="The flow matrix is symmetric: that is detailed balance, all pairs at once. A chain of two states passes "
    "always, since its only pair exchanges what a stationary law makes it exchange.",
)


def _logistic(x: Tensor) -> Tensor:
    return torch.sigmoid(x)


def _steps(x: Tensor) -> Tensor:
    """Probability 1/4, 1/2, 1/4 at 0, 1, 3."""
    return 0.25 * (x >= 0) + 0.5 * (x >= 1) + 0.25 * (x >= 3)


def _continuous(draw: Draw) -> Arguments:
    shape = draw.choice([(7,), (2, 3), (2, 2, 2)])
    return args(_logistic, draw.uniform(*shape, low=0.02, high=0.98), -30.0, 30.0)


def _discrete(draw: Draw) -> Arguments:
    return args(_steps, draw.uniform(12), -1.0, 4.0)


def _at_the_jumps(draw: Draw) -> Arguments:
    return args(_steps, torch.tensor([0.25, 0.75, 1.0], dtype=draw.dtype, device=draw.device), -1.0, 4.0)


def _few(f: Function, draw: Draw) -> None:
    u = draw.uniform(9, low=0.1, high=0.9)
    found, exact = f(_logistic, u, -8.0, 8.0, halvings=10), torch.logit(u.double())
    require((found - exact).abs() < 1.01 * 16 / 2**10, expected="within (high - low) / 2^halvings of F^-(u)")


def _bisect(cdf, u, low, high, halvings, *, strict=False, swap=False):  # type: ignore[no-untyped-def]
    u = u.double()
    below, above = torch.full_like(u, low), torch.full_like(u, high)
    for _ in range(halvings):
        middle = (below + above) / 2
        reached = (cdf(middle) > u if strict else cdf(middle) >= u) ^ swap
        below, above = torch.where(reached, below, middle), torch.where(reached, middle, above)
    return above


def _together(cdf, u, low, high, *, halvings=60):  # type: ignore[no-untyped-def]
    u, below, above = u.double(), low, high
    for _ in range(halvings):
        middle = (below + above) / 2
        reached = bool((cdf(torch.full_like(u, middle)) >= u).all())
        below, above = (below, middle) if reached else (middle, above)
    return torch.full_like(u, above)


inverse_transform_sample = Exercise(
    "5.3",
    mcmc.inverse_transform_sample,
    checks=(
        same("inverts a continuous F, for u of any shape", _continuous, dtype=F64, times=5),
        same("finds the jump of a discrete law", _discrete, dtype=F64),
        same("gives the smallest x with F(x) >= u, where F(x) = u as well", _at_the_jumps, dtype=F64),
        holds("is as near as `halvings` allows", _few, dtype=F64),
    ),
    mistakes=(
        (
            "The halves are exchanged: when F(middle) has reached u, the answer lies at or below the middle.",
            lambda cdf, u, low, high, *, halvings=60: _bisect(cdf, u, low, high, halvings, swap=True),
        ),
        (
            "That is F(u). Asked for is the x at which F reaches u.",
            lambda cdf, u, low, high, *, halvings=60: cdf(u.double()),
        ),
        (
            "That inverts 1 - F. As a draw it is as good (1 - u is uniform, too), but it is not F^-(u).",
            lambda cdf, u, low, high, *, halvings=60: _bisect(cdf, 1 - u, low, high, halvings),
        ),
        ("Every u has its own interval: `torch.where`, entry by entry, not one `if` for all.", _together),
        (
            "With F(middle) > u the search passes over a jump that ends exactly at u; F^- asks for F(x) >= u.",
            lambda cdf, u, low, high, *, halvings=60: _bisect(cdf, u, low, high, halvings, strict=True),
        ),
        (
            "Halve as often as `halvings` says: the error is (high - low) / 2^halvings.",
            lambda cdf, u, low, high, *, halvings=60: _bisect(cdf, u, low, high, 5),
        ),
    ),
    hints=(
        "Two tensors in the shape of u, `below` and `above`, hold each entry's interval.",
        "Where F(middle) >= u the interval becomes [below, middle], elsewhere [middle, above].",
        "`torch.where(reached, middle, above)` does it for all entries at once. Work in float64.",
    ),
    why="F(below) < u <= F(above) holds before and after every halving, whether F is smooth or jumps, and F^-(u) is "
    "the one point that all the intervals share. Newton's method would be faster and would need a density.",
    minutes=15,
)
