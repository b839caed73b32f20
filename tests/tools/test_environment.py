"""The environment: done once, one at a time, and a sentence that names the remedy when it cannot be made."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tools import environment, installer

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """A course in a folder with spaces and letters, with an environment that looks made."""
    root = tmp_path / "my deep coursé 课"
    python = installer.python_of(root / ".venv")
    python.parent.mkdir(parents=True)
    python.touch()
    (root / ".venv/lib/python3.11/site-packages/torch").mkdir(parents=True)
    (root / "requirements.lock").write_text("torch==1\n")
    (root / "pyproject.toml").write_text("[project]\n")
    installer.finish(root / ".venv", environment.state(root))
    return root


def current(root: Path) -> bool:
    return installer.fault(root / ".venv", environment.state(root)) is None


def test_nothing_is_done_when_nothing_changed(course: Path, capsys: pytest.CaptureFixture[str]) -> None:
    environment.make(course)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["requirements.lock", "pyproject.toml"])
def test_a_change_is_seen(course: Path, name: str) -> None:
    assert current(course)
    (course / name).write_text("changed")
    assert not current(course)


def test_a_moved_folder_and_an_unfinished_environment_are_seen(course: Path) -> None:
    moved = course.rename(course.with_name("elsewhere"))
    assert not current(moved)
    (moved / ".venv" / "course.stamp").unlink()
    assert not current(moved)


def test_a_deleted_package_is_named_and_the_environment_made_anew(course: Path, monkeypatch, capsys) -> None:
    (course / ".venv/lib/python3.11/site-packages/torch").rmdir()
    monkeypatch.setattr(environment, "install", lambda root: None)
    environment.make(course)
    assert capsys.readouterr().out.startswith("torch is gone from .venv: it is made anew.\n")


def test_an_interrupted_environment_is_never_taken_for_whole(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    (course / ".venv/lib/python3.11/site-packages/torch").rmdir()
    monkeypatch.setattr(environment, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        environment.make(course)
    assert not (course / ".venv" / "course.stamp").exists()


TWO = """
import sys, time
from pathlib import Path
from tools import environment, installer

def install(root):
    print("installing", flush=True)
    time.sleep(1.5)
    installer.finish(root / ".venv", environment.state(root))

environment.install = install
environment.make(Path(sys.argv[1]))
"""


def test_two_makes_at_once_make_one_environment(course: Path) -> None:
    (course / "requirements.lock").write_text("torch==2\n")
    variables = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-c", TWO, str(course)]
    first = subprocess.Popen(command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, text=True)
    assert first.stdout is not None
    while first.stdout.readline() != "installing\n":
        assert first.poll() is None
    second = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True)
    assert second.stdout == "Another make is running here; waiting for it ...\n" and second.returncode == 0
    assert first.wait() == 0


def run_main(root: Path, code: str, **options: str) -> subprocess.CompletedProcess[str]:
    """`python -m tools.environment` with ROOT elsewhere and something changed by code."""
    program = f"import sys\nfrom pathlib import Path\nfrom tools import environment, installer\n{code}\n"
    program += "environment.ROOT = Path(sys.argv[1])\nsys.exit(environment.main())"
    command = [sys.executable, "-c", program, str(root)]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **options}, capture_output=True, text=True)


def test_a_folder_with_letters_works_in_the_c_locale(course: Path) -> None:
    plain = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    code = "environment.install = lambda root: print(root)"
    for change in ("", "torch==3\n"):
        if change:
            (course / "requirements.lock").write_text(change)
        result = run_main(course, code, **plain)
        assert (result.returncode, result.stderr) == (0, "")
    assert "my deep cours" in result.stdout


def test_a_read_only_checkout_says_what_to_do(course: Path) -> None:
    (course / "requirements.lock").write_text("torch==2\n")
    refuse = "def no(*a, **k): raise OSError(30, 'Read-only file system', '.cache')\ninstaller.Path.mkdir = no"
    result = run_main(course, refuse)
    assert result.returncode == 1 and result.stdout == ""
    assert "clone the course into a folder of your own, and run make there. (Read-only file system: .cache" in (
        result.stderr
    )
    assert "Traceback" not in result.stderr


def test_control_c_is_a_sentence(course: Path) -> None:
    (course / "requirements.lock").write_text("torch==2\n")
    code = "import sys, time\nfrom pathlib import Path\nfrom tools import environment\n"
    code += "environment.ROOT = Path(sys.argv[1])\n"
    code += "environment.install = lambda root: (print('here', flush=True), time.sleep(60))\n"
    code += "raise SystemExit(environment.main())"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(course)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stderr is not None
    while "here" not in process.stdout.readline():
        assert process.poll() is None
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 130
    assert process.stderr.read().startswith("\nStopped. The next make begins the environment anew;")


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


def test_the_course_is_on_the_path_whatever_its_folder_is_called(tmp_path: Path) -> None:
    root = tmp_path / "a $dollar, an 'apostrophe' and 课"
    (root / "helpers").mkdir(parents=True)
    (root / "helpers" / "__init__.py").touch()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(root / ".venv")], check=True)
    environment.add_course(root)
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [installer.python_of(root / ".venv"), "-c", "import helpers; print(ascii(helpers.__file__))"]
    result = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True)
    assert result.stdout.strip() == ascii(str(root / "helpers" / "__init__.py")), result.stderr


def test_what_is_compiled_can_be_imported() -> None:
    """Each part of WARM runs to its end: a package that is no longer there would be compiled by nobody."""
    for part in environment.WARM:
        assert subprocess.run([sys.executable, "-c", part], cwd=ROOT, capture_output=True).returncode == 0
