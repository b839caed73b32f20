"""JupyterLab is started on the copies, with its token and without news; two at once copy once."""

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

from tests.tools.lessons import NAME, lecture, names
from tools import lab

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
