"""What students call: check, hint, solution, progress."""

import dataclasses
from functools import partial
from pathlib import Path

import pytest
import torch

from helpers.exercises import Desk, Verdict
from tests.exercises.toys import EXERCISES, SCALED, noisy, scaled, step


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Desk:
    """The desk of a lecture `toy` with the toy exercises, and a folder for its verdicts."""
    monkeypatch.setenv("COURSE_WORK", str(tmp_path))
    return Desk("toy", EXERCISES)


def test_check_returns_the_students_function_or_the_reference(toy: Desk, capsys: pytest.CaptureFixture) -> None:
    def scaled(x, factor=2.0):
        if factor <= 0:
            raise ValueError
        return x * factor

    own = scaled
    assert toy.check(own) is own
    assert "✓ Exercise 1.1, scaled: passed (4 of 4)" in capsys.readouterr().out

    def scaled(x, factor=2.0):
        return x

    assert toy.check(scaled) is EXERCISES[0].reference
    assert "✗ Exercise 1.1, scaled: failed" in capsys.readouterr().out


def test_hints_come_one_by_one(toy: Desk, capsys: pytest.CaptureFixture) -> None:
    for function in (scaled, "scaled", scaled):
        toy.hint(function)
    text = capsys.readouterr().out
    assert text.index("Hint 1 of 2\nMultiply.") < text.index("Hint 2 of 2") < text.index("That was the last hint")


def test_solution_shows_the_source_and_why(toy: Desk, capsys: pytest.CaptureFixture) -> None:
    toy.solution("scaled")
    text = capsys.readouterr().out
    assert "def scaled(x: Tensor, factor: float = 2.0)" in text and "Because it scales." in text


def test_solution_shows_the_parts_that_lie_elsewhere(capsys: pytest.CaptureFixture) -> None:
    Desk("toy", (dataclasses.replace(EXERCISES[0], shows=(step,)),)).solution(EXERCISES[0].name)
    text = capsys.readouterr().out
    assert text.index(f"def {EXERCISES[0].name}(") < text.index("def step(")


def test_progress_survives_a_restart_of_the_kernel(toy: Desk, capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    toy.check(scaled)
    capsys.readouterr()
    for desk in (toy, Desk("toy", EXERCISES)):  # the second knows the file alone
        desk.progress()
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == "Exercises of the lecture toy: 1 of 3 passed" and len(lines) == 4
        assert "✓ passed (4 of 4)" in lines[1] and "○ not attempted" in lines[2]
    (kept,) = (tmp_path / ".progress").iterdir()
    for content in ("", "[]", '{"scaled": 3}', '{"gone": ["passed", 1, 1]}', '{"scaled": ["great", 1, 1]}'):
        kept.write_text(content)
        Desk("toy", EXERCISES).progress()
        assert "0 of 3 passed" in capsys.readouterr().out


def test_without_a_folder_nothing_is_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys) -> None:
    monkeypatch.delenv("COURSE_WORK", raising=False)
    monkeypatch.chdir(tmp_path)
    desk = Desk("toy", EXERCISES)
    desk.check(scaled)
    desk.progress()
    assert "1 of 3 passed" in capsys.readouterr().out and not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_stops_nothing(toy: Desk, tmp_path: Path, capsys) -> None:
    (tmp_path / ".progress").write_text("a file in its place")
    assert toy.check(scaled) is scaled
    toy.progress()
    assert "1 of 3 passed" in capsys.readouterr().out


@pytest.mark.parametrize("place", ["pathlib.Path.mkdir", "helpers.exercises._desk.write_atomically"])
def test_a_read_only_folder_stops_nothing(toy: Desk, monkeypatch: pytest.MonkeyPatch, capsys, place: str) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("read-only")  # chmod keeps no root out

    monkeypatch.setattr(place, refuse)
    assert toy.check(scaled) is scaled
    toy.progress()
    assert "1 of 3 passed" in capsys.readouterr().out


def test_two_kernels_keep_each_other_s_verdicts(toy: Desk, capsys) -> None:
    other = Desk("toy", EXERCISES)
    toy.check(scaled)
    other.check(noisy)
    toy.check(step)
    Desk("toy", EXERCISES).progress()
    assert "3 of 3 passed" in capsys.readouterr().out


def test_what_is_no_function_is_a_verdict_where_the_exercise_is_known(toy: Desk, capsys) -> None:
    scaled = toy.check(torch.ones(3))
    assert scaled is EXERCISES[0].reference
    assert "takes the function itself" in capsys.readouterr().out


def test_a_lambda_or_a_partial_is_known_by_the_name_it_is_given(toy: Desk, capsys) -> None:
    scaled = toy.check(lambda x, factor=2.0: x / factor)
    assert scaled is EXERCISES[0].reference
    scaled = toy.check(partial(lambda x, factor: x, factor=2.0))
    assert "Exercise 1.1, scaled: failed" in capsys.readouterr().out
    with pytest.raises(ValueError, match="which exercise"):
        toy.check(lambda x: x)


def test_two_exercises_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="must be unique"):
        Desk("toy", (SCALED, SCALED))


def test_an_unknown_name_gets_a_suggestion(toy: Desk) -> None:
    def scald(x):
        return x

    with pytest.raises(ValueError, match="no exercise of this lecture is called 'scald'; did you mean 'scaled'"):
        toy.check(scald)
    for odd in (5, None, "scaled", torch.nn.ReLU()):
        with pytest.raises(ValueError):
            toy.check(odd)


def test_a_verdict_shows_code_and_hides_no_markup() -> None:
    verdict = Verdict("failed", "1.1", "f", 0, 2, (("got", "a<b & `x[0]`\nnext"),), "the end")
    page = verdict._repr_html_()
    assert "a&lt;b &amp;" in page and ">x[0]</code>" in page and "<script" not in page and "0x" not in page
    assert repr(verdict) == "✗ Exercise 1.1, f: failed\n    got  a<b & `x[0]`\n         next\n    the end"
