"""A patch in place of a norm ball: where it lies, how it is put there, and the patches that it is compared with."""

import math

import torch
from torch import Generator, Tensor

from helpers import checks
from helpers.faceid.pictures import check_pictures
from helpers.physical.transforms import Each, each, in_range, resampled


def apply_patch(x: Tensor, patch: Tensor, mask: Tensor) -> Tensor:
    r"""x' = (1 - m) x + m p:  where the mask is 1 one sees the patch, where it is 0 the picture.

    x (N, C, H, W) in [0, 1]; patch (C, H, W) or (N, C, H, W) and mask (1, H, W) or (N, 1, H, W), both of the picture's
    size (`place` makes them) and in [0, 1] -> (N, C, H, W). Differentiable in all three. Raises ValueError otherwise.
    Brown et al. 2017; Karmon et al. 2018.
    """
    _check_patch(x, patch, mask)
    return (1 - mask) * x + mask * patch


def place(
    patch: Tensor, size: tuple[int, int], centre: Tensor | tuple[float, float], *, side: Each, angle: Each = 0.0
) -> tuple[Tensor, Tensor]:
    """The patch, `side` pixels wide and turned, on a picture (N, C, H, W) of `size`, and its mask (N, 1, H, W).

    patch (C, h, w) or (N, C, h, w) in [0, 1]; centre x and y in pixels, (2,) or (N, 2), (W / 2, H / 2) is the middle;
    side > 0 and angle (degrees, counter-clockwise) one number or (N,). The mask is 1 inside, 0 outside, in between on
    the edge. Differentiable in patch, centre, side, angle. Raises ValueError for a patch that is not wholly inside.
    """
    patch, centre = patch[None] if patch.ndim == 3 else patch, torch.as_tensor(centre).to(patch)
    check_pictures("patch", patch)
    rows = max([len(patch)] + [len(v) for v in (centre.view(-1, 2), side, angle) if isinstance(v, Tensor) and v.ndim])
    patch, centre = patch.expand(rows, -1, -1, -1), centre.expand(rows, 2)
    scale = each("side", side, patch, 0.01).flatten() / patch.shape[3]
    turn = each("angle", angle, patch, -360, 360).flatten() * (math.pi / 180)
    c, s = turn.cos() * scale, turn.sin() * scale
    forward = torch.stack([torch.stack([c, s], 1), torch.stack([-s, c], 1)], 1)  # from the patch's centre
    _check_inside(patch, forward, centre, size)
    move = centre - centre.new_tensor([size[1] / 2, size[0] / 2])
    back = torch.linalg.inv(forward)
    inverse = torch.cat([back, -back @ move[:, :, None]], 2)
    inverse = torch.cat([inverse, inverse.new_tensor([0, 0, 1]).expand(rows, 1, 3)], 1)
    seen = resampled(patch, inverse, size, "border")
    mask = resampled(torch.ones_like(patch[:, :1]), inverse, size, "zeros")
    return in_range(seen), in_range(mask)


def _check_patch(x: Tensor, patch: Tensor, mask: Tensor) -> None:
    check_pictures("x", x)
    channels, size = x.shape[1], x.shape[2:]
    for name, value, depth in (("patch", patch, channels), ("mask", mask, 1)):
        if value.shape[-3:] != (depth, *size) or value.ndim > 4 or (value.ndim == 4 and len(value) not in (1, len(x))):
            raise ValueError(
                f"{name} must be ({depth}, {size[0]}, {size[1]}) or ({len(x)}, {depth}, {size[0]}, {size[1]}), "
                f"got {tuple(value.shape)}; `place` brings a patch to the picture's size"
            )
        if not ((value >= 0) & (value <= 1)).all():
            raise ValueError(f"{name} must lie in [0, 1], got from {float(value.min()):g} to {float(value.max()):g}")


def _check_inside(patch: Tensor, forward: Tensor, centre: Tensor, size: tuple[int, int]) -> None:
    half = patch.new_tensor([[x * patch.shape[3] / 2, y * patch.shape[2] / 2] for x in (-1, 1) for y in (-1, 1)])
    corners = half @ forward.mT + centre[:, None]
    edge = corners.new_tensor([size[1], size[0]]) + 1e-3
    if not ((corners > -1e-3) & (corners < edge)).all():
        raise ValueError(
            f"the patch must lie inside the picture of {size[1]} x {size[0]} pixels, its corners reach from "
            f"{[round(v, 1) for v in corners.amin((0, 1)).tolist()]} to "
            f"{[round(v, 1) for v in corners.amax((0, 1)).tolist()]}: a smaller side, or another centre"
        )


def grey_patch(patch: Tensor) -> Tensor:
    """The first control: a patch of the same size, all of it 1/2."""
    return torch.full_like(patch, 0.5)


def random_patch(patch: Tensor, *, generator: Generator | None = None) -> Tensor:
    """The second control: a patch of the same size, each number drawn evenly from [0, 1]."""
    checks.drawn_on(generator, patch)
    return torch.rand(patch.shape, generator=generator, device=patch.device, dtype=patch.dtype)
