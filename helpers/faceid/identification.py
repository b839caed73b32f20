"""Identification, one to N: whose face is it, among the people of a gallery (closed set), or is it nobody's (open)?"""

from typing import NamedTuple

import torch
from torch import Tensor


class OpenSet(NamedTuple):
    """The share of known probes that are found, by rank one and over the threshold, and that threshold."""

    rate: Tensor
    threshold: Tensor


def best_of_each(scores: Tensor, gallery: Tensor) -> tuple[Tensor, Tensor]:
    """The best score of a probe with the pictures of each person: scores (P, G), gallery (G,) -> (P, K), people (K,).

    Raises ValueError for other shapes, and for NaN.
    """
    if scores.ndim != 2 or gallery.shape != scores.shape[1:] or scores.numel() == 0:
        raise ValueError(f"scores must be (P, G), gallery (G,), got {tuple(scores.shape)} and {tuple(gallery.shape)}")
    if not scores.isfinite().all():
        raise ValueError("scores must be finite")
    people, index = gallery.unique(return_inverse=True)
    best = scores.new_full((len(scores), len(people)), -torch.inf)
    return best.scatter_reduce(1, index.expand_as(scores), scores, "amax"), people


def ranks(scores: Tensor, probes: Tensor, gallery: Tensor) -> Tensor:
    """1 + how many other people's best score is at least that of the right person: (P,), 1 is right.

    scores (P, G), the larger the more alike; probes (P,) and gallery (G,): who is in the pictures.
    Raises ValueError for other shapes, for NaN, and for a probe whose person is not in the gallery.
    """
    best, people = best_of_each(scores, gallery)
    right = _right(probes, people, len(scores))
    if not right.any(1).all():
        raise ValueError(f"probes must be people of the gallery, got {probes[~right.any(1)].unique().tolist()} as well")
    return 1 + ((best >= best[right][:, None]) & ~right).sum(1)


def cmc(ranks: Tensor, people: int) -> Tensor:
    """The cumulative match characteristic: the share of probes of rank at most r, r = 1 ... people: (people,)."""
    places = torch.arange(1, people + 1, device=ranks.device)
    return (ranks[:, None] <= places).double().mean(0)


def open_set(scores: Tensor, probes: Tensor, gallery: Tensor, far: float) -> OpenSet:
    """The detection and identification rate at a false alarm rate: of the probes whose person is in the gallery, the
    share whose best score is the right person's and at least t; t is the lowest best score of any probe that at most
    the share `far` of the unknown probes reach with anybody, infinity if there is none.

    scores (P, G), probes (P,), gallery (G,) as for `ranks`. Raises ValueError for other shapes, for NaN, unless
    0 <= far <= 1, and unless there are known and unknown probes. Source: Phillips, Grother, Micheals 2011, section 2.
    """
    if not 0 <= far <= 1:
        raise ValueError(f"far must lie in [0, 1], got {far}")
    best, people = best_of_each(scores, gallery)
    right = _right(probes, people, len(scores))
    known = right.any(1)
    if known.all() or not known.any():
        raise ValueError(f"probes must be known and unknown people, got {int(known.sum())} of {len(probes)} known")
    top = best.amax(1)
    t = torch.cat([top.new_tensor([torch.inf]), top.unique().flip(0)])
    alarms = (top[~known] >= t[:, None]).double().mean(1)
    threshold = t[(alarms <= far + 1e-12).sum() - 1]
    first = ((best >= top[:, None]).sum(1) == 1) & ((best >= top[:, None]) & right).any(1)
    return OpenSet((first & (top >= threshold))[known].double().mean(), threshold)


def _right(probes: Tensor, people: Tensor, number: int) -> Tensor:
    if probes.shape != (number,):
        raise ValueError(f"probes must be ({number},), one for each row of scores, got {tuple(probes.shape)}")
    return probes[:, None] == people
