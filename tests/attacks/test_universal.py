"""Universal perturbations against theory."""

import math

import pytest
import torch

from helpers.attacks import threat as T, universal as U
from tests.attacks.toys import batch, generator, linear, network


def test_singular_perturbation_of_a_linear_map_is_its_first_singular_vector() -> None:
    model = linear(4)
    x, _ = batch(model)
    v = U.singular_perturbation(model, x, p=2, q=2, steps=200, generator=generator())
    first = torch.linalg.svd(model[1].weight.detach())[2][0]
    assert abs(float(v.flatten() @ first)) > 1 - 1e-6


def test_singular_perturbation_in_linf_is_a_sign_pattern_with_a_large_image() -> None:
    model = linear(4)
    x, _ = batch(model)
    v = U.singular_perturbation(model, x, q=10, generator=generator()).flatten()
    assert torch.equal(v.abs(), torch.ones_like(v))
    w = model[1].weight.detach()
    noise = torch.randn(2000, 36, generator=generator(1), dtype=torch.float64).sign()
    assert T.norm((w @ v)[None], 10) > T.norm(noise @ w.T, 10).quantile(0.99)


@pytest.mark.parametrize("p", [2, math.inf])
def test_universal_deepfool_fools_a_linear_model_and_stays_in_its_ball(p: float) -> None:
    model = linear(2)
    x, y = batch(model, 40)
    x = x[y == y.mode().values]  # all on one side: one direction fools them all
    eps = 1.0 if p == 2 else 0.15
    v = U.universal_deepfool(model, x, eps=eps, p=p, batch_size=5, generator=generator())
    assert T.norm(v[None], p) <= eps * (1 + 1e-9) and U.fooling_rate(model, x, v) == 1


def test_universal_sgd_beats_random_signs() -> None:
    model = network()
    x, y = batch(model, 200)
    delta = U.universal_sgd(model, x, y, eps=0.1, epochs=10, batch_size=50, generator=generator())
    noise = 0.1 * torch.randn(delta.shape, generator=generator(), dtype=delta.dtype).sign()
    assert delta.abs().max() <= 0.1 and U.fooling_rate(model, x, delta) > U.fooling_rate(model, x, noise)


def test_fooling_rate_of_nothing_is_zero() -> None:
    model = network()
    x, _ = batch(model)
    assert U.fooling_rate(model, x, torch.zeros_like(x[0])) == 0
