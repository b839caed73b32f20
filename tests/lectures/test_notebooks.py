"""Each lecture's text and its stored notebook agree, without running anything (nbval runs the notebooks)."""

import json
from itertools import zip_longest
from pathlib import Path

import nbformat
import pytest

from tools import notebooks

TEXTS = sorted((notebooks.LECTURES / "source").glob("*.md"))
STORED = sorted(notebooks.LECTURES.glob("*.ipynb"))


def stem(path: Path) -> str:
    return path.stem


def test_every_lecture_has_a_text_and_a_notebook() -> None:
    assert [path.stem for path in TEXTS] == [path.stem for path in STORED]


@pytest.mark.parametrize("text", TEXTS, ids=stem)
def test_text_and_notebook_have_the_same_cells(text: Path) -> None:
    wanted = [notebooks.same(cell) for cell in notebooks.read(text, notebooks.address()).cells]
    stored = nbformat.read(notebooks.LECTURES / f"{text.stem}.ipynb", as_version=4)
    found = [notebooks.same(cell) for cell in stored.cells]
    differ = [at for at, (a, b) in enumerate(zip_longest(wanted, found)) if a != b]
    assert not differ, f"cells {differ} differ: make notebooks NBFLAGS={text.stem}"


@pytest.mark.parametrize("text", TEXTS, ids=stem)
def test_the_first_code_cell_begins_with_the_set_up_cell(text: Path) -> None:
    first = next(cell for cell in notebooks.read(text).cells if cell.cell_type == "code")
    assert first.source.startswith(notebooks.SETUP_CELL + "\n"), "copy it from tools/setup_cell.py"


@pytest.mark.parametrize("path", STORED, ids=stem)
def test_the_notebook_was_run_from_top_to_bottom_without_an_error(path: Path) -> None:
    code = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    for cell in code:
        for output in cell.outputs:
            assert output.output_type != "error", cell.source
            assert output.get("name") != "stderr", f"{output.get('text')} from {cell.source}"


@pytest.mark.parametrize("path", STORED, ids=stem)
def test_the_notebook_is_stored_as_it_is_built(path: Path) -> None:
    """Under 2 MB, no trace of the machine, and the very bytes that a build writes: not saved from JupyterLab."""
    content = path.read_text(encoding="utf-8")
    assert len(content) < 2**21
    assert str(Path.home()) + "/" not in content and str(notebooks.ROOT) not in content
    assert json.loads(content)["metadata"] == notebooks.METADATA
    assert content == nbformat.writes(nbformat.reads(content, as_version=4)) + "\n"
