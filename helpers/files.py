"""Files that are never half-written and never half-read: what `data` and `checkpoints` share."""

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path


def sha256(content: bytes | memoryview) -> str:
    """SHA-256 of `content` as 64 hexadecimal digits (FIPS 180-4)."""
    return hashlib.sha256(content).hexdigest()


def read_verified(path: Path, expected: str, remedy: str) -> bytes:
    """The bytes of `path`, provided that their SHA-256 is `expected`; what was hashed is what is returned.

    Raises FileNotFoundError if the file is missing, OSError if it is not the file it should be; both end in `remedy`.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} is missing. {remedy}") from None
    found = sha256(content)
    if found != expected:
        raise OSError(
            f"{path} is damaged: its {len(content):,} bytes have SHA-256 {found[:12]}..., not {expected[:12]}..., "
            f"so it was cut short or changed. {remedy}"
        )
    return content


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file beside `path`, then rename it to `path` in one step (os.replace).

    A reader sees the old file or the new one, never half of either, and of two writers the later one wins.
    Raises OSError where the folder cannot be written; the temporary file is removed whatever happens.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    os.close(handle)
    try:
        write(Path(name))
        os.chmod(name, 0o644)  # mkstemp gives 0600; the file is to be read by whoever may read its folder
        os.replace(name, path)
    finally:
        Path(name).unlink(missing_ok=True)
