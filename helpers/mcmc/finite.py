r"""Chains on finitely many states, where everything can be computed: mixing, Metropolis and Gibbs matrices, Ising."""

import math

import torch
from torch import Generator, Tensor

from helpers import runtime


def transition_matrix(matrix: Tensor) -> Tensor:
    r"""P in float64, each row divided by its sum. Raises ValueError unless P is square, P_ij >= 0, sum_j P_ij = 1."""
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"a transition matrix is square, got shape {tuple(matrix.shape)}")
    p = matrix.double()
    rows = p.sum(1, keepdim=True)
    if not ((p >= 0).all() and torch.allclose(rows, torch.ones_like(rows), atol=1e-5)):
        sums = [round(v, 4) for v in rows[:, 0].tolist()]
        raise ValueError(f"entries must be >= 0 and rows must sum to 1, got minimum {p.min():.3g}, sums {sums}")
    return p / rows


def stationary_distribution(matrix: Tensor) -> Tensor:
    r"""The law that one step leaves alone: pi P = pi, sum_i pi_i = 1.

    P (k, k) stochastic -> pi (k,) in float64. Raises ValueError when P is not stochastic, or when pi is not unique
    (the chain has two or more closed classes). A periodic chain has a stationary law too, and does not converge to it.
    The k equations (P.T - I) pi + sum pi = 1 say both: added up they are k sum pi = k, since P's rows sum to 1.
    """
    p = transition_matrix(matrix)
    k = len(p)
    change = p.T - torch.eye(k, dtype=p.dtype, device=p.device)
    if torch.linalg.matrix_rank(change, rtol=1e-12) < k - 1:
        raise ValueError("the chain has more than one closed class of states, so its stationary law is not unique")
    return torch.linalg.solve(change + 1, p.new_ones(k)).clamp(min=0)  # change pi + sum pi = 1; transient: rounding


def is_reversible(matrix: Tensor, law: Tensor | None = None, *, tolerance: float = 1e-9) -> bool:
    r"""Detailed balance: pi_i P_ij = pi_j P_ji for all i, j, to within `tolerance`.

    P (k, k), pi (k,) or None for the stationary law of P. Every two-state chain passes: judge with three or more.
    """
    p = transition_matrix(matrix)
    pi = stationary_distribution(p) if law is None else law
    flow = pi[:, None] * p
    return bool(((flow - flow.T).abs() <= tolerance).all())


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

    It is 1 for a periodic chain and for one with two closed classes.
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
        u = torch.rand(len(first), 1, generator=generator, dtype=torch.float64, device=first.device)
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


def mixing_rates(count: int, *, generator: Generator | None = None) -> Tensor:
    """Of `count` random reversible chains on six states |lambda_2| and the rate measured from state 0 -> (count, 2)."""
    rates, device = [], runtime.home(generator)
    for k in range(count):
        law = torch.rand(6, generator=generator, dtype=torch.float64, device=device) + 0.05
        proposal = torch.rand(6, 6, generator=generator, dtype=torch.float64, device=device).pow(k % 4 + 1)
        P = metropolis_matrix(law, proposal / proposal.sum(1, keepdim=True))
        first = torch.eye(6, dtype=torch.float64, device=device)[0]
        rates.append((second_eigenvalue(P), mixing_rate(P, first, steps=400)))
    return torch.tensor(rates, dtype=torch.float64)


def gibbs_matrices(table: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    r"""Gibbs on a joint table pi(a, b) (m, n): the matrices that draw a given b, and b given a, on the m n states
    (row by row), and their mean, the random scan. Their product is the systematic scan: stationary, seldom reversible.
    """
    m, n = table.shape
    pi = table.double() / table.sum()
    draw_a = torch.einsum("cb,bd->bcd", pi / pi.sum(0), torch.eye(n).to(pi))  # from (., b) to (c, b)
    draw_b = torch.einsum("ad,ac->acd", pi / pi.sum(1, keepdim=True), torch.eye(m).to(pi))
    first = draw_a.expand(m, n, m, n).reshape(m * n, m * n)
    second = draw_b[:, None].expand(m, n, m, n).reshape(m * n, m * n)
    return first, second, (first + second) / 2
