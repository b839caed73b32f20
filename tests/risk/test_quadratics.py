"""The best step and the best momentum on quadratics."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import optimize

from helpers import risk
from helpers.risk import methods, quadratics
from tests.risk.common import close, normal


def test_optimal_step_is_the_minimum_along_the_gradient(g: torch.Generator) -> None:
    root, w = normal(g, 5, 4, 4), normal(g, 5, 4)
    hessian = root @ root.mT + 0.1 * torch.eye(4, dtype=torch.float64)
    gradient = (hessian @ w[..., None])[..., 0]
    steps = risk.optimal_step_quadratic(gradient, hessian)
    assert steps.shape == (5,)
    for k in range(5):
        along = lambda eta, k=k: ((w[k] - eta * gradient[k]) @ hessian[k] @ (w[k] - eta * gradient[k])).item()  # noqa: E731
        best = optimize.minimize_scalar(along, bracket=(0, steps[k].item() * 3), tol=1e-12).x
        assert math.isclose(steps[k].item(), best, rel_tol=1e-5)
    assert close(risk.optimal_step_quadratic(gradient, hessian[0])[0], steps[0])
    assert close(risk.optimal_step_quadratic(1e-3 * gradient, hessian), steps)
    assert risk.optimal_step_quadratic(torch.tensor([1.0, 1.0]), torch.diag(torch.tensor([1.0, 3.0]))) == 0.5


def test_spectral_radius_is_that_of_the_iteration_matrix(g: torch.Generator) -> None:
    eta = 0.3 * torch.rand(6, 1, generator=g, dtype=torch.float64)
    beta = torch.tensor([0.0, 0.3, 0.9], dtype=torch.float64)
    eigenvalues = torch.tensor([0.5, 4.0, 11.0], dtype=torch.float64)
    ours = quadratics.spectral_radius(eta, beta, eigenvalues)
    b = math.sqrt(3.5 * 0.25)  # a complex pair, not far from a double root
    near = quadratics.spectral_radius(torch.tensor(1.25 - b), torch.tensor(0.25), torch.ones(1))
    assert math.isclose(near, 0.5, rel_tol=1e-6)
    assert ours.shape == (6, 3)
    for i, j in itertools.product(range(6), range(3)):
        e, b = eta[i].item(), beta[j].item()
        matrices = [np.array([[1 + b - e * value, -b], [1.0, 0.0]]) for value in eigenvalues.tolist()]
        assert math.isclose(ours[i, j], max(abs(np.linalg.eigvals(a)).max() for a in matrices), rel_tol=1e-6)


def test_optimal_heavy_ball_is_optimal() -> None:
    eta, beta = quadratics.optimal_heavy_ball(1.0, 25.0)
    assert (eta, beta) == pytest.approx((1 / 9, 4 / 9))
    values = torch.tensor([1.0, 25.0], dtype=torch.float64)
    rate = lambda e, b: quadratics.spectral_radius(torch.as_tensor(e), torch.as_tensor(b), values)  # noqa: E731
    best = rate(*torch.tensor([eta, beta], dtype=torch.float64))
    assert abs(best - 4 / 6) < 1e-6
    grid = torch.linspace(0.001, 0.16, 300, dtype=torch.float64)[:, None], torch.linspace(0, 0.99, 300).double()
    assert rate(*grid).min() > best - 1e-6
    assert quadratics.optimal_heavy_ball(4.0, 4.0) == (0.25, 0.0)  # kappa = 1: one step of Newton's method


def test_lessard_gradient_is_continuous_and_its_heavy_ball_cycles() -> None:
    x = torch.tensor([-1.0, 0.0, 1 - 1e-9, 1.0, 2 - 1e-9, 2.0, 3.0], dtype=torch.float64)
    assert close(quadratics.lessard_gradient(x), [-25, 0, 25, 25, 26, 26, 51], rtol=1e-7)
    start = torch.tensor([3.3], dtype=torch.float64)
    path = methods.gradient_descent(quadratics.lessard_gradient, start, eta=1 / 9, beta=4 / 9, steps=3000)[:, 0]
    cycle = sorted(path[-3:].tolist())
    expected = sorted([792 / 1225, -2208 / 1225, 2592 / 1225])  # Lessard et al. 2016, section 4.6
    assert cycle == pytest.approx(expected, abs=1e-9)
