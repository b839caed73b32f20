"""`make mutants`: every single-edit mutant of every exercise's reference is given to the exercise's checks.

Printed are the survivors. Guards of a reference are mutated only if a check of the exercise is about a refusal; what is
no mistake, though edited, stands in tests/<word>/equivalent.py with the reason.
"""

import argparse
import importlib
import os
import sys
import time
from collections.abc import Collection
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

import torch

from helpers.exercises import Exercise, examine, exercises, lectures
from tools import pretend_gpu
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


def survivors(
    word: str, exercise: Exercise, times: int, but: Collection[str] = ()
) -> tuple[int, list[tuple[str, int]]]:
    """How many mutants were tried, but for those named, and those that passed: the edit, and how often of `times`."""
    known, found, number = equivalent(word, exercise.name), [], 0
    for mutant in tried(exercise):
        if mutant.edit in known or mutant.edit in but:
            continue
        number += 1
        passed = sum(examine(mutant.function, exercise).kind == "passed" for _ in range(times))
        found += [(mutant.edit, passed)] if passed else []
    return number, found


def _job(job: tuple[str, str, int, bool]) -> tuple[str, int, list[tuple[str, int]], float]:
    torch.set_num_threads(1)
    word, number, times, gpu = job
    (exercise,) = (e for e in exercises(word) if e.number == number)
    start = time.perf_counter()
    if gpu:
        without = {mutant.edit for mutant in tried(exercise)}
        with pretend_gpu.on():
            tested, found = survivors(word, exercise, times, without)
    else:
        tested, found = survivors(word, exercise, times)
    return f"{number} {exercise.name}", tested, found, time.perf_counter() - start


def main(arguments: list[str] | None = None) -> int:
    """`python -m tools.mutants [LECTURE | NUMBER ...] [--times 20] [--gpu]`: prints survivors; 1 if there is one."""
    parser = argparse.ArgumentParser(prog="python -m tools.mutants", description=main.__doc__)
    parser.add_argument("chosen", nargs="*", metavar="LECTURE or NUMBER", help="such as attacks, or 7.3; default: all")
    parser.add_argument("--times", type=int, default=20, help="how often each mutant is checked")
    parser.add_argument("--gpu", action="store_true", help="those that drop device=, on a pretended GPU")
    options = parser.parse_args(arguments)
    jobs = [
        (word, e.number, options.times, options.gpu)
        for word in lectures()
        for e in exercises(word)
        if not options.chosen or {word, e.number} & set(options.chosen)
    ]
    total, alive = 0, 0
    with ProcessPoolExecutor(min(len(jobs), os.cpu_count() or 1), get_context("spawn")) as pool:
        for done in as_completed([pool.submit(_job, job) for job in jobs]):
            name, tested, found, seconds = done.result()
            total, alive = total + tested, alive + len(found)
            print(f"{name}: {len(found)} of {tested} mutants survive ({seconds:.0f} s)", flush=True)
            for edit, passed in found:
                print(f"    {passed:3} of {options.times} times   {edit}", flush=True)
    print(f"{alive} of {total} mutants survive")
    return 1 if alive else 0


if __name__ == "__main__":
    sys.exit(main())
