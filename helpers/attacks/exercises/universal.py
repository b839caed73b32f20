"""Exercise 7.9 of Lecture 7: a step on a universal perturbation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from helpers import attacks
from helpers.attacks.exercises.networks import NO_BACKWARD, SHAPES, images, leaves_weights_alone, network, two_classes
from helpers.exercises import Arguments, Draw, Exercise, args, holds, require, same

Function = Callable[..., Any]


def _case(draw: Draw, **named: Any) -> Arguments:
    """Images with pixels at their bounds, delta anywhere in its ball; the first pixel has no slope."""
    n, shape, eps = draw.integer(5, 12), draw.choice(SHAPES), draw.number(0.1, 0.3)
    x = images(draw, n, *shape)
    delta = draw.uniform(*shape, low=-eps, high=eps)
    model = network(draw, x[0].numel(), speed=1.0)
    return args(model, x, draw.integers(0, 5, n), delta, **{"eps": eps, "step": draw.choice([0.5, 3.0]) * eps, **named})


def _plain(draw: Draw) -> Arguments:
    """Two classes, one label, no pixel near its bounds: no sign that rounding could turn."""
    shape = draw.choice(SHAPES)
    x = draw.uniform(6, *shape, low=0.4, high=0.6)
    delta = 0.1 * torch.where(draw.uniform(*shape) < 0.5, draw.signs(*shape), draw.uniform(*shape, low=-1))
    model = two_classes(draw, x[0].numel())
    y = model((x + delta).clamp(0, 1)).argmax(1).mode().values.expand(6).clone()
    return args(model, x, y, delta, eps=0.1, step=0.03)


def _stays(f: Function, draw: Draw) -> None:
    case = _case(draw, eps=0.1, step=3.0)
    delta = f(*case.positional, **case.named)
    require(delta.abs() <= 0.1 + 1e-6, expected="|delta_i| <= eps = 0.1")


SIGN = "g.sign()"
LOSS = "cross_entropy(model((x + delta).clamp(0, 1)), y).mean()"
GRADIENT = f"loss = {LOSS}\n        (g,) = torch.autograd.grad(loss, delta)"
EACH = (
    "each = (x + delta).detach().requires_grad_()\n        (g,) = torch.autograd.grad(cross_entropy({}, y).sum(), each)"
)
MEANING = "clip(delta + step * sign(g), -eps, eps), g the gradient in delta of the mean loss at clip(x + delta, 0, 1)."

universal_step = Exercise(
    "7.9",
    attacks.universal_step,
    checks=(
        same("is one signed step up the mean loss, in the precision of x", _plain, meaning=MEANING),
        same(
            "the same where pixels meet their bounds and one has no slope",
            _case,
            dtype=torch.float64,
            times=6,
            meaning=MEANING,
        ),
        holds("stays in the ball, whatever the step", _stays, meaning="Clip the new delta to [-eps, eps]."),
        holds(
            "leaves the network's own gradients alone",
            lambda f, draw: leaves_weights_alone(f, draw, _plain(draw)),
            meaning=NO_BACKWARD,
        ),
    ),
    mistakes=(
        ("The new delta is not clipped to [-eps, eps].", {".clamp(-eps, eps)": ""}),
        ("The loss shall rise: add the step.", {"delta.detach() + step": "delta.detach() - step"}),
        (
            "Pixels that cannot move still count: clip x + delta to [0, 1] inside the loss, so that the gradient "
            "passes through the clip.",
            {"(x + delta).clamp(0, 1)": "x + delta"},
        ),
        (
            "That lets each image vote with its signs; the gradient of the mean loss adds them up.",
            {GRADIENT: EACH.format("model(each.clamp(0, 1))") + "\n    g = g.sign().sum(0)"},
        ),
        (
            "That is the step of the first image alone; the loss is the mean over the batch.",
            {", y).mean()": ", y)[0]"},
        ),
        (
            "The gradient itself is added; in l_inf every pixel moves by a full `step`, in the sign of its slope.",
            {SIGN: "g"},
        ),
        (
            "That is the steepest step of l_2; in l_inf every pixel moves by a full `step`, in the sign of its slope.",
            {SIGN: "g / g.norm()"},
        ),
        (
            "Clipped to [0, eps]: a perturbation may darken as well; its ball is [-eps, eps].",
            {"(-eps, eps)": "(0, eps)"},
        ),
        ("delta is clipped to [0, 1]; it is a difference, and its ball is [-eps, eps].", {"(-eps, eps)": "(0, 1)"}),
        ("The old delta is lost: add the step to it.", {"delta.detach() + step": "step"}),
        ("The step is `step`, not eps.", {"step * g": "eps * g"}),
        (
            "The gradient is taken at x; it belongs at the pictures with delta on them.",
            {"(x + delta).clamp": "(x + 0 * delta).clamp"},
        ),
        (
            "The labels are y, not the network's own predictions.",
            {LOSS: "cross_entropy(model((x + delta).clamp(0, 1)), model((x + delta).clamp(0, 1)).argmax(1)).mean()"},
        ),
        ("A pixel without a slope has moved: sign(0) is 0.", {SIGN: "torch.where(g >= 0, 1.0, -1.0).to(delta)"}),
    ),
    hints=(
        "delta is the variable: `delta = delta.detach().clone().requires_grad_(True)`; x + delta broadcasts.",
        "Clip x + delta to [0, 1] inside the loss; take the gradient with respect to delta, by `torch.autograd.grad`.",
    ),
    why="delta broadcasts over the batch, so autograd itself adds up the images' gradients; the clip inside the loss "
    "removes the pixels that are at their bound already.",
)
