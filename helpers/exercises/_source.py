"""The student's own code: its lines in a stack, whether it is still the stub, or still the flaw."""

from __future__ import annotations

import inspect
import sysconfig
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import CodeType
from typing import Any

from helpers.exercises._sandbox import KEPT_FRAMES

Function = Callable[..., Any]


def code_of(function: Any) -> CodeType | None:
    """The code behind a function, a partial of one, a method, an object that can be called; None for one of C."""
    while isinstance(function, partial):
        function = function.func
    function = inspect.unwrap(function)
    if not hasattr(function, "__code__"):
        function = inspect.getattr_static(type(function), "__call__", None)
    return getattr(function, "__code__", None)


def error_line(error: BaseException, function: Function) -> str:
    """The student's own innermost line on the way to an error."""
    return own_line(traceback.extract_tb(error.__traceback__, -KEPT_FRAMES), function)


def own_line(stack: Sequence[traceback.FrameSummary], function: Function) -> str:
    """The innermost line of the student's own in a stack: 'line 3: return x / 0'; '' if there is none."""
    code = code_of(function)
    own = [frame for frame in stack if code is not None and frame.filename == code.co_filename]
    frames = own or [frame for frame in stack if not _is_library(frame.filename)]
    if not frames:
        return ""
    return f"line {frames[-1].lineno}: `{frames[-1].line}`" if frames[-1].line else f"line {frames[-1].lineno}"


def _is_library(filename: str) -> bool:
    here, standard = str(Path(__file__).parents[1]), sysconfig.get_paths()["stdlib"]
    return filename.startswith((here, standard, "<frozen")) or "site-packages" in filename


def is_stub(error: BaseException, function: Function) -> bool:
    """Whether the error is the `raise NotImplementedError` of an unsolved exercise (torch's own ones have a text)."""
    if not isinstance(error, NotImplementedError) or error.args:
        return False
    code, tail = code_of(function), error.__traceback__
    while tail is not None and tail.tb_next is not None:
        tail = tail.tb_next
    return tail is not None and tail.tb_frame.f_code is code


def same_code(function: Function, given: Function) -> bool:
    """Whether two functions do the same, byte for byte, but for their docstrings."""
    a, b = getattr(function, "__code__", None), getattr(given, "__code__", None)
    if a is None or b is None:
        return False
    constants = [tuple(c for c in f.__code__.co_consts if c != f.__doc__) for f in (function, given)]
    alike = (a.co_code, a.co_names, a.co_varnames) == (b.co_code, b.co_names, b.co_varnames)
    return alike and constants[0] == constants[1]
