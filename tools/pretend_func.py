"""The transforms of torch.func for tools/pretend_gpu.py.

Inside of them nobody sees what is on the GPU, so their results are marked when they come out.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch

Function = Callable[..., Any]
Mark = Callable[[Any, Any], Any]  # (result, arguments) -> the result, on the GPU if one of the arguments is


def patches(mark: Mark) -> Iterator[tuple[Any, str, Function]]:
    """(owner, name, function in its place) for the transforms of torch.func."""
    for name in ("vmap", "grad", "grad_and_value", "jacrev", "jacfwd", "hessian"):
        yield torch.func, name, _transform(getattr(torch.func, name), mark)
    yield torch, "vmap", _transform(torch.vmap, mark)
    yield torch.func, "vjp", _vjp(torch.func.vjp, mark)
    for name in ("jvp", "functional_call"):
        yield torch.func, name, _direct(getattr(torch.func, name), mark)


def _transform(original: Function, mark: Mark) -> Function:
    """vmap, grad, ...: the function that they return marks its results."""

    def make(f: Function, *options: Any, **named: Any) -> Function:
        inner = original(f, *options, **named)
        return lambda *args, **kwargs: mark(inner(*args, **kwargs), (args, kwargs))

    return make


def _direct(original: Function, mark: Mark) -> Function:
    """jvp, functional_call: called with a function and its arguments."""
    return lambda *args, **kwargs: mark(original(*args, **kwargs), (args[1:], kwargs))


def _vjp(original: Function, mark: Mark) -> Function:
    """vjp returns a result and a function that pulls back."""

    def vjp(f: Function, *primals: Any, **named: Any) -> tuple[Any, ...]:
        out, pull, *aux = original(f, *primals, **named)
        return mark(out, primals), lambda *cotangents: mark(pull(*cotangents), primals), *aux

    return vjp
