"""Minimisers, stopping, schedules and the heavy ball of Lecture 1 against another way to the same answer."""

import math

import pytest
import torch

from helpers import risk
from helpers.risk import noise, quadratics, schedules, solvers


@pytest.fixture
def g() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def normal(g: torch.Generator, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=g, dtype=torch.float64)


def test_logistic_gradients_are_autograds_object_by_object(g: torch.Generator) -> None:
    w, x, y = normal(g, 3), normal(g, 5, 3), normal(g, 5).sign()
    ours = risk.logistic_gradients(w, x, y)
    for i in range(5):
        v = w.clone().requires_grad_()
        risk.logistic_loss(y[i] * (v @ x[i])).backward()
        assert v.grad is not None and torch.allclose(ours[i], v.grad)
    each = normal(g, 5, 3)  # weights of their own for each object
    alone = torch.stack([risk.logistic_gradients(each[i], x[i : i + 1], y[i : i + 1])[0] for i in range(5)])
    assert torch.allclose(risk.logistic_gradients(each, x, y), alone)
    stacked = risk.logistic_gradients(w, x.expand(2, 5, 3), y.expand(2, 5))
    assert torch.equal(stacked, ours.expand(2, 5, 3))


def test_minimise_solves_least_squares_and_starts_at_the_answer(g: torch.Generator) -> None:
    x, y = normal(g, 20, 3), normal(g, 20)
    best = torch.linalg.lstsq(x, y[:, None]).solution[:, 0]
    found = solvers.minimise(lambda w: (x @ w - y).square().mean(), torch.zeros(3, dtype=torch.float64))
    assert torch.allclose(found, best, atol=1e-6)
    weights = torch.tensor([[1.0, 30.0, 2.0], [4.0, 0.5, 1.0]])
    start = torch.ones(2, 3)
    at_one = solvers.minimise(lambda w: (weights * (w - 1).square()).sum(), start)
    assert torch.equal(at_one, start) and not at_one.requires_grad
    single = solvers.minimise(lambda w: (weights * (w - weights).square()).sum(), start)
    assert single.dtype == torch.float32 and torch.allclose(single, weights, rtol=1e-4) and (start == 1).all()


def test_hard_margin_keeps_its_conditions_of_optimality(g: torch.Generator) -> None:
    z = normal(g, 12, 3) + 2.5
    w = solvers.hard_margin(z)
    margins = z @ w
    assert (margins > 1 - 1e-6).all()
    support = z[margins < 1 + 1e-6]
    weights = torch.linalg.lstsq(support.T, w[:, None]).solution  # w is a positive sum of the support vectors
    assert torch.allclose(support.T @ weights, w[:, None], atol=1e-6) and (weights > -1e-6).all()
    assert solvers.hard_margin(torch.tensor([[2.0, 0.0]])).tolist() == pytest.approx([0.5, 0.0], abs=1e-6)
    assert solvers.hard_margin(z.float()).dtype == torch.float32


def test_stopping_time_is_the_first_that_does_not_fall() -> None:
    falling = torch.linspace(1, 0, 50)
    assert noise.stopping_time(falling, patience=5, drop=0.05) == 50
    flat = torch.cat([falling[:20], falling[19].expand(30)])
    assert noise.stopping_time(flat, patience=5, drop=0.01) == 24  # 24 - 5 is the step at which the fall ended
    assert noise.stopping_time(torch.zeros(9), patience=3, drop=1e-9) == 3
    steps = torch.tensor([3.0, 2.0, 1.0, 1.0])
    assert noise.stopping_time(steps, patience=1, drop=1.0) == 3  # a fall by just the drop is a fall
    assert isinstance(noise.stopping_time(steps, patience=1, drop=0.5), int)


def test_the_contest_starts_from_one_peak_and_ends_low() -> None:
    entrants = schedules.contest(300, peak=0.5)
    assert all(max(entry(t) for t in range(300)) == pytest.approx(0.5) for entry in entrants.values())
    assert entrants["linear"](150) == 0.25 and entrants["stairs"](299) == pytest.approx(0.005)
    assert [entrants["restarts"](t) for t in (0, 100, 200)] == [0.5] * 3 and entrants["cosine"](0) < 0.05
    odd = schedules.contest(311, peak=0.5)  # a length that no period divides
    for t in (0, 14, 15, 16, 102, 103, 104, 205, 206, 207, 310):
        assert odd["constant"](t) == 0.5 and odd["1/sqrt(t)"](t) == 0.5 / math.sqrt(t + 1)
        assert odd["stairs"](t) == pytest.approx(0.5 * 0.1 ** (t // 103)) and odd["linear"](t) == 0.5 * (1 - t / 311)
        assert odd["cosine"](t) == schedules.cosine_schedule(t, 311, 0.5, warmup=15)
        assert odd["triangles"](t) == schedules.triangular_schedule(t, peak=0.5, period=103)
        assert odd["restarts"](t) == schedules.restart_schedule(t, peak=0.5, period=103)


def test_roots_lie_in_a_disc_exactly_under_the_two_conditions(g: torch.Generator) -> None:
    """|z| <= r for both roots of z^2 - b z + c if and only if |c| <= r^2 and |b| <= r + c/r."""
    for b, c, r in (3 * torch.rand(3000, 3, generator=g) - 1.5).tolist():
        r = abs(r) + 0.05
        root = (complex(b) ** 2 - 4 * c) ** 0.5
        inside = max(abs((b + root) / 2), abs((b - root) / 2)) <= r
        assert inside == (abs(c) <= r**2 and abs(b) <= r + c / r), (b, c, r)


@pytest.mark.parametrize("kappa", [2.0, 25.0, 400.0])
def test_no_step_and_momentum_beat_the_best_heavy_ball(kappa: float) -> None:
    """Over a grid that holds small and negative momenta too, where some eigenvalue has real roots."""
    eta, beta = torch.linspace(1e-3, 5 / kappa, 400)[:, None].double(), torch.linspace(-0.5, 0.99, 400).double()
    curvatures = torch.tensor([1.0, kappa], dtype=torch.float64)
    b = 1 + beta - eta * curvatures[:, None, None]
    root = torch.sqrt((b**2 - 4 * beta).to(torch.complex128))
    rate = torch.maximum(((b + root) / 2).abs(), ((b - root) / 2).abs()).amax(0)
    best = (math.sqrt(kappa) - 1) / (math.sqrt(kappa) + 1)
    assert rate.min() > best - 1e-9
    at = quadratics.spectral_radius(*torch.tensor(quadratics.optimal_heavy_ball(1.0, kappa)).double(), curvatures)
    assert abs(at - best) < 1e-3


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: risk.logistic_gradients(torch.zeros(2), torch.zeros(5, 3), torch.ones(5)),
        lambda: solvers.hard_margin(torch.tensor([[1.0, 0.0], [-1.0, 0.0]])),
        lambda: noise.stopping_time(torch.zeros(5), patience=0, drop=0.1),
    ],
    ids=["gradients: features", "hard margin: not separable", "stopping: patience"],
)
def test_bad_input_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match="must"):
        wrong()  # type: ignore[operator]
