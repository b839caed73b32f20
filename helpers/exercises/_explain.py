"""Why an answer is wrong: always the same value, or one of the exercise's mistakes."""

from __future__ import annotations

import math
import numbers
from typing import Any

from torch import Tensor

from helpers.exercises import _sandbox
from helpers.exercises._compare import difference
from helpers.exercises._draw import Draw, Turns
from helpers.exercises._exercise import Check
from helpers.exercises._subject import Call, Function, Raised, Subject, perform, unchanged
from helpers.exercises._values import short

PROBES = 4  # cases more, to tell an answer that is always the same, or one mistake, from one that happens to be
Mistakes = tuple[tuple[Function, str], ...]


def explain(check: Check, subject: Subject, device: str, history: list[Call]) -> str:
    """Whether the result is always the same, and the message of the mistake that gives the student's results; or ''.

    A mistake fits if it gives them in every call of the check that failed, and fails that check too; better still if it
    gives them in the checks passed before. Where several fit, further inputs decide between them; where the results are
    one value, which many a mistake gives by chance, it has to give them on further inputs too.
    """
    calls = list(subject.calls)

    def look() -> str:
        value, suspects = _only_value(calls), _suspects(subject.exercise.wrong_answers, calls)
        unclear = value is not None or len(suspects) > 1
        more = _probe(check, subject, device) if unclear and not check.refusal else []
        closer = _suspects(suspects, more)
        message = _mistake(check, subject, device, closer if value is not None else closer or suspects, history)
        always = value is not None and _only_value(more) == value and any(_differs(subject, call) for call in more)
        return " ".join(s for s in (f"It is {value} on every input of this check." if always else "", message) if s)

    return (_sandbox.run(look, check.seconds).value or "") if calls else ""


def _suspects(mistakes: Mistakes, calls: list[Call]) -> Mistakes:
    """The mistakes that give the results of all the calls."""
    return tuple(pair for pair in mistakes if all(_reproduces(pair[0], call) for call in calls))


def _mistake(check: Check, subject: Subject, device: str, suspects: Mistakes, history: list[Call]) -> str:
    """The message of the first that fails the check too; of one that also fits the checks passed, if there is one."""
    fails = [p for p in suspects if not _passes(check, Subject(p[0], subject.exercise, subject.seed), device)]
    return next((message for _, message in _suspects(tuple(fails), history) or fails), "")


def _passes(check: Check, subject: Subject, device: str) -> bool:
    try:
        check.repeat(subject, device)
    except (Exception, Raised):
        return False
    return True


def _probe(check: Check, subject: Subject, device: str) -> list[Call]:
    """Calls of the student's function on further inputs."""
    turns, probe = Turns(), Subject(subject.function, subject.exercise, subject.seed)
    for case in range(PROBES):
        turns.next_case()
        try:
            check.run(probe, Draw(device, dtype=check.dtypes[case % len(check.dtypes)], turns=turns))
        except (Exception, Raised):
            continue
    return probe.calls


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


def _differs(subject: Subject, call: Call) -> bool:
    due = perform(subject.exercise.reference, call.before, call.seed)
    return due.error is None and _only_value([due]) != _only_value([call])


def _only_value(calls: list[Call]) -> str | None:
    """The one value that every entry of every result has, in words; None if there are several."""
    values = {_value(call.output) for call in calls}
    return values.pop() if len(values) == 1 else None


def _value(output: Any) -> str | None:
    if isinstance(output, numbers.Real):
        return "NaN" if math.isnan(output) else short(0 if output == 0 and output is not False else output, 9)
    if not isinstance(output, Tensor) or not output.numel():
        return None
    try:
        first = output.detach().flatten()[0]
        alike = bool(((output == first) | ((output != output) & (first != first))).all())
        return _value(first.item()) if alike and not output.is_complex() else None
    except RuntimeError:  # it comes from inside a transform of torch.func
        return None
