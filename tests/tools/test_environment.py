"""The environment: done once, and a sentence that names the remedy when it cannot be made."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools import environment

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """A course in a folder with spaces, with an environment that looks made."""
    root = tmp_path / "my deep course"
    python = environment.python_of(root)
    python.parent.mkdir(parents=True)
    python.touch()
    (root / "requirements.lock").write_text("torch==1\n")
    (root / "pyproject.toml").write_text("[project]\n")
    (root / ".venv" / "course.stamp").write_text(environment.state(root))
    return root


def test_nothing_is_done_when_nothing_changed(course: Path, capsys: pytest.CaptureFixture[str]) -> None:
    environment.make(course)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["requirements.lock", "pyproject.toml"])
def test_a_change_is_seen(course: Path, name: str) -> None:
    assert environment.current(course)
    (course / name).write_text("changed")
    assert not environment.current(course)


def test_a_moved_folder_and_an_unfinished_environment_are_seen(course: Path) -> None:
    moved = course.rename(course.with_name("elsewhere"))
    assert not environment.current(moved)
    (moved / ".venv" / "course.stamp").unlink()
    assert not environment.current(moved)


def test_a_python_that_is_gone_is_seen(course: Path) -> None:
    environment.python_of(course).unlink()
    environment.python_of(course).symlink_to("/nowhere/python")
    assert not environment.current(course)


def test_an_old_python_is_named_with_the_remedy(tmp_path: Path) -> None:
    """make asks the Python itself, in words that Python 2 understands, before it runs anything with it."""
    old = tmp_path / "old"
    pretend = "import sys; sys.version_info = (3, 9, 1); exec(sys.argv[1])"
    old.write_text(f'#!/bin/sh\n[ "$1" = -c ] && exec "{sys.executable}" -c "{pretend}" "$2"\necho ran\n')
    old.chmod(0o755)
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    command = ["make", "environment", f"PYTHON={old}"]
    result = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True)
    assert result.returncode and result.stdout == ""
    assert "Python 3.9 is too old: install Python 3.11 or later, then run make PYTHON=python3.11" in result.stderr


@pytest.mark.parametrize(
    ("output", "free", "remedy"),
    [
        ("OSError: [Errno 28] No space left on device", 2**40, "free about 8 GB"),
        ("error: failed to write", 1000, "free about 8 GB"),
        ("error: Failed to fetch\n  Caused by: dns error: failed to lookup address", 2**40, "check the network"),
        ("ReadTimeoutError: Read timed out.", 2**40, "check the network"),
        ("The virtual environment was not created: ensurepip is not available", 2**40, "apt install python3-venv"),
        ("/usr/bin/python3: No module named venv", 2**40, "apt install python3-venv"),
        ("something else", 2**40, "make clean"),
    ],
)
def test_a_failure_is_one_sentence_with_its_remedy(output: str, free: int, remedy: str) -> None:
    sentence = environment.explain(output, free)
    assert remedy in sentence and "\n" not in sentence and sentence.endswith(".")


def test_a_real_pip_without_a_network_is_recognised(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--retries=0", "--no-cache-dir", environment.UV]
    command += ["--target", str(tmp_path), "--index-url", "http://127.0.0.1:9/simple"]
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    with pytest.raises(environment.Failure, match="check the network"):
        environment.run(command, tmp_path, {**variables, "PIP_CONFIG_FILE": os.devnull})


def test_a_real_uv_without_a_network_is_recognised(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "uv", "pip", "install", "--no-cache", "--target", str(tmp_path), "six"]
    command += ["--default-index", "http://127.0.0.1:9/simple"]
    with pytest.raises(environment.Failure, match="check the network"):
        environment.run(command, tmp_path, {"PATH": os.environ["PATH"], "UV_HTTP_RETRIES": "0"})


def test_a_command_that_does_not_exist_is_a_failure(tmp_path: Path) -> None:
    with pytest.raises(environment.Failure):
        environment.run([str(tmp_path / "no python")], tmp_path)


def test_the_settings_of_pip_reach_uv() -> None:
    settings = "\n".join(
        [
            ":env:.find-links='/wheels one two'",
            "global.find-links='/other'",
            "global.index-url='https://mirror.example/simple'",
            "global.timeout='60'",
        ]
    )
    assert environment.uv_variables(settings, {"HOME": "/h"}) == {
        "UV_FIND_LINKS": "/wheels,one,two",
        "UV_DEFAULT_INDEX": "https://mirror.example/simple",
        "HOME": "/h",
    }
    assert environment.uv_variables(settings, {"UV_FIND_LINKS": "/mine"})["UV_FIND_LINKS"] == "/mine"
