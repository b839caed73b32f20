"""Figures of the course: one style, colours with a fixed meaning, and sliders on a draw function.

`figure`, `label`, `pictures` and `COLOUR` to draw with; `explorer`, `Range`, `Choice` to declare what the sliders of a
draw function are, `explore` to show them, `settings` and `stills` to draw it without anybody at the sliders.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from torch import Tensor

from helpers import runtime
from helpers.figures._explore import Redraw, explore
from helpers.figures._explorer import Choice, Range, explorer, settings, stills
from helpers.figures._png import encode, pixels

__all__ = [
    "COLOUR", "Choice", "FAMILY", "Picture", "Range", "Redraw", "explore", "explorer", "figure", "from_any_device",
    "label", "pictures", "settings", "stills",
]  # fmt: skip

COLOUR = {  # after Okabe and Ito, dark enough for text on white
    "data": "#333333",
    "model": "#0072B2",
    "truth": "#009E73",
    "attack": "#D55E00",
    "bound": "#B05A8C",
    "second": "#C98500",
    "third": "#4AA3D8",
    "muted": "#8A8A8A",
}
FAMILY = [COLOUR[name] for name in ("model", "attack", "truth", "bound", "second", "third", "data", "muted")]

matplotlib.rcParams.update(matplotlib.rc_params_from_file(Path(__file__).with_name("course.mplstyle"), False, False))
if runtime.in_room():
    matplotlib.rcParams["figure.dpi"] = 1.4 * matplotlib.rcParams["figure.dpi"]


class Picture(Figure):
    """A matplotlib figure that pyplot does not know of, and that displays itself once, as PNG."""

    def png(self) -> bytes:
        """The figure as PNG, the same bytes for the same content."""
        return encode(pixels(self))

    def words(self) -> str:
        """The titles of the figure and of its panels: what a reader who cannot see the picture is told."""
        titles = [self.get_suptitle(), *(axes.get_title(place) for axes in self.axes for place in ("left", "center"))]
        return "Figure: " + ("; ".join(" ".join(title.split()) for title in titles if title) or "untitled")

    def __repr__(self) -> str:
        return self.words()

    def _ipython_display_(self) -> None:  # comes before the formatters of `%matplotlib inline`, which may be on or off
        from IPython.display import display

        words = self.words()
        display({"image/png": self.png(), "text/plain": words}, metadata={"image/png": {"alt": words}}, raw=True)


def figure(
    rows: int = 1, columns: int = 1, *, width: float = 10, height: float = 3.6, **options: Any
) -> tuple[Picture, Any]:
    """A new figure of width x height inches in the course's style, and its axes as plt.subplots returns them.

    options go to Figure.subplots (sharex, sharey, width_ratios, squeeze, subplot_kw, ...).
    """
    fig = Picture(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(fig)
    return fig, fig.subplots(rows, columns, **options)


def label(line: Line2D, text: str, *, at: int = -1, offset: tuple[float, float] = (6, 0), **options: Any) -> None:
    """Writes text beside the point number `at` of a line, in the line's colour: a direct label instead of a legend.

    offset is in points; options go to Axes.annotate (ha, va, fontsize, ...).
    """
    axes: Any = line.axes
    point = (np.asarray(line.get_xdata())[at], np.asarray(line.get_ydata())[at])
    if axes is None:
        raise ValueError("line must stand in axes, as axes.plot(...)[0] does, got one of its own")
    options = {"color": line.get_color(), "va": "center", "ha": "left" if offset[0] >= 0 else "right", **options}
    axes.annotate(text, point, xytext=offset, textcoords="offset points", annotation_clip=False, **options)


def from_any_device(draw: Callable[..., Picture]) -> Callable[..., Picture]:
    """The same figure for tensors of any device, in lists and dictionaries too: Matplotlib takes those of the CPU."""

    @functools.wraps(draw)
    def drawn(*args: Any, **kwargs: Any) -> Picture:
        return draw(*_on_cpu(args), **_on_cpu(kwargs))

    return drawn


def _on_cpu(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().cpu()
    if isinstance(value, Mapping):
        return {key: _on_cpu(item) for key, item in value.items()}
    return type(value)(map(_on_cpu, value)) if type(value) in (list, tuple) else value


def pictures(
    axes: Axes,
    images: Tensor,
    titles: Sequence[str] | None = None,
    *,
    columns: int | None = None,
    limits: tuple[float, float] | None = (0.0, 1.0),
) -> None:
    """Draws images (N, 1, H, W), (N, 3, H, W) or (N, H, W) as one grid on one scale, with a title above each.

    columns defaults to all in a row. limits are the values shown as black and white; None shows signed values in blue
    (negative) and red (positive), on a scale symmetric about 0. Raises ValueError for other shapes or too few titles.
    """
    x = images.detach().float().cpu()
    x = x[:, None] if x.ndim == 3 else x
    if x.ndim != 4 or x.shape[1] not in (1, 3) or len(x) == 0:
        raise ValueError(f"images must have shape (N, 1, H, W), (N, 3, H, W) or (N, H, W), got {tuple(images.shape)}")
    if titles is not None and len(titles) != len(x):
        raise ValueError(f"titles must be one for each of the {len(x)} images, got {len(titles)}")
    columns = min(columns or len(x), len(x))
    largest = x.abs().max().item() or 1.0
    low, high = limits or (-largest, largest)
    x = (x.clamp(low, high) - low) / (high - low or 1.0)
    gap, step = (round(0.06 * x.shape[-1]) or 1), (x.shape[-2], x.shape[-1])
    head = round(0.22 * step[0]) + 1 if titles else gap
    tall, wide = step[0] + head, step[1] + gap
    sheet = torch.ones(-(-len(x) // columns) * tall, columns * wide - gap, 3)
    shades = matplotlib.colormaps["gray" if limits else "RdBu_r"]
    for k, image in enumerate(x):
        top, left = (k // columns) * tall + head, (k % columns) * wide
        colours = image.permute(1, 2, 0) if len(image) == 3 else torch.as_tensor(shades(image[0].numpy())[..., :3])
        sheet[top : top + step[0], left : left + step[1]] = colours
        if titles:
            axes.text(left + step[1] / 2, top - 1.5, titles[k], ha="center", va="bottom", fontsize=11)
    axes.imshow(sheet.numpy())
    axes.set_axis_off()
