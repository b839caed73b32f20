"""A density over the plane, drawn the same way in every figure."""

import numpy as np
import torch
from matplotlib.axes import Axes

from helpers.mcmc.state import LogProb

Box = tuple[float, float, float, float]


def _density(
    axes: Axes, log_prob: LogProb, box: Box, points: int = 90, coordinate: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """The density in a box as shades of green -> one coordinate (1 or 2) and its marginal density."""
    a, b = torch.linspace(*box[:2], points).double(), torch.linspace(*box[2:], points).double()
    values = log_prob(torch.cartesian_prod(a, b)).reshape(points, points)
    shades = (values - values.max()).exp()
    axes.imshow(shades.T.sqrt(), extent=box, origin="lower", aspect="auto", cmap="Greens", vmax=1.6)
    axes.grid(False)
    axes.set(xlim=box[:2], ylim=box[2:], xlabel="$x_1$", ylabel="$x_2$")
    grid, marginal = (a, shades.sum(1)) if coordinate == 1 else (b, shades.sum(0))
    return grid.numpy(), (marginal / torch.trapezoid(marginal, grid)).numpy()
