"""Files that are never half-written and never half-read: what `data` and `checkpoints` share."""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any


def sha256(content: bytes | memoryview) -> str:
    """SHA-256 of `content` as 64 hexadecimal digits (FIPS 180-4)."""
    return hashlib.sha256(content).hexdigest()


def read_verified(path: Path, expected: str, remedy: str) -> bytes:
    """The bytes of `path`, provided that their SHA-256 is `expected`; what was hashed is what is returned.

    Raises FileNotFoundError if the file is missing, OSError if it is not the file it should be; both end in `remedy`.
    """
    content = _read(path, remedy)
    found = sha256(content)
    if found != expected:
        raise OSError(
            f"{path} is damaged: its {len(content):,} bytes have SHA-256 {found[:12]}..., not {expected[:12]}..., "
            f"so it was cut short or changed. {remedy}"
        )
    return content


def _read(path: Path, remedy: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} is missing. {remedy}") from None
    except IsADirectoryError:
        raise IsADirectoryError(f"{path} is a folder where a file should be: move it away. {remedy}") from None


def read_card(path: Path, remedy: str) -> dict[str, Any]:
    """The facts of a card: a JSON file that holds its own SHA-256, its seal, so that no changed byte goes unnoticed.

    Raises FileNotFoundError if the file is missing, OSError if it is damaged or was changed; both end in `remedy`.
    """
    try:
        facts = json.loads(_read(path, remedy).decode("utf-8"))
        found = facts["seal"]
    except (ValueError, KeyError, TypeError) as error:
        raise OSError(f"{path} is damaged ({error!r}). {remedy}") from None
    if found != seal(facts):
        raise OSError(f"{path} is damaged: it was changed after it was written. {remedy}")
    return facts


def write_card(path: Path, facts: dict[str, Any]) -> None:
    """Write the facts and their seal, whole or not at all."""
    text = json.dumps({**facts, "seal": seal(facts)}, indent=2) + "\n"
    write_atomically(path, lambda half: half.write_text(text, encoding="utf-8"))


def seal(facts: dict[str, Any]) -> str:
    """SHA-256 of a card without its seal."""
    return sha256(json.dumps({k: v for k, v in facts.items() if k != "seal"}, sort_keys=True).encode())


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
