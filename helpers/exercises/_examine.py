"""Runs the checks of an exercise on a student's function and draws up the verdict."""

from __future__ import annotations

import inspect
import sysconfig
import traceback
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from helpers.exercises import _sandbox
from helpers.exercises._compare import difference
from helpers.exercises._draw import Draw, Turns
from helpers.exercises._exercise import Check, Exercise
from helpers.exercises._subject import Call, Function, Raised, Subject, Wrong, perform, unchanged
from helpers.exercises._values import short
from helpers.exercises._verdict import Kind, Verdict

PRINTED_LINES = 3
KEPT_OF_A_PASSED_CHECK = 3  # calls, to tell mistakes apart
Rows = tuple[tuple[str, str], ...]


def examine(function: Function, exercise: Exercise) -> Verdict:
    """The verdict on a function: every check in its order, on the CPU and on the GPU if there is one, up to a failure.

    Never raises what the function raises, and leaves the global generators and settings as they were.
    """
    if exercise.given is not None and _same_code(function, exercise.given):
        return _not_attempted(exercise)
    mismatch = signature_mismatch(function, exercise.reference)
    if mismatch:
        row = (
            ("expected", mismatch[0]),
            ("got", mismatch[1]),
            ("usually means", "The parameters were renamed or reordered."),
        )
        return _verdict("failed", exercise, 0, (("should hold", "has the parameters of the exercise"), *row))
    with _sandbox.protected():
        return _all_checks(function, exercise)


def _all_checks(function: Function, exercise: Exercise) -> Verdict:
    printed, history = "", list[Call]()
    for device in ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",):
        for passed, check in enumerate(exercise.checks):
            subject = Subject(function, exercise, Draw().seed)
            outcome = _sandbox.run(partial(_repeat, check, subject, device), check.seconds)
            printed = printed or outcome.printed
            if outcome.error is None and not outcome.late:
                history += subject.calls[:KEPT_OF_A_PASSED_CHECK]
                continue
            if isinstance(outcome.error, Raised) and _is_stub(outcome.error.error, function):
                return _not_attempted(exercise)
            kind, rows = _report(check, subject, outcome, history)
            if device != "cpu":
                rows += (("where", "on the GPU"),)
            return _verdict(kind, exercise, passed, rows + _printed(printed))
    holds = tuple(("holds" if k == 0 else "", check.property) for k, check in enumerate(exercise.checks))
    close = "This is the course's own function." if function is exercise.reference else ""
    return _verdict("passed", exercise, len(exercise.checks), holds + _printed(printed), close)


def _repeat(check: Check, subject: Subject, device: str) -> None:
    turns = Turns()
    while turns.turn + 1 < max(check.times, turns.most, len(check.dtypes)):
        turns.next_case()
        subject.calls.clear()
        dtype = check.dtypes[turns.turn % len(check.dtypes)]
        check.run(subject, Draw(device, dtype=dtype, turns=turns))


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


def _report(check: Check, subject: Subject, outcome: _sandbox.Outcome, history: list[Call]) -> tuple[Kind, Rows]:
    """The kind of the verdict on a check that did not pass, and its rows; history holds calls of the checks passed."""
    call, error = subject.latest, outcome.error
    if outcome.late:
        return "failed", _rows(check, subject, None, f"an answer within {check.seconds:g} s", *_late(outcome, subject))
    if isinstance(error, Raised):
        error = error.error
        own = own_line(traceback.extract_tb(error.__traceback__), subject.function)
        rows = (("error", _describe(error)), ("your line", own or "(its source is not at hand)"))
        on, meaning = _on(subject, None), explain(check, subject, history)
        return "raised", (
            *rows,
            ("should hold", check.property),
            *on,
            *((("usually means", meaning),) if meaning else ()),
        )
    if isinstance(error, Wrong):
        got = short(call.output) if error.got is None else short(error.got)
        meaning = explain(check, subject, history) or " ".join(m for m in (error.meaning, check.meaning) if m)
        return "failed", _rows(check, subject, error.on, short(error.expected), got, meaning)
    text = f"The check cannot go on with that result ({type(error).__name__}: {str(error)[:200]})."
    return "failed", _rows(check, subject, None, "", short(call.output), explain(check, subject, history) or text)


def _late(outcome: _sandbox.Outcome, subject: Subject) -> tuple[str, str]:
    line = own_line(outcome.stack, subject.function)
    got = f"none; it was at {line}" if line else "none"
    meaning = "A loop that never ends, or far more work than is needed."
    if outcome.lost:
        meaning += " It could not be stopped and runs on in the background: restart the kernel when convenient."
    return got, meaning


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


def _describe(error: BaseException) -> str:
    message = str(error).strip()
    return f"{type(error).__name__}: {message[:500]}" if message else type(error).__name__


def explain(check: Check, subject: Subject, history: list[Call]) -> str:
    """The message of the mistake that would have given the student's results, or ''.

    A mistake fits if it gives them in every call of the check that failed, and fails that check too; better still if it
    gives them in the checks passed before.
    """
    calls, exercise = subject.calls, subject.exercise

    def look() -> str:
        same = [pair for pair in exercise.wrong_answers if calls and all(_reproduces(pair[0], call) for call in calls)]
        fitting = [pair for pair in same if not _passes(check, Subject(pair[0], exercise, subject.seed), calls[0])]
        closer = [pair for pair in fitting if all(_reproduces(pair[0], call) for call in history)]
        return next((message for _, message in closer or fitting), "")

    return _sandbox.run(look, check.seconds).value or ""


def _passes(check: Check, subject: Subject, like: Call) -> bool:
    try:
        _repeat(check, subject, _device(like))
    except (Exception, Raised):
        return False
    return True


def _device(call: Call) -> str:
    values = (*call.before.positional, *call.before.named.values(), call.output)
    return next((v.device.type for v in values if isinstance(v, torch.Tensor)), "cpu")


def _reproduces(wrong: Function, call: Call) -> bool:
    try:
        other = perform(wrong, call.before, call.seed)
        if call.error or other.error:
            return type(call.error) is type(other.error) and str(call.error) == str(other.error)
        alike = difference(other.output, call.output) is None
        named = zip(other.after.positional, call.after.positional, strict=True)
        return alike and all(unchanged(a, b) for a, b in named) and unchanged(other.after.named, call.after.named)
    except (RuntimeError, ValueError, TypeError):  # a call inside a transform of torch.func cannot be repeated outside
        return False


def own_line(stack: Sequence[traceback.FrameSummary], function: Function) -> str:
    """The innermost line of the student's own in a stack: 'line 3: return x / 0'; '' if there is none."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    own = [frame for frame in stack if code is not None and frame.filename == code.co_filename]
    frames = own or [frame for frame in stack if not _is_library(frame.filename)]
    if not frames:
        return ""
    return f"line {frames[-1].lineno}: `{frames[-1].line}`" if frames[-1].line else f"line {frames[-1].lineno}"


def _is_library(filename: str) -> bool:
    here, standard = str(Path(__file__).parents[1]), sysconfig.get_paths()["stdlib"]
    return filename.startswith((here, standard, "<frozen")) or "site-packages" in filename


def _is_stub(error: BaseException, function: Function) -> bool:
    """Whether the error is the `raise NotImplementedError` of an unsolved exercise (torch's own ones have a text)."""
    if not isinstance(error, NotImplementedError) or error.args:
        return False
    code, tail = getattr(inspect.unwrap(function), "__code__", None), error.__traceback__
    while tail is not None and tail.tb_next is not None:
        tail = tail.tb_next
    return tail is not None and tail.tb_frame.f_code is code


def _same_code(function: Function, given: Function) -> bool:
    """Whether two functions do the same, byte for byte, but for their docstrings."""
    a, b = getattr(function, "__code__", None), getattr(given, "__code__", None)
    if a is None or b is None:
        return False
    constants = [tuple(c for c in f.__code__.co_consts if c != f.__doc__) for f in (function, given)]
    return (a.co_code, a.co_names, a.co_varnames) == (b.co_code, b.co_names, b.co_varnames) and constants[
        0
    ] == constants[1]


def signature_mismatch(function: Function, reference: Function) -> tuple[str, str] | None:
    """The two parameter lists when the function cannot be called as the reference can: names, order, defaults."""
    try:
        own, due = inspect.signature(function).parameters, inspect.signature(reference).parameters
    except (TypeError, ValueError):
        return None
    starred = {p.kind for p in own.values()} & {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
    if len(starred) == 2:
        return None
    by_place = [[n for n, p in f.items() if p.kind not in (p.KEYWORD_ONLY, *starred)] for f in (own, due)]
    fits = by_place[0][: len(by_place[1])] == by_place[1] and set(due) <= set(own)
    fits = fits and all(own[n].default is not p.empty for n, p in due.items() if p.default is not p.empty)
    more = [p for n, p in own.items() if n not in due and p.kind not in starred]
    fits = fits and all(p.default is not p.empty for p in more)
    return None if fits else (parameters(reference), parameters(function))


def parameters(function: Function) -> str:
    """The call in a line, without annotations: 'fgsm(model, x, y, eps=0.1)'."""
    plain = [p.replace(annotation=p.empty) for p in inspect.signature(function).parameters.values()]
    return f"{getattr(function, '__name__', 'f')}{inspect.Signature(plain)}"
