"""Figures of Lecture 8: what the camera sees."""

from collections.abc import Mapping, Sequence

import torch
from matplotlib.axes import Axes
from torch import Tensor

from helpers import physical
from helpers.figures import COLOUR, Picture, figure, pictures


def sheet(
    seen: Tensor, titles: Sequence[str] | None = None, *, about: str = "", columns: int | None = None, width: float = 9
) -> Picture:
    """Pictures (N, C, H, W) as one sheet, a title above each."""
    columns = min(columns or len(seen), len(seen))
    rows, tall = -(-len(seen) // columns), seen.shape[2] / seen.shape[3] + (0.25 if titles else 0.05)
    fig, axes = figure(width=width, height=0.97 * width / columns * rows * tall + (0.5 if about else 0.1))
    pictures(axes, seen, titles, columns=columns)
    fig.suptitle(about)
    return fig


def worn(
    x: Tensor, landmarks: Tensor, patches: Mapping[str, Tensor | None], places: Sequence[physical.Place]
) -> Picture:
    """One face (1, C, H, W) with each of the named patches in turn (None: without), as the pixels are."""
    dressed = [x if pixels is None else physical.wear(x, landmarks, pixels, places) for pixels in patches.values()]
    return sheet(torch.cat(dressed), list(patches), columns=len(dressed), width=1.5 * len(dressed))


def show(panel: Axes, picture: Tensor, boxes: Tensor) -> None:
    """One picture (C, H, W) with the boxes (F, 4) of the faces found in it."""
    panel.imshow(picture.permute(1, 2, 0).expand(-1, -1, 3).numpy(), vmin=0, vmax=1)
    for x1, y1, x2, y2 in boxes.tolist():
        panel.plot([x1, x2, x2, x1, x1], [y1, y1, y2, y2, y1], color=COLOUR["truth"], linewidth=2.5)
    panel.set(xlim=(-0.5, picture.shape[2] - 0.5), ylim=(picture.shape[1] - 0.5, -0.5))
    panel.set_axis_off()
