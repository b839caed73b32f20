"""Figures of Lecture 6 on digits, in [-1, 1]."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from helpers.figures import COLOUR, FAMILY, Picture, figure, label, pictures

WHITE = (-1.0, 1.0)


def strips(frames: Tensor, titles: Sequence[str], about: str) -> Picture:
    """Rows of pictures (rows, columns, 28, 28), a title above each column."""
    rows, columns = frames.shape[:2]
    fig, panels = figure(rows, 1, width=1.05 * columns + 0.4, height=1.12 * rows + 0.7, squeeze=False)
    for k, panel in enumerate(panels[:, 0]):
        pictures(panel, frames[k].clamp(*WHITE), titles if k == 0 else None, limits=WHITE)
    fig.suptitle(about)
    return fig


def sheets(shown: Mapping[str, Tensor], *, columns: int = 10) -> Picture:
    """Sheets of digits (N, 1, 28, 28) side by side, or below each other, under their names."""
    fig, panels = figure(1, len(shown), width=5.6 * len(shown), height=6.0, squeeze=False)
    for panel, (name, x) in zip(panels[0], shown.items(), strict=True):
        pictures(panel, x.clamp(*WHITE), columns=columns, limits=WHITE)
        panel.set_title(name)
    return fig


def measured(
    panels: Sequence[tuple[str, str, Mapping[str, Any]]], floor: tuple[float, float], titles: Sequence[str]
) -> Picture:
    """Panels of Fréchet distances: (x label, scale, {name: (x, mean, low, high)}), the floor as a band."""
    fig, drawn = figure(1, len(panels), width=5.5 * len(panels), height=4.2, squeeze=False)
    for panel, (x_label, scale, lines), title in zip(drawn[0], panels, titles, strict=True):
        for (name, (x, middle, low, high)), colour in zip(lines.items(), FAMILY, strict=False):
            middle, low, high = (torch.as_tensor(v) for v in (middle, low, high))
            panel.errorbar(x, middle, torch.stack([middle - low, high - middle]), fmt="o", color=colour, label=name)
        panel.axhspan(*floor, color=COLOUR["truth"], alpha=0.35, linewidth=0)
        panel.set(xlabel=x_label, xscale=scale, yscale="log", ylabel="Fréchet distance", title=title)
        panel.legend()
    return fig


def loss_over_time(t: Tensor, loss: Tensor, mean_only: Tensor) -> Picture:
    """The noise loss of the network over t on new digits, beside that of the best guess that never looks: 1."""
    fig, axes = figure(width=9, height=3.8)
    label(axes.plot(t, loss, "o-", color=COLOUR["model"])[0], "the network", at=len(t) // 2, offset=(0, 14))
    line = axes.plot(t, mean_only, "--", color=COLOUR["muted"])[0]
    label(line, "always 0", at=len(t) // 2, offset=(0, -12))
    axes.set(xlabel="t", ylabel="noise loss per pixel", yscale="log")
    axes.set_title("Little noise is hard to see, much noise is easy")
    return fig
