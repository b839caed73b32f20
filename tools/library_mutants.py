"""`python -m tools.library_mutants WORD [MODULE.FUNCTION ...]`: mutants of a lecture's mathematics against its tests.

Every single-edit mutant (tools/edits.py) of every function and method of helpers/<word>/*.py takes the place of the
original (its code object is replaced, so that it is seen wherever the function was imported), and the tests of
tests/<word> that call that function are run, the quickest first, in a forked process. A mutant that every test lets
live is a survivor, unless tests/<word>/equivalent.py lists it: LIBRARY = {"module.function": {"edit": "reason"}}.
"""

import argparse
import contextlib
import importlib
import inspect
import os
import random
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any, NamedTuple

import pytest
import torch

from tools.edits import Mutant, mutants

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 60  # a mutant that takes longer than this on top of what its tests took is refused: it hangs
TESTS = 40  # of those that call a function, the quickest


class Subject(NamedTuple):
    """A function of the lecture: "module.function" or "module.Class.method"."""

    name: str
    function: Any


def subjects(word: str) -> Iterator[Subject]:
    """The functions and methods that are defined in helpers/<word>/*.py (recipes apart)."""
    for path in sorted((ROOT / "helpers" / word).glob("*.py")):
        if path.stem in ("__init__", "recipes"):
            continue
        module = importlib.import_module(f"helpers.{word}.{path.stem}")
        for name, value in vars(module).items():
            if getattr(value, "__module__", None) != module.__name__:
                continue
            members = vars(value).items() if inspect.isclass(value) else [("", value)]
            for member, function in members:
                inner = inspect.unwrap(getattr(function, "__func__", function))
                if type(inner) is FunctionType and inner.__code__.co_filename == str(path):
                    yield Subject(".".join(filter(None, (path.stem, name, member))), inner)


class Plugin:
    """Runs the tests once to learn which call which function, then tries the mutants."""

    def __init__(self, word: str, chosen: set[str], share: float = 1.0):
        self.word, self.chosen, self.share = word, chosen, share
        self.subjects = list(subjects(word))
        self.codes: dict[CodeType, str] = {s.function.__code__: s.name for s in self.subjects}
        self.failed, self.tried, self.alive = False, 0, list[tuple[str, str]]()
        known = importlib.import_module(f"tests.{word}.equivalent") if self._lists() else None
        self.known: dict[str, dict[str, str]] = getattr(known, "LIBRARY", {})

    def _lists(self) -> bool:
        return (ROOT / "tests" / self.word / "equivalent.py").exists()

    def pytest_runtest_logreport(self, report: Any) -> None:
        """A failure of any phase."""
        self.failed |= report.failed

    def pytest_runtestloop(self, session: Any) -> bool:
        """In place of pytest's own loop."""
        callers = self._callers(session)
        if self.failed:
            raise session.Failed("the tests must pass before mutants are tried")
        for subject in self.subjects:
            if self.chosen and not any(subject.name.startswith(name) for name in self.chosen):
                continue
            self._try(subject, [item for _, item in sorted(callers[subject.name], key=lambda pair: pair[0])])
        return True

    def _callers(self, session: Any) -> dict[str, list[tuple[float, Any]]]:
        """For each function the tests that call it, with their seconds."""
        found = defaultdict(list)
        for item in session.items:
            called: set[str] = set()

            def see(frame: FrameType, event: str, _: Any, called: set[str] = called) -> None:
                if event == "call" and frame.f_code in self.codes:
                    called.add(self.codes[frame.f_code])

            start = time.perf_counter()
            sys.setprofile(see)
            try:
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
            finally:
                sys.setprofile(None)
            for name in called:
                found[name].append((time.perf_counter() - start, item))
        return found

    def _try(self, subject: Subject, items: list[Any]) -> None:
        known, alive, number = self.known.get(subject.name, {}), [], 0
        for mutant in mutants(subject.function, guards=True):
            if mutant.edit in known or mutant.edit == "single precision inside" or random.random() > self.share:
                continue
            number += 1
            if not self._killed(subject.function, mutant, items[:TESTS]):
                alive.append(mutant.edit)
        self.tried += number
        self.alive += [(subject.name, edit) for edit in alive]
        print(f"{subject.name}: {len(alive)} of {number} survive ({len(items)} tests)", flush=True)
        for edit in alive:
            print(f"      {edit}", flush=True)

    def _killed(self, function: FunctionType, mutant: Mutant, items: list[Any]) -> bool:
        code = inspect.unwrap(mutant.function).__code__
        if code.co_freevars != function.__code__.co_freevars:
            return True  # cannot take its place, as with a nested name: not tried
        pid = os.fork()
        if pid == 0:
            self._child(function, mutant, code, items)
        _, status = os.waitpid(pid, 0)
        return status != 0

    def _child(self, function: FunctionType, mutant: Mutant, code: CodeType, items: list[Any]) -> None:
        signal.alarm(SECONDS)
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
            function.__code__ = code
            function.__defaults__ = inspect.unwrap(mutant.function).__defaults__
            function.__kwdefaults__ = inspect.unwrap(mutant.function).__kwdefaults__
            for item in items:
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
                if self.failed:
                    os._exit(1)
        os._exit(0)


def main(arguments: list[str] | None = None) -> int:
    """Prints the survivors and their share; 1 if there is one."""
    parser = argparse.ArgumentParser(prog="python -m tools.library_mutants", description=__doc__)
    parser.add_argument("word", help="the lecture, such as attacks")
    parser.add_argument("functions", nargs="*", metavar="MODULE.FUNCTION", help="beginnings of names; default: all")
    parser.add_argument("--share", type=float, default=1.0, help="try this share of the mutants, drawn at random")
    parser.add_argument("--tests", default="", help="pytest's -k expression")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    plugin = Plugin(options.word, set(options.functions), options.share)
    flags = ["-s", "-p", "no:cacheprovider", "-p", "no:terminal", "-o", "addopts=--import-mode=importlib"]
    flags += ["--deselect", f"tests/{options.word}/test_peers.py"]
    folder = str(ROOT / "tests" / options.word)
    status = pytest.main([*flags, *(["-k", options.tests] if options.tests else []), folder], plugins=[plugin])
    killed = plugin.tried - len(plugin.alive)
    print(f"{options.word}: {killed} of {plugin.tried} mutants killed ({killed / max(plugin.tried, 1):.1%})")
    return int(bool(plugin.alive) or status != 0)


if __name__ == "__main__":
    sys.exit(main())
