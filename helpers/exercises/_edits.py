"""A wrong answer as an edit of the right one."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from typing import Any

import torch

Function = Callable[..., Any]


def edited(reference: Function, edits: dict[str, str], *, within: Function | None = None) -> Function:
    """The reference with pieces of its source written anew; with `within`, another function edited in its place.

    Each key is a piece of the source (without its docstring) that must stand there once. `within` may live in another
    module; the reference then calls the edited one by its name. Raises ValueError for a piece that is not there once.
    """
    target = inspect.unwrap(within or reference)
    source = body_of(target)
    for old, new in edits.items():
        if source.count(old) != 1:
            raise ValueError(f"{old!r} must stand once in {target.__name__}, stands there {source.count(old)} times")
        source = source.replace(old, new)
    if within is None:
        return _made(reference, source, {})
    return _made(reference, body_of(reference), {target.__name__: _made(target, source, {})})


def body_of(function: Function) -> str:
    """The source of a function without its docstring, decorators and all, from the left margin."""
    source = textwrap.dedent(inspect.getsource(inspect.unwrap(function)))
    first = ast.parse(source).body[0].body[0]  # type: ignore[attr-defined]
    if not (
        isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    ):
        return source
    lines = source.splitlines(keepends=True)
    return "".join(lines[: first.lineno - 1] + lines[first.end_lineno :])


def _made(function: Function, source: str, names: dict[str, Any]) -> Function:
    """What the source defines under the function's name, in the function's module with `names` set.

    F is there even if the module does not import it: wrong answers are written as students write them.
    """
    name = inspect.unwrap(function).__name__
    space = {"F": torch.nn.functional, **vars(inspect.getmodule(inspect.unwrap(function))), **names}
    exec(
        compile("from __future__ import annotations\n" + source, f"<{name}, edited>", "exec", dont_inherit=True), space
    )
    return space[name]
