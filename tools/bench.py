"""`make bench`: what the course costs, as ratios within one run where a ratio can be had. A table, never a test.

Each row: what, measured, at most. Other files tools/bench_<word>.py add the rows of their lecture by `rows()`;
`python -m tools.bench attacks mcmc` measures only those of these.
"""

import importlib
import itertools
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from helpers import runtime
from helpers.exercises import lectures
from helpers.figures import Redraw

Row = tuple[str, float, float, str]  # what, measured, at most, unit
ROOT = Path(__file__).resolve().parent.parent


def seconds_of(*command: str) -> float:
    """Wall seconds of a command, its output thrown away. Raises CalledProcessError if it fails."""
    start = time.perf_counter()
    subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


IMPORTS = (  # what, ours, beside what
    (
        "import helpers / import torch",
        "import helpers.data, helpers.models, helpers.training, helpers.checkpoints",
        "import torch",
    ),
    ("import helpers.attacks / import torch", "from helpers import attacks", "import torch"),
    (
        "load a checkpoint / read it, build the net",
        "from helpers import checkpoints; checkpoints.load('mnist_cnn', 'cpu')",
        "import safetensors.torch; from helpers import models; net = models.lenet()\n"
        "net.load_state_dict(safetensors.torch.load_file('data/checkpoints/mnist_cnn.safetensors')); net.eval()",
    ),
)


def bench_imports(rounds: int = 7) -> Iterator[Row]:
    """What is imported and loaded, each in a fresh process, beside the least that does it; the median of the ratios.

    The two take turns, so that what else the machine does falls on both.
    """
    for what, *programs in IMPORTS:
        commands = [(sys.executable, "-c", program) for program in programs]
        times = [[seconds_of(*command) for command in commands] for _ in range(rounds + 1)][1:]  # the first warms up
        yield what, statistics.median(ours / bare for ours, bare in times), 1.1, ""


def bench_explorers() -> Iterator[Row]:
    """A redraw of every explorer as its sliders make it, at each of its stills: the median."""
    for word in lectures():
        figures = importlib.import_module(f"helpers.{word}.figures")
        for name, draw in vars(figures).items():
            if hasattr(draw, "stills"):
                redraw, times = Redraw(draw), []
                redraw(**draw.stills[0])
                for setting in draw.stills * 5:
                    start = time.perf_counter()
                    redraw(**setting)
                    times.append(time.perf_counter() - start)
                yield f"redraw {word}.{name}", statistics.median(times), 0.25, "s"


def bench_lectures() -> Iterator[Row]:
    """Each lecture from top to bottom at the quick scale, as the notebook is built."""
    for source in sorted((ROOT / "lectures" / "source").glob("[0-9][0-9]_*.md")):
        program = f"from tools.notebooks import *; run(read(Path({str(source)!r})), LECTURES, {source.stem!r})"
        yield f"lecture {source.stem}, quick", seconds_of(sys.executable, "-c", program), 120, "s"


def rows() -> Iterator[Row]:
    """All rows: the course's own, then those of the lectures."""
    yield from bench_imports()
    for path in sorted(Path(__file__).parent.glob("bench_*.py")):
        yield from rows_of(path.stem.removeprefix("bench_"))
    yield from bench_explorers()
    yield from bench_lectures()


def rows_of(name: str) -> Iterator[Row]:
    """The rows of tools/bench_<name>.py."""
    return importlib.import_module(f"tools.bench_{name}").rows()


def table(rows: Iterator[Row]) -> None:
    """Prints the rows, each as soon as it is measured."""
    print(f"{'what':<52}{'measured':>10}{'at most':>10}   ({os.cpu_count()} cores, {runtime.device()})", flush=True)
    for what, measured, limit, unit in rows:
        mark = "" if measured <= limit else "   over"
        print(f"{what:<52}{measured:>8.3f} {unit:<1}{limit:>8.4g} {unit:<1}{mark}", flush=True)


if __name__ == "__main__":
    table(itertools.chain.from_iterable(map(rows_of, sys.argv[1:])) if sys.argv[1:] else rows())
