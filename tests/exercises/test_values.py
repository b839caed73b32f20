"""Results of a wrong kind, shape, dtype or value are told apart."""

import pytest
import torch

from helpers.exercises import examine
from tests.exercises.toys import GRADIENTS, STEP, State, refused, scaled, step


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda x, factor=2.0: None, ["None", "is there a `return` at the end?"]),
        (lambda x, factor=2.0: (factor * x).tolist(), ["a tensor of shape (7,)", "a list of 7"]),
        (lambda x, factor=2.0: (factor * x).numpy(), ["a NumPy array of shape (7,)"]),
        (
            lambda x, factor=2.0: (factor * x).double(),
            ["torch.float64", "values are right, but the dtype is another"],
        ),
        (lambda x, factor=2.0: x.double(), ["dtype torch.float64", "Here the dtype is another"]),
        (lambda x, factor=2.0: (factor * x)[:, None], ["(7, 1)", "values are right, but the shape is another"]),
        (lambda x, factor=2.0: factor * x.mean(), ["shape ()", "Here the shape is another"]),
        (lambda x, factor=2.0: factor * x[:1], ["shape (1,)"]),
        (lambda x, factor=2.0: 3 * factor * x, ["3 times what is expected"]),
        (lambda x, factor=2.0: factor * x + 1, ["off by the same 1"]),
        (lambda x, factor=2.0: factor * x / (x > x.median()), ["inf"]),
        (lambda x, factor=2.0: (factor * x).where(x > x.median(), torch.nan), ["NaN in 4 of 7 entries"]),
        (lambda x, factor=2.0: (factor * x).requires_grad_(), ["return it detached"]),
        (lambda x, factor=2.0: (factor * x, 0), ["a tuple of 2"]),
    ],
)
def test_wrong_values_are_told_apart(answer, words: list[str]) -> None:
    refused(answer, *words)


def test_a_detached_result_is_told() -> None:
    assert examine(scaled, GRADIENTS).kind == "passed"
    refused(lambda x, factor=2.0: (factor * x).detach(), "cut off from the graph", exercise=GRADIENTS)
    refused(lambda x, factor=2.0: torch.tensor(x.tolist()) * factor, "cut off from the graph", exercise=GRADIENTS)


def test_a_flipped_sign_is_told() -> None:
    refused(lambda x, factor=2.0: -factor * x, "The sign is flipped.", exercise=GRADIENTS)


def test_one_wrong_entry_of_many_is_located() -> None:
    def scaled(x, factor=2.0):
        y = factor * x
        if y.ndim == 3:
            y[1, 2, 3] += 100
        return y

    refused(scaled, "at [1, 2, 3] of a tensor of shape (2, 3, 5)", "1 of 30 entries differ")


def test_named_tuples_and_floats_are_compared() -> None:
    def tuple_(f, x):
        return tuple(step(f, x))

    def item(f, x):
        return step(f, x)._replace(height=torch.tensor(step(f, x).height))

    def higher(f, x):
        return step(f, x)._replace(height=step(f, x).height + 0.1)

    assert examine(step, STEP).kind == "passed"
    refused(tuple_, "a State(x, height)", "a tuple of 2", exercise=STEP)
    refused(item, "result.height", "`.item()`", exercise=STEP)
    refused(higher, "result.height", exercise=STEP)
    refused(lambda f, x: State(x, f(x).sum().item()), "It stays where it is.", exercise=STEP)
