"""Which lectures have exercises, for tests and tools; a lecture itself asks its own desk."""

import importlib
from pathlib import Path

from helpers.exercises._exercise import Exercise

HELPERS = Path(__file__).resolve().parents[1]


def lectures() -> list[str]:
    """The words of the lectures that have exercises."""
    return sorted(path.parent.parent.name for path in HELPERS.glob("*/exercises/__init__.py"))


def exercises(lecture: str) -> tuple[Exercise, ...]:
    """The exercises of a lecture. Raises ValueError if there is no lecture of that name."""
    if lecture not in lectures():
        raise ValueError(f"lecture must be one of {', '.join(lectures())}, got {lecture!r}")
    return importlib.import_module(f"helpers.{lecture}.exercises").EXERCISES
