"""Exercises that check themselves.

For students: `check`, `hint`, `solution`, `progress`. For the authors of helpers/exercises/<lecture>.py: `Exercise`,
its checks `same`, `holds`, `raises`, and `args`, `require`, `agree`, `Wrong`, `Draw` to write them with.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from typing import Any, TypeVar

from helpers.exercises._checks import Check, Exercise, agree, holds, raises, require, same
from helpers.exercises._draw import Draw
from helpers.exercises._examine import examine
from helpers.exercises._register import exercises, find, lectures
from helpers.exercises._subject import Arguments, Wrong, args
from helpers.exercises._verdict import Note, Table, Verdict, show

__all__ = [
    "Arguments", "Check", "Draw", "Exercise", "Verdict", "Wrong", "agree", "args", "check", "examine", "exercises",
    "find", "hint", "holds", "lectures", "progress", "raises", "require", "same", "solution",
]  # fmt: skip

F = TypeVar("F", bound=Callable[..., Any])

_verdicts: dict[str, Verdict] = {}  # the last verdict on each exercise, by name
_hints: dict[str, int] = {}  # how many hints were given, by name
_latest: list[str] = []  # the lecture of the last exercise checked


def check(function: F) -> F | Callable[..., Any]:
    """Checks a solution, shows the verdict, and returns the function if it passed, else the course's own.

    The exercise is the one of the function's name. Whatever the function does, the lecture runs on.
    Raises ValueError if there is no exercise of that name.
    """
    if not callable(function):
        raise ValueError(f"check takes a function, as made by `def`, got {function!r}")
    lecture, exercise = find(function)
    verdict = examine(function, exercise)
    _verdicts[exercise.name] = verdict
    _latest[:] = [lecture]
    show(verdict)
    return function if verdict.kind == "passed" else exercise.reference


def hint(function: Callable[..., Any] | str) -> None:
    """Shows one more hint for an exercise, given by its function or its name. Raises ValueError for an unknown name."""
    _, exercise = find(function)
    given, total = _hints.get(exercise.name, 0), len(exercise.hints)
    if given == total:
        show(
            Note(
                f"That was the last hint for {exercise.name}.",
                f"`solution({exercise.name})` shows how the course does it.",
            )
        )
        return
    _hints[exercise.name] = given + 1
    show(Note(f"Hint {given + 1} of {total}", exercise.hints[given]))


def solution(function: Callable[..., Any] | str) -> None:
    """Shows the course's own function for an exercise, and why it is so. Raises ValueError for an unknown name."""
    _, exercise = find(function)
    code = textwrap.dedent(inspect.getsource(exercise.reference)).rstrip()
    show(Note(f"Exercise {exercise.number}, {exercise.name}: the course's own function", exercise.why, code))


def progress(lecture: str | None = None) -> None:
    """Shows a lecture's exercises and the last verdict on each; the lecture worked on, unless another is named.

    Raises ValueError if the lecture is unknown, or none is named and no exercise was checked.
    """
    if lecture is None and not _latest:
        raise ValueError(f"no exercise was checked yet: name the lecture, one of {', '.join(lectures())}")
    word = _latest[0] if lecture is None else lecture
    rows = [
        (e.number, e.name, e.minutes, _verdicts.get(e.name, Verdict("not attempted", e.number, e.name)))
        for e in exercises(word)
    ]
    show(Table(word, rows))
