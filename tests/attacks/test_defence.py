"""Robust training and the facts in closed form, against theory."""

import math

import pytest
import torch
from torch import nn

from helpers.attacks import defence as R, projections, threat as T, toy
from tests.attacks.toys import batch, generator, network


def test_trades_loss_by_hand() -> None:
    z = torch.log(torch.tensor([[0.5, 0.5]]))
    z_adv = torch.log(torch.tensor([[0.25, 0.75]]))
    kl = 0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.75)
    value = R.trades_loss(z, z_adv, torch.tensor([1]), beta=3.0)
    assert value.item() == pytest.approx(math.log(2) + 3 * kl, rel=1e-5)
    assert R.trades_loss(z, z, torch.tensor([0]), beta=3.0).item() == pytest.approx(math.log(2), rel=1e-5)


def test_trades_attack_raises_the_divergence_within_the_ball() -> None:
    model = network()
    x, y = batch(model)
    x_adv = R.trades_attack(model, x, y, eps=0.1, steps=10, generator=generator())
    noise = x + projections.random_in_ball(x, projections.per_image(0.1, x), math.inf, generator())
    p = model(x).softmax(1)
    assert (x_adv - x).abs().max() <= 0.1 + 1e-9
    assert (R.kl_divergence(model(x_adv), p) > R.kl_divergence(model(noise), p)).all()


def test_train_trades_makes_a_toy_robust_and_averages_the_weights() -> None:
    x = torch.cat([torch.full((64, 4), 0.2), torch.full((64, 4), 0.8)])
    y = torch.arange(2).repeat_interleave(64)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    history = R.train_trades(
        *(model, x, y),
        eps=0.2,
        phases=((20, 2), (20, 3)),
        batch_size=32,
        rate=0.02,
        averaging=0.9,
        generator=generator(),
    )
    assert len(history.loss) == 160 and history.learning_rate[-1] < 1e-4
    worst = R.trades_attack(model, x, y, eps=0.2, steps=10, generator=generator())
    assert (model(worst).argmax(1) == y).all()


def test_sharpened_keeps_decisions_and_hides_the_gradient() -> None:
    model = network(dtype=torch.float32)
    x, y = batch(model)
    sharp = R.Sharpened(model, 1e4)
    assert torch.equal(sharp(x).argmax(1), y)
    _, g = T.input_gradient(sharp, x, lambda z: T.cross_entropy(z, y))
    assert (T.norm(g, 1) == 0).float().mean() > 0.5


@pytest.mark.parametrize("eps", [0.0, 0.1, 0.6])
def test_tsipras_accuracy_against_samples(eps: float) -> None:
    x, y = toy.tsipras_sample(20000, 100, mu=0.3, generator=generator())
    right = (y * (x[:, 1:] - eps * y[:, None]).sum(1) > 0).double().mean()
    p = toy.tsipras_accuracy(100, 0.3, eps)
    assert abs(float(right) - p) <= 4 * math.sqrt(p * (1 - p) / 20000) + 1e-3
    assert abs(float((x[:, 0] == y).double().mean()) - 0.95) < 0.01


@pytest.mark.parametrize("d", [2, 3, 50, 784])
def test_distance_to_half_against_samples(d: int) -> None:
    z = torch.randn(20000, d, generator=generator(), dtype=torch.float64)
    angle = torch.asin((z[:, 0] / z.norm(dim=1)).abs())
    r = toy.distance_to_half(d)
    assert abs(float((angle <= r).double().mean()) - 0.5) < 0.02
    if d == 2:
        assert r == pytest.approx(math.pi / 4)
    if d == 784:
        assert r * math.sqrt(d) == pytest.approx(0.6745, rel=2e-3)
