"""Shots: drawn within their ranges, the same places for two cameras, applied row by row; a camera at rest."""

import math

import pytest
import torch
from torch import Tensor

from helpers import physical, runtime
from helpers.physical import Camera

LADDER = list(physical.LADDER.items())


@pytest.fixture
def x() -> Tensor:
    return torch.rand(3, 1, 12, 10, generator=runtime.generator(0))


@pytest.mark.parametrize("channels", [1, 3])
def test_a_camera_at_rest_is_the_identity_to_the_last_bit(x: Tensor, channels: int) -> None:
    x = x.expand(-1, channels, -1, -1)
    shots = physical.draw(physical.LADDER["digital"], x, 4, generator=runtime.generator(1))
    assert torch.equal(physical.photograph(x, shots), x.repeat_interleave(4, 0))


def test_every_number_lies_in_its_range_and_fills_it(x: Tensor) -> None:
    camera = Camera((-20, 20), (0.8, 1.1), (-0.1, 0.1), (-0.1, 0.1), (0, 1), (0.7, 1.2), (-0.1, 0.1), (0.8, 1.2))
    camera = camera._replace(noise=(0, 0.1), quality=(30, 90))
    shots = physical.draw(camera, x, 700, generator=runtime.generator(2))
    for name, (low, high) in camera._asdict().items():
        part = getattr(shots, name)
        assert len(part) == 2100 and low <= part.min() and part.max() <= high
        assert part.max() - part.min() > 0.97 * (high - low)
    assert shots.tilt.shape == (2100, 4, 2) and shots.shift.shape == (2100, 2) and shots.xi.shape == (2100, 1, 12, 10)
    assert abs(shots.xi.mean()) < 0.02 and abs(shots.xi.std() - 1) < 0.02


def test_two_cameras_draw_the_same_places(x: Tensor) -> None:
    """Each rung keeps what the rungs before it drew."""
    for (_, below), (_, above) in zip(LADDER, LADDER[1:], strict=False):
        first, second = (physical.draw(c, x, 5, generator=runtime.generator(3)) for c in (below, above))
        for name, bounds in below._asdict().items():
            assert getattr(above, name) != bounds or torch.equal(getattr(first, name), getattr(second, name))
        assert torch.equal(first.xi, second.xi)


def test_the_rungs_add_up() -> None:
    for (_, below), (_, above) in zip(LADDER, LADDER[1:], strict=False):
        rest = Camera()._asdict()
        kept = [name for name, bounds in below._asdict().items() if bounds != rest[name]]
        assert all(getattr(above, name) == getattr(below, name) for name in kept) and below != above


def test_a_photograph_is_its_parts_in_their_order(x: Tensor) -> None:
    """Row k n + j is shot j of picture k."""
    shots = physical.draw(physical.LADDER["perspective"], x, 2, generator=runtime.generator(4))
    photographs = physical.photograph(x, shots)
    for row in range(6):
        one, z = shots.take(slice(row, row + 1)), x[row // 2 : row // 2 + 1]
        z = physical.warp(z, physical.tilt(z, one.tilt) @ physical.rotation(z, one.angle, one.scale, one.shift))
        z = physical.colour(physical.blur(z, one.blur), one.gain, one.offset, one.gamma)
        z = physical.jpeg(physical.noisy(z, one.xi, one.noise), one.quality)
        torch.testing.assert_close(photographs[row : row + 1], z, atol=3 / 255, rtol=0)


def test_shots_can_be_taken_apart(x: Tensor) -> None:
    shots = physical.draw(physical.LADDER["rotation"], x, 4, generator=runtime.generator(5))
    torch.testing.assert_close(
        physical.photograph(x[1:2], shots.take(slice(4, 8))), physical.photograph(x, shots)[4:8], atol=2 / 255, rtol=0
    )


def test_the_seed_decides(x: Tensor) -> None:
    camera = physical.LADDER["perspective"]
    first, again, other = (physical.draw(camera, x, generator=runtime.generator(k)) for k in (7, 7, 8))
    assert all(map(torch.equal, first, again)) and not torch.equal(first.angle, other.angle)


@pytest.mark.parametrize(
    ("camera", "message"),
    [
        (Camera(angle=(5, -5)), r"angle of the camera must be \(low, high\) with low <= high, got \(5, -5\)"),
        (Camera(blur=(math.nan, 1)), "blur of the camera"),
        (Camera(quality=(50, math.inf)), "quality of the camera"),
    ],
)
def test_ranges_in_the_wrong_order_are_named(x: Tensor, camera: Camera, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        physical.draw(camera, x)


def test_bad_shots_are_named(x: Tensor) -> None:
    shots, message = physical.draw(Camera(), x, 2), r"for each of 3 pictures \(1, 12, 10\), got 5 of \(1, 12, 10\)"
    with pytest.raises(ValueError, match=message):
        physical.photograph(x, shots.take(slice(0, 5)))
    with pytest.raises(ValueError, match="shots must be n for each"):
        physical.photograph(x[..., :-1], shots)
    with pytest.raises(ValueError, match="shots must be n for each"):
        physical.photograph(x, shots.take(slice(0, 0)))
    with pytest.raises(ValueError, match="n must be an integer of at least 1, got 0"):
        physical.draw(Camera(), x, 0)
    with pytest.raises(ValueError, match="sigma must lie in"):
        physical.photograph(x, physical.draw(Camera(blur=(-1, -0.5)), x))
