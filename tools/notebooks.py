"""Runs the text of a lecture (lectures/source/NN_word.md) into the notebook that is opened (lectures/NN_word.ipynb).

`tools/notebooks.py` runs each lecture whose text is not that of its notebook, `--all` runs every one, and stems such as
07_attacks run just those. The same text gives the same notebook, byte for byte.
"""

import argparse
import hashlib
import os
import re
import sys
import time
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent
LECTURES = ROOT / "lectures"
SETUP_CELL = (ROOT / "tools" / "setup_cell.py").read_text().strip()
NO_ADDRESS = 'address, course = "",'
METADATA = {
    "accelerator": "GPU",  # Colab starts a machine with a GPU
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
COLAB = "https://colab.research.google.com"
# What differs from run to run or from machine to machine, and what stands for it in the stored notebook.
VOLATILE = (
    (re.compile(r"(?<![\w.])" + re.escape(str(ROOT)) + r"/"), ""),
    (re.compile(r"(?<![\w.])" + re.escape(str(Path.home())) + r"/(?<=\w/)"), "~/"),
    (re.compile(r"/\S*/ipykernel_\d+/\d+\.py"), "<cell>"),
    (re.compile(r"\b0x[0-9a-f]{6,}"), "0x..."),
)


class LectureError(Exception):
    """Which cell of which lecture went wrong, and how."""


def address() -> str:
    """The public address of the course, from pyproject.toml; "" without one. Raises ValueError if not GitHub's."""
    with open(ROOT / "pyproject.toml", "rb") as file:
        value = tomllib.load(file)["tool"]["course"]["address"]
    if value and not re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", value):
        raise ValueError(f"tool.course.address must be https://github.com/OWNER/REPOSITORY or empty, got {value!r}")
    return value.removesuffix(".git")


def badge(url: str, stem: str) -> str:
    """The "Open in Colab" badge of a lecture, in Markdown."""
    place = url.removeprefix("https://github.com/")
    return f"[![Open in Colab]({COLAB}/assets/colab-badge.svg)]({COLAB}/github/{place}/blob/main/lectures/{stem}.ipynb)"


def stamp(notebook: NotebookNode, url: str, stem: str) -> None:
    """Puts the badge below the title and the address into the set-up cell; without an address, nothing."""
    if not url:
        return
    title, _, rest = notebook.cells[0].source.partition("\n")
    notebook.cells[0].source = f"{title}\n\n{badge(url, stem)}\n{rest}".rstrip()
    for cell in notebook.cells:
        if cell.source.startswith(SETUP_CELL):
            cell.source = cell.source.replace(NO_ADDRESS, f'address, course = "{url}",', 1)


def fold(cell: NotebookNode) -> None:
    """What is folded in JupyterLab: the code of a cell tagged hide-input or of the set-up, the output of an answer."""
    tags = cell.metadata.get("tags", [])
    hidden = {
        "source_hidden": "hide-input" in tags or cell.source.startswith(SETUP_CELL),
        "outputs_hidden": "answer" in tags,
    }
    if cell.cell_type == "code" and any(hidden.values()):
        cell.metadata["jupyter"] = {name: True for name, value in hidden.items() if value}


def read(source: Path, url: str = "") -> NotebookNode:
    """The notebook that a lecture's text stands for, stamped with the address and folded by its tags, not yet run.

    A cell's id comes from its content (and the number of equal cells above it), so that it stays when others change.
    """
    notebook = jupytext.read(source, fmt={"extension": ".md", "format_name": "myst"})
    stamp(notebook, url, source.stem)
    seen: Counter[str] = Counter()
    for cell in notebook.cells:
        text = cell.cell_type + "\n" + cell.source
        cell.id = hashlib.sha256(f"{seen[text]}\n{text}".encode()).hexdigest()[:8]
        seen[text] += 1
        fold(cell)
    notebook.metadata = nbformat.from_dict(METADATA)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def agree(text: NotebookNode, stored: Path) -> bool:
    """Whether a stored notebook has exactly the cells of the text."""
    if not stored.exists():
        return False
    try:
        notebook = nbformat.read(stored, as_version=4)
    except (ValueError, nbformat.ValidationError):
        return False
    return [same(cell) for cell in text.cells] == [same(cell) for cell in notebook.cells]


def same(cell: NotebookNode) -> tuple[Any, ...]:
    """What a cell is without its outputs."""
    return cell.cell_type, cell.id, cell.source, dict(cell.metadata)


def steady(value: Any) -> Any:
    """An output without memory addresses, paths of this machine, and references to widgets of a kernel that is gone."""
    if isinstance(value, str):
        for pattern, stand_in in VOLATILE:
            value = pattern.sub(stand_in, value)
        return value
    if isinstance(value, list):
        return [steady(item) for item in value]
    if isinstance(value, dict):
        return nbformat.from_dict(
            {
                key: item if key.startswith("image/") else steady(item)
                for key, item in value.items()
                if key != "application/vnd.jupyter.widget-view+json"
            }
        )
    return value


def run(notebook: NotebookNode, folder: Path, name: str, timeout: int = 600) -> None:
    """Runs every cell in a fresh kernel with folder as its place. Raises LectureError naming the cell that failed."""
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=timeout,
        record_timing=False,
        coalesce_streams=True,
        extra_arguments=["--log-level=ERROR"],
        store_widget_state=False,
        resources={"metadata": {"path": str(folder)}},
    )
    at = 0

    def remember(cell: NotebookNode, cell_index: int) -> None:
        nonlocal at
        at = cell_index

    client.on_cell_start = remember
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    variables |= {"COURSE_BUILD": "1", "PYTHONHASHSEED": "0"}
    try:
        client.execute(env=variables)
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        cell = notebook.cells[at]
        what = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip()
        raise LectureError(f"{name}: cell {at} of {len(notebook.cells)} (id {cell.id}) failed.\n{what}") from error


def build(source: Path, target: Path, url: str = "") -> None:
    """Runs one text into its notebook. The notebook is replaced only when every cell ran."""
    notebook = read(source, url)
    run(notebook, target.parent, source.name)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [steady(output) for output in cell.outputs]
    notebook.metadata = nbformat.from_dict(METADATA)
    nbformat.validate(notebook)
    half = target.with_suffix(".tmp")
    half.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
    os.replace(half, target)


def main() -> int:
    """Builds what the command line asks for; 1 when a lecture failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stems", nargs="*", help="lectures such as 07_attacks; those whose text changed when left out")
    parser.add_argument("--all", action="store_true", help="every lecture")
    options = parser.parse_args()
    sources = {path.stem: path for path in sorted((LECTURES / "source").glob("[0-9][0-9]_*.md"))}
    unknown = [stem for stem in options.stems if stem not in sources]
    if unknown:
        parser.error(f"no text lectures/source/{unknown[0]}.md; there are: {', '.join(sources) or 'none'}")
    for stem, source in sources.items():
        target = LECTURES / f"{stem}.ipynb"
        named = options.all or stem in options.stems
        if not named and (options.stems or agree(read(source, address()), target)):
            continue
        print(f"{stem}: running ...", flush=True)
        start = time.perf_counter()
        try:
            build(source, target, address())
        except LectureError as error:
            print(error, file=sys.stderr)
            return 1
        print(f"{stem}: {time.perf_counter() - start:.0f} s, {target.stat().st_size / 2**20:.2f} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
