"""Four verdicts: not attempted, passed, failed, raised; whatever the function raises, in whatever style."""

import builtins
import sys
import types
from dataclasses import replace
from functools import partial

import pytest
import torch

from helpers.exercises import examine
from tests.exercises.toys import SCALED, STEP, State, refused, scaled


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


@pytest.mark.parametrize(
    ("function", "meaning"),
    [
        (lambda y, factor=2.0: factor * y, "`y` stands where the lecture passes `x`: keep the names."),
        (lambda factor, x=2.0: factor * x, "The parameters stand in another order."),
        (lambda x, factor: factor * x, "`factor` lost its default: `factor=2.0`."),
        (lambda x: 2 * x, "`factor` is missing: the lecture passes it."),
        (lambda x, extra=1, factor=2.0: factor * x, "The parameters stand in another order."),
        (lambda x, *, factor=2.0: factor * x, "`factor` stands behind a `*`"),
        (lambda x, factor=2.0, *, more: x, "`more` is no parameter of the exercise and has no default"),
        (lambda *x: x, "`factor` is missing"),
    ],
)
def test_another_signature_is_told(function, meaning: str) -> None:
    verdict = refused(function, "scaled(x, factor=2.0)", "has the parameters")
    assert meaning in verdict.row("usually means")


def test_what_can_be_called_passes_and_what_cannot_is_told() -> None:
    class Scaler:
        def __call__(self, x, factor=2.0):
            return scaled(x, factor)

        def method(self, x, factor=2.0):
            return scaled(x, factor)

    class Stub:
        def __call__(self, x, factor=2.0):
            raise NotImplementedError

    for function in (
        Scaler(),
        Scaler().method,
        partial(scaled),
        lambda *a, **k: scaled(*a, **k),
        torch.jit.ignore(scaled),
    ):
        assert examine(function, SCALED).kind == "passed"
    assert examine(Stub(), SCALED).kind == "not attempted"
    refused(Scaler, "the parameters", exercise=SCALED)
    refused(torch.ones(3), "a function", "a tensor of shape (3,)", "takes the function itself")
    refused(partial(lambda x, factor=2.0: x.no()), "x.no()", kind="raised")
