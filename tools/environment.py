"""Makes .venv from requirements.lock, or does nothing when it is up to date. Needs Python 3.11+ and nothing else.

Every command of the Makefile runs it first; `make lock` calls it with --lock to write requirements.lock anew.
"""

import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from tools import installer
from tools.installer import UV, Failure, python_of, run, step

ROOT = Path(__file__).resolve().parent.parent
# torch itself names the exact version of each of these, on the systems that need them.
ACCELERATOR = re.compile(r"(nvidia|cuda|triton)\b")
HEADER = """\
# The exact versions that the tests run with, for Python 3.11 and later on Linux, macOS and Windows.
# Written by `make lock` from pyproject.toml: change that, not this. The accelerator packages (nvidia-*, cuda-*,
# triton) are left out: torch names the exact version of each.
"""
# Importing what the lectures and JupyterLab import compiles it: a quarter of the files that are installed, and
# two processes do it in a tenth of the time that all would take.
WARM = (
    "import jupyterlab.labapp, jupyter_lsp, jupyterlab_jupytext, jupyter_server_terminals, notebook_shim",
    "import importlib, pathlib, ipykernel_launcher, ipykernel.ipkernel, scipy.stats, scipy.optimize\n"
    "for p in sorted(pathlib.Path('helpers').glob('*/exercises')):\n"
    "    for engine in ('exercises', 'figures'): importlib.import_module(f'helpers.{p.parent.name}.{engine}')",
)


def state(root: Path) -> str:
    """What the environment is made from, as a hash: lock, pyproject.toml, these files, Python's version, the place."""
    parts = [(root / name).read_bytes() for name in ("requirements.lock", "pyproject.toml")]
    return installer.fingerprint(*parts, Path(__file__).read_bytes(), os.fsencode(root))


def make(root: Path) -> None:
    """Makes .venv in root: a fresh venv, uv in it, every package of the lock, and the course itself, where it lies."""
    if installer.fault(root / ".venv", state(root)) is None:
        return
    with installer.alone(root):
        missing = installer.fault(root / ".venv", state(root))
        if missing is None:  # whoever was first has made it
            return
        if missing:
            print(f"{missing} is gone from .venv: it is made anew.")
        print("The environment is made in .venv: half a minute when pip and uv have its packages in their caches, some")
        print("minutes when they are down-loaded (0.5 GB, or 3 GB where PyTorch brings CUDA).", flush=True)
        install(root)
        print("The environment is ready.", flush=True)


def install(root: Path) -> None:
    """The steps; the stamp goes first and comes last, so that an interrupted environment is never taken for whole."""
    (root / ".venv" / "course.stamp").unlink(missing_ok=True)
    python = python_of(root / ".venv")
    base = getattr(sys, "_base_executable", sys.executable)  # were this .venv's own Python, --clear would remove it
    with step("Making an empty environment"):
        run([base, "-m", "venv", "--clear", ".venv"], root)
    with step("Installing uv, which installs the rest"):
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--retries=2"]
        run([*pip, "--no-compile", UV], root, {**os.environ, **installer.ELSEWHERE})
    uv = [str(python), "-m", "uv", "pip", "install", "--python", str(python)]
    variables = installer.settings(python)
    with step("Installing the packages of requirements.lock"):
        run([*uv, "-r", "requirements.lock"], root, variables)
    add_course(root)
    with step("Compiling what the lectures import"):
        warm(root, python)
    installer.finish(root / ".venv", state(root))


def add_course(root: Path) -> None:
    """Puts root last on the path of .venv's Python: setuptools cannot, where a folder's name holds a dollar."""
    for place in installer.sites(root / ".venv"):
        (place / "course.pth").write_text(f"import sys; sys.path.append({ascii(str(root))})\n")


def warm(root: Path, python: Path) -> None:
    """Imports what WARM says, each part in a process of its own; what cannot be imported shows when it is needed."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    quiet = subprocess.DEVNULL
    commands = [[str(python), "-c", part] for part in WARM]
    for process in [subprocess.Popen(c, cwd=root, env=variables, stdout=quiet, stderr=quiet) for c in commands]:
        process.wait()


def lock(root: Path) -> None:
    """Writes requirements.lock: the newest versions that pyproject.toml allows, for every system at once."""
    tested = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["course"]["tested"]
    options = ["--universal", "--python-version", "3.11", "--extra", "dev", "--upgrade", "--quiet"]
    options += ["--no-emit-index-url", "--no-emit-find-links", "--no-annotate", "--no-header"]
    python = python_of(root / ".venv")
    with tempfile.TemporaryDirectory() as folder:
        pins = Path(folder) / "tested.txt"
        pins.write_text("\n".join(tested))
        command = [str(python), "-m", "uv", "pip", "compile", *options, "--constraints", str(pins), "pyproject.toml"]
        result = subprocess.run(command, cwd=root, env=installer.settings(python), capture_output=True, text=True)
    if result.returncode:
        print(result.stderr, file=sys.stderr)
        raise Failure(installer.explain(result.stderr, installer.free_space(root)))
    lines = [line for line in result.stdout.splitlines() if not ACCELERATOR.match(line)]
    (root / "requirements.lock").write_text(HEADER + "\n".join(lines) + "\n")
    print(f"requirements.lock: {len(lines)} packages")


def main() -> int:
    """Makes .venv, or writes the lock."""
    work = lock if "--lock" in sys.argv[1:] else make
    again = "Stopped. The next make begins the environment anew; what was down-loaded is kept."
    return installer.status(lambda: work(ROOT), ROOT, again)


if __name__ == "__main__":
    sys.exit(main())
