"""Compares what a function returned with what was expected, and says in words where they part."""

from __future__ import annotations

import dataclasses
import math
import numbers
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from helpers.exercises._values import is_named_tuple, kind, short

RTOL = {torch.float64: 1e-7, torch.complex128: 1e-7, torch.float16: 1e-2, torch.bfloat16: 3e-2}  # others: 1e-4
ATOL = {torch.float64: 1e-10, torch.complex128: 1e-10, torch.float16: 1e-3, torch.bfloat16: 1e-2}  # others: 1e-6


class Difference(NamedTuple):
    """The first difference of two values: what was expected, what came, and a guess at what it means."""

    expected: str
    got: str
    meaning: str = ""


def difference(
    got: Any, expected: Any, rtol: float | None = None, atol: float | None = None, *, kind_only: bool = False
) -> Difference | None:
    """The first difference between two values, or None: type, shape, dtype, device, entries, then the graph.

    Floating entries agree when |got - expected| <= atol + rtol (|expected| + max |expected| / 10), with defaults by
    dtype: float32 1e-4 and 1e-6, float64 1e-7 and 1e-10, Python's floats 1e-5 and 1e-8. Shapes never broadcast.
    kind_only=True compares everything except the entries.
    """

    def again(a: Any, b: Any) -> Difference | None:
        return difference(a, b, rtol, atol, kind_only=kind_only)

    if got is None and expected is not None:
        return Difference(kind(expected), "None", "Nothing came back: is there a `return` at the end?")
    if isinstance(expected, Tensor):
        return _compare_tensors(got, expected, rtol, atol, kind_only)
    if isinstance(expected, np.ndarray):
        if not isinstance(got, np.ndarray):
            return Difference(kind(expected), kind(got))
        return again(torch.as_tensor(got), torch.as_tensor(expected))
    if isinstance(expected, tuple | list | dict):
        return _compare_containers(got, expected, again)
    if isinstance(expected, numbers.Real) and not isinstance(expected, bool):
        return _compare_numbers(got, expected, rtol, atol, kind_only)
    if callable(expected) and not isinstance(expected, type):
        return None if callable(got) else Difference("a function", kind(got))
    if type(got) is not type(expected):
        return Difference(kind(expected), kind(got))
    if dataclasses.is_dataclass(expected):
        return again(vars(got), vars(expected))
    return None if kind_only or got == expected else Difference(short(expected), short(got))


def _compare_containers(got: Any, expected: Any, again: Callable[[Any, Any], Difference | None]) -> Difference | None:
    named = is_named_tuple(expected)
    if isinstance(expected, dict):
        if not isinstance(got, dict) or got.keys() != expected.keys():
            return Difference(f"a dict with the keys {sorted(map(str, expected))}", short(got))
        pairs = {f"[{k!r}]": (got[k], expected[k]) for k in expected}
    else:
        fields = expected._fields if named else None
        if not isinstance(got, tuple | list) or len(got) != len(expected) or getattr(got, "_fields", None) != fields:
            return Difference(kind(expected), kind(got))
        names = [f".{k}" for k in expected._fields] if named else [f"[{k}]" for k in range(len(expected))]
        pairs = dict(zip(names, zip(got, expected, strict=True), strict=True))
    for where, (a, b) in pairs.items():
        found = again(a, b)
        if found:
            return found._replace(expected=f"result{where}: {found.expected}", got=f"result{where}: {found.got}")
    return None


def _compare_numbers(got: Any, expected: Any, rtol: float | None, atol: float | None, kind_only: bool) -> Any:
    whole = isinstance(expected, numbers.Integral)
    sort = "a Python int" if whole else "a Python float"
    if isinstance(got, Tensor | np.ndarray):
        return Difference(sort, kind(got), "A plain number is expected: `.item()` makes one." if got.ndim == 0 else "")
    if not isinstance(got, numbers.Integral if whole else numbers.Real) or isinstance(got, bool):
        return Difference(sort, f"{short(got)}, {kind(got)}")
    if kind_only or got == expected or (math.isnan(got) and math.isnan(expected)):
        return None
    rtol, atol = 1e-5 if rtol is None else rtol, 1e-8 if atol is None else atol
    if not whole and abs(got - expected) <= atol + rtol * abs(expected) < math.inf:
        return None
    meaning = "It is not a number (NaN)." if math.isnan(got) else ""
    if expected and abs(got + expected) <= rtol * abs(expected):
        meaning = "The sign is flipped."
    return Difference(short(expected), short(got), meaning)


def _compare_tensors(
    got: Any, expected: Tensor, rtol: float | None, atol: float | None, kind_only: bool
) -> Difference | None:
    if not isinstance(got, Tensor):
        number = isinstance(got, numbers.Real) and expected.ndim == 0
        return Difference(kind(expected), kind(got), "Keep it a tensor: leave `.item()` out." if number else "")
    a, b = got.detach(), expected.detach()
    close = _close(a, b, rtol, atol)
    right = "The values are right, but " if close and not kind_only else "Here "
    if a.shape != b.shape:
        return Difference(kind(b), kind(a), f"{right}the shape is another.")
    if a.dtype != b.dtype:
        return Difference(f"dtype {b.dtype}", f"dtype {a.dtype}", f"{right}the dtype is another.")
    if a.device != b.device:
        return Difference(f"a tensor on {b.device}", f"on {a.device}", "Make new tensors on the device of the inputs.")
    if not close and not kind_only:
        return _entries(a, b, rtol, atol)
    if got.requires_grad == expected.requires_grad:
        return None
    if expected.requires_grad:
        meaning = f"{right}the result is cut off from the graph: no `detach`, `item`, `numpy` or `no_grad` on the way."
        return Difference("a result that can be differentiated", "a detached tensor", meaning)
    meaning = f"{right}the whole graph comes along: return it detached."
    return Difference("a detached tensor", "a result that requires a gradient", meaning)


def _tolerance(expected: Tensor, rtol: float | None, atol: float | None) -> Tensor:
    dtype = expected.dtype
    rtol = RTOL.get(dtype, 1e-4) if rtol is None else rtol
    atol = ATOL.get(dtype, 1e-6) if atol is None else atol
    size = expected.abs().double().nan_to_num(0, 0, 0)
    return atol + rtol * (size + 0.1 * (size.max() if size.numel() else 0))


def _agreeing(a: Tensor, b: Tensor, rtol: float | None, atol: float | None) -> Tensor:
    if not (b.is_floating_point() or b.is_complex()):
        return a == b
    wide = torch.complex128 if a.is_complex() or b.is_complex() else torch.float64
    x, y = a.to(wide), b.to(wide)
    return (x == y) | (x.isnan() & y.isnan()) | ((x - y).abs() <= _tolerance(b, rtol, atol)) & y.isfinite()


def _close(a: Tensor, b: Tensor, rtol: float | None, atol: float | None) -> bool:
    if a.numel() != b.numel():
        return False
    try:
        return bool(_agreeing(a.to(b.device).reshape(b.shape), b, rtol, atol).all())
    except (RuntimeError, NotImplementedError):  # inside vmap: only the kind can be compared
        return False


def _entries(a: Tensor, b: Tensor, rtol: float | None, atol: float | None) -> Difference:
    wrong = ~_agreeing(a, b, rtol, atol)
    meaning = _relation(a, b, rtol, atol)
    if b.numel() <= 8:
        return Difference(short(b), short(a), meaning)
    gap = (a.double() - b.double()).abs().nan_to_num(math.inf, math.inf)
    place = torch.unravel_index(torch.where(wrong, gap, -1.0).argmax(), b.shape)
    index = [int(k) for k in place]
    spot = tuple(index)
    return Difference(
        f"{short(b[spot])} at {index} of a tensor of shape {tuple(b.shape)}",
        f"{short(a[spot])} there; {int(wrong.sum())} of {wrong.numel()} entries differ",
        meaning,
    )


def _relation(a: Tensor, b: Tensor, rtol: float | None, atol: float | None) -> str:
    """A guess from the numbers alone: NaN, a flipped sign, a constant factor, a constant offset."""
    if not b.is_floating_point():
        return ""
    a, b = a.double(), b.double()
    if (a.isnan() & ~b.isnan()).any():
        return f"NaN in {int((a.isnan() & ~b.isnan()).sum())} of {a.numel()} entries."
    rtol, atol = 1e-4 if rtol is None else rtol, 1e-6 if atol is None else atol
    if _close(-a, b, rtol, atol):
        return "The sign is flipped."
    if b.numel() < 3 or not (a.isfinite() & b.isfinite()).all():
        return ""
    factor = ((a * b).sum() / (b * b).sum()).item()
    if abs(factor) > 1e-6 and abs(factor - 1) > 1e-3 and _close(a, factor * b, rtol, atol):
        return f"Every entry is {factor:.4g} times what is expected."
    offset = (a - b).mean().item()
    return f"Every entry is off by the same {offset:.4g}." if _close(a - offset, b, rtol, atol) else ""
