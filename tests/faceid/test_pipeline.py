"""From pictures to verdicts, and what is stored of it."""

import math
import shutil

import pytest
import torch
from torch import Tensor, nn

from helpers import faceid as A, runtime
from helpers.faceid import stored

Networks = tuple[A.Mtcnn, nn.Module]


@pytest.fixture(scope="module")
def described() -> A.Described:
    return A.Described(*(part.to(runtime.device()) for part in stored.load()))


def test_one_in_two_hundred_is_mistaken_when_faces_are_aligned(described: A.Described) -> None:
    """And alignment is what does it: the same network on whole pictures, on what boxes cut out, on aligned faces."""
    people = A.att_faces()[1].to(runtime.device())
    rates = [float(stored.equal_error(look, people)) for look in (described.raw, described.cropped, described.aligned)]
    assert rates == pytest.approx([0.153, 0.021, 0.005], abs=0.002)
    i, j = A.pairs(people)
    _, high = A.interval_over_people(
        A.equal_error_rate,
        -A.distances(described.aligned[i], described.aligned[j]),
        (people[i], people[j]),
        generator=runtime.generator(0),
    )
    assert rates[2] < high < 0.01 < rates[1]


def test_what_is_stored_is_what_the_pipeline_gives(networks: Networks, x: Tensor, described: A.Described) -> None:
    """The landmarks to a fiftieth of a pixel, and distances, of up to 1, to 1e-3."""
    some = torch.arange(0, 400, 21)
    found = A.describe(*networks, x[some])
    for name, tolerance in (("boxes", 0.02), ("landmarks", 0.02), ("raw", 1e-3), ("cropped", 1e-3), ("aligned", 1e-3)):
        a, b = getattr(found, name), getattr(described, name)[some]
        torch.testing.assert_close(a, b, atol=tolerance, rtol=0)
    recognised, seen = A.recognise(*networks, x[some])
    assert seen.tolist() == list(range(len(some)))
    torch.testing.assert_close(recognised, found.aligned)


@pytest.mark.parametrize("damage", [lambda c: c[:-1], lambda c: c[:-9] + b"x" + c[-8:]])
def test_a_damaged_file_is_refused(damage, tmp_path, monkeypatch) -> None:
    for path in (stored.FILE, stored.FILE.with_suffix(".json")):
        shutil.copy(path, tmp_path)
    monkeypatch.setattr(stored, "FILE", tmp_path / stored.FILE.name)
    stored.FILE.write_bytes(damage(stored.FILE.read_bytes()))
    with pytest.raises(OSError, match=r"att_faces.npz is damaged.*python -m helpers.faceid.stored"):
        stored.load()


def test_verdicts_on_one_person_and_on_two(networks: Networks, x: Tensor) -> None:
    same = A.verify(*networks, x[0], x[1], threshold=0.5)
    other = A.verify(*networks, x[0], A.photograph()[0].to(x.device), threshold=0.5)
    assert same.accepted is True and other.accepted is False
    assert same.distance is not None and other.distance is not None and same.distance < 0.4 < 0.6 < other.distance
    assert same.reason.startswith("distance 0.3") and "> 0.50" in other.reason
    again = A.verify(*networks, x[0], x[0], threshold=1e-9)
    assert again.accepted is True and again.distance == 0


def test_no_face_and_several_are_no_verdict(networks: Networks, x: Tensor) -> None:
    two = torch.cat([x[0], x[50]], 2)
    for a, b, reason in (
        (x[0], torch.zeros_like(x[0]), "no faces in the second picture"),
        (torch.ones(3, 7, 7, device=x.device), x[0], "no faces in the first picture"),
        (two, x[0], "2 faces in the first picture"),
    ):
        assert A.verify(*networks, a, b, threshold=0.6) == (None, None, reason)


@pytest.mark.parametrize("threshold", [0.0, -1.0, math.nan, math.inf])
def test_a_threshold_that_is_none_is_refused(networks: Networks, x: Tensor, threshold: float) -> None:
    with pytest.raises(ValueError, match="threshold must be positive"):
        A.verify(*networks, x[0], x[1], threshold=threshold)


def test_pictures_that_are_none_get_no_verdict(networks: Networks, x: Tensor) -> None:
    with pytest.raises(ValueError, match="values from nan"):
        A.verify(*networks, x[0], x[0] * math.nan, threshold=0.6)
    with pytest.raises(ValueError, match="x must be pictures"):
        A.verify(*networks, x[0], x[0, 0], threshold=0.6)


def test_the_largest_face_counts() -> None:
    boxes = torch.tensor([[0.0, 0, 2, 2], [0, 0, 9, 9], [0, 0, 5, 5], [1, 1, 4, 4]])
    faces = A.Faces(boxes, torch.ones(4), torch.zeros(4, 5, 2), torch.tensor([0, 0, 0, 2]))
    assert A.chosen(faces, 4).tolist() == [1, -1, 3, -1]
    assert A.chosen(faces.take(torch.zeros(0, dtype=torch.long)), 2).tolist() == [-1, -1]


def test_who_has_no_face_is_left_out(networks: Networks, x: Tensor) -> None:
    mixed = torch.stack([x[3], torch.zeros_like(x[0]), x[4]])
    found, seen = A.recognise(*networks, mixed)
    assert seen.tolist() == [0, 2] and found.shape == (2, 128)
    nobody, seen = A.recognise(*networks, torch.zeros_like(mixed))
    assert nobody.shape == (0, 128) and seen.shape == (0,)
    with pytest.raises(ValueError, match=r"none was found in pictures \[1\]"):
        A.describe(*networks, mixed)


def test_descriptors_are_checked(networks: Networks) -> None:
    with pytest.raises(ValueError, match=r"faces must be aligned, 150 x 150 pixels, got \(1, 3, 112, 92\)"):
        A.embed(networks[1], torch.rand(1, 3, 112, 92))
    with pytest.raises(ValueError, match=r"as many descriptors \(N, d\), got \(2, 3\) and \(1, 3\)"):
        A.distances(torch.rand(2, 3), torch.rand(1, 3))
    with pytest.raises(ValueError, match="a and b must be finite"):
        A.distances(torch.rand(2, 3), torch.full((2, 3), math.nan))


def test_the_photograph_is_verified(monkeypatch) -> None:
    assert A.photograph().shape == (1, 3, 320, 320)
    monkeypatch.setattr("helpers.faceid.pictures.PHOTOGRAPH", "0" * 64)
    with pytest.raises(OSError, match="git checkout -- data/faceid/astronaut.png"):
        A.photograph()
