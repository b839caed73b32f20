"""Exercise 7.1 of Lecture 7: one step along the gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from helpers import attacks
from helpers.attacks.exercises.networks import NO_BACKWARD, Wave, leaves_weights_alone, straight, wavy
from helpers.attacks.threat import input_gradient
from helpers.exercises import Draw, Exercise, agree, holds, same

Function = Callable[..., Any]
LOSS = "-cross_entropy(z, y) if targeted else cross_entropy(z, y)"
FORMULA = (
    "The formula is x + eps * sign(g), clipped to [0, 1], with g the gradient of the cross-entropy of (x, y) at x."
)


def _linear_gain(f: Function, draw: Draw) -> None:
    w, x = draw.normal(9), draw.uniform(6, 9, low=0.4, high=0.6)
    x_adv = f(Wave(torch.stack([-w / 2, w / 2])), x, torch.ones(6, dtype=torch.long, device=x.device), eps=0.25)
    agree((x - x_adv) @ w, 0.25 * w.abs().sum().expand(6))


fgsm = Exercise(
    "7.1",
    attacks.fgsm,
    checks=(
        same("is clip(x + eps sign grad L(x, y)), in the precision of x", straight, meaning=FORMULA),
        same(
            "the same for a network with five classes, where a pixel without a slope stays",
            wavy,
            dtype=torch.float64,
            meaning=FORMULA,
        ),
        same(
            "targeted: the loss of the label wanted falls",
            lambda draw: wavy(draw, targeted=True),
            dtype=torch.float64,
            meaning="Targeted, y is the label wanted: the step goes down its loss, x - eps * sign(g).",
        ),
        holds(
            "on a linear model the score falls by exactly eps |w|_1",
            _linear_gain,
            meaning="Every pixel moves by a full eps, in the sign of its own derivative.",
        ),
        holds(
            "leaves the network's own gradients alone",
            lambda f, draw: leaves_weights_alone(f, draw, straight(draw)),
            meaning=NO_BACKWARD,
        ),
    ),
    mistakes=(
        ("The result leaves [0, 1]: no picture file can hold it. Clip.", {".clamp(0, 1)": ""}),
        (
            "The sign is flipped: untargeted, the loss of the true label rises; targeted, that of the target falls.",
            {"x + per_image": "x - per_image"},
        ),
        ("The sign is missing: every pixel moves by a full eps.", {"g.sign()": "g"}),
        (
            "That is steepest ascent in l_2; in l_inf it is the sign of each derivative.",
            {"g.sign()": "g / g.flatten(1).norm(dim=1).clamp(min=1e-12).view(-1, *[1] * (x.ndim - 1))"},
        ),
        ("That is the perturbation alone; add it to x.", {"x + per_image": "per_image"}),
        ("Clipped to [-1, 1]: a picture lives in [0, 1], no pixel is darker than 0.", {"clamp(0, 1)": "clamp(-1, 1)"}),
        (
            "The loss belongs to the label y that was given, not to the network's own prediction.",
            {LOSS: "(-1 if targeted else 1) * cross_entropy(z, z.argmax(1))"},
        ),
        (
            "A soft-max before the cross-entropy: the loss holds one already, hand it the logits.",
            {LOSS: "(-1 if targeted else 1) * cross_entropy(z.softmax(1), y)"},
        ),
        (
            "`targeted` is ignored: with targeted=True the step must go down the loss.",
            {LOSS: "cross_entropy(z, y)"},
        ),
        (
            "That is the sign of the logit of y, not of the loss: the other classes count as well.",
            {LOSS: "-z.gather(1, y[:, None])"},
        ),
        (
            "A pixel whose derivative is 0 has moved: sign(0) is 0.",
            {"g.sign()": "torch.where(g >= 0, 1.0, -1.0).to(x)"},
        ),
        (
            NO_BACKWARD,
            {
                "(gradient,) = torch.autograd.grad(loss(logits).sum(), x)": (
                    "loss(logits).sum().backward()\n        gradient = x.grad"
                )
            },
            input_gradient,
        ),
    ),
    hints=(
        "Make a copy of x that asks for a gradient: `x = x.detach().clone().requires_grad_(True)`.",
        "`torch.autograd.grad(loss.sum(), x)[0]` is the gradient, without touching the weights' `.grad`.",
        "Summed (or averaged) over the batch, the loss has for each image the sign of its own gradient.",
    ),
    why="autograd.grad leaves the model's own gradients alone. The loss is summed over the batch, so one backward "
    "pass gives every image its own gradient; the sign makes its scale irrelevant.",
    shows=(input_gradient,),
)
