"""Packs dist/course.zip: what a lecture needs on Google Colab as long as the course has no public address."""

import os
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("LICENSE*", "data/**/*", "lectures/LICENSE*", "lectures/*.ipynb", "helpers/**/*")
LAST = "helpers/__init__.py"  # where the set-up cell finds it, everything before it has been unpacked
STORED = (".npz", ".safetensors", ".png", ".zip", ".gz")  # compressed already


def contents(root: Path) -> Iterator[Path]:
    """The files that go in, in order: no hidden files, none half-written, none that Python made."""
    for pattern in PARTS:
        for path in sorted(root.glob(pattern)):
            parts = path.relative_to(root).parts
            hidden = any(part.startswith(".") or part == "__pycache__" for part in parts)
            if path.is_file() and not hidden and path.suffix != ".tmp" and path != root / LAST:
                yield path
    yield root / LAST


def pack(root: Path, target: Path) -> int:
    """Writes the zip and returns its size in bytes. The same files give the same zip."""
    target.parent.mkdir(exist_ok=True)
    handle, half = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file, zipfile.ZipFile(file, "w") as archive:
            for path in contents(root):
                entry = zipfile.ZipInfo(path.relative_to(root).as_posix())
                entry.compress_type = zipfile.ZIP_STORED if path.suffix in STORED else zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, path.read_bytes())
        os.chmod(half, 0o644)
        os.replace(half, target)
    finally:
        Path(half).unlink(missing_ok=True)
    return target.stat().st_size


def main() -> int:
    """Packs the course and says what to do with it."""
    try:
        size = pack(ROOT, ROOT / "dist" / "course.zip")
    except OSError as error:
        print(f"dist/course.zip cannot be written ({error}): make room or mend permissions.", file=sys.stderr)
        return 1
    print(f"dist/course.zip: {size / 2**20:.1f} MiB. On colab.research.google.com open a notebook of lectures/")
    print("(File, Upload notebook), upload the zip by the folder icon on the left, and run the first cell.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
