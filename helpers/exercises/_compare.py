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

from helpers.exercises._close import agreeing, close
from helpers.exercises._relations import FLIPPED, relation
from helpers.exercises._slips import of_kind
from helpers.exercises._values import is_named_tuple, kind, short, told_apart

CUT = "the result is cut off from the graph: no `detach`, `item`, `numpy` or `no_grad` on the way."
WHOLE_GRAPH = "the whole graph comes along: return it detached."


class Difference(NamedTuple):
    """The first difference of two values: what was expected, what came, what it may mean, and whether that says all."""

    expected: str
    got: str
    meaning: str = ""
    complete: bool = False


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

    if isinstance(expected, Tensor) and isinstance(got, Tensor):
        if type(got) is not type(expected) and got.device == expected.device:
            got = got.as_subclass(type(expected))  # a Parameter, say: only its values count
        return _compare_tensors(got, expected, rtol, atol, kind_only)
    if isinstance(expected, np.ndarray) and isinstance(got, np.ndarray):
        return again(torch.as_tensor(got), torch.as_tensor(expected))
    if isinstance(expected, tuple | list | dict):
        return _compare_containers(got, expected, again)
    if isinstance(expected, numbers.Real) and not isinstance(expected, bool):
        return _compare_numbers(got, expected, rtol, atol, kind_only)
    if callable(expected) and not isinstance(expected, type) and callable(got):
        return None
    if type(got) is not type(expected):
        return _of_another_kind(got, expected)
    if dataclasses.is_dataclass(expected):
        return again(vars(got), vars(expected))
    return None if kind_only or got == expected else Difference(*told_apart(expected, got))


def _of_another_kind(got: Any, expected: Any, words: str = "", base: str = "") -> Difference:
    """The difference in kind, with the slip that usually makes it after what is known anyway."""
    slip = of_kind(got, expected)
    return Difference(words or kind(expected), kind(got), " ".join(s for s in (base, slip) if s), bool(slip))


def _compare_containers(got: Any, expected: Any, again: Callable[[Any, Any], Difference | None]) -> Difference | None:
    named = is_named_tuple(expected)
    if isinstance(expected, dict):
        if not isinstance(got, dict) or got.keys() != expected.keys():
            keys = f" with the keys {sorted(map(str, got))}" if isinstance(got, dict) else ""
            return Difference(f"a dict with the keys {sorted(map(str, expected))}", kind(got) + keys)
        pairs = {f"[{k!r}]": (got[k], expected[k]) for k in expected}
    else:
        fields = expected._fields if named else None
        if not isinstance(got, tuple | list) or len(got) != len(expected) or getattr(got, "_fields", None) != fields:
            return _of_another_kind(got, expected)
        names = [f".{k}" for k in expected._fields] if named else [f"[{k}]" for k in range(len(expected))]
        pairs = dict(zip(names, zip(got, expected, strict=True), strict=True))
    for where, (a, b) in pairs.items():
        found = again(a, b)
        if found:
            swapped = of_kind(got, expected)
            found = found._replace(meaning=swapped, complete=True) if swapped else found
            return found._replace(expected=f"result{where}: {found.expected}", got=f"result{where}: {found.got}")
    return None


def _compare_numbers(
    got: Any, expected: Any, rtol: float | None, atol: float | None, kind_only: bool
) -> Difference | None:
    whole = isinstance(expected, numbers.Integral)
    if not isinstance(got, numbers.Integral if whole else numbers.Real) or isinstance(got, bool):
        found = _of_another_kind(got, expected, "a Python int" if whole else "a Python float")
        return found._replace(got=f"{short(got)}, {found.got}") if isinstance(got, numbers.Real) else found
    if kind_only or got == expected or (math.isnan(got) and math.isnan(expected)):
        return None
    rtol, atol = 1e-5 if rtol is None else rtol, 1e-8 if atol is None else atol
    if not whole and abs(got - expected) <= atol + rtol * abs(expected) < math.inf:
        return None
    meaning = "It is not a number (NaN)." if math.isnan(got) else ""
    if expected and abs(got + expected) <= rtol * abs(expected):
        meaning = FLIPPED
    return Difference(*told_apart(expected, got), meaning)


def _compare_tensors(
    got: Tensor, expected: Tensor, rtol: float | None, atol: float | None, kind_only: bool
) -> Difference | None:
    a, b = got.detach(), expected.detach()
    fits = close(a, b, rtol, atol)
    right = "The values are right, but " if fits and not kind_only else "Here "
    if a.shape != b.shape:
        return _of_another_kind(a, b, "", f"{right}the shape is another.")
    if a.dtype != b.dtype:
        return _of_another_kind(a, b, "", f"{right}the dtype is another.")._replace(
            expected=f"dtype {b.dtype}", got=f"dtype {a.dtype}"
        )
    if a.device != b.device:
        return _of_another_kind(a, b)._replace(expected=f"a tensor on {b.device}", got=f"on {a.device}")
    if not fits and not kind_only:
        return _entries(a, b, rtol, atol)
    if got.requires_grad == expected.requires_grad:
        return None
    if expected.requires_grad:
        return Difference("a result that can be differentiated", "a detached tensor", right + CUT, True)
    return Difference("a detached tensor", "a result that requires a gradient", right + WHOLE_GRAPH, True)


def _entries(a: Tensor, b: Tensor, rtol: float | None, atol: float | None) -> Difference:
    """The entries themselves when they are few, else the worst of them."""
    meaning = relation(a, b, rtol, atol)
    if b.numel() <= 8:
        return Difference(*told_apart(b, a), meaning)
    wrong = ~agreeing(a, b, rtol, atol)
    gap = (a.double() - b.double()).abs().nan_to_num(math.inf, math.inf)
    worst = int(torch.where(wrong, gap, -1.0).argmax())
    index = [int(k) for k in np.unravel_index(worst, tuple(b.shape))]
    due, came = told_apart(b[tuple(index)], a[tuple(index)])
    return Difference(
        f"{due} at {index} of a tensor of shape {tuple(b.shape)}",
        f"{came} there; {int(wrong.sum())} of {wrong.numel()} entries differ",
        meaning,
    )
