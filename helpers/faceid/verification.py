"""Verification, one to one: a pair is accepted when its score, the larger the more alike, reaches a threshold t.

FAR(t): the share of impostor pairs, of two people, that are accepted. TAR(t): that of genuine pairs; FRR = 1 - TAR.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from helpers import checks


class Roc(NamedTuple):
    """FAR and TAR (..., T), both growing from 0 to 1, at the falling thresholds (T,): infinity, then every score."""

    far: Tensor
    tar: Tensor
    threshold: Tensor


def pairs(people: Tensor) -> tuple[Tensor, Tensor]:
    """All pairs i < j of N pictures, (N (N - 1) / 2,) each; they are genuine where people[i] == people[j].

    people (N,) of whole numbers. Raises ValueError for others.
    """
    if people.ndim != 1 or people.is_floating_point() or people.is_complex():
        raise ValueError(f"people must be whole numbers (N,), got {tuple(people.shape)} of {people.dtype}")
    i, j = torch.triu_indices(len(people), len(people), 1, device=people.device)
    return i, j


def check_scores(scores: Tensor, same: Tensor) -> None:
    """Raise ValueError unless scores (M,) are finite numbers, same (M,) truth values, and both kinds are among them."""
    if scores.ndim != 1 or scores.shape != same.shape or same.dtype != torch.bool:
        raise ValueError(
            f"scores and same must be numbers and truth values (M,), got {tuple(scores.shape)} of {scores.dtype} "
            f"and {tuple(same.shape)} of {same.dtype}"
        )
    if not scores.isfinite().all():
        raise ValueError(f"scores must be finite, got {int((~scores.isfinite()).sum())} that are not")
    if same.all() or not same.any():
        raise ValueError(f"same must hold genuine and impostor pairs, got {int(same.sum())} of {len(same)} genuine")


def roc(scores: Tensor, same: Tensor, weights: Tensor | None = None) -> Roc:
    r"""FAR(t) = sum_m w_m [s_m >= t, impostor] / sum_m w_m [impostor],  TAR(t) = the same over the genuine pairs.

    scores (M,), same (M,) of truth values, weights w (..., M) >= 0, 1 by default -> FAR, TAR (..., T) in float64.
    Raises ValueError for other shapes, for NaN, and unless pairs of both kinds are there.
    """
    check_scores(scores, same)
    order = scores.argsort(descending=True)
    s, genuine = scores[order], same[order].double()
    w = torch.ones_like(genuine) if weights is None else weights.double()[..., order]
    last = torch.cat([s[1:] != s[:-1], s.new_ones(1, dtype=torch.bool)])  # of pairs that share a score

    def share(kind: Tensor) -> Tensor:
        accepted = (w * kind).cumsum(-1)
        return torch.nn.functional.pad(accepted[..., last] / accepted[..., -1:], (1, 0))

    return Roc(share(1 - genuine), share(genuine), torch.cat([s.new_tensor([math.inf]), s[last]]))


def equal_error_rate(curve: Roc) -> Tensor:
    """FAR where it equals FRR, on the straight line between the two thresholds around it: (...) in [0, 1]."""
    gap = 1 - curve.tar - curve.far  # falls from 1 to -1
    after = (gap <= 0).to(torch.uint8).argmax(-1, keepdim=True)
    (g0, g1), (f0, f1) = ((part.gather(-1, after - 1), part.gather(-1, after)) for part in (gap, curve.far))
    return (f0 + (f1 - f0) * g0 / (g0 - g1)).squeeze(-1)


def area(curve: Roc) -> Tensor:
    """The area under the curve, P(genuine score > impostor score) + P(equal) / 2: (...) in [0, 1]."""
    return torch.trapezoid(curve.tar, curve.far)


def far_at(curve: Roc, threshold: float) -> Tensor:
    """FAR of accepting from a threshold on: (...). A threshold above all scores accepts nobody."""
    return curve.far[..., int((curve.threshold >= threshold).sum()) - 1]


def tar_within(curve: Roc, far: float) -> Tensor:
    """The largest TAR with FAR <= far, nothing interpolated: (...). Raises ValueError unless 0 <= far <= 1."""
    return curve.tar.gather(-1, last_within(curve, far)).squeeze(-1)


def last_within(curve: Roc, far: float) -> Tensor:
    """The index (..., 1) of the lowest threshold with FAR <= far. Raises ValueError unless 0 <= far <= 1."""
    if not 0 <= far <= 1:
        raise ValueError(f"far must lie in [0, 1], got {far}")
    return (curve.far <= far + 1e-12).sum(-1, keepdim=True) - 1  # 3 of 30 impostors are 0.1


def roc_and_eer(scores: Tensor, same: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    r"""FAR and TAR at t = infinity and at every score from the highest down, and the error where FAR = 1 - TAR,
    on the straight line between the two thresholds around it.

    scores (M,), the larger the more alike; same (M,) of truth values -> FAR (T,), TAR (T,), EER () in float64.
    Raises ValueError for other shapes, for NaN, and unless pairs of both kinds are there.
    """
    check_scores(scores, same)
    t = torch.cat([scores.new_tensor([math.inf]), scores.unique().flip(0)])
    far, tar = (1 - torch.searchsorted(scores[kind].sort().values, t) / kind.sum().double() for kind in (~same, same))
    gap = 1 - tar - far
    k = int((gap > 0).sum())
    return far, tar, far[k - 1] + (far[k] - far[k - 1]) * gap[k - 1] / (gap[k - 1] - gap[k])


def tar_at_far(scores: Tensor, same: Tensor, far: float) -> Tensor:
    """The largest TAR among the thresholds with FAR(t) <= far: () in float64. Nothing is interpolated.

    Raises ValueError as `roc` does, and unless 0 <= far <= 1.
    """
    return tar_within(roc(scores, same), far)


def threshold_at_far(scores: Tensor, same: Tensor, far: float) -> Tensor:
    """The lowest score t with FAR(t) <= far, infinity if there is none: pairs with score >= t are accepted.

    Raises ValueError as `roc` does, and unless 0 <= far <= 1.
    """
    curve = roc(scores, same)
    return curve.threshold[last_within(curve, far)].squeeze(-1)


def interval_over_people(
    metric: Callable[[Roc], Tensor],
    scores: Tensor,
    people: tuple[Tensor, Tensor],
    *,
    draws: int = 500,
    level: float = 0.95,
    generator: torch.Generator | None = None,
) -> tuple[float, float]:
    """The bootstrap interval of metric(roc) when other people had come: percentiles over draws of people.

    P people are drawn from P with replacement; who is drawn c times counts c times in genuine pairs, and a pair of two
    people c_1 c_2 times. Pairs of pictures are far from independent, people are not: so people are drawn, not pairs.
    metric maps a Roc of (..., T) to (...), as `equal_error_rate` and `area` do; scores (M,) of pairs; people: who is
    in the first and who in the second picture of each, (M,) both. Raises ValueError for fewer than five people.
    """
    checks.whole("draws", draws)
    checks.level(1 - level)
    names, who = torch.stack(people).unique(return_inverse=True)
    if len(names) < 5:
        raise ValueError(f"people must be at least five, got {len(names)}")
    same, found = who[0] == who[1], []
    for start in range(0, draws, 25):  # so that the weights fit into memory
        drawn = torch.randint(
            len(names), (min(25, draws - start), len(names)), generator=generator, device=scores.device
        )
        times = torch.zeros(drawn.shape, dtype=torch.float64, device=scores.device)
        times.scatter_add_(1, drawn, torch.ones_like(times))
        weights = times[:, who[0]] * torch.where(same, 1, times[:, who[1]])
        found.append(metric(roc(scores, same, weights)))
    low, high = torch.cat(found).quantile(torch.tensor([1 - level, 1 + level]).double().to(scores.device) / 2).tolist()
    return low, high
