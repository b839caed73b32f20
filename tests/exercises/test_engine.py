"""The exercises engine against everything that a student's function can do."""

import _thread
import builtins
import random
import signal
import sys
import threading
import time
import types
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from helpers.exercises import Desk, Draw, Exercise, Verdict, Wrong, agree, examine, holds, require, same
from tests.exercises.toys import EXERCISES, GRADIENTS, NOISY, SCALED, STEP, State, noisy, scaled, step

FAST = replace(SCALED, checks=tuple(replace(check, seconds=0.3) for check in SCALED.checks))


def refused(function, *words: str, exercise: Exercise = SCALED, kind: str = "failed") -> Verdict:
    """The verdict on a function, which must be of this kind and contain these words."""
    verdict = examine(function, exercise)
    assert verdict.kind == kind, verdict
    for word in words:
        assert word in repr(verdict), verdict
    return verdict


# ------------------------------------------------------------------------------------------------------ four verdicts


def test_the_reference_passes_with_every_property_listed() -> None:
    verdict = examine(scaled, SCALED)
    assert verdict.kind == "passed" and verdict.words == "passed (4 of 4)"
    for check in SCALED.checks:
        assert check.property in repr(verdict) and check.property in verdict._repr_html_()
    assert "the course's own" in repr(verdict)


def test_another_style_passes() -> None:
    def scaled(x, factor=2.0, *, unused=None):
        if factor <= 0:
            raise ValueError("no")
        return torch.stack([factor * v for v in x.unbind(-1)], -1)

    assert examine(scaled, SCALED).kind == "passed"


def test_a_stub_is_not_attempted_and_prints_the_same_every_time() -> None:
    def scaled(x, factor=2.0):
        """Exercise 1.1 (10 min)."""
        raise NotImplementedError

    verdicts = [examine(scaled, SCALED) for _ in range(2)]
    assert verdicts[0].kind == "not attempted"
    assert repr(verdicts[0]) == repr(verdicts[1]) and verdicts[0]._repr_html_() == verdicts[1]._repr_html_()


def test_a_not_implemented_error_of_torch_is_an_error() -> None:
    def scaled(x, factor=2.0):
        return x.to("meta").to("cpu")  # of every version of torch

    refused(scaled, "NotImplementedError", "meta", kind="raised")


def test_the_unchanged_flaw_is_not_attempted() -> None:
    def flawed(x, factor=2.0):
        """The flaw."""
        return factor * x.abs()

    def scaled(x, factor=2.0):
        """Exercise: repair it."""
        return factor * x.abs()

    assert examine(scaled, replace(SCALED, given=flawed)).kind == "not attempted"
    assert examine(scaled, SCALED).kind == "failed"


def test_a_raised_error_names_the_students_line() -> None:
    def scaled(x, factor=2.0):
        y = factor * x
        return y.square_root()

    verdict = refused(scaled, "AttributeError", "on", kind="raised")
    line = scaled.__code__.co_firstlineno + 2
    assert verdict.row("your line") == f"line {line}: `return y.square_root()`"


def test_the_line_of_an_error_inside_a_library_is_the_students() -> None:
    def scaled(x, factor=2.0):
        return torch.nn.functional.softmax(x, dim=9)  # raised by a line of torch.nn.functional

    verdict = refused(scaled, "IndexError", kind="raised")
    assert "torch.nn.functional.softmax(x, dim=9)" in verdict.row("your line")


def test_the_line_of_an_error_inside_a_callback_is_the_students() -> None:
    def step(f, x):
        y = f(x.double(), 3)
        return State(y, 0.0)

    verdict = refused(step, "TypeError", exercise=STEP, kind="raised")
    assert verdict.row("your line").endswith("`y = f(x.double(), 3)`")


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt(), GeneratorExit(), MemoryError("full")])
def test_any_exception_is_a_verdict(error: BaseException) -> None:
    def scaled(x, factor=2.0):
        raise error

    refused(scaled, type(error).__name__, "raise error", kind="raised")


def test_recursion_without_end_is_a_verdict() -> None:
    def scaled(x, factor=2.0):
        return scaled(x, factor)

    limit = sys.getrecursionlimit()
    refused(scaled, "RecursionError", "return scaled(x, factor)", kind="raised")

    def deeper(x, factor=2.0):
        sys.setrecursionlimit(5000)
        return deeper(x, factor)

    refused(deeper, "RecursionError", kind="raised")
    assert sys.getrecursionlimit() == limit


def test_input_exit_and_debugger_do_not_stop_the_lecture(monkeypatch: pytest.MonkeyPatch) -> None:
    left = []
    shell = types.SimpleNamespace(ask_exit=lambda: left.append("the kernel"))
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    before = builtins.input, sys.breakpointhook, shell.ask_exit

    def asks(x, factor=2.0):
        return float(input("x? "))

    def leaves(x, factor=2.0):
        shell.ask_exit()  # what `exit()` does in a notebook

    def debugs(x, factor=2.0):
        breakpoint()
        return -factor * x

    refused(asks, "EOFError", 'return float(input("x? "))', kind="raised")
    refused(leaves, "SystemExit", kind="raised")
    refused(debugs, "The sign is wrong.")
    assert not left and before == (builtins.input, sys.breakpointhook, shell.ask_exit)


# ---------------------------------------------------------------------------------------------------------- time limit


def test_an_endless_loop_is_stopped_and_its_line_is_told() -> None:
    def scaled(x, factor=2.0):
        while True:
            x = x + 0

    before, start = threading.active_count(), time.monotonic()
    verdict = refused(scaled, "an answer within 0.3 s", exercise=FAST)
    assert time.monotonic() - start < 3 and "none; it was at line" in verdict.row("got")
    assert threading.active_count() == before


def test_a_loop_that_swallows_every_exception_is_stopped() -> None:
    def scaled(x, factor=2.0):
        for _ in range(5):
            try:
                while True:
                    x = x + 0
            except BaseException:
                pass

    before = threading.active_count()
    verdict = refused(scaled, "an answer within", exercise=FAST)
    assert "restart the kernel" not in repr(verdict) and threading.active_count() == before


def test_a_sleeping_call_is_left_behind() -> None:
    def scaled(x, factor=2.0):
        time.sleep(3)
        return factor * x

    start = time.monotonic()
    refused(scaled, "an answer within 0.3 s", "time.sleep(3)", "restart the kernel", exercise=FAST)
    assert time.monotonic() - start < 2.5


def test_the_stop_button_stops_the_check() -> None:
    def scaled(x, factor=2.0):
        while True:
            pass

    out, before = sys.stdout, set(threading.enumerate())
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore the signal
    try:
        with pytest.raises(KeyboardInterrupt):
            threading.Timer(0.2, _thread.interrupt_main).start()
            examine(scaled, SCALED)
    finally:
        signal.signal(signal.SIGINT, handler)
    assert sys.stdout is out and not any(t.is_alive() for t in set(threading.enumerate()) - before)


# ------------------------------------------------------------------------------------------- prints, arguments, state


def test_prints_are_caught_and_told(capsys: pytest.CaptureFixture) -> None:
    def scaled(x, factor=2.0):
        for k in range(100):
            print("line", k)
        print("oops", file=sys.stderr)
        return -factor * x

    verdict = refused(scaled, "The sign is wrong.")
    assert verdict.row("it printed") == "line 0\nline 1\nline 2\n..."
    assert capsys.readouterr() == ("", "")


def test_prints_of_other_threads_pass_through(capsys: pytest.CaptureFixture) -> None:
    def scaled(x, factor=2.0):
        other = threading.Thread(target=lambda: print("from elsewhere"))
        other.start()
        other.join()
        return -factor * x

    refused(scaled)
    assert "from elsewhere" in capsys.readouterr().out


def test_a_changed_argument_is_named() -> None:
    def scaled(x, factor=2.0):
        x *= factor
        return x

    refused(scaled, "the argument x left as it is", "x changed from tensor(", "in-place")


def test_a_switched_requires_grad_is_named() -> None:
    def scaled(x, factor=2.0):
        x.requires_grad = True
        return (factor * x).detach()

    refused(scaled, "requires_grad of x switched", "x.detach().clone().requires_grad_()")


def test_a_change_inside_a_property_is_named() -> None:
    def scaled(x, factor=2.0):
        return x.mul_(factor)

    refused(scaled, "the argument x left as it is", exercise=replace(SCALED, checks=SCALED.checks[2:3]))


def test_a_changed_module_list_and_array_are_named() -> None:
    def through(model, values, array):
        return model(torch.ones(2)).sum().detach() + values[0] + float(array[0])

    ex = replace(
        STEP,
        reference=through,
        checks=(same("sums", lambda draw: (torch.nn.Linear(2, 2), [1.0, 2.0], np.ones(3))),),
        mistakes=(),
    )

    def trains(model, values, array):
        with torch.no_grad():
            model.weight += 1
        return through(model, values, array)

    def pops(model, values, array):
        values.append(3.0)
        return through(model, values, array)

    def writes(model, values, array):
        array[0] = 1.5
        return through(model, values, array)

    assert examine(through, ex).kind == "passed"
    for function, name in ((trains, "model"), (pops, "values"), (writes, "array")):
        refused(function, f"the argument {name} left as it is", exercise=ex)


def test_the_state_of_the_lecture_is_kept() -> None:
    def scaled(x, factor=2.0):
        random.seed(1)
        np.random.seed(1)
        torch.manual_seed(1)
        torch.rand(3)
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        torch.set_num_threads(3)
        torch.use_deterministic_algorithms(True)
        return factor * x

    generators = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    out = sys.stdout
    threads = torch.get_num_threads()
    examine(scaled, SCALED)
    assert generators == (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())
    assert torch.get_default_dtype() == torch.float32 and torch.is_grad_enabled() and torch.get_num_threads() == threads
    assert not torch.are_deterministic_algorithms_enabled() and sys.stdout is out


def test_inputs_are_fresh_even_when_the_global_generator_is_seeded() -> None:
    seen = []

    def scaled(x, factor=2.0):
        seen.append(x)
        return -x

    for _ in range(2):
        torch.manual_seed(0)
        examine(scaled, SCALED)
    assert not torch.equal(seen[0], seen[1])


# ------------------------------------------------------------------------------------------------- wrong kinds of value


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda x, factor=2.0: None, ["None", "is there a `return` at the end?"]),
        (lambda x, factor=2.0: (factor * x).tolist(), ["a tensor of shape (7,)", "a list of 7"]),
        (lambda x, factor=2.0: (factor * x).numpy(), ["a NumPy array of shape (7,)"]),
        (
            lambda x, factor=2.0: (factor * x).double(),
            ["torch.float64", "values are right, but the dtype is another"],
        ),
        (lambda x, factor=2.0: x.double(), ["dtype torch.float64", "Here the dtype is another"]),
        (lambda x, factor=2.0: (factor * x)[:, None], ["(7, 1)", "values are right, but the shape is another"]),
        (lambda x, factor=2.0: factor * x.mean(), ["shape ()", "Here the shape is another"]),
        (lambda x, factor=2.0: factor * x[:1], ["shape (1,)"]),
        (lambda x, factor=2.0: 3 * factor * x, ["3 times what is expected"]),
        (lambda x, factor=2.0: factor * x + 1, ["off by the same 1"]),
        (lambda x, factor=2.0: factor * x / (x > x.median()), ["inf"]),
        (lambda x, factor=2.0: (factor * x).where(x > x.median(), torch.nan), ["NaN in 4 of 7 entries"]),
        (lambda x, factor=2.0: (factor * x).requires_grad_(), ["return it detached"]),
        (lambda x, factor=2.0: (factor * x, 0), ["a tuple of 2"]),
    ],
)
def test_wrong_values_are_told_apart(answer, words: list[str]) -> None:
    refused(answer, *words)


def test_a_detached_result_is_told() -> None:
    assert examine(scaled, GRADIENTS).kind == "passed"
    refused(lambda x, factor=2.0: (factor * x).detach(), "cut off from the graph", exercise=GRADIENTS)
    refused(lambda x, factor=2.0: torch.tensor(x.tolist()) * factor, "cut off from the graph", exercise=GRADIENTS)


def test_a_flipped_sign_is_told() -> None:
    refused(lambda x, factor=2.0: -factor * x, "The sign is flipped.", exercise=GRADIENTS)


def test_one_wrong_entry_of_many_is_located() -> None:
    def scaled(x, factor=2.0):
        y = factor * x
        if y.ndim == 3:
            y[1, 2, 3] += 100
        return y

    refused(scaled, "at [1, 2, 3] of a tensor of shape (2, 3, 5)", "1 of 30 entries differ")


def test_named_tuples_and_floats_are_compared() -> None:
    def tuple_(f, x):
        return tuple(step(f, x))

    def item(f, x):
        return step(f, x)._replace(height=torch.tensor(step(f, x).height))

    def higher(f, x):
        return step(f, x)._replace(height=step(f, x).height + 0.1)

    assert examine(step, STEP).kind == "passed"
    refused(tuple_, "a State(x, height)", "a tuple of 2", exercise=STEP)
    refused(item, "result.height", "`.item()`", exercise=STEP)
    refused(higher, "result.height", exercise=STEP)
    refused(lambda f, x: State(x, f(x).sum().item()), "It stays where it is.", exercise=STEP)


@pytest.mark.parametrize(
    "function",
    [
        lambda y, factor=2.0: factor * y,
        lambda factor, x=2.0: factor * x,
        lambda x, factor: factor * x,
        lambda x: 2 * x,
        lambda x, extra=1, factor=2.0: factor * x,
        lambda x, *, factor=2.0: factor * x,
        lambda x, factor=2.0, *, more: x,
    ],
)
def test_another_signature_is_told(function) -> None:
    refused(function, "scaled(x, factor=2.0)", "parameters")


# ------------------------------------------------------------------------------------------------- mistakes, properties


def test_the_mistake_that_fits_is_told() -> None:
    for wrong, message in SCALED.wrong_answers:
        assert refused(wrong).row("usually means") == message


def test_a_raised_error_that_a_mistake_shares_is_explained() -> None:
    ex = replace(SCALED, mistakes=((lambda x, factor=2.0: x.T @ x[None], "Do not transpose."),))
    refused(lambda x, factor=2.0: x.T @ x[None], "Do not transpose.", exercise=ex, kind="raised")


def test_a_wrong_error_class_is_an_error() -> None:
    def scaled(x, factor=2.0):
        if factor <= 0:
            raise TypeError("bad factor")
        return factor * x

    refused(scaled, "TypeError: bad factor", kind="raised")


def test_a_generator_is_the_same_for_all() -> None:
    assert examine(lambda x, generator: noisy(x, generator), NOISY).kind == "passed"
    refused(NOISY.wrong_answers[0][0], "The generator is not used.", exercise=NOISY)


def test_a_property_tells_what_it_saw() -> None:
    def law(f, draw):
        x = draw.normal(3)
        raise Wrong(expected="peace", got=f(x), on="the moon", meaning="It happens.")

    ex = replace(SCALED, checks=(holds("is law", law),), mistakes=())
    verdict = refused(scaled, "peace", "the moon", "It happens.", exercise=ex)
    assert verdict.row("should hold") == "is law" and verdict.row("got").startswith("tensor(")


@pytest.mark.parametrize(
    "law", [lambda f, draw: f(draw.normal(4)) > 99, lambda f, draw: require(False, expected="x"), lambda f, draw: False]
)
def test_a_property_can_fail_in_short(law) -> None:
    verdict = refused(
        scaled, "a hint", exercise=replace(SCALED, checks=(holds("a law", law, meaning="a hint"),), mistakes=())
    )
    assert verdict.row("should hold") == "a law"


def test_a_property_that_breaks_on_an_odd_result_is_a_failure() -> None:
    def law(f, draw):
        return {}["missing"]

    refused(scaled, "cannot go on", exercise=replace(SCALED, checks=(holds("a law", law),)))


def test_a_property_can_differentiate_and_vmap() -> None:
    def law(f, draw):
        x = draw.normal(4)
        agree(torch.func.vmap(torch.func.grad(f))(x), torch.full((4,), 2.0))
        agree(torch.func.jacrev(f)(x), 2 * torch.eye(4))
        leaf = x.clone().requires_grad_()
        agree(torch.autograd.grad(f(leaf).sum(), leaf)[0], torch.full((4,), 2.0))

    assert examine(scaled, replace(SCALED, checks=(holds("a law", law),))).kind == "passed"
    refused(lambda x, factor=2.0: factor * x**2, exercise=replace(SCALED, checks=(holds("a law", law),)))


def test_a_property_holds_the_result_against_the_reference() -> None:
    law = holds("is positive", lambda f, draw: f(draw.uniform(4)) >= 0)
    refused(lambda x, factor=2.0: None, "a tensor of shape (4,)", "None", exercise=replace(SCALED, checks=(law,)))


# ------------------------------------------------------------------------------------------------- inputs, declarations


def test_draw_keeps_its_promises() -> None:
    draw, again = Draw(seed=3), Draw(seed=3)
    p = draw.probabilities(5, 4)
    assert torch.equal(p, again.probabilities(5, 4)) and p.shape == (5, 4)
    assert (p > 0).all() and torch.allclose(p.sum(-1), torch.ones(5))
    assert draw.normal(2, 3).dtype == torch.float32 and draw.uniform(9, low=2, high=3).min() >= 2
    assert set(draw.signs(99).tolist()) == {-1.0, 1.0} and set(draw.integers(2, 4, 99).tolist()) == {2, 3}
    assert 1 <= draw.number(1, 2) < 2 and draw.choice("a") == "a" and draw.normal().ndim == 0
    assert Draw(dtype=torch.float64).normal(2).dtype == torch.float64 and Draw().seed != Draw().seed


def test_a_declaration_is_checked() -> None:
    with pytest.raises(ValueError, match="number must read like"):
        replace(SCALED, number="one")
    with pytest.raises(ValueError, match="hints of exercise 1.1 must be a tuple"):
        replace(SCALED, hints="Multiply.")


# ------------------------------------------------------------------------------------- check, hint, solution, progress


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


def test_a_lambda_or_a_partial_is_known_by_the_name_it_is_given(toy: Desk, capsys) -> None:
    scaled = toy.check(lambda x, factor=2.0: x / factor)
    assert scaled is EXERCISES[0].reference
    scaled = toy.check(partial(lambda x, factor: x, factor=2.0))
    assert "Exercise 1.1, scaled: failed" in capsys.readouterr().out
    with pytest.raises(ValueError, match="no exercise of this lecture is called '<lambda>'"):
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
