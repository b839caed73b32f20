"""The copies in work/: copied once, never overwritten, and a clear line for whatever happened to them."""

import json
from pathlib import Path

from tests.tools.lessons import COPY, NAME, bring, change, lecture, names, notebook
from tools import lab


def test_a_lecture_is_copied_once(tmp_path: Path) -> None:
    content = lecture(tmp_path, "first")
    assert bring(tmp_path) == [f"{NAME}: copied"]
    assert (tmp_path / COPY).read_bytes() == content
    assert bring(tmp_path) == []
    assert names(tmp_path) == [lab.RECORD, NAME]


def test_a_copy_has_not_been_run_and_hides_no_answer(tmp_path: Path) -> None:
    """What is run is seen: an output that is hidden in the stored notebook would stay hidden."""
    hidden = {"jupyter": {"outputs_hidden": True, "source_hidden": True}}
    (tmp_path / "lectures").mkdir()
    for tags, kept in ((["answer"], {}), (["setup"], hidden)):
        lecture_file = tmp_path / "lectures" / f"0{len(kept)}_x.ipynb"
        lecture_file.write_bytes(notebook("word", tags=tags, **hidden))
        bring(tmp_path)
        words, code = json.loads((tmp_path / "work" / lecture_file.name).read_text())["cells"]
        assert (code["outputs"], code["execution_count"], words["source"]) == ([], None, "word")
        assert code["metadata"] == {"tags": tags, **kept} and code["source"] == ["1 + 1\n", "# sum"]


def test_running_and_saving_a_copy_is_no_change(tmp_path: Path) -> None:
    """JupyterLab writes other metadata, outputs and line breaks of the JSON."""
    lecture(tmp_path, "first")
    bring(tmp_path)
    saved = json.loads((tmp_path / COPY).read_text())
    saved["metadata"] = {"kernelspec": {"name": "python3"}, "language_info": {"name": "python", "version": "3.11"}}
    saved["cells"][0]["source"] = list(saved["cells"][0]["source"])
    saved["cells"][1] |= {"source": "1 + 1\n# sum", "execution_count": 7, "metadata": {"trusted": True}}
    (tmp_path / COPY).write_text(json.dumps(saved))
    assert bring(tmp_path) == []
    lecture(tmp_path, "second")
    assert bring(tmp_path) == [f"{NAME}: refreshed to the newer version (you had not changed its cells)"]


def test_new_outputs_alone_are_no_newer_version(tmp_path: Path) -> None:
    lecture(tmp_path, "first")
    bring(tmp_path)
    mine = change(tmp_path)
    built = json.loads(notebook("first"))
    built["cells"][1]["outputs"] = []
    (tmp_path / "lectures" / NAME).write_text(json.dumps(built))
    assert bring(tmp_path) == []
    assert (tmp_path / COPY).read_bytes() == mine and names(tmp_path) == [lab.RECORD, NAME]


def test_the_verdicts_beside_the_copies_are_no_lecture(tmp_path: Path) -> None:
    """The exercises keep them in work/.progress, one file a lecture."""
    lecture(tmp_path, "first")
    kept = tmp_path / "work" / ".progress" / "risk.json"
    kept.parent.mkdir(parents=True)
    kept.write_text("{}")
    bring(tmp_path)
    assert names(tmp_path) == [lab.RECORD, ".progress", NAME] and kept.read_text() == "{}"
    assert list(json.loads((tmp_path / "work" / lab.RECORD).read_text())) == [NAME]


def test_a_changed_copy_stays(tmp_path: Path) -> None:
    lecture(tmp_path, "first")
    bring(tmp_path)
    mine = change(tmp_path)
    assert bring(tmp_path) == []
    assert (tmp_path / COPY).read_bytes() == mine


def test_a_newer_lecture_goes_beside_a_changed_copy_and_is_said_once(tmp_path: Path) -> None:
    lecture(tmp_path, "first")
    bring(tmp_path)
    mine, second = change(tmp_path), lecture(tmp_path, "second")
    assert bring(tmp_path) == [
        f"{NAME}: there is a newer version: your copy stays, the newest one is 01_risk.new.ipynb"
    ]
    assert (tmp_path / COPY).read_bytes() == mine
    assert (tmp_path / "work/01_risk.new.ipynb").read_bytes() == second
    assert bring(tmp_path) == []
    (tmp_path / "work/01_risk.new.ipynb").unlink()  # the student has seen it
    assert bring(tmp_path) == []


def test_a_newer_lecture_never_overwrites_an_earlier_one_beside(tmp_path: Path) -> None:
    lecture(tmp_path, "first")
    bring(tmp_path)
    mine = change(tmp_path)
    lecture(tmp_path, "second")
    bring(tmp_path)
    (tmp_path / "work/01_risk.new.ipynb").write_bytes(b"worked on, too")
    third = lecture(tmp_path, "third")
    assert "01_risk.new-2.ipynb" in bring(tmp_path)[0]
    assert (tmp_path / COPY).read_bytes() == mine
    assert (tmp_path / "work/01_risk.new.ipynb").read_bytes() == b"worked on, too"
    assert (tmp_path / "work/01_risk.new-2.ipynb").read_bytes() == third


def test_a_newer_lecture_refreshes_an_untouched_copy(tmp_path: Path) -> None:
    lecture(tmp_path, "first")
    bring(tmp_path)
    second = lecture(tmp_path, "second")
    assert bring(tmp_path) == [f"{NAME}: refreshed to the newer version (you had not changed its cells)"]
    assert (tmp_path / COPY).read_bytes() == second
    assert names(tmp_path) == [lab.RECORD, NAME]


def test_a_copy_replaced_by_the_newer_one_counts_as_untouched(tmp_path: Path) -> None:
    lecture(tmp_path, "first")
    bring(tmp_path)
    change(tmp_path)
    lecture(tmp_path, "second")
    bring(tmp_path)
    (tmp_path / "work/01_risk.new.ipynb").replace(tmp_path / COPY)
    assert bring(tmp_path) == []
    third = lecture(tmp_path, "third")
    assert "refreshed" in bring(tmp_path)[0]
    assert (tmp_path / COPY).read_bytes() == third


def test_a_deleted_copy_comes_back_fresh(tmp_path: Path) -> None:
    content = lecture(tmp_path, "first")
    bring(tmp_path)
    (tmp_path / COPY).unlink()
    assert bring(tmp_path) == [f"{NAME}: your copy was gone: a fresh one is in its place"]
    assert (tmp_path / COPY).read_bytes() == content
