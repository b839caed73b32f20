import math

import pytest
import torch
from torch import Tensor

from helpers import faceid as A


def some(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    probes, gallery = torch.randint(0, 6, (40,), generator=g), torch.arange(12) % 4
    return torch.randn(40, 12, generator=g) + (probes[:, None] == gallery), probes, gallery


@pytest.mark.parametrize("seed", range(3))
def test_ranks_and_the_curve_by_counting(seed: int) -> None:
    scores, probes, gallery = some(seed)
    known = probes < 4
    scores, probes = scores[known], probes[known]
    found = []
    for row, person in zip(scores.tolist(), probes.tolist(), strict=True):
        best = {p: max(s for s, q in zip(row, gallery.tolist(), strict=True) if q == p) for p in range(4)}
        found.append(sum(best[p] >= best[person] for p in range(4)))
    assert A.ranks(scores, probes, gallery).tolist() == found
    shares = [sum(r <= k for r in found) / len(found) for k in range(1, 5)]
    assert A.cmc(torch.tensor(found), 4).tolist() == pytest.approx(shares) and shares[-1] == 1


def test_a_tie_counts_against_the_probe() -> None:
    scores, gallery = torch.tensor([[1.0, 1.0, 0.0]]), torch.arange(3)
    assert A.ranks(scores, torch.tensor([0]), gallery) == 2
    assert A.open_set(torch.cat([scores, scores - 5]), torch.tensor([0, 9]), gallery, 0.0).rate == 0


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("far", [0.0, 0.2, 0.5, 1.0])
def test_the_open_set_by_trying_every_threshold(seed: int, far: float) -> None:
    scores, probes, gallery = some(seed)
    known, top = probes < 4, scores.amax(1)
    right = gallery[scores.argmax(1)] == probes
    allowed = [t for t in [math.inf, *top.tolist()] if (top[~known] >= t).double().mean() <= far]
    rate = float((right & (top >= min(allowed)))[known].double().mean())
    assert A.open_set(scores, probes, gallery, far) == (rate, min(allowed))


def test_bad_input_is_named() -> None:
    scores, probes, gallery = some(0)
    with pytest.raises(ValueError, match=r"probes must be people of the gallery, got \[4, 5\] as well"):
        A.ranks(scores, probes, gallery)
    with pytest.raises(ValueError, match=r"scores must be \(P, G\)"):
        A.ranks(scores, probes, gallery[:5])
    with pytest.raises(ValueError, match=r"probes must be \(40,\), .* got \(3,\)"):
        A.ranks(scores, probes[:3], gallery)
    with pytest.raises(ValueError, match="scores must be finite"):
        A.ranks(scores * math.nan, probes, gallery)
    with pytest.raises(ValueError, match="known and unknown people, got 40 of 40 known"):
        A.open_set(scores, probes % 4, gallery, 0.1)
    with pytest.raises(ValueError, match="far must lie"):
        A.open_set(scores, probes, gallery, 2.0)
