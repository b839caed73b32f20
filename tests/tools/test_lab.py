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


def notebook(text: str, **metadata: object) -> bytes:
    """A lecture of a text and a cell that was run."""
    output = {"output_type": "stream", "name": "stdout", "text": ["2\n"]}
    code = {"cell_type": "code", "source": ["1 + 1\n", "# sum"], "outputs": [output], "execution_count": 1}
    words = {"cell_type": "markdown", "source": text, "metadata": {}}
    return json.dumps({"cells": [words, {**code, "metadata": metadata}], "metadata": {}}).encode()


def lecture(root: Path, text: str) -> bytes:
    """Publishes a version of the lecture and returns the bytes of a fresh copy."""
    (root / "lectures").mkdir(exist_ok=True)
    (root / "lectures" / NAME).write_bytes(notebook(text))
    return lab.handed_out(notebook(text))


def bring(root: Path) -> list[str]:
    return lab.bring(root / "lectures", root / "work")


def names(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "work").iterdir())


def change(root: Path, content: bytes = notebook("my answer")) -> bytes:
    (root / COPY).write_bytes(content)
    return content


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


def test_a_damaged_lecture_is_named_with_its_remedy_and_no_copy_is_touched(tmp_path: Path) -> None:
    content = lecture(tmp_path, "first")
    bring(tmp_path)
    (tmp_path / "lectures" / NAME).write_text("<<<<<<< HEAD")
    assert bring(tmp_path) == [
        f"{NAME}: the course's own file is damaged: restore it with `git checkout -- lectures/{NAME}`"
    ]
    assert (tmp_path / COPY).read_bytes() == content


def test_the_verdicts_beside_the_copies_are_no_lecture(tmp_path: Path) -> None:
    """The exercises keep them in work/.progress, one file a lecture."""
    lecture(tmp_path, "first")
    kept = tmp_path / "work" / ".progress" / "risk.json"
    kept.parent.mkdir(parents=True)
    kept.write_text("{}")
    bring(tmp_path)
    assert names(tmp_path) == [lab.RECORD, ".progress", NAME] and kept.read_text() == "{}"
    assert list(json.loads((tmp_path / "work" / lab.RECORD).read_text())) == [NAME]


def test_what_an_interruption_left_goes_away(tmp_path: Path) -> None:
    lecture(tmp_path, "first")
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / f".{NAME}.abc{lab.HALF}").write_bytes(b"ha")
    bring(tmp_path)
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


COPIES = """
import sys
from pathlib import Path
from tools import lab

root = Path(sys.argv[1])
with lab.alone(root, "make lab"):
    print(*lab.bring(root / "lectures", root / "work"))
"""


def test_two_labs_at_once_copy_once(tmp_path: Path) -> None:
    lecture(tmp_path, "first")
    command = [sys.executable, "-c", COPIES, str(tmp_path)]
    both = [subprocess.Popen(command, cwd=lab.ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum("copied" in words for words in said) == 1
    assert names(tmp_path) == [lab.RECORD, NAME]


def test_jupyterlab_is_told_where_the_work_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exercises keep their verdicts there; scale and room are handed on as they are."""
    seen: dict[str, object] = {}
    lecture(tmp_path, "first")
    monkeypatch.setattr(lab, "ROOT", tmp_path)
    monkeypatch.setattr(lab, "quiet_settings", lambda prefix: None)
    monkeypatch.setattr(lab.os, "execv", lambda program, command: seen.update(os.environ, command=command))
    monkeypatch.setattr(sys, "argv", ["lab", "--no-browser"])
    for name, value in (("COURSE_WORK", "elsewhere"), ("COURSE_SCALE", "full"), ("COURSE_ROOM", "1")):
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    lab.main()
    assert seen["COURSE_WORK"] == str(tmp_path / "work") and (seen["COURSE_SCALE"], seen["COURSE_ROOM"]) == (
        "full",
        "1",
    )
    assert seen["command"] == lab.command(tmp_path / "work", ["--no-browser"])


def test_a_checkout_that_cannot_be_written_is_one_sentence(tmp_path: Path, monkeypatch, capsys) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise OSError(30, "Read-only file system", str(tmp_path))

    monkeypatch.setattr(lab, "ROOT", tmp_path)
    monkeypatch.setattr(Path, "mkdir", refuse)
    assert lab.main() == 1
    assert "clone the course into a folder of your own" in capsys.readouterr().err


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
