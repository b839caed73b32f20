"""Projections against SciPy and against their variational inequality."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import optimize
from torch import Tensor

from helpers import attacks as A
from helpers.attacks import threat as T
from tests.attacks.toys import generator

INF = math.inf


def closest(z: np.ndarray, p: int, eps: float) -> np.ndarray:
    """The projection of z onto the l_p ball by SLSQP: delta = u - v, u, v >= 0 makes the l_1 constraint smooth."""
    d = len(z)
    constraint = (lambda s: eps - s.sum()) if p == 1 else (lambda s: eps**2 - ((s[:d] - s[d:]) ** 2).sum())
    start = np.concatenate([np.maximum(z, 0), np.maximum(-z, 0)]) * eps / np.abs(z).sum() / 2
    result = optimize.minimize(
        lambda s: ((s[:d] - s[d:] - z) ** 2).sum(),
        start,
        jac=lambda s: np.concatenate([2 * (s[:d] - s[d:] - z), -2 * (s[:d] - s[d:] - z)]),
        bounds=[(0, None)] * (2 * d),
        constraints=[{"type": "ineq", "fun": constraint}],
        method="SLSQP",
        options={"maxiter": 500, "ftol": 1e-14},
    )
    return result.x[:d] - result.x[d:]


@pytest.mark.parametrize(("p", "project"), [(1, A.project_l1), (2, A.project_l2)])
def test_projection_is_the_closest_point_of_the_ball(p: int, project: Callable[..., Tensor]) -> None:
    z = torch.randn(6, 8, generator=generator(), dtype=torch.float64) * torch.tensor([[0.1], [0.5], [1], [2], [5], [9]])
    for eps in (0.3, 1.7):
        got = project(z, eps)
        for row, point in zip(z.numpy(), got.numpy(), strict=True):
            expected = row if np.linalg.norm(row, p) <= eps else closest(row, p, eps)
            np.testing.assert_allclose(point, expected, atol=2e-6)


@pytest.mark.parametrize(("p", "project"), [(1, A.project_l1), (2, A.project_l2), (INF, A.project_linf)])
def test_projection_is_idempotent_inside_and_keeps_what_is_inside(p: float, project: Callable[..., Tensor]) -> None:
    z = 3 * torch.randn(50, 2, 4, 4, generator=generator(), dtype=torch.float64)
    eps = torch.linspace(0, 150, 50, dtype=torch.float64)
    inside = project(z, eps)
    assert (T.norm(inside, p) <= eps * (1 + 1e-12)).all()
    torch.testing.assert_close(project(inside, eps), inside, rtol=1e-12, atol=1e-12)
    kept = T.norm(z, p) <= eps
    assert kept.any() and not kept.all() and torch.equal(inside[kept], z[kept])
    other = torch.randn(50, 2, 4, 4, generator=generator(1), dtype=torch.float64)
    feasible = other * A.spread(eps / T.norm(other, p) * 0.999, other)
    inner = ((z - inside) * (feasible - inside)).flatten(1).sum(1)
    assert (inner <= 1e-9).all()  # the variational inequality of the projection on a convex set


def test_project_l1_with_ties_and_zeros() -> None:
    z = torch.tensor([[1.0, -1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0], [2.0, 0.0, 0.0, 0.0]])
    expected = torch.tensor([[0.5, -0.5, 0.5, 0.0], [0.0, 0.0, 0.0, 0.0], [1.5, 0.0, 0.0, 0.0]])
    torch.testing.assert_close(A.project_l1(z, 1.5), expected)


def test_project_l0_keeps_the_largest() -> None:
    z = torch.tensor([[3.0, -5.0, 1.0, 0.0]])
    assert torch.equal(A.project_l0(z, 2), torch.tensor([[3.0, -5.0, 0.0, 0.0]]))
    assert torch.equal(A.project_l0(z, 0), torch.zeros(1, 4)) and torch.equal(A.project_l0(z, 9), z)


@pytest.mark.parametrize("p", [1, 2, INF])
def test_random_points_fill_the_ball_evenly(p: float) -> None:
    """||delta||_p / eps is distributed as U^{1/d}: mean d / (d + 1)."""
    x = torch.zeros(20000, 5, dtype=torch.float64)
    r = T.norm(A.random_in_ball(x, A.per_image(2.0, x), p, generator()), p) / 2
    assert r.max() <= 1 and abs(r.mean() - 5 / 6) < 0.005 and abs(r.pow(5).mean() - 0.5) < 0.01
