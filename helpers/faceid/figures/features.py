"""Figures of Lecture 2: features in the plane, and their collapse."""

from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor

from helpers.figures import COLOUR, Picture, figure, label

TEN = ("#0072B2", "#D55E00", "#009E73", "#B05A8C", "#C98500", "#4AA3D8", "#333333", "#8A8A8A", "#7B5B3A", "#B0B030")


def plane(embeddings: Mapping[str, tuple[Tensor, Tensor | None]], y: Tensor, *, columns: int = 3) -> Picture:
    """Features (N, 2) of digits y, coloured by class, for each loss, with the class weights (10, 2) as rays, if any."""
    rows = -(-len(embeddings) // columns)
    fig, axes = figure(rows, columns, width=4 * columns, height=3.9 * rows, squeeze=False)
    for panel, (name, (features, weights)) in zip(axes.flat, embeddings.items(), strict=False):
        reach = 1.08 * features.norm(dim=1).quantile(0.995).item()
        for k, colour in enumerate(TEN):
            own = features[y == k]
            panel.plot(*own.T, ".", color=colour, markersize=2.5, alpha=0.6)
            place = own.mean(0)
            panel.annotate(str(k), (1.12 * reach * place / place.norm()).tolist(), color=colour, ha="center",
                           va="center", fontsize=13)  # fmt: skip
            if weights is not None:
                ray = reach * (weights[k] / weights[k].norm()).detach()
                panel.plot((0, ray[0]), (0, ray[1]), color=colour, linewidth=1, alpha=0.6)
        panel.set(title=name, aspect="equal")
        panel.set_axis_off()
        panel.set(xlim=(-1.3 * reach, 1.3 * reach), ylim=(-1.3 * reach, 1.3 * reach))
    for panel in axes.flat[len(embeddings) :]:
        panel.set_axis_off()
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
