"""NES and squares: their laws, the queries they count, and that they are what other implementations find."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from helpers import attacks, checkpoints, data, runtime
from helpers.physical import queries as Q, squares as S
from tests.physical import styles_queries as slow


def generator(seed: int = 0) -> torch.Generator:
    return runtime.generator(seed, "cpu")


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=generator(seed), dtype=torch.float64)


@pytest.fixture(scope="module")
def digits() -> tuple[torch.nn.Module, Tensor, Tensor]:
    """mnist_cnn and the first 30 digits that it classifies rightly."""
    model, mnist = checkpoints.load("mnist_cnn", "cpu").requires_grad_(False), data.load("mnist")
    right = (model(mnist.x_test[:60]).argmax(1) == mnist.y_test[:60]).nonzero()[:30, 0]
    return model, mnist.x_test[right], mnist.y_test[right]


# The gradient.


@pytest.mark.parametrize("antithetic", [True, False])
def test_nes_is_the_slow_loop(antithetic: bool) -> None:
    x, xi, w = normal(4, 2, 3), normal(7, 4, 2, 3, seed=1), normal(4, 2, 3, seed=2)

    def f(z: Tensor) -> Tensor:
        return (z * w).flatten(2).sum(2).sin() + z.flatten(2).norm(dim=2)

    ours = Q.nes_gradient(f, x, xi, sigma=0.3, antithetic=antithetic)
    torch.testing.assert_close(ours, slow.nes_gradient(f, x, xi, sigma=0.3, antithetic=antithetic))


@pytest.mark.parametrize("value", [0.0, 0.5, 5.0])
@pytest.mark.parametrize("antithetic", [True, False])
def test_its_variance_on_a_linear_function_is_the_closed_form(value: float, antithetic: bool) -> None:
    g, sigma, n = normal(12), 0.4, 10
    mean, error = Q.nes_error(g, value, sigma=sigma, n=n, antithetic=antithetic, repeats=20_000, generator=generator())
    due = Q.nes_variance(slope=float(g.norm()), value=value, d=12, sigma=sigma, n=n, antithetic=antithetic)
    assert abs(mean - due) < 5 * error and error < 0.03 * due


def test_at_the_crossover_both_have_one_variance_and_at_zero_pairs_have_twice_that_of_single_queries() -> None:
    case: dict[str, Any] = {"slope": 2.0, "d": 30, "sigma": 0.1, "n": 20}
    at = Q.nes_crossover(slope=2.0, d=30, sigma=0.1)
    assert at == pytest.approx(0.1 * 2 * math.sqrt(31 / 30))
    plain, pairs = (Q.nes_variance(value=at, antithetic=kind, **case) for kind in (False, True))
    assert plain == pytest.approx(pairs)
    for factor, sign in ((0.9, -1), (1.1, 1)):
        assert sign * (Q.nes_variance(value=factor * at, antithetic=False, **case) - pairs) > 0
    assert pairs == pytest.approx(2 * Q.nes_variance(value=0.0, antithetic=False, **case))


def test_it_is_unbiased_for_the_smoothed_function() -> None:
    """f = |z|^2 has E f(x + sigma xi) = |x|^2 + sigma^2 d, slope 2 x."""
    x = normal(3).expand(50_000, 3)
    g = Q.nes_gradient(lambda z: z.square().sum(2), x, normal(4, 50_000, 3, seed=3), sigma=0.5)
    assert ((g.mean(0) - 2 * x[0]).abs() < 5 * g.std(0) / math.sqrt(50_000)).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sigma": 0.0}, "sigma must be a positive number"),
        ({"sigma": math.nan}, "sigma must be a positive number"),
        ({"xi": normal(5, 3)}, "xi must be"),
        ({"xi": normal(0, 4, 3)}, "xi must be"),
        ({"f": lambda z: z.sum((1, 2))}, "one number"),
        ({"f": lambda z: z.sum(2) * math.nan}, "finite"),
    ],
)
def test_bad_input_of_the_gradient_is_named(change: dict[str, Any], message: str) -> None:
    case: dict[str, Any] = {"f": lambda z: z.sum(2), "x": normal(4, 3), "xi": normal(5, 4, 3), "sigma": 0.1} | change
    with pytest.raises(ValueError, match=message):
        Q.nes_gradient(case["f"], case["x"], case["xi"], sigma=case["sigma"])


def test_bad_input_of_the_variance_is_named() -> None:
    with pytest.raises(ValueError, match="n must be even"):
        Q.nes_variance(slope=1, value=1, d=3, sigma=0.1, n=5, antithetic=True)
    with pytest.raises(ValueError, match="d must be an integer"):
        Q.nes_crossover(slope=1, d=0, sigma=0.1)


# The attacks.


def test_square_search_finds_what_the_attack_of_lecture_7_finds(digits: Any) -> None:
    model, x, y = digits
    run = S.square_search(Q.margin_of(model, y), x, eps=0.15, budget=60, generator=generator())
    other = attacks.square(model, x, y, eps=0.15, steps=59, generator=generator())
    torch.testing.assert_close(run.x_adv, other, rtol=0, atol=1e-6)
    assert torch.equal(run.success, attacks.outcome(model, x, other, y).success)
    assert 0 < run.success.sum() < len(x)


@pytest.mark.parametrize("name", ["nes", "square"])
def test_queries_are_counted_to_the_last_one_and_the_ball_is_kept(name: str, digits: Any) -> None:
    model, x, y = digits
    counted = attacks.Counted(model)
    attack = {"nes": lambda *a, **k: Q.nes_attack(*a, samples=10, **k), "square": S.square_search}[name]
    run = attack(Q.margin_of(counted, y), x, eps=0.4, budget=66, generator=generator())
    assert counted.queries == int(run.queries.sum()) and run.queries.max() <= 66 and run.queries.min() >= 1
    assert counted.gradients == 0
    assert ((run.x_adv - x).abs() <= 0.4 + 1e-6).all() and ((0 <= run.x_adv) & (run.x_adv <= 1)).all()
    assert torch.equal(run.success, attacks.outcome(model, x, run.x_adv, y).success)
    assert run.success.any() and (run.queries[run.success] <= 66).all()
    assert (run.queries[~run.success] == 66).all()


def test_steps_down_the_nes_gradient_lower_the_margin(digits: Any) -> None:
    model, x, y = digits
    value = Q.margin_of(model, y)
    run = Q.nes_attack(value, x, eps=0.1, budget=204, samples=50, generator=generator())
    rows = torch.arange(len(x))
    fall = value(x, rows) - value(run.x_adv, rows)
    assert fall.mean() > 5 * fall.std() / math.sqrt(len(x))


def test_a_share_comes_with_its_exact_interval() -> None:
    run = Q.Run(torch.zeros(4, 1), torch.tensor([True, True, False, True]), torch.tensor([5, 10, 10, 1]))
    shares = Q.share_within(run, (1, 5, 10))
    assert [share.rate for share in shares] == [0.25, 0.5, 0.75]
    assert (shares[1].low, shares[1].high) == attacks.exact_interval(2, 4)
    with pytest.raises(ValueError, match="budget must be"):
        Q.share_within(run, (0,))


@pytest.mark.parametrize(
    ("attack", "options", "message"),
    [
        (S.square_search, {"budget": 0}, "budget must be an integer of at least 1, got 0"),
        (Q.nes_attack, {"budget": 0}, "budget larger"),
        (Q.nes_attack, {"budget": 50}, "budget larger"),
        (Q.nes_attack, {"budget": 100, "samples": 5}, "samples must be even"),
        (S.square_search, {"budget": 9, "eps": -1.0}, "eps must be finite and >= 0"),
        (S.square_search, {"budget": 9, "x": torch.full((2, 1, 4, 4), math.nan)}, "x must be a non-empty"),
        (Q.nes_attack, {"budget": 99, "x": torch.full((2, 1, 4, 4), 1.5)}, "x must be a non-empty"),
        (S.square_search, {"budget": 9, "value": lambda z, rows: z.sum((1, 2, 3)) * math.nan}, "finite"),
        (Q.nes_attack, {"budget": 99, "value": lambda z, rows: z.sum((1, 2, 3)) * math.nan}, "finite"),
    ],
)
def test_bad_input_of_the_attacks_is_named_and_nan_looks_not_robust(
    attack: Any, options: dict[str, Any], message: str
) -> None:
    case = {"value": lambda z, rows: z.sum((1, 2, 3)), "x": torch.full((2, 1, 4, 4), 0.5), "eps": 0.1} | options
    with pytest.raises(ValueError, match=message):
        attack(case.pop("value"), case.pop("x"), **case)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"top": torch.tensor([3, 0])}, r"top must be 2 places in 0 \.\.\. 2"),
        ({"left": torch.tensor([-1, 0])}, r"left must be 2 places"),
        ({"side": 5}, "top must be"),
        ({"side": 0}, "side must be an integer"),
        ({"signs": torch.zeros(2, 1)}, "signs must be"),
        ({"signs": torch.ones(2, 3)}, "signs must be"),
    ],
)
def test_a_square_that_leaves_the_picture_is_named(change: dict[str, Any], message: str) -> None:
    x, zero = torch.full((2, 1, 4, 5), 0.5), torch.zeros(2, dtype=torch.int64)
    case = {"eps": 0.1, "top": zero, "left": zero, "side": 2, "signs": torch.ones(2, 1)} | change
    with pytest.raises(ValueError, match=message):
        S.square_attack_step(lambda z: z.sum((1, 2, 3)), x, x, x.sum((1, 2, 3)), **case)
