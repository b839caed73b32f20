"""Runs a function that may do anything: a time limit, prints caught, the state of the lecture kept."""

from __future__ import annotations

import builtins
import contextlib
import ctypes
import io
import os
import random
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

KEPT_CHARACTERS = 2000  # of what was printed
STACK_BYTES = 64 * 2**20  # a thread's default stack (512 kB on macOS) is too small for deep recursion


class TimeUp(BaseException):
    """Thrown into the thread of a job that is over its time limit."""


@dataclass
class Outcome:
    """What became of a job: its value or its error, what it printed, and where it was when its time was up."""

    value: Any = None
    error: BaseException | None = None
    printed: str = ""
    late: bool = False
    lost: bool = False  # late, and could not be stopped
    stack: list[traceback.FrameSummary] = field(default_factory=list)


class _Capture(io.TextIOBase):
    """Keeps what one thread writes, and passes on what the others write."""

    def __init__(self, target: Any):
        self.target, self.thread, self.text = target, 0, ""

    def write(self, text: str) -> int:
        if threading.get_ident() != self.thread:
            return self.target.write(text)
        self.text = (self.text + str(text))[:KEPT_CHARACTERS]
        return len(text)

    def flush(self) -> None:
        if threading.get_ident() != self.thread:
            self.target.flush()

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

    def stop(self, grace: float) -> None:
        """Throws TimeUp into the thread, again and again until it ends or the grace is over."""
        frame = sys._current_frames().get(self.thread.ident or 0)
        self.outcome.stack = list(traceback.extract_stack(frame)) if frame else []
        self.outcome.late = True
        throw, ident = ctypes.pythonapi.PyThreadState_SetAsyncExc, ctypes.c_ulong(self.thread.ident or 0)
        deadline = time.monotonic() + grace
        while not self.ended.is_set() and time.monotonic() < deadline:
            with self._lock:
                if not self._done:
                    throw(ident, ctypes.py_object(TimeUp))
            self.ended.wait(0.02)
        self.outcome.lost = not self.ended.is_set()


def run(work: Callable[[], Any], seconds: float, grace: float = 1.0) -> Outcome:
    """Runs work() in a thread for at most `seconds`, then stops it; never raises what work raises.

    A call into C that does not return within the grace is left behind in its daemon thread (Outcome.lost). One that
    keeps the interpreter's lock, such as sum(range(10**12)), nothing but a restart of the kernel can end.
    A KeyboardInterrupt of the user (the stop button) stops the job and is passed on.
    """
    out, err = sys.stdout, sys.stderr
    captures = _Capture(out), _Capture(err)
    job = _Job(work, captures)
    sys.stdout, sys.stderr = captures
    deadline = time.monotonic() + seconds
    try:
        job.start()
        while not job.ended.wait(0.1) and time.monotonic() < deadline:
            pass
        if not job.ended.is_set():
            job.stop(grace)
    except BaseException:
        job.stop(grace)
        raise
    finally:
        if not job.outcome.lost:  # a job left behind goes on printing into its capture
            sys.stdout, sys.stderr = out, err
    job.outcome.printed = captures[0].text
    return job.outcome


def seed_everything(number: int) -> None:
    """Puts the global generators into the same state before each call, so that equal functions give equal results."""
    random.seed(number)
    np.random.seed(number % 2**32)
    torch.manual_seed(number % 2**63)


def _refuse_input(*_: Any) -> str:
    raise EOFError("an exercise has no input: what it needs comes as arguments")


@contextlib.contextmanager
def _doors_closed() -> Iterator[None]:
    """No input box, no debugger, and `exit()` does not end the kernel."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    doors: list[tuple[Any, str, Any]] = [
        (builtins, "input", _refuse_input),
        (sys, "breakpointhook", lambda *_, **__: None),
    ]
    if shell is not None:
        doors.append((shell, "ask_exit", sys.exit))
    before = [getattr(owner, name) for owner, name, _ in doors]
    try:
        for owner, name, closed in doors:
            setattr(owner, name, closed)
        yield
    finally:
        for (owner, name, _), opened in zip(doors, before, strict=True):
            setattr(owner, name, opened)


@contextlib.contextmanager
def protected() -> Iterator[None]:
    """Afterwards everything global that a function can turn is as it was: generators, default dtype, grad mode, ..."""
    generators = random.getstate(), np.random.get_state(), torch.get_rng_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    mps = torch.mps.get_rng_state() if torch.backends.mps.is_available() else None
    dtype, grad, threads = torch.get_default_dtype(), torch.is_grad_enabled(), torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    recursion, folder = sys.getrecursionlimit(), os.getcwd()
    try:
        with _doors_closed(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        random.setstate(generators[0])
        np.random.set_state(generators[1])
        torch.set_rng_state(generators[2])
        if cuda:
            torch.cuda.set_rng_state_all(cuda)
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(grad)
        torch.use_deterministic_algorithms(deterministic)
        if mps is not None:
            torch.mps.set_rng_state(mps)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        sys.setrecursionlimit(recursion)
        os.chdir(folder)
