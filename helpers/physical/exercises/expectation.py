"""Exercise 8.4 of Lecture 8: the mean loss over the photographs of a picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from helpers.exercises import Draw, Exercise, agree, args, holds, require, same
from helpers.physical import camera, eot
from helpers.physical.camera import Camera, Shots

Function = Callable[..., Any]
LIGHT = Camera(gain=(0.7, 1.2), offset=(-0.1, 0.1), gamma=(0.8, 1.3), noise=(0, 0.1))
WILD = camera.LADDER["rotation"]._replace(quality=(20, 60))


def curved(photographs: Tensor) -> Tensor:
    """A loss that is not linear, so that a mean of photographs costs something else; row by row."""
    weights = torch.linspace(-1, 2, photographs[0].numel(), dtype=photographs.dtype, device=photographs.device)
    return (photographs.flatten(1) - 0.3).pow(3) @ weights


def _taken(draw: Draw, lens: Camera) -> tuple[Tensor, Shots]:
    pictures, shots = draw.choice([(3, 4), (1, 5), (4, 1), (2, 3), (3, 3)])
    x = draw.uniform(pictures, draw.choice([1, 3]), 9, 8)
    return x, camera.draw(lens, x, shots, generator=draw.generator())


def _given(lens: Camera) -> Callable[[Draw], Any]:
    def given(draw: Draw) -> Any:
        return args(curved, *_taken(draw, lens))

    return given


def _one_by_one(f: Function, draw: Draw) -> None:
    x, shots = _taken(draw, LIGHT)
    n = len(shots.angle) // len(x)
    costs = [curved(camera.photograph(x[k // n : k // n + 1], shots.take(slice(k, k + 1)))) for k in range(len(x) * n)]
    agree(f(curved, x, shots), torch.cat(costs).view(len(x), n).mean(1), meaning=MEAN)


def _gradient(f: Function, draw: Draw) -> None:
    x, shots = _taken(draw, LIGHT)
    z = x.clone().requires_grad_()
    (g,) = torch.autograd.grad(f(curved, z, shots).sum(), z)
    each = eot.shot_gradients(curved, x, shots)
    agree(
        g, each.mean(1), rtol=1e-3, atol=1e-5, meaning="The gradient of the mean is the mean of the shots' gradients."
    )


def _at_rest(f: Function, draw: Draw) -> None:
    x, shots = _taken(draw, Camera())
    require(
        torch.isclose(f(curved, x, shots), curved(x), rtol=1e-4, atol=1e-5),
        expected="the loss of the picture itself where the camera does nothing",
        meaning=MEAN,
    )


MEANS = "loss(photograph(x, shots)).view(len(x), -1).mean(1)"
MEAN = (
    "For each picture the mean of the losses of its own n photographs, those of the first picture first: "
    "`photograph(x, shots)`, the loss of every row, n of them a row."
)

expectation_over_transformation = Exercise(
    "8.4",
    eot.expectation_over_transformation,
    checks=(
        holds("is the loss itself where the camera does nothing", _at_rest, times=5, meaning=MEAN),
        same("is the mean loss of each picture's photographs", _given(LIGHT), times=5, meaning=MEAN),
        same("the same through blur, turns and JPEG", _given(WILD), times=5, meaning=MEAN),
        holds("is what photograph by photograph gives", _one_by_one, times=5, meaning=MEAN),
        holds("has the mean of the gradients for its gradient", _gradient, times=5, meaning=MEAN),
    ),
    mistakes=(
        ("The sum over the shots; asked is their mean.", {".mean(1)": ".sum(1)"}),
        ("One number for the whole batch; each picture has its own mean.", {".view(len(x), -1).mean(1)": ".mean()"}),
        (
            "The rows are counted the wrong way: the n photographs of the first picture come first.",
            {".view(len(x), -1).mean(1)": ".view(-1, len(x)).mean(0)"},
        ),
        (
            "That is the loss of the mean photograph; asked is the mean of the losses.",
            {MEANS: "loss(photograph(x, shots).unflatten(0, (len(x), -1)).mean(1))"},
        ),
        (
            "One shot alone, the first of each picture: the mean goes over all n.",
            {".mean(1)": "[:, 0]"},
        ),
        (
            "The camera is forgotten: that is the loss of the picture itself.",
            {MEANS: "loss(x)"},
        ),
        (
            "That is the worst photograph; the attack wants to succeed on all, and asks for the mean.",
            {".mean(1)": ".amax(1)"},
        ),
        (
            "The gradient does not reach the picture: no `.detach()`.",
            {"photograph(x, shots)": "photograph(x.detach(), shots)"},
        ),
    ),
    hints=(
        "`physical.photograph(x, shots)` gives all photographs at once: N n of them, the first picture's n first.",
        "`loss` takes them all and gives N n numbers.",
        "`.view(len(x), -1)` sets those of one picture in one row.",
    ),
    why="An attack on one photograph is spoilt by the next. The mean over shots drawn by the same law is near the "
    "expectation, and its gradient is unbiased for that of it. All photographs go through the network in one batch.",
    minutes=12,
    differentiable=True,
)
