"""A sticker on a face: bent as paper on a forehead bends, turned and put where five landmarks say."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from helpers import checks, faceid
from helpers.faceid.alignment import MEAN_FACE
from helpers.physical.camera import Camera, draw, photograph
from helpers.physical.patches import apply_patch


class Place(NamedTuple):
    """Where a sticker is on a face. Unit: the distance of the eyes; origin: midway between them; y grows downwards.

    (x, y) its centre, width and height of the flat paper, turned in its plane by `turn`, counter-clockwise; bend the k
    of the parabola z = -k x^2 along which it is bent away from the viewer, pitch the angle by which it is tipped, the
    sides seen lower. Angles in radians.
    """

    x: float
    y: float
    width: float
    height: float
    bend: float = 0.0
    pitch: float = 0.0
    turn: float = 0.0


FOREHEAD = Place(0.0, -0.65, 1.7, 0.6, bend=0.3, pitch=0.3)
CHEEKS = (Place(-0.55, 0.6, 0.5, 0.5), Place(0.55, 0.6, 0.5, 0.5))


def arc_length(x: Tensor, k: float) -> Tensor:
    r"""s(x) = int_0^x sqrt(1 + 4 k^2 u^2) du = (x / 2) (sqrt(1 + t^2) + asinh(t) / t),  t = 2 k x;  s = x at k = 0.

    How far from its middle the point of a paper is that hangs on the parabola z = k x^2.
    """
    t = 2 * k * x
    ratio = torch.where(t == 0, torch.ones_like(t), t.asinh() / torch.where(t == 0, torch.ones_like(t), t))
    return x / 2 * ((1 + t.square()).sqrt() + ratio)


def flattened(seen: Tensor, bend: float, pitch: float) -> Tensor:
    r"""Where on the flat paper one looks at (X, Y):  s = arc_length(X, k),  y = (Y - k X^2 sin phi) / cos phi.

    The other way: (s, y) lies on the cylinder at (x, y, -k x^2), which is turned by phi around the x-axis and seen
    from far away, X = x, Y = y cos phi + k x^2 sin phi. Bend and pitch 0 change nothing, exactly. (..., 2) -> (..., 2).
    Raises ValueError unless |phi| < pi / 2 and k is finite. Source: Komkov & Petiushko 2019, section III.
    """
    if not abs(pitch) < math.pi / 2 or not math.isfinite(bend):
        raise ValueError(f"need |pitch| < pi / 2 and a finite bend, got {pitch=}, {bend=}")
    x, y = seen.unbind(-1)
    return torch.stack([arc_length(x, bend), (y - bend * math.sin(pitch) * x.square()) / math.cos(pitch)], -1)


def frame() -> Tensor:
    """The five landmarks of the mean face in the units of Place: (5, 2)."""
    points = torch.tensor(MEAN_FACE)
    return (points - points[:2].mean(0)) / (points[1] - points[0]).norm()


def on_face(landmarks: Tensor, place: Place, size: tuple[int, int]) -> Tensor:
    """Where in the sticker each pixel of a picture of `size` = (H, W) looks: (N, H, W, 2), the sticker being [-1, 1]^2.

    landmarks (N, 5, 2) in pixels: the similarity that takes them to `frame`, `flattened`, turned back.
    Differentiable in them. Raises ValueError for other shapes, and where no pixel of a picture is in the sticker.
    """
    if landmarks.shape[1:] != (5, 2) or not (place.width > 0 and place.height > 0):
        raise ValueError(f"need landmarks (N, 5, 2) and a sticker with an area, got {tuple(landmarks.shape)}, {place}")
    matrix, move = faceid.similarity(landmarks, frame().to(landmarks).expand_as(landmarks))
    steps = (torch.arange(n, device=landmarks.device, dtype=landmarks.dtype) for n in reversed(size))
    pixels = torch.stack(torch.meshgrid(*steps, indexing="xy"), -1)
    seen = torch.einsum("nij,hwj->nhwi", matrix, pixels) + move[:, None, None]
    flat = flattened(seen - seen.new_tensor([place.x, place.y]), place.bend, place.pitch)
    c, s = math.cos(place.turn), math.sin(place.turn)
    grid = flat @ flat.new_tensor([[c, s], [-s, c]]) / flat.new_tensor([place.width / 2, place.height / 2])
    missed = ~(grid.abs() <= 1).all(-1).flatten(1).any(1)
    if missed.any():
        raise ValueError(f"{place} lies outside of the pictures {missed.nonzero().flatten().tolist()}, {size} pixels")
    return grid


def stick(x: Tensor, patch: Tensor, grid: Tensor) -> Tensor:
    """x' = (1 - m) x + m p, the patch p and its mask m read bilinearly where the grid looks: the edge is soft.

    x (N, C, H, W), patch (C, h, w) or (N, C, h, w), both in [0, 1], grid (N, H, W, 2) -> (N, C, H, W); grey pictures
    and patches become colour ones where the other is in colour. Differentiable in x, patch and grid.
    """
    patch = (patch if patch.ndim == 4 else patch[None]).expand(len(x), -1, -1, -1)
    colours = max(x.shape[1], patch.shape[1])
    x, patch = (each.expand(-1, colours, -1, -1) for each in (x, patch))
    seen = F.grid_sample(patch, grid, padding_mode="border", align_corners=False)
    mask = F.grid_sample(torch.ones_like(patch[:, :1]), grid, padding_mode="zeros", align_corners=False)
    return apply_patch(x, seen, mask)


def check_faces(x: Tensor, landmarks: Tensor) -> None:
    """Raise ValueError unless there are pictures x (N, C, H, W) and five landmarks in each."""
    if len(x) == 0:
        raise ValueError("x must show faces, got no pictures: there is no face to attack")
    if landmarks.shape != (len(x), 5, 2):
        raise ValueError(f"landmarks must be five points for each of {len(x)} pictures, got {tuple(landmarks.shape)}")


def wear(x: Tensor, landmarks: Tensor, patches: Tensor, places: Sequence[Place]) -> Tensor:
    """The pictures x (N, C, H, W) with patch k, of patches (K, C, h, w), at place k of each face.

    Raises ValueError for x without pictures, landmarks of other than one face in each, or other than one patch a place.
    """
    check_faces(x, landmarks)
    if len(patches) != len(places):
        raise ValueError(
            f"patches must be (K, C, h, w), K = {len(places)} as there are places, got {tuple(patches.shape)}"
        )
    for patch, place in zip(patches, places, strict=True):
        x = stick(x, patch, on_face(landmarks, place, (x.shape[2], x.shape[3])))
    return x


def eot_patches(
    loss: Callable[[Tensor, Tensor], Tensor],
    x: Tensor,
    landmarks: Tensor,
    places: Sequence[Place],
    *,
    camera: Camera,
    steps: int,
    start: Tensor,
    batch: int = 16,
    step: float = 0.03,
    penalty: Callable[[Tensor], Tensor] | None = None,
    generator: Generator | None = None,
) -> Tensor:
    r"""min over p in [0, 1] of E_{x, t} L(t(wear(x, p))) + penalty(p): Adam, a batch of pictures and shots drawn anew
    at each step, step sizes from `step` along a cosine to 0; p is clipped after each step.

    loss maps photographs (batch, ...) and the rows of x that they show (batch,) to (batch,). start (K, C, h, w) is the
    first p, which is not changed. Raises ValueError for steps or batch < 1, or where x has no pictures.
    Athalye et al. 2018, equation 2, with a patch in place of a norm ball.
    """
    checks.whole("steps", steps)
    checks.whole("batch", batch)
    checks.drawn_on(generator, x)
    check_faces(x, landmarks)
    p = start.detach().clone().requires_grad_()
    adam = torch.optim.Adam([p], step)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
    for _ in range(steps):
        rows = torch.randint(len(x), (batch,), generator=generator, device=x.device)
        with torch.enable_grad():
            worn = wear(x[rows], landmarks[rows], p, places)
            value = loss(photograph(worn, draw(camera, worn, generator=generator)), rows).mean()
            value = value if penalty is None else value + penalty(p)
            (p.grad,) = torch.autograd.grad(value, p)
        adam.step()
        schedule.step()
        p.data.clamp_(0, 1)
    return p.detach()
