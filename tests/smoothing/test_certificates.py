"""Renyi and Hoeffding, counts of any type, and bad input."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from helpers import smoothing
from helpers.smoothing import certificates as C

P = torch.linspace(0.51, 0.9999, 60, dtype=torch.float64)
VOTES = torch.tensor([[3, 4]])


def renyi_divergence(p: Tensor, q: Tensor, order: Tensor) -> Tensor:
    """ln(sum_k p_k^a q_k^{1-a}) / (a - 1): laws p (N, 3) and q (3,), orders (M,) -> (N, M)."""
    p, q, a = p[:, None], q, order[:, None]
    return ((p**a) * q ** (1 - a)).sum(2).log() / (order - 1)


def test_no_law_within_the_renyi_radius_lets_the_second_class_win() -> None:
    """Every q on three classes in which class 1 leads has, at the best order, at least the divergence of the radius."""
    p = torch.tensor([0.7, 0.2, 0.1], dtype=torch.float64)
    r = float(C.renyi_radius(p[0], p[1], 1.0))
    orders = 1 + torch.logspace(-2, 2, 60, dtype=torch.float64)
    first, second = torch.cartesian_prod(*[torch.linspace(0.005, 0.99, 60, dtype=torch.float64)] * 2).T
    q = torch.stack([first, second, 1 - first - second], 1)[(second >= first) & (first + second < 1)]
    # a shift of length r costs the divergence a r^2 / 2 at most, at every order a
    least = float((2 * renyi_divergence(q, p, orders) / orders).clamp(min=0).sqrt().amax(1).min())
    assert r <= least + 1e-6
    assert least < 1.6 * r


def test_the_renyi_radius_is_a_supremum_over_orders() -> None:
    coarse, fine = (C.renyi_radius(P, 1 - P, 0.5, points=points) for points in (10, 2000))
    assert (fine >= coarse - 1e-4).all() and (fine - coarse).max() < 0.05
    assert torch.allclose(C.renyi_radius(P, 1 - P, 1.0), 2 * C.renyi_radius(P, 1 - P, 0.5))
    assert C.renyi_radius(1.0, 0.0, 1.0) == math.inf and C.renyi_radius(0.4, 0.4, 1.0) == 0


def test_the_renyi_radius_is_that_of_the_best_order() -> None:
    a, b, order = 0.99, 0.001, np.linspace(1.001, 20, 4000)
    mean = ((a ** (1 - order) + b ** (1 - order)) / 2) ** (1 / (1 - order))
    radii = np.sqrt(-2 / order * np.log(1 - a - b + 2 * mean))
    assert float(C.renyi_radius(a, b, 1.0)) == pytest.approx(radii.max(), rel=1e-4) and radii.max() > 1.01 * radii[0]
    first = float(C.renyi_radius(a, b, 1.0, points=1))
    assert first == pytest.approx(radii[0], rel=1e-6)


def test_hoeffding_is_sound_and_wider_than_clopper_pearson() -> None:
    n, alpha = 1000, 0.001
    k = torch.arange(n + 1)
    exact, hoeffding = smoothing.clopper_pearson_lower(k, n, alpha), C.hoeffding_lower(k, n, alpha)
    assert (hoeffding <= exact).all()
    assert float(hoeffding[-1]) == pytest.approx(1 - math.sqrt(math.log(1000) / 2000))
    assert hoeffding[0] == 0 and (hoeffding >= 0).all()


def test_counts_of_any_integer_type_give_bounds_in_double_precision() -> None:
    k = torch.tensor([0, 3, 19, 20])
    votes = torch.tensor([[15, 5], [19, 1]])
    for kind in (torch.int16, torch.int32, torch.uint8):
        assert torch.equal(smoothing.clopper_pearson_lower(k.to(kind), 20, 0.05), C.clopper_pearson_lower(k, 20, 0.05))
        assert torch.equal(smoothing.smoothed_predict(votes.to(kind), 0.001), smoothing.smoothed_predict(votes, 0.001))
    assert smoothing.max_certifiable_radius(np.int64(50), 0.01, 1.0) == smoothing.max_certifiable_radius(50, 0.01, 1.0)


def test_rivals_share_what_the_label_leaves() -> None:
    """Bounds that add up to more than 1 - p_l are cut there."""
    label, rivals = torch.tensor([0.45], dtype=torch.float64), torch.tensor([[0.38, 0.36]], dtype=torch.float64)
    r = smoothing.top_k_radius(label, rivals, 2, 1.0)
    quantiles = torch.special.ndtri(torch.tensor([0.36, 1 - 0.45], dtype=torch.float64))
    least = (torch.special.ndtr(quantiles + r) / torch.tensor([1, 2])).amin()
    assert torch.allclose(torch.special.ndtr(torch.special.ndtri(label) - r), least, atol=1e-12)


def test_a_bound_of_exactly_one_half_certifies_nothing() -> None:
    found = smoothing.certify(torch.tensor([[2, 1]]), torch.tensor([[1, 0]]), sigma=1.0, alpha=0.5)
    assert (found.prediction, found.radius, found.lower) == (-1, 0, 0.5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: C.renyi_radius(0.5, 0.1, 0.0), "sigma must be a positive number"),
        (lambda: C.renyi_radius(1.5, 0.1, 1.0), r"p_a must lie in \[0, 1\]"),
        (lambda: C.hoeffding_lower(3, 2, 0.05), r"successes must lie in 0 \.\.\. 2"),
        (lambda: C.hoeffding_lower(3, 3, 0.0), "alpha must lie"),
        (lambda: smoothing.clopper_pearson_lower(3, math.nan, 0.05), "n must be an integer of at least 1, got nan"),
        (lambda: smoothing.clopper_pearson_lower(3, math.inf, 0.05), "n must be an integer of at least 1, got inf"),
        (lambda: smoothing.clopper_pearson_lower(3, 10.5, 0.05), "n must be an integer of at least 1, got 10.5"),
        (lambda: smoothing.max_certifiable_radius(2.5, 0.05, 1.0), "n must be an integer of at least 1, got 2.5"),
        (lambda: smoothing.max_certifiable_radius(True, 0.05, 1.0), "n must be an integer of at least 1, got True"),
        (lambda: smoothing.lecuyer_radius(P, P, 1.0, points=0), "points must be an integer of at least 1, got 0"),
        (lambda: smoothing.certify(VOTES, VOTES, sigma=1.0, alpha=0.05), "must be two samples, got the same tensor"),
        (lambda: smoothing.certify(VOTES - 5, VOTES, sigma=1.0, alpha=0.05), "selection must lie in 0"),
        (lambda: smoothing.lecuyer_radius(P, 1 - P, 0.0), "sigma must be a positive number"),
        (lambda: smoothing.top_k_radius(P, P[:, None], 1, 0.0), "sigma must be a positive number"),
    ],
)
def test_bad_input_is_named(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
