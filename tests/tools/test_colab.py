"""The set-up cell on a stand-in for Google Colab: by git, by the uploaded zip, with nothing there, and elsewhere."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

from tools import colab, notebooks

COLAB = "import sys, types; sys.modules['google.colab'] = types.ModuleType('google.colab')\n"
IMPORT = "\nimport helpers; print(helpers.__file__)"


def course(root: Path, text: str = "") -> Path:
    """A course of one file."""
    (root / "helpers").mkdir(parents=True)
    (root / "helpers" / "__init__.py").write_text(text)
    return root


def run(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Runs code as a fresh Python would in folder, without the packages of this environment."""
    variables = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    command = [sys.executable, "-S", "-c", code]
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True)


def test_the_zip_is_found_and_put_on_the_path(tmp_path: Path) -> None:
    colab.pack(course(tmp_path / "author"), tmp_path / "course.zip")
    for _ in range(2):  # a second run of the cell does no harm
        result = run(tmp_path, COLAB + notebooks.SETUP_CELL + IMPORT)
        assert result.stdout.strip() == str(tmp_path / "course" / "helpers" / "__init__.py"), result.stderr


def test_the_zip_uploaded_last_wins(tmp_path: Path) -> None:
    colab.pack(course(tmp_path / "old", "1 / 0"), tmp_path / "course.zip")
    colab.pack(course(tmp_path / "new"), tmp_path / "course (1).zip")  # the name that an upload gets the second time
    os.utime(tmp_path / "course.zip", (1, 1))
    assert run(tmp_path, COLAB + notebooks.SETUP_CELL + IMPORT).returncode == 0


def test_an_address_is_cloned(tmp_path: Path) -> None:
    author = course(tmp_path / "author")
    for command in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a"]):
        subprocess.run(["git", *command], cwd=author, check=True)
    place = tmp_path / "colab"
    place.mkdir()
    cell = notebooks.SETUP_CELL.replace(notebooks.NO_ADDRESS, f'address, course = "file://{author}",')
    for _ in range(2):
        result = run(place, COLAB + cell + IMPORT)
        assert result.stdout.strip() == str(place / "course" / "helpers" / "__init__.py"), result.stderr


def test_an_address_that_cannot_be_cloned_leaves_nothing_behind(tmp_path: Path) -> None:
    cell = notebooks.SETUP_CELL.replace(notebooks.NO_ADDRESS, f'address, course = "file://{tmp_path}/nowhere",')
    result = run(tmp_path, COLAB + cell + IMPORT)
    assert result.returncode == 1 and "fatal:" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_nothing_uploaded_is_a_clear_instruction(tmp_path: Path) -> None:
    result = run(tmp_path, COLAB + notebooks.SETUP_CELL + IMPORT)
    assert result.returncode == 1
    assert result.stderr.strip().endswith(
        "FileNotFoundError: Run `make colab`, upload dist/course.zip by the folder icon on the left, run again."
    )
    assert list(tmp_path.iterdir()) == []


def test_elsewhere_the_cell_does_nothing(tmp_path: Path) -> None:
    code = f"import sys\nbefore = list(sys.path)\n{notebooks.SETUP_CELL}\nassert sys.path == before"
    result = run(course(tmp_path), code)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert [path.name for path in tmp_path.iterdir()] == ["helpers"]


def test_the_cell_is_short_installs_nothing_and_has_one_place_for_the_address() -> None:
    assert notebooks.SETUP_CELL.count(notebooks.NO_ADDRESS) == 1
    assert "pip" not in notebooks.SETUP_CELL
    assert len(notebooks.SETUP_CELL.splitlines()) <= 15  # the lecture's imports follow in the same cell


def test_the_zip_holds_the_course_and_nothing_hidden_or_half_written(tmp_path: Path) -> None:
    root = course(tmp_path / "author")
    wanted = ["LICENSE", "data/README.md", "data/checkpoints/net.safetensors", "lectures/01_risk.ipynb"]
    others = [
        "data/.cache/x",
        "data/mnist.npz.tmp",
        "lectures/source/01_risk.md",
        "helpers/__pycache__/a.pyc",
        "work/a",
    ]
    for name in wanted + others:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    size = colab.pack(root, tmp_path / "dist" / "course.zip")
    with zipfile.ZipFile(tmp_path / "dist" / "course.zip") as archive:
        assert sorted(archive.namelist()) == sorted([*wanted, "helpers/__init__.py"])
    assert size == (tmp_path / "dist" / "course.zip").stat().st_size
    first = (tmp_path / "dist" / "course.zip").read_bytes()
    colab.pack(root, tmp_path / "dist" / "course.zip")
    assert (tmp_path / "dist" / "course.zip").read_bytes() == first
