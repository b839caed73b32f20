"""Each data set is read from archives of the layout of the real ones."""

import gzip
import hashlib
import io
import zipfile

import numpy as np
import torch
from PIL import Image

from helpers import data, runtime
from tests.downloads.server import md5, tar


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
