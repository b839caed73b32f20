"""The detector and what makes it lose a face: who says that a face is lost has asked the whole cascade."""

import pytest
import torch
from torch import Tensor

from helpers import faceid, physical as A, runtime
from helpers.faceid import stored as described
from helpers.physical.detector import THRESHOLDS

DIGITAL, WORLD = A.LADDER["digital"], A.LADDER["perspective"]


@pytest.fixture(scope="module")
def mtcnn() -> faceid.Mtcnn:
    return faceid.pretrained("cpu")[0]


@pytest.fixture(scope="module")
def x() -> Tensor:
    """One picture of each person."""
    return faceid.att_faces()[0][::10]


@pytest.fixture(scope="module")
def landmarks() -> Tensor:
    return described.load().landmarks[::10]


def lost(mtcnn: faceid.Mtcnn, x: Tensor, **settings: object) -> Tensor:
    """In which pictures, as they are, nothing is found: (N, 1)."""
    return A.lost(mtcnn, x, A.draw(DIGITAL, x), **settings)


def test_no_loss_no_face_and_a_face_has_its_loss(mtcnn: faceid.Mtcnn, x: Tensor, landmarks: Tensor) -> None:
    """Over faces, faces behind black patches of growing size, and no faces: L = 0 wherever nothing is found is not
    claimed (the margin asks for more); something found means L >= margin, for each network that let it pass."""
    pictures = [x[:12], torch.zeros_like(x[:2])]
    for side in (0.6, 0.9):
        places = tuple(place._replace(width=side, height=side) for place in A.CHEEKS)
        pictures.append(A.wear(x[:12], landmarks[:12], torch.zeros(2, 1, 4, 4), places))
    z = torch.cat(pictures)
    gone, loss = lost(mtcnn, z)[:, 0], A.vanishing_loss(mtcnn, z)
    assert 4 < gone.sum() < len(z) - 12
    assert (loss[~gone] > 2).all() and gone[loss == 0].all() and (loss[12:14] == 0).all()
    by_last = A.vanishing_loss(mtcnn, z, margin=1e-6, weights=(0, 0, 1))
    assert torch.equal(by_last == 0, gone)


def test_rows_do_not_see_each_other(mtcnn: faceid.Mtcnn, x: Tensor) -> None:
    together = A.vanishing_loss(mtcnn, x[:3], weights=(0.1, 1, 1))
    alone = torch.cat([A.vanishing_loss(mtcnn, row[None], weights=(0.1, 1, 1)) for row in x[:3]])
    torch.testing.assert_close(together, alone, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("weights", [(1, 0, 0), (0, 1, 0), (0, 0, 1)])
def test_the_gradient_goes_through_each_network(
    mtcnn: faceid.Mtcnn, x: Tensor, landmarks: Tensor, weights: tuple[int, int, int]
) -> None:
    """And points down: a small step against it lowers the loss by what it promises, the windows being the same."""
    patches = torch.full((2, 1, 16, 16), 0.5, requires_grad=True)

    def loss(p: Tensor) -> Tensor:
        return A.vanishing_loss(mtcnn, A.wear(x[:1], landmarks[:1], p, A.CHEEKS), weights=weights).sum()

    before = loss(patches)
    (g,) = torch.autograd.grad(before, patches)
    assert g.norm() > 0
    step = 1e-3 / g.norm()
    with torch.no_grad():
        fall = before - loss(patches - step * g)
    assert float(fall / (step * g.square().sum())) == pytest.approx(1, abs=0.1)


def test_whoever_says_lost_has_asked_the_detector(mtcnn: faceid.Mtcnn, x: Tensor, monkeypatch) -> None:
    asked = []

    def counted(*args, **settings):
        asked.append(len(args[1]))
        return real(*args, **settings)

    real = faceid.detect
    monkeypatch.setattr(faceid, "detect", counted)
    both = torch.stack([x[0], torch.zeros_like(x[0])])
    hits = A.lost(mtcnn, both, A.draw(WORLD, both, 3, generator=runtime.generator(0, "cpu")))
    assert hits.tolist() == [[False] * 3, [True] * 3] and asked == [6]
    monkeypatch.setattr(faceid, "detect", lambda *args, **settings: pytest.fail("asked"))
    with pytest.raises(BaseException, match="asked"):
        lost(mtcnn, x[:1])


def test_one_face_anywhere_is_a_face(mtcnn: faceid.Mtcnn, x: Tensor) -> None:
    """A picture with two faces, one of them covered, is not lost."""
    two = torch.cat([torch.zeros_like(x[:1]), x[1:2]], 3)
    assert not lost(mtcnn, two).any()
    assert lost(mtcnn, x[:1], thresholds=(0.6, 0.7, 1.0)).all()


def test_a_face_is_lost_where_its_best_score_is_under_the_threshold(
    mtcnn: faceid.Mtcnn, x: Tensor, landmarks: Tensor
) -> None:
    worn = A.wear(x, landmarks, torch.zeros(2, 1, 4, 4), A.CHEEKS)
    scores, gone = A.best_score(mtcnn, worn), lost(mtcnn, worn)[:, 0]
    assert torch.equal(scores <= THRESHOLDS[2], gone) and 2 < gone.sum() < 38


def test_no_face_and_two_are_refused(mtcnn: faceid.Mtcnn, x: Tensor) -> None:
    assert A.only_face(mtcnn, x[:2]).picture.tolist() == [0, 1]
    wide = torch.cat([x[:1], x[1:2]], 3)
    for z, message in (
        (torch.zeros_like(wide), r"\(picture: faces\) \{0: 0\}"),
        (torch.cat([torch.zeros_like(wide), wide]), r"\{0: 0, 1: 2\}"),
    ):
        with pytest.raises(ValueError, match="each picture must show one face.*" + message):
            A.only_face(mtcnn, z)


def test_bad_pictures_are_refused(mtcnn: faceid.Mtcnn, x: Tensor, landmarks: Tensor) -> None:
    with pytest.raises(ValueError, match="x must lie in"):
        A.vanishing_loss(mtcnn, x[:1] * torch.nan)
    with pytest.raises(ValueError, match="there is no face to attack"):
        A.vanish(mtcnn, x[:0], landmarks[:0], camera=DIGITAL, steps=1)
    with pytest.raises(ValueError, match="steps must be an integer of at least 1, got 0"):
        A.vanish(mtcnn, x[:1], landmarks[:1], camera=DIGITAL, steps=0)


def test_a_short_attack_on_one_person_and_its_controls(mtcnn: faceid.Mtcnn, x: Tensor, landmarks: Tensor) -> None:
    patches = A.vanish(
        mtcnn,
        x[3:4],
        landmarks[3:4],
        camera=DIGITAL,
        steps=40,
        batch=1,
        step=0.1,
        generator=runtime.generator(0, "cpu"),
    )
    assert patches.shape == (2, 1, 24, 24)
    worn = {"none": None, "patch": patches} | A.controls(patches, runtime.generator(1, "cpu"))
    rates = A.lost_rates(mtcnn, x[3:4], landmarks[3:4], worn, camera=DIGITAL)
    assert list(rates) == ["none", "patch", "grey", "random", "black"]
    assert [rates[name].rate for name in ("none", "patch", "grey", "random")] == [0, 1, 0, 0]
