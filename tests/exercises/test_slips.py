"""The slips of every exercise: each row of the tables is met by what a student would write."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from helpers.exercises import Exercise, _slips, args, examine, same
from helpers.exercises._relations import relation
from tests.exercises.toys import SCALED, refused


def extremes(x: Tensor) -> tuple[Tensor, Tensor]:
    """The smallest and the largest entry of each row."""
    return x.amin(1), x.amax(1)


def losses(z: Tensor, y: Tensor) -> Tensor:
    """The cross-entropy of each row."""
    return F.cross_entropy(z, y, reduction="none")


def spread(x: Tensor) -> float:
    """The largest minus the smallest entry, a number."""
    return (x.max() - x.min()).item()


def above(x: Tensor) -> Tensor:
    """Where x is positive."""
    return x > 0


def best(x: Tensor) -> Tensor:
    """Where each row is largest."""
    return x.argmax(1)


def finite(x: Tensor) -> bool:
    """Whether all entries are finite."""
    return bool(x.isfinite().all())


def toy(reference, given) -> Exercise:
    """An exercise of one check."""
    return Exercise("1.1", reference, (same("is so", given),), (), ("Look.",), "")


FLOAT, DOUBLE = (replace(SCALED, checks=(same("is so", lambda d: d.normal(7), dtype=t),), mistakes=()) for t in
                 (torch.float32, torch.float64))  # fmt: skip
GRADIENT = replace(DOUBLE, differentiable=True)
EXTREMES = toy(extremes, lambda draw: draw.normal(4, 3))
LOSSES = toy(losses, lambda draw: args(draw.normal(4, 3), draw.integers(0, 3, 4)))
SPREAD, ABOVE, FINITE = (toy(f, lambda draw: draw.normal(5)) for f in (spread, above, finite))
BEST = toy(best, lambda draw: draw.normal(4, 3))
TRANSPOSED = toy(lambda x: x.T * 1.0, lambda draw: draw.normal(4, 3))


def second_backward(x, factor=2.0):
    y = (x * x).sum()
    torch.autograd.grad(y, x)
    return torch.autograd.grad(y, x)[0]


def overwritten(x, factor=2.0):
    y = x.exp()
    z = y.sum()
    y.add_(1)
    return torch.autograd.grad(z, x)[0]


RAISED = [
    (FLOAT, lambda x, factor=2.0: x.new_empty(2**50), "Far more entries than asked for"),
    (EXTREMES, lambda x: (x.min(1) * 1.0, x.max(1)), "take `.values`"),
    (EXTREMES, lambda x: (x.min(1) + 1, x.max(1)), "take `.values`"),
    (EXTREMES, lambda x: (x.min(1).double(), 0), "take `.values`"),
    (FLOAT, lambda x, factor=2.0: x.tolist() * factor, "A list or a pair came."),
    (EXTREMES, lambda x: torch.exp(x.sort(1)), "take `.values`"),
    (GRADIENT, lambda x, factor=2.0: np.exp(x), "NumPy and SciPy meet a tensor"),
    (FLOAT, lambda x, factor=2.0: torch.exp(x.numpy()), "NumPy and SciPy meet a tensor"),
    (FLOAT, lambda x, factor=2.0: np.mean(x, axis=0), "NumPy and SciPy meet a tensor"),
    (FLOAT, lambda x, factor=2.0: np.ones(7) + x, "NumPy and SciPy meet a tensor"),
    (FLOAT, lambda x, factor=2.0: __import__("math").exp(x), "`math` works on one number"),
    (GRADIENT, lambda x, factor=2.0: x.mul_(factor), "on a tensor that gathers gradients"),
    (GRADIENT, overwritten, "changed what the gradient still needs"),
    (FLOAT, lambda x, factor=2.0: torch.autograd.grad(x.sum(), x)[0], "finds no way back"),
    (GRADIENT, lambda x, factor=2.0: torch.autograd.grad(x * x, x)[0], "`.sum()` the values first"),
    (FLOAT, lambda x, factor=2.0: torch.func.grad(lambda v: v * v)(x), "`.sum()` the values first"),
    (GRADIENT, second_backward, "compute the loss anew"),
    (FLOAT, lambda x, factor=2.0: x if x > 0 else -x, "`if` takes one truth"),
    (FLOAT, lambda x, factor=2.0: x.mean * factor, "without its parentheses"),
    (FLOAT, lambda x, factor=2.0: x.T(), "no parentheses here"),
    (FLOAT, lambda x, factor=2.0: x.grad.sign(), "Something is None"),
    (FLOAT, lambda x, factor=2.0: x * torch.sqrt(factor), "`math` has the same for a number"),
    (FLOAT, lambda x, factor=2.0: torch.exp([v for v in x]), "Lists are not tensors"),
    (FLOAT, lambda x, factor=2.0: torch.stack([v.item() for v in x]), "Lists are not tensors"),
    (FLOAT, lambda x, factor=2.0: torch.eye(7).double() @ x, "Two dtypes meet"),
    (LOSSES, lambda z, y: F.cross_entropy(z, y.to(z.dtype)), "Two dtypes meet"),
    (FLOAT, lambda x, factor=2.0: x + torch.ones(3), "The shapes do not fit"),
    (FLOAT, lambda x, factor=2.0: x[torch.tensor([len(x)])] * factor, "An index past the end"),
    (FLOAT, lambda x, factor=2.0: torch.func.vmap(lambda v: v.item())(x), "`.item()` leaves the graph"),
]


@pytest.mark.parametrize(("exercise", "function", "words"), RAISED)
def test_an_error_is_explained(exercise: Exercise, function, words: str) -> None:
    assert words in refused(function, exercise=exercise, kind="raised").row("usually means")


def test_two_devices_are_explained() -> None:
    for text in ("Expected all tensors to be on the same device", "indices should be either on cpu"):
        assert "Two devices meet" in _slips.of_error(RuntimeError(text))
    assert "meta" in repr(refused(lambda x, factor=2.0: torch.ones(7, device="meta"), "on the device of the inputs"))
    assert _slips.of_error(KeyError("x")) == ""


KINDS = [
    (FLOAT, lambda x, factor=2.0: None, "is there a `return`"),
    (FLOAT, lambda x, factor=2.0: (v for v in x), "`yield` makes a generator"),
    (EXTREMES, lambda x: (x.min(1), x.max(1)), "take `.values`"),
    (FLOAT, lambda x, factor=2.0: x.mean, "without its parentheses"),
    (FLOAT, lambda x, factor=2.0: x.numpy() * factor, "NumPy's, not torch's"),
    (SPREAD, lambda x: np.ptp(x.numpy(), keepdims=True), "a Python float"),
    (FINITE, lambda x: np.isfinite(x.numpy()).all(), "a NumPy bool"),
    (FINITE, lambda x: np.isfinite(x.numpy()).all(), "NumPy's bool is not Python's"),
    (FLOAT, lambda x, factor=2.0: [factor * v for v in x], "A list: `torch.stack`"),
    (EXTREMES, lambda x: (x.amax(1), x.amin(1)), "The parts are right, their order is not."),
    (FLOAT, lambda x, factor=2.0: (factor * x,), "in a tuple: return it alone"),
    (EXTREMES, lambda x: x.amin(1), "return all of them"),
    (LOSSES, lambda z, y: F.cross_entropy(z, y), "no mean or sum over the batch"),
    (LOSSES, lambda z, y: F.cross_entropy(z, y).item(), "no mean or sum over the batch"),
    (toy(lambda x: x.sum(), lambda d: d.normal(4)), lambda x: x.sum().item(), "leave `.item()`"),
    (SPREAD, lambda x: x.max() - x.min(), "`.item()` makes it a plain one"),
    (LOSSES, lambda z, y: z.logsumexp(1, keepdim=True) - z.gather(1, y[:, None])[:, 0], "broadcasting made (N, N)"),
    (LOSSES, lambda z, y: losses(z, y)[:, None], "A dimension of size 1 is too much"),
    (toy(lambda x: x.amax(1, keepdim=True), lambda d: d.normal(4, 3)), lambda x: x.amax(1), "`keepdim=True` keeps it"),
    (TRANSPOSED, lambda x: x * 1.0, "transpose"),
    (FLOAT, lambda x, factor=2.0: (factor * x).double(), "end with `.to(x.dtype)`"),
    (DOUBLE, lambda x, factor=2.0: torch.tensor(x.tolist()) * factor, "without `dtype=x.dtype`"),
    (FLOAT, lambda x, factor=2.0: x > 0, "A comparison gives True and False"),
    (FLOAT, lambda x, factor=2.0: (factor * x).long(), "Whole numbers came back"),
    (ABOVE, lambda x: x, "True or False is asked for"),
    (BEST, lambda x: x.amax(1), "Whole numbers are asked for"),
]


@pytest.mark.parametrize(("exercise", "function", "words"), KINDS)
def test_a_wrong_kind_is_explained(exercise: Exercise, function, words: str) -> None:
    refused(function, words, exercise=exercise)


def test_a_coroutine_is_told() -> None:
    async def scaled(x, factor=2.0):
        return factor * x

    refused(scaled, "write a plain `def`")


NUMBERS = [
    (lambda b: -b, "The sign is flipped."),
    (lambda b: b.where(b > 0.3, torch.nan), "NaN in"),
    (lambda b: 1 - b, "1 minus"),
    (lambda b: 1 / b, "1 over"),
    (lambda b: b * b, "the square of"),
    (lambda b: b.sqrt(), "the square root of"),
    (lambda b: b.exp(), "a logarithm is missing"),
    (lambda b: b.log(), "an exponential is missing"),
    (lambda b: b * 1.1, "Every entry is 1.1 times"),
    (lambda b: b + 1e-3, "Every entry is off by the same 0.001"),
    (lambda b: b.flip(0), "their places are not"),
    (lambda b: b.mean().expand_as(b), "Every entry is the same"),
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("change", "words"), NUMBERS)
def test_a_relation_of_the_numbers_is_told(change, words: str, dtype: torch.dtype) -> None:
    b = torch.linspace(0.2, 0.9, 7, dtype=dtype)
    assert words in relation(change(b), b)
    assert relation(b.square().sin(), b) == "" == relation(b.long(), b.long())


def test_single_precision_and_the_absolute_value_are_told() -> None:
    b = torch.linspace(-1, 1, 7, dtype=torch.float64).sin()
    assert "six digits only" in relation(b.float().double(), b)
    assert "the sign is lost" in relation(b.abs(), b)


def test_no_relation_is_claimed_within_the_tolerance() -> None:
    """A tiny number inside a logarithm moved one entry of many; "off by the same -6.9e-17" was said of the others."""
    b = torch.linspace(0.2, 0.9, 7, dtype=torch.float64)
    for entry in range(7):
        a = b + 1e-17
        a[entry] += 1e-6
        assert "same" not in relation(a, b) and "times" not in relation(a, b)


def test_every_row_of_the_tables_is_met() -> None:
    met = {_slips.of_error(RuntimeError("on the same device"))}
    for exercise, function, _ in (*RAISED, *KINDS):
        met.add(examine(function, exercise).row("usually means"))
    said = " ".join(met)
    tables = (_slips.RAISED, _slips.TYPES, _slips.VALUES, _slips.SHAPES, _slips.DTYPES)
    unmet = [sentence for table in tables for *_, sentence in table if sentence not in said]
    assert not [sentence for sentence in unmet if "coroutine" not in sentence]
