"""A sticker: bent as paper bends, put where landmarks say, and made under the camera."""

import math

import pytest
import torch
from torch import Tensor

from helpers import faceid, physical as A, runtime
from helpers.physical.sticker import arc_length, frame

FLAT = A.Place(0.1, -0.2, 0.8, 0.5)


def tilted(landmarks: Tensor, angle: float, scale: float, move: tuple[float, float]) -> Tensor:
    c, s = scale * math.cos(angle), scale * math.sin(angle)
    return landmarks @ landmarks.new_tensor([[c, s], [-s, c]]) + landmarks.new_tensor(move)


@pytest.fixture
def landmarks() -> Tensor:
    """Two faces in pictures of 60 x 50 pixels, one of them turned by half a radian."""
    upright = frame().double() * 20 + torch.tensor([25.0, 25.0])
    return torch.stack([upright, tilted(upright - 25, 0.5, 0.9, (24, 28))])


@pytest.mark.parametrize("k", [0.0, 0.3, -1.5])
def test_the_paper_is_as_long_as_the_parabola(k: float) -> None:
    from scipy.integrate import quad

    x = torch.linspace(-2, 2, 9, dtype=torch.float64)
    want = [quad(lambda u: math.sqrt(1 + 4 * k * k * u * u), 0, float(end))[0] for end in x]
    torch.testing.assert_close(arc_length(x, k), torch.tensor(want, dtype=torch.float64), atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize(("bend", "pitch"), [(0.4, 0.5), (0.4, -0.9), (0.0, 0.3), (2.0, 0.0)])
def test_flattening_undoes_bending_and_turning(bend: float, pitch: float) -> None:
    """Forth by three-dimensional geometry: a point of the cylinder, turned around the x-axis, seen from far away."""
    x, y = torch.rand(2, 50, dtype=torch.float64, generator=runtime.generator(0, "cpu")) * 2 - 1
    cylinder = torch.stack([x, y, -bend * x**2])
    c, s = math.cos(pitch), math.sin(pitch)
    turned = torch.tensor([[1, 0, 0], [0, c, -s], [0, s, c]], dtype=torch.float64) @ cylinder
    flat = A.flattened(turned[:2].T, bend, pitch)
    torch.testing.assert_close(flat, torch.stack([arc_length(x, bend), y], 1), atol=1e-12, rtol=0)


def test_no_bend_and_no_pitch_change_nothing_at_all() -> None:
    seen = torch.randn(100, 2, generator=runtime.generator(1, "cpu"))
    assert torch.equal(A.flattened(seen, 0.0, 0.0), seen)


def test_bad_bends_are_refused() -> None:
    for bend, pitch in ((0.1, math.pi / 2), (0.1, math.nan), (math.inf, 0.0)):
        with pytest.raises(ValueError, match="need |pitch| < pi / 2 and a finite bend"):
            A.flattened(torch.zeros(1, 2), bend, pitch)


def test_a_sticker_goes_with_its_face(landmarks: Tensor) -> None:
    """Its middle is where the frame of the face has it, and the coordinates along it are those of the turned face."""
    grid = A.on_face(landmarks, FLAT, (60, 50))
    assert grid.shape == (2, 60, 50, 2)
    upright, turned = ((20, 0, 25.0, 25.0), (18, 0.5, 24.0, 28.0))
    for n, (scale, angle, x, y) in enumerate((upright, turned)):
        rows, columns = torch.meshgrid(*(torch.arange(k, dtype=torch.float64) for k in (60, 50)), indexing="ij")
        dx, dy = columns - x, rows - y
        across, down = (math.cos(angle) * dx + math.sin(angle) * dy, -math.sin(angle) * dx + math.cos(angle) * dy)
        want = torch.stack([(across / scale - 0.1) / 0.4, (down / scale + 0.2) / 0.25], -1)
        torch.testing.assert_close(grid[n], want, atol=1e-9, rtol=0)


def test_a_turned_sticker_has_its_right_edge_up(landmarks: Tensor) -> None:
    """By a quarter turn counter-clockwise what was on the right is above; paper and grid turn by the angle."""
    straight, turned = (A.on_face(landmarks[:1], A.Place(0, 0, 1, 1, turn=t), (60, 50))[0] for t in (0, math.pi / 2))
    torch.testing.assert_close(turned[20, 28], torch.tensor([0.5, 0.3]).double(), atol=1e-6, rtol=0)
    torch.testing.assert_close(straight[20, 28], torch.tensor([0.3, -0.5]).double(), atol=1e-6, rtol=0)
    some = A.on_face(landmarks[:1], A.Place(0, 0, 1, 1, turn=0.3), (60, 50))[0]
    torch.testing.assert_close(some.norm(dim=-1), straight.norm(dim=-1))


def test_stickers_that_nobody_sees_are_refused(landmarks: Tensor) -> None:
    with pytest.raises(ValueError, match=r"lies outside of the pictures \[0, 1\], \(60, 50\) pixels"):
        A.on_face(landmarks, FLAT._replace(x=9.0), (60, 50))
    with pytest.raises(ValueError, match="a sticker with an area"):
        A.on_face(landmarks, FLAT._replace(width=0.0), (60, 50))
    with pytest.raises(ValueError, match=r"need landmarks \(N, 5, 2\)"):
        A.on_face(landmarks[:, :4], FLAT, (60, 50))


def test_outside_of_the_sticker_nothing_changes_and_inside_it_is_seen(landmarks: Tensor) -> None:
    grid, x = A.on_face(landmarks, FLAT, (60, 50)), torch.rand(2, 1, 60, 50, dtype=torch.float64)
    colours = torch.tensor([0.1, 0.7, 0.3], dtype=torch.float64)[:, None, None].expand(3, 8, 12)
    worn, far = A.stick(x, colours, grid), grid.abs().amax(-1)
    outside, inside = (far > 1 + 1 / 8)[:, None].expand_as(worn), (far < 1 - 1 / 8)[:, None].expand_as(worn)
    assert torch.equal(worn[outside], x.expand_as(worn)[outside])
    torch.testing.assert_close(worn[inside], colours[:, :1, :1].expand_as(worn)[inside])
    assert 0.02 < inside.double().mean() < 0.2


def test_the_gradient_is_right_in_picture_patch_and_landmarks(landmarks: Tensor) -> None:
    """In the landmarks where the patch is smooth: between pixels bilinear reading has kinks, on a slope it has none."""
    generator = runtime.generator(0, "cpu")
    x = torch.rand(2, 1, 12, 10, dtype=torch.float64, generator=generator).requires_grad_()
    patch = torch.rand(1, 3, 4, dtype=torch.float64, generator=generator).requires_grad_()
    small = (landmarks / 5).requires_grad_()
    grid = A.on_face(landmarks / 5, A.FOREHEAD._replace(y=0.0), (12, 10))
    assert torch.autograd.gradcheck(lambda x, p: A.stick(x, p, grid), (x, patch))
    assert torch.autograd.gradcheck(lambda marks: A.on_face(marks, A.FOREHEAD._replace(y=0.0), (12, 10)), (small,))


def test_each_patch_has_its_place(landmarks: Tensor) -> None:
    x, patches = torch.full((2, 1, 60, 50), 0.5).double(), torch.tensor([0.0, 1.0]).double().view(2, 1, 1, 1)
    left, right = A.CHEEKS
    worn = A.wear(x[:1], landmarks[:1], patches.expand(2, 1, 4, 4), A.CHEEKS)[0, 0]
    for place, value in ((left, 0.0), (right, 1.0)):
        assert worn[round(25 + 20 * place.y), round(25 + 20 * place.x)] == value
    with pytest.raises(ValueError, match=r"K = 2 as there are places, got \(1, 1, 4, 4\)"):
        A.wear(x, landmarks, patches[:1].expand(1, 1, 4, 4), A.CHEEKS)


def brightness(z: Tensor, rows: Tensor) -> Tensor:
    """Of the photographs: a loss whose best patch is black."""
    return z.mean((1, 2, 3))


SETTINGS = {"camera": A.LADDER["blur"], "start": torch.full((1, 1, 6, 8), 0.5), "batch": 4}


def made(landmarks: Tensor, **settings: object) -> Tensor:
    """A patch on two grey pictures."""
    x = torch.full((2, 1, 60, 50), 0.6)
    settings = SETTINGS | {"steps": 40, "generator": runtime.generator(0, "cpu")} | settings
    return A.eot_patches(brightness, x, landmarks.float(), (FLAT,), **settings)  # type: ignore[arg-type]


def test_the_patch_is_driven_down_the_loss_and_stays_in_range(landmarks: Tensor) -> None:
    p = made(landmarks)
    assert p.shape == (1, 1, 6, 8) and not p.requires_grad and p.min() == 0 and p.mean() < 0.05
    assert torch.equal(SETTINGS["start"], torch.full((1, 1, 6, 8), 0.5))  # not changed
    first, again, other = (made(landmarks, steps=3, generator=runtime.generator(n, "cpu")) for n in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
    kept = made(landmarks, penalty=lambda p: 100 * (p - 0.8).square().sum())
    assert (kept - 0.8).abs().max() < 0.1


def test_a_budget_of_zero_is_refused(landmarks: Tensor) -> None:
    for name in ("steps", "batch"):
        with pytest.raises(ValueError, match=f"{name} must be an integer of at least 1, got 0"):
            made(landmarks, **{name: 0})


def test_pictures_without_end_are_refused(landmarks: Tensor) -> None:
    with pytest.raises(ValueError, match="no pictures"):
        A.eot_patches(brightness, torch.zeros(0, 1, 60, 50), landmarks[:0].float(), (FLAT,), **SETTINGS, steps=1)
    with pytest.raises(ValueError, match=r"landmarks must be five points for each of 2 pictures"):
        A.eot_patches(brightness, torch.zeros(2, 1, 60, 50), landmarks[:1].float(), (FLAT,), **SETTINGS, steps=1)
    assert faceid.similarity(landmarks[0], landmarks[0])[0].det() == pytest.approx(1)
