"""Figures of Lecture 2: pairs of faces, and the way from a photograph to a verdict."""

from collections.abc import Sequence

import torch
from torch import Tensor

from helpers.faceid import Faces, template
from helpers.figures import COLOUR, Picture, figure, pictures


def face_pairs(
    photos: Tensor, pairs: Tensor, titles: Sequence[str] | None = None, *, about: str = "One person, or two?"
) -> Picture:
    """Pairs (P, 2) of the pictures (N, 1, H, W), one under the other, with a title above each pair."""
    fig, axes = figure(width=1.6 * len(pairs) + 1.5, height=4.1)
    titles = titles or [f"pair {k}" for k in range(1, len(pairs) + 1)]
    pictures(axes, photos[pairs.T.flatten()], [*titles, *("" for _ in titles)], columns=len(pairs))
    fig.suptitle(about)
    return fig


def pipeline(photo: Tensor, faces: Faces, aligned: Tensor, descriptor: Tensor) -> Picture:
    """A photograph (1, 3, H, W), the face found in it, the face aligned (1, 3, 150, 150), its descriptor (128,)."""
    fig, (left, middle, right) = figure(1, 3, width=11.5, height=3.8, width_ratios=(1, 1, 1.3))
    left.imshow(photo[0].permute(1, 2, 0).numpy())
    for (x1, y1, x2, y2), points in zip(faces.boxes.tolist(), faces.landmarks, strict=True):
        left.plot([x1, x2, x2, x1, x1], [y1, y1, y2, y2, y1], color=COLOUR["attack"], linewidth=2.5)
        left.plot(*points.T, ".", color=COLOUR["third"], markersize=7)
    left.set_title("detect: a box, five landmarks")
    middle.imshow(aligned[0].permute(1, 2, 0).numpy())
    middle.plot(*template().T, "+", color=COLOUR["third"], markersize=14, markeredgewidth=2)
    middle.set_title("align: landmarks to fixed places")
    for panel in (left, middle):
        panel.set_axis_off()
    right.bar(range(len(descriptor)), descriptor, color=COLOUR["model"], width=1.0)
    right.set(title="embed: 128 numbers", xlabel="coordinate", xticks=(0, 64, 127))
    return fig


def looks(rows: Sequence[Tensor], names: Sequence[str]) -> Picture:
    """Some pictures as the embedding is given them, (k, 1, H, W) in each row: whole, cut out by the box, aligned."""
    fig, axes = figure(len(rows), 1, width=10, height=5.2)
    for panel, row, name in zip(axes, rows, names, strict=True):
        small = torch.nn.functional.interpolate(row, (90, 90), mode="bilinear", antialias=True)
        pictures(panel, small)
        panel.set_title(name)
    return fig
