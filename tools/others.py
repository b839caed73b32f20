"""Environments beside .venv, each made only when it is asked for: `make lowest`, `make newest`, `make peers`.

lowest and newest run the tests and one lecture with the lowest versions that pyproject.toml allows and with the newest
that there are; peers runs what compares the course with other libraries (tools/peers.toml).
"""

import argparse
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tools import installer
from tools.installer import UV, python_of, run

ROOT = Path(__file__).resolve().parent.parent
RESOLUTION = {"lowest": "lowest-direct", "newest": "highest"}
LECTURE = "01_risk"


def project(root: Path) -> dict[str, Any]:
    """What pyproject.toml says."""
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))


def sets(root: Path) -> dict[str, dict[str, list[str]]]:
    """The sets of peers, by name."""
    return tomllib.loads((root / "tools" / "peers.toml").read_text(encoding="utf-8"))


def build(root: Path, folder: Path, python: str, calls: Sequence[Sequence[str]], *, afresh: bool = False) -> Path:
    """An environment in folder, made by these calls of `uv pip install`, unless it was; returns its Python.

    Raises Failure, with the remedy, when something cannot be installed.
    """
    state = installer.fingerprint((root / "pyproject.toml").read_bytes(), python, repr(calls), os.fsencode(folder))
    inside = python_of(folder)
    with installer.alone(root, folder.name):
        if afresh or installer.fault(folder, state) is not None:
            uv, variables = [sys.executable, "-m", "uv"], installer.settings(Path(sys.executable))
            with installer.step(f"Making {folder.relative_to(root)}"):
                run([*uv, "venv", "--quiet", "--clear", "--python", python, str(folder)], root, variables)
                for call in calls:
                    run([*uv, "pip", "install", "--python", str(inside), *call], root, variables)
            installer.finish(folder, state)
    return inside


def checked(root: Path, inside: Path, arguments: Sequence[str], *, skips: bool = True) -> bool:
    """Runs `python -m ...` of an environment on the checkout, offline; whether all passed, or was skipped if skips."""
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), str(root / "tests" / "offline")])}
    process = subprocess.Popen(
        [str(inside), "-m", *arguments], cwd=root, env=variables, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    last = ""
    for last in process.stdout:
        print(last, end="", flush=True)
    return process.wait() == 0 and (skips or not re.search(r"\d+ skipped", last))


def bounds(root: Path, kind: str, python: str, lecture: str) -> bool:
    """Whether the tests and one lecture pass with the lowest, or the newest, versions that pyproject.toml allows."""
    wanted = ["-r", "pyproject.toml", "--extra", "dev", "--resolution", RESOLUTION[kind]]
    inside = build(root, root / f".venv-{kind}", python, [wanted, ["pip", UV]], afresh=kind == "newest")
    options = ["--nbval-lax", "--nbval-current-env", "--nbval-sanitize-with", "tests/lectures/sanitize.cfg"]
    return checked(root, inside, ["pytest", "-q", "tests"]) and checked(
        root, inside, ["pytest", "-q", *options, f"lectures/{lecture}.ipynb"]
    )


def peers(root: Path, name: str, python: str) -> bool:
    """Whether the tests of one set of peers pass, none skipped; its measurements are printed."""
    chosen, told = sets(root)[name], project(root)
    course = [package for package in told["project"]["dependencies"] if not package.startswith("jupyterlab")]
    calls = [[*course, *told["tool"]["course"]["tested"], "pytest", *chosen["packages"]]]
    calls += [["--no-deps", *chosen["alone"]]] if "alone" in chosen else []
    inside = build(root, root / ".venv-peers" / name, python, calls)
    if not checked(root, inside, ["pytest", "-q", "-rs", *chosen.get("tests", [])], skips=False):
        return False
    return not chosen.get("bench") or checked(root, inside, ["tools.bench", *chosen["bench"]])


def main(arguments: Sequence[str] | None = None) -> int:
    """`python -m tools.others lowest | newest | peers [NAME ...]`; 1 when something failed."""
    parser = argparse.ArgumentParser(prog="python -m tools.others", description=__doc__)
    parser.add_argument("kind", choices=[*RESOLUTION, "peers"])
    parser.add_argument("names", nargs="*", help="for peers: the sets, all when left out")
    parser.add_argument("--python", help="its version or its place; for lowest 3.11, else that of .venv")
    parser.add_argument("--lecture", default=LECTURE, help="for lowest and newest")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.names) - set(sets(ROOT)))
    if unknown or (options.names and options.kind != "peers"):
        parser.error(f"no set of peers {', '.join(unknown)}; there are {', '.join(sets(ROOT))}")
    return installer.status(partial(_run, options), ROOT)


def _run(options: argparse.Namespace) -> int:
    python = options.python or ("3.11" if options.kind == "lowest" else sys.executable)
    if options.kind == "peers":
        failed = [name for name in options.names or sets(ROOT) if not peers(ROOT, name, python)]
    else:
        failed = [] if bounds(ROOT, options.kind, python, options.lecture) else [options.kind]
    print(f"failed: {', '.join(failed)}" if failed else "passed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
