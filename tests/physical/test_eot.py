"""Expectation over transformation: unbiased, better than PGD where the camera moves; intervals that cover."""

import math

import pytest
import torch
from torch import Tensor, nn

from helpers import attacks, checkpoints, data, physical, runtime
from helpers.physical import Camera

TURNS = physical.LADDER["rotation"]


@pytest.fixture(scope="module")
def digits() -> tuple[nn.Module, Tensor, Tensor]:
    net, mnist = checkpoints.load("mnist_cnn"), data.load("mnist")
    device = next(net.parameters()).device
    return net, mnist.x_test[:24].to(device), mnist.y_test[:24].to(device)


def cubes(photographs: Tensor) -> Tensor:
    return (photographs.flatten(1) - 0.3).pow(3).sum(1)


def test_the_mean_over_shots_and_its_gradient() -> None:
    x = torch.rand(2, 1, 9, 9, generator=runtime.generator(0), dtype=torch.float64)
    shots = physical.draw(TURNS._replace(quality=(math.inf, math.inf)), x, 3, generator=runtime.generator(1))
    photographs = physical.photograph(x, shots)
    z = x.clone().requires_grad_()
    value = physical.expectation_over_transformation(cubes, z, shots)
    torch.testing.assert_close(value, cubes(photographs).view(2, 3).mean(1))
    (g,) = torch.autograd.grad(value.sum(), z)
    torch.testing.assert_close(physical.shot_gradients(cubes, x, shots).mean(1), g)


def test_the_gradient_is_unbiased_and_its_error_falls_as_one_over_n() -> None:
    """Problem 8.1: means of n shots around the mean of 4,000 others; the squared error is the variance over n."""
    x = torch.rand(1, 1, 6, 6, generator=runtime.generator(0), dtype=torch.float64)
    many = physical.shot_gradients(cubes, x, physical.draw(TURNS, x, 4000, generator=runtime.generator(1)))[0]
    others = physical.shot_gradients(cubes, x, physical.draw(TURNS, x, 4000, generator=runtime.generator(2)))[0]
    spread = others.var(0).sum()
    error = (many.mean(0) - others.mean(0)).square().sum()
    assert error < 2 * spread / 4000 * 2  # the mean of the error is 2 spread / 4000
    for n in (4, 40):
        means = many.view(-1, n, *many.shape[1:]).mean(1)
        squared = (means - others.mean(0)).square().flatten(1).sum(1).mean()
        assert abs(squared * n / spread - 1) < 0.35


def test_the_attack_stays_in_its_ball_and_the_seed_decides(digits: tuple[nn.Module, Tensor, Tensor]) -> None:
    net, x, y = digits
    eps = torch.linspace(0, 0.2, len(x))
    first, again = (
        physical.eot_attack(net, x, y, eps=eps, camera=TURNS, samples=2, steps=3, generator=runtime.generator(3))
        for _ in range(2)
    )
    assert torch.equal(first, again) and torch.equal(first[0], x[0])
    assert ((first - x).abs().amax((1, 2, 3)) <= eps.to(x) + 1e-6).all() and first.min() >= 0 and first.max() <= 1


def test_without_a_camera_it_is_pgd(digits: tuple[nn.Module, Tensor, Tensor]) -> None:
    """The same start and the same steps; only the last iterate comes back."""
    net, x, y = digits
    options = {"eps": 0.1, "camera": Camera(), "samples": 1, "steps": 1, "step": 0.03}
    eot = physical.eot_attack(net, x, y, **options, generator=runtime.generator(4))
    start = x + attacks.random_in_ball(x, torch.full((len(x), 1, 1, 1), 0.1).to(x), math.inf, runtime.generator(4))
    start = start.clamp(0, 1)
    _, g = attacks.input_gradient(net, start, lambda z: attacks.cross_entropy(z, y))
    expected = (start + 0.03 * g.sign()).clamp(x - 0.1, x + 0.1).clamp(0, 1)
    torch.testing.assert_close(eot, expected)


def test_it_survives_the_camera_where_pgd_does_not(digits: tuple[nn.Module, Tensor, Tensor]) -> None:
    """Targeted, so that no camera helps; the difference was 0.24 over 60 digits, twelve times this bound's error."""
    net, x, y = digits
    target = (y + 1) % 10
    options = {"eps": 0.2, "samples": 4, "steps": 12, "shots": 5, "targeted": True}
    found = physical.ladder(net, x, target, **options, attacker=runtime.generator(0), judge=runtime.generator(1))
    assert list(found) == list(physical.LADDER) and list(found["digital"]) == ["clean", "random", "PGD", "EOT"]
    last = found["perspective"]
    assert last["EOT"].rate > last["PGD"].rate + 0.1 and last["clean"].rate < 0.1 and last["random"].rate < 0.1
    assert found["digital"]["PGD"].rate > 0.8 and found["digital"]["PGD"].rate > last["PGD"].rate + 0.2


def test_plans_are_judged_by_the_same_shots(digits: tuple[nn.Module, Tensor, Tensor]) -> None:
    net, x, y = digits
    options = {"eps": 0.15, "camera": TURNS, "shots": 4}
    attacker, judge = runtime.generator(0), runtime.generator(1)
    found = physical.sample_study(net, x, y, **options, plans=[(1, 4), (2, 4)], attacker=attacker, judge=judge)
    assert list(found) == [(1, 4), (2, 4)]
    again = physical.sample_study(
        net, x, y, **options, plans=[(1, 4)], attacker=runtime.generator(0), judge=runtime.generator(1)
    )
    assert again[1, 4] == found[1, 4]


def test_fooled_asks_each_photograph(digits: tuple[nn.Module, Tensor, Tensor]) -> None:
    net, x, y = digits
    shots = physical.draw(TURNS, x, 3, generator=runtime.generator(5))
    labels = net(physical.photograph(x, shots)).argmax(1)
    assert torch.equal(physical.fooled(net, x, y, shots), labels.view(-1, 3) != y[:, None])


@pytest.mark.parametrize("alike", [0.5, 3.0, 50.0])
@pytest.mark.parametrize("p", [0.03, 0.5, 0.9])
def test_the_interval_covers_for_pictures_drawn_anew(p: float, alike: float) -> None:
    """Each picture has its own rate, Beta(p alike, (1 - p) alike): with small `alike` its shots agree. 400 worlds, of
    which at least 0.92 must be covered (0.95 less two standard errors is 0.928)."""
    import numpy as np

    rng, covered = np.random.default_rng(0), 0
    for _ in range(400):
        rates = rng.beta(p * alike, (1 - p) * alike, size=(50, 1))
        found = physical.success_rate(torch.from_numpy(rng.random((50, 8)) < rates))
        covered += found.low <= p <= found.high
        assert found.low <= found.rate <= found.high
    assert covered >= 0.92 * 400


def test_intervals_by_hand() -> None:
    """One shot each, and one picture: Clopper and Pearson's own."""
    one_each = torch.arange(40)[:, None] < 12
    found = physical.success_rate(one_each)
    assert found.rate == 0.3
    exact = attacks.exact_interval(12, 40)
    assert abs(found.low - exact[0]) < 0.02 and abs(found.high - exact[1]) < 0.02
    assert physical.success_rate(torch.arange(30)[None] < 6)[1:] == attacks.exact_interval(6, 30)
    everywhere = physical.success_rate(torch.ones(50, 20, dtype=torch.bool))
    assert everywhere.high == 1 and abs(everywhere.low - attacks.exact_interval(50, 50)[0]) < 0.01


def test_bad_input_is_named(digits: tuple[nn.Module, Tensor, Tensor]) -> None:
    net, x, y = digits
    for hits in (torch.ones(3, dtype=torch.bool), torch.ones(3, 2), torch.ones(0, 2, dtype=torch.bool)):
        with pytest.raises(ValueError, match=r"hits must be \(pictures, shots\) of torch.bool"):
            physical.success_rate(hits)
    for options, message in (
        ({"samples": 0}, "samples must be"),
        ({"steps": 0}, "steps must be"),
        ({"eps": -1}, "eps"),
    ):
        given = {"eps": 0.1, "samples": 1, "steps": 1} | options
        with pytest.raises(ValueError, match=message):
            physical.eot_attack(net, x, y, camera=TURNS, **given)
    with pytest.raises(ValueError, match="carry no gradient"):
        physical.eot_attack(torch.no_grad()(net), x, y, eps=0.1, camera=TURNS, samples=1, steps=1)
