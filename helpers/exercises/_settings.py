"""What is global and a function can turn: put into a known state before a call, and back after a check."""

from __future__ import annotations

import builtins
import contextlib
import os
import random
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

try:
    import resource
except ImportError:  # Windows knows no limit
    resource = None  # type: ignore[assignment]

MEMORY = 2 * 2**30  # bytes that a function may take: a tensor that grows without end must not cost the kernel its life
TAKEN = Path("/proc/self/statm")  # Linux alone tells, and keeps the limit

# how a setting is read and how it is put back
SETTINGS: tuple[tuple[Callable[[], Any], Callable[..., Any]], ...] = (
    (lambda: (torch.get_default_dtype(),), torch.set_default_dtype),
    (lambda: (torch.is_grad_enabled(),), torch.set_grad_enabled),
    (lambda: (torch.get_num_threads(),), torch.set_num_threads),
    (lambda: (torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()), torch.set_anomaly_enabled),
    (lambda: (torch.get_float32_matmul_precision(),), torch.set_float32_matmul_precision),
    (
        lambda: (torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()),
        lambda mode, warn: torch.use_deterministic_algorithms(mode, warn_only=warn),  # imports the compiler: 1 s
    ),
    (lambda: tuple(vars(torch._tensor_str.PRINT_OPTS).items()), lambda *items: torch.set_printoptions(**dict(items))),
    (lambda: (sys.getrecursionlimit(),), sys.setrecursionlimit),
    (lambda: (os.getcwd(),), os.chdir),
)


def seed_everything(number: int) -> None:
    """Puts the global generators into the same state before each call, so that equal functions give equal results."""
    random.seed(number)
    np.random.seed(number % 2**32)
    torch.manual_seed(number % 2**63)


@contextlib.contextmanager
def protected() -> Iterator[None]:
    """Afterwards everything global that a function can turn is as it was: generators, default dtype, grad mode, ..."""
    before = [read() for read, _ in SETTINGS]
    try:
        with _generators_kept(), _doors_closed(), _memory_bounded(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for (read, write), values in zip(SETTINGS, before, strict=True):
            if read() != values:
                write(*values)


@contextlib.contextmanager
def _generators_kept() -> Iterator[None]:
    generators = random.getstate(), np.random.get_state(), torch.get_rng_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    mps = torch.mps.get_rng_state() if torch.backends.mps.is_available() else None
    try:
        yield
    finally:
        random.setstate(generators[0])
        np.random.set_state(generators[1])
        torch.set_rng_state(generators[2])
        if cuda:
            torch.cuda.set_rng_state_all(cuda)
        if mps is not None:
            torch.mps.set_rng_state(mps)


@contextlib.contextmanager
def _memory_bounded() -> Iterator[None]:
    """What a function allocates beyond MEMORY is an error in it, not the end of the kernel."""
    if resource is None or not TAKEN.exists():
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_DATA)
    bound = int(TAKEN.read_text().split()[5]) * resource.getpagesize() + MEMORY
    soft = [bound, *(limit for limit in before if limit != resource.RLIM_INFINITY)]
    resource.setrlimit(resource.RLIMIT_DATA, (min(soft), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


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


def threads() -> set[threading.Thread]:
    """The threads that a function may have started: not a check's own, nor the one that tqdm keeps."""
    return {t for t in threading.enumerate() if t.name != "exercise" and not type(t).__module__.startswith("tqdm")}
