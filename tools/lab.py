"""Puts the lectures into work/, where a student's own copies live, and opens JupyterLab on them.

Each lecture is copied once, without outputs, so that what is seen there has been run. work/.course.json records which
version each copy came from, so that a newer version can be told from a student's change: it refreshes a copy whose
cells nobody touched, and otherwise goes beside it, under another name. No cell that a student changed is ever lost.
"""

import errno
import hashlib
import json
import os
import sys
import tempfile
from pathlib import Path

from tools.installer import Failure, alone, status

ROOT = Path(__file__).resolve().parent.parent
RECORD = ".course.json"
HALF = ".course-half"
SETTINGS = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}}


def said(content: bytes) -> list[tuple[str, str]] | None:
    """What the cells of a notebook say, each with its kind; None where the bytes are none, as if saving was cut off."""
    try:
        return [(cell["cell_type"], "".join(cell["source"])) for cell in json.loads(content)["cells"]]
    except (ValueError, TypeError, KeyError):
        return None


def version(content: bytes) -> str:
    """The hash that names one version of a lecture: of what its cells say, so running and saving change nothing."""
    words = said(content)
    return hashlib.sha256(content if words is None else json.dumps(words).encode()).hexdigest()


def handed_out(content: bytes) -> bytes:
    """A lecture as a student gets it: not yet run, and of an answer's cell nothing hidden: what is run is seen."""
    notebook = json.loads(content)
    for cell in notebook["cells"]:
        if cell.get("cell_type") == "code":
            cell["outputs"], cell["execution_count"] = [], None
        metadata = cell.get("metadata", {})
        if "answer" in metadata.get("tags", ()) and "jupyter" in metadata:
            kept = {k: v for k, v in metadata["jupyter"].items() if k not in ("outputs_hidden", "source_hidden")}
            metadata["jupyter"] = kept
            if not kept:
                del metadata["jupyter"]
    return (json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode()


def write(path: Path, content: bytes) -> None:
    """Writes a whole file or none."""
    handle, half = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=HALF)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(half, 0o644)
        os.replace(half, path)
    except OSError:
        os.unlink(half)
        raise


def read_record(work: Path) -> tuple[dict[str, dict[str, str]], list[str]]:
    """The record of copies, and what there is to say: a damaged one is put aside and counts as empty."""
    path = work / RECORD
    if not path.exists():
        return {}, []
    try:
        record = json.loads(path.read_bytes())
        if all(isinstance(value, str) for entry in record.values() for value in entry.values()):
            return record, []
    except (ValueError, AttributeError):
        pass
    os.replace(path, path.with_suffix(".damaged.json"))
    line = "the record of copies was damaged: put aside as .course.damaged.json; your notebooks are as they were"
    return {}, [line]


def beside(copy: Path, content: bytes) -> str:
    """Puts a version beside a copy under the first name that is free, or finds it there; returns the name."""
    number = 1
    while True:
        path = copy.with_name(f"{copy.stem}.new{'' if number == 1 else f'-{number}'}.ipynb")
        if not path.exists():
            write(path, content)
            return path.name
        if path.is_file() and version(path.read_bytes()) == version(content):
            return path.name
        number += 1


def place(lecture: Path, work: Path, entry: dict[str, str]) -> tuple[dict[str, str], str]:
    """Brings one lecture into work; entry is its part of the record -> the entry from now on, and what there is to say.

    An entry holds "copied", the version that the copy came from, and "offered", the newest one put beside it.
    """
    content, copy = lecture.read_bytes(), work / lecture.name
    if said(content) is None:
        return entry, f"the course's own file is damaged: restore it with `git checkout -- lectures/{lecture.name}`"
    content = handed_out(content)
    new = version(content)
    if not copy.exists():
        write(copy, content)
        return {"copied": new}, "your copy was gone: a fresh one is in its place" if entry else "copied"
    if not copy.is_file():
        return entry, "is not a file: left as it is"
    yours = copy.read_bytes()
    if version(yours) == new:
        return {"copied": new}, ""
    if version(yours) == entry.get("copied"):
        write(copy, content)
        return {"copied": new}, "refreshed to the newer version (you had not changed its cells)"
    if said(yours) is None:
        return entry, f"your copy is not a whole notebook (was its saving cut off?): left; see {beside(copy, content)}"
    if new in (entry.get("copied"), entry.get("offered")):
        return entry, ""
    why = "there is a newer version" if entry else "nothing tells which version your copy came from"
    return {**entry, "offered": new}, f"{why}: your copy stays, the newest one is {beside(copy, content)}"


def bring(lectures: Path, work: Path) -> list[str]:
    """Brings every lecture into work and returns the lines to print. Raises Failure when work cannot be written."""
    if work.exists() and not work.is_dir():
        raise Failure(
            f"{work} is a file where the folder of your notebooks should be: move it away, run make lab again."
        )
    try:
        work.mkdir(exist_ok=True)
        for half in work.glob(f".*{HALF}"):  # nobody else is at work here: what an interruption left
            half.unlink()
        record, lines = read_record(work)
        for lecture in sorted(lectures.glob("*.ipynb")):
            record[lecture.name], line = place(lecture, work, record.get(lecture.name, {}))
            lines += [f"{lecture.name}: {line}"] * bool(line)
        write(work / RECORD, (json.dumps(record, indent=1, sort_keys=True) + "\n").encode())
    except OSError as error:
        remedy = "make room" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "mend its permissions"
        reason = f"{error.strerror}: {error.filename or work}"
        raise Failure(f"The folder work cannot be used ({reason}): {remedy}, then run make lab again.") from error
    return lines


def quiet_settings(prefix: Path) -> None:
    """Switches JupyterLab's news pop-up off, in the environment and not in the student's home."""
    path = prefix / "share" / "jupyter" / "lab" / "settings" / "overrides.json"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(SETTINGS, indent=1) + "\n")
    except OSError:  # the news are no reason not to open
        pass


def command(work: Path, flags: list[str]) -> list[str]:
    """JupyterLab on work, on loopback and with its token as always; the flags come last and so win.

    Its memory of open files is the course's own, so that it does not look for those of another project.
    """
    places = [f"--ServerApp.root_dir={work}", f"--LabApp.workspaces_dir={work / '.workspaces'}"]
    return [sys.executable, "-m", "jupyterlab", *places, *flags]


def say(work: Path) -> None:
    """Brings the lectures, one make lab at a time, and says what became of each copy."""
    with alone(ROOT, "make lab"):
        lines = bring(ROOT / "lectures", work)
    print(*lines, "Your notebooks are in work/. JupyterLab opens; Ctrl-C here ends it.", sep="\n", flush=True)


def main() -> int:
    """Brings the lectures and becomes JupyterLab; COURSE_WORK tells the exercises where verdicts are kept."""
    work = ROOT / "work"
    failed = status(lambda: say(work), ROOT)
    if failed:
        return failed
    quiet_settings(Path(sys.prefix))
    os.chdir(work)
    os.environ["COURSE_WORK"] = str(work)
    start = command(work, sys.argv[1:])
    os.execv(start[0], start)


if __name__ == "__main__":
    sys.exit(main())
