"""Every exercise of every lecture: reference, stub, wrong answers, another right answer; and the drift guard."""

import ast
import importlib
import inspect
import pkgutil
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jupytext
import pytest
import torch

from helpers import exercises
from helpers.exercises import Desk, Exercise, examine
from tests.exercises.standing import WITH_SYMBOLS, WITHOUT_MEANINGS, WITHOUT_STYLES, WORDS, everywhere

TESTS = Path(__file__).parents[1]
LECTURES = TESTS.parent / "lectures" / "source"
ALL = everywhere()
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

    That the result is always the same is said first, if it is. A name that is not defined is no mistake of a student's.
    """
    verdicts = [examine(wrong, exercise)]
    while len(verdicts) < 3 and not verdicts[-1].row("usually means").endswith(message):
        verdicts.append(examine(wrong, exercise))
    assert all(verdict.kind in ("failed", "raised") for verdict in verdicts), verdicts
    assert "NameError" not in str(verdicts[-1]), verdicts[-1]
    assert verdicts[-1].row("usually means").endswith(message), verdicts[-1]


def styles_of(word: str, exercise: Exercise) -> list[Callable[..., Any]]:
    """The right answers of tests/<word>/styles*.py: `<exercise>`, `<exercise>_2`, `<exercise>_3`, and so on."""
    found = []
    for path in sorted((TESTS / word).glob("styles*.py")):
        module = importlib.import_module(f"tests.{word}.{path.stem}")
        right = [f for name, f in vars(module).items() if re.fullmatch(rf"{exercise.name}(_\d+)?", name)]
        found += [f for f in right if f.__module__ == module.__name__]
    return found


@pytest.mark.parametrize(("word", "exercise"), ALL)
def test_right_answers_in_other_styles_pass(word: str, exercise: Exercise) -> None:
    styles = styles_of(word, exercise)
    assert styles, f"write right answers of {exercise.name} in tests/{word}/styles*.py"
    for style in styles:
        assert inspect.getsource(style) != inspect.getsource(exercise.reference)
        for _ in range(3):
            verdict = examine(style, exercise)
            assert verdict.kind == "passed", (style.__name__, verdict)


@pytest.mark.parametrize(("word", "exercise"), everywhere(but=WITHOUT_STYLES))
def test_three_styles_at_least_are_tried(word: str, exercise: Exercise) -> None:
    assert len(styles_of(word, exercise)) >= 3


@pytest.mark.parametrize(("word", "exercise"), everywhere(but=WITHOUT_MEANINGS))
def test_every_check_says_what_it_means(word: str, exercise: Exercise) -> None:
    silent = [check.property for check in exercise.checks if not check.meaning.strip()]
    assert not silent, "numbers only is no verdict"


@pytest.mark.parametrize(("word", "exercise"), everywhere(but=WITH_SYMBOLS))
def test_the_code_of_a_hint_can_be_typed(word: str, exercise: Exercise) -> None:
    """Each piece in backticks parses: as it stands, or as a part of a line that does."""
    frames = ("{}", "x{}", "x {} y", "f({})", "x[{}]", "{}: pass", "def {}: pass", "@f\n{}: pass")
    for text in (*exercise.hints, exercise.why):
        for piece in re.findall(r"`([^`]+)`", text):
            trees = [tree for tree in (parsed(frame.format(piece)) for frame in frames) if tree]
            assert trees, f"{piece!r} does not parse"
            for name in dotted(trees[0]):
                assert resolves(name), f"{name} of {piece!r} does not exist"


def parsed(source: str) -> ast.AST | None:
    """The tree of a source; None if it does not parse."""
    try:
        return ast.parse(textwrap.dedent(source))
    except SyntaxError:
        return None


def dotted(tree: ast.AST) -> Iterator[str]:
    """The names `torch.a.b` that stand in a tree, and those of the math, NumPy and SciPy modules."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            name = ast.unparse(node)
            if re.fullmatch(r"(torch|math|scipy|np|F)(\.\w+)+", name):
                yield name.replace("np.", "numpy.", 1).replace("F.", "torch.nn.functional.", 1)


def resolves(name: str) -> bool:
    """Whether a dotted name is there."""
    try:
        pkgutil.resolve_name(name)
    except (ImportError, AttributeError):
        return False
    return True


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
