"""`make mutants`: every single-edit mutant of every exercise's reference is given to the exercise's checks.

Printed are the survivors. Guards of a reference are mutated only if a check of the exercise is about a refusal; what is
no mistake, though edited, stands in tests/<word>/equivalent.py with the reason.
"""

import argparse
import importlib
import multiprocessing
import os
import sys
import time

import torch

from helpers.exercises import Exercise, examine, exercises, lectures
from tools.edits import Mutant, mutants


def equivalent(word: str, name: str) -> dict[str, str]:
    """The mutants of an exercise that are no mistakes, each with its reason: tests/<word>/equivalent.py."""
    try:
        return importlib.import_module(f"tests.{word}.equivalent").EQUIVALENT.get(name, {})
    except ModuleNotFoundError:
        return {}


def tried(exercise: Exercise) -> list[Mutant]:
    """The mutants that the exercise must refuse; those of its guards only if one of its checks is about a refusal."""
    about_refusals = any(check.refusal for check in exercise.checks)
    return list(mutants(exercise.reference, guards=about_refusals))


def survivors(word: str, exercise: Exercise, times: int) -> tuple[int, list[tuple[str, int]]]:
    """How many mutants were tried, and those that passed: the edit, and how often of `times`."""
    known, found, number = equivalent(word, exercise.name), [], 0
    for mutant in tried(exercise):
        if mutant.edit in known:
            continue
        number += 1
        passed = sum(examine(mutant.function, exercise).kind == "passed" for _ in range(times))
        found += [(mutant.edit, passed)] if passed else []
    return number, found


def _job(job: tuple[str, str, int]) -> tuple[str, str, int, list[tuple[str, int]], float]:
    torch.set_num_threads(1)
    word, number, times = job
    (exercise,) = (e for e in exercises(word) if e.number == number)
    start = time.perf_counter()
    tested, found = survivors(word, exercise, times)
    return f"{number} {exercise.name}", word, tested, found, time.perf_counter() - start


def main(arguments: list[str] | None = None) -> int:
    """`python -m tools.mutants [LECTURE | NUMBER ...] [--times 20]`: prints every survivor; 1 if there is one."""
    parser = argparse.ArgumentParser(prog="python -m tools.mutants", description=main.__doc__)
    parser.add_argument("chosen", nargs="*", metavar="LECTURE or NUMBER", help="such as attacks, or 7.3; default: all")
    parser.add_argument("--times", type=int, default=20, help="how often each mutant is checked")
    options = parser.parse_args(arguments)
    jobs = [
        (word, e.number, options.times)
        for word in lectures()
        for e in exercises(word)
        if not options.chosen or {word, e.number} & set(options.chosen)
    ]
    total, alive = 0, 0
    with multiprocessing.get_context("spawn").Pool(min(len(jobs), os.cpu_count() or 1)) as pool:
        for name, _, tested, found, seconds in pool.imap_unordered(_job, jobs):
            total, alive = total + tested, alive + len(found)
            print(f"{name}: {len(found)} of {tested} mutants survive ({seconds:.0f} s)", flush=True)
            for edit, passed in found:
                print(f"    {passed:3} of {options.times} times   {edit}", flush=True)
    print(f"{alive} of {total} mutants survive")
    return 1 if alive else 0


if __name__ == "__main__":
    sys.exit(main())
