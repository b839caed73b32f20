"""What a function prints, changes and turns: told, and put back."""

import gc
import io
import os
import random
import sys
import threading
import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch

from helpers.exercises import _sandbox, examine, same
from tests.exercises.toys import SCALED, STEP, refused


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


def test_what_the_lecture_has_set_is_kept() -> None:
    def scaled(x, factor=2.0):
        torch.use_deterministic_algorithms(False)
        torch.autograd.set_detect_anomaly(True)
        torch.set_printoptions(precision=9, profile="full")
        torch.set_float32_matmul_precision("high")
        os.chdir("/")
        return factor * x

    def state() -> tuple:
        return (
            torch.is_deterministic_algorithms_warn_only_enabled(), torch.is_anomaly_enabled(), str(torch.ones(2) / 3),
            torch.get_float32_matmul_precision(), os.getcwd(),
        )  # fmt: skip

    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.set_printoptions(precision=2, sci_mode=False)
    try:
        before = state()
        examine(scaled, SCALED)
        assert state() == before and before[0] and before[2] == "tensor([0.33, 0.33])"
    finally:
        torch.use_deterministic_algorithms(False)
        torch.set_printoptions(profile="default")


def test_threads_that_go_on_are_announced() -> None:
    end = threading.Event()

    def scaled(x, factor=2.0):
        if factor <= 0:
            raise ValueError
        threading.Thread(target=end.wait, daemon=True).start()
        return factor * x

    verdict = examine(scaled, replace(SCALED, checks=SCALED.checks[1:2]))
    end.set()
    assert verdict.kind == "passed"
    assert verdict.row("still runs") == "2 threads that the function started: `join` before it returns"
    assert not examine(lambda x, factor=2.0: x, SCALED).row("still runs")


def test_the_capture_does_not_touch_a_closed_target() -> None:
    target = io.StringIO()
    capture = _sandbox._Capture(target)
    target.close()
    capture.close()  # what Python does when it lets go of the capture


def test_inputs_are_fresh_even_when_the_global_generator_is_seeded() -> None:
    seen = []

    def scaled(x, factor=2.0):
        seen.append(x)
        return -x

    for _ in range(2):
        torch.manual_seed(0)
        examine(scaled, SCALED)
    assert not torch.equal(seen[0], seen[1])


@pytest.mark.parametrize("wrong", [lambda y: y.no_such_method(), lambda y: y - 1, lambda y: y])
def test_what_a_function_held_is_let_go(wrong) -> None:
    """A tensor of a gigabyte must not wait for the garbage collector: the next answer needs the room."""
    held = []

    def scaled(x, factor=2.0):
        y = factor * x
        held.append(weakref.ref(y))
        return wrong(y)

    gc.disable()
    try:
        examine(scaled, SCALED)
        assert held and not [ref for ref in held if ref() is not None]
    finally:
        gc.enable()
