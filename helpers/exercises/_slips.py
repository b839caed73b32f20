"""The slips that happen in every exercise, each with its sentence: three tables, of errors, of kinds, of numbers."""

from __future__ import annotations

import inspect
import numbers
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from helpers.exercises._close import agreeing, close, tolerances

PAIR = "`.max(dim)`, `.min(dim)`, `.sort()`, `.topk()` return two tensors: take `.values` or `.indices`."
NUMPY = (
    "NumPy and SciPy meet a tensor: use torch's function (`torch.exp`), or `.detach().cpu().numpy()` first and back."
)
PARENTHESES = "A method without its parentheses is no value: `x.mean()`, not `x.mean`."

# an error as "TypeError: its text", searched for the pattern
RAISED: tuple[tuple[str, str], ...] = (
    (r"torch\.return_types", PAIR),
    (r"can only concatenate (tuple|list)|multiply sequence|for \S+ '(tuple|list)'", "A list or a pair came. " + PAIR),
    (r"Can't call numpy\(\)|can't convert cuda.* to numpy|must be Tensor, not numpy|for NumPy arrays", NUMPY),
    (r"got an unexpected keyword argument '(axis|out|keepdims)'", NUMPY),
    (r"only one element tensors can be converted", "`math` works on one number: for a tensor take torch's function."),
    (r"leaf Variable that requires grad", "An in-place operation on a tensor that gathers gradients: make a new one."),
    (r"modified by an inplace operation", "An in-place operation changed what the gradient still needs: `y = y + 1`."),
    (r"does not require grad", "The gradient finds no way back: `requires_grad_()` is missing, or something detached."),
    (r"grad can be implicitly|return a scalar Tensor", "Only one number has a gradient: `.sum()` the values first."),
    (r"backward through the graph a second time", "Each graph gives its gradient once: compute the loss anew."),
    (r"Boolean value of Tensor|data-dependent control", "`if` takes one truth: `torch.where`, `.all()` or `.any()`."),
    (r"builtin_function_or_method|'method' (object|and)|and 'method'", PARENTHESES),
    (r"'Tensor' object is not callable|'torch.Size' object is not callable", "It is no function: no parentheses here."),
    (r"'NoneType'", "Something is None: a function without `return`, or the `.grad` of a tensor that has none."),
    (r"must be Tensor, not (float|int|bool)", "torch's function takes a tensor: `math` has the same for a number."),
    (r"must be Tensor, not list|expected Tensor as element", "Lists are not tensors: `torch.stack`, `torch.tensor`."),
    (r"same dtype|dtype to be Long|LongTensor|int64 for index|must be long", "Two dtypes meet: `.to(x.dtype)`."),
    (r"same device|indices should be either on", "Two devices meet: make new tensors with `device=x.device`."),
    (r"must match the size|shapes cannot be multiplied|invalid for input of size", "The shapes do not fit."),
    (r"calling \.item\(\)", "`.item()` leaves the graph: stay with tensors."),
)  # fmt: skip


def of_error(error: BaseException) -> str:
    """What an error usually means, or ''."""
    text = f"{type(error).__name__}: {error}"
    return next((sentence for pattern, sentence in RAISED if re.search(pattern, text)), "")


def _is_float(value: Any) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point()


def _dtypes(got: Any, due: Any, *pair: torch.dtype) -> bool:
    return isinstance(got, Tensor) and isinstance(due, Tensor) and (got.dtype, due.dtype) == pair


def _shapes(got: Any, due: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The two shapes; a number has the shape of a scalar; equal ones for what has none."""
    if not isinstance(due, Tensor) or not isinstance(got, Tensor | numbers.Real):
        return (), ()
    return tuple(getattr(got, "shape", ())), tuple(due.shape)


def _spread(got: Any, due: Any) -> bool:
    a, b = _shapes(got, due)
    return len(b) >= 1 and len(a) == len(b) + 1 and a[-1] == a[-2] == b[-1]


def _reduced(got: Any, due: Any) -> bool:
    a, b = _shapes(got, due)
    return a == () and b != () and due.numel() != 1


def _ones(got: Any, due: Any) -> int:
    """How many dimensions of size 1 are too many; 0 if something else differs."""
    a, b = _shapes(got, due)
    return len(a) - len(b) if [k for k in a if k != 1] == [k for k in b if k != 1] else 0


def _parts_permuted(got: Any, due: Any) -> bool:
    """Whether a tuple holds the parts of another, in another order."""
    if not isinstance(got, tuple) or not isinstance(due, tuple) or len(got) != len(due):
        return False
    places = [[k for k, part in enumerate(due) if _same(own, part)] for own in got]
    elsewhere = any(k not in place for k, place in enumerate(places))
    return elsewhere and all(places) and set().union(*places) == set(range(len(due)))


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        alike = (a.shape, a.dtype, a.device) == (b.shape, b.dtype, b.device)
        return alike and close(a.detach(), b.detach())
    plain = isinstance(a, numbers.Real) and isinstance(b, numbers.Real)
    return plain and close(torch.tensor(float(a)), torch.tensor(float(b)))


Values = Callable[[Any, Any], Any]
# what came and what was due; the sentence may name the shape that was due
KINDS: tuple[tuple[Values, str], ...] = (
    (lambda got, due: got is None, "Nothing came back: is there a `return` at the end?"),
    (lambda got, due: inspect.isgenerator(got), "`yield` makes a generator: `return` gives the value."),
    (lambda got, due: inspect.iscoroutine(got), "`async def` makes a coroutine: write a plain `def`."),
    (lambda got, due: type(got).__module__ == "torch.return_types", PAIR),
    (lambda got, due: callable(got) and not callable(due), PARENTHESES),
    (
        lambda got, due: isinstance(got, np.ndarray | np.generic) and isinstance(due, Tensor),
        "NumPy's, not torch's: stay with torch's functions, or end with `torch.as_tensor(...)` of the right dtype.",
    ),
    (lambda got, due: isinstance(got, np.bool_), "NumPy's bool is not Python's: `bool(...)` makes one."),
    (lambda got, due: isinstance(got, list) and isinstance(due, Tensor), "A list: `torch.stack` makes a tensor."),
    (_parts_permuted, "The parts are right, their order is not."),
    (
        lambda got, due: isinstance(got, tuple) and any(_same(part, due) for part in got),
        "The right value is there, but in a tuple: return it alone (a comma too many?).",
    ),
    (
        lambda got, due: isinstance(due, tuple) and any(_same(got, part) for part in due),
        "That is one of the values asked for: return all of them.",
    ),
    (
        _reduced,
        "One value for all came back where each object has its own: no mean or sum over the batch "
        '(torch\'s losses take `reduction="none"`).',
    ),
    (
        lambda got, due: isinstance(got, numbers.Real) and isinstance(due, Tensor),
        "Keep it a tensor: leave `.item()` and `float()` out.",
    ),
    (
        lambda got, due: isinstance(due, numbers.Real) and isinstance(got, Tensor | np.ndarray) and got.ndim == 0,
        "A plain number is expected: `.item()` makes one.",
    ),
    (_spread, "A shape (N, 1) met (N,), and broadcasting made (N, N) of them: give both one shape first."),
    (lambda got, due: _ones(got, due) > 0, "A dimension of size 1 is too much: `keepdim=True`, `[:, None]`?"),
    (lambda got, due: _ones(got, due) < 0, "A dimension of size 1 is missing: `keepdim=True` keeps it."),
    (
        lambda got, due: _shapes(got, due)[0][::-1] == _shapes(got, due)[1] != _shapes(got, due)[0],
        "The axes stand in the other order: transpose.",
    ),
    (
        lambda got, due: _dtypes(got, due, torch.float64, torch.float32),
        "float64 comes from NumPy, from `.double()` or `dtype=`: end with `.to(x.dtype)`.",
    ),
    (
        lambda got, due: _dtypes(got, due, torch.float32, torch.float64),
        "float32 comes from a new tensor without `dtype=x.dtype`, or from `.float()`.",
    ),
    (
        lambda got, due: isinstance(got, Tensor) and got.dtype == torch.bool and not due.dtype == torch.bool,
        "A comparison gives True and False: `.to(x.dtype)` makes numbers of them.",
    ),
    (
        lambda got, due: isinstance(got, Tensor) and _is_float(due) and not _is_float(got),
        "Whole numbers came back: `//`, `round`, `.long()`, or a tensor made of ints?",
    ),
    (
        lambda got, due: _is_float(got) and due.dtype == torch.bool,
        "True or False is asked for: compare.",
    ),
    (lambda got, due: _is_float(got) and not _is_float(due), "Whole numbers are asked for: `argmax`, `.long()`?"),
    (
        lambda got, due: isinstance(got, Tensor) and isinstance(due, Tensor) and got.device != due.device,
        "Make new tensors on the device of the inputs: `device=x.device`.",
    ),
)  # fmt: skip


def of_kind(got: Any, due: Any) -> str:
    """What it usually means that `got` is not of the kind of `due` (type, shape, dtype, device), or ''."""
    for fits, sentence in KINDS:
        try:
            if fits(got, due):
                return sentence
        except (AttributeError, RuntimeError, TypeError):  # a kind that this row does not know
            continue
    return ""


# what may have been computed in place of the values b
NUMBERS: tuple[tuple[Callable[[Tensor], Tensor], str], ...] = (
    (lambda b: 1 - b, "It is 1 minus what is expected."),
    (lambda b: 1 / b, "It is 1 over what is expected."),
    (lambda b: b.square(), "It is the square of what is expected."),
    (lambda b: b.sqrt(), "It is the square root of what is expected."),
    (lambda b: b.exp(), "It is the exponential of what is expected: a logarithm is missing."),
    (lambda b: b.log(), "It is the logarithm of what is expected: an exponential is missing."),
    (lambda b: b.abs(), "The absolute value is right, the sign is lost."),
)
SINGLE = (
    "Right to six digits only: float32 comes in between (a new tensor without `dtype=x.dtype`?), or digits are lost."
)


def of_numbers(a: Tensor, b: Tensor, rtol: float | None = None, atol: float | None = None) -> str:
    """What the numbers a, of the shape of b, look like when b was due: NaN, a sign, a factor, an offset, ..., or ''."""
    if not b.is_floating_point():
        return ""
    rtol, atol = tolerances(b.dtype, rtol, atol)
    if b.dtype == torch.float64 and close(a, b, max(rtol, 1e-6), atol):
        return SINGLE
    a, b = a.double(), b.double()
    wrong = ~agreeing(a, b, rtol, atol)
    if (a.isnan() & ~b.isnan()).any():
        return f"NaN in {int((a.isnan() & ~b.isnan()).sum())} of {a.numel()} entries."
    if close(-a, b, rtol, atol):
        return "The sign is flipped."
    if b.numel() < 3 or not (a.isfinite() & b.isfinite()).all() or close(b, b.mean().expand_as(b), rtol, atol):
        return ""
    if (a == a.flatten()[0]).all():
        return f"Every entry is the same, {a.flatten()[0].item() or 0:.4g}."
    for other, sentence in NUMBERS:
        if close(a, other(b), rtol, atol):
            return sentence
    factor = ((a * b).sum() / (b * b).sum()).item()
    if abs(factor) > 1e-6 and bool((wrong | (b == 0)).all()) and close(a, factor * b, rtol, atol):
        return f"Every entry is {factor:.4g} times what is expected."
    offset = (a - b).mean().item()
    if bool(wrong.all()) and close(a - offset, b, rtol, atol):
        return f"Every entry is off by the same {offset:.4g}."
    if close(a.flatten().sort().values, b.flatten().sort().values, rtol, atol):
        return "The values are right, their places are not."
    return ""
