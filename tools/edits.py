"""Single-edit mutants of a function: what an exercise's checks, and a lecture's own tests, must refuse.

Mutations: an operator, a sign, a constant, a comparison, a reduction or an axis replaced; an argument, a clamp, a
detach, a sign, a step of a chain of calls left out; a statement left out; a branch taken always; single precision
inside. Guards (`if ...: raise`) are mutated only when asked for.
"""

import ast
import copy
import inspect
import textwrap
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from tools.variants import variants

Function = Callable[..., Any]


class Mutant(NamedTuple):
    """A function with one edit, and the edit in words: `a < b -> a <= b`, with (2) for the second of its kind."""

    edit: str
    function: Function


def mutants(function: Function, *, guards: bool = False) -> Iterator[Mutant]:
    """Every single-edit mutant of a function of a module, compiled in that module's names, in the order of its lines.

    The source is that of the function inside its decorators, which are applied again. guards: mutate `if: raise` too.
    """
    inner = inspect.unwrap(function)
    tree = ast.parse(textwrap.dedent(inspect.getsource(inner)))
    definition = tree.body[0]
    assert isinstance(definition, ast.FunctionDef)
    space, seen = dict(vars(inspect.getmodule(inner) or object)), dict[str, int]()
    for words, mutated in _edits(definition, guards):
        seen[words] = seen.get(words, 0) + 1
        edit = words if seen[words] == 1 else f"{words} ({seen[words]})"
        names = dict(space)
        module = ast.fix_missing_locations(ast.Module([mutated], []))
        try:
            exec(compile(module, f"<{function.__name__}: {edit}>", "exec", dont_inherit=True), names)
        except (SyntaxError, TypeError, ValueError):
            continue
        yield Mutant(edit, names[function.__name__])
    yield Mutant("single precision inside", _rounded(function))


def _edits(definition: ast.FunctionDef, guards: bool) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Each edit in words, with the definition so edited; annotations dropped."""
    definition = copy.deepcopy(definition)
    for node in ast.walk(definition):
        if isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.FunctionDef):
            node.returns = None
    for path in _paths(definition, guards):
        node = _at(definition, path)
        for new in variants(node):
            edited = copy.deepcopy(definition)
            parent, (field, index) = _at(edited, path[:-1]), path[-1]
            if index is None:
                setattr(parent, field, new)
            elif new is None:
                del getattr(parent, field)[index]
                if not getattr(parent, field):
                    getattr(parent, field).append(ast.Pass())
            else:
                getattr(parent, field)[index] = new
            words = f"{_line(node)} -> {_line(new) if new is not None else 'left out'}"
            yield (
                words + (f" in {_line(_statement(definition, path))}" if isinstance(node, ast.Constant) else ""),
                edited,
            )


Path = tuple[tuple[str, int | None], ...]


def _paths(root: ast.AST, guards: bool) -> Iterator[Path]:
    """The way to every node that may be mutated, in the order of the source."""

    def visit(node: ast.AST, way: Path) -> Iterator[Path]:
        for field, value in ast.iter_fields(node):
            if field in ("decorator_list", "returns", "annotation", "ctx", "op", "ops", "keywords_names"):
                continue
            for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
                if not isinstance(child, ast.AST) or isinstance(child, ast.JoinedStr):
                    continue
                if isinstance(child, ast.Raise) or (not guards and _is_guard(child)) or _is_docstring(child):
                    continue
                here = (*way, (field, index))
                yield here
                yield from visit(child, here)

    yield from visit(root, ())


def _is_guard(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and len(node.body) == 1 and isinstance(node.body[0], ast.Raise) and not node.orelse


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _line(node: ast.AST) -> str:
    return ast.unparse(node).splitlines()[0]


def _statement(root: ast.AST, path: Path) -> ast.AST:
    """The innermost statement on the way to a node."""
    nodes = [_at(root, path[:k]) for k in range(len(path) + 1)]
    return [node for node in nodes if isinstance(node, ast.stmt)][-1]


def _at(root: Any, path: Path) -> Any:
    for field, index in path:
        root = getattr(root, field) if index is None else getattr(root, field)[index]
    return root


def _rounded(function: Function) -> Function:
    """The function with every float64 that goes in, also in a tuple, rounded to float32; what comes out is widened."""

    def down(value: Any) -> Any:
        if isinstance(value, tuple):
            parts = [down(v) for v in value]
            return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
        return value.float() if isinstance(value, Tensor) and value.dtype == torch.float64 else value

    def rounded(*args: Any, **kwargs: Any) -> Any:
        inside = [w for v in (*args, *kwargs.values()) for w in (v if isinstance(v, tuple) else (v,))]
        wide = any(isinstance(v, Tensor) and v.dtype == torch.float64 for v in inside)
        out = function(*map(down, args), **{k: down(v) for k, v in kwargs.items()})
        return _up(out) if wide else out

    rounded.__name__, rounded.__signature__ = function.__name__, inspect.signature(function)  # type: ignore[attr-defined]
    return rounded


def _up(value: Any) -> Any:
    if isinstance(value, Tensor) and value.dtype == torch.float32:
        return value.double()
    if isinstance(value, tuple):
        parts = [_up(v) for v in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    return value
