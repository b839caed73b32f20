"""The curve of certified accuracy, the average radius, and the votes that a radius needs."""

import math

import pytest
import torch
from scipy.special import log_ndtr

from helpers import smoothing
from helpers.smoothing import metrics

P = torch.linspace(0.51, 0.9999, 60, dtype=torch.float64)


def test_the_votes_that_a_radius_needs() -> None:
    assert metrics.samples_needed(4.0, 1.0, 0.001) == 218_105
    for sigma, radius, alpha in ((0.5, 0.3, 0.05), (1.0, 2.0, 0.001), (0.25, 0.9, 1e-6)):
        n = metrics.samples_needed(radius, sigma, alpha)
        assert smoothing.max_certifiable_radius(n, alpha, sigma) >= radius
        assert n == 1 or smoothing.max_certifiable_radius(n - 1, alpha, sigma) < radius


def test_the_votes_for_far_radii_against_scipy() -> None:
    """In single precision 5.5 would be some fifteen votes off; up to 37 sigma there is an answer."""
    for radius, sigma in ((5.5, 1.0), (11.3, 2.0), (50.0, 2.0), (36.5, 1.0)):
        expected = math.ceil(math.log(0.05) / log_ndtr(radius / sigma))
        assert metrics.samples_needed(radius, sigma, 0.05) == pytest.approx(expected, rel=1e-12)


def test_the_curve_counts_what_is_right_and_certified() -> None:
    prediction, y = torch.tensor([0, 1, -1, 2]), torch.tensor([0, 1, 1, 0])
    radius = torch.tensor([0.5, 0.2, 0.0, 0.9], dtype=torch.float64)
    curve = metrics.certified_accuracy(
        prediction, radius, y, torch.tensor([0.0, 0.2, 0.3, 0.5, 0.6], dtype=torch.float64)
    )
    assert curve.tolist() == [0.5, 0.5, 0.25, 0.25, 0]
    assert metrics.average_certified_radius(prediction, radius, y) == pytest.approx(0.7 / 4)
    fine = torch.linspace(0, 1, 10_001, dtype=torch.float64)
    area = torch.trapezoid(metrics.certified_accuracy(prediction, radius, y, fine), fine)
    assert float(area) == pytest.approx(0.7 / 4, abs=1e-3)


def test_the_published_table_has_a_figure_for_every_radius_and_falls() -> None:
    for figures in metrics.PUBLISHED_CIFAR10.values():
        assert len(figures) == len(metrics.PUBLISHED_RADII) and list(figures) == sorted(figures, reverse=True)


def test_a_radius_in_single_precision_is_compared_in_its_own() -> None:
    """0.7 in float32 lies below 0.7 in float64: the image that is certified to 0.7 must not drop out there."""
    y, radius = torch.tensor([1]), torch.tensor([0.7])
    curve = metrics.certified_accuracy(y, radius, y, torch.tensor([0.7, 0.8], dtype=torch.float64))
    assert curve.tolist() == [1, 0] and curve.dtype == torch.float64


def test_averages_are_taken_in_double_precision_and_are_pythons_numbers() -> None:
    y, radius = torch.zeros(4, dtype=torch.int64), torch.tensor([2.0**24, 1, 1, 1])
    average = metrics.average_certified_radius(y, radius, y)
    assert type(average) is float and average == (2**24 + 3) / 4
    assert type(metrics.samples_needed(1.0, 1.0, 0.05)) is int
    assert metrics.certified_accuracy(y, radius, 0 * y, torch.ones(1)).tolist() == [1]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.samples_needed(0.0, 1.0, 0.05), "radius must be a positive number"),
        (lambda: metrics.samples_needed(80.0, 2.0, 0.05), "radius must be below 37 sigma = 74, got 80"),
        (lambda: metrics.certified_accuracy(P, P, P[:3], P), "need prediction, radius, y"),
        (lambda: metrics.certified_accuracy(P, P, P, torch.tensor(0.5)), r"radii \(R,\)"),
        (lambda: metrics.average_certified_radius(P[:0], P[:0], P[:0]), "N >= 1"),
        (lambda: metrics.samples_needed(37.0, 1.0, 0.05), "radius must be below 37 sigma = 37, got 37"),
        (lambda: metrics.samples_needed(1.0, 0.0, 0.05), "sigma must be a positive number"),
        (lambda: metrics.samples_needed(1.0, 1.0, 1.0), "alpha must lie"),
        (lambda: metrics.certified_accuracy(P[:0], P[:0], P[:0], P), r"N >= 1, and radii \(R,\), got \[\(0,\), \(0,\)"),
        (lambda: metrics.certified_accuracy(P[:, None], P[:, None], P[:, None], P), r"got \[\(60, 1\)"),
        (lambda: metrics.average_certified_radius(P[:, None], P[:, None], P[:, None]), r"got \[\(60, 1\)"),
        (lambda: metrics.average_certified_radius(P, P, P[:3]), "need prediction, radius, y"),
    ],
)
def test_bad_input_is_named(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
