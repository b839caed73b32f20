r"""The print and the camera: what varies from shot to shot is drawn once, and then applied as one pure function."""

import math
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from helpers import checks
from helpers.faceid.pictures import check_pictures
from helpers.physical.compression import jpeg
from helpers.physical.transforms import blur, colour, noisy, rotation, tilt, warp

Range = tuple[float, float]


class Camera(NamedTuple):
    """Between which bounds each parameter of a shot is drawn, evenly; unless given, where it does nothing.

    angle in degrees, counter-clockwise; scale; shift and tilt (of each corner) in shares of the width and the height;
    blur in pixels; gain, offset, gamma of the colour response; noise in [0, 1]; quality of the JPEG file, inf: none.
    """

    angle: Range = (0, 0)
    scale: Range = (1, 1)
    shift: Range = (0, 0)
    tilt: Range = (0, 0)
    blur: Range = (0, 0)
    gain: Range = (1, 1)
    offset: Range = (0, 0)
    gamma: Range = (1, 1)
    noise: Range = (0, 0)
    quality: Range = (math.inf, math.inf)


class Shots(NamedTuple):
    """What was drawn for M shots: (M,) each, shift (M, 2), tilt (M, 4, 2), and the noise xi (M, C, H, W)."""

    angle: Tensor
    scale: Tensor
    shift: Tensor
    tilt: Tensor
    blur: Tensor
    gain: Tensor
    offset: Tensor
    gamma: Tensor
    noise: Tensor
    quality: Tensor
    xi: Tensor

    def take(self, rows: Tensor | slice) -> "Shots":
        """Some of the shots."""
        return Shots(*(part[rows] for part in self))


DRAWN = {"shift": (2,), "tilt": (4, 2)}  # how many numbers a shot needs, where not one


def draw(camera: Camera, x: Tensor, n: int = 1, *, generator: Generator | None = None) -> Shots:
    """n shots of each of the pictures x (N, C, H, W): M = N n in all, those of the first picture first.

    From one state of the generator two cameras draw the same places within their ranges: they can be compared shot by
    shot. Raises ValueError for n < 1, or ranges that are NaN or have their bounds in the wrong order.
    """
    check_pictures("x", x)
    checks.whole("n", n)
    checks.drawn_on(generator, x)
    rows, drawn = len(x) * n, dict[str, Tensor]()
    for name, (low, high) in camera._asdict().items():
        if not low <= high or (low != high and math.isinf(high - low)):
            raise ValueError(f"{name} of the camera must be (low, high) with low <= high, got {(low, high)}")
        u = torch.rand(rows, *DRAWN.get(name, ()), generator=generator, device=x.device, dtype=x.dtype)
        drawn[name] = torch.full_like(u, low) if low == high else low + (high - low) * u
    drawn["xi"] = torch.randn(rows, *x.shape[1:], generator=generator, device=x.device, dtype=x.dtype)
    return Shots(**drawn)


def photograph(x: Tensor, shots: Shots) -> Tensor:
    r"""t(x) = jpeg(noisy(colour(blur(warp(x))))): the picture printed and photographed, once for each shot.

    x (N, 1 or 3, H, W) in [0, 1] and M = N n shots -> (M, 1 or 3, H, W) in [0, 1], n photographs of the first picture
    first. Differentiable in x; the picture is resampled once, rotation and perspective together. A camera whose ranges
    are all at rest gives x itself. Raises ValueError unless N divides M and the shots were drawn for such pictures.
    """
    check_pictures("x", x)
    n, rest = divmod(len(shots.angle), len(x))
    if rest or n == 0 or shots.xi.shape[1:] != x.shape[1:]:
        raise ValueError(
            f"shots must be n for each of {len(x)} pictures {tuple(x.shape[1:])}, "
            f"got {len(shots.angle)} of {tuple(shots.xi.shape[1:])}; draw(camera, x, n) draws them"
        )
    x = x.repeat_interleave(n, 0)
    x = warp(x, tilt(x, shots.tilt) @ rotation(x, shots.angle, shots.scale, shots.shift))
    x = colour(blur(x, shots.blur), shots.gain, shots.offset, shots.gamma)
    return jpeg(noisy(x, shots.xi, shots.noise), shots.quality)


COLOUR = Camera(gain=(0.75, 1.1), offset=(-0.1, 0.1), gamma=(0.75, 1.3), noise=(0, 0.05))
BLUR = COLOUR._replace(blur=(0, 1), quality=(50, 95))
ROTATION = BLUR._replace(angle=(-20, 20), scale=(0.85, 1.1), shift=(-0.05, 0.05))
LADDER: dict[str, Camera] = {
    "digital": Camera(),
    "colour": COLOUR,
    "blur": BLUR,
    "rotation": ROTATION,
    "perspective": ROTATION._replace(tilt=(-0.1, 0.1)),
}
