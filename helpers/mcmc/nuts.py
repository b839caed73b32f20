"""The no-U-turn sampler: Hamiltonian paths that find their own length."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Generator, Tensor

from helpers.mcmc.hamiltonian import DIVERGENT, kinetic, momentum, path
from helpers.mcmc.state import Chain, Info, LogProb, dot, positive, with_gradient

T = TypeVar("T")


class End(NamedTuple):
    """One end of a path."""

    at: Chain
    p: Tensor  # (k, d)


class Path(NamedTuple):
    """The paths of k of the chains: from a first to a last end, one of the points, the weight of all."""

    row: Tensor  # (k,) which chains
    first: End
    last: End
    chosen: Chain  # drawn from the path's points z with probability e^-H(z) / weight
    log_weight: Tensor  # (k,) the logarithm of sum e^(H_0 - H) over the points, H_0 the energy of the start


Leap = Callable[[Tensor, End], Path]
"""(row, end) -> the path of one point, a leapfrog step beyond the end; the chains that diverge there are missing."""

Seen = list[tuple[Tensor, Tensor]]


def nuts_step(
    log_prob: LogProb,
    s: Chain,
    *,
    step_size: float,
    generator: Generator | None = None,
    mass: Tensor | None = None,
    doublings: int = 10,
) -> tuple[Chain, Info]:
    r"""p ~ N(0, M). Then, up to `doublings` times: turn the path round with probability 1/2, and go on from its end for
    as many leapfrog steps as it has points. Stop when the path is `turned`, or when the new half diverges or holds a
    part that is turned; then the new half does not count. The next state is one of the path's points, by e^-H.

    s.x (chains, d), mass the diagonal of M (d,) or None for I -> the next state. log_accept is the log of the mean of
    min(1, e^(H_0 - H)) over the new points, to tune the step by; gradients is their number, a mean over the chains.
    Only chains that are still under way are evaluated: if they have densities of their own, log_prob needs a method
    rows(row) that gives the density of the chains `row` (k,).
    Raises ValueError unless step_size > 0, doublings >= 1 and mass > 0.
    Sources: Hoffman & Gelman 2014, algorithm 3; Betancourt 2017, appendix A.3.
    """
    positive(step_size)
    if doublings < 1:
        raise ValueError(f"doublings must be at least 1, got {doublings}")
    s, p = with_gradient(s, log_prob), momentum(s.x, mass, generator)
    seen: Seen = []
    leap = partial(_leap, log_prob, step_size, mass, s.log_prob - kinetic(p, mass), seen)
    state, here = s, End(s, p)
    whole = Path(torch.arange(len(p), device=p.device), here, here, s, torch.zeros_like(s.log_prob))
    for depth in range(doublings):
        whole = turn_round(whole, uniform(whole, generator) <= 0.5)
        new = grow(leap, whole.row, whole.last, depth, generator)
        whole = only(whole, new.row)
        whole = join(whole, new, generator, eager=True)
        state = Chain(*(to.index_copy(0, whole.row, part) for to, part in zip(state, whole.chosen, strict=True)))
        whole = keep(whole, ~turned(whole.first, whole.last))
        if not len(whole.row):
            break
    return state, _info(s, state, seen)


def grow(leap: Leap, row: Tensor, end: End, depth: int, generator: Generator | None) -> Path:
    """The 2^depth points beyond an end, each with its share of the weight; chains that diverge or turn drop out."""
    if not depth:
        return leap(row, end)
    near = grow(leap, row, end, depth - 1, generator)
    if not len(near.row):
        return near
    far = grow(leap, near.row, near.last, depth - 1, generator)
    near = only(near, far.row)
    both = join(near, far, generator)
    return keep(both, ~turned(both.first, both.last))


def turned(first: End, last: End) -> Tensor:
    r"""(y - x)^T p <= 0 or (y - x)^T q <= 0 at the ends (x, p), (y, q): going on brings them no further apart (k,)."""
    apart = last.at.x - first.at.x
    return (dot(apart, first.p) <= 0) | (dot(apart, last.p) <= 0)


def turn_round(path: Path, flip: Tensor) -> Path:
    """Where `flip` (k,), the path is walked from its last end to its first, with all momenta negated."""
    back = [end._replace(p=-end.p) for end in (path.last, path.first)]
    first, last = (where(flip, *ends) for ends in zip(back, (path.first, path.last), strict=True))
    return path._replace(first=first, last=last)


def join(near: Path, far: Path, generator: Generator | None, *, eager: bool = False) -> Path:
    """The path through both halves. Its point is that of the far one with probability w_far / (w_near + w_far), which
    makes it a draw from all their points, or, if `eager`, with min(1, w_far / w_near): further from the start."""
    weight = torch.logaddexp(near.log_weight, far.log_weight)
    take = uniform(far, generator).log() <= far.log_weight - (near.log_weight if eager else weight)
    return Path(near.row, near.first, far.last, where(take, far.chosen, near.chosen), weight)


def _leap(
    log_prob: LogProb, step_size: float, mass: Tensor | None, log_start: Tensor, seen: Seen, row: Tensor, end: End
) -> Path:
    density = log_prob.rows(row) if hasattr(log_prob, "rows") else log_prob
    at, p = path(density, end.at, end.p, step_size, 1, mass)
    log_weight = at.log_prob - kinetic(p, mass) - log_start[row]
    seen.append((row, log_weight))
    return keep(Path(row, End(at, p), End(at, p), at, log_weight), log_weight >= DIVERGENT)


def _info(s: Chain, state: Chain, seen: Seen) -> Info:
    """The events of the step from s to state, whose paths have seen points of these chains with these log weights."""
    row, log_weight = map(torch.cat, zip(*seen, strict=True))
    accepted = log_weight.clamp(max=0).exp().nan_to_num(nan=0)
    points = torch.bincount(row, minlength=len(s.x))
    mean = torch.zeros_like(s.log_prob).index_add_(0, row, accepted) / points
    divergent = torch.zeros_like(points, dtype=torch.bool)
    divergent[row[~(log_weight >= DIVERGENT)]] = True
    return Info(state.x, mean.log(), (state.x != s.x).any(1), divergent, gradients=len(row) / len(s.x))


def uniform(path: Path, generator: Generator | None) -> Tensor:
    """u ~ U(0, 1] for each of its chains (k,)."""
    like = path.log_weight
    return 1 - torch.rand(like.shape, generator=generator, device=like.device, dtype=like.dtype)


def only(path: Path, row: Tensor) -> Path:
    """The chains `row`, some of those of the path."""
    return path if len(row) == len(path.row) else keep(path, torch.isin(path.row, row))


def keep(path: Path, good: Tensor) -> Path:
    """The chains where `good` (k,)."""
    return path if good.all() else each(lambda t: t[good], path)


def where(condition: Tensor, a: T, b: T) -> T:
    """a where the condition (k,) holds, else b."""
    return each(lambda u, v: torch.where(condition[:, None] if u.ndim == 2 else condition, u, v), a, b)


def each(f: Callable[..., Tensor], *trees: T) -> T:
    """f of every tensor of a nested tuple, side by side."""
    first: Any = trees[0]
    if isinstance(first, Tensor):
        return f(*trees)  # type: ignore[return-value]
    return type(first)(*(each(f, *parts) for parts in zip(*trees, strict=True)))
