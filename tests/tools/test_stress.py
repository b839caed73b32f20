"""`make stress`: a toy lecture with one cell that fails in each variant, and many that hold."""

import argparse
from pathlib import Path

import pytest
from nbformat import v4

from tools import stress

CELLS = {
    "set-up": "import torch\nfrom helpers import runtime\ndevice = runtime.device()",
    "a lucky seed": "assert runtime.generator(3, 'cpu').initial_seed() == 3",
    "a lucky processor": "assert torch.backends.cpu.get_cpu_capability() != 'DEFAULT'",
    "a name": "n = 1",
    "a lucky order": "assert n == 1",
    "the same name": "n = 2",
    "no second device": "torch.ones(3, device=device) + torch.ones(3)",
    "right in all": "assert (torch.ones(3, device=device).cpu().numpy() == 1).all()",
}
FAILS = {
    "plain": [],
    "seed=1": ["a lucky seed"],
    "cpu=old": ["a lucky processor"],
    "order=1": ["run again, assert n == 1"],
    "gpu": ["no second device"],
}


@pytest.fixture
def lecture(tmp_path: Path) -> Path:
    blocks = [f"## {title}\n\n```{{code-cell}} ipython3\n{source}\n```\n" for title, source in CELLS.items()]
    path = tmp_path / "00_toy.md"
    path.write_text("\n".join(["# A toy\n", *blocks]))
    return path


@pytest.mark.parametrize("variant", FAILS)
def test_each_variant_finds_the_cell_that_holds_here_only(lecture: Path, variant: str) -> None:
    found = stress.stress(lecture, variant)
    assert [failure.where.removeprefix("## ") for failure in found] == FAILS[variant]
    assert sorted(path.name for path in lecture.parent.iterdir()) == ["00_toy.md"]


def test_a_row_names_the_cell_the_line_and_the_error(
    lecture: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    failure = stress.Failure(13, "## no second device", "-> 1 a + b", "RuntimeError: two devices")
    monkeypatch.setattr(stress, "stress", lambda source, variant: [failure] if variant == "gpu" else [])
    assert stress.report(lecture, "plain") and not stress.report(lecture, "gpu")
    held, failed, *rest = capsys.readouterr().out.splitlines()
    assert held.startswith("00_toy          plain") and held.endswith("holds") and failed.endswith("1 cell failed")
    assert [row.strip() for row in rest] == ["cell 13: ## no second device", *failure[2:]]


def test_a_name_that_a_failed_cell_should_have_left_is_not_counted_again() -> None:
    error = {"output_type": "error", "evalue": "", "traceback": ["Traceback", "----> 1 the line"]}
    cells = [v4.new_markdown_cell("# Title\n## Section"), *(v4.new_code_cell(f"line {k}") for k in range(3))]
    for cell, name in zip(cells[1:], ("NameError", "ValueError", "NameError"), strict=True):
        cell.outputs = [v4.new_output(ename=name, **error)]
    found = list(stress.failures(v4.new_notebook(cells=[v4.new_code_cell("the variant"), *cells])))
    assert found == [
        stress.Failure(1, "## Section", "----> 1 the line", "NameError: "),  # nothing failed before: its own fault
        stress.Failure(2, "## Section", "----> 1 the line", "ValueError: "),
    ]


@pytest.mark.parametrize("variant", [*stress.VARIANTS, "plain", "seed=17", "order=4"])
def test_the_variants_have_names(variant: str) -> None:
    assert stress.a_variant(variant) == variant


@pytest.mark.parametrize("variant", ["", "cpu", "cpu=new", "seed=", "seed=x", "gpu=1"])
def test_other_variants_are_refused(variant: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="use plain, seed=K"):
        stress.a_variant(variant)


def test_a_lecture_that_does_not_exist_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        stress.main(["99"])
    assert "no lecture begins so; there are: 01_risk" in capsys.readouterr().err
