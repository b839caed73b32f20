"""Finds an exercise by its name; a lecture's exercises are imported when one of them is asked for."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from helpers.exercises._checks import Exercise

PACKAGE = "helpers.exercises"


def lectures() -> list[str]:
    """The words of the lectures that have exercises."""
    path = sys.modules[PACKAGE].__path__
    return [module.name for module in pkgutil.iter_modules(path) if not module.name.startswith("_")]


def exercises(lecture: str) -> tuple[Exercise, ...]:
    """The exercises of a lecture. Raises ValueError if there is no lecture of that name."""
    if lecture not in lectures():
        raise ValueError(f"lecture must be one of {', '.join(lectures())}, got {lecture!r}")
    return importlib.import_module(f"{PACKAGE}.{lecture}").EXERCISES


def find(function: Callable[..., Any] | str) -> tuple[str, Exercise]:
    """The lecture and the exercise of a function or of its name. Raises ValueError if there is none."""
    name = function if isinstance(function, str) else getattr(function, "__name__", None)
    if not isinstance(name, str) or not (callable(function) or isinstance(function, str)):
        raise ValueError(f"expected a function with a name, as made by `def`, got {function!r}")
    for lecture in lectures():
        if _mentions(lecture, name):
            for exercise in exercises(lecture):
                if exercise.name == name:
                    return lecture, exercise
    known = [exercise.name for lecture in lectures() for exercise in exercises(lecture)]
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    raise ValueError(f"no exercise is called {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))


def _mentions(lecture: str, name: str) -> bool:
    """Whether the name stands in the lecture's list: spares the import of the other lectures."""
    for folder in sys.modules[PACKAGE].__path__:
        path = Path(folder) / f"{lecture}.py"
        if path.exists():
            return re.search(rf"\b{re.escape(name)}\b", path.read_text(encoding="utf-8")) is not None
    return True
