"""What making an environment stands on: one at a time, and a sentence that names the remedy when it cannot be made."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tools import installer

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("output", "free", "remedy"),
    [
        ("OSError: [Errno 28] No space left on device", 2**40, "free about 8 GB"),
        ("error: failed to write", 1000, "free about 8 GB"),
        ("[Errno 30] Read-only file system: '/course/.cache'", 2**40, "clone the course into a folder of your own"),
        ("error: failed to open file `x`: Permission denied (os error 13)", 2**40, "into a folder of your own"),
        ("error: Failed to fetch\n  Caused by: dns error: failed to lookup address", 2**40, "check the network"),
        ("ReadTimeoutError: Read timed out.", 2**40, "check the network"),
        ("Failed to establish a new connection: [Errno 101] Network is unreachable", 2**40, "check the network"),
        ("Could not find a version that satisfies uv==1 (from versions: none)", 2**40, "check the network"),
        ("HTTP status server error (503 Service Unavailable) for url", 2**40, "wait some minutes"),
        ("HTTPError: 502 Server Error: Bad Gateway for url", 2**40, "wait some minutes"),
        ("HTTPError: 403 Client Error: Forbidden for url", 2**40, "user name, password and proxy"),
        ("HTTP status client error (401 Unauthorized) for url", 2**40, "user name, password and proxy"),
        ("The virtual environment was not created: ensurepip is not available", 2**40, "apt install python3-venv"),
        ("/usr/bin/python3: No module named venv", 2**40, "apt install python3-venv"),
        ("cannot build /home/me/connect $lookup/resolution of things", 2**40, "make clean"),
        ("ResolutionImpossible: packages conflict", 2**40, "make clean"),
        ("something else", 2**40, "make clean"),
    ],
)
def test_a_failure_is_one_sentence_with_its_remedy(output: str, free: int, remedy: str) -> None:
    sentence = installer.explain(output, free)
    assert remedy in sentence and "\n" not in sentence and sentence.endswith(".")


def test_a_file_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    sentence = installer.explain_error(PermissionError(13, "Permission denied", "/course/.cache"), tmp_path)
    assert "a folder of your own" in sentence and "/course/.cache" in sentence


def test_a_real_pip_without_a_network_is_recognised(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--retries=0", "--no-cache-dir", installer.UV]
    command += ["--target", str(tmp_path), "--index-url", "http://127.0.0.1:9/simple"]
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    with pytest.raises(installer.Failure, match="check the network"):
        installer.run(command, tmp_path, {**variables, "PIP_CONFIG_FILE": os.devnull})


def test_a_real_uv_without_a_network_is_recognised(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "uv", "pip", "install", "--no-cache", "--target", str(tmp_path), "six"]
    command += ["--default-index", "http://127.0.0.1:9/simple"]
    with pytest.raises(installer.Failure, match="check the network"):
        installer.run(command, tmp_path, {"PATH": os.environ["PATH"], "UV_HTTP_RETRIES": "0"})


def test_a_command_that_does_not_exist_is_a_failure(tmp_path: Path) -> None:
    with pytest.raises(installer.Failure):
        installer.run([str(tmp_path / "no python")], tmp_path)


def test_what_a_command_prints_is_shown_whatever_its_encoding(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    code = r"import sys; sys.stdout.buffer.write(b'caf\xe9\n + a package\n')"
    installer.run([sys.executable, "-c", code], tmp_path)
    assert capsys.readouterr().out == "    caf\\xe9\n"


def test_settings_that_put_packages_elsewhere_are_switched_off(tmp_path: Path) -> None:
    """As pip itself sees them, from its variables and from its files."""
    config = tmp_path / "pip.conf"
    config.write_text(f"[global]\nuser = true\ntarget = {tmp_path / 'there'}\nprefix = {tmp_path / 'there'}\n")
    variables = {**os.environ, "PIP_CONFIG_FILE": str(config), "PIP_ROOT": str(tmp_path), "PIP_USER": "1"}
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--no-deps", "--no-index", str(ROOT)]
    command += ["--no-build-isolation"]
    bad = subprocess.run(command, env=variables, capture_output=True, text=True)
    assert bad.returncode and "ombine" in bad.stderr, bad.stderr  # "Can not combine '--user' and '--target'"
    good = subprocess.run(command, env=variables | installer.ELSEWHERE, capture_output=True, text=True)
    assert good.returncode == 0, good.stderr


def test_the_settings_of_pip_reach_uv() -> None:
    settings = "\n".join(
        [
            ":env:.find-links='/wheels one two'",
            "global.find-links='/other'",
            "global.index-url='https://mirror.example/simple'",
            "global.timeout='60'",
        ]
    )
    assert installer.uv_variables(settings, {"HOME": "/h"}) == {
        "UV_FIND_LINKS": "/wheels,one,two",
        "UV_DEFAULT_INDEX": "https://mirror.example/simple",
        "HOME": "/h",
    }
    assert installer.uv_variables(settings, {"UV_FIND_LINKS": "/mine"})["UV_FIND_LINKS"] == "/mine"


HOLD = """
import sys, time
from pathlib import Path
from tools import installer

with installer.alone(Path(sys.argv[1])):
    print("in", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def hold(root: Path, seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", HOLD, str(root), str(seconds)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_of_two_at_once_the_second_says_so_and_waits(tmp_path: Path) -> None:
    first = hold(tmp_path, 1.5)
    assert first.stdout is not None and first.stdout.readline() == "in\n"
    start, second = time.monotonic(), hold(tmp_path, 0)
    said = second.communicate(timeout=60)[0]
    assert said == "Another make is running here; waiting for it ...\nin\n"
    assert time.monotonic() - start > 1 and first.wait() == 0


def test_a_lock_whose_holder_was_killed_is_free(tmp_path: Path) -> None:
    first = hold(tmp_path, 60)
    assert first.stdout is not None and first.stdout.readline() == "in\n"
    first.kill()
    first.wait()
    assert hold(tmp_path, 0).communicate(timeout=60)[0] == "in\n"


def test_a_disk_without_locks_is_no_reason_not_to_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*arguments: object) -> None:
        raise OSError(installer.errno.ENOLCK, "No locks available")

    monkeypatch.setattr(installer.fcntl, "flock", none)
    with installer.alone(tmp_path):
        pass


def test_a_step_says_what_is_going_on_and_for_how_long(capsys: pytest.CaptureFixture, monkeypatch) -> None:
    monkeypatch.setattr(installer, "PATIENCE", 0.05)
    with installer.step("Making things"):
        time.sleep(0.2)
    first, still, *_, last = capsys.readouterr().out.splitlines()
    assert first == "Making things ..." and still == "    ... still making things, 0 s so far" and last == "    0 s"


def made(folder: Path) -> Path:
    """An environment that looks made from "this"."""
    python = installer.python_of(folder)
    python.parent.mkdir(parents=True)
    python.touch()
    site = folder / "lib" / "python3.11" / "site-packages"
    for name in ("torch", "torch-2.13.0.dist-info", "__pycache__"):
        (site / name).mkdir(parents=True)
    installer.finish(folder, "this")
    return site


def test_an_environment_is_whole_or_what_is_wrong_is_known(tmp_path: Path) -> None:
    site = made(tmp_path)
    assert installer.fault(tmp_path, "this") is None
    assert installer.fault(tmp_path, "that") == ""
    (site / "more").mkdir()  # what a student installs does no harm
    assert installer.fault(tmp_path, "this") is None
    (site / "torch").rmdir()
    assert installer.fault(tmp_path, "this") == "torch"
    (tmp_path / "course.stamp").unlink()
    assert installer.fault(tmp_path, "this") == ""


def test_a_python_that_is_gone_is_seen(tmp_path: Path) -> None:
    made(tmp_path)
    installer.python_of(tmp_path).unlink()
    installer.python_of(tmp_path).symlink_to("/nowhere/python")
    assert installer.fault(tmp_path, "this") == ""
