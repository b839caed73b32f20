"""One file over HTTP: continued where it broke off, bounded in size, verified, and a sentence for what came instead."""

import hashlib
import os
import re
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from http.client import HTTPResponse, IncompleteRead
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from helpers.runtime import progress

LIMIT = 2**29  # bytes; the largest file of a set that the course knows has 244 MB
REMEDIES = {
    401: "The server or a proxy asks for a password: try another network.",
    403: "The server or a proxy refuses: try another network.",
    404: "The file has moved: a newer torchvision or scikit-learn may know where it is now.",
    407: "The proxy asks for a password: set it in the environment variable https_proxy.",
    410: "The file is gone: a newer torchvision or scikit-learn may know where it is now.",
    429: "The server is busy: load it again in some minutes.",
}


class NotTheFile(ConnectionError):
    """Something else arrived; the message names the remedy."""


def remedy(error: Exception) -> str:
    """What to do about a transfer that failed."""
    if isinstance(error, NotTheFile):
        return ""
    code = error.code if isinstance(error, urllib.error.HTTPError) else 0
    if code >= 500:
        return "The server is out of order: load it again in some minutes."
    return REMEDIES.get(code, "Check the network and load it again.")


def retrieve(url: str, path: Path, digest: str) -> None:
    """Retrieve `url` to `path` with a progress bar; a file that was cut short is continued from where it stopped.

    Raises OSError (URLError without a network) if the connection breaks or the MD5 or SHA-256 is not `digest`.
    """
    if path.is_file() and checksum(path, digest) == digest:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    total = _append(url, part)
    found, size = checksum(part, digest), part.stat().st_size
    if found == digest:
        os.replace(part, path)
    elif total is None:  # the server tells no length: perhaps the rest is missing, and the next call goes on from here
        raise ConnectionError(f"the {size:,} bytes that came from {url} are not the whole file, or not the right one")
    else:
        part.unlink()
        raise OSError(f"{url} is not the file it should be: its checksum is {found}, not {digest}. Load it again.")


def checksum(path: Path, like: str) -> str:
    """MD5 or SHA-256 of a file in hexadecimal, whichever `like` is."""
    method = hashlib.md5(usedforsecurity=False) if len(like) == 32 else hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            method.update(chunk)
    return method.hexdigest()


def _append(url: str, part: Path) -> int | None:
    """Add to the file `part` what it lacks of `url` (range request, RFC 9110 section 14); its length, if told."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "Mozilla/5.0", **({"Range": f"bytes={have}-"} if have else {})}
    try:
        response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=60)
    except urllib.error.HTTPError as error:
        if have and error.code == 416:  # range not satisfiable: nothing is lacking
            return have
        raise
    with response:
        have = have if response.status == 206 else 0  # 200: the server sends the whole file
        total = _length(response)
        chunks = _chunks(response)
        first = next(chunks, b"")
        if not have and first.lstrip()[:1] == b"<":
            raise NotTheFile(
                f"{url} answers with a web page: the log-in page of this network? Open any page in a browser, log in "
                "there, and load it again"
            )
        with part.open("ab" if have else "wb") as file:
            _pour(chain([first], chunks), file, total, have)
    if total is not None and part.stat().st_size < total:
        raise ConnectionError(f"the connection to {url} broke after {part.stat().st_size:,} of {total:,} bytes")
    return total


def _length(response: HTTPResponse) -> int | None:
    """The length of the whole file, where the server tells it."""
    if response.status == 206:
        known = re.fullmatch(r"bytes \d+-\d+/(\d+)", response.headers["Content-Range"] or "")
        return int(known[1]) if known else None
    return int(response.headers["Content-Length"]) if response.headers["Content-Length"] else None


def _chunks(response: HTTPResponse) -> Iterator[bytes]:
    """All that comes, also the beginning of a chunk that breaks off, so that the next call goes on from there."""
    try:
        while chunk := response.read(1 << 16):
            yield chunk
    except IncompleteRead as error:
        yield error.partial
        raise


def _pour(chunks: Iterable[bytes], file: BinaryIO, total: int | None, have: int) -> None:
    """Write all chunks. Raises NotTheFile if the file is then longer than LIMIT bytes."""
    name = Path(file.name).stem
    with progress(None, name, total=total, initial=have, unit="B", unit_scale=True) as bar:
        for chunk in chunks:
            file.write(chunk)
            bar.update(len(chunk))
            if file.tell() > LIMIT:
                file.truncate(0)
                raise NotTheFile(
                    f"{name} is longer than any file of the course's sets, {LIMIT >> 20} MiB: not the file"
                )
