"""What a mutant may have in the place of a piece of source: one operator, constant, argument or call another."""

import ast
import copy
from collections.abc import Iterator
from typing import Any

import torch

OPERATORS: dict[type, tuple[type, ...]] = {
    ast.Add: (ast.Sub,), ast.Sub: (ast.Add,), ast.Mult: (ast.Div,), ast.Div: (ast.Mult,), ast.Pow: (ast.Mult,),
    ast.FloorDiv: (ast.Div,), ast.Mod: (ast.Mult,), ast.BitAnd: (ast.BitOr,), ast.BitOr: (ast.BitAnd,),
    ast.Lt: (ast.LtE, ast.Gt), ast.LtE: (ast.Lt, ast.GtE), ast.Gt: (ast.GtE, ast.Lt), ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.And: (ast.Or,), ast.Or: (ast.And,), ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,), ast.In: (ast.NotIn,), ast.NotIn: (ast.In,),
}  # fmt: skip
SWAPS = {
    "sum": "mean", "mean": "sum", "amax": "amin", "amin": "amax", "max": "min", "min": "max", "argmax": "argmin",
    "argmin": "argmax", "any": "all", "all": "any", "zeros_like": "ones_like", "ones_like": "zeros_like",
    "zeros": "ones", "ones": "zeros", "new_zeros": "new_ones", "new_ones": "new_zeros", "exp": "log", "log": "exp",
    "rand": "randn", "randn": "rand", "cumsum": "cumprod", "fmin": "fmax", "fmax": "fmin", "minimum": "maximum",
    "maximum": "minimum", "ndtri": "ndtr", "ndtr": "ndtri", "abs": "square", "square": "abs", "sqrt": "abs",
    "median": "mean", "floor": "ceil", "ceil": "floor", "cos": "sin", "sin": "cos", "std": "var", "var": "std",
    "logaddexp": "maximum", "xlogy": "mul",
}  # fmt: skip
NAMESPACES = {"torch", "math", "F", "nn", "special", "functional", "linalg", "np"}


def variants(node: ast.AST) -> Iterator[ast.AST | None]:
    """What may stand in a node's place; None: nothing (a statement left out)."""
    if isinstance(node, ast.BinOp | ast.BoolOp | ast.AugAssign):
        for op in OPERATORS.get(type(node.op), ()):
            yield _with(node, op=op())
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub | ast.Mult | ast.Div):
            yield node.left
    elif isinstance(node, ast.Compare):
        for k, old in enumerate(node.ops):
            for op in OPERATORS.get(type(old), ()):
                yield _with(node, ops=[*node.ops[:k], op(), *node.ops[k + 1 :]])
    elif isinstance(node, ast.UnaryOp) and not isinstance(node.operand, ast.Constant):
        yield node.operand
    elif isinstance(node, ast.Constant):
        yield from _constants(node.value)
    elif isinstance(node, ast.Call):
        yield from _calls(node)
    elif isinstance(node, ast.IfExp):
        yield from (node.body, node.orelse)
    elif isinstance(node, ast.If | ast.While):
        yield _with(node, test=ast.UnaryOp(ast.Not(), node.test))
    elif isinstance(node, ast.Expr):
        yield None
    elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice):
        yield node.value
    if isinstance(node, ast.AugAssign | ast.Continue | ast.Break):
        yield None
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and _reassigned(node):
        yield None


def _reassigned(node: ast.Assign) -> bool:
    """x = f(x): without it x would go on as it was."""
    target = node.targets[0]
    if not isinstance(target, ast.Name):
        return isinstance(target, ast.Subscript)
    return any(isinstance(n, ast.Name) and n.id == target.id for n in ast.walk(node.value))


def _constants(value: Any) -> Iterator[ast.AST]:
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int):
        yield ast.Constant(value + 1)
        if value not in (0, 1):
            yield ast.Constant(value - 1)
        yield ast.Constant(-value if value else -1)
    elif isinstance(value, float):
        yield ast.Constant(value * 1.1 if value else 0.1)
        yield ast.Constant(-value if value else -0.1)


def _calls(node: ast.Call) -> Iterator[ast.AST]:
    """A reduction swapped; an argument left out, two swapped; the call itself left out, leaving what it works on."""
    function = node.func
    if isinstance(function, ast.Attribute):
        if function.attr in SWAPS:
            yield _with(node, func=_with(function, attr=SWAPS[function.attr]))
        inside = function.value
        if not (isinstance(inside, ast.Name) and inside.id in NAMESPACES) and not _in_namespace(inside):
            yield inside  # x.m(...) -> x
        elif node.args:
            yield node.args[0]  # torch.f(x, ...) -> x
    elif isinstance(function, ast.Name) and node.args and not isinstance(node.args[0], ast.Starred):
        yield node.args[0]
    for k, keyword in enumerate(node.keywords):
        if keyword.arg == "device" and not torch.cuda.is_available():
            continue  # without a second device it changes nothing; --gpu pretends one
        yield _with(node, keywords=[*node.keywords[:k], *node.keywords[k + 1 :]])
    for k in range(len(node.args)):
        yield _with(node, args=[*node.args[:k], *node.args[k + 1 :]])
    for k in range(len(node.args) - 1):
        a = node.args
        yield _with(node, args=[*a[:k], a[k + 1], a[k], *a[k + 2 :]])


def _in_namespace(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr in NAMESPACES


def _with(node: Any, **fields: Any) -> Any:
    new = copy.copy(node)
    for name, value in fields.items():
        setattr(new, name, value)
    return new
