import math

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score, roc_curve
from torch import Tensor

from helpers import faceid as A


def some(n: int = 300, seed: int = 0, ties: bool = False) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    same = torch.rand(n, generator=g) < 0.3
    scores = torch.randn(n, generator=g) + same
    return (scores.mul(3).round() if ties else scores), same


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_curve_is_scikit_learns(ties: bool, weighted: bool) -> None:
    scores, same = some(ties=ties)
    w = torch.rand(len(same), generator=torch.Generator().manual_seed(1)) if weighted else None
    far, tar, threshold = A.roc(scores, same, w)
    theirs = roc_curve(same, scores, sample_weight=w, drop_intermediate=False)
    for ours, their in zip((far, tar, threshold), theirs, strict=True):
        np.testing.assert_allclose(ours, their, atol=1e-12)
    assert float(A.area(A.Roc(far, tar, threshold))) == pytest.approx(roc_auc_score(same, scores, sample_weight=w))


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_the_short_form_is_the_curve_and_its_equal_error(ties: bool, seed: int) -> None:
    scores, same = some(seed=seed, ties=ties)
    curve = A.roc(scores, same)
    far, tar, eer = A.roc_and_eer(scores, same)
    torch.testing.assert_close((far, tar), (curve.far, curve.tar))
    assert float(eer) == pytest.approx(float(A.equal_error_rate(curve)), abs=1e-12)


def test_equal_errors_by_hand() -> None:
    """Two of four genuine and one of two impostors on the wrong side; none; all; one score for everybody."""
    same = torch.tensor([True, True, True, True, False, False])
    for scores, expected in (
        ([9.0, 8, 2, 1, 7, 0], 0.5),
        ([9.0, 8, 7, 6, 1, 0], 0.0),
        ([0.0, 1, 2, 3, 8, 9], 1.0),
        ([1.0, 1, 1, 1, 1, 1], 0.5),
        ([9.0, 8, 7, 4, 5, 1], 0.25),  # FAR 0 -> 1/2 while FRR is 1/4
    ):
        assert float(A.roc_and_eer(torch.tensor(scores), same)[2]) == expected
        assert float(A.equal_error_rate(A.roc(torch.tensor(scores), same))) == expected


@pytest.mark.parametrize("far", [0.0, 0.01, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("ties", [False, True])
def test_tar_and_threshold_by_trying_every_score(far: float, ties: bool) -> None:
    scores, same = some(ties=ties)
    tried = [
        (float((scores[same] >= t).double().mean()), -t)
        for t in [math.inf, *scores.tolist()]
        if (scores[~same] >= t).double().mean() <= far
    ]
    tar, threshold = max(tried)[0], -max(t for _, t in tried)
    assert float(A.tar_at_far(scores, same, far)) == tar
    assert float(A.threshold_at_far(scores, same, far)) == threshold
    assert (scores[~same] >= threshold).double().mean() <= far


def test_far_at_a_threshold_is_the_share_of_impostors_from_it_on() -> None:
    scores, same = torch.tensor([0.9, 0.8, 0.8, 0.3, 0.1]), torch.tensor([True, False, True, False, False])
    weights = torch.tensor([[1.0, 1, 1, 1, 1], [1, 4, 1, 1, 1]])
    for threshold, expected in ((1.0, (0, 0)), (0.8, (1 / 3, 4 / 6)), (0.5, (1 / 3, 4 / 6)), (0.0, (1, 1))):
        assert float(A.far_at(A.roc(scores, same), threshold)) == pytest.approx(expected[0])
        assert A.far_at(A.roc(scores, same, weights), threshold).tolist() == pytest.approx(expected)


def test_a_share_of_impostors_that_floats_cannot_hold_is_still_reached() -> None:
    scores, same = torch.arange(101.0), torch.arange(101) == 100
    same[71] = True  # beaten by 28 of 99 impostors
    assert A.tar_at_far(scores, same, 28 / 99) == 1 and A.tar_at_far(scores, same, 27.9 / 99) == 0.5


def test_no_threshold_is_low_enough_where_an_impostor_is_on_top() -> None:
    scores, same = torch.tensor([3.0, 2, 1]), torch.tensor([False, True, False])
    assert A.threshold_at_far(scores, same, 0.0) == math.inf and A.tar_at_far(scores, same, 0.0) == 0


def test_pairs_are_all_pairs_once() -> None:
    i, j = A.pairs(torch.tensor([5, 5, 7, 9]))
    assert list(zip(i.tolist(), j.tolist(), strict=True)) == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    with pytest.raises(ValueError, match=r"whole numbers \(N,\), got \(3,\) of torch.float32"):
        A.pairs(torch.ones(3))


@pytest.mark.parametrize("function", [A.roc, A.roc_and_eer, lambda s, y: A.tar_at_far(s, y, 0.1)])
@pytest.mark.parametrize(
    ("scores", "same", "message"),
    [
        ([1.0, math.nan], [True, False], "scores must be finite, got 1 that are not"),
        ([1.0, 2.0], [True, True], "genuine and impostor pairs, got 2 of 2 genuine"),
        ([1.0, 2.0], [False, False], "got 0 of 2 genuine"),
        ([1.0, 2.0, 3.0], [False, True], "got .3,. of torch.float32 and .2,. of torch.bool"),
        ([1.0, 2.0], [0, 1], "torch.int64"),
    ],
)
def test_bad_pairs_are_refused(function, scores, same, message) -> None:
    with pytest.raises(ValueError, match=message):
        function(torch.tensor(scores), torch.tensor(same))


@pytest.mark.parametrize("far", [-0.1, 1.1, math.nan])
def test_a_share_outside_of_0_to_1_is_refused(far: float) -> None:
    for function in (A.tar_at_far, A.threshold_at_far):
        with pytest.raises(ValueError, match=r"far must lie in \[0, 1\]"):
            function(*some(), far)


def people_and_scores(seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    people = torch.arange(8).repeat_interleave(3)
    features = torch.randn(8, 2, generator=g).repeat_interleave(3, 0) + 0.5 * torch.randn(24, 2, generator=g)
    i, j = A.pairs(people)
    return -(features[i] - features[j]).norm(dim=1), people[i], people[j]


def test_drawing_a_person_twice_is_having_them_twice() -> None:
    """One draw by hand: the weights against a set in which a person drawn c times stands c times, as c people who are
    not compared with their doubles."""
    scores, first, second = people_and_scores()
    g = torch.Generator().manual_seed(3)
    drawn = torch.randint(8, (1, 8), generator=g)[0].tolist()
    doubled, same = [], []
    for a in range(8):
        for b in range(a, 8):
            for s, p, q in zip(scores.tolist(), first.tolist(), second.tolist(), strict=True):
                if {p, q} == {drawn[a], drawn[b]} and (a == b) == (p == q):
                    doubled.append(s)
                    same.append(a == b)
    expected = float(A.roc_and_eer(torch.tensor(doubled), torch.tensor(same))[2])
    low, high = A.interval_over_people(
        A.equal_error_rate, scores, (first, second), draws=1, generator=torch.Generator().manual_seed(3)
    )
    assert low == high == pytest.approx(expected, abs=1e-6)


def test_the_interval_holds_the_rate_and_narrows_with_the_level() -> None:
    scores, first, second = people_and_scores()
    rate = float(A.roc_and_eer(scores, first == second)[2])
    intervals = [
        A.interval_over_people(
            A.equal_error_rate, scores, (first, second), level=level, generator=torch.Generator().manual_seed(0)
        )
        for level in (0.5, 0.95)
    ]
    (l50, h50), (l95, h95) = intervals
    assert l95 < l50 < rate < h50 < h95


def test_who_is_told_apart_always_has_no_interval_but_zero() -> None:
    _, first, second = people_and_scores()
    scores = (first == second).float()
    assert A.interval_over_people(A.equal_error_rate, scores, (first, second), draws=60) == (0, 0)


def test_any_metric_of_a_curve_has_its_interval() -> None:
    scores, first, second = people_and_scores()
    low, high = A.interval_over_people(
        lambda curve: A.tar_within(curve, 0.1), scores, (first, second), generator=torch.Generator().manual_seed(0)
    )
    assert 0 < low < float(A.tar_at_far(scores, first == second, 0.1)) < high <= 1


def test_few_people_are_refused() -> None:
    few = torch.tensor([0, 0, 1, 2, 3])
    with pytest.raises(ValueError, match="people must be at least five, got 4"):
        A.interval_over_people(A.area, torch.rand(5), (few, few))
