r"""Chains on finitely many states, where everything can be computed: mixing, Metropolis and Gibbs matrices, Ising."""

import math
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from helpers.mcmc import stationary_distribution, transition_matrix

PERIODIC = ((0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (1.0, 0.0, 0.0))
REDUCIBLE = ((0.5, 0.5, 0.0, 0.0), (0.5, 0.5, 0.0, 0.0), (0.0, 0.0, 0.5, 0.5), (0.0, 0.0, 0.5, 0.5))
"""The two ways to fail: a stationary law that is not approached, and one that is not unique."""


def laws(matrix: Tensor, first: Tensor, steps: int) -> Tensor:
    """The law after 0, ..., steps steps: first (k,) -> (steps + 1, k), row t is first P^t."""
    p, law = transition_matrix(matrix), first.double()
    if law.shape != (len(p),) or not ((law >= 0).all() and math.isclose(float(law.sum()), 1, abs_tol=1e-6)):
        raise ValueError(f"first must be a law on {len(p)} states, got {law.tolist()}")
    rows = [law]
    for _ in range(steps):
        rows.append(rows[-1] @ p)
    return torch.stack(rows)


def total_variation(p: Tensor, q: Tensor) -> Tensor:
    r"""1/2 sum_i |p_i - q_i| along the last dimension."""
    return (p - q).abs().sum(-1) / 2


def second_eigenvalue(matrix: Tensor) -> float:
    r"""|lambda_2|, the second largest modulus: the distance to pi falls like |lambda_2|^t; 1 - |lambda_2| is the gap.

    It is 1 for a periodic and for a reducible chain.
    """
    p = transition_matrix(matrix)
    if len(p) < 2:
        raise ValueError("a chain needs at least two states to have a second eigenvalue")
    return float(torch.linalg.eigvals(p).abs().sort(descending=True).values[1])


def mixing_rate(matrix: Tensor, first: Tensor, steps: int = 60) -> float:
    """The measured factor per step at which the total variation to pi falls, over the later half of the steps in which
    it is above 1e-9 (below, rounding is measured). Raises ValueError when it is below after one step."""
    distance = total_variation(laws(matrix, first, steps), stationary_distribution(matrix))
    last = int((distance > 1e-9).sum()) - 1
    if last < 1:
        raise ValueError(
            "the chain starts in its stationary law, or reaches it in one step: there is no rate to measure"
        )
    return float((distance[last] / distance[last // 2]) ** (1 / (last - last // 2)))


def simulate(matrix: Tensor, first: Tensor, steps: int, *, generator: Generator | None = None) -> Tensor:
    """Paths of a chain: first (chains,) int -> (chains, steps + 1) int, the next state drawn by inverse transform."""
    cumulative = transition_matrix(matrix).cumsum(1)
    path = [first]
    for _ in range(steps):
        u = torch.rand(len(first), 1, generator=generator, dtype=torch.float64)
        path.append(torch.searchsorted(cumulative[path[-1]], u).clamp(max=len(cumulative) - 1)[:, 0])
    return torch.stack(path, dim=1)


def path_log_probability(matrix: Tensor, path: Tensor) -> Tensor:
    r"""log pi(x_0) + sum_t log P(x_t, x_{t+1}) of stationary paths (chains, steps + 1). Under detailed balance the path
    run backwards, path.flip(1), has the same probability, of whatever length."""
    p = transition_matrix(matrix)
    return stationary_distribution(p)[path[:, 0]].log() + p[path[:, :-1], path[:, 1:]].log().sum(1)


def metropolis_matrix(law: Tensor, proposal: Tensor) -> Tensor:
    r"""P_ij = Q_ij min(1, pi_j Q_ji / (pi_i Q_ij)) for i != j, and the rest of each row stays where it is.

    law (k,) > 0 up to a factor, proposal Q (k, k) stochastic -> (k, k) in float64.
    """
    q, pi = transition_matrix(proposal), law.double()
    if pi.shape != (len(q),) or not (pi > 0).all():
        raise ValueError(f"law must hold {len(q)} positive numbers, got {pi.tolist()}")
    flow = pi[:, None] * q
    p = torch.minimum(flow, flow.T) / pi[:, None]
    return p + torch.diag(1 - p.sum(1))


def gibbs_matrices(table: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    r"""Gibbs on a joint table pi(a, b) (m, n): the matrices that draw a given b, and b given a, on the m n states
    (row by row), and their mean, the random scan. Their product is the systematic scan: stationary, seldom reversible.
    """
    m, n = table.shape
    pi = table.double() / table.sum()
    draw_a = torch.einsum("cb,bd->bcd", pi / pi.sum(0), torch.eye(n, dtype=torch.float64))  # from (., b) to (c, b)
    draw_b = torch.einsum("ad,ac->acd", pi / pi.sum(1, keepdim=True), torch.eye(m, dtype=torch.float64))
    first = draw_a.expand(m, n, m, n).reshape(m * n, m * n)
    second = draw_b[:, None].expand(m, n, m, n).reshape(m * n, m * n)
    return first, second, (first + second) / 2


# Ising --------------------------------------------------------------------------------------------------------------


class IsingMoments(NamedTuple):
    """Exact expectations under pi(s), proportional to exp(beta sum over neighbours s_i s_j)."""

    energy: float  # E[-sum over neighbours s_i s_j] per spin
    magnetisation: float  # E|sum s_i| per spin
    neighbour: float  # E[s_i s_j] of neighbours


def ising_energy(spins: Tensor) -> Tensor:
    r"""-sum over neighbours s_i s_j on the torus: spins (..., n, n) of +-1 -> (...)."""
    s = spins.double()
    return -(s * s.roll(1, -1) + s * s.roll(1, -2)).sum((-2, -1))


def ising_exact(beta: float, n: int = 4) -> IsingMoments:
    """Sum over all 2^(n n) states of the n x n torus, n = 2, 3 or 4. Raises ValueError otherwise (2^25 states)."""
    if n not in (2, 3, 4):
        raise ValueError(f"enumeration is for n = 2, 3 or 4, got {n}")
    bits = torch.arange(2 ** (n * n))[:, None] >> torch.arange(n * n) & 1
    states = (2 * bits - 1).to(torch.int8).reshape(-1, n, n)
    energy = ising_energy(states)
    weight = (-beta * energy).softmax(0)
    size = (states.sum((1, 2), dtype=torch.float64) / n**2).abs()
    mean = float(weight @ energy) / n**2
    return IsingMoments(mean, float(weight @ size), -mean / 2)


def ising_sweep(spins: Tensor, beta: float, *, generator: Generator | None = None) -> Tensor:
    r"""One Gibbs sweep, black squares and then white: P(s_i = +1 | rest) = sigma(2 beta sum over neighbours s_j).

    spins (chains, n, n) of +-1, n even (on an odd torus neighbours share a colour) -> the same shape.
    Source: Geman & Geman 1984.
    """
    n = spins.shape[-1]
    if n % 2 or spins.shape[-2] != n:
        raise ValueError(f"the checkerboard needs an even, square lattice, got {tuple(spins.shape[-2:])}")
    if not (spins.abs() == 1).all():
        raise ValueError("spins must be +1 or -1")
    i = torch.arange(n, device=spins.device)
    colour = (i[:, None] + i) % 2
    s = spins
    for c in (0, 1):
        field = s.roll(1, -1) + s.roll(-1, -1) + s.roll(1, -2) + s.roll(-1, -2)
        u = torch.rand(s.shape, generator=generator, device=s.device)
        drawn = torch.where(u < (2 * beta * field.float()).sigmoid(), 1, -1).to(s.dtype)
        s = torch.where(colour == c, drawn, s)
    return s
