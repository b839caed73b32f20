"""A defence that looks for the patch: the window that varies most, covered up; and what an attacker makes of it."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from helpers import checks
from helpers.faceid.pictures import check_pictures


def variation(x: Tensor, side: int) -> Tensor:
    r"""v_kl = the mean over the window of side x side pixels at (k, l) of sum over channels ||(dx, dy)||_2, the
    differences to the pixels on the right and below: (N, C, H, W) -> (N, H - side + 1, W - side + 1)."""
    checks.whole("side", side)
    if side > min(x.shape[2:]):
        raise ValueError(f"side must be at most {min(x.shape[2:])}, the picture's, got {side}")
    across, down = x.diff(dim=3, append=x[..., -1:]), x.diff(dim=2, append=x[..., -1:, :])
    length = torch.stack([across, down]).norm(dim=0).sum(1, keepdim=True)
    return F.avg_pool2d(length, side, stride=1)[:, 0]


def busiest(x: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """How much the window varies that varies most, (N,), and its mask, (N, 1, H, W). Differentiable in the first.

    A printed noise varies more than what cameras see: Hayes 2018; Naseer et al. 2019 (local gradients).
    """
    check_pictures("x", x)
    v = variation(x, side).flatten(1)
    most, place = v.max(1)
    top, left = place // (x.shape[3] - side + 1), place % (x.shape[3] - side + 1)
    rows, columns = (torch.arange(n, device=x.device) for n in x.shape[2:])
    down = (rows >= top[:, None]) & (rows < top[:, None] + side)
    across = (columns >= left[:, None]) & (columns < left[:, None] + side)
    return most, (down[:, :, None] & across[:, None]).unsqueeze(1).to(x)


def covered(x: Tensor, side: int, limit: float) -> Tensor:
    """The pictures with their busiest window filled with 1/2, where it varies by more than `limit`."""
    checks.at_least("limit", limit, 0)
    most, mask = busiest(x, side)
    return torch.where((most > limit).view(-1, 1, 1, 1) & (mask > 0), 0.5, x)


def unnoticed(side: int, limit: float, weight: float = 100.0) -> Callable[[Tensor], Tensor]:
    """weight max(0, busiest(x) - limit): the penalty of an attacker who knows the detector. 0: it sees nothing."""
    checks.positive("weight", weight)
    return lambda x: weight * F.relu(variation(x, side).flatten(1).amax(1) - limit)
