"""Runs the checks of an exercise on a student's function and draws up the verdict."""

from __future__ import annotations

import traceback
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from helpers.exercises import _sandbox
from helpers.exercises._draw import Draw
from helpers.exercises._exercise import Check, Exercise
from helpers.exercises._explain import explain
from helpers.exercises._settings import protected, threads
from helpers.exercises._signature import signature_mismatch
from helpers.exercises._slips import of_error
from helpers.exercises._source import error_line, is_stub, own_line, same_code
from helpers.exercises._subject import Call, Function, Raised, Subject, Wrong
from helpers.exercises._values import kind, short, told_apart
from helpers.exercises._verdict import Kind, Verdict

PRINTED_LINES = 3
MANY_LINES = 1000  # printed by a function whose time is up: that is where the time went
KEPT_OF_A_PASSED_CHECK = 3  # calls, to tell mistakes apart
Rows = tuple[tuple[str, str], ...]


def examine(function: Function, exercise: Exercise) -> Verdict:
    """The verdict on a function: every check in its order, on the CPU and on the GPU if there is one, up to a failure.

    Never raises what the function raises, and leaves the global generators and settings as they were.
    """
    if not callable(function):
        meaning = (
            f"`{exercise.name} = check({exercise.name})` takes the function itself, not what a call of it returns."
        )
        return _failed_before(exercise, "is a function", "a function", kind(function), meaning)
    if exercise.given is not None and same_code(function, exercise.given):
        return _not_attempted(exercise)
    mismatch = signature_mismatch(function, exercise.reference)
    if mismatch:
        return _failed_before(exercise, "has the parameters of the exercise", *mismatch)
    before = threads()
    with protected():
        verdict = _all_checks(function, exercise)
    left = len(threads() - before)
    if not left:
        return verdict
    still = f"{left} thread{'s' if left > 1 else ''} that the function started: `join` before it returns"
    return replace(verdict, rows=(*verdict.rows, ("still runs", still)))


def devices() -> tuple[str, ...]:
    """Where the checks run."""
    return ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",)


def _all_checks(function: Function, exercise: Exercise) -> Verdict:
    printed, history = "", list[Call]()
    for device in devices():
        for passed, check in enumerate(exercise.checks):
            subject = Subject(function, exercise, Draw().seed)
            outcome = _sandbox.run(partial(check.repeat, subject, device), check.seconds)
            printed = printed or outcome.printed
            if outcome.error is None and not outcome.late:
                history += subject.calls[:KEPT_OF_A_PASSED_CHECK]
                continue
            if isinstance(outcome.error, Raised) and is_stub(outcome.error.error, function):
                return _not_attempted(exercise)
            kind, rows = _report(check, subject, outcome, partial(explain, check, subject, device, history))
            _let_go(outcome.error)
            if device != "cpu":
                rows += (("where", "on the GPU"),)
            return _verdict(kind, exercise, passed, rows + _printed(printed))
    holds = tuple(("holds" if k == 0 else "", check.property) for k, check in enumerate(exercise.checks))
    close = "This is the course's own function." if function is exercise.reference else ""
    return _verdict("passed", exercise, len(exercise.checks), holds + _printed(printed), close)


def _let_go(error: BaseException | None) -> None:
    """Empties the frames of an error, which keep one another: what they held may be a gigabyte."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error.__traceback__ = None
        error = error.error if isinstance(error, Raised) else error.__context__


def _verdict(kind: Kind, exercise: Exercise, passed: int, rows: Rows, close: str | None = None) -> Verdict:
    if close is None:
        close = f"The lecture goes on with the course's own function; `hint({exercise.name})` helps."
    return Verdict(kind, exercise.number, exercise.name, passed, len(exercise.checks), rows, close)


def _not_attempted(exercise: Exercise) -> Verdict:
    close = (
        f"Write it ({exercise.minutes} min) and run the cell again; `hint({exercise.name})` helps. "
        "Until then the lecture goes on with the course's own function."
    )
    return _verdict("not attempted", exercise, 0, (), close)


def _failed_before(exercise: Exercise, property: str, expected: str, got: str, meaning: str) -> Verdict:
    """The verdict on what cannot be called."""
    rows = ("should hold", property), ("expected", expected), ("got", got), ("usually means", meaning)
    return _verdict("failed", exercise, 0, rows)


def _report(check: Check, subject: Subject, outcome: _sandbox.Outcome, mistake: Any) -> tuple[Kind, Rows]:
    """The kind of the verdict on a check that did not pass, and its rows; mistake() finds what it usually means."""
    error, output = outcome.error, subject.latest.output
    if outcome.late:
        return "failed", _rows(check, subject, None, *_late(check, subject, outcome))
    if isinstance(error, Raised):
        return "raised", _raised(check, subject, error.error, mistake)
    if isinstance(error, Wrong):
        got = output if error.got is None else error.got
        parts = (error.meaning, "" if error.complete else check.meaning)
        meaning = mistake() or " ".join(dict.fromkeys(part for part in parts if part))
        return "failed", _rows(check, subject, error.on, *told_apart(error.expected, got), meaning)
    text = f"The check cannot go on with that result ({type(error).__name__}: {str(error)[:200]})."
    return "failed", _rows(check, subject, None, "", short(output), mistake() or text)


def _raised(check: Check, subject: Subject, error: BaseException, mistake: Any) -> Rows:
    message = str(error).strip()[:500]
    rows = (
        ("error", type(error).__name__ + (message and f": {message}")),
        ("your line", error_line(error, subject.function) or "(its source is not at hand)"),
        ("should hold", check.property),
        *_on(subject, None),
        ("usually means", mistake() or of_error(error)),
    )
    return tuple((label, text) for label, text in rows if text)


def _late(check: Check, subject: Subject, outcome: _sandbox.Outcome) -> tuple[str, str, str]:
    """What was expected, what came, and what it usually means, of a call whose time was up."""
    line = own_line(outcome.stack, subject.function)
    meaning = "A loop that never ends, or far more work than is needed."
    if outcome.waited:
        meaning = "It waits for what never comes: a sleep, a lock, another thread or process."
    if outcome.lines > MANY_LINES:
        meaning = f"It had printed {outcome.lines:,} lines by then: take the `print` out of the loop."
    if outcome.lost:
        meaning += " It could not be stopped and runs on in the background: restart the kernel when convenient."
    limit = f"an answer within {check.seconds:g} s" + ("" if outcome.waited else " of computing")
    return limit, f"none; it was at {line}" if line else "none", meaning


def _rows(check: Check, subject: Subject, on: Any, expected: str, got: str, meaning: str) -> Rows:
    rows = (
        ("should hold", check.property),
        *_on(subject, on),
        ("expected", expected),
        ("got", got),
        ("usually means", meaning),
    )
    return tuple((label, text) for label, text in rows if text)


def _on(subject: Subject, on: Any) -> Rows:
    if on is None:
        given = subject.latest.before.bound(subject.exercise.reference)
        on = ", ".join(f"{name} = {short(value)}" for name, value in given.items())
    return (("on", short(on)),) if on else ()


def _printed(text: str) -> Rows:
    lines = text.strip().splitlines()
    if not lines:
        return ()
    more = ["..."] if len(lines) > PRINTED_LINES else []
    return (("it printed", "\n".join([line[:160] for line in lines[:PRINTED_LINES]] + more)),)
