"""The certificate by columns: what a band sees, brute force over all ballots, bad input, and a strong attack."""

import itertools
import math

import pytest
import torch
from torch import Tensor, nn

from helpers import checkpoints, data, runtime
from helpers.physical import columns as C


def generator(seed: int = 0) -> torch.Generator:
    return runtime.generator(seed, "cpu")


def uniform(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=generator(seed))


def toy(width: int = 6, classes: int = 3) -> nn.Module:
    """A linear network of pictures (1, 4, width), two channels."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(2 * 4 * width, classes))
    with torch.no_grad():
        net[1].weight.copy_(3 * torch.randn(classes, 8 * width, generator=generator(1)))
        net[1].bias.zero_()
    return net


@pytest.mark.parametrize("band", [1, 3, 6])
def test_a_band_sees_its_columns_around_the_edge_and_nothing_else(band: int) -> None:
    x, other = uniform(6, 1, 4, 6), uniform(6, 1, 4, 6, seed=1)
    start = torch.arange(6)
    seen = C.ablated(x, start, band)
    assert seen.shape == (6, 2, 4, 6)
    for k in range(6):
        inside = sorted((k + i) % 6 for i in range(band))
        outside = [c for c in range(6) if c not in inside]
        assert torch.equal(seen[k, :1, :, inside], x[k, :, :, inside])
        assert (seen[k].sum(0)[:, inside] == 1).all() and (seen[k][:, :, outside] == 0).all()
        mixed = other[k].clone()
        mixed[:, :, inside] = x[k, :, :, inside]
        assert torch.equal(C.ablated(mixed[None], start[k : k + 1], band)[0], seen[k])


def test_ballots_are_those_of_one_band_at_a_time_in_evaluation_mode() -> None:
    net, x = nn.Sequential(toy(), nn.Dropout(0.5)), uniform(5, 1, 4, 6)
    net.train()
    found = C.ballots(net, x, band=2, theta=0.4, batch=7)
    assert net[1].training and found.shape == (5, 6, 3) and found.dtype == torch.bool
    for n, k in itertools.product(range(5), range(6)):
        one = net[0](C.ablated(x[n : n + 1], torch.tensor([k]), 2)).softmax(1)[0] >= 0.4
        assert torch.equal(found[n, k], one)


@pytest.mark.parametrize(("width", "patch", "band"), [(6, 1, 1), (6, 2, 3), (7, 3, 2), (5, 4, 4), (5, 5, 1), (5, 1, 5)])
def test_a_patch_touches_m_plus_s_less_1_bands_wherever_it_lies(width: int, patch: int, band: int) -> None:
    found = C.touched(width, patch, band)
    assert len(found) == width - patch + 1
    for j, row in enumerate(found):
        seen = [bool({(k + i) % width for i in range(band)} & set(range(j, j + patch))) for k in range(width)]
        assert row.tolist() == seen and sum(seen) == min(patch + band - 1, width)


def reachable(ballots: Tensor, patch: int, band: int) -> Tensor:
    """The least lead of A over every other class that any ballots of the touched bands leave, by trying them all."""
    width, K = ballots.shape
    A = int(ballots.sum(0).argmax())
    least = math.inf
    for row in C.touched(width, patch, band):
        bands = row.nonzero()[:, 0].tolist()
        for choice in itertools.product(itertools.product([False, True], repeat=K), repeat=len(bands)):
            cast = ballots.clone()
            cast[bands] = torch.tensor(choice)
            votes = cast.sum(0)
            least = min(least, *(int(votes[A] - votes[c]) for c in range(K) if c != A))
    return torch.tensor(least)


@pytest.mark.parametrize(("patch", "band"), [(1, 1), (2, 1), (1, 2)])
def test_against_all_ballots_that_a_patch_can_force(patch: int, band: int) -> None:
    """worst_leads is exact; the rule on counts never promises more, and does promise something."""
    p = torch.tensor([0.9, 0.15])
    cast = uniform(60, 7, 2) < p
    worst = C.worst_leads(cast, patch=patch, band=band).flatten(1).amin(1)
    due = torch.stack([reachable(one, patch, band) for one in cast])
    assert torch.equal(worst, due.double())
    votes = cast.sum(1)
    certified = C.column_smoothing_certificate(votes, patch=patch, band=band).certified
    assert certified.any() and not certified.all() and (due[certified] > 0).all()
    most = votes.topk(2).values
    assert (worst >= most[:, 0] - most[:, 1] - 2 * (patch + band - 1)).all()


def test_a_lead_of_twice_the_bands_is_a_tie_that_a_patch_can_force() -> None:
    """With lead 2 (m + s - 1) = 4 there are ballots where the larger label loses its tie: > must not be >=."""
    cast = torch.zeros(1, 7, 2, dtype=torch.bool)
    cast[0, :5, 1], cast[0, 5, 0] = True, True
    votes = cast.sum(1)
    assert votes.tolist() == [[1, 5]] and int(reachable(cast[0], 2, 1)) == 0
    after = votes + torch.tensor([[2, -2]])
    assert after.argmax(1).tolist() == [0] and C.column_smoothing_certificate(votes, patch=2, band=1).prediction == 1
    assert not C.column_smoothing_certificate(votes, patch=2, band=1).certified
    assert C.column_smoothing_certificate(votes, patch=1, band=1).certified


def test_ties_and_patches_as_wide_as_the_picture_are_never_certified() -> None:
    tie = torch.tensor([[4, 4, 0], [0, 3, 3]])
    found = C.column_smoothing_certificate(tie, patch=1, band=1)
    assert found.prediction.tolist() == [0, 1] and not found.certified.any()
    sure = torch.tensor([[28, 0]])
    widths = [m for m in range(1, 40) if C.column_smoothing_certificate(sure, patch=m, band=1).certified]
    assert widths == list(range(1, 14))  # 28 > 2 m


@pytest.mark.parametrize(
    ("votes", "patch", "band", "message"),
    [
        (torch.ones(2, 3), 1, 1, "votes must be whole numbers"),
        (torch.full((2, 3), math.nan), 1, 1, "votes must be whole numbers"),
        (torch.ones(3, dtype=torch.int64), 1, 1, "votes must be whole numbers"),
        (torch.ones(2, 1, dtype=torch.int64), 1, 1, "K >= 2"),
        (torch.tensor([[5, -1]]), 1, 1, "votes must lie in"),
        (torch.tensor([[5, 1]]), 0, 1, "patch must be an integer of at least 1, got 0"),
        (torch.tensor([[5, 1]]), 1, 0, "band must be an integer of at least 1, got 0"),
        (torch.tensor([[5, 1]]), -3, 1, "patch must be"),
        (torch.tensor([[5, 1]]), 1.5, 1, "patch must be"),
    ],
)
def test_bad_votes_certify_nothing(votes: Tensor, patch: int, band: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        C.column_smoothing_certificate(votes, patch=patch, band=band)


def test_bad_networks_and_widths_beyond_the_picture_are_named() -> None:
    x = uniform(2, 1, 4, 6)
    for model, message in (
        (lambda z: toy()(z) * math.nan, "finite logits"),
        (lambda z: toy()(z)[:1], r"logits \(12, K\)"),
        (lambda z: toy()(z)[:, :1], "K >= 2"),
        (lambda z: z, r"logits \(12, K\)"),
    ):
        with pytest.raises(ValueError, match=message):
            C.ballots(model, x, band=2)  # type: ignore[arg-type]
    for theta in (0.0, 1.0, math.nan):
        with pytest.raises(ValueError, match="theta must lie"):
            C.ballots(toy(), x, band=2, theta=theta)
    with pytest.raises(ValueError, match="band must be at most the width of the picture, 6, got 7"):
        C.ballots(toy(), x, band=7)
    with pytest.raises(ValueError, match=r"x must lie in \[0, 1\]"):
        C.ballots(toy(), x * math.nan, band=2)
    cast = C.ballots(toy(), x, band=2)
    with pytest.raises(ValueError, match="patch must be at most the width of the picture, 6, got 7"):
        C.worst_leads(cast, patch=7, band=2)
    with pytest.raises(ValueError, match="truth values"):
        C.worst_leads(cast.float(), patch=1, band=2)
    with pytest.raises(ValueError, match="start must be"):
        C.ablated(x, torch.tensor([0, 6]), 2)
    found = C.column_smoothing_certificate(cast.sum(1), patch=1, band=1)
    with pytest.raises(ValueError, match="y must hold 2 labels"):
        C.certified_accuracy(found, torch.zeros(3, dtype=torch.int64))


@pytest.mark.parametrize(("patch", "band"), [(2, 2), (4, 4)])
def test_a_strong_patch_never_beats_a_certificate_and_often_what_has_none(patch: int, band: int) -> None:
    model = checkpoints.load("mnist_columns", "cpu")
    x = data.load("mnist").x_test[:24]
    cast = C.ballots(model, x, band=band)
    found = C.column_smoothing_certificate(cast.sum(1), patch=patch, band=band)
    x_adv = C.strip_attack(model, x, patch=patch, band=band, steps=15, places=2, generator=generator())
    changed = (x_adv != x).any(2).any(1)
    for row in changed:
        where = row.nonzero()[:, 0]
        assert len(where) == 0 or int(where[-1] - where[0]) < patch
    assert ((0 <= x_adv) & (x_adv <= 1)).all()
    left = C.least_lead(C.ballots(model, x_adv, band=band), found.prediction)
    assert (left >= C.worst_leads(cast, patch=patch, band=band).flatten(1).amin(1)).all()
    assert found.certified.any() and (left[found.certified] > 0).all()
    assert (left < C.least_lead(cast, found.prediction)).double().mean() > 0.9
    assert (left[~found.certified] <= 0).any()
