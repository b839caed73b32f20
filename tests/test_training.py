"""The training loop against its recurrence and the bare loop: batches, schedules, divergence, progress."""

import math

import pytest
import torch
from torch import nn

from helpers import runtime, training
from helpers.training import fit


def line(weight: float = 0.0) -> nn.Linear:
    with torch.random.fork_rng():  # nn.Linear draws its start from the global generator
        model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, weight)
    return model


def mean_square(model, x, y):
    return (model(x) - y).square().mean()


def points(m: int = 20) -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.linspace(-1, 1, m)[:, None]
    return x, 3 * x


def sgd(model: nn.Module, lr: float = 0.1) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr)


def rows_seen(m: int, **options) -> list[list[int]]:
    """The rows of each batch that `fit` draws from m rows."""
    model, seen = line(), []

    def loss(model, row):
        seen.append(row.tolist())
        return model.weight.sum()

    fit(model, loss, (torch.arange(m),), sgd(model), progress=False, **options)
    return seen


def test_full_batch_descent_follows_its_recurrence():
    x, y = points()
    model, curvature, w, expected = line(1.0), 2 * x.square().mean().item(), 1.0, []
    history = fit(model, mean_square, (x, y), sgd(model), steps=30, batch_size=len(x))
    for _ in range(30):
        expected.append((w - 3) ** 2 * curvature / 2)
        w -= 0.1 * curvature * (w - 3)
    assert model.weight.item() == pytest.approx(w, rel=1e-5)
    assert history.loss == pytest.approx(expected, rel=1e-4)
    assert history.learning_rate == [0.1] * 30


def test_minibatch_descent_is_the_bare_loop():
    x, y = points(50)
    ours, bare = line(), line()
    fit(ours, mean_square, (x, y), sgd(ours), steps=23, batch_size=8, generator=runtime.generator(5, "cpu"))
    generator, optimizer, step = runtime.generator(5, "cpu"), sgd(bare), 0
    while step < 23:
        order = torch.randperm(50, generator=generator)
        for start in range(0, 48, 8):
            if step < 23:
                rows = order[start : start + 8]
                optimizer.zero_grad()
                mean_square(bare, x[rows], y[rows]).backward()
                optimizer.step()
                step += 1
    assert torch.equal(ours.weight, bare.weight)


def test_an_epoch_visits_every_row_at_most_once_in_equal_batches():
    batches = rows_seen(10, steps=6, batch_size=3, generator=runtime.generator(0, "cpu"))
    assert [len(batch) for batch in batches] == [3] * 6
    first, second = (sum(batches[k : k + 3], []) for k in (0, 3))
    assert len(set(first)) == len(set(second)) == 9  # nine of ten rows, none of them twice
    assert first != second


def test_every_row_is_equally_likely_in_every_place():
    m, epochs = 4, 1000
    batches = rows_seen(m, steps=m * epochs, batch_size=1, generator=runtime.generator(0, "cpu"))
    counts = torch.zeros(m, m)
    for k, (row,) in enumerate(batches):
        counts[k % m, row] += 1
    statistic = ((counts - epochs / m).square() / (epochs / m)).sum().item()
    assert statistic < 27.9  # chi-squared with (m - 1)^2 = 9 degrees of freedom, level 0.001


def test_a_batch_as_large_as_the_data_is_all_of_it_in_order():
    for size in (7, 100):
        assert rows_seen(7, steps=3, batch_size=size) == [list(range(7))] * 3


def test_the_generator_fixes_the_batches_and_spares_the_global_one():
    runtime.seed(0)
    expected = torch.rand(())
    runtime.seed(0)
    batches = rows_seen(9, steps=8, batch_size=2, generator=runtime.generator(1, "cpu"))
    assert torch.rand(()) == expected
    assert batches == rows_seen(9, steps=8, batch_size=2, generator=runtime.generator(1, "cpu"))
    assert batches != rows_seen(9, steps=8, batch_size=2, generator=runtime.generator(2, "cpu"))


def test_rows_of_all_tensors_stay_together():
    x = torch.arange(12.0)[:, None]

    def loss(model, a, b, c):
        assert torch.equal(2 * a, b) and torch.equal(a[:, 0].long(), c)
        return model(a).sum()

    model = line()
    fit(model, loss, (x, 2 * x, torch.arange(12)), sgd(model), steps=10, batch_size=5)


def test_the_schedule_sets_the_rate_of_every_group():
    first, second = line(), line()
    model = nn.ModuleList([first, second])
    optimizer = torch.optim.SGD([{"params": m.parameters(), "lr": 9.0} for m in model])
    x = torch.ones(4, 1)
    history = fit(
        model,
        lambda model, x: model[0](x).mean() + model[1](x).mean(),
        (x,),
        optimizer,
        steps=5,
        schedule=lambda step: 1 / (step + 1),
    )
    assert history.learning_rate == [1 / (step + 1) for step in range(5)]
    assert first.weight.item() == second.weight.item() == pytest.approx(-sum(history.learning_rate))


@pytest.mark.parametrize("rate", [-0.1, math.nan, math.inf])
def test_a_schedule_that_gives_no_rate_is_refused(rate):
    model, tensors = line(), points()
    with pytest.raises(ValueError, match=r"schedule\(2\) must be a learning rate >= 0, got"):
        fit(model, mean_square, tensors, sgd(model), steps=5, schedule=lambda step: rate if step == 2 else 0.1)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("step", [0, 7, 49, 50, 119])
def test_the_first_loss_that_is_not_finite_stops_the_loop_and_is_named(bad, step):
    model, calls = line(), []

    def loss(model, x, y):
        calls.append(1)
        return mean_square(model, x, y) * (bad if len(calls) == step + 1 else 1)

    before = "none" if step == 0 else r"\d"
    expected = rf"the loss became {bad} at step {step} \(learning rate 0.1, last finite loss {before}"
    with pytest.raises(FloatingPointError, match=expected):
        fit(model, loss, points(), sgd(model), steps=120)
    assert len(calls) <= (step // training.CHECK_EVERY + 1) * training.CHECK_EVERY  # found within CHECK_EVERY steps


def test_divergence_is_named():
    model = line()
    with pytest.raises(FloatingPointError, match="Lower the learning rate"):
        fit(model, mean_square, points(), sgd(model, 100.0), steps=1000)


def test_after_step_sees_the_weights_after_each_step():
    model, seen = line(), []
    fit(model, mean_square, points(), sgd(model), steps=3, after_step=lambda t: seen.append((t, model.weight.item())))
    assert [t for t, _ in seen] == [0, 1, 2]
    assert len({w for _, w in seen} | {0.0}) == 4
    assert seen[-1][1] == model.weight.item()


def test_the_model_trains_in_training_mode_and_comes_back_in_evaluation_mode():
    model, modes = line().eval(), []

    def loss(model, x, y):
        modes.append(model.training)
        if len(modes) == 4:
            raise KeyboardInterrupt
        return mean_square(model, x, y)

    fit(model, loss, points(), sgd(model), steps=3)
    assert modes == [True] * 3 and not model.training
    with pytest.raises(KeyboardInterrupt):
        fit(model, loss, points(), sgd(model), steps=3)
    assert not model.training


def test_the_progress_bar_is_erased_and_can_be_silenced(monkeypatch, capsys):
    monkeypatch.setattr(runtime, "watched", lambda: True)
    model = line()
    fit(model, mean_square, points(), sgd(model), steps=60)
    shown = capsys.readouterr().err
    assert "training" in shown and "60" in shown
    assert shown.rsplit("\r", 2)[1].strip() == ""
    fit(model, mean_square, points(), sgd(model), steps=60, progress=False)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 0}, "steps must be an integer >= 1, got 0"),
        ({"steps": 2.0}, "steps must be an integer >= 1, got 2.0"),
        ({"batch_size": 0}, "batch_size must be an integer >= 1, got 0"),
        ({"tensors": torch.ones(3, 1)}, "tensors must be a tuple of tensors"),
        ({"tensors": ()}, "tensors must be a tuple of tensors"),
        ({"tensors": (torch.ones(3, 1), torch.ones(2, 1))}, r"one common length >= 1, got lengths \[3, 2\]"),
        ({"tensors": (torch.ones(0, 1), torch.ones(0, 1))}, r"one common length >= 1, got lengths \[0, 0\]"),
        ({"tensors": (torch.ones(3, 1), torch.ones(3, 1, device="meta"))}, r"one device, got \['cpu', 'meta'\]"),
        ({"loss": lambda model, x, y: (model(x) - y).square()}, r"must return one number.*got \(20, 1\)"),
        ({"loss": lambda model, x, y: mean_square(model, x, y).item()}, "must return one number.*got float"),
        ({"loss": lambda model, x, y: mean_square(model, x, y).detach()}, "must return one number"),
    ],
)
def test_bad_arguments_are_named(changes, message):
    model = line()
    arguments = {"loss": mean_square, "tensors": points(), "steps": 3, **changes}
    loss, tensors = arguments.pop("loss"), arguments.pop("tensors")
    with pytest.raises(ValueError, match=message):
        fit(model, loss, tensors, sgd(model), **arguments)
