"""Lipschitz constants against linear algebra, the three bounds nested, and bad input to them."""

import math

import pytest
import torch
from torch import nn

from helpers import models, runtime
from helpers.smoothing import bounds as B, lipschitz
from helpers.smoothing.relaxation import exact_range, linear_bounds, triangle
from tests.smoothing.toys import CONVOLUTIONS, dense

X = torch.rand(2, 3).double()
NET = dense(0)


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
        (lambda: linear_bounds(models.lenet(), *B.box(torch.rand(1, 1, 28, 28), 0.1)), "Linear, ReLU, ..., Linear"),
        (lambda: exact_range(nn.Sequential(nn.ReLU()), torch.zeros(2), torch.ones(2)), r"got \['ReLU'\]"),
        (lambda: triangle(torch.ones(1), torch.zeros(1)), "lies above it by 1"),
        (lambda: triangle(torch.ones(2), torch.ones(1)), r"one shape, got \(2,\) and \(1,\)"),
        (lambda: linear_bounds(NET, X[:1], X), "one shape"),
        (lambda: exact_range(NET, X[0], X[0] - 1), "lies above it by 1"),
    ],
)
def test_bad_input_is_named(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
