"""Figures to PNG: the same bytes for the same picture, small ones for storage, quick ones for sliders."""

from __future__ import annotations

import io

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from helpers.figures._powers import readable_powers

WORST_COLOUR_ERROR = 8  # of 255, when a picture is stored with a palette of 256 colours


def pixels(fig: Figure) -> np.ndarray:
    """A figure as pixels (height, width, 3), uint8; drawn once, where savefig would draw it twice."""
    readable_powers(fig)
    fig.canvas.draw()
    return np.asarray(fig.canvas.buffer_rgba())[..., :3].copy()  # type: ignore[attr-defined]


def encode(sheet: np.ndarray, *, quick: bool = False) -> bytes:
    """Pixels (height, width, 3) as PNG, without date or version; with a palette where that cannot be seen.

    quick=True leaves the palette out and compresses little: for a picture that is sent once and not stored.
    """
    image, out = Image.fromarray(sheet), io.BytesIO()
    if not quick:
        small = image.quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        error = np.abs(np.asarray(small.convert("RGB"), dtype=np.int16) - sheet).max()
        image = small if error <= WORST_COLOUR_ERROR else image
    image.save(out, format="png", compress_level=1 if quick else 9)
    return out.getvalue()
