"""The text of a lecture and its notebook: same cells, same bytes from every run, and a clear word when a cell fails."""

from pathlib import Path

import nbformat
import pytest

from tools import notebooks

FIXTURE = Path(__file__).parents[1] / "lectures" / "fixtures" / "00_fixture.md"
ADDRESS = "https://github.com/owner/course"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The fixture's text run twice, in two places."""
    targets = [tmp_path_factory.mktemp(name) / "00_fixture.ipynb" for name in ("first place", "second")]
    for target in targets:
        notebooks.build(FIXTURE, target)
    return targets


def test_two_builds_are_byte_identical(built: list[Path]) -> None:
    first, second = (path.read_bytes() for path in built)
    places = [str(path.parent).encode() for path in built]
    assert first.replace(places[0], b"") == second.replace(places[1], b"")
    assert len(first) > 3000


def test_outputs_hold_nothing_of_the_run_or_the_machine(built: list[Path]) -> None:
    notebook = nbformat.read(built[0], as_version=4)
    text = built[0].read_text()
    assert "<object object at 0x...>" in text
    assert "ipykernel_" not in text and "<cell>" in text
    assert "widget-view" not in text and "widgets" not in notebook.metadata
    assert "image/png" in notebook.cells[3].outputs[1].data
    assert notebook.metadata == notebooks.METADATA
    assert [cell.get("execution_count") for cell in notebook.cells if cell.cell_type == "code"] == [1, 2, 3]
    assert all("execution" not in cell.metadata for cell in notebook.cells)


def test_the_built_notebook_agrees_with_its_text(built: list[Path]) -> None:
    text = notebooks.read(FIXTURE)
    assert notebooks.agree(text, built[0])
    text.cells[1].source += "  # changed"
    assert not notebooks.agree(text, built[0])


@pytest.mark.parametrize("content", [None, "", "{"])
def test_a_missing_or_half_written_notebook_does_not_agree(tmp_path: Path, content: str | None) -> None:
    stored = tmp_path / "00_fixture.ipynb"
    if content is not None:
        stored.write_text(content)
    assert not notebooks.agree(notebooks.read(FIXTURE), stored)


def test_ids_stay_when_another_cell_changes(tmp_path: Path) -> None:
    before = [cell.id for cell in notebooks.read(FIXTURE).cells]
    changed = tmp_path / "00_fixture.md"
    changed.write_text(FIXTURE.read_text().replace("print(1 + 1)", "print(1 + 2)"))
    after = [cell.id for cell in notebooks.read(changed).cells]
    assert sum(a != b for a, b in zip(before, after, strict=True)) == 1
    assert len(set(after)) == len(after)


def test_equal_cells_have_different_ids(tmp_path: Path) -> None:
    twice = tmp_path / "00_twice.md"
    twice.write_text(FIXTURE.read_text() + "\n```{code-cell} ipython3\n1\n```\n\n```{code-cell} ipython3\n1\n```\n")
    ids = [cell.id for cell in notebooks.read(twice).cells]
    assert len(set(ids)) == len(ids)


def test_a_failing_cell_is_named_and_the_stored_notebook_stays(tmp_path: Path) -> None:
    source, target = tmp_path / "00_fails.md", tmp_path / "00_fails.ipynb"
    source.write_text("# Title\n\n```{code-cell} ipython3\n1\n```\n\n```{code-cell} ipython3\n1 / 0\n```\n")
    target.write_text("what was there")
    with pytest.raises(notebooks.LectureError, match=r"00_fails\.md: cell 2 of 3 .*failed[\s\S]*ZeroDivisionError"):
        notebooks.build(source, target)
    assert target.read_text() == "what was there"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["00_fails.ipynb", "00_fails.md"]


def test_an_address_stamps_the_badge_and_the_set_up_cell(tmp_path: Path) -> None:
    source = tmp_path / "01_risk.md"
    source.write_text(
        f"# Title\n\nPromise.\n\n```{{code-cell}} ipython3\n{notebooks.SETUP_CELL}\n\nimport torch\n```\n"
    )
    plain, stamped = notebooks.read(source), notebooks.read(source, ADDRESS)
    assert "colab" not in plain.cells[0].source
    assert stamped.cells[0].source.startswith("# Title\n\n[![Open in Colab](https://colab.research.google.com/assets/")
    assert "/github/owner/course/blob/main/lectures/01_risk.ipynb)" in stamped.cells[0].source
    assert stamped.cells[0].source.endswith("Promise.")
    assert f'address, course = "{ADDRESS}",' in stamped.cells[1].source
    assert stamped.cells[1].source.endswith("import torch")


def test_the_address_of_the_course_is_one_that_colab_opens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebooks, "ROOT", tmp_path)
    for value in ("", ADDRESS):
        (tmp_path / "pyproject.toml").write_text(f'[tool.course]\naddress = "{value}"\n')
        assert notebooks.address() == value
    (tmp_path / "pyproject.toml").write_text('[tool.course]\naddress = "github.com/owner"\n')
    with pytest.raises(ValueError, match="must be https://github.com/OWNER/REPOSITORY .*, got 'github.com/owner'"):
        notebooks.address()


def test_what_is_folded_follows_from_the_tags(tmp_path: Path) -> None:
    text = tmp_path / "00_x.md"
    tags = ("answer", "hide-input", "x")
    cells = [f"```{{code-cell}}\n:tags: [{tag}]\n\n1 + {k}\n```\n" for k, tag in enumerate(tags)]
    text.write_text("# Title\n\n" + "\n".join(cells) + f"\n```{{code-cell}}\n{notebooks.SETUP_CELL}\n```\n")
    found = [cell.metadata.get("jupyter") for cell in notebooks.read(text).cells if cell.cell_type == "code"]
    assert found == [{"outputs_hidden": True}, {"source_hidden": True}, None, {"source_hidden": True}]
