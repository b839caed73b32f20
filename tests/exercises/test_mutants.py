"""No single edit of a reference gets past the checks, but for those that change nothing."""

import pytest

from helpers.exercises import Exercise, examine
from tests.exercises.standing import WITH_SURVIVORS, everywhere
from tools.mutants import equivalent, tried


@pytest.mark.parametrize(("word", "exercise"), everywhere(but=WITH_SURVIVORS))
def test_every_mutant_is_refused_or_listed_as_equivalent(word: str, exercise: Exercise) -> None:
    """Once each, so a mutant that passes now and then may slip through here: `make mutants` tries each twenty times."""
    made, listed = {mutant.edit: mutant.function for mutant in tried(exercise)}, equivalent(word, exercise.name)
    assert not set(listed) - set(made), "listed, but no longer a mutant"
    passed = {edit for edit, function in made.items() if examine(function, exercise).kind == "passed"}
    assert not passed - set(listed), "passes"
    assert not set(listed) - passed, "listed as equivalent, but refused"
