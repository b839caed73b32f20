"""A small server on loopback, which serves tiny archives of the layout of the real ones, and a cache of its own."""

import hashlib
import io
import pickle
import tarfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torch

from helpers import data, runtime

CLASSES = "airplane automobile bird cat deer dog frog horse ship truck".split()


class Server(ThreadingHTTPServer):
    """Serves `files`; breaks the connection of the next request after `cut` bytes; `log` holds (path, range).

    Without `told` it says nothing of lengths; `error` is answered to everything; `chunked` sends in chunks.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.log: list[tuple[str, str | None]] = []
        self.cut: int | None = None
        self.ranges, self.delay = True, 0.0
        self.told, self.chunked, self.error = True, False, 0
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server, wanted = self.server, self.headers["Range"]
        server.log.append((self.path, wanted))
        content = server.files.get(self.path)
        if content is None or server.error:
            return self.send_error(server.error or 404)
        time.sleep(server.delay)
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and server.ranges else 0
        if start >= len(content):
            return self.send_error(416)
        self.send_response(206 if start else 200)
        if start and server.told:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if server.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif server.told:
            self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        sent = content[start : server.cut]
        self.wfile.write(b"%x\r\n%s\r\n" % (len(sent), sent) if server.chunked else sent)
        if server.chunked and server.cut is None:
            self.wfile.write(b"0\r\n\r\n")
        server.cut = None

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(data, "_loaded", {})
    return tmp_path / "cache"


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def tar(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def cifar(server, monkeypatch):
    """Five training pictures and one test picture in the files of CIFAR-10, which torchvision is told to expect."""
    torchvision_cifar = runtime.import_torchvision().datasets.CIFAR10
    pixels = np.random.default_rng(0).integers(0, 256, (6, 3072), dtype=np.uint8)
    batches = [f"data_batch_{k}" for k in range(1, 6)] + ["test_batch"]
    contents = {b: pickle.dumps({"data": pixels[k : k + 1], "labels": [k]}) for k, b in enumerate(batches)}
    contents["batches.meta"] = pickle.dumps({"label_names": CLASSES})
    archive = tar({f"cifar-10-batches-py/{name}": content for name, content in contents.items()})
    server.files["/cifar.tar.gz"] = archive
    lists = [[name, md5(contents[name])] for name in batches]
    meta = {"filename": "batches.meta", "key": "label_names", "md5": md5(contents["batches.meta"])}
    changes = {"url": f"{server.url}/cifar.tar.gz", "tgz_md5": md5(archive), "meta": meta}
    for name, value in {**changes, "train_list": lists[:5], "test_list": lists[5:]}.items():
        monkeypatch.setattr(torchvision_cifar, name, value)
    return torch.from_numpy(pixels.reshape(6, 3, 32, 32)) / 255


def load_afresh(name: str) -> data.Dataset:
    """As another process would."""
    data._loaded.clear()
    return data.load(name)
