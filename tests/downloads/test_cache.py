"""The cache of what was down-loaded: damage is noticed, one process writes, and every failure names its remedy."""

import subprocess
import sys

import pytest
import torch

from helpers import data, downloads
from tests.downloads.server import load_afresh, md5


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
