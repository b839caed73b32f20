"""The set-up cell on a stand-in for Google Colab: by git, by the uploaded zip, with nothing there, and elsewhere.

The zip of the real course is unpacked in an empty folder, and lectures run from there, with nothing of the checkout.
"""

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import nbformat
import pytest

from tools import colab, notebooks

COLAB = "import sys, types; sys.modules['google.colab'] = types.ModuleType('google.colab')\n"
IMPORT = "\nimport helpers; print(helpers.__file__)"


def course(root: Path, text: str = "") -> Path:
    """A course of two files."""
    (root / "helpers").mkdir(parents=True)
    (root / "LICENSE").touch()
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


UPLOAD = "FileNotFoundError: By the folder icon on the left upload dist/course.zip of `make colab`, then run this cell"
WAIT = (
    "FileNotFoundError: By the folder icon on the left wait until course.zip is there whole, then run this cell again."
)


def test_nothing_uploaded_is_a_clear_instruction(tmp_path: Path) -> None:
    result = run(tmp_path, COLAB + notebooks.SETUP_CELL + IMPORT)
    assert result.returncode == 1 and result.stderr.strip().endswith(f"{UPLOAD} again.")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.99])
def test_a_partial_upload_says_to_wait(tmp_path: Path, share: float) -> None:
    """Also where the cut falls behind an archive that lies in the archive, as the data sets do."""
    author = course(tmp_path / "author")
    with zipfile.ZipFile(author / "LICENSE.npz", "w") as inner:
        inner.writestr("x", bytes(1000))
    (author / "helpers" / "a.py").write_text("a" * 100)
    colab.pack(author, tmp_path / "course.zip")
    content = (tmp_path / "course.zip").read_bytes()
    (tmp_path / "course.zip").write_bytes(content[: int(share * len(content))])
    result = run(tmp_path, COLAB + notebooks.SETUP_CELL + IMPORT)
    assert result.returncode == 1 and result.stderr.strip().endswith(WAIT)
    (tmp_path / "course.zip").write_bytes(content)
    assert run(tmp_path, COLAB + notebooks.SETUP_CELL + IMPORT).returncode == 0


def test_a_whole_older_zip_serves_beside_a_partial_newer_one(tmp_path: Path) -> None:
    colab.pack(course(tmp_path / "old"), tmp_path / "course.zip")
    content = (tmp_path / "course.zip").read_bytes()
    (tmp_path / "course (1).zip").write_bytes(content[:-10])
    os.utime(tmp_path / "course.zip", (1, 1))
    assert run(tmp_path, COLAB + notebooks.SETUP_CELL + IMPORT).returncode == 0


def test_what_an_interrupted_unzip_or_clone_left_is_fetched_again(tmp_path: Path) -> None:
    """The zip ends with the file that the cell looks for, so a half unzip never has it."""
    colab.pack(course(tmp_path / "author"), tmp_path / "course.zip")
    with zipfile.ZipFile(tmp_path / "course.zip") as archive:
        assert archive.namelist()[-1] == colab.LAST
    (tmp_path / "course" / "helpers").mkdir(parents=True)
    (tmp_path / "course" / "helpers" / "half.py").touch()
    assert run(tmp_path, COLAB + notebooks.SETUP_CELL + IMPORT).returncode == 0
    assert not (tmp_path / "course" / "helpers" / "half.py").exists()


def test_a_new_zip_in_a_running_kernel_brings_the_new_modules(tmp_path: Path) -> None:
    colab.pack(course(tmp_path / "old", "old = 1"), tmp_path / "course.zip")
    colab.pack(course(tmp_path / "new", "new = 1"), tmp_path / "later.zip")
    cell = notebooks.SETUP_CELL
    code = (
        f"{COLAB}{cell}\nimport helpers\nassert helpers.old\n{cell}\nimport helpers as again\nassert again is helpers"
    )
    code += f"\nPath('later.zip').rename('course (1).zip')\n{SOON}{cell}\nimport helpers\nassert helpers.new"
    result = run(tmp_path, code)
    assert result.returncode == 0, result.stderr


SOON = "import os, time; os.utime('course (1).zip', (time.time() + 1,) * 2)\n"  # as if uploaded a second later


def test_elsewhere_the_cell_does_nothing(tmp_path: Path) -> None:
    code = f"import sys\nbefore = list(sys.path)\n{notebooks.SETUP_CELL}\nassert sys.path == before"
    result = run(course(tmp_path), code)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["LICENSE", "helpers"]


def test_the_cell_is_short_installs_nothing_and_has_one_place_for_the_address() -> None:
    assert notebooks.SETUP_CELL.count(notebooks.NO_ADDRESS) == 1
    assert "pip" not in notebooks.SETUP_CELL
    assert len(notebooks.SETUP_CELL.splitlines()) <= 24  # the lecture's imports follow in the same cell


def test_the_zip_holds_the_course_and_nothing_hidden_or_half_written(tmp_path: Path) -> None:
    root = course(tmp_path / "author")
    wanted = [
        "data/README.md",
        "data/checkpoints/net.safetensors",
        "lectures/01_risk.ipynb",
        "helpers/a/style.mplstyle",
    ]
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
        assert sorted(archive.namelist()) == sorted([*wanted, "LICENSE", "helpers/__init__.py"])
    assert size == (tmp_path / "dist" / "course.zip").stat().st_size
    first = (tmp_path / "dist" / "course.zip").read_bytes()
    colab.pack(root, tmp_path / "dist" / "course.zip")
    assert (tmp_path / "dist" / "course.zip").read_bytes() == first


REAL = """
import json, sys, types
sys.path[:] = [path for path in sys.path if path] + [sys.argv[1]]
sys.modules["google.colab"] = types.ModuleType("google.colab")
from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance()
shell.ask_exit = sys.exit  # as a notebook's shell has it
for source in json.loads(sys.stdin.read()):
    shell.run_cell(source, silent=True).raise_error()
import helpers

print("ran", helpers.__file__)
"""


@pytest.fixture(scope="module")
def uploaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the real course's zip and nothing else."""
    folder = tmp_path_factory.mktemp("content")
    size = colab.pack(notebooks.ROOT, folder / "course.zip")
    assert size < 60 * 2**20
    return folder


def run_lecture(folder: Path, stem: str, cells: slice) -> subprocess.CompletedProcess[str]:
    """Runs the first code cell and those of `cells` as Colab would: its packages are there, nothing of the checkout."""
    with zipfile.ZipFile(folder / "course.zip") as archive:
        lecture = nbformat.reads(archive.read(f"lectures/{stem}.ipynb").decode(), as_version=4)
    code = [cell.source for cell in lecture.cells if cell.cell_type == "code"]
    code[0] = code[0].replace(notebooks.SETUP_CELL, "", 1)
    left_out = ("PYTHONPATH", "PYTHONHOME", "COURSE_SCALE", "COURSE_WORK", "COURSE_CACHE")
    variables = {name: value for name, value in os.environ.items() if name not in left_out}
    variables |= {"COURSE_BUILD": "1", "MPLBACKEND": "agg", "IPYTHONDIR": str(folder.parent / "ipython")}
    return subprocess.run(
        [sys.executable, "-S", "-c", REAL, sysconfig.get_path("purelib")],  # -S: what is installed editable is not seen
        input=json.dumps([notebooks.SETUP_CELL, *code[cells]]),
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
    )


def check(folder: Path, result: subprocess.CompletedProcess[str]) -> None:
    assert result.returncode == 0, (result.stdout + result.stderr)[-3000:]
    assert result.stdout.splitlines()[-1] == f"ran {folder / 'course' / 'helpers' / '__init__.py'}"


@pytest.mark.parametrize("stem", [path.stem for path in sorted(notebooks.LECTURES.glob("*.ipynb"))])
def test_the_first_cell_of_every_lecture_runs_from_the_real_zip(uploaded: Path, stem: str) -> None:
    check(uploaded, run_lecture(uploaded, stem, slice(1)))


@pytest.mark.slow
def test_a_whole_lecture_runs_from_the_real_zip(uploaded: Path) -> None:
    """The one that reads the most: data sets, checkpoints, stored votes, figures, another lecture's attacks."""
    check(uploaded, run_lecture(uploaded, "09_smoothing", slice(None)))
