"""Face ID from a picture to a verdict: detect, align, embed, verify."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from helpers import checkpoints
from helpers.faceid.alignment import align, crop
from helpers.faceid.boxes import areas
from helpers.faceid.detection import Faces, detect
from helpers.faceid.networks import SIDE, Mtcnn, in_parts
from helpers.faceid.pictures import check_pictures, in_colour


class Described(NamedTuple):
    """A face in each of N pictures: boxes (N, 4), landmarks (N, 5, 2), and three descriptors (N, 128)."""

    boxes: Tensor
    landmarks: Tensor
    raw: Tensor
    cropped: Tensor
    aligned: Tensor


class Verdict(NamedTuple):
    """accepted: True, False, or None where there is nothing to judge; the distance, if there is one; and why."""

    accepted: bool | None
    distance: float | None
    reason: str


def pretrained(device: torch.device | str | None = None) -> tuple[Mtcnn, nn.Module]:
    """MTCNN and the residual network with their weights, frozen, in evaluation mode.

    Raises OSError for missing or damaged files.
    """
    mtcnn, resnet = (checkpoints.load(name, device).requires_grad_(False) for name in ("mtcnn", "face_resnet"))
    assert isinstance(mtcnn, Mtcnn)
    return mtcnn, resnet


def chosen(faces: Faces, pictures: int) -> Tensor:
    """The largest face of each picture, as an index into faces, or -1 where there is none: (pictures,)."""
    smallest_first = areas(faces.boxes).argsort(stable=True)
    places = torch.arange(len(smallest_first), device=smallest_first.device)
    last = places.new_full((pictures,), -1).scatter_reduce(0, faces.picture[smallest_first], places, "amax")
    return torch.cat([smallest_first, last.new_full((1,), -1)])[last]


def embed(resnet: nn.Module, faces: Tensor) -> Tensor:
    """The descriptors (N, d) of aligned faces (N, 1 or 3, 150, 150) in [0, 1]; differentiable.

    Raises ValueError for other shapes, types or ranges.
    """
    check_pictures("faces", faces, resnet)
    if faces.shape[2:] != (SIDE, SIDE):
        raise ValueError(f"faces must be aligned, {SIDE} x {SIDE} pixels, got {tuple(faces.shape)}")
    return in_parts(resnet, in_colour(faces))


def recognise(mtcnn: Mtcnn, resnet: nn.Module, x: Tensor, *, min_side: float = 20) -> tuple[Tensor, Tensor]:
    """The descriptors (M, d) of the largest face of each picture that has one, and which pictures these are (M,).

    x (N, 1 or 3, H, W) in [0, 1]. Raises ValueError for other shapes, types or ranges, or NaN.
    """
    with torch.no_grad():
        faces = detect(mtcnn, x, min_side=min_side)
    place = chosen(faces, len(x))
    seen = (place >= 0).nonzero().squeeze(1)
    if len(seen) == 0:
        return embed(resnet, x.new_zeros(1, 3, SIDE, SIDE))[:0], seen
    return embed(resnet, align(x[seen], faces.landmarks[place[seen]])), seen


def distances(a: Tensor, b: Tensor) -> Tensor:
    """|a_n - b_n|, descriptors (N, d) row by row -> (N,). Raises ValueError for unequal shapes and for NaN."""
    if a.ndim != 2 or a.shape != b.shape:
        raise ValueError(f"a and b must be as many descriptors (N, d), got {tuple(a.shape)} and {tuple(b.shape)}")
    if not (a.isfinite().all() and b.isfinite().all()):
        raise ValueError("a and b must be finite")
    return (a - b).norm(dim=1)


@torch.no_grad()
def verify(mtcnn: Mtcnn, resnet: nn.Module, a: Tensor, b: Tensor, *, threshold: float) -> Verdict:
    """Whether two pictures (1 or 3, H, W), which may differ in size, show one person: |f(a) - f(b)| <= threshold.

    No face, or several, in a picture is no reason to accept nor to reject: `accepted` is then None. A rejection says
    "another person", never "no face". Raises ValueError for other shapes, types or ranges, NaN, or threshold <= 0.
    """
    if not 0 < threshold < math.inf:
        raise ValueError(f"threshold must be positive, got {threshold}; 0.6 is its author's")
    found = []
    for name, x in (("first", a), ("second", b)):
        faces = detect(mtcnn, x[None])
        if len(faces.scores) != 1:
            return Verdict(None, None, f"{len(faces.scores) or 'no'} faces in the {name} picture")
        found.append(embed(resnet, align(x[None], faces.landmarks)))
    distance = float(distances(found[0], found[1]))
    same = distance <= threshold
    return Verdict(same, distance, f"distance {distance:.2f} {'<=' if same else '>'} {threshold:.2f}")


@torch.no_grad()
def describe(mtcnn: Mtcnn, resnet: nn.Module, x: Tensor) -> Described:
    """The largest face of each picture x (N, 1 or 3, H, W), described three times: the whole picture stretched to a
    square, the square around the box, and the face aligned by its landmarks.

    Raises ValueError if a picture has no face, or as `detect` does.
    """
    faces = detect(mtcnn, x)
    place = chosen(faces, len(x))
    if (place < 0).any():
        raise ValueError(f"x must show faces, none was found in pictures {(place < 0).nonzero().flatten().tolist()}")
    faces = faces.take(place)
    whole = F.interpolate(x, (SIDE, SIDE), mode="bilinear", antialias=True)
    looks = (whole, crop(x, faces.boxes), align(x, faces.landmarks))
    return Described(faces.boxes, faces.landmarks, *(embed(resnet, look) for look in looks))
