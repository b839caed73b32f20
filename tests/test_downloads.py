"""The down-load path against a small server on loopback, which serves tiny archives of the layout of the real ones."""

import gzip
import hashlib
import io
import pickle
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torch
from PIL import Image

from helpers import data, downloads, runtime, transfer

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


def test_cifar10_is_retrieved_once_and_read_from_the_cache_afterwards(cifar, server, cache):
    first = data.load("cifar10")
    assert torch.equal(torch.cat([first.x_train, first.x_test]), cifar)
    assert (first.y_train.tolist(), first.y_test.tolist()) == ([0, 1, 2, 3, 4], [5])
    assert first.classes == tuple(CLASSES) and first.y_train.dtype == torch.int64
    assert torch.equal(load_afresh("cifar10").x_train, first.x_train)
    assert server.log == [("/cifar.tar.gz", None)]
    assert {p.name for p in cache.iterdir()} <= {"cifar10.npz", "cifar10.json", "cifar10.lock"}


def test_olivetti_is_the_transposed_columns_of_scikit_learns_file(server, monkeypatch):
    from scipy.io import savemat
    from sklearn.datasets import _olivetti_faces

    pixels = np.random.default_rng(0).integers(0, 256, (40, 64, 64), dtype=np.uint8)
    buffer = io.BytesIO()
    savemat(buffer, {"faces": pixels.transpose(2, 1, 0).reshape(64 * 64, 40)})
    server.files["/olivetti.mat"] = buffer.getvalue()
    remote = _olivetti_faces.FACES._replace(
        url=f"{server.url}/olivetti.mat", checksum=hashlib.sha256(buffer.getvalue()).hexdigest()
    )
    monkeypatch.setattr(_olivetti_faces, "FACES", remote)
    olivetti = data.load("olivetti")
    assert torch.equal(torch.cat([olivetti.x_train, olivetti.x_test])[:, 0] * 255, torch.from_numpy(pixels).float())
    assert torch.cat([olivetti.y_train, olivetti.y_test]).tolist() == [k // 10 for k in range(40)]
    assert len(olivetti.x_train) == 30 and olivetti.classes == ("s1", "s2", "s3", "s4")
    assert data.source("olivetti").endswith("olivetti.npz")


def test_a_broken_connection_is_named_and_the_next_call_goes_on_from_there(cifar, server):
    server.cut = 100
    with pytest.raises(ConnectionError, match=r"cifar10 could not be down-loaded.* broke after 100 of [\d,]+ bytes"):
        data.load("cifar10")
    assert torch.equal(data.load("cifar10").x_test[0], cifar[5])
    assert server.log == [("/cifar.tar.gz", None), ("/cifar.tar.gz", "bytes=100-")]


def test_a_server_that_cannot_go_on_sends_the_file_again(cifar, server):
    server.cut, server.ranges = 100, False
    with pytest.raises(ConnectionError):
        data.load("cifar10")
    assert torch.equal(data.load("cifar10").x_test[0], cifar[5])


def test_an_interruption_after_the_last_byte_costs_nothing(cifar, server, cache):
    part = cache / "cifar10" / "cifar-10-python.tar.gz.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(server.files["/cifar.tar.gz"])
    assert torch.equal(data.load("cifar10").x_test[0], cifar[5])


def test_a_file_that_is_not_the_right_one_is_refused_and_not_kept(cifar, server, cache):
    right = server.files["/cifar.tar.gz"]
    server.files["/cifar.tar.gz"] = right[:-1] + b"?"
    with pytest.raises(OSError, match="cifar.tar.gz is not the file it should be: its checksum is"):
        data.load("cifar10")
    assert not list((cache / "cifar10").iterdir())
    server.files["/cifar.tar.gz"] = right
    assert len(data.load("cifar10").x_train) == 5


@pytest.mark.parametrize("chunked", [False, True])
def test_a_cut_that_no_length_betrays_is_continued(cifar, server, chunked):
    """The server tells no length: what came is not the file, but may be its beginning."""
    server.told, server.chunked, server.cut = False, chunked, 100
    with pytest.raises(ConnectionError, match="cifar10 could not be down-loaded.*Check the network and load it again"):
        data.load("cifar10")
    assert torch.equal(data.load("cifar10").x_test[0], cifar[5])
    assert server.log == [("/cifar.tar.gz", None), ("/cifar.tar.gz", "bytes=100-")]


def test_a_wrong_file_of_untold_length_is_not_kept_for_ever(cifar, server, cache):
    right = server.files["/cifar.tar.gz"]
    server.told, server.files["/cifar.tar.gz"] = False, right[:-1] + b"?"
    with pytest.raises(ConnectionError, match=r"the [\d,]+ bytes that came from .* are not the whole file, or not the"):
        data.load("cifar10")
    with pytest.raises(OSError, match="is not the file it should be"):
        data.load("cifar10")
    assert not list((cache / "cifar10").iterdir())
    server.files["/cifar.tar.gz"] = right
    assert len(data.load("cifar10").x_train) == 5


@pytest.mark.parametrize("told", [True, False])
def test_a_transfer_without_end_is_stopped(cifar, server, cache, monkeypatch, told):
    monkeypatch.setattr(transfer, "LIMIT", 2**20)
    server.told, server.files["/cifar.tar.gz"] = told, bytes(2**22)
    with pytest.raises(ConnectionError, match="is longer than any file of the course's sets, 1 MiB: not the file"):
        data.load("cifar10")
    assert sum(path.stat().st_size for path in (cache / "cifar10").iterdir()) == 0


@pytest.mark.parametrize("page", [b"<!DOCTYPE html><title>Log in</title>", b"\n <html>"])
def test_the_log_in_page_of_a_network_is_recognised_and_spoils_nothing(cifar, server, cache, page):
    part = cache / "cifar10" / "cifar-10-python.tar.gz.part"
    right = server.files["/cifar.tar.gz"]
    part.parent.mkdir(parents=True)
    part.write_bytes(right[:100])
    server.ranges, server.files["/cifar.tar.gz"] = False, page
    with pytest.raises(
        ConnectionError, match=r"answers with a web page: the log-in page of this network\? Open any page"
    ):
        data.load("cifar10")
    assert part.read_bytes() == right[:100]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (404, "The file has moved: a newer torchvision or scikit-learn may know"),
        (410, "The file is gone"),
        (403, "a proxy refuses: try another network"),
        (407, "set it in the environment variable https_proxy"),
        (429, "The server is busy"),
        (500, "The server is out of order"),
        (503, "The server is out of order"),
    ],
)
def test_what_a_server_answers_instead_has_its_own_remedy(cifar, server, code, words):
    server.error = code
    with pytest.raises(ConnectionError, match=f"{code}.*{words}") as caught:
        data.load("cifar10")
    assert "Check the network" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["cifar10/cifar-10-python.tar.gz", "cifar10/cifar-10-python.tar.gz.part", "cifar10.npz"]
)
def test_a_folder_in_place_of_a_file_of_the_cache_is_named(cifar, cache, name):
    (cache / name / "something").mkdir(parents=True)
    with pytest.raises(OSError, match=rf"{name.rpartition('/')[2]}.*Move it away, or set the environment variable"):
        data.load("cifar10")


def test_a_changed_card_of_the_cache_is_noticed(cifar, cache):
    data.load("cifar10")
    card = cache / "cifar10.json"
    card.write_text(card.read_text().replace("airplane", "airplame"))
    with pytest.raises(OSError, match="cifar10.json is damaged: it was changed after it was written"):
        load_afresh("cifar10")


def test_without_a_network_the_message_says_what_there_is(cifar, monkeypatch):
    monkeypatch.setattr(runtime.import_torchvision().datasets.CIFAR10, "url", "https://www.cs.toronto.edu/x.tar.gz")
    expected = r"cifar10 could not be down-loaded.*Check the network.*Without a network there are digits, fashion_mnist"
    with pytest.raises(ConnectionError, match=expected):
        data.load("cifar10")


def test_a_file_that_is_gone_from_the_server_is_a_network_error(cifar, server):
    server.files.clear()
    with pytest.raises(ConnectionError, match="404"):
        data.load("cifar10")


def test_a_cache_that_cannot_be_written_is_named_with_the_remedy(cifar, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(PermissionError, match="cifar10 cannot be kept in .*Set the environment variable COURSE_CACHE"):
        data.load("cifar10")


@pytest.mark.parametrize("number", [downloads.errno.EROFS, downloads.errno.EACCES])
def test_a_read_only_disk_is_named_with_the_remedy(cifar, monkeypatch, number):
    def refuse(*arguments, **options):
        raise OSError(number, "Read-only file system")

    monkeypatch.setattr(downloads.Path, "mkdir", refuse)
    with pytest.raises(PermissionError, match="Set the environment variable COURSE_CACHE"):
        data.load("cifar10")


def test_a_full_disk_keeps_its_own_message(cifar, monkeypatch):
    def refuse(*arguments, **options):
        raise OSError(downloads.errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(downloads.np, "savez", refuse)
    with pytest.raises(OSError, match="No space left on device"):
        data.load("cifar10")


@pytest.mark.parametrize(
    "damage", [lambda content: content[:-1], lambda content: content[:-1] + bytes([content[-1] ^ 1])]
)
def test_a_damaged_cache_is_named_and_its_remedy_works(cifar, cache, damage):
    data.load("cifar10")
    path = cache / "cifar10.npz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(OSError, match=r"cifar10.npz is damaged.*Delete .*cifar10.json and load cifar10 again"):
        load_afresh("cifar10")
    (cache / "cifar10.json").unlink()
    assert torch.equal(load_afresh("cifar10").x_test[0], cifar[5])


@pytest.mark.parametrize("content", ["", "{", "[]", '{"sha256": 1}'])
def test_a_damaged_card_is_named_and_its_remedy_works(cifar, cache, content):
    data.load("cifar10")
    (cache / "cifar10.json").write_text(content)
    with pytest.raises(OSError, match=r"cifar10.json is damaged.*Delete .*cifar10.json and load cifar10 again"):
        load_afresh("cifar10")
    (cache / "cifar10.json").unlink()
    assert len(load_afresh("cifar10").x_test) == 1


CHILD = """
import sys
from pathlib import Path
import numpy as np
from helpers import downloads

def read(root):
    x = np.frombuffer((root / "tiny.bin").read_bytes(), dtype=np.uint8).reshape(-1, 1, 2, 2)
    return downloads._arrays(x, [0] * len(x), x[:1], [0]), ["only"]

file = downloads.File(sys.argv[1] + "/tiny.bin", "tiny.bin", sys.argv[2])
downloads.SOURCES["tiny"] = downloads.Source(lambda: [file], read)
print(downloads.sha256(downloads.fetch("tiny")[0]))
"""


def test_of_two_processes_at_once_one_retrieves_and_both_read(server, cache):
    content = bytes(range(256)) * 4
    server.files["/tiny.bin"], server.delay = content, 1.0
    command = [sys.executable, "-c", CHILD, server.url, md5(content)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    answers = [process.communicate(timeout=120)[0].strip() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert answers[0] == answers[1] != ""
    assert [path for path, _ in server.log] == ["/tiny.bin"]


def test_the_cache_is_a_folder_of_the_user_unless_told_otherwise(monkeypatch, tmp_path):
    assert downloads.cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("COURSE_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert downloads.cache_folder() == tmp_path / ".cache" / "deep-learning-theory"


def test_the_progress_bar_counts_bytes_and_is_erased(cifar, monkeypatch, capsys):
    monkeypatch.setattr(runtime, "watched", lambda: True)
    data.load("cifar10")
    shown = capsys.readouterr().err
    assert "cifar-10-python.tar.gz" in shown and "B/s" in shown
    assert shown.rsplit("\r", 2)[1].strip() == ""


def idx(array: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return gzip.compress(header + array.astype(np.uint8).tobytes())


def test_fashion_mnist_full_has_its_own_layout(server, monkeypatch):
    fashion = runtime.import_torchvision().datasets.FashionMNIST
    x = np.random.default_rng(0).integers(0, 256, (5, 28, 28))
    contents = (idx(x[:3]), idx(np.array([7, 8, 9])), idx(x[3:]), idx(np.array([1, 0])))
    names = [name for name, _ in fashion.resources]
    server.files = {f"/{name}": content for name, content in zip(names, contents, strict=True)}
    monkeypatch.setattr(fashion, "mirrors", [f"{server.url}/"])
    monkeypatch.setattr(fashion, "resources", [(n, md5(c)) for n, c in zip(names, contents, strict=True)])
    got = data.load("fashion_mnist_full")
    assert np.array_equal((torch.cat([got.x_train, got.x_test]) * 255).round().numpy(), x[:, None])
    assert (got.y_train.tolist(), got.y_test.tolist()) == ([7, 8, 9], [1, 0])
    assert got.classes == data.CLOTHES


def encoded(array: np.ndarray, kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, kind)
    return buffer.getvalue()


def test_omniglot_has_other_characters_in_the_test(server, monkeypatch):
    omniglot = runtime.import_torchvision().datasets.Omniglot
    paper = np.full((105, 105), 255, dtype=np.uint8)
    paper[:, 52:] = 0  # ink on the right half
    contents = {}
    for part, letters in (("images_background", ("b/c1", "a/c2", "a/c1")), ("images_evaluation", ("z/c1",))):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for letter in letters:
                for k in range(2):
                    archive.writestr(f"{part}/{letter}/{k}.png", encoded(paper, "PNG"))
        contents[part] = buffer.getvalue()
    server.files = {f"/{part}.zip": content for part, content in contents.items()}
    monkeypatch.setattr(omniglot, "download_url_prefix", server.url)
    monkeypatch.setattr(omniglot, "zips_md5", {part: md5(content) for part, content in contents.items()})
    got = data.load("omniglot")
    assert (got.x_train.shape, got.x_test.shape) == ((6, 1, 28, 28), (2, 1, 28, 28))
    assert got.x_train[..., :13].max() == 0 and got.x_train[..., 15:].min() == 1  # the ink is the white
    assert got.classes == ("a/c1", "a/c2", "b/c1", "z/c1")
    assert (got.y_train.tolist(), got.y_test.tolist()) == ([0, 0, 1, 1, 2, 2], [3, 3])


def test_lfw_keeps_people_with_twenty_pictures_and_tests_on_every_fifth(server, monkeypatch):
    from sklearn.datasets import _lfw

    faces = {}
    for person, grey, n in (("Ada_L", 50, 20), ("Alan_T", 200, 25), ("Rare_R", 9, 3)):
        picture = encoded(np.full((250, 250, 3), grey, dtype=np.uint8), "JPEG")
        faces.update({f"lfw_funneled/{person}/{k:02}.jpg": picture for k in range(n)})
    contents = {"lfw-funneled.tgz": tar(faces), **{f.filename: b"pairs" for f in _lfw.TARGETS}}
    server.files = {f"/{name}": content for name, content in contents.items()}

    def here(file):
        digest = hashlib.sha256(contents[file.filename]).hexdigest()
        return file._replace(url=f"{server.url}/{file.filename}", checksum=digest)

    monkeypatch.setattr(_lfw, "TARGETS", tuple(here(f) for f in _lfw.TARGETS))
    monkeypatch.setattr(_lfw, "FUNNELED_ARCHIVE", here(_lfw.FUNNELED_ARCHIVE))
    got = data.load("lfw")
    assert got.x_train.shape == (36, 3, 62, 47) and got.classes == ("Ada L", "Alan T")
    assert (got.y_train.bincount().tolist(), got.y_test.bincount().tolist()) == ([16, 20], [4, 5])
    greys = torch.tensor([50, 200])[got.y_train] / 255
    torch.testing.assert_close(got.x_train.mean((1, 2, 3)), greys, atol=0.01, rtol=0)
