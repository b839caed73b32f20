"""The slips that happen in every exercise, each with its sentence: in tables."""

from __future__ import annotations

import re
from collections.abc import Callable
from numbers import Real
from types import CoroutineType, GeneratorType, NoneType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from helpers.exercises._close import close

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
    (r"got an unexpected keyword argument '(axis|out|keepdims)'|got \(.*\b(axis|out|keepdims)=", NUMPY),
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
    (r"same dtype|scalar type|to be Long|LongTensor|int64 for index|must be long", "Two dtypes meet: `.to(x.dtype)`."),
    (r"same device|indices should be either on", "Two devices meet: make new tensors with `device=x.device`."),
    (r"must match the size|shapes cannot be multiplied|invalid for input of size", "The shapes do not fit."),
    (r"MemoryError|allocate memory", "Far more entries than asked for: a shape grows, as (N, 1) and (N,) to (N, N)."),
    (r"index .* out of bounds", "An index past the end: what counts from 1 stands at place k - 1."),
    (r"calling \.item\(\)", "`.item()` leaves the graph: stay with tensors."),
)  # fmt: skip


def of_error(error: BaseException) -> str:
    """What an error usually means, or ''."""
    text = f"{type(error).__name__}: {error}"
    return next((sentence for pattern, sentence in RAISED if re.search(pattern, text)), "")


# the type of what came, the type of what was due
TYPES: tuple[tuple[Any, Any, str], ...] = (
    (NoneType, object, "Nothing came back: is there a `return` at the end?"),
    (GeneratorType, object, "`yield` makes a generator: `return` gives the value."),
    (CoroutineType, object, "`async def` makes a coroutine: write a plain `def`."),
    (tuple(t for t in vars(torch.return_types).values() if isinstance(t, type)), object, PAIR),
    (Callable, Tensor | Real | tuple, PARENTHESES),
    (np.ndarray | np.generic, Tensor, "NumPy's, not torch's: torch's functions, or `torch.as_tensor` at the end."),
    (np.bool_, bool, "NumPy's bool is not Python's: `bool(...)` makes one."),
    (list, Tensor, "A list: `torch.stack` makes a tensor of tensors, `torch.tensor` of numbers."),
    (Real, Tensor, "Keep it a tensor: leave `.item()` and `float()` out."),
    (
        Tensor | np.ndarray,
        Real,
        "One number is asked for: of several make one first, and `.item()` makes it a plain one.",
    ),
)


def _permuted(got: Any, due: Any) -> bool:
    """Whether a tuple holds the parts of another, in another order."""
    if not isinstance(got, tuple) or not isinstance(due, tuple) or len(got) != len(due):
        return False
    places = [[k for k, part in enumerate(due) if _same(own, part)] for own in got]
    elsewhere = any(k not in place for k, place in enumerate(places))
    return elsewhere and all(places) and set().union(*places) == set(range(len(due)))


def _one_for_many(got: Any, due: Any) -> bool:
    one = isinstance(got, Real) or (isinstance(got, Tensor) and got.ndim == 0)
    return one and isinstance(due, Tensor) and due.numel() > 1


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        alike = (a.shape, a.dtype, a.device) == (b.shape, b.dtype, b.device)
        return alike and close(a.detach(), b.detach())
    return isinstance(a, Real) and isinstance(b, Real) and close(torch.tensor(float(a)), torch.tensor(float(b)))


# what came, what was due
VALUES: tuple[tuple[Callable[[Any, Any], bool], str], ...] = (
    (_permuted, "The parts are right, their order is not."),
    (
        lambda got, due: type(got) is tuple and any(_same(part, due) for part in got),
        "The right value is there, but in a tuple: return it alone (a comma too many?).",
    ),
    (
        lambda got, due: isinstance(due, tuple) and any(_same(got, part) for part in due),
        "That is one of the values asked for: return all of them.",
    ),
    (
        _one_for_many,
        "One value for all, where each object has its own: no mean or sum over the batch "
        '(torch\'s losses take `reduction="none"`).',
    ),
)


def _squeezed(shape: torch.Size) -> list[int]:
    return [size for size in shape if size != 1]


# the shape of what came, the shape that was due
SHAPES: tuple[tuple[Callable[[torch.Size, torch.Size], bool], str], ...] = (
    (
        lambda a, b: len(a) == len(b) + 1 > 1 and a[-2:] == (b[-1], b[-1]),
        "A shape (N, 1) met (N,), and broadcasting made (N, N) of them: give both one shape first.",
    ),
    (
        lambda a, b: _squeezed(a) == _squeezed(b) and len(a) > len(b),
        "A dimension of size 1 is too much: `keepdim=True`, `[:, None]`?",
    ),
    (
        lambda a, b: _squeezed(a) == _squeezed(b) and len(a) < len(b),
        "A dimension of size 1 is missing: `keepdim=True` keeps it.",
    ),
    (lambda a, b: a[::-1] == b != a, "The axes stand in the other order: transpose."),
)
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
WHOLE = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
BOOL = (torch.bool,)
# the dtype of what came, the dtype that was due
DTYPES: tuple[tuple[tuple[torch.dtype, ...], tuple[torch.dtype, ...], str], ...] = (
    (FLOATS[3:], FLOATS[:3], "float64 comes from NumPy, from `.double()` or `dtype=`: end with `.to(x.dtype)`."),
    (FLOATS[:3], FLOATS[3:], "float32 comes from a new tensor without `dtype=x.dtype`, or from `.float()`."),
    (BOOL, FLOATS + WHOLE, "A comparison gives True and False: `.to(x.dtype)` makes numbers of them."),
    (WHOLE, FLOATS, "Whole numbers came back: `//`, `round`, `.long()`, or a tensor made of ints?"),
    (FLOATS + WHOLE, BOOL, "True or False is asked for: compare."),
    (FLOATS, WHOLE, "Whole numbers are asked for: `argmax`, `.long()`?"),
)
ON_THE_DEVICE = "Make new tensors on the device of the inputs: `device=x.device`."


def of_kind(got: Any, due: Any) -> str:
    """What it usually means that `got` is not of the kind of `due` (type, parts, shape, dtype, device), or ''."""
    for fits, sentence in VALUES:
        if fits(got, due):
            return sentence
    for came, asked, sentence in TYPES:
        if isinstance(got, came) and isinstance(due, asked):
            return sentence
    if not isinstance(got, Tensor) or not isinstance(due, Tensor):
        return ""
    for alike, sentence in SHAPES:
        if alike(got.shape, due.shape):
            return sentence
    for came, asked, sentence in DTYPES:
        if got.dtype in came and due.dtype in asked and got.shape == due.shape:
            return sentence
    return ON_THE_DEVICE if got.device != due.device else ""
