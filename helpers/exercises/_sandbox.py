"""Runs a function that may do anything: a limit of computing time, prints caught, a way to stop it."""

from __future__ import annotations

import ctypes
import io
import itertools
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

KEPT_CHARACTERS = 2000  # of what was printed
KEPT_FRAMES = 200  # the innermost of a stack: with a raised recursion limit it can be endless
STACK_BYTES = 64 * 2**20  # a thread's default stack (512 kB on macOS) is too small for deep recursion
PATIENCE = 10  # seconds of the clock on the wall for each second of computing allowed
GRACE = 1.0  # seconds for a job to end when it is told to
POLL = 0.1


class TimeUp(BaseException):
    """Thrown into the thread of a job that is over its time limit."""


@dataclass
class Outcome:
    """What became of a job: its value or its error, what it printed, and where it was when its time was up."""

    value: Any = None
    error: BaseException | None = None
    printed: str = ""
    lines: int = 0  # printed in all
    late: bool = False
    waited: bool = False  # late by the clock on the wall, not by computing
    lost: bool = False  # late, and could not be stopped
    stack: list[traceback.FrameSummary] = field(default_factory=list)


class _Capture(io.TextIOBase):
    """Keeps the beginning of what one thread writes, and passes on what the others write."""

    def __init__(self, target: Any):
        self.target, self.thread, self.text, self.lines = target, 0, "", 0

    def write(self, text: str) -> int:
        if threading.get_ident() != self.thread:
            return self.target.write(text)
        self.lines += text.count("\n")
        if len(self.text) < KEPT_CHARACTERS:
            self.text = (self.text + str(text))[:KEPT_CHARACTERS]
        return len(text)

    def flush(self) -> None:
        if threading.get_ident() != self.thread:
            self.target.flush()

    def close(self) -> None:
        """Nothing to close, neither by the function nor at the end, when the target may be closed itself."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.target, name)


class _Job:
    """A job in its own thread, which can be told to stop."""

    def __init__(self, work: Callable[[], Any], captures: tuple[_Capture, ...]):
        self.outcome, self.work, self.captures = Outcome(), work, captures
        self.ended, self._lock, self._done = threading.Event(), threading.Lock(), False
        self.thread = threading.Thread(target=self._run, daemon=True, name="exercise")

    def start(self) -> None:
        previous = threading.stack_size(STACK_BYTES)
        try:
            self.thread.start()
        finally:
            threading.stack_size(previous)

    def _run(self) -> None:
        for capture in self.captures:
            capture.thread = threading.get_ident()
        try:
            try:
                self.outcome.value = self.work()
            except BaseException as error:
                self.outcome.error = error
            with self._lock:
                self._done = True
            for _ in range(8):  # a TimeUp that was already on its way strikes here
                pass
        except TimeUp:
            self._done = True
        finally:
            self.ended.set()

    def compute(self, seconds: float) -> None:
        """Waits for the end or the limit: CPU time, for the machine may be busy, or PATIENCE times as much by the wall.

        CPU time is the whole process's, at most the wall's: a function may compute in threads. An import is free, and
        so is what jobs left behind before may compute.
        """
        used, start = 0.0, time.monotonic()
        wall, cpu = start, time.process_time()
        while not self.ended.wait(POLL):
            passed, computed = time.monotonic() - wall, time.process_time() - cpu
            wall, cpu = wall + passed, cpu + computed
            step = min(passed, computed - passed * self._left_behind())
            used += 0.0 if _imports(self._frame()) else max(step, 0.0)
            self.outcome.waited = wall - start > PATIENCE * seconds
            if used > seconds or self.outcome.waited:
                self.outcome.late = True
                return

    def stop(self) -> None:
        """Throws TimeUp into the thread, again and again until it ends or GRACE is over.

        Never in the middle of an import, which would leave a module half loaded for the rest of the kernel.
        """
        frame = self._frame()
        self.outcome.stack = list(traceback.extract_stack(frame, KEPT_FRAMES)) if frame else []
        throw, ident = ctypes.pythonapi.PyThreadState_SetAsyncExc, ctypes.c_ulong(self.thread.ident or 0)
        deadline = time.monotonic() + GRACE
        while not self.ended.is_set() and time.monotonic() < deadline:
            with self._lock:
                if not self._done and not _imports(self._frame()):
                    throw(ident, ctypes.py_object(TimeUp))
            self.ended.wait(0.02)
        self.outcome.lost = not self.ended.is_set()

    def _left_behind(self) -> int:
        """How many jobs before this one could not be stopped and still run."""
        return sum(t.name == self.thread.name for t in threading.enumerate()) - 1

    def _frame(self) -> FrameType | None:
        return sys._current_frames().get(self.thread.ident or 0)


def _imports(frame: FrameType | None) -> bool:
    """Whether a thread is in the middle of an import."""
    for seen, _ in itertools.islice(traceback.walk_stack(frame), KEPT_FRAMES) if frame else ():
        if seen.f_code.co_filename == "<frozen importlib._bootstrap>":
            return True
    return False


def run(work: Callable[[], Any], seconds: float) -> Outcome:
    """Runs work() in a thread for at most `seconds` of computing, then stops it; never raises what work raises.

    A call into C that does not return is left behind in its daemon thread (Outcome.lost). One that keeps the
    interpreter's lock, such as sum(range(10**12)), nothing but a restart of the kernel can end.
    A KeyboardInterrupt of the user (the stop button) stops the job and is passed on.
    """
    out, err = sys.stdout, sys.stderr
    captures = _Capture(out), _Capture(err)
    job = _Job(work, captures)
    sys.stdout, sys.stderr = captures
    try:
        job.start()
        job.compute(seconds)
        if job.outcome.late:
            job.stop()
    except BaseException:
        job.stop()
        raise
    finally:
        if not job.outcome.lost:  # a job left behind goes on printing into its capture
            sys.stdout, sys.stderr = out, err
    job.outcome.printed, job.outcome.lines = captures[0].text, captures[0].lines
    return job.outcome
