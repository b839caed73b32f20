"""Figures of Lecture 2: features in the plane, how they come there, and their collapse."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from matplotlib.axes import Axes
from torch import Tensor

from helpers import data
from helpers.faceid import class_means, measured, planar, unit
from helpers.figures import COLOUR, Choice, Picture, Range, explorer, figure, label

TEN = ("#0072B2", "#D55E00", "#009E73", "#B05A8C", "#C98500", "#4AA3D8", "#333333", "#8A8A8A", "#7B5B3A", "#B0B030")
SHARED = 0.99  # the cosine of 8 degrees


def star(panel: Axes, features: Tensor, weights: Tensor | None, y: Tensor, size: float = 2.5) -> None:
    """Features (N, 2) of digits y, each class in its colour with its number outside; class weights (10, 2) as rays."""
    reach = 1.08 * features.norm(dim=1).quantile(0.995).item()
    named: dict[int, list[int]] = {}  # classes in nearly one direction share a place for their numbers
    directions = unit(class_means(features, y))
    for k, colour in enumerate(TEN):
        panel.plot(*features[y == k].T, ".", color=colour, markersize=size, alpha=0.6)
        near = [first for first in named if directions[first] @ directions[k] > SHARED]
        named.setdefault(near[0] if near else k, []).append(k)
        if weights is not None:
            ray = reach * (weights[k] / weights[k].norm()).detach()
            panel.plot((0, ray[0]), (0, ray[1]), color=colour, linewidth=1, alpha=0.6)
    for first, classes in named.items():
        colour, place = TEN[first] if len(classes) == 1 else COLOUR["data"], 1.2 * reach * directions[first]
        numbers = " ".join(map(str, classes))
        panel.annotate(numbers, place.tolist(), color=colour, ha="center", va="center", fontsize=13)
    panel.set_axis_off()
    panel.set(aspect="equal", xlim=(-1.36 * reach, 1.36 * reach), ylim=(-1.36 * reach, 1.36 * reach))


def plane(embeddings: Mapping[str, tuple[Tensor, Tensor | None]], y: Tensor, *, columns: int = 3) -> Picture:
    """Features (N, 2) of digits y, coloured by class, for each loss, with the class weights (10, 2) as rays, if any."""
    rows = -(-len(embeddings) // columns)
    fig, axes = figure(rows, columns, width=4 * columns, height=3.9 if rows == 1 else 3.3 * rows, squeeze=False)
    for panel, (name, (features, weights)) in zip(axes.flat, embeddings.items(), strict=False):
        star(panel, features, weights, y)
        panel.set_title(name)
    for panel in axes.flat[len(embeddings) :]:
        panel.set_axis_off()
    return fig


@lru_cache(maxsize=1)
def _history() -> tuple[Tensor, Tensor]:
    """The stored features of every loss on its way, and the labels of their digits."""
    return measured.planar_history(), data.load("mnist").y_test[: planar.SHOWN]


@lru_cache
def _geometries(loss: str) -> list[planar.Geometry]:
    """The geometry at each of the stored moments."""
    history, y = _history()
    return [planar.geometry(features, y, features, y) for features in history[list(planar.LOSSES).index(loss)]]


@explorer(
    loss=Choice(tuple(planar.LOSSES), "CosFace", label="loss"),
    moment=Range(0, len(planar.FRAMES) - 1, len(planar.FRAMES) - 1, step=1, label="moment", play=True),
    stills=({"moment": 4}, {}, {"loss": "triplet, batch-hard"}),
)
def unfolding(loss: str, moment: int) -> Picture:
    """The features of 500 digits at a stored moment of the training by a loss, and their angles at all moments."""
    history, y = _history()
    found, moments = _geometries(loss), range(len(planar.FRAMES))
    fig, (left, right) = figure(1, 2, width=10, height=3.8, width_ratios=(1, 1.4))
    star(left, history[list(planar.LOSSES).index(loss), moment], None, y, size=4)
    left.set_title(f"step {planar.FRAMES[moment]:,}: {100 * found[moment].by_angle:.0f} % right")
    for values, colour, text, height in (
        ([g.smallest_gap for g in found], "model", "from a class to the next (least)", 38.5),
        ([g.median for g in found], "attack", "within a class (median)", 10),
    ):
        right.plot(moments, values, ".-", color=COLOUR[colour], markersize=9)
        right.plot(moment, values[moment], "o", color=COLOUR[colour], markersize=12)
        right.annotate(text, (moments[-1], height), ha="right", color=COLOUR[colour])
    right.axhline(36, linestyle=":", color=COLOUR["muted"])
    right.set_xticks(moments, [f"{step:,}" for step in planar.FRAMES])
    right.set(xlabel="step", ylim=(-1, 43), title="Angles; dotted: ten classes evenly")
    right.yaxis.set_major_formatter("{x:.0f}°")
    return fig


def collapse(steps: Sequence[float], measured: Mapping[str, Sequence[float]], fitted: float) -> Picture:
    """NC1 to NC4 over the training, logarithmic; the dashed line is where the last training error vanished."""
    fig, axes = figure(width=10, height=4.4)
    for (name, values), colour in zip(measured.items(), ("model", "attack", "truth", "bound", "second"), strict=False):
        line = axes.loglog(steps, np.maximum(values, 1e-5), color=COLOUR[colour])[0]
        label(line, name)
    axes.axvline(fitted, linestyle="--", color=COLOUR["muted"])
    place = dict(xytext=(6, -12), textcoords="offset points", color=COLOUR["muted"])
    axes.annotate("first epoch without a training error", (fitted, axes.get_ylim()[1]), **place)
    axes.set(xlabel="epoch", xlim=(steps[0], 3 * steps[-1]), ylabel="distance from collapse")
    axes.set_title("Long after the errors are gone the features go on collapsing")
    return fig
