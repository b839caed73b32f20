"""The copies in work/: copied once, never overwritten, and a clear line for whatever happened to them."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tools import lab

NAME = "01_risk.ipynb"
COPY = "work/01_risk.ipynb"


def lecture(root: Path, text: str) -> bytes:
    """Publishes a version of the lecture and returns its bytes."""
    (root / "lectures").mkdir(exist_ok=True)
    content = json.dumps({"cells": [{"cell_type": "markdown", "source": text}]}).encode()
    (root / "lectures" / NAME).write_bytes(content)
    return content


def bring(root: Path) -> list[str]:
    return lab.bring(root / "lectures", root / "work")


def names(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "work").iterdir())


def change(root: Path, content: bytes = b'{"cells": ["my answer"]}') -> bytes:
    (root / COPY).write_bytes(content)
    return content


def test_a_lecture_is_copied_once(tmp_path: Path) -> None:
    content = lecture(tmp_path, "first")
    assert bring(tmp_path) == [f"{NAME}: copied"]
    assert (tmp_path / COPY).read_bytes() == content
    assert bring(tmp_path) == []
    assert names(tmp_path) == [lab.RECORD, NAME]


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
    assert bring(tmp_path) == [f"{NAME}: refreshed to the newer version (you had not changed it)"]
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
    with pytest.raises(lab.Failure, match="The folder work cannot be used .*work.*: make room or mend its permissions"):
        bring(tmp_path)


def test_nothing_half_written_is_left_when_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lecture(tmp_path, "first")
    bring(tmp_path)
    before, _ = (tmp_path / COPY).read_bytes(), lecture(tmp_path, "second")

    def full(self: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(lab.Failure, match="No space left on device"):
        bring(tmp_path)
    assert (tmp_path / COPY).read_bytes() == before


def test_jupyterlab_opens_on_the_lectures_with_its_token_and_without_news(tmp_path: Path) -> None:
    """Starts the real thing: the list of lectures needs the token, and the news pop-up is off."""
    work = tmp_path / "the work"
    lecture(tmp_path, "first")
    lab.bring(tmp_path / "lectures", work)
    lab.quiet_settings(Path(sys.prefix))
    home = tmp_path / "home"
    home.mkdir()
    variables = {**os.environ, "HOME": str(home), "JUPYTER_TOKEN": "secret", "JUPYTER_RUNTIME_DIR": str(home / "run")}
    flags = ["--no-browser", "--allow-root", "--port=0"]
    server = subprocess.Popen(lab.command(work, flags), env=variables, cwd=work, stderr=subprocess.DEVNULL)
    try:
        for _ in range(300):
            if found := list((home / "run").glob("jpserver-*.json")):
                break
            time.sleep(0.1)
        url = json.loads(found[0].read_text())["url"]
        assert url.startswith(("http://localhost:", "http://127.0.0.1:"))
        listing = json.loads(ask(url + "api/contents?token=secret"))
        assert [entry["name"] for entry in listing["content"]] == [NAME]
        with pytest.raises(urllib.error.HTTPError, match="403"):
            ask(url + "api/contents")
        page = ask(url + "lab/api/settings/@jupyterlab/apputils-extension:notification?token=secret")
        assert json.loads(page)["schema"]["properties"]["fetchNews"]["default"] == "false"
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=20)


def ask(url: str) -> str:
    with urllib.request.urlopen(url, timeout=20) as answer:
        return answer.read().decode()
