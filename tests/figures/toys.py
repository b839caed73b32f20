"""An explorer with a slider of every kind, and the pixels of a picture."""

import io

import numpy as np
from PIL import Image

from helpers.figures import COLOUR, Choice, Range, explorer, figure


@explorer(
    slope=Range(-2.0, 2.0, 0.5, label="slope a"),
    steps=Range(1, 5, 3, play=True),
    rate=Range(0.01, 10, 1, log=True),
    kind=Choice(("line", "dots"), "line"),
    stills=({"slope": -1.0}, {}, {"slope": 1.0, "kind": "dots"}),
)
def lines(slope, steps, rate, kind):
    if slope > 1.9 and steps > 1:
        raise ValueError(f"slope <{slope}> is too steep")
    fig, axes = figure(width=4, height=2.5)
    x = np.arange(steps)
    axes.plot(x, slope * x * rate, "-" if kind == "line" else ".", color=COLOUR["model"])
    axes.set(title=f"slope {slope}", xlabel="x")
    return fig


def opened(png: bytes) -> np.ndarray:
    """The pixels of a PNG."""
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
