"""Runs the lectures as other machines, other seeds and other readers would: which claims hold only here?

    make stress                                 every lecture in every variant, the tests and the mutants on the GPU
    python -m tools.stress 07 --only gpu        one lecture, one variant
    python -m tools.stress 05 07 --only seed=4  any other seed

A lecture is run from its text, lectures/source/NN_word.md, and nothing is written. The variants:

seed=K      every seed that the lecture sets is shifted by 1000 K
cpu=avx2    kernels without AVX-512, which round the last digits as another processor would
cpu=old     kernels without any vector unit newer than SSE4
order=K     after the lecture every code cell runs once more, in a shuffled order: a reader goes back
gpu         on a pretended GPU (tools/pretend_gpu.py): tensors made without device=, .cpu() forgotten

Each row is a cell that failed. A deterministic claim (closed form, theorem) has to hold in every variant; a statistical
one needs a tolerance that holds, too: derive it (standard error, exact law), do not widen it until it passes.
"""

import argparse
import copy
import os
import random
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from tools import notebooks

PROCESSORS = {
    "avx2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"},
    "old": {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_ENABLE_INSTRUCTIONS": "SSE4_2"},
}
VARIANTS = ("order=1", "gpu", "cpu=avx2", "cpu=old", "seed=1", "seed=2", "seed=3")
FORM = re.compile(r"(seed|order)=\d+|cpu=(avx2|old)|gpu|plain")


class Failure(NamedTuple):
    """A cell that failed: its number, where it stands, the line, the error."""

    number: int
    where: str
    line: str
    error: str


def shift_seeds(by: int) -> None:
    """From now on every seed set through the course, torch or NumPy is larger by so much. Called in the kernel."""
    import numpy as np
    import torch

    from helpers import runtime

    def shifted(original: Callable[..., Any]) -> Callable[..., Any]:
        def seeded(number: Any = 0, *args: Any, **named: Any) -> Any:
            return original(number + by if isinstance(number, int) else number, *args, **named)

        return seeded

    for owner, name in ((runtime, "seed"), (runtime, "generator"), (torch, "manual_seed"), (np.random, "default_rng")):
        setattr(owner, name, shifted(getattr(owner, name)))


def prepared(notebook: NotebookNode, variant: str) -> dict[str, str]:
    """Makes the notebook that of a variant; -> the environment variables that belong to it."""
    kind, _, value = variant.partition("=")
    first = "None"
    if kind == "seed":
        first = f"from tools import stress; stress.shift_seeds({1000 * int(value)})"
    elif kind == "gpu":
        first = "from tools import pretend_gpu; pretend_gpu.start()"
    elif kind == "order":
        again = copy.deepcopy([cell for cell in notebook.cells if cell.cell_type == "code"])
        random.Random(int(value)).shuffle(again)
        for cell in again:
            cell.id, cell.metadata["again"] = f"{cell.id}-again", True
        notebook.cells += again
    notebook.cells.insert(0, new_code_cell(first, id="variant"))
    return PROCESSORS[value] if kind == "cpu" else {}


def failures(notebook: NotebookNode) -> Iterator[Failure]:
    """The cells that failed; not those that only miss a name that a failed cell should have left behind."""
    heading, failed = "", False
    for number, cell in enumerate(notebook.cells[1:]):
        heading = (
            (re.findall(r"^#{1,3} .*", cell.source, re.M) or [heading])[-1] if cell.cell_type != "code" else heading
        )
        again = bool(cell.metadata.get("again"))
        for output in cell.get("outputs", []):
            if output.output_type != "error" or (output.ename == "NameError" and failed and not again):
                continue
            failed = True
            trace = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(output.traceback))
            arrow = next((line.strip() for line in trace.splitlines() if re.match(r"\s*-+>", line)), "")
            where = f"run again, {cell.source.splitlines()[0]}" if again else heading
            yield Failure(number, where[:100], arrow[:160], f"{output.ename}: {output.evalue}"[:240])


def stress(source: Path, variant: str, timeout: int = 900) -> list[Failure]:
    """Runs one text in one variant, every cell, whatever fails."""
    from nbclient import NotebookClient

    notebook = notebooks.read(source)
    variables = {**os.environ, "OMP_NUM_THREADS": "1", "COURSE_BUILD": "1", **prepared(notebook, variant)}
    variables["PYTHONPATH"] = os.pathsep.join([str(notebooks.ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=timeout,
        allow_errors=True,
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(source.parent)}},
    )
    client.execute(env=variables)
    return list(failures(notebook))


def report(source: Path, variant: str) -> bool:
    """Prints one row, and the cells that failed; whether there is none."""
    start = time.perf_counter()
    found = stress(source, variant)
    verdict = f"{len(found)} cell{'s' * (len(found) > 1)} failed" if found else "holds"
    print(f"{source.stem:<16}{variant:<10}{time.perf_counter() - start:6.0f} s   {verdict}", flush=True)
    for number, where, line, error in found:
        print(f"    cell {number}: {where}\n        {line}\n        {error}", flush=True)
    return not found


def a_variant(text: str) -> str:
    """The variant that the command line names."""
    if not FORM.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r}: use plain, seed=K, order=K, cpu=avx2, cpu=old or gpu")
    return text


def main(arguments: list[str] | None = None) -> int:
    """Stresses what the command line asks for; 1 if a cell failed."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.stress", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("lectures", nargs="*", help="how their files begin, such as 07; every one when left out")
    parser.add_argument("--only", action="append", type=a_variant, metavar="VARIANT", help="once or more; default: all")
    options = parser.parse_args(arguments)
    sources = sorted((notebooks.LECTURES / "source").glob("[0-9][0-9]_*.md"))
    chosen = [s for s in sources if not options.lectures or s.name.startswith(tuple(options.lectures))]
    if not chosen:
        parser.error(f"no lecture begins so; there are: {', '.join(s.stem for s in sources)}")
    held = [report(source, variant) for source in chosen for variant in options.only or VARIANTS]
    print(f"{sum(held)} of {len(held)} runs hold")
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
