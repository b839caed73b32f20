"""APGD and its losses; rounding and noise broken adaptively; exactly robust logistic regression."""

import math

import pytest
import torch
from torch import Tensor

from helpers import attacks, checkpoints, data, runtime
from helpers.attacks import apgd, diagnose, stored


def target(x: Tensor) -> Tensor:
    """Label 1 only where the single pixel is within 0.01 of 0.7, and steeper the nearer: a narrow hole."""
    gap = 20 * ((x[:, 0] - 0.7).abs() - 0.01)
    return torch.stack([gap, torch.zeros_like(gap), torch.full_like(gap, -1e3)], 1)


def test_a_halved_step_finds_what_a_fixed_one_jumps_over() -> None:
    x, y = torch.full((4, 1), 0.5), torch.zeros(4, dtype=torch.int64)
    fixed = attacks.pgd_linf(target, x, y, eps=0.3, steps=50, step=0.075, random_start=False)
    assert not attacks.outcome(target, x, fixed, y).success.any()
    adaptive = apgd.apgd(target, x, y, eps=0.3, steps=50, random_start=False)
    assert attacks.outcome(target, x, adaptive, y).success.all()
    assert (adaptive - x).abs().max() <= 0.3 + 1e-6


def test_the_checkpoints_are_the_papers() -> None:
    assert apgd.checkpoints_of(100) == [0, 22, 41, 57, 70, 80, 87, 93, 99]
    for steps in (1, 2, 5, 20):
        places = apgd.checkpoints_of(steps)
        assert places[0] == 0 and all(a < b for a, b in zip(places, places[1:], strict=False))


def test_dlr_by_hand_and_without_a_scale() -> None:
    z, y, t = torch.tensor([[5.0, 3.0, 1.0, 0.0], [2.0, 6.0, 0.0, 1.0]]), torch.tensor([0, 0]), torch.tensor([2, 1])
    assert torch.allclose(attacks.dlr(z, y), torch.tensor([-2 / 4, 4 / 5]))
    assert torch.allclose(attacks.targeted_dlr(z, y, t), torch.tensor([-4 / 4.5, 4 / 5.5]))
    assert torch.allclose(attacks.dlr(1000 * z + 7, y), attacks.dlr(z, y))
    with pytest.raises(ValueError, match="K must be at least 3"):
        attacks.dlr(z[:, :2], y)
    with pytest.raises(ValueError, match="K must be at least 4"):
        attacks.targeted_dlr(z[:, :3], y, t)


def test_apgd_sees_through_sharpened_logits() -> None:
    mnist, model = data.load("mnist"), checkpoints.load("mnist_cnn", "cpu")
    x, y, hidden = mnist.x_test[:20], mnist.y_test[:20], attacks.Sharpened(model)
    found = attacks.apgd_targeted(hidden, x, y, eps=0.2, steps=20, generator=runtime.generator(0, x.device))
    assert attacks.outcome(hidden, x, found, y).success.double().mean() > 0.7


def test_the_backward_pass_of_the_identity_breaks_rounding() -> None:
    mnist, model = data.load("mnist"), checkpoints.load("mnist_cnn", "cpu")
    x, _y = mnist.x_test[:30], mnist.y_test[:30]
    rounded, through = diagnose.Rounded(model), diagnose.Rounded(model, straight=True)
    assert torch.equal(rounded(x), through(x))
    _, none = attacks.input_gradient(rounded, x, lambda z: z.sum(1))
    _, some = attacks.input_gradient(through, x, lambda z: z.square().sum(1))
    assert not none.any() and some.any()


def test_many_draws_of_a_shaken_network_average_its_probabilities() -> None:
    def model(x: Tensor) -> Tensor:
        return torch.cat([10 * x, -10 * x], 1)

    shaken = diagnose.Shaken(model, 0.3, 4000, generator=torch.Generator().manual_seed(0))
    x = torch.tensor([[0.1]], dtype=torch.float64)
    xi = torch.randn(100_000, 1, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    expected = model(x + 0.3 * xi).softmax(1).mean(0)
    assert torch.allclose(shaken(x).exp()[0], expected, atol=5 * 0.5 / math.sqrt(4000))
    assert torch.allclose(shaken(x).exp().sum(1), torch.ones(1, dtype=torch.float64))


def test_the_robust_logistic_loss_is_the_loss_at_the_worst_corner() -> None:
    g = torch.Generator().manual_seed(3)
    w, x = torch.randn(4, generator=g), torch.randn(9, 4, generator=g)
    b, y, eps = torch.tensor(0.3), torch.arange(9) % 2, 0.2
    corners = eps * torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * 4)
    s = 2 * y - 1
    worst = torch.nn.functional.softplus(-s[:, None] * ((x[:, None] + corners) @ w + b)).amax(1)
    assert torch.allclose(attacks.robust_logistic_loss(w, b, x, y, eps), worst.mean())


def test_what_is_stored_is_measured_again_on_some_digits() -> None:
    mnist, model = data.load("mnist"), checkpoints.load("mnist_robust", "cpu")
    table = stored.masking(model, mnist.x_test[:20], mnist.y_test[:20], radii=(0.35,))
    assert table["PGD-40"][0] > table["square, 2,000"][0] + 3
