"""Every exercise of every lecture: reference, stub, wrong answers, another right answer; and the drift guard."""

import ast
import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jupytext
import pytest
import torch

from helpers import exercises
from helpers.exercises import Desk, Exercise, examine

LECTURES = Path(__file__).parents[2] / "lectures" / "source"
WORDS = exercises.lectures()
ALL = [pytest.param(word, e, id=f"{e.number}-{e.name}") for word in WORDS for e in exercises.exercises(word)]
MISTAKES = [
    pytest.param(e, wrong, message, id=f"{e.number}-{e.name}-{k}")
    for word in WORDS
    for e in exercises.exercises(word)
    for k, (wrong, message) in enumerate(e.wrong_answers)
]
SOURCES = {path.stem.split("_", 1)[1]: path for path in sorted(LECTURES.glob("[0-9][0-9]_*.md"))}


def desk_of(word: str) -> Desk:
    """The desk of a lecture."""
    return importlib.import_module(f"helpers.{word}.exercises").desk


def named(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """The function, which may be a lambda, under another name."""
    function.__name__ = name
    return function


def stub_of(exercise: Exercise) -> Callable[..., Any]:
    """The exercise as a student finds it."""

    def stub(*args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    return named(stub, exercise.name)


@pytest.mark.parametrize(("word", "exercise"), ALL)
def test_the_reference_passes(word: str, exercise: Exercise) -> None:
    for _ in range(5):
        verdict = examine(exercise.reference, exercise)
        assert verdict.kind == "passed", verdict


@pytest.mark.parametrize(("word", "exercise"), ALL)
def test_the_stub_is_not_attempted_and_the_lecture_goes_on(word: str, exercise: Exercise, capsys: Any) -> None:
    desk = desk_of(word)
    assert desk.check(stub_of(exercise)) is exercise.reference
    first = capsys.readouterr().out
    desk.check(stub_of(exercise))
    assert "not attempted" in first and capsys.readouterr().out == first
    assert desk.find(exercise.name) is exercise and desk.lecture == word


@pytest.mark.parametrize(("word", "exercise"), ALL)
def test_it_is_declared_in_full(word: str, exercise: Exercise) -> None:
    assert len(exercise.checks) >= 2 and len(exercise.hints) >= 2 and exercise.why
    assert len(exercise.mistakes) >= 3
    messages = [message for message, *_ in exercise.mistakes]
    assert len(set(messages)) == len(messages)
    assert inspect.getsource(exercise.reference)


@pytest.mark.parametrize(("exercise", "wrong", "message"), MISTAKES)
def test_a_wrong_answer_is_refused_with_its_own_message(exercise: Exercise, wrong: Any, message: str) -> None:
    """Refused on any input, explained on nearly any: two mistakes can do the same on one draw.

    That the result is always the same is said first, if it is.
    """
    verdicts = [examine(wrong, exercise)]
    while len(verdicts) < 3 and not verdicts[-1].row("usually means").endswith(message):
        verdicts.append(examine(wrong, exercise))
    assert all(verdict.kind in ("failed", "raised") for verdict in verdicts), verdicts
    assert verdicts[-1].row("usually means").endswith(message), verdicts[-1]


@pytest.mark.parametrize(("word", "exercise"), ALL)
def test_a_right_answer_in_another_style_passes(word: str, exercise: Exercise) -> None:
    styles = importlib.import_module(f"tests.{word}.styles")
    style = getattr(styles, exercise.name)
    assert inspect.getsource(style) != inspect.getsource(exercise.reference)
    assert style.__module__ == styles.__name__, f"write another style of {exercise.name} in {styles.__name__}"
    for _ in range(2):
        verdict = examine(style, exercise)
        assert verdict.kind == "passed", verdict


def test_numbers_are_unique_in_the_course_and_name_their_lecture() -> None:
    numbers = [e.number for word in WORDS for e in exercises.exercises(word)]
    assert len(set(numbers)) == len(numbers)
    for word in set(WORDS) & set(SOURCES):
        assert {int(e.number.split(".")[0]) for e in exercises.exercises(word)} == {int(SOURCES[word].stem[:2])}


# -------------------------------------------------------------------------------------------------------- drift guard


def code_cells(word: str) -> list[tuple[str, list[str]]]:
    """The code cells of a lecture's text, as (source, tags)."""
    notebook = jupytext.read(SOURCES[word])
    return [(cell.source, cell.metadata.get("tags", [])) for cell in notebook.cells if cell.cell_type == "code"]


def checked(source: str) -> str | None:
    """The name in a cell's `name = check(name)`."""
    found = re.search(r"^(\w+) = (?:\w+\.)*check\(\1\)", source, re.MULTILINE)
    return found.group(1) if found else None


def stubs(word: str) -> dict[str, ast.FunctionDef]:
    """The functions that a lecture has checked, by name."""
    found = {}
    for source, _ in code_cells(word):
        name = checked(source)
        if name:
            defined = [n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef) and n.name == name]
            assert len(defined) == 1, f"the cell of {name} must define it, once"
            assert name not in found, f"{name} is checked twice"
            found[name] = defined[0]
    return found


def parameters(function: Callable[..., Any]) -> list[tuple[str, Any, Any]]:
    """The parameters of a function: name, default, kind."""
    return [(p.name, p.default, p.kind) for p in inspect.signature(function).parameters.values()]


def made(stub: ast.FunctionDef, like: Callable[..., Any]) -> Callable[..., Any]:
    """The function that a stub defines, its defaults read as in the module of another function."""
    for argument in ast.walk(stub.args):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    stub.returns, space = None, dict(vars(inspect.getmodule(like)))  # type: ignore[arg-type]
    exec(compile(ast.Module([stub], []), "stub", "exec"), space)
    return space[stub.name]


@pytest.mark.parametrize("word", SOURCES)
def test_every_stub_has_its_exercise_and_every_exercise_its_stub(word: str) -> None:
    declared = {e.name: e for e in exercises.exercises(word)} if word in WORDS else {}
    found = stubs(word)
    assert list(found) == list(declared), "in the lecture (left) and in the declaration (right), in this order"
    for name, stub in found.items():
        reference = declared[name].reference
        assert parameters(made(stub, reference)) == parameters(reference), name
        assert f"Exercise {declared[name].number} ({declared[name].minutes} min)" in (ast.get_docstring(stub) or "")


@pytest.fixture
def settings_kept() -> Iterator[None]:
    """What a set-up cell turns is turned back."""
    kept = torch.get_default_dtype(), torch.get_rng_state(), list(sys.path)
    yield
    torch.set_default_dtype(kept[0])
    torch.set_rng_state(kept[1])
    sys.path[:] = kept[2]


@pytest.mark.parametrize("word", SOURCES)
def test_set_up_and_solved_exercises_alone_run(word: str, capsys: Any, settings_kept: None) -> None:
    cells = code_cells(word)
    space: dict[str, Any] = {"__name__": "__main__"}
    for k, (source, tags) in enumerate(cells):
        name = checked(source)
        if not (k == 0 or "setup" in tags or name):
            continue
        tree = ast.parse(re.sub(r"^[%!].*$", "", source, flags=re.MULTILINE))
        if name:
            space[name] = desk_of(word).find(name).reference
            tree.body = [n for n in tree.body if not (isinstance(n, ast.FunctionDef) and n.name == name)]
        capsys.readouterr()
        exec(compile(tree, f"{word}, code cell {k + 1}", "exec"), space)
        if name:
            assert "passed" in capsys.readouterr().out
