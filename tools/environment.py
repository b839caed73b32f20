"""Makes .venv from requirements.lock, or does nothing when it is up to date. Needs Python 3.11+ and nothing else.

Every command of the Makefile runs it first; `make lock` calls it with --lock to write requirements.lock anew.
"""

import ast
import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV = "uv==0.13.9"
# uv does not read pip's settings, so they are handed on under uv's names.
SETTINGS = {"find-links": "UV_FIND_LINKS", "index-url": "UV_DEFAULT_INDEX", "cert": "SSL_CERT_FILE"}
# torch itself names the exact version of each of these, on the systems that need them.
ACCELERATOR = re.compile(r"(nvidia|cuda|triton)\b")
NO_NETWORK = re.compile("dns error|resolution|lookup|connect|timed out|unreach|sending request|versions: none", re.I)
HEADER = """\
# The exact versions that the tests run with, for Python 3.11 and later on Linux, macOS and Windows.
# Written by `make lock` from pyproject.toml: change that, not this. The accelerator packages (nvidia-*, cuda-*,
# triton) are left out: torch names the exact version of each.
"""


class Failure(Exception):
    """What went wrong, in one sentence that names the remedy."""


def explain(output: str, free: int) -> str:
    """One sentence for what an installer printed before it failed; free is the room left on the disk in bytes."""
    if "No space left" in output or free < 2**26:
        return "The disk is full: free about 8 GB (the course needs 2 GB, torch with CUDA 6 GB), then run make again."
    if re.search(r"ensurepip is not available|No module named '?(venv|ensurepip)", output):
        return "Python's venv module is missing: install it (Debian, Ubuntu: apt install python3-venv), run make again."
    if NO_NETWORK.search(output):
        return "The package index cannot be reached: check the network or proxy settings, then run make again."
    return "Installing failed for the reason printed above: mend it, run `make clean`, then make again."


def free_space(root: Path) -> int:
    """Bytes left where the environment goes."""
    try:
        status = os.statvfs(root)
    except (AttributeError, OSError):  # no statvfs on Windows
        return sys.maxsize
    return status.f_bavail * status.f_frsize


def run(command: list[str], root: Path, variables: dict[str, str] | None = None) -> None:
    """Runs a command in root, shows what it prints, and raises Failure with the remedy when it fails."""
    try:
        process = subprocess.Popen(
            command, cwd=root, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
    except OSError as error:
        raise Failure(explain(str(error), free_space(root))) from error
    seen = []
    assert process.stdout is not None
    for line in process.stdout:
        seen.append(line)
        if not line.startswith((" + ", " - ")):  # uv's list of all the packages it installed
            print("   ", line, end="", flush=True)
    if process.wait():
        raise Failure(explain("".join(seen), free_space(root)))


def uv_variables(settings: str, variables: dict[str, str]) -> dict[str, str]:
    """The environment for uv: variables, and what `pip config list` printed under uv's names where these are unset.

    A variable such as PIP_FIND_LINKS (listed by pip as :env:) wins over pip's configuration files.
    """
    found: dict[str, str] = {}
    for line in sorted(settings.splitlines(), key=lambda line: line.startswith(":env:")):
        name, _, value = line.partition("=")
        key = name.rpartition(".")[2]
        if key in SETTINGS and value:
            found[SETTINGS[key]] = ",".join(ast.literal_eval(value).split())  # pip lists places by spaces, uv by commas
    return {**found, **variables}


def state(root: Path) -> str:
    """What the environment is made from, as a hash: lock, pyproject.toml, this file, Python's version and the place."""
    parts = [(root / name).read_bytes() for name in ("requirements.lock", "pyproject.toml")]
    parts += [Path(__file__).read_bytes(), repr(sys.version_info[:2]).encode(), str(root).encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def python_of(root: Path) -> Path:
    """The environment's own Python."""
    return root / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def current(root: Path) -> bool:
    """Whether .venv was made, to the end, from what lies here now."""
    stamp = root / ".venv" / "course.stamp"
    return python_of(root).exists() and stamp.exists() and stamp.read_text() == state(root)


def make(root: Path) -> None:
    """Makes .venv in root: a fresh venv, uv in it, every package of the lock, and the course itself, editable."""
    if current(root):
        return
    print("Making the environment in .venv (once; some minutes) ...", flush=True)
    python = str(python_of(root))
    base = getattr(sys, "_base_executable", sys.executable)  # were this .venv's own Python, --clear would remove it
    run([base, "-m", "venv", "--clear", ".venv"], root)
    pip = [python, "-m", "pip", "--disable-pip-version-check"]
    print("Installing uv ...", flush=True)
    run([*pip, "install", "--quiet", "--retries=2", UV], root)
    settings = subprocess.run([*pip, "config", "list"], capture_output=True, text=True).stdout
    variables = uv_variables(settings, dict(os.environ))
    install = [python, "-m", "uv", "pip", "install", "--python", python]
    print("Installing the packages of requirements.lock ...", flush=True)
    run([*install, "--compile-bytecode", "-r", "requirements.lock"], root, variables)
    run([*install, "--no-deps", "--no-build-isolation", "-e", "."], root, variables)
    (root / ".venv" / "course.stamp").write_text(state(root))
    print("The environment is ready.", flush=True)


def lock(root: Path) -> None:
    """Writes requirements.lock: the newest versions that pyproject.toml allows, for every system at once."""
    options = ["--universal", "--python-version", "3.11", "--extra", "dev", "--upgrade", "--quiet"]
    options += ["--no-emit-index-url", "--no-emit-find-links", "--no-annotate", "--no-header"]
    command = [str(python_of(root)), "-m", "uv", "pip", "compile", *options, "pyproject.toml"]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True)
    if result.returncode:
        raise Failure(explain(result.stderr, free_space(root)))
    pins = [line for line in result.stdout.splitlines() if not ACCELERATOR.match(line)]
    (root / "requirements.lock").write_text(HEADER + "\n".join(pins) + "\n")
    print(f"requirements.lock: {len(pins)} packages")


def main() -> int:
    """Runs the command; a failure is one sentence on stderr."""
    try:
        lock(ROOT) if "--lock" in sys.argv[1:] else make(ROOT)
    except Failure as failure:
        print(failure, file=sys.stderr)
        return 1
    except OSError as error:
        print(explain(str(error), free_space(ROOT)), error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
