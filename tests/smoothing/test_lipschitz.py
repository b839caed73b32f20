"""The product of norms, the radius of a margin, intervals of a linear map: against sampling and linear algebra."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from helpers import runtime, smoothing as S
from helpers.smoothing import lipschitz as L

SEEDS = range(5)


def double(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_product_of_norms_bounds_every_quotient(seed: int) -> None:
    g = runtime.generator(seed)
    weights = [torch.randn(m, n, generator=g, dtype=torch.float64) for m, n in ((7, 5), (6, 7), (3, 6))]
    bound = S.lipschitz_upper_bound(weights)
    assert bound == pytest.approx(np.prod([np.linalg.svd(w.numpy())[1][0] for w in weights]))
    x, step = torch.randn(2, 500, 5, generator=g, dtype=torch.float64)

    def net(z: Tensor) -> Tensor:
        for w in weights[:-1]:
            z = (z @ w.T + 0.3).relu()
        return z @ weights[-1].T

    quotient = (net(x + step) - net(x)).norm(dim=1) / step.norm(dim=1)
    assert quotient.max() <= bound
    linear = (x @ weights[0].T).norm(dim=1) / x.norm(dim=1)
    assert 0.5 * S.lipschitz_upper_bound(weights[:1]) < linear.max() <= S.lipschitz_upper_bound(weights[:1])


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("per_logit", [False, True])
def test_the_margin_radius_never_exceeds_the_distance_of_a_linear_classifier(seed: int, per_logit: bool) -> None:
    g = runtime.generator(seed)
    w = torch.randn(4, 6, generator=g, dtype=torch.float64)
    x = torch.randn(200, 6, generator=g, dtype=torch.float64)
    z = x @ w.T
    y = z.argmax(1)
    lipschitz = w.norm(dim=1).max() if per_logit else torch.linalg.matrix_norm(w, 2)
    gap = z.gather(1, y[:, None]) - z
    distance = (gap / (w[y][:, None] - w).norm(dim=2)).scatter(1, y[:, None], math.inf).amin(1)
    assert (S.margin_radius(z, y, float(lipschitz), per_logit=per_logit) <= distance * (1 + 1e-12)).all()
    wrong = (y + 1) % 4
    assert (S.margin_radius(z, wrong, 1.0) == 0).all()


def test_both_margin_radii_are_attained() -> None:
    """sqrt(2): logits (x, -x) / sqrt(2) have L = 1; two: each logit has L = 1 and the two move against each other."""
    x = double(0.8)[:, None]
    y = torch.tensor([0])
    assert S.margin_radius(torch.cat([x, -x], 1) / math.sqrt(2), y, 1.0).item() == pytest.approx(0.8)
    assert S.margin_radius(torch.cat([x, -x], 1), y, 1.0, per_logit=True).item() == pytest.approx(0.8)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_interval_of_a_linear_map_is_that_of_the_corners(seed: int) -> None:
    g = runtime.generator(seed)
    centre, radius = torch.rand(2, 3, 4, generator=g, dtype=torch.float64)
    w, b = torch.randn(5, 4, generator=g, dtype=torch.float64), torch.randn(5, generator=g, dtype=torch.float64)
    corners = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=4)), dtype=torch.float64)
    values = (centre[:, None] + radius[:, None] * corners) @ w.T + b
    low, high = S.interval_linear(centre - radius, centre + radius, w, b)
    assert torch.allclose(low, values.amin(1)) and torch.allclose(high, values.amax(1))


def test_every_layer_is_measured_on_the_shape_that_reaches_it() -> None:
    """Against the singular values of the layers' matrices, in double precision."""
    torch.manual_seed(0)
    layers = nn.Conv2d(1, 2, 3, stride=2), nn.Conv2d(2, 3, 2), nn.Linear(12, 4)
    net = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.Flatten(), layers[2])
    bounds = L.network_lipschitz(net, (1, 7, 7))
    for layer, shape, bound in zip(layers, ((1, 7, 7), (2, 3, 3), (12,)), bounds, strict=True):
        matrix = torch.autograd.functional.jacobian(layer, torch.zeros(1, *shape)).reshape(-1, math.prod(shape))
        norm = float(torch.linalg.svdvals(matrix.double())[0])
        below = L.operator_norm(layer, shape, steps=2000, generator=runtime.generator(0))
        assert below == pytest.approx(norm, rel=1e-4) and type(bound) is float
        assert norm * (1 - 1e-6) <= bound <= (1 + 1e-6 if isinstance(layer, nn.Linear) else 1.6) * norm


def test_one_step_of_power_iteration_by_hand() -> None:
    layer = nn.Linear(5, 4).double()
    v = torch.randn(1, 5, generator=runtime.generator(0), dtype=torch.float64)
    u = v @ layer.weight.T
    by_hand = float((u / u.norm() @ layer.weight).detach().norm())
    assert L.operator_norm(layer, (5,), steps=1, generator=runtime.generator(0)) == pytest.approx(by_hand, rel=1e-12)
    nn.init.zeros_(layer.weight)
    assert L.operator_norm(layer, (5,)) == 0
