"""Values that go into and come out of an exercise: copied, and shown in short."""

from __future__ import annotations

import copy
import numbers
from typing import Any, TypeGuard

import numpy as np
import torch
from torch import Tensor

DIGITS = 5


def is_named_tuple(value: Any) -> TypeGuard[Any]:
    """Whether value is a NamedTuple."""
    return isinstance(value, tuple) and hasattr(value, "_fields")


def clone(value: Any, memo: dict[int, Any] | None = None, *, graph: bool = False) -> Any:
    """A copy that shares no memory: tensors, arrays, generators, modules, containers of them; functions as they are.

    With graph=True tensors are copied inside their graph, so that one can differentiate through the copy.
    """
    memo = {} if memo is None else memo
    out: Any
    if id(value) in memo:
        return memo[id(value)]
    if isinstance(value, Tensor) and not isinstance(value, torch.nn.Parameter):
        out = value.clone() if graph else value.detach().clone().requires_grad_(value.requires_grad)
    elif isinstance(value, torch.Generator):
        out = torch.Generator(value.device)
        out.set_state(value.get_state())
    elif is_named_tuple(value):
        out = type(value)(*(clone(v, memo, graph=graph) for v in value))
    elif type(value) in (tuple, list):
        out = type(value)(clone(v, memo, graph=graph) for v in value)
    elif type(value) is dict:
        out = {k: clone(v, memo, graph=graph) for k, v in value.items()}
    else:
        try:
            out = copy.deepcopy(value, memo)
        except Exception:  # what cannot be copied is shared
            out = value
    memo[id(value)] = out
    return out


def told_apart(expected: Any, got: Any) -> tuple[str, str]:
    """Two values in a line each, with as many digits as it takes to tell them apart."""
    texts = "", ""
    for digits in (DIGITS, 9, 17):
        texts = short(expected, digits), short(got, digits)
        if texts[0] != texts[1]:
            break
    return texts


def short(value: Any, digits: int = DIGITS) -> str:
    """A value in a line: numbers to so many digits, small tensors whole, larger ones by shape and range."""
    if isinstance(value, str):
        return value
    if isinstance(value, Tensor):
        try:
            return _short_tensor(value.detach(), digits)
        except RuntimeError:  # it comes from inside a transform of torch.func that is over
            return "a tensor"
    if isinstance(value, np.ndarray):
        return f"NumPy array {value!s}" if value.size <= 8 else f"NumPy array of shape {value.shape}"
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real | tuple | list | dict):
        return _short_object(value)
    if isinstance(value, numbers.Real):
        return str(int(value)) if isinstance(value, numbers.Integral) else f"{value:.{digits}g}"
    if is_named_tuple(value):
        return f"{type(value).__name__}({', '.join(f'{k}={short(v, digits)}' for k, v in value._asdict().items())})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k!r}: {short(v, digits)}" for k, v in list(value.items())[:6]) + "}"
    inside = ", ".join(short(v, digits) for v in value[:6]) + (", ..." if len(value) > 6 else "")
    if isinstance(value, list):
        return f"[{inside}]"
    return f"({inside},)" if len(value) == 1 else f"({inside})"


def _short_tensor(x: Tensor, digits: int) -> str:
    plain = torch.float32, torch.int64, torch.bool
    about = ("" if x.dtype in plain else f" {str(x.dtype).removeprefix('torch.')}") + (
        "" if x.device.type == "cpu" else f" on {x.device.type}"
    )
    try:
        if x.numel() <= 8:
            numbers_ = x.tolist()
            return (f"tensor({_digits(numbers_, digits)})" if x.ndim else _digits(numbers_, digits)) + about
        if x.dtype == torch.bool:
            return f"tensor of shape {tuple(x.shape)}, {int(x.sum())} True" + about
        low, high = (_digits(v.item(), digits) for v in (x.min(), x.max()))
        return f"tensor of shape {tuple(x.shape)}, from {low} to {high}" + about
    except (RuntimeError, NotImplementedError):  # inside vmap, or a dtype without an order
        return f"tensor of shape {tuple(x.shape)}" + about


def _digits(value: Any, digits: int) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_digits(v, digits) for v in value) + "]"
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)


def _short_object(value: Any) -> str:
    if isinstance(value, torch.Generator):
        return "a seeded generator"
    if isinstance(value, torch.nn.Module):
        return f"a {type(value).__name__}"
    if callable(value):
        name = getattr(value, "__name__", "")
        return (
            f"a {type(value).__name__}" if not name else "a function" if name == "<lambda>" else f"the function {name}"
        )
    text = repr(value)
    plain = type(value).__repr__ is not object.__repr__ and len(text) <= 200
    return text if plain and "\n" not in text else f"a {type(value).__name__}"


def kind(value: Any) -> str:
    """What sort of value it is, in words: 'a tensor of shape (3,)', 'a float', 'None'."""
    if value is None:
        return "None"
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, np.ndarray):
        return f"a NumPy array of shape {value.shape}"
    if is_named_tuple(value):
        return f"a {type(value).__name__}({', '.join(value._fields)})"
    if isinstance(value, tuple | list | dict):
        return f"a {type(value).__name__} of {len(value)}"
    if callable(value):
        return "a function"
    name = type(value).__name__.rstrip("_")
    if isinstance(value, np.generic):
        return f"a NumPy {name}"
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
