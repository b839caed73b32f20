"""Lipschitz constants and intervals against linear algebra, sampling and corners; the three bounds nested."""

import itertools
import math

import pytest
import torch
from torch import Tensor, nn

from helpers import models, runtime
from helpers.smoothing import bounds as B, lipschitz
from helpers.smoothing.relaxation import exact_range, linear_bounds, triangle

CONVOLUTIONS = [
    lambda: nn.Conv2d(1, 4, 4, stride=2, padding=1),
    lambda: nn.Conv2d(2, 3, 3, padding=1, bias=False),
    lambda: nn.Conv2d(2, 4, 3, dilation=2, groups=2),
]


def dense(seed: int, sizes: tuple[int, ...] = (3, 6, 5, 2)) -> nn.Sequential:
    runtime.seed(seed)
    return models.mlp(sizes).double()


def test_the_box_ends_at_black_and_at_white() -> None:
    lower, upper = B.box(torch.tensor([[0.0, 0.1, 0.5, 0.9, 1.0]]), 0.25)
    assert torch.allclose(lower, torch.tensor([[0.0, 0.0, 0.25, 0.65, 0.75]]))
    assert torch.allclose(upper, torch.tensor([[0.25, 0.35, 0.75, 1.0, 1.0]]))


NET, X, Y = dense(0), torch.rand(2, 3).double(), torch.tensor([0, 1])


def broken() -> nn.Sequential:
    """Its last bias is NaN."""
    model = dense(0)
    model[-1].bias.data[0] = math.nan
    return model


def corners(lower: Tensor, upper: Tensor) -> Tensor:
    signs = torch.tensor(list(itertools.product((0.0, 1.0), repeat=lower.shape[-1])), dtype=lower.dtype)
    return lower + signs * (upper - lower)


@pytest.mark.parametrize("make", CONVOLUTIONS)
def test_the_norm_of_a_convolution_is_that_of_its_matrix(make) -> None:
    runtime.seed(0)
    layer = make()
    channels = layer.in_channels
    matrix = torch.func.jacrev(layer)(torch.zeros(1, channels, 7, 7)).flatten(0, 3).flatten(1)
    expected = float(torch.linalg.matrix_norm(matrix.detach(), 2))
    found = lipschitz.operator_norm(layer, (channels, 7, 7), steps=200, generator=runtime.generator(1))
    assert found == pytest.approx(expected, rel=1e-3) and found <= expected * (1 + 1e-5)
    above = lipschitz.convolution_norm(layer, (channels, 7, 7))  # what a certificate needs: never below the norm
    assert expected * (1 - 1e-6) <= above <= 1.8 * expected


@pytest.mark.parametrize("seed", range(5))
def test_lipschitz_constants_from_below_and_above(seed: int) -> None:
    runtime.seed(seed)
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 5), nn.ReLU(), nn.Linear(5, 3))
    x = torch.rand(40, 1, 6, 6)
    norms = lipschitz.network_lipschitz(model, (1, 6, 6))
    assert len(norms) == 3
    with torch.no_grad():
        quotients = (model(x[1:]) - model(x[:-1])).norm(dim=1) / (x[1:] - x[:-1]).flatten(1).norm(dim=1)
    local = lipschitz.local_lipschitz(model, x)
    assert local.shape == (40,) and local.max() < math.prod(norms) and quotients.max() < math.prod(norms)
    layer = dense(seed, (4, 3))
    exact = torch.linalg.matrix_norm(layer[1].weight.float(), 2).detach()
    assert torch.allclose(lipschitz.local_lipschitz(layer.float(), torch.rand(2, 4)), exact.expand(2))
    assert lipschitz.network_lipschitz(layer.float(), (4,)) == pytest.approx([float(exact)])


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


@pytest.mark.parametrize("seed", range(5))
def test_exact_lies_in_linear_lies_in_interval_and_samples_lie_in_exact(seed: int) -> None:
    model = dense(seed)
    x = torch.rand(1, 3).double()
    lower, upper = x - 0.4, x + 0.4
    samples = model(lower + torch.rand(20_000, 3).double() * (upper - lower)).detach()
    exact = [end[None] for end in exact_range(model, lower[0], upper[0])]
    crown = [end.detach() for end in linear_bounds(model, lower, upper)]
    box = [end.detach() for end in B.interval_bounds(model, lower, upper)]
    assert (exact[0] - 1e-7 <= samples).all() and (samples <= exact[1] + 1e-7).all()
    width = exact[1] - exact[0]
    assert (samples.amax(0) - samples.amin(0) > 0.8 * width).all()  # so the exact range is no wider than it must be
    assert (crown[0] <= exact[0] + 1e-7).all() and (exact[1] <= crown[1] + 1e-7).all()
    assert (box[0] <= crown[0]).all() and (crown[1] <= box[1]).all()
    assert (box[1] - box[0] > 1.1 * (crown[1] - crown[0])).all()


def test_two_neurons_by_hand() -> None:
    """f = relu(x1 + x2) - relu(x1 - x2) on [-1, 1]^2: exactly [-2, 2], and all three bounds can be worked out."""
    model = models.mlp((2, 2, 1)).double()
    with torch.no_grad():
        model[1].weight.copy_(torch.tensor([[1.0, 1.0], [1.0, -1.0]]))
        model[3].weight.copy_(torch.tensor([[1.0, -1.0]]))
        model[1].bias.zero_()
        model[3].bias.zero_()
    lower, upper = -torch.ones(1, 2).double(), torch.ones(1, 2).double()
    assert [float(end) for end in exact_range(model, lower[0], upper[0])] == pytest.approx([-2, 2], abs=1e-6)
    model.requires_grad_(False)
    assert [float(end) for end in B.interval_bounds(model, lower, upper)] == [-2, 2]
    model[1].bias.data[1] = 2.0  # relu(x1 + x2) - relu(x1 - x2 + 2): the second is never off
    assert [float(end) for end in exact_range(model, lower[0], upper[0])] == pytest.approx([-4, 0], abs=1e-6)
    assert [float(end) for end in B.interval_bounds(model, lower, upper)] == [-4, 2]
    crown = [float(end) for end in linear_bounds(model, lower, upper)]
    # above: relu(z) <= z / 2 + 1 on [-2, 2], so (x1 + x2) / 2 + 1 - (x1 - x2 + 2) = -x1 / 2 + 3 x2 / 2 - 1 <= 1
    assert crown == pytest.approx([-4, 1])


def test_the_triangle_holds_the_graph_of_relu() -> None:
    lower = torch.tensor([-2.0, -1.0, -1.0, 0.5, -3.0, 0.0, -1.0], dtype=torch.float64)
    upper = torch.tensor([1.0, 3.0, 1.0, 2.0, -1.0, 0.0, 0.0], dtype=torch.float64)
    a, s, t = triangle(lower, upper)
    z = lower + torch.linspace(0, 1, 101, dtype=torch.float64)[:, None] * (upper - lower)
    assert (a * z <= z.relu() + 1e-12).all() and (z.relu() <= s * z + t + 1e-12).all()
    ends = torch.stack([lower, upper])
    assert torch.allclose(s * ends + t, ends.relu())
    assert a.tolist() == [0, 1, 0, 1, 0, 1, 0]


@pytest.mark.parametrize("eps", [0.0, 1e-6, 0.001, 0.05])
@pytest.mark.parametrize("sizes", [(1, 1, 1), (2, 3, 2), (4, 1, 6, 2), (3, 8, 8, 2)])
def test_linear_bounds_take_narrow_boxes_and_narrow_nets(sizes: tuple[int, ...], eps: float) -> None:
    """Where CROWN and the intervals agree but for a rounding their larger lower and smaller upper bound may cross."""
    for seed in range(20):
        model, x = dense(seed, sizes).float(), torch.rand(5, sizes[0], generator=runtime.generator(seed))
        low, high = linear_bounds(model, *B.box(x, eps))
        inner, outer = B.interval_bounds(model, *B.box(x, eps))
        assert (low <= high).all() and (inner <= low + 1e-6).all() and (high <= outer + 1e-6).all()
        z = model(x)
        assert (low <= z + 1e-5).all() and (z <= high + 1e-5).all()


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


def test_ibp_training_certifies_what_plain_training_does_not() -> None:
    from helpers.smoothing.bounds import ibp_loss
    from helpers.training import cross_entropy, fit

    g = runtime.generator(0)
    y = torch.arange(2).repeat(200)
    x = (0.5 + 0.25 * (2.0 * y[:, None] - 1) + 0.05 * torch.randn(400, 8, generator=g)).clamp(0, 1)
    certified = []
    for loss in (cross_entropy, lambda m, x, y: ibp_loss(m, x, y, eps=0.1, kappa=0.5)):
        runtime.seed(0)
        model = models.mlp((8, 32, 32, 2))
        fit(model, loss, (x, y), torch.optim.Adam(model.parameters(), 1e-2), steps=60, batch_size=100, generator=g)
        certified.append(float(B.interval_certified(model, x, y, 0.1).double().mean()))
    assert certified[1] > 0.95 and certified[1] >= certified[0]
    at_zero = ibp_loss(model, x, y, eps=0.0, kappa=0.3)
    assert torch.allclose(at_zero, cross_entropy(model, x, y), atol=1e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: lipschitz.operator_norm(nn.Linear(2, 2), (2,), steps=0),
            "steps must be an integer of at least 1, got 0",
        ),
        (lambda: lipschitz.convolution_norm(nn.Conv2d(1, 1, 3, stride=(1, 2)), (1, 4, 4)), "one stride"),
        (lambda: lipschitz.convolution_norm(nn.Conv2d(1, 1, 3, padding_mode="circular"), (1, 4, 4)), "zeros"),
        (lambda: lipschitz.network_lipschitz(nn.Sequential(nn.Linear(2, 2), nn.Tanh()), (2,)), "got Tanh"),
        (lambda: B.interval_bounds(nn.Sequential(nn.MaxPool2d(2)), *B.box(torch.rand(1, 1, 4, 4), 0.1)), "MaxPool2d"),
        (lambda: B.box(torch.rand(1, 2), -0.1), "eps must be at least 0, got -0.1"),
        (
            lambda: B.interval_margins(nn.Sequential(nn.ReLU()), *B.box(torch.rand(1, 2), 0.1), torch.tensor([0])),
            "ReLU",
        ),
        (lambda: B.ibp_loss(dense(0), torch.rand(1, 3), torch.tensor([0]), eps=0.1, kappa=2.0), "kappa must lie in"),
        (lambda: linear_bounds(models.lenet(), *B.box(torch.rand(1, 1, 28, 28), 0.1)), "Linear, ReLU, ..., Linear"),
        (lambda: exact_range(nn.Sequential(nn.ReLU()), torch.zeros(2), torch.ones(2)), r"got \['ReLU'\]"),
        (lambda: triangle(torch.ones(1), torch.zeros(1)), "lies above it by 1"),
        (lambda: triangle(torch.ones(2), torch.ones(1)), r"one shape, got \(2,\) and \(1,\)"),
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
        (lambda: linear_bounds(NET, X[:1], X), "one shape"),
        (lambda: exact_range(NET, X[0], X[0] - 1), "lies above it by 1"),
    ],
)
def test_bad_input_is_named(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
