"""Every exercise of the course for the tests, and which lectures do not yet meet a rule: those lists end empty."""

from collections.abc import Collection
from typing import Any

import pytest

from helpers import exercises

WORDS = exercises.lectures()
WITHOUT_MEANINGS: set[str] = set()  # a check says nothing when no mistake fits
WITHOUT_STYLES: set[str] = set()  # fewer than three right answers in tests/<word>/styles*.py
WITH_SYMBOLS: set[str] = set()  # a hint sets mathematics as code
WITH_SURVIVORS: set[str] = set()  # a mutant passes that tests/<word>/equivalent.py has not


def everywhere(but: Collection[str] = ()) -> list[Any]:
    """(word, exercise) of every exercise, to parametrize a test with; those lectures may fail it yet."""
    yet = pytest.mark.xfail(strict=False, reason="tests/exercises/standing.py: not yet")
    return [
        pytest.param(word, e, id=f"{e.number}-{e.name}", marks=[yet] if word in but else [])
        for word in WORDS
        for e in exercises.exercises(word)
    ]
