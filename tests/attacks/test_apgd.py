"""APGD, its losses and the team; rounding and noise broken adaptively; exactly robust logistic regression."""

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


def test_the_team_leaves_exactly_those_that_a_linear_model_protects() -> None:
    g = torch.Generator().manual_seed(1)
    w = torch.randn(5, 20, generator=g, dtype=torch.float64)
    x = 0.5 + 0.1 * torch.randn(40, 20, generator=g, dtype=torch.float64).clamp(-2, 2)

    def model(z: Tensor) -> Tensor:
        return (z.flatten(1) - 0.5) @ w.T

    logits, y = model(x), model(x).argmax(1)
    gap = (logits.gather(1, y[:, None]) - logits) / (w[y][:, None] - w).abs().sum(2)
    distance = gap.scatter(1, y[:, None], math.inf).amin(1)
    ordered = distance.sort().values
    eps = float(ordered[19] + ordered[20]) / 2  # half of them are safe
    found = apgd.robust_accuracy(model, x.view(40, 1, 4, 5), y, eps, steps=50, queries=50, ranks=range(1, 5))
    assert torch.equal(found.left, distance > eps)
    hits = int(found.left.sum())
    assert found.rate == hits / 40 and found.interval == attacks.exact_interval(hits, 40)
    assert sum(left for left, _ in found.per_class(y)) == hits and sum(n for _, n in found.per_class(y)) == 40
    assert found.attacks == ("APGD-CE", *(f"APGD-DLR towards rank {k}" for k in range(1, 5)), "square, 50 queries")


def test_the_interval_is_scipys() -> None:
    from scipy.stats import binomtest

    for hits, n in ((0, 10), (10, 10), (283, 300), (1, 7)):
        expected = binomtest(hits, n).proportion_ci(0.95, "exact")
        assert attacks.exact_interval(hits, n) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_apgd_sees_through_sharpened_logits() -> None:
    mnist, model = data.load("mnist"), checkpoints.load("mnist_cnn", "cpu")
    x, y, hidden = mnist.x_test[:20], mnist.y_test[:20], attacks.Sharpened(model)
    found = attacks.apgd_targeted(hidden, x, y, eps=0.2, steps=20, generator=runtime.generator(0, "cpu"))
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
    facts, mnist, model = stored.load(), data.load("mnist"), checkpoints.load("mnist_robust", "cpu")
    whole = facts["robust"]
    assert whole["left"] == sum(left for left, _ in whole["left of each digit"]) and whole["images"] == 300
    assert attacks.exact_interval(whole["left"], 300) == pytest.approx(whole["interval"], abs=1e-4)
    x, y = mnist.x_test[:40], mnist.y_test[:40]
    again = apgd.robust_accuracy(model, x, y, 0.3, steps=20, queries=50, ranks=(1,))
    low, high = attacks.exact_interval(int(again.left.sum()), 40, 0.999)
    assert low < whole["left"] / 300 < high
    table = stored.masking(model, x[:20], y[:20], radii=(0.35,))
    assert table["PGD-40"][0] > table["square, 2,000"][0] + 3
