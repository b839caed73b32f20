"""Intervals against sampling and corners, and training on them."""

import math

import pytest
import torch
from torch import nn

from helpers import models, runtime
from helpers.smoothing import bounds as B
from helpers.training import cross_entropy, fit
from tests.smoothing.toys import CONVOLUTIONS, corners, dense

NET, X, Y = dense(0), torch.rand(2, 3).double(), torch.tensor([0, 1])
ONE = torch.tensor([0.0, 1, 0], dtype=torch.float64)  # one entry of each image


def broken() -> nn.Sequential:
    """Its last bias is NaN."""
    model = dense(0)
    model[-1].bias.data[0] = math.nan
    return model


def test_the_box_ends_at_black_and_at_white() -> None:
    lower, upper = B.box(torch.tensor([[0.0, 0.1, 0.5, 0.9, 1.0]]), 0.25)
    assert torch.allclose(lower, torch.tensor([[0.0, 0.0, 0.25, 0.65, 0.75]]))
    assert torch.allclose(upper, torch.tensor([[0.25, 0.35, 0.75, 1.0, 1.0]]))


@pytest.mark.parametrize("make", CONVOLUTIONS)
def test_the_interval_of_one_convolution_is_attained(make) -> None:
    runtime.seed(1)
    layer = make().double()
    lower = torch.rand(2, layer.in_channels, 5, 5).double()
    upper = lower + torch.rand_like(lower)
    low, high = B.interval_step(layer, lower, upper)
    inside = layer(lower + torch.rand_like(lower) * (upper - lower))
    assert ((low <= inside) & (inside <= high)).all()
    matrix = torch.func.jacrev(lambda z: layer(z[None])[0].flatten())(lower[0]).flatten(1)
    best = torch.where(matrix > 0, upper[0].flatten(), lower[0].flatten())  # of each output entry, its own corner
    attained = torch.stack([layer(corner.view_as(lower[:1]))[0].flatten()[i] for i, corner in enumerate(best)])
    assert torch.allclose(attained, high[0].flatten())


def test_one_image_and_one_pixel_have_an_interval() -> None:
    layer = nn.Conv2d(1, 2, 3, bias=False).double()
    lower = torch.rand(1, 1, 3, 3).double()
    low, high = B.interval_step(layer, lower, lower + 0.1)
    assert low.shape == (1, 2, 1, 1)
    assert torch.allclose((high - low)[0, :, 0, 0], 0.1 * layer.weight.abs().sum((1, 2, 3)))
    without = nn.Linear(3, 2, bias=False).double()
    assert torch.allclose(B.interval_step(without, X, X)[0], without(X))


@pytest.mark.parametrize("seed", range(3))
def test_interval_margins_are_sound_and_tighter_than_the_difference_of_bounds(seed: int) -> None:
    model = dense(seed, (4, 8, 3))
    x = torch.rand(6, 4).double()
    y = model(x).argmax(1)
    lower, upper = B.box(x, 0.05)
    margins = B.interval_margins(model, lower, upper, y).detach()
    low, high = B.interval_bounds(model, lower, upper)
    apart = (low.gather(1, y[:, None]) - high).detach()
    others = torch.ones_like(margins).scatter(1, y[:, None], 0) > 0
    assert (margins >= apart - 1e-12)[others].all() and (margins > apart + 1e-3)[others].any()
    assert (margins[~others] == 0).all()
    z = model(corners(lower[:, None], upper[:, None]).flatten(0, 1)).unflatten(0, (6, 16))
    true = (z.gather(2, y[:, None, None].expand(-1, 16, 1)) - z).amin(1)
    assert (margins <= true + 1e-12).all()
    certified = B.interval_certified(model, x, y, 0.05)
    assert certified.any() and (z.argmax(2) == y[:, None]).all(1)[certified].all()
    assert not B.interval_certified(model, x, (y + 1) % 3, 0.05).any()


def test_margins_of_pictures_are_those_of_their_rows() -> None:
    x = torch.rand(2, 1, 3, 3).double()
    model = nn.Sequential(nn.Flatten(), *dense(0, (9, 4, 2)))
    flat = B.interval_margins(model, *B.box(x.flatten(1), 0.1), Y)
    assert torch.equal(B.interval_margins(model, *B.box(x, 0.1), Y), flat)


def test_a_tie_is_no_certificate() -> None:
    """Where every logit is the same everywhere, no class is proved."""
    model = nn.Sequential(nn.Linear(3, 2))
    for weight in model.parameters():
        nn.init.zeros_(weight)
    assert not B.interval_certified(model, X.float(), Y, 0.1).any()


def test_ibp_training_certifies_what_plain_training_does_not() -> None:
    g = runtime.generator(0)
    y = torch.arange(2).repeat(200)
    x = (0.5 + 0.25 * (2.0 * y[:, None] - 1) + 0.05 * torch.randn(400, 8, generator=g)).clamp(0, 1)
    certified = []
    for loss in (cross_entropy, lambda m, x, y: B.ibp_loss(m, x, y, eps=0.1, kappa=0.5)):
        runtime.seed(0)
        model = models.mlp((8, 32, 32, 2))
        fit(model, loss, (x, y), torch.optim.Adam(model.parameters(), 1e-2), steps=60, batch_size=100, generator=g)
        certified.append(float(B.interval_certified(model, x, y, 0.1).double().mean()))
    assert certified[1] > 0.95 and certified[1] >= certified[0]
    at_zero = B.ibp_loss(model, x, y, eps=0.0, kappa=0.3)
    assert torch.allclose(at_zero, cross_entropy(model, x, y), atol=1e-5)


@pytest.mark.parametrize("kappa", [0, 0.3, 1])
def test_the_loss_weighs_the_point_and_the_worst_of_its_box(kappa: float) -> None:
    margins = B.interval_margins(NET, *B.box(X, 0.1), Y)
    worst = (-margins).exp().sum(1).log().mean()  # cross-entropy of -margins, whose entry at y is 0
    expected = kappa * cross_entropy(NET, X, Y) + (1 - kappa) * worst
    assert torch.allclose(B.ibp_loss(NET, X, Y, eps=0.1, kappa=kappa), expected)
    assert torch.equal(B.ibp_loss(NET, X, Y, eps=0.1), B.ibp_loss(NET, X, Y, eps=0.1, kappa=0.5))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: B.interval_bounds(nn.Sequential(nn.MaxPool2d(2)), *B.box(torch.rand(1, 1, 4, 4), 0.1)), "MaxPool2d"),
        (lambda: B.box(torch.rand(1, 2), -0.1), "eps must be at least 0, got -0.1"),
        (
            lambda: B.interval_margins(nn.Sequential(nn.ReLU()), *B.box(torch.rand(1, 2), 0.1), torch.tensor([0])),
            "ReLU",
        ),
        (lambda: B.ibp_loss(dense(0), torch.rand(1, 3), torch.tensor([0]), eps=0.1, kappa=1.1), "kappa must lie in"),
        (lambda: B.interval_bounds(NET, X[:1], X), r"one shape, got \(1, 3\) and \(2, 3\)"),
        (lambda: B.interval_bounds(NET, X, X * math.inf), "the box must be finite, got 6"),
        (lambda: B.interval_linear(X, X, torch.eye(2), torch.zeros(2)), r"need a box \(N, n\)"),
        (lambda: B.interval_linear(X, X, torch.eye(3), torch.zeros(1)), r"got .*\(3, 3\), \(1,\)"),
        (lambda: B.interval_linear(X[0], X[0], torch.eye(3), torch.zeros(3)), r"got \[\(3,\)"),
        (lambda: B.interval_linear(X, X, math.nan * torch.eye(3), torch.zeros(3)), "weight and bias must be finite"),
        (lambda: B.interval_linear(X, X, torch.eye(3), math.inf * torch.ones(3)), "weight and bias must be finite"),
        (lambda: B.interval_margins(NET, X[:1], X, Y), "one shape"),
        (lambda: B.interval_margins(NET, X, X, torch.tensor([0, 2])), r"y must lie in 0 \.\.\. 1, got from 0 to 2"),
        (lambda: B.interval_margins(NET, X, X, torch.tensor([-1, 0])), r"y must lie in 0 \.\.\. 1, got from -1 to 0"),
        (lambda: B.interval_margins(NET, X, X, Y[:1]), "one label per image, 2 integers"),
        (lambda: B.interval_margins(NET, X, X, Y.double()), "one label per image, 2 integers"),
        (lambda: B.interval_margins(nn.Sequential(), X, X, Y), "got no layers"),
        (lambda: B.interval_margins(broken(), X, X, Y), "the weights must be finite"),
        (lambda: B.interval_bounds(nn.Sequential(nn.ReLU()), X, X - 1), "lies above it by 1"),
        (lambda: B.interval_margins(nn.Sequential(nn.Tanh(), *NET), X, X, Y), "got Tanh"),
        (lambda: B.interval_linear(X, X - 1, torch.eye(3), torch.zeros(3)), "lies above it by 1"),
        (lambda: B.interval_bounds(NET, X + ONE, X), "lies above it by 1"),
        (lambda: B.interval_bounds(NET, X, X.where(ONE == 0, math.inf)), "the box must be finite, got 2"),
        (lambda: B.interval_linear(X, X, torch.eye(3) / (1 - ONE), torch.zeros(3)), "weight and bias must be finite"),
        (lambda: B.interval_linear(X, X, torch.eye(3), 1 / (1 - ONE)), "weight and bias must be finite"),
        (lambda: B.ibp_loss(NET, X, Y, eps=0.1, kappa=-0.1), r"kappa must lie in \[0, 1\], got -0.1"),
        (lambda: B.ibp_loss(nn.Linear(3, 2), X, Y, eps=0.1), "the model must be nn.Sequential, got Linear"),
    ],
)
def test_bad_input_is_named(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
