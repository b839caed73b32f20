"""Boxes (F, 4) of x1, y1, x2, y2 in pixels: how much they overlap, which to keep, how they move, what they cut out."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Over = Literal["union", "smaller"]


def areas(boxes: Tensor) -> Tensor:
    """(x2 - x1)(y2 - y1), 0 where a side is negative: (..., 4) -> (...)."""
    return (boxes[..., 2:] - boxes[..., :2]).clamp(min=0).prod(-1)


def overlap(a: Tensor, b: Tensor, over: Over = "union") -> Tensor:
    r"""|A and B| / |A or B|, the Jaccard index, or over the smaller: |A and B| / min(|A|, |B|); 0 if both are empty.

    a, b (..., 4), which broadcast -> (...).
    """
    low, high = torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])
    common = areas(torch.cat([low, high], -1))
    whole = areas(a) + areas(b) - common if over == "union" else torch.minimum(areas(a), areas(b))
    return torch.where(common > 0, common / whole, torch.zeros_like(common))


def nms(boxes: Tensor, scores: Tensor, groups: Tensor, threshold: float, over: Over = "union") -> Tensor:
    """Non-maximum suppression in each group: keep the best box, drop those that overlap it by more, and so on.

    boxes (F, 4), scores (F,), groups (F,) in 0, 1, ... -> the indices that are kept, the best first; of equal
    scores the first counts as the better. All groups go on at once: as many rounds as the fullest group keeps boxes.
    Piecewise constant in the boxes: it chooses, and has no gradient.
    """
    order = scores.argsort(descending=True, stable=True)
    boxes, groups = boxes.detach()[order], groups[order]
    place = torch.arange(len(order), device=boxes.device)
    left, kept = torch.ones_like(place, dtype=torch.bool), torch.zeros_like(place, dtype=torch.bool)
    while left.any():
        first = place.new_full((int(groups.max()) + 1,), len(order))
        first.scatter_reduce_(0, groups[left], place[left], "amin")
        best = first[groups].clamp(max=len(order) - 1)  # of a group that is done: any box, since none is left
        kept[first[first < len(order)]] = True
        left &= (overlap(boxes, boxes[best], over) <= threshold) & (place != best)
    return order[kept]


def shifted(boxes: Tensor, shifts: Tensor, extra: float = 0.0) -> Tensor:
    """Each edge moved by its share of the side, x1 + s1 (x2 - x1 + extra) and so on: boxes, shifts (F, 4) -> (F, 4)."""
    return boxes + shifts * (boxes[:, 2:] - boxes[:, :2] + extra).repeat(1, 2)


def squared(boxes: Tensor) -> Tensor:
    """The squares on the longer sides, with the same centres: (F, 4) -> (F, 4)."""
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).amax(1, keepdim=True) / 2
    return torch.cat([centre - half, centre + half], 1)


def crops(x: Tensor, boxes: Tensor, picture: Tensor, side: int) -> Tensor:
    """What each box cuts out of its picture, shrunk or stretched to side x side by means over areas.

    x (N, C, H, W), boxes (F, 4), picture (F,) in 0 ... N - 1 -> (F, C, side, side). The edges are cut to whole pixels,
    x1 - 1 ... x2 counted from 0 as MTCNN has it, and to the picture. Differentiable in x, not in the boxes.
    """
    size = torch.tensor([x.shape[3], x.shape[2]], device=x.device)
    whole = boxes.detach().trunc().long()
    low = (whole[:, :2] - 1).clamp(min=0).minimum(size - 1)
    high = whole[:, 2:].minimum(size).maximum(low + 1)
    rows = torch.cat([picture[:, None], low, high], 1).tolist()
    cut = [F.interpolate(x[n : n + 1, :, y1:y2, x1:x2], (side, side), mode="area") for n, x1, y1, x2, y2 in rows]
    return torch.cat(cut) if cut else x.new_zeros(0, x.shape[1], side, side)
