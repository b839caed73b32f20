"""A path that came back, and one that stopped in time."""

from collections.abc import Sequence

import torch
from torch import Tensor

from helpers.figures import COLOUR, Picture, figure
from helpers.mcmc.figures.plane import _density
from helpers.mcmc.state import LogProb

Points = Sequence[tuple[Tensor, Tensor]]


def no_u_turn(target: LogProb, start: Tensor, fixed: Points, grown: Points, dropped: Points) -> Picture:
    """From one start (1, 2): a path of fixed length, and one of NUTS with the half that it has thrown away."""
    fig, panels = figure(1, 2, width=11, height=4.0, sharey=True)
    for panel, path, colour in zip(panels, (fixed, grown), ("attack", "model"), strict=True):
        _density(panel, target, (-6, 6, -5, 8))
        panel.plot(*torch.cat([x for x, _ in path]).T, ".-", color=COLOUR[colour], linewidth=1.2, markersize=6)
        panel.plot(*start.T, "o", color="black", markersize=9)
        panel.annotate("start", start[0].tolist(), (-26, 0), textcoords="offset points", ha="right", va="center")
    panels[0].set_title(f"HMC, {len(fixed)} steps: it comes back")
    panels[1].plot(*torch.cat([x for x, _ in dropped]).T, ".-", color=COLOUR["muted"], linewidth=1.2, markersize=6)
    panels[1].set(ylabel="", title=f"NUTS: {len(grown)} points; the next {len(dropped)} (grey) turn")
    return fig
