"""Whatever is damaged or cannot be written, no answer of a student is lost, and one sentence says what to do."""

from pathlib import Path

import pytest

from tests.tools.lessons import COPY, NAME, bring, change, lecture, names
from tools import lab


def test_a_damaged_lecture_is_named_with_its_remedy_and_no_copy_is_touched(tmp_path: Path) -> None:
    content = lecture(tmp_path, "first")
    bring(tmp_path)
    (tmp_path / "lectures" / NAME).write_text("<<<<<<< HEAD")
    assert bring(tmp_path) == [
        f"{NAME}: the course's own file is damaged: restore it with `git checkout -- lectures/{NAME}`"
    ]
    assert (tmp_path / COPY).read_bytes() == content


def test_what_an_interruption_left_goes_away(tmp_path: Path) -> None:
    lecture(tmp_path, "first")
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / f".{NAME}.abc{lab.HALF}").write_bytes(b"ha")
    bring(tmp_path)
    assert names(tmp_path) == [lab.RECORD, NAME]


@pytest.mark.parametrize("half", [b"", b'{"cells": [{"cell_type": "mark', b"\xff\xfe", b"[]", b"3"])
def test_a_half_written_copy_stays_and_a_whole_one_lies_beside(tmp_path: Path, half: bytes) -> None:
    content = lecture(tmp_path, "first")
    bring(tmp_path)
    change(tmp_path, half)
    for _ in range(2):
        (line,) = bring(tmp_path)
        assert "not a whole notebook" in line and line.endswith("see 01_risk.new.ipynb")
    assert (tmp_path / COPY).read_bytes() == half
    assert (tmp_path / "work/01_risk.new.ipynb").read_bytes() == content
    assert names(tmp_path) == [lab.RECORD, NAME, "01_risk.new.ipynb"]


@pytest.mark.parametrize("record", [b"", b"{", b"[1]", b'{"01_risk.ipynb": 3}', b'{"01_risk.ipynb": {"copied": 3}}'])
def test_a_damaged_record_is_put_aside_and_nothing_is_lost(tmp_path: Path, record: bytes) -> None:
    lecture(tmp_path, "first")
    bring(tmp_path)
    mine, second = change(tmp_path), lecture(tmp_path, "second")
    (tmp_path / "work" / lab.RECORD).write_bytes(record)
    said, line = bring(tmp_path)
    assert said.startswith("the record of copies was damaged")
    assert "nothing tells which version your copy came from" in line
    assert (tmp_path / COPY).read_bytes() == mine
    assert (tmp_path / "work/01_risk.new.ipynb").read_bytes() == second
    assert (tmp_path / "work/.course.damaged.json").read_bytes() == record
    assert bring(tmp_path) == []


def test_a_lost_record_does_not_disturb_untouched_copies(tmp_path: Path) -> None:
    lecture(tmp_path, "first")
    bring(tmp_path)
    (tmp_path / "work" / lab.RECORD).unlink()
    assert bring(tmp_path) == []
    assert names(tmp_path) == [lab.RECORD, NAME]


def test_other_files_of_the_student_are_left_alone(tmp_path: Path) -> None:
    lecture(tmp_path, "first")
    (tmp_path / "work" / NAME).mkdir(parents=True)
    (tmp_path / "work" / "notes.md").write_text("mine")
    assert bring(tmp_path) == [f"{NAME}: is not a file: left as it is"]
    assert (tmp_path / "work" / "notes.md").read_text() == "mine"


def test_a_work_that_is_a_file_is_one_sentence(tmp_path: Path) -> None:
    lecture(tmp_path, "first")
    (tmp_path / "work").write_text("not a folder")
    with pytest.raises(lab.Failure, match=r"work is a file where the folder .* move it away, run make lab again\."):
        bring(tmp_path)
    assert (tmp_path / "work").read_text() == "not a folder"


def test_a_work_that_cannot_be_written_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lecture(tmp_path, "first")

    def refuse(**options: object) -> None:
        raise PermissionError(13, "Permission denied", str(options["dir"]))

    monkeypatch.setattr(lab.tempfile, "mkstemp", refuse)
    with pytest.raises(lab.Failure, match=r"work cannot be used \(Permission denied: .*work\): mend its permissions"):
        bring(tmp_path)


def test_nothing_half_written_is_left_when_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lecture(tmp_path, "first")
    bring(tmp_path)
    before, _ = (tmp_path / COPY).read_bytes(), lecture(tmp_path, "second")

    def full(*paths: object) -> None:
        raise OSError(28, "No space left on device", str(paths[1]))

    monkeypatch.setattr(lab.os, "replace", full)
    with pytest.raises(lab.Failure, match="No space left on device: .*: make room, then run make lab again"):
        bring(tmp_path)
    assert (tmp_path / COPY).read_bytes() == before and names(tmp_path) == [lab.RECORD, NAME]
