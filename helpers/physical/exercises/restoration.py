"""Exercise 8.9 of Lecture 8: a Gaussian blob."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from helpers.exercises import Draw, Exercise, agree, args, holds, same
from helpers.physical import restoration

Function = Callable[..., Any]


def _blob(draw: Draw) -> Any:
    shape = draw.choice([(), (3,), (2, 3)])
    return args(
        draw.uniform(*shape, 2, low=-2.0, high=8.0),
        draw.uniform(*shape, low=0.5, high=4.0),
        draw.normal(*shape),
        draw.choice([(5, 8), (7, 4), (1, 6)]),
    )


def _places(f: Function, draw: Draw) -> None:
    """At a pixel's centre a; sigma pixels to the right a exp(-1/2)."""
    sigma = float(draw.integer(2, 4))
    like: dict[str, Any] = {"dtype": draw.dtype, "device": draw.device}
    blob = f(torch.tensor([3.0, 1.0], **like), torch.tensor(sigma, **like), torch.tensor(-2.0, **like), (4, 9))
    agree(blob[1, 3], torch.tensor(-2.0, **like), meaning="The centre is (x, y), the picture is [row y, column x].")
    agree(blob[1, 3 + int(sigma)], torch.tensor(-2.0 * math.exp(-0.5), **like), meaning=BELL)


BELL = "a exp(-((u - c_x)^2 + (v - c_y)^2) / (2 sigma^2)) at row v and column u: a at the centre, no other factor."

gaussian_blob = Exercise(
    "8.9",
    restoration.gaussian_blob,
    checks=(
        same("is the bell, for one blob and for many", _blob, times=9, meaning=BELL),
        holds("has its height a at the centre (x, y)", _places, times=4, meaning=BELL),
    ),
    mistakes=(
        (
            "The centre is (x, y): x goes across, along the columns.",
            {"zip((u, v), centre": "zip((u, v), centre.flip(-1)"},
        ),
        ("The 2 of 2 sigma^2 is missing.", {"(2 * sigma": "(sigma"}),
        ("2 sigma^2, not 2 sigma.", {"[..., None, None] ** 2": "[..., None, None]"}),
        (
            "That is a density, of integral a; the blob has the height a at its centre.",
            {
                "return amplitude": "return 1 / (2 * math.pi * sigma[..., None, None] ** 2) * amplitude",
            },
        ),
        ("The exponent has a minus.", {"torch.exp(-squared": "torch.exp(squared"}),
        ("The amplitude is missing.", {"amplitude[..., None, None] * ": ""}),
        (
            "The amplitude stands in front of the exponential, not within.",
            {
                "amplitude[..., None, None] * ": "",
                "torch.exp(-squared": "torch.exp(-amplitude[..., None, None] * squared",
            },
        ),
        (
            "The square of the distance is missing.",
            {
                "squared = ": "squared = torch.sqrt",
                "across[..., None, :] + down[..., :, None]": "(across[..., None, :] + down[..., :, None])",
            },
        ),
        (
            "The picture lies on its side: (H, W), rows first.",
            {"across[..., None, :] + down[..., :, None]": "(across[..., None, :] + down[..., :, None]).mT"},
        ),
        (
            "Coordinates are pixels 0 ... W - 1, not shares of the side.",
            {"dtype=centre.dtype)": "dtype=centre.dtype) / length"},
        ),
        ("Pixels are counted from 0.", {"torch.arange(length,": "1 + torch.arange(length,"}),
    ),
    hints=(
        "`torch.arange(W) - centre[..., :1]` is (..., W): how far each column is; likewise the rows.",
        "Squares (..., 1, W) and (..., H, 1) broadcast to (..., H, W).",
        "sigma and amplitude need two axes more: `sigma[..., None, None]`.",
    ),
    why="A blob with its mirror image changes a face as a brush would, in few numbers, and most faces are symmetric: "
    "the search has half as much to find.",
    minutes=8,
    differentiable=True,
)
