"""On the pretended GPU (`pytest --gpu`): every exercise's reference passes its checks there."""

import pytest

from helpers import exercises
from helpers.exercises import Exercise, examine

ALL = [pytest.param(e, id=f"{e.number}-{e.name}") for word in exercises.lectures() for e in exercises.exercises(word)]


@pytest.mark.parametrize("exercise", ALL)
def test_the_reference_passes(exercise: Exercise) -> None:
    verdict = examine(exercise.reference, exercise)
    assert verdict.kind == "passed", verdict
