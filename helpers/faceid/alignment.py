"""From five landmarks to a face that is upright and of one size: a similarity, and a picture resampled by it."""

import torch
import torch.nn.functional as F
from torch import Tensor

from helpers.faceid.boxes import squared
from helpers.faceid.networks import SIDE
from helpers.faceid.pictures import check_pictures

# Where the eyes, the tip of the nose and the corners of the mouth are in dlib's mean face, as shares of its side.
MEAN_FACE = ((0.2255, 0.2160), (0.7548, 0.2160), (0.4901, 0.5156), (0.2541, 0.7802), (0.7261, 0.7802))
PADDING = 0.25  # of the mean face's side, on all four sides, as dlib cuts the faces that its network is trained on


def template(side: int = SIDE) -> Tensor:
    """Where the five landmarks belong in a face of side x side pixels: (5, 2)."""
    return (torch.tensor(MEAN_FACE) + PADDING) / (1 + 2 * PADDING) * side


def similarity(source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    r"""argmin over A = s R (s > 0, R a rotation) and t of  sum_k |A p_k + t - q_k|^2.

    In closed form, p and q about their means:  A = [[a, -b], [b, a]],
    a = sum <p, q> / sum |p|^2,  b = sum (p_x q_y - p_y q_x) / sum |p|^2,  t = mean q - A mean p.
    source p, target q (..., K, 2) -> A (..., 2, 2), t (..., 2); differentiable.
    Raises ValueError for other shapes, and where all points of a source are one.
    Source: Umeyama 1991, equations 40 to 43, which in the plane need no singular values.
    """
    if source.shape[-2:] != target.shape[-2:] or source.ndim < 2 or source.shape[-1] != 2:
        raise ValueError(
            f"source and target must be as many points (..., K, 2), got {tuple(source.shape)} and {tuple(target.shape)}"
        )
    p_mean, q_mean = source.mean(-2, keepdim=True), target.mean(-2, keepdim=True)
    p, q = source - p_mean, target - q_mean
    spread = p.square().sum((-1, -2))
    if not (spread > 0).all():  # so NaN is refused as well
        raise ValueError(f"the points of a source must be finite and not all the same, got {source}")
    a = (p * q).sum((-1, -2)) / spread
    b = (p[..., 0] * q[..., 1] - p[..., 1] * q[..., 0]).sum(-1) / spread
    matrix = torch.stack([torch.stack([a, -b], -1), torch.stack([b, a], -1)], -2)
    return matrix, (q_mean - p_mean @ matrix.mT).squeeze(-2)


def align(x: Tensor, landmarks: Tensor, side: int = SIDE) -> Tensor:
    """The faces as `template` wants them: every pixel of the result is read, bilinearly, where the similarity of the
    template to the landmarks takes it; outside of the picture its edge goes on.

    x (N, 1 or 3, H, W) in [0, 1], landmarks (N, 5, 2) in pixels -> (N, 1 or 3, side, side). Differentiable in both.
    A face that is much larger than `side` is not smoothed before: shrink such a picture first.
    Raises ValueError for other shapes or ranges, and for landmarks that are NaN or all the same.
    """
    check_pictures("x", x)
    if landmarks.shape != (len(x), 5, 2):
        raise ValueError(f"landmarks must be five points for each of {len(x)} pictures, got {tuple(landmarks.shape)}")
    if not (landmarks.isfinite().all() and (landmarks.std(1) > 0).any(-1).all()):
        raise ValueError("landmarks must be finite, and those of a face not all the same")
    return _resampled(x, *similarity(template(side).to(landmarks).expand_as(landmarks), landmarks), side)


def crop(x: Tensor, boxes: Tensor, side: int = SIDE) -> Tensor:
    """The squares around the boxes, not turned, read as `align` reads: what is to be had without landmarks.

    x (N, 1 or 3, H, W) in [0, 1], boxes (N, 4) -> (N, 1 or 3, side, side). Differentiable in both.
    Raises ValueError for other shapes or ranges, and for boxes that are NaN or empty.
    """
    check_pictures("x", x)
    if boxes.shape != (len(x), 4):
        raise ValueError(f"boxes must be ({len(x)}, 4), one for each picture, got {tuple(boxes.shape)}")
    if not (boxes.isfinite().all() and (boxes[:, 2:] > boxes[:, :2]).all()):
        raise ValueError(f"boxes must be finite and not empty, got {boxes}")
    square = squared(boxes)
    scale = (square[:, 2:] - square[:, :2]) / side  # pixels of the picture per pixel of the result
    return _resampled(x, torch.diag_embed(scale), square[:, :2] + scale / 2 - 0.5, side)


def _resampled(x: Tensor, matrix: Tensor, move: Tensor, side: int) -> Tensor:
    """x read at A p + t for each pixel p of side x side: A (N, 2, 2), t (N, 2)."""
    steps = torch.arange(side, device=x.device, dtype=matrix.dtype)
    pixels = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), -1)
    at = torch.einsum("nij,hwj->nhwi", matrix, pixels) + move[:, None, None]
    size = at.new_tensor([x.shape[3], x.shape[2]])
    return F.grid_sample(x, ((2 * at + 1) / size - 1).to(x.dtype), padding_mode="border", align_corners=False)
