"""Packs dist/course.zip: what a lecture needs on Google Colab as long as the course has no public address."""

import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("LICENSE", "helpers/**/*.py", "data/**/*", "lectures/*.ipynb")
STORED = (".npz", ".safetensors", ".png", ".zip", ".gz")  # compressed already


def contents(root: Path) -> Iterator[Path]:
    """The files that go in, in order: no hidden files, none half-written."""
    for pattern in PARTS:
        for path in sorted(root.glob(pattern)):
            hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
            if path.is_file() and not hidden and path.suffix != ".tmp":
                yield path


def pack(root: Path, target: Path) -> int:
    """Writes the zip and returns its size in bytes. The same files give the same zip."""
    target.parent.mkdir(exist_ok=True)
    half = target.with_suffix(".tmp")
    with zipfile.ZipFile(half, "w") as archive:
        for path in contents(root):
            entry = zipfile.ZipInfo(path.relative_to(root).as_posix())
            entry.compress_type = zipfile.ZIP_STORED if path.suffix in STORED else zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, path.read_bytes())
    half.replace(target)
    return target.stat().st_size


def main() -> int:
    """Packs the course and says what to do with it."""
    size = pack(ROOT, ROOT / "dist" / "course.zip")
    print(f"dist/course.zip: {size / 2**20:.1f} MiB. On colab.research.google.com open a notebook of lectures/")
    print("(File, Upload notebook), upload the zip by the folder icon on the left, and run the first cell.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
