"""Larger sets through torchvision and scikit-learn: retrieved once, verified, kept as one npz file in a cache."""

import errno
import io
import os
import shutil
import tempfile
import urllib.error
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from helpers.files import read_card, read_verified, sha256, write_atomically, write_card
from helpers.runtime import import_torchvision
from helpers.transfer import remedy, retrieve

NOT_WRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY}
Arrays = dict[str, np.ndarray]


class File(NamedTuple):
    """A file to retrieve: where from, where to (below the library's root), and its MD5 or SHA-256 in hexadecimal."""

    url: str
    path: str
    digest: str


class Source(NamedTuple):
    """How a library serves a set: the files to retrieve, and the reader of them -> (arrays, class names)."""

    files: Callable[[], list[File]]
    read: Callable[[Path], tuple[Arrays, list[str]]]


def cache_folder() -> Path:
    """Where down-loaded sets are kept: the environment variable COURSE_CACHE, else a folder of the user's own."""
    return Path(os.environ.get("COURSE_CACHE") or Path.home() / ".cache" / "deep-learning-theory").expanduser()


def fetch(name: str, offline: tuple[str, ...] = ()) -> tuple[bytes, tuple[str, ...]]:
    """The npz file of the set `name` (uint8 x (N, C, H, W), integer y) and its class names, retrieved if need be.

    Two processes at once: one retrieves, the other waits for it. What was retrieved before an interruption is kept.
    Raises OSError with the remedy if there is no network or the folder cannot be written, or if the file is damaged;
    `offline` names the sets to offer instead.
    """
    from filelock import FileLock

    folder = cache_folder()
    path, card = folder / f"{name}.npz", folder / f"{name}.json"
    if not card.exists():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(folder / f"{name}.lock"):
                if not card.exists():
                    _make(SOURCES[name], folder / name, path, card)
        except (urllib.error.URLError, HTTPException, ConnectionError, TimeoutError) as error:
            raise ConnectionError(
                f"{name} could not be down-loaded ({error}). {remedy(error)} What has arrived is kept in "
                f"{folder / name}. Without a network there are {', '.join(offline)}."
            ) from error
        except OSError as error:
            if error.errno not in NOT_WRITABLE:
                raise
            in_the_way = error.errno in (errno.EISDIR, errno.ENOTEMPTY)
            raise PermissionError(
                f"{name} cannot be kept in {folder} ({error}). {'Move it away, or set' if in_the_way else 'Set'} "
                "the environment variable COURSE_CACHE to a folder that you may write to."
            ) from error
    anew = f"Delete {card} and load {name} again."
    facts = read_card(card, anew)
    return read_verified(path, facts["sha256"], anew), tuple(facts["classes"])


def _make(source: Source, archives: Path, path: Path, card: Path) -> None:
    """Retrieve the archives, let the library read a copy of them, and keep the result; the card is written last."""
    files = source.files()
    for file in files:
        retrieve(file.url, archives / file.path, file.digest)
    with tempfile.TemporaryDirectory(prefix=f"{path.stem}.", dir=path.parent, ignore_cleanup_errors=True) as root:
        shutil.copytree(archives, root, dirs_exist_ok=True)
        arrays, classes = source.read(Path(root))
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    write_atomically(path, lambda p: p.write_bytes(buffer.getbuffer()))
    write_card(card, {"sha256": sha256(buffer.getbuffer()), "classes": classes})
    shutil.rmtree(archives, ignore_errors=True)


def _datasets() -> Any:
    return import_torchvision().datasets


def _cifar10_files() -> list[File]:
    cifar = _datasets().CIFAR10
    return [File(cifar.url, cifar.filename, cifar.tgz_md5)]


def _cifar10(root: Path) -> tuple[Arrays, list[str]]:
    train, test = (_datasets().CIFAR10(root, train=part, download=True) for part in (True, False))
    channels_first = [np.ascontiguousarray(part.data.transpose(0, 3, 1, 2)) for part in (train, test)]
    return _arrays(channels_first[0], train.targets, channels_first[1], test.targets), train.classes


def _fashion_mnist_files() -> list[File]:
    fashion = _datasets().FashionMNIST
    return [File(fashion.mirrors[0] + name, f"FashionMNIST/raw/{name}", md5) for name, md5 in fashion.resources]


def _fashion_mnist(root: Path) -> tuple[Arrays, list[str]]:
    train, test = (_datasets().FashionMNIST(root, train=part, download=True) for part in (True, False))
    pictures = [part.data.numpy()[:, None] for part in (train, test)]
    return _arrays(pictures[0], train.targets.numpy(), pictures[1], test.targets.numpy()), train.classes


def _omniglot_files() -> list[File]:
    omniglot = _datasets().Omniglot
    prefix, folder = omniglot.download_url_prefix, omniglot.folder
    return [File(f"{prefix}/{part}.zip", f"{folder}/{part}.zip", md5) for part, md5 in omniglot.zips_md5.items()]


def _omniglot(root: Path) -> tuple[Arrays, list[str]]:
    """White strokes on black at 28x28, as Vinyals et al. 2016 use the set; a class is alphabet/character."""
    pictures: list[Any] = []
    labels: list[list[int]] = []
    classes: list[str] = []
    for file in _omniglot_files():  # the background characters, then those of the evaluation
        folder = (root / file.path).with_suffix("")
        shutil.unpack_archive(root / file.path, folder.parent)
        drawings = sorted(folder.glob("*/*/*.png"))
        pictures.append(np.stack([_small_negative(drawing) for drawing in drawings])[:, None])
        characters = [drawing.parent.relative_to(folder).as_posix() for drawing in drawings]
        classes += sorted(set(characters))
        labels.append([classes.index(character) for character in characters])
    return _arrays(pictures[0], labels[0], pictures[1], labels[1]), classes


def _small_negative(file: Path) -> np.ndarray:
    from PIL import Image

    with Image.open(file) as picture:
        return 255 - np.asarray(picture.convert("L").resize((28, 28), Image.Resampling.BOX))


def _lfw_files() -> list[File]:
    from sklearn.datasets import _lfw  # scikit-learn keeps its addresses and checksums in this private module

    return [File(f.url, f"lfw_home/{f.filename}", f.checksum) for f in (*_lfw.TARGETS, _lfw.FUNNELED_ARCHIVE)]


def _lfw(root: Path) -> tuple[Arrays, list[str]]:
    from sklearn.datasets import fetch_lfw_people

    faces = fetch_lfw_people(data_home=root, color=True, min_faces_per_person=20, download_if_missing=False)
    pictures = np.rint(faces.images * 255).astype(np.uint8).transpose(0, 3, 1, 2)
    order = np.argsort(faces.target, kind="stable")
    rank = np.arange(len(order)) - np.searchsorted(faces.target[order], faces.target[order])
    test, train = order[rank % 5 == 4], order[rank % 5 != 4]
    arrays = _arrays(pictures[train], faces.target[train], pictures[test], faces.target[test])
    return arrays, [str(name) for name in faces.target_names]


def _olivetti_files() -> list[File]:
    from sklearn.datasets import _olivetti_faces

    file = _olivetti_faces.FACES
    return [File(file.url, file.filename, file.checksum)]


def _olivetti(root: Path) -> tuple[Arrays, list[str]]:
    """A column holds a picture, column by column; ten pictures of a person follow one another."""
    from scipy.io import loadmat

    columns = loadmat(root / _olivetti_files()[0].path)["faces"]
    pictures = columns.T.reshape(-1, 1, 64, 64).transpose(0, 1, 3, 2).astype(np.uint8)
    person, cut = np.arange(len(pictures)) // 10, 3 * len(pictures) // 4
    arrays = _arrays(pictures[:cut], person[:cut], pictures[cut:], person[cut:])
    return arrays, [f"s{k + 1}" for k in range(len(pictures) // 10)]


def _arrays(x_train: Any, y_train: Any, x_test: Any, y_test: Any) -> Arrays:
    labels = [np.asarray(y, dtype=np.int16) for y in (y_train, y_test)]
    return {"x_train": x_train, "y_train": labels[0], "x_test": x_test, "y_test": labels[1]}


SOURCES = {
    "fashion_mnist_full": Source(_fashion_mnist_files, _fashion_mnist),
    "cifar10": Source(_cifar10_files, _cifar10),
    "omniglot": Source(_omniglot_files, _omniglot),
    "olivetti": Source(_olivetti_files, _olivetti),
    "lfw": Source(_lfw_files, _lfw),
}
