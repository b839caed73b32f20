"""Empirical risk, losses of the margin, separating lines, Legendre polynomials."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import optimize, special
from torch import Tensor
from torch.nn import functional as F

from helpers import risk
from tests.risk.common import close, normal


def test_empirical_risk_is_the_mean_loss() -> None:
    x, y = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 1.0, 1.0])
    assert risk.empirical_risk(lambda p, y: (p - y) ** 2, lambda x: 2 * x, x, y) == (1 + 9 + 25) / 3
    assert risk.empirical_risk(lambda p, y: p - y, lambda x: 2 * x, x, y) == 3  # predictions first


@pytest.mark.parametrize(
    "name, at_minus_2, at_0, at_2",
    [
        ("zero_one_loss", 1, 0, 0),
        ("logistic_loss", 2.126928, 0.693147, 0.126928),
        ("hinge_loss", 3, 1, 0),
        ("squared_hinge_loss", 9, 1, 0),
        ("exponential_loss", 7.389056, 1, 0.135335),
        ("quadratic_loss", 9, 1, 1),
        ("sigmoid_loss", 1.761594, 1, 0.238406),
    ],
)
def test_losses_of_the_margin(name: str, at_minus_2: float, at_0: float, at_2: float) -> None:
    values = getattr(risk, name)(torch.tensor([-2.0, 0.0, 2.0], dtype=torch.float64))
    assert close(values, [at_minus_2, at_0, at_2], rtol=1e-5) and values.dtype == torch.float64


@pytest.mark.parametrize("name", risk.SURROGATES)
def test_surrogates_bound_the_zero_one_loss(name: str) -> None:
    margin = torch.linspace(-5, 5, 10_001, dtype=torch.float64)
    assert (risk.SURROGATES[name](margin) >= risk.zero_one_loss(margin)).all()


def test_the_logistic_loss_in_nats_is_no_bound_just_below_zero() -> None:
    assert risk.logistic_loss(torch.tensor(-1e-3)) < 1 == risk.zero_one_loss(torch.tensor(-1e-3))


def test_logistic_loss_far_out_and_its_gradient() -> None:
    margin = torch.tensor([-1e4, -100.0, 0.0, 100.0, 1e4], requires_grad=True)
    risk.logistic_loss(margin).sum().backward()
    assert close(risk.logistic_loss(margin), [1e4, 100.0, math.log(2), 0.0, 0.0], rtol=1e-6)
    assert margin.grad is not None and close(margin.grad, [-1.0, -1.0, -0.5, 0.0, 0.0], atol=1e-6)
    x = torch.linspace(-20, 20, 81, dtype=torch.float64)
    assert close(risk.logistic_loss(x), -special.log_expit(x.numpy()))


def test_lines_split_points_in_all_ways(g: torch.Generator) -> None:
    for m in (3, 5, 8):
        x = normal(g, m, 2)
        lines = risk.separating_lines(x)
        assert lines.shape == (4 * m * (m - 1), 3)
        signs = {tuple(row) for row in (F.pad(x, (1, 0), value=1.0) @ lines.T).T.sign().int().tolist()}
        assert not any(0 in row for row in signs)
        assert signs == {split for split in itertools.product((-1, 1), repeat=m) if separable(x, split)}
        assert len(signs) == m**2 - m + 2


def test_lines_pass_the_two_points_by_the_tilt_on_the_sides_named(g: torch.Generator) -> None:
    """In units of |x_j - x_i|: half of what the nearest third point, further along the line, allows."""
    m, x = 5, normal(g, 5, 2)
    lines, pairs = risk.separating_lines(x).tolist(), list(itertools.combinations(range(m), 2))
    sides = ((1, 1), (1, -1), (-1, 1), (-1, -1))
    for row, ((side_i, side_j), (i, j)) in enumerate(itertools.product(sides, pairs)):
        (xi, yi), (xj, yj) = x[i].tolist(), x[j].tolist()
        size = (xj - xi) ** 2 + (yj - yi) ** 2
        along = lambda u, v: ((u - xi) * (xj - xi) + (v - yi) * (yj - yi)) / size  # noqa: B023, E731
        beside = lambda u, v: ((v - yi) * (xj - xi) - (u - xi) * (yj - yi)) / size  # noqa: B023, E731
        others = [x[k].tolist() for k in range(m) if k not in (i, j)]
        tilt = min(abs(beside(*o)) / (1 + 2 * abs(along(*o))) for o in others) / 2
        for u, v in x.tolist():
            expected = beside(u, v) + tilt * (side_i + (side_j - side_i) * along(u, v))
            for line, sign in ((lines[row], 1), (lines[row + len(lines) // 2], -1)):
                assert math.isclose(line[0] + line[1] * u + line[2] * v, sign * expected, rel_tol=1e-6, abs_tol=1e-12)


def separable(x: Tensor, split: tuple[int, ...]) -> bool:
    """By linear programming: is there w with y_i (w_0 + w . x_i) >= 1?"""
    rows = -np.array(split)[:, None] * np.c_[np.ones(len(x)), x.numpy()]
    return optimize.linprog(np.zeros(3), rows, -np.ones(len(x)), bounds=[(None, None)] * 3).status == 0


def test_legendre_is_scipys(g: torch.Generator) -> None:
    x = 2 * torch.rand(3, 4, generator=g, dtype=torch.float64) - 1
    for degree in (0, 1, 2, 9):
        expected = np.stack([special.eval_legendre(n, x.numpy()) for n in range(degree + 1)], -1)
        assert close(risk.legendre(x, degree), expected)
