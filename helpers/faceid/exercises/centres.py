"""Exercise 2.3 of Lecture 2: the centre loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from helpers.exercises import Draw, Exercise, agree, args, holds, same
from helpers.faceid import metric
from helpers.faceid.exercises.metric import DIGITS, slopes

Function = Callable[..., Any]


def _centres(draw: Draw) -> Any:
    """As many centres as samples, more, fewer; centres that nobody belongs to."""
    n, K, d = draw.choice([(6, 6, 6), (5, 3, 2), (4, 9, 1), (1, 2, 3)])
    return args(draw.normal(n, d), draw.integers(0, K, n), draw.normal(K, d))


def _pull(f: Function, draw: Draw) -> None:
    x, y, centres = draw.normal(4, 3), draw.integers(0, 2, 4), draw.normal(2, 3)
    agree(slopes(f, x, y, centres), (x - centres[y]) / 4)
    centres = centres.requires_grad_()
    (g,) = torch.autograd.grad(f(x, y, centres), centres)
    agree(g, torch.stack([(centres[k] - x[y == k]).sum(0).detach() / 4 for k in range(2)]))


OWN = "Each feature against the centre of its own class, c_{y_i}: half the squared distance, averaged over the batch."

center_loss = Exercise(
    "2.3",
    metric.center_loss,
    checks=(
        same("is 1 / (2N) times the sum of |x_i - c_{y_i}|^2", _centres, times=8, meaning=OWN),
        same("in the precision of the features", _centres, times=4, dtype=torch.float64, rtol=1e-10, meaning=DIGITS),
        holds("pulls each feature by (x - c) / N", _pull, times=2, meaning=OWN),
    ),
    mistakes=(
        ("The factor 1/2 is missing.", {".mean() / 2": ".mean()"}),
        ("That is the sum over the batch; asked is the mean.", {".mean() / 2": ".sum() / 2"}),
        (
            "That is the mean over the coordinates too (torch's mse_loss): |.|^2 is their sum.",
            {".sum(1).mean()": ".mean()"},
        ),
        ("The distance must be squared.", {".square().sum(1)": ".norm(dim=1)"}),
        (
            "Every feature is pulled to every centre: `centres[y]` picks its own.",
            {"(features - centres[y]).square().sum(1).mean()": "(features[:, None] - centres).square().sum(2).mean()"},
        ),
        (
            "The centres are given: they are not the means of the batch.",
            {"centres[y]": "torch.stack([features[y == k].mean(0) for k in y])"},
        ),
        ("The centres are cut off: they need a gradient as well.", {"centres[y]": "centres[y].detach()"}),
        ("The features are cut off: they need the gradient.", {"(features - ": "(features.detach() - "}),
        ("Plus: the difference x - c is asked for.", {"features - centres": "features + centres"}),
    ),
    hints=(
        "`centres[y]` has for each row of features the centre of its class.",
        "Square the difference, sum over the coordinates, take the mean over the batch, halve.",
    ),
    why="Alone the loss would put everything in one point; beside the soft-max loss, which keeps the classes apart, it "
    "makes them small.",
    minutes=5,
    differentiable=True,
)
