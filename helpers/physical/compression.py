r"""JPEG as its standard has it, in tensors: colour to brightness and two differences, blocks of 8 x 8, cosines, tables.

What Pillow writes and reads without subsampling (4:4:4), up to a level or two of 255: its arithmetic is of integers.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from helpers.faceid.pictures import check_pictures
from helpers.physical.transforms import Each, each, round_through

# ITU-T T.81, tables K.1 (brightness) and K.2 (colour differences): the step of each of the 64 cosines.
LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61), (12, 12, 14, 19, 26, 58, 60, 55), (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62), (18, 22, 37, 56, 68, 109, 103, 77), (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101), (72, 92, 95, 98, 112, 100, 103, 99),
)  # fmt: skip
CHROMINANCE = (
    (17, 18, 24, 47, 99, 99, 99, 99), (18, 21, 26, 66, 99, 99, 99, 99), (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99), *((99,) * 8,) * 4,
)  # fmt: skip
TO_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))


def cosines(like: Tensor) -> Tensor:
    r"""The orthonormal C_kn = cos(pi (2n + 1) k / 16) / 2, C_0n = sqrt(1/8): a block b has the cosines C b C^T."""
    n = torch.arange(8, dtype=torch.float64)
    c = (math.pi * (2 * n + 1) * n[:, None] / 16).cos() / 2
    c[0] = math.sqrt(1 / 8)
    return c.to(like)


def steps(quality: Tensor, channels: int) -> Tensor:
    """The tables for a quality in 1 ... 100, quality (N, 1, 1, 1) -> (N, channels, 8, 8): 1 to 255, coarse when low.

    As libjpeg scales them: s = floor(5000 / q) below 50, 200 - 2 q above; floor((s table + 50) / 100).
    """
    tables = quality.new_tensor([LUMINANCE, CHROMINANCE, CHROMINANCE][:channels])
    s = torch.where(quality < 50, (5000 / quality).floor(), 200 - 2 * quality)
    return ((s * tables + 50) / 100).floor().clamp(1, 255)


def jpeg(x: Tensor, quality: Each, *, rounding: Callable[[Tensor], Tensor] = round_through) -> Tensor:
    r"""x as it comes back from a JPEG file: in levels of 255, each block b of 8 x 8 -> C^T (S round(C b C^T / S)) C.

    x (N, 1 or 3, H, W) in [0, 1] -> the same, in whole levels; quality in [1, 100], or inf: no file, x itself.
    Sides that are no multiple of 8 are filled up with the last pixels. The gradient goes straight through each
    rounding; rounding=torch.round has none. Source: ITU-T T.81 (1992), annex A and K; JFIF 1.02 for the colours.
    """
    check_pictures("x", x)
    quality = each("quality", quality, x, 1)
    kept = quality.isinf()
    if kept.all():
        return x
    if (quality[~kept] > 100).any():
        raise ValueError(f"quality must lie in [1, 100] or be inf, got {quality.flatten().tolist()}")
    (height, width), table = x.shape[2:], steps(quality.where(~kept, 100), x.shape[1])
    ycc = rounding(_colours(255 * x, forth=True)) - 128
    blocks = F.pad(ycc, (0, -width % 8, 0, -height % 8), mode="replicate")
    blocks = blocks.unflatten(3, (-1, 8)).unflatten(2, (-1, 8)).transpose(3, 4)  # (N, C, rows, columns, 8, 8)
    c, table = cosines(x), table[:, :, None, None]
    back = c.mT @ (table * rounding(c @ blocks @ c.mT / table)) @ c
    ycc = back.transpose(3, 4).flatten(4, 5).flatten(2, 3)[..., :height, :width] + 128
    levels = rounding(_colours(rounding(ycc).clamp(0, 255), forth=False))
    return torch.where(kept, x, (levels / 255).clamp(0, 1))


def _colours(x: Tensor, *, forth: bool) -> Tensor:
    """Red, green, blue to brightness and two differences (about 128), or back; grey is brightness alone."""
    if x.shape[1] == 1:
        return x
    matrix = x.new_tensor(TO_YCC)
    middle = x.new_tensor([0.0, 128.0, 128.0]).view(-1, 1, 1)
    if forth:
        return torch.einsum("ij,njhw->nihw", matrix, x) + middle
    return torch.einsum("ij,njhw->nihw", torch.linalg.inv(matrix), x - middle)
