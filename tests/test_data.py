import hashlib
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from helpers import data

SHAPES = {
    "digits": ((1_437, 1, 8, 8), (360, 1, 8, 8)),
    "fashion_mnist": ((10_000, 1, 28, 28), (2_000, 1, 28, 28)),
    "mnist": ((60_000, 1, 28, 28), (10_000, 1, 28, 28)),
}


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """The smallest shipped set in a folder of its own, and nothing loaded yet."""
    shutil.copy(data.FOLDER / "digits.npz", tmp_path)
    monkeypatch.setattr(data, "FOLDER", tmp_path)
    monkeypatch.setattr(data, "_loaded", {})
    return tmp_path / "digits.npz"


@pytest.mark.parametrize("name", SHAPES)
def test_a_shipped_set_is_what_its_description_says(name):
    x_train, y_train, x_test, y_test, classes = data.load(name)
    assert (x_train.shape, x_test.shape) == SHAPES[name]
    for x, y in ((x_train, y_train), (x_test, y_test)):
        assert x.dtype == torch.float32 and (x.min(), x.max()) == (0, 1)
        assert y.dtype == torch.int64 and y.shape == (len(x),)
        assert y.unique().tolist() == list(range(10))
    assert len(classes) == 10 and all(isinstance(c, str) for c in classes)


@pytest.mark.parametrize("name", SHAPES)
def test_the_second_call_returns_the_same_tensors(name):
    assert data.load(name) is data.load(name)


def test_mnist_is_lecuns():
    """The raw training pictures in the format of their first file, IDX, have the MD5 of that file."""
    pixels = (data.load("mnist").x_train * 255).round().to(torch.uint8).numpy()
    header = b"\0\0\x08\x03" + b"".join(n.to_bytes(4, "big") for n in (60_000, 28, 28))
    assert hashlib.md5(header + pixels.tobytes()).hexdigest() == "6bbc9ace898e44ae57da46a324031adb"
    assert data.load("mnist").y_train.bincount().tolist()[:3] == [5923, 6742, 5958]


def test_fashion_mnist_is_balanced():
    fashion = data.load("fashion_mnist")
    assert fashion.y_train.bincount().tolist() == [1000] * 10
    assert fashion.y_test.bincount().tolist() == [200] * 10


def test_digits_are_scikit_learns_each_in_one_of_the_two_parts():
    ours, theirs = data.load("digits"), load_digits()
    x = (torch.cat([ours.x_train, ours.x_test]) * 16).flatten(1).numpy()
    rows = np.c_[x, torch.cat([ours.y_train, ours.y_test]).numpy()]
    expected = np.c_[theirs.data, theirs.target]
    assert np.array_equal(rows[np.lexsort(rows.T)], expected[np.lexsort(expected.T)])
    assert ours.y_test.bincount().tolist() == [36] * 10


def test_the_readme_states_the_checksum_of_every_file():
    readme = (data.FOLDER / "README.md").read_text(encoding="utf-8")
    stated = dict(re.findall(r"\| `(\w+)\.npz` \|.*\| `([0-9a-f]{64})` \|", readme))
    assert stated == {name: shipped.sha256 for name, shipped in data.SHIPPED.items()}
    assert {p.stem for p in data.FOLDER.glob("*.npz")} == set(stated)


def test_a_file_cut_short_is_named_and_refused(copy):
    copy.write_bytes(copy.read_bytes()[:-1])
    with pytest.raises(OSError, match=r"digits.npz is damaged.*Restore it with `git checkout -- data/digits.npz`"):
        data.load("digits")


def test_a_file_with_one_byte_changed_is_named_and_refused(copy):
    content = bytearray(copy.read_bytes())
    content[len(content) // 2] ^= 1
    copy.write_bytes(content)
    with pytest.raises(OSError, match="digits.npz is damaged"):
        data.load("digits")


def test_a_missing_file_is_named(copy):
    copy.unlink()
    with pytest.raises(FileNotFoundError, match="digits.npz is missing. Restore it with"):
        data.load("digits")


def test_a_folder_in_place_of_a_file_is_named_with_the_remedy(copy):
    copy.unlink()
    copy.mkdir()
    with pytest.raises(OSError, match=r"digits.npz is a folder where a file should be: move it away\. Restore it with"):
        data.load("digits")


def test_a_shipped_set_needs_no_writable_folder(copy):
    copy.parent.chmod(0o555)
    try:
        before = sorted(copy.parent.iterdir())
        assert len(data.load("digits").x_test) == 360
        assert sorted(copy.parent.iterdir()) == before
    finally:
        copy.parent.chmod(0o755)


def test_a_wrong_name_gets_the_nearest_right_one():
    with pytest.raises(
        ValueError, match=r"name must be one of digits, .*; got 'fashion-mnist'. Did you mean 'fashion_mn"
    ):
        data.load("fashion-mnist")


@pytest.mark.parametrize("part", range(4))
def test_a_set_that_was_changed_in_place_is_read_again(copy, part):
    first = data.load("digits")
    right = first[part][0].clone()
    first[part][0] += 1  # through a view, as a careless cell would
    again = data.load("digits")
    assert torch.equal(again[part][0], right)
    assert data.load("digits") is again


def test_a_set_first_loaded_in_inference_mode_serves_for_training(copy):
    with torch.inference_mode():
        digits = data.load("digits")
    assert data.load("digits") is digits
    weight = torch.ones(1, requires_grad=True)
    (digits.x_train * weight).sum().backward()


def test_the_package_imports_no_library_before_it_is_needed():
    heavy = "torchvision sklearn scipy matplotlib ipywidgets IPython PIL pandas filelock".split()
    modules = "data training checkpoints models runtime".split()
    code = f"import sys, torch; before = set(sys.modules); from helpers import {', '.join(modules)}; "
    code += f"print(*(m for m in {heavy} if m in sys.modules and m not in before))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == []
