"""MTCNN: where the faces are, in three looks at ever fewer and larger windows."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from helpers.faceid.boxes import crops, nms, shifted, squared
from helpers.faceid.networks import Mtcnn, in_parts
from helpers.faceid.pictures import check_pictures, in_colour

WINDOW, STRIDE = 12, 2  # of the proposal network, in pixels


class Faces(NamedTuple):
    """F faces of a batch of pictures: boxes (F, 4), scores (F,) in (0, 1], landmarks (F, 5, 2), picture (F,).

    picture names the one of the batch that each face is in; the faces of a picture stand together, the best first.
    """

    boxes: Tensor
    scores: Tensor
    landmarks: Tensor
    picture: Tensor

    def take(self, chosen: Tensor) -> "Faces":
        """The faces at these indices, or where this is true."""
        return Faces(*(part[chosen] for part in self))


def scales(height: int, width: int, min_side: float, factor: float = 0.709) -> list[float]:
    """12 / min_side factor^k, k = 0, 1, ..., as long as the shrunk picture holds a window of 12 pixels.

    Raises ValueError unless min_side >= 12 and 0 < factor < 1.
    """
    if not min_side >= WINDOW or not 0 < factor < 1:
        raise ValueError(f"need min_side >= {WINDOW} and 0 < factor < 1, got {min_side=}, {factor=}")
    found, scale = [], WINDOW / min_side
    while min(height, width) * scale >= WINDOW:
        found.append(scale)
        scale *= factor
    return found


def detect(
    mtcnn: Mtcnn,
    x: Tensor,
    *,
    min_side: float = 20,
    thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7),
    factor: float = 0.709,
) -> Faces:
    """All faces of at least `min_side` pixels in the pictures x (N, 1 or 3, H, W) in [0, 1]; none may be found at all.

    Scores and landmarks are differentiable in x through the last network. Which windows it sees is chosen, without a
    gradient: an attack goes through `proposals`, and through the networks on windows of its own (`boxes.crops`).
    Raises ValueError for other shapes, types or ranges, or NaN. Source: Zhang et al. 2016.
    """
    check_pictures("x", x, mtcnn)
    x = in_colour(x)
    found = proposals(mtcnn, x, scales(x.shape[2], x.shape[3], min_side, factor), thresholds[0])
    found = refined(mtcnn, x, found, thresholds[1])
    return settled(mtcnn, x, found, thresholds[2])


def windows(mtcnn: Mtcnn, x: Tensor, scale: float) -> tuple[Tensor, Tensor, Tensor]:
    """Log-odds (N, h, w) and shifts (N, h, w, 4) of all windows of pictures shrunk by `scale`; their boxes (h, w, 4).

    Differentiable in x.
    """
    height, width = x.shape[2:]
    small = F.interpolate(x, (int(height * scale + 1), int(width * scale + 1)), mode="area")
    out = in_parts(mtcnn.pnet, small).permute(0, 2, 3, 1)
    rows, columns = (torch.arange(n, device=x.device, dtype=x.dtype) for n in out.shape[1:3])
    corner = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1) * STRIDE
    boxes = torch.cat([(corner + 1) / scale, (corner + WINDOW) / scale], -1).floor()
    return out[..., 0], out[..., 1:], boxes


def proposals(mtcnn: Mtcnn, x: Tensor, pyramid: list[float], threshold: float) -> tuple[Tensor, Tensor]:
    """The first look: square boxes (F, 4) and the picture of each (F,), one window over the threshold among several."""
    parts = []
    for scale in pyramid:
        odds, shifts, boxes = windows(mtcnn, x, scale)
        scores = odds.sigmoid()
        where = scores >= threshold
        picture, row, column = where.nonzero(as_tuple=True)
        part = (boxes[row, column], scores[where], shifts[where], picture)
        kept = nms(part[0], part[1], picture, 0.5)
        parts.append([each[kept] for each in part])
    if not parts:
        return x.new_zeros(0, 4), torch.zeros(0, dtype=torch.long, device=x.device)
    boxes, scores, shifts, picture = (torch.cat(each) for each in zip(*parts, strict=True))
    kept = nms(boxes, scores, picture, 0.7)
    return squared(shifted(boxes, shifts)[kept]), picture[kept]


def refined(mtcnn: Mtcnn, x: Tensor, found: tuple[Tensor, Tensor], threshold: float) -> tuple[Tensor, Tensor]:
    """The second look, at 24 x 24 pixels: the boxes that are left, moved and made square again."""
    boxes, picture = found
    out = in_parts(mtcnn.rnet, crops(x, boxes, picture, 24))
    scores = out[:, 0].sigmoid()
    passed = (scores > threshold).nonzero().squeeze(1)
    passed = passed[nms(boxes[passed], scores[passed], picture[passed], 0.7)]
    return squared(shifted(boxes[passed], out[passed, 1:], extra=1)), picture[passed]


def settled(mtcnn: Mtcnn, x: Tensor, found: tuple[Tensor, Tensor], threshold: float) -> Faces:
    """The third look, at 48 x 48 pixels: boxes that are not square any more, and five landmarks each."""
    boxes, picture = found
    out = in_parts(mtcnn.onet, crops(x, boxes, picture, 48))
    corner, size = boxes[:, None, :2], (boxes[:, 2:] - boxes[:, :2] + 1)[:, None]
    landmarks = corner - 1 + size * out[:, 5:].unflatten(1, (5, 2))
    faces = Faces(shifted(boxes, out[:, 1:5], extra=1), out[:, 0].sigmoid(), landmarks, picture)
    # Near 1 single precision has few numbers: of equal scores the last wins, as in facenet-pytorch.
    faces = faces.take((faces.scores > threshold).nonzero().squeeze(1).flip(0))
    faces = faces.take(nms(faces.boxes, faces.scores, faces.picture, 0.7, "smaller"))
    return faces.take(faces.picture.argsort(stable=True))
