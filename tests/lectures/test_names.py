"""Once a lecture has run, every cell can be run again, in any order: no name that other cells need has two meanings.

`make stress` runs the cells in such an order (order=K); this reads their names, and takes no time.
"""

from pathlib import Path

import pytest

from tests.lectures import names
from tools import notebooks

TEXTS = sorted((notebooks.LECTURES / "source").glob("[0-9][0-9]_*.md"))


def code(text: Path) -> list[str]:
    return [cell.source for cell in notebooks.read(text).cells if cell.cell_type == "code"]


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text.stem)
def test_no_name_that_other_cells_need_has_two_meanings(text: Path) -> None:
    assert names.two_meanings(code(text)) == {}, "name: the code cells that bind it; call one of the things otherwise"


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text.stem)
def test_every_name_is_bound_above(text: Path) -> None:
    assert names.missing(code(text)) == {}, "name: the code cell that reads it"


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        (["x = 1", "y = x", "x = 2"], {"x": [0, 2]}),
        (["x = 1", "x = 2; y = x"], {}),  # each cell binds it before it reads it
        (["x = 1", "x += 1"], {"x": [0, 1]}),
        (["x = 1", "x = x + 1"], {"x": [0, 1]}),
        (["for x in range(3): print(x)", "for x in range(3): print(x)"], {}),
        (["x = 1\ndef f(): return x", "f()", "x = 2"], {"x": [0, 2]}),  # f runs later, and reads another x then
        (["x = 1\ndef f(): return x\nf()", "x = 2"], {}),  # f runs in its own cell only
        (["x = 1\nf = lambda y: x + y", "f(1)", "x = 2"], {"x": [0, 2]}),
        (["x = 1\ndef f(): return x\ndef g(): return f()", "g()", "x = 2"], {"x": [0, 2]}),
        (["x = 1", "def f(x): return x", "[x for x in range(3)]", "lambda x: x"], {}),
        (["x = 1", "import torch as x", "x"], {"x": [0, 1]}),
        (["a, (b, c) = 1, (2, 3)", "b", "with open('f') as b: pass"], {"b": [0, 2]}),
    ],
)
def test_names_with_two_meanings_are_found(cells: list[str], found: dict[str, list[int]]) -> None:
    assert names.two_meanings(cells) == found


def test_a_name_that_nobody_binds_is_found() -> None:
    assert names.missing(["x = 1", "def f(y=z): return w", "print(x)", "w = z = 1"]) == {"w": 1, "z": 1}
