"""Gradient methods against torch, SciPy and each other."""

import math
import warnings

import pytest
import torch

from helpers import risk
from helpers.risk import methods
from tests.risk.common import close, normal


def test_next_batch_takes_the_order_asked_for(g: torch.Generator) -> None:
    margin = torch.tensor([0.5, -3.0, 0.1, 2.0, -0.2])
    assert set(methods.next_batch(margin, 2, "hardest").tolist()) == {1, 4}
    assert set(methods.next_batch(margin, 2, "uncertain").tolist()) == {2, 4}
    assert methods.next_batch(margin, 1, "hardest").tolist() == [1]
    drawn = [methods.next_batch(margin, 5, "shuffled", generator=torch.Generator().manual_seed(1)) for _ in range(2)]
    assert torch.equal(*drawn)
    assert sorted(methods.next_batch(margin, 5, "shuffled", generator=g).tolist()) == [0, 1, 2, 3, 4]
    counts = torch.bincount(torch.cat([methods.next_batch(margin, 2, "shuffled", generator=g) for _ in range(5000)]))
    assert (counts - 2000).abs().max() < 5 * math.sqrt(5000 * 0.4 * 0.6)  # each object in 2 of 5 batches


@pytest.mark.parametrize("beta, tau", [(0.0, 0.0), (0.9, 0.0), (0.0, 0.3), (0.9, 0.3)])
def test_sgd_step_is_torchs(g: torch.Generator, beta: float, tau: float) -> None:
    start, gradients = normal(g, 3, 2), normal(g, 6, 3, 2)
    theirs = start.clone().requires_grad_()
    optimizer = torch.optim.SGD([theirs], lr=0.1, momentum=beta, weight_decay=tau)
    w, velocity = start.clone(), torch.zeros_like(start)
    for gradient in gradients:
        theirs.grad = gradient.clone()
        optimizer.step()
        before = w.clone(), velocity.clone()
        w_new, velocity_new = risk.sgd_step(w, gradient, velocity, eta=0.1, beta=beta, tau=tau)
        assert torch.equal(w, before[0]) and torch.equal(velocity, before[1])
        w, velocity = w_new, velocity_new
    assert close(w, theirs.detach())


def test_descend_is_a_sequence_of_sgd_steps(g: torch.Generator) -> None:
    h, w = torch.tensor([1.0, 3.0], dtype=torch.float64), normal(g, 2)
    path = methods.gradient_descent(lambda w: h * w, w, eta=0.2, beta=0.6, steps=9)
    assert path.shape == (10, 2) and torch.equal(path[0], w)
    velocity = torch.zeros(2, dtype=torch.float64)
    for point in path[1:]:
        w, velocity = risk.sgd_step(w, h * w, velocity, eta=0.2, beta=0.6)
        assert close(point, w)
    assert methods.gradient_descent(lambda w: w, w, eta=0.1, steps=0).shape == (1, 2)


def test_without_momentum_and_penalty_it_is_plain_gradient_descent(g: torch.Generator) -> None:
    w, gradient, velocity = normal(g, 3), normal(g, 3), normal(g, 3)
    assert close(risk.sgd_step(w, gradient, velocity, eta=0.1)[0], w - 0.1 * gradient)
    assert close(methods.gradient_descent(lambda w: w, w, eta=0.1, steps=5)[-1], 0.9**5 * w)


def test_lbfgs_finds_the_minimum_of_a_quadratic_and_keeps_the_path() -> None:
    curvature, target = torch.tensor([[1.0, 30.0], [4.0, 0.5]]), torch.tensor([[3.0, -2.0], [0.0, 1.0]])

    def value_and_gradient(w: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return 0.5 * (curvature * (w - target).square()).sum(), curvature * (w - target)

    for dtype, precision in ((torch.float32, 1e-4), (torch.float64, 1e-6)):
        curvature, target, start = curvature.to(dtype), target.to(dtype), torch.zeros(2, 2, dtype=dtype)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            path = methods.lbfgs(value_and_gradient, start, iterations=50)
        assert path.shape[1:] == (2, 2) and path.dtype == start.dtype and 2 < len(path) < 50
        assert torch.allclose(path[-1], target, atol=precision) and (start == 0).all()
        assert (path.diff(dim=0).flatten(1).norm(dim=1) > 0).all()
        assert len(methods.lbfgs(value_and_gradient, start, iterations=2)) == 2
