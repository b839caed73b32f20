"""MTCNN on real faces: all are found, alone as in a batch, and what is no face, or no picture, is said to be none."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from helpers import faceid as A

Networks = tuple[A.Mtcnn, nn.Module]


def test_each_of_the_400_faces_is_found_once(faces: A.Faces) -> None:
    assert torch.equal(faces.picture.cpu(), torch.arange(400))
    assert (faces.scores > 0.98).all() and (faces.scores <= 1).all()
    width = faces.boxes[:, 2] - faces.boxes[:, 0]
    assert 40 < width.min() < width.max() < 100


def test_landmarks_are_where_a_face_has_them(faces: A.Faces) -> None:
    left, right, nose, mouth_left, mouth_right = faces.landmarks.unbind(1)
    assert (left[:, 0] < right[:, 0]).all() and (mouth_left[:, 0] < mouth_right[:, 0]).all()
    assert (torch.maximum(left, right)[:, 1] < nose[:, 1]).all() and (nose[:, 1] < mouth_left[:, 1]).all()
    low, high = faces.boxes[:, None, :2], faces.boxes[:, None, 2:]
    assert ((faces.landmarks > low - 5) & (faces.landmarks < high + 5)).all()


def test_the_face_in_the_photograph_is_found(networks: Networks, x: Tensor) -> None:
    found = A.detect(networks[0], A.photograph().to(x.device))
    assert len(found.scores) == 1
    expected = torch.tensor([[117.0, 62, 204, 172]])
    assert A.overlap(found.boxes, expected.to(x.device)) > 0.9


def test_a_batch_is_its_pictures_one_by_one(networks: Networks, x: Tensor, faces: A.Faces) -> None:
    for n in (3, 150, 399):
        alone = A.detect(networks[0], x[n : n + 1])
        for part, whole in zip(alone[:3], faces.take(faces.picture == n)[:3], strict=True):
            torch.testing.assert_close(part, whole, atol=1e-2, rtol=0)


def test_pictures_without_a_face_among_others(networks: Networks, x: Tensor, faces: A.Faces) -> None:
    mixed = torch.stack([torch.zeros_like(x[0]), x[7], torch.rand_like(x[0]), x[9]])
    assert A.detect(networks[0], mixed).picture.tolist() == [1, 3]


def test_several_faces_in_one_picture(networks: Networks, x: Tensor) -> None:
    four = torch.cat([torch.cat([x[0], x[50]], 2), torch.cat([x[100], x[200]], 2)], 1)[None]
    found = A.detect(networks[0], four)
    assert found.picture.tolist() == [0] * 4
    centres = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2
    right, low = (centres > torch.tensor([92, 112], device=x.device)).int().unbind(1)
    assert sorted((2 * low + right).tolist()) == [0, 1, 2, 3]


def test_grey_is_a_colour(networks: Networks, x: Tensor) -> None:
    grey, colour = A.detect(networks[0], x[:2]), A.detect(networks[0], x[:2].repeat(1, 3, 1, 1))
    assert all(torch.equal(a, b) for a, b in zip(grey, colour, strict=True))


@pytest.mark.parametrize("size", [(1, 1), (5, 200), (11, 11), (19, 19), (24, 12)])
def test_pictures_smaller_than_a_face_have_none(networks: Networks, x: Tensor, size: tuple[int, int]) -> None:
    found = A.detect(networks[0], F.interpolate(x[:2], size, mode="area"))
    assert [tuple(part.shape) for part in found] == [(0, 4), (0,), (0, 5, 2), (0,)]


def test_a_face_turned_a_little_is_found_and_one_on_its_head_is_not(networks: Networks, x: Tensor) -> None:
    angle = torch.tensor(math.radians(20.0))
    turn = torch.tensor([[angle.cos(), -angle.sin(), 0], [angle.sin(), angle.cos(), 0]], device=x.device)
    wide = F.pad(x[:10], (40, 40, 40, 40), mode="replicate")
    grid = F.affine_grid(turn.expand(10, 2, 3), list(wide.shape), align_corners=False)
    turned = F.grid_sample(wide, grid, align_corners=False).clamp(0, 1)
    assert len(A.detect(networks[0], turned).picture.unique()) == 10
    assert len(A.detect(networks[0], x[:10].flip(2)).scores) <= 2


def test_larger_pictures_have_larger_faces(networks: Networks, x: Tensor, faces: A.Faces) -> None:
    twice = A.detect(networks[0], F.interpolate(x[:6], scale_factor=2, mode="bilinear"), min_side=40)
    assert twice.picture.tolist() == list(range(6))
    assert (A.overlap(twice.boxes / 2, faces.boxes[:6]) > 0.7).all()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda x: x * math.nan, r"x must lie in \[0, 1\], got values from nan"),
        (lambda x: x * 255, r"x must lie in \[0, 1\], got values from .* to 2"),
        (lambda x: x - 1, r"x must lie in \[0, 1\], got values from -0.99"),
        (lambda x: (x * 255).byte(), r"got torch.uint8; of bytes, x.float\(\) / 255 is one"),
        (lambda x: x.cpu().numpy(), "floating tensor in .* got ndarray"),
        (lambda x: x[0], r"pictures \(N, 1 or 3, H, W\), none of them empty, got \(1, 112, 92\)"),
        (lambda x: x.repeat(1, 2, 1, 1), r"got \(2, 2, 112, 92\)"),
        (lambda x: x.permute(0, 2, 3, 1), r"got \(2, 112, 92, 1\)"),
        (lambda x: x[:0], r"got \(0, 1, 112, 92\)"),
        (lambda x: x[:, :, :0], r"got \(2, 1, 0, 92\)"),
        (lambda x: x.double(), "x must be torch.float32 on .* as the network is, got torch.float64"),
    ],
)
def test_what_is_no_picture_is_named(networks: Networks, x: Tensor, spoil, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        A.detect(networks[0], spoil(x[:2]))


@pytest.mark.parametrize("options", [{"min_side": 11}, {"min_side": math.nan}, {"factor": 1.0}, {"factor": 0.0}])
def test_a_pyramid_that_never_ends_is_refused(networks: Networks, x: Tensor, options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="need min_side >= 12 and 0 < factor < 1"):
        A.detect(networks[0], x[:1], **options)


def test_the_pyramid_ends_with_the_window() -> None:
    assert A.scales(48, 100, 12, 0.5) == [1, 0.5, 0.25]
    assert A.scales(47, 100, 12, 0.5) == [1, 0.5] and A.scales(11, 11, 12) == []


def test_windows_are_where_the_first_network_looks(networks: Networks, x: Tensor) -> None:
    """Each window of 12 pixels by itself gives the log-odds and shifts that the whole picture gives there; its box is
    those pixels, counted from 1 as MTCNN does, in the picture before it was shrunk to half."""
    odds, shifts, boxes = A.windows(networks[0], A.in_colour(x[:1]), 0.5)
    small = F.interpolate(A.in_colour(x[:1]), (57, 47), mode="area")
    assert boxes.shape == (*odds.shape[1:], 4) == (24, 19, 4)
    for row, column in ((0, 0), (3, 7), (20, 11)):
        top, left = 2 * row, 2 * column
        alone = networks[0].pnet(small[..., top : top + 12, left : left + 12])[0, :, 0, 0]
        whole = torch.cat([odds[0, row, column, None], shifts[0, row, column]])
        torch.testing.assert_close(alone, whole, atol=1e-4, rtol=1e-4)
        assert boxes[row, column].tolist() == [2 * (left + 1), 2 * (top + 1), 2 * (left + 12), 2 * (top + 12)]


def test_an_attack_has_a_gradient_at_every_stage(networks: Networks, x: Tensor) -> None:
    picture = A.in_colour(x[:1]).clone().requires_grad_()
    odds, _, _ = A.windows(networks[0], picture, 0.5)
    found = A.detect(networks[0], picture)
    cut = A.crops(picture, found.boxes, found.picture, 24)
    look = A.embed(networks[1], A.align(picture, found.landmarks))
    for value in (odds.amax(), found.landmarks.sum(), networks[0].rnet(cut)[:, 0].sum(), look[:, 0].sum()):
        (gradient,) = torch.autograd.grad(value, picture, retain_graph=True)
        assert gradient.isfinite().all() and gradient.abs().max() > 1e-6


def test_log_odds_keep_their_gradient_where_the_score_is_one(networks: Networks, x: Tensor, faces: A.Faces) -> None:
    """A score of 1 - 1e-8 is 1 in single precision, and no attack could start there."""
    n = int(faces.scores.argmax())
    picture = x[n : n + 1].clone().requires_grad_()
    cut = A.crops(A.in_colour(picture), faces.boxes[n : n + 1], torch.zeros_like(faces.picture[:1]), 48)
    (gradient,) = torch.autograd.grad(networks[0].onet(cut)[0, 0], picture)
    assert gradient.abs().max() > 0.1


def test_nothing_that_is_given_is_changed(networks: Networks, x: Tensor) -> None:
    before, state = x[:2].clone(), torch.get_rng_state()
    A.detect(networks[0], x[:2])
    assert torch.equal(before, x[:2]) and torch.equal(state, torch.get_rng_state())
