"""What making an environment needs: a lock, commands whose failure is a sentence, uv; in Python's own library."""

import ast
import errno
import hashlib
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

try:
    import fcntl
except ImportError:  # Windows has none: two commands at once are not kept apart there
    fcntl = None  # type: ignore[assignment]

UV = "uv==0.13.9"
# uv does not read pip's settings, so they are handed on under uv's names.
SETTINGS = {"find-links": "UV_FIND_LINKS", "index-url": "UV_DEFAULT_INDEX", "cert": "SSL_CERT_FILE"}
# Settings of pip that would put packages elsewhere, and what switches each off.
ELSEWHERE = {"PIP_USER": "0", "PIP_TARGET": "", "PIP_PREFIX": "", "PIP_ROOT": "", "PIP_REQUIRE_VIRTUALENV": "0"}
CAUSES = (  # what an installer prints, and the sentence for it; the first that fits
    (r"No space left|Disk quota exceeded", "The disk is full: free about 8 GB (the course needs 2 GB, torch with CUDA "
     "6 GB), then run make again."),
    (r"Read-only file system|Permission denied|Operation not permitted", "This folder cannot be written to: clone the "
     "course into a folder of your own, and run make there."),
    (r"ensurepip is not available|No module named '?(venv|ensurepip)", "Python's venv module is missing: install it "
     "(Debian, Ubuntu: apt install python3-venv), then run make again."),
    (r"\b(401 Unauthorized|403 Forbidden|407 Proxy)|\b40[137] Client Error", "The package index or a proxy refuses "
     "access: check the user name, password and proxy of pip's settings (pip config list), then run make again."),
    (r"\b50[0-9] (Server Error|Internal|Bad Gateway|Service|Gateway)|status server error \(50", "The package index is "
     "out of order at the moment (it answers so itself): wait some minutes, then run make again."),
    (r"dns error|failed to lookup address|name resolution|name or service not known|timed out|network is unreachable|"
     r"no route to host|connection (refused|reset|aborted|error)|tcp connect error|error sending request|"
     r"max retries exceeded|\(from versions: none\)", "The package index cannot be reached: check the network or "
     "proxy settings, then run make again."),
)  # fmt: skip
ANY_TEXT: Any = {"text": True, "encoding": "utf-8", "errors": "backslashreplace"}
PATIENCE = 30.0  # seconds of silence
OTHERWISE = "Installing failed for the reason printed above: mend it, run `make clean`, then make again."


class Failure(Exception):
    """What went wrong, in one sentence that names the remedy."""


def explain(output: str, free: int) -> str:
    """One sentence for what an installer printed before it failed; free is the room left on the disk in bytes."""
    if free < 2**26:
        return CAUSES[0][1]
    return next((sentence for sign, sentence in CAUSES if re.search(sign, output, re.I)), OTHERWISE)


def explain_error(error: OSError, root: Path) -> str:
    """One sentence for a file that could not be made."""
    return f"{explain(str(error), free_space(root))} ({error.strerror}: {error.filename})"


def status(work: Callable[[], int | None], root: Path, stopped: str = "Stopped.") -> int:
    """What work() returns, for the shell to see; a failure is one sentence on stderr."""
    for stream in (sys.stdout, sys.stderr):  # a path may hold what the terminal's encoding lacks
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        return work() or 0
    except Failure as failure:
        print(failure, file=sys.stderr)
    except OSError as error:
        print(explain_error(error, root), file=sys.stderr)
    except KeyboardInterrupt:
        print(f"\n{stopped}", file=sys.stderr)
        return 130
    return 1


def free_space(root: Path) -> int:
    """Bytes left where the environment goes."""
    try:
        status = os.statvfs(root)
    except (AttributeError, OSError):  # no statvfs on Windows
        return sys.maxsize
    return status.f_bavail * status.f_frsize


@contextmanager
def alone(root: Path, who: str = "make") -> Iterator[None]:
    """Holds the course's lock: of two commands at once the second says so and waits until the first has ended.

    The system gives the lock back when its holder ends, however it ends, so that none is left over.
    """
    folder = root / ".cache"
    folder.mkdir(exist_ok=True)
    with open(folder / f"{who}.lock", "w") as file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print(f"Another {who} is running here; waiting for it ...", flush=True)
                fcntl.flock(file, fcntl.LOCK_EX)
            except OSError as error:  # some network disks know no locks
                if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.EINVAL):
                    raise
        yield


@contextmanager
def step(what: str) -> Iterator[None]:
    """Says what is going on, every half minute that it still is, and how long it took."""
    start, done = time.monotonic(), threading.Event()

    def tick() -> None:
        while not done.wait(PATIENCE):
            print(f"    ... still {what[0].lower()}{what[1:]}, {time.monotonic() - start:.0f} s so far", flush=True)

    print(f"{what} ...", flush=True)
    ticker = threading.Thread(target=tick, daemon=True)
    ticker.start()
    try:
        yield
    finally:
        done.set()
        ticker.join()
    print(f"    {time.monotonic() - start:.0f} s", flush=True)


def run(command: Sequence[str], root: Path, variables: Mapping[str, str] | None = None) -> None:
    """Runs a command in root, shows what it prints, and raises Failure with the remedy when it fails."""
    variables = {**(os.environ if variables is None else variables), "PYTHONUTF8": "1"}  # for a path with letters
    try:
        process = subprocess.Popen(
            command, cwd=root, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **ANY_TEXT
        )
    except OSError as error:
        raise Failure(explain(str(error), free_space(root))) from error
    seen = []
    assert process.stdout is not None
    for line in process.stdout:
        seen.append(line)
        if not line.startswith((" + ", " - ", " ~ ")):  # uv's list of all the packages it installed
            print("   ", line, end="", flush=True)
    if process.wait():
        raise Failure(explain("".join(seen), free_space(root)))


def uv_variables(settings: str, variables: Mapping[str, str]) -> dict[str, str]:
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


def settings(python: Path) -> dict[str, str]:
    """The environment in which uv sees what pip is set to."""
    command = [str(python), "-m", "pip", "--disable-pip-version-check", "config", "list"]
    return uv_variables(subprocess.run(command, capture_output=True, text=True).stdout, os.environ)


def fingerprint(*parts: str | bytes) -> str:
    """A hash of what an environment is made from, this Python's version and this file included."""
    everything = [*parts, Path(__file__).read_bytes(), repr(sys.version_info[:2])]
    return hashlib.sha256(b"\0".join(p if isinstance(p, bytes) else os.fsencode(p) for p in everything)).hexdigest()


def python_of(folder: Path) -> Path:
    """An environment's own Python."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def sites(folder: Path) -> list[Path]:
    """Where an environment keeps its packages."""
    return [*folder.glob("lib/python*/site-packages"), *folder.glob("Lib/site-packages")]


def packages(folder: Path) -> set[str]:
    """The packages and files that lie in an environment, by name."""
    return {name for place in sites(folder) for name in os.listdir(place) if name != "__pycache__"}


def finish(folder: Path, state: str) -> None:
    """Notes that an environment was made to the end, from what, and what lies in it."""
    (folder / "course.stamp").write_text("\n".join([state, *sorted(packages(folder))]), encoding="utf-8")


def fault(folder: Path, state: str) -> str | None:
    """What is wrong with an environment: not made to the end from `state` (""), or without a package that it had."""
    stamp = folder / "course.stamp"
    if not python_of(folder).exists() or not stamp.exists():
        return ""
    made_from, *names = stamp.read_text(encoding="utf-8").split("\n")
    if made_from != state:
        return ""
    return next(iter(sorted(set(names) - packages(folder))), None)
