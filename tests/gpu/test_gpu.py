"""The tests of this folder, run by `make test` in a process of their own."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_exercises_explorers_and_figures_on_the_pretended_gpu() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "--gpu", "-p", "no:cacheprovider", "tests/gpu"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
