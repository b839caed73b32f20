"""Half-space, ball and slab: their formulas against sampling, and radii against search."""

import math

import pytest
import torch
from torch import Tensor

from helpers import runtime, smoothing
from helpers.smoothing.closed_form import Ball, Example, HalfSpace, Slab, blind_slab, exact_radius, worst_half_space

SIGMA = 0.6
EXAMPLES: list[Example] = [HalfSpace(torch.tensor([1.0, -2.0]), 0.3), Ball(1.4), Slab(0.9), blind_slab(0.5, SIGMA)]


def points(seed: int, n: int = 30) -> Tensor:
    return 1.2 * torch.randn(n, 2, generator=runtime.generator(seed), dtype=torch.float64)


@pytest.mark.parametrize("example", EXAMPLES)
def test_probabilities_against_sampling(example: Example) -> None:
    x, n = points(0, 12), 40_000
    xi = torch.randn(n, 1, 2, generator=runtime.generator(1), dtype=torch.float64)
    share = (example((x + SIGMA * xi).flatten(0, 1)).argmax(1) == 1).unflatten(0, (n, 12)).double().mean(0)
    p = example.probability(x, SIGMA)
    assert ((share - p).abs() <= 5 * (p * (1 - p) / n).sqrt() + 1e-4).all()


@pytest.mark.parametrize("example", EXAMPLES)
@pytest.mark.parametrize("seed", range(3))
def test_the_certificate_never_exceeds_the_true_radius(example: Example, seed: int) -> None:
    x = points(seed)
    assert (exact_radius(example, x, SIGMA) <= example.true_radius(x, SIGMA) + 1e-9).all()


@pytest.mark.parametrize("example", EXAMPLES)
def test_g_is_constant_within_the_true_radius_and_not_beyond(example: Example) -> None:
    x = points(3)
    r = example.true_radius(x, SIGMA)
    g_at_x = example.probability(x, SIGMA) > 0.5
    angle = torch.linspace(0, 2 * math.pi, 721, dtype=torch.float64)
    around = torch.stack([angle.cos(), angle.sin()], 1)

    def leaves(factor: float) -> Tensor:
        steps = factor * r.clamp(max=20)[:, None, None] * around
        return (example.probability((x[:, None] + steps).flatten(0, 1), SIGMA).view(30, -1) > 0.5) != g_at_x[:, None]

    assert not leaves(0.999).any()
    assert leaves(1.001).any(1)[r.isfinite()].all()


def test_smoothing_leaves_a_linear_classifier_as_it_is() -> None:
    example, x = EXAMPLES[0], points(4)
    assert torch.equal(example.probability(x, SIGMA) > 0.5, example(x.float()).argmax(1) == 1)
    for sigma in (0.1, 1.0):
        assert torch.allclose(exact_radius(example, x, sigma), example.true_radius(x, sigma), atol=1e-9)


@pytest.mark.parametrize("p_a", [0.6, 0.9, 0.999])
def test_the_worst_half_space_attains_the_bound_and_flips_at_the_radius(p_a: float) -> None:
    x, delta = torch.tensor([0.2, -0.4, 1.0]), torch.tensor([1.0, 2.0, -2.0])
    worst = worst_half_space(x, delta, p_a, SIGMA)
    assert float(worst.probability(x[None], SIGMA)) == pytest.approx(p_a)
    shifted = float(worst.probability((x + delta)[None], SIGMA))
    assert shifted == pytest.approx(float(smoothing.neyman_pearson_bound(p_a, 3.0, SIGMA)), abs=1e-7)
    r = float(smoothing.certified_radius(p_a, SIGMA))
    u = (delta / 3).double()
    ends = [float(worst.probability((x.double() + f * r * u)[None], SIGMA)) for f in (0.999, 1.001)]
    assert ends[0] > 0.5 > ends[1]


@pytest.mark.parametrize("tau", [0.01, 0.4, 3.0])
def test_the_blind_slab_certifies_tau_where_the_truth_is_infinite(tau: float) -> None:
    slab = blind_slab(tau, SIGMA)
    assert float(exact_radius(slab, torch.zeros(1, 1), SIGMA)) == pytest.approx(tau, rel=1e-6)
    x = torch.linspace(-20, 20, 401)[:, None]
    assert (slab.probability(x, SIGMA) > 0.5).all() and slab.true_radius(x, SIGMA).isinf().all()


def test_a_small_ball_is_never_seen() -> None:
    """In 100 dimensions noise leaves a ball of radius 2 nearly surely: g is 0 everywhere."""
    assert Ball(2.0).boundary(SIGMA, 100) == -math.inf
    assert Ball(2.0).true_radius(torch.zeros(1, 100), SIGMA).isinf().all()
    assert 5 < Ball(8.0).boundary(SIGMA, 100) < math.sqrt(64 - 0.36 * 99)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Ball(1.0).probability(torch.zeros(1, 2), 0.0), "sigma must be a positive number, got 0.0"),
        (lambda: blind_slab(0.0, 1.0), "tau must be a positive number, got 0.0"),
        (lambda: worst_half_space(torch.zeros(2), torch.zeros(2), 0.9, 1.0), "delta != 0"),
        (lambda: worst_half_space(torch.zeros(2), torch.ones(3), 0.9, 1.0), r"got \(2,\), \(3,\)"),
        (lambda: worst_half_space(torch.zeros(2), torch.ones(2), 1, 1.0), "0 < p_a < 1"),
    ],
)
def test_bad_input_is_named(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
