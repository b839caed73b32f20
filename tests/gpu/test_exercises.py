"""Every exercise on a pretended GPU: its reference passes there."""

from typing import Any

import pytest

from helpers import exercises
from helpers.exercises import examine
from tools import pretend_gpu

ALL = [pytest.param(e, id=f"{e.number}-{e.name}") for word in exercises.lectures() for e in exercises.exercises(word)]


@pytest.mark.parametrize("exercise", ALL)
def test_the_reference_passes(exercise: Any) -> None:
    with pretend_gpu.on():
        verdict = examine(exercise.reference, exercise)
    assert verdict.kind == "passed", verdict
