"""Exercise 7.9 of Lecture 7: a step on a universal perturbation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional as F

from helpers import attacks
from helpers.attacks.exercises.gradient import images, input_gradient, network
from helpers.exercises import Draw, Exercise, args, holds, same

Function = Callable[..., Any]


def _universal(
    *,
    box: bool = True,
    ball: bool = True,
    up: int = 1,
    vote: bool = False,
    own: bool = True,
    sign: bool = True,
    low: float = -1.0,
) -> Function:
    def answer(model, x, y, delta, *, eps, step):  # type: ignore[no-untyped-def]
        moved = x + delta if own else x
        with torch.enable_grad():
            d = delta.detach().clone().expand_as(x).clone().requires_grad_()
            z = moved - delta + d if own else x + 0 * d
            loss = F.cross_entropy(model(z.clamp(0, 1) if box else z), y, reduction="sum")
            each = torch.autograd.grad(loss, d)[0] if own else input_gradient(model, x, y)
        g = each.sign().sum(0) if vote else each.sum(0)
        out = delta + up * step * (g.sign() if sign else g / len(x))
        return out.clamp(low * eps, eps) if ball else out

    return answer


def _universal_case(draw: Draw) -> Any:
    n, shape, eps = draw.integer(5, 12), draw.choice([(1, 4, 5), (20,)]), draw.number(0.1, 0.3)
    delta = draw.uniform(*shape, low=-eps, high=eps)
    x = images(draw, n, *shape)
    return args(network(draw, 20, speed=1.0), x, draw.integers(0, 5, n), delta, eps=eps, step=0.5 * eps)


universal_step = Exercise(
    "7.9",
    attacks.universal_step,
    checks=(
        same("is one signed step up the mean loss, clipped to eps", _universal_case, times=6),
        holds(
            "stays in the ball, whatever the step",
            lambda f, draw: (
                f(
                    network(draw, 6),
                    images(draw, 5, 6),
                    draw.integers(0, 5, 5),
                    draw.uniform(6) / 10,
                    eps=0.1,
                    step=3.0,
                )
                .abs()
                .max()
                <= 0.1 + 1e-6
            ),
        ),
    ),
    mistakes=(
        ("The new delta is not clipped to [-eps, eps].", _universal(ball=False)),
        ("The loss shall rise: add the step.", _universal(up=-1)),
        (
            "The pictures x + delta are not clipped to [0, 1] before the model sees them, so pixels that cannot move "
            "still count.",
            _universal(box=False),
        ),
        (
            "That lets each image vote with its signs; the gradient of the mean loss adds them up.",
            _universal(vote=True),
        ),
        (
            "The gradient itself is added; in l_inf every pixel moves by a full `step`, in the sign of its slope.",
            _universal(sign=False),
        ),
        ("Clipped to [0, eps]: a perturbation may darken as well; its ball is [-eps, eps].", _universal(low=0.0)),
        ("The gradient is taken at x; it belongs at the pictures with delta on them.", _universal(own=False)),
    ),
    hints=(
        "delta is the variable: `delta = delta.detach().clone().requires_grad_(True)`; x + delta broadcasts.",
        "Clip x + delta to [0, 1] inside the loss; take the gradient with respect to delta.",
    ),
    why="delta broadcasts over the batch, so autograd itself adds up the images' gradients; the clip inside the loss "
    "removes the pixels that are at their bound already.",
)
