"""How the checks of an exercise are declared: `same`, `holds`, `raises`, and what to write them with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from helpers.exercises._compare import difference
from helpers.exercises._draw import Draw
from helpers.exercises._exercise import Check
from helpers.exercises._subject import Arguments, Function, Raised, Subject, Wrong, clone_arguments, perform
from helpers.exercises._values import short

BOTH = (torch.float32, torch.float64)


def same(
    property: str,
    given: Callable[[Draw], Any],
    *,
    meaning: str = "",
    rtol: float | None = None,
    atol: float | None = None,
    times: int = 3,
    seconds: float = 5.0,
    dtype: torch.dtype | None = None,
) -> Check:
    """The function returns what the reference returns on given(draw): a tuple of arguments, a dict, or args(...).

    Compares type, shape, dtype, device, entries (tolerance by dtype unless given) and whether gradients flow; `times`
    fresh inputs (more where `draw.choice` has more options), in float32 and float64 in turn unless dtype is given,
    `seconds` of computing for all of them. `meaning` is shown when no mistake and no slip explains the result.
    """

    def run(subject: Subject, draw: Draw) -> None:
        arguments = Arguments.of(given(draw))
        if subject.exercise.differentiable:
            arguments = clone_arguments(arguments, requires_grad=True)
        got = subject.call(arguments)
        expected = perform(subject.exercise.reference, arguments, subject.seed)
        if expected.error:
            raise expected.error
        found = difference(got, expected.output, rtol, atol)
        if found:
            raise Wrong.by(found)

    return Check(property, run, meaning, times, seconds, BOTH if dtype is None else (dtype,))


def holds(
    property: str,
    test: Callable[[Function, Draw], Any],
    *,
    meaning: str = "",
    times: int = 1,
    seconds: float = 5.0,
    dtype: torch.dtype | None = None,
) -> Check:
    """test(f, draw) calls the student's f, and returns True (all entries) or None when the property holds.

    `meaning`, `times`, `seconds` and dtype are as for `same`. It fails by returning False or by `require`, `agree` or
    `raise Wrong(...)`. Each result of f is first held against the reference's on the same arguments: type, shape,
    dtype, device; so the test need not look after these.
    """

    def run(subject: Subject, draw: Draw) -> None:
        answer = test(subject, draw)
        if answer is not None:
            require(answer)

    return Check(property, run, meaning, times, seconds, BOTH if dtype is None else (dtype,))


def raises(
    property: str,
    given: Callable[[Draw], Any],
    error: type[Exception] = ValueError,
    *,
    meaning: str = "",
    times: int = 6,
    seconds: float = 5.0,
) -> Check:
    """The function raises `error` on given(draw), where the reference does; `times` and `seconds` as for `same`."""

    def run(subject: Subject, draw: Draw) -> None:
        try:
            got = subject.call(Arguments.of(given(draw)), may_change=True)
        except Raised as raised:
            if not isinstance(raised.error, error) or isinstance(raised.error, NotImplementedError):
                raise
        else:
            raise Wrong(expected=f"a {error.__name__}", got=short(got))

    return Check(property, run, meaning, times, seconds, BOTH[:1], refusal=True)


def require(condition: Any, *, expected: Any = "", got: Any = None, on: Any = None, meaning: str = "") -> None:
    """Raises Wrong unless the condition (a bool or a tensor of them) is true everywhere.

    got and on are the last result and the last arguments of the function unless given.
    """
    if not bool(torch.as_tensor(condition).all()):
        raise Wrong(expected=expected, got=got, on=on, meaning=meaning)


def agree(
    got: Any,
    expected: Any,
    *,
    rtol: float | None = None,
    atol: float | None = None,
    on: Any = None,
    meaning: str = "",
) -> None:
    """Raises Wrong unless the two values agree: same type, shape and dtype, entries within a tolerance by dtype."""
    found = difference(got, expected, rtol, atol)
    if found:
        raise Wrong.by(found, on, meaning)
