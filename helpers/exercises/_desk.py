"""What a student calls in a lecture, bound to that lecture's exercises: `check`, `hint`, `solution`, `progress`."""

from __future__ import annotations

import difflib
import inspect
import json
import linecache
import os
import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

from helpers.exercises._examine import examine
from helpers.exercises._exercise import Exercise
from helpers.exercises._verdict import KINDS, Note, Table, Verdict, show
from helpers.files import write_atomically

F = TypeVar("F", bound=Callable[..., Any])
Named = Callable[..., Any] | str


class Desk:
    """The exercises of one lecture, the hints given and the last verdict on each.

    Verdicts are kept in the folder that the variable COURSE_WORK names (`make lab` sets it to the folder of the
    student's copies), one small file a lecture, so that they survive a restart of the kernel. Without it they live
    with the kernel. Raises ValueError if two exercises have one name or one number.
    """

    def __init__(self, lecture: str, exercises: tuple[Exercise, ...]):
        self.lecture, self.exercises = lecture, exercises
        self._named = {exercise.name: exercise for exercise in exercises}
        if len({exercise.number for exercise in exercises}) != len(exercises) or len(self._named) != len(exercises):
            raise ValueError(f"names and numbers of the exercises of {lecture} must be unique")
        self._hints = dict.fromkeys(self._named, 0)
        self._verdicts: dict[str, Verdict] = {}

    def check(self, function: F) -> F | Callable[..., Any]:
        """Checks a solution, shows the verdict, and returns the function if it passed, else the course's own.

        The exercise is the one of the function's name; what has no such name (a lambda, a partial, an object) is known
        by the name it is assigned to, as in `fgsm = check(lambda ...)`. Whatever it does, the lecture runs on.
        Raises ValueError if no exercise has that name, or no name is to be seen.
        """
        name = getattr(function, "__name__", None)
        if name not in self._named:
            name = _assigned(inspect.currentframe()) or (name if name != "<lambda>" else None)
        if name is None:
            raise ValueError(f"which exercise? Call it by its name, `{next(iter(self._named))} = check(...)`")
        exercise = self.find(name)
        verdict = examine(function, exercise)
        self._keep(exercise.name, verdict)
        show(verdict)
        return function if verdict.kind == "passed" else exercise.reference

    def hint(self, function: Named) -> None:
        """Shows one more hint for an exercise, given by its function or its name. Raises ValueError for another."""
        exercise = self.find(function)
        given, total = self._hints[exercise.name], len(exercise.hints)
        if given == total:
            text = f"`solution({exercise.name})` shows how the course does it."
            show(Note(f"That was the last hint for {exercise.name}.", text))
            return
        self._hints[exercise.name] = given + 1
        show(Note(f"Hint {given + 1} of {total}", exercise.hints[given]))

    def solution(self, function: Named) -> None:
        """Shows the course's own function for an exercise, and why it is so. Raises ValueError for an unknown name."""
        exercise = self.find(function)
        functions = (exercise.reference, *exercise.shows)
        code = "\n\n\n".join(textwrap.dedent(inspect.getsource(function)).rstrip() for function in functions)
        show(Note(f"Exercise {exercise.number}, {exercise.name}: the course's own function", exercise.why, code))

    def progress(self) -> None:
        """Shows the lecture's exercises and the last verdict on each."""
        known = self._read() | self._verdicts
        rows = [
            (e.number, e.name, e.minutes, known.get(e.name, Verdict("not attempted", e.number, e.name)))
            for e in self.exercises
        ]
        show(Table(self.lecture, rows))

    def find(self, function: Named) -> Exercise:
        """The exercise of a function or of its name. Raises ValueError, with the nearest name, if there is none."""
        name = function if isinstance(function, str) else getattr(function, "__name__", None)
        if not isinstance(name, str):
            raise ValueError(f"expected a function with a name, as made by `def`, got {function!r}")
        if name not in self._named:
            near = difflib.get_close_matches(name, self._named, n=1, cutoff=0.5)
            raise ValueError(
                f"no exercise of this lecture is called {name!r}"
                + (f"; did you mean {near[0]!r}?" if near else f"; they are {', '.join(self._named)}")
            )
        return self._named[name]

    @property
    def _file(self) -> Path | None:
        folder = os.environ.get("COURSE_WORK")
        return Path(folder) / ".progress" / f"{self.lecture}.json" if folder else None

    def _keep(self, name: str, verdict: Verdict) -> None:
        self._verdicts[name] = verdict
        if self._file is None:
            return
        known = self._verdicts | self._read() | {name: verdict}  # another kernel may have written meanwhile
        kept = {n: [v.kind, v.passed, v.total] for n, v in known.items()}
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._file, lambda path: path.write_text(json.dumps(kept, indent=1), encoding="utf-8"))
        except OSError:  # a full or read-only disk must not stop the lecture: the kernel still knows
            pass

    def _read(self) -> dict[str, Verdict]:
        """The verdicts kept; none when there is no file, or a damaged one."""
        try:
            kept = json.loads(self._file.read_text(encoding="utf-8")) if self._file else {}
            return {
                name: Verdict(kind, self._named[name].number, name, int(passed), int(total))
                for name, (kind, passed, total) in kept.items()
                if name in self._named and kind in KINDS
            }
        except (OSError, ValueError, TypeError, AttributeError):
            return {}


def _assigned(frame: FrameType | None) -> str | None:
    """The name on the left of `name = check(...)` in the line that called check."""
    caller = frame.f_back if frame else None
    line = linecache.getline(caller.f_code.co_filename, caller.f_lineno) if caller else ""
    found = re.match(r"\s*(\w+)\s*(?::[^=]+)?=\s*(?:\w+\.)*check\(", line)
    return found.group(1) if found else None
