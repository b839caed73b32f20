"""A density over the plane, drawn the same way in every figure."""

import numpy as np
import torch
from matplotlib.axes import Axes

from helpers.mcmc.state import LogProb

Box = tuple[float, float, float, float]


def _density(axes: Axes, log_prob: LogProb, box: Box, points: int = 90) -> tuple[np.ndarray, np.ndarray]:
    """The density in a box as shades of green -> the first coordinate and its marginal density."""
    a, b = torch.linspace(*box[:2], points).double(), torch.linspace(*box[2:], points).double()
    values = log_prob(torch.cartesian_prod(a, b)).reshape(points, points)
    shades = (values - values.max()).exp()
    axes.imshow(shades.T.sqrt(), extent=box, origin="lower", aspect="auto", cmap="Greens", vmax=1.6)
    axes.grid(False)
    axes.set(xlim=box[:2], ylim=box[2:], xlabel="$x_1$", ylabel="$x_2$")
    marginal = shades.sum(1)
    return a.numpy(), (marginal / torch.trapezoid(marginal, a)).numpy()
