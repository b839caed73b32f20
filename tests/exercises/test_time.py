"""A function that takes too long: by computing, by waiting, for ever, on a busy machine."""

import _thread
import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from helpers.exercises import _sandbox, examine
from tests.exercises.toys import SCALED, refused

FAST = replace(SCALED, checks=tuple(replace(check, seconds=0.3) for check in SCALED.checks))


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


def test_a_sleeping_call_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    def scaled(x, factor=2.0):
        time.sleep(4)
        return factor * x

    monkeypatch.setattr(_sandbox, "PATIENCE", 2)
    start = time.monotonic()
    refused(scaled, "within 0.3 s", "time.sleep(4)", "It waits for what never comes", "restart", exercise=FAST)
    assert time.monotonic() - start < 3


def test_a_call_that_does_not_get_the_processor_is_not_late() -> None:
    def scaled(x, factor=2.0):
        if factor <= 0:
            raise ValueError
        time.sleep(0.4)  # as a busy machine would
        return factor * x

    assert examine(scaled, FAST).kind == "passed"


def test_a_busy_machine_refuses_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_sandbox, "PATIENCE", 100)

    def scaled(x, factor=2.0):
        if factor <= 0:
            raise ValueError
        start = time.thread_time()
        while time.thread_time() - start < 0.03:
            pass
        return factor * x

    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(3 * (os.cpu_count() or 1))]
    try:
        start = time.monotonic()
        verdict = examine(scaled, FAST)
        assert verdict.kind == "passed", verdict
        assert time.monotonic() - start > 0.3
    finally:
        for process in busy:
            process.kill()
            process.wait()


def test_what_was_left_behind_is_charged_to_nobody() -> None:
    """A call into C that could not be stopped goes on computing while the next answer waits for the processor."""
    ended = threading.Event()

    def burn() -> None:
        while not ended.is_set():
            hashlib.sha256(bytes(10**7))

    def scaled(x, factor=2.0):
        if factor <= 0:
            raise ValueError
        time.sleep(0.4)
        return factor * x

    left = threading.Thread(target=burn, name="exercise", daemon=True)
    left.start()
    try:
        assert examine(scaled, FAST).kind == "passed"
    finally:
        ended.set()
        left.join()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps the limit")
def test_a_tensor_that_grows_without_end_is_an_error_and_not_the_end_of_the_kernel() -> None:
    def scaled(x, factor=2.0):
        while True:
            x = x[..., None] + x.new_ones(7)

    refused(scaled, "Far more entries than asked for: a shape grows", kind="raised")
    assert torch.zeros(2**30, dtype=torch.uint8).numel() == 2**30  # afterwards there is room


def test_a_million_prints_are_called_prints() -> None:
    def scaled(x, factor=2.0):
        while True:
            print(factor)

    verdict = refused(scaled, "lines by then: take the `print` out of the loop", exercise=FAST)
    assert "never ends" not in repr(verdict)

    def scaled(x, factor=2.0):
        if factor <= 0:
            raise ValueError
        for k in range(10**5):
            print(k)
        return factor * x

    assert examine(scaled, SCALED).row("it printed") == "0\n1\n2\n..."


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the stop may strike in a callback
def test_a_growing_stack_is_stopped() -> None:
    def deeper(x, factor=2.0):
        return deeper(x + 0, factor)

    def scaled(x, factor=2.0):
        sys.setrecursionlimit(10**8)
        return deeper(x, factor)

    start, limit = time.monotonic(), sys.getrecursionlimit()
    refused(scaled, "return deeper(x + 0, factor)", exercise=FAST)
    assert time.monotonic() - start < 20 and sys.getrecursionlimit() == limit


def test_an_import_is_free_and_never_cut_in_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slow_to_import.py").write_text(
        "import time\nend = time.thread_time() + 0.6\nwhile time.thread_time() < end: pass\nhalf = None\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(_sandbox, "PATIENCE", 100)

    def scaled(x, factor=2.0):
        import slow_to_import

        if factor <= 0:
            raise ValueError
        return factor * x + (slow_to_import.half or 0)

    assert examine(scaled, FAST).kind == "passed"


def test_a_check_imports_no_compiler() -> None:
    code = """
import sys
from helpers.exercises import _sandbox, examine
from tests.exercises.toys import SCALED, scaled
before = set(sys.modules)
def wrong(x, factor=2.0):
    y = factor * x
    return y + (y == y.max()) if y.ndim == 3 else y
for function, kind in ((scaled, "passed"), (wrong, "failed")):
    assert examine(function, SCALED).kind == kind
new = set(sys.modules) - before
assert not any(name.startswith(("sympy", "torch._dynamo", "torch._inductor")) for name in new), new
assert len(new) < 20, new
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


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
