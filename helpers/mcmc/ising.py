"""The Ising model on a small torus, by enumeration and by Gibbs sweeps."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from helpers import runtime


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


def ising_films(betas: Sequence[float], n: int, sweeps: int, *, generator: Generator | None = None) -> Tensor:
    """For each beta one n x n lattice, started from noise and swept `sweeps` times -> (betas, n, n)."""
    lattices = 2 * torch.randint(2, (len(betas), 1, n, n), generator=generator, device=runtime.home(generator)) - 1
    for _ in range(sweeps):
        moved = [ising_sweep(s, b, generator=generator) for s, b in zip(lattices, betas, strict=True)]
        lattices = torch.stack(moved)
    return lattices[:, 0]
