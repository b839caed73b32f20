"""Exercise 7.6 of Lecture 7: iterated steps with momentum."""

from __future__ import annotations

from typing import Any

import torch

from helpers import attacks
from helpers.attacks.exercises.networks import (
    NO_BACKWARD,
    WRONG_ITERATE,
    leaves_weights_alone,
    straight,
    two_classes,
    wavy,
)
from helpers.exercises import Draw, Exercise, args, holds, same

UNIT = "g / spread(norm(g, 1), g).clamp(min=torch.finfo(g.dtype).tiny)"
MOMENTUM = (
    "Each step: v <- decay v + g / |g|_1, image by image, then x <- clip(x + step sign v); the best x is returned."
)


def _climb(draw: Draw, **named: Any) -> Any:
    return wavy(draw, band=0.1, steps=draw.choice([8, 5]), **named)


def _crossing(draw: Draw) -> Any:
    """An image that reaches a place without a slope in its first step, and has to cross it."""
    model = two_classes(draw, 12)
    model.weight.data.abs_()
    model.weight.data[0], model.band = 0, 0.1
    x = draw.uniform(4, 12, low=0.42, high=0.44)
    return args(model, x, draw.integers(0, 1, 4), eps=0.3, steps=6)


mi_fgsm = Exercise(
    "7.6",
    attacks.mi_fgsm,
    checks=(
        same(
            "is FGSM, step by step, on a linear model, in the precision of x",
            lambda draw: straight(draw, steps=draw.choice([2, 4]), decay=0.5),
            meaning=MOMENTUM,
        ),
        same("is the best iterate of MI-FGSM", _climb, dtype=torch.float64, times=6, meaning=MOMENTUM),
        same(
            "goes on with the old velocity where the gradient is 0",
            _crossing,
            meaning="0 / 0 is no number: where the gradient is 0 nothing is added, and x moves by the old velocity.",
        ),
        same(
            "takes the decay given",
            lambda draw: _climb(draw, decay=draw.choice([0.5, 0.8, 1.5, 0.0])),
            dtype=torch.float64,
            times=6,
            meaning="v <- decay v + g / |g|_1: the decay multiplies the old velocity and nothing else.",
        ),
        same(
            "takes the step given",
            lambda draw: _climb(draw, step=draw.number(0.05, 0.2)),
            dtype=torch.float64,
            meaning="`step` is the length of one step; eps / steps only where it is None.",
        ),
        same(
            "targeted: climbs towards the label wanted",
            lambda draw: _climb(draw, targeted=True),
            dtype=torch.float64,
            times=6,
            meaning="Targeted, the loss of y falls, and best is the largest margin of y.",
        ),
        holds(
            "leaves the network's own gradients alone",
            lambda f, draw: leaves_weights_alone(f, draw, straight(draw, steps=2)),
            meaning=NO_BACKWARD,
        ),
    ),
    mistakes=(
        ("Nothing is remembered: that is BIM. Add decay times the old velocity.", {"decay * velocity + g": "g"}),
        (
            "`decay` is ignored: the old velocity is multiplied by it before the new gradient is added.",
            {"decay * velocity + g": "velocity + g"},
        ),
        (
            "The decay multiplies the new gradient as well: it belongs to the old velocity alone.",
            {f"decay * velocity + {UNIT}": f"decay * (velocity + {UNIT})"},
        ),
        ("The gradients are added unscaled: divide each by its l_1 norm first.", {UNIT: "g"}),
        (
            "One norm for the whole batch: each image's gradient has its own l_1 norm.",
            {"spread(norm(g, 1), g)": "g.abs().sum()"},
        ),
        (
            "One norm for each last axis: an image has one norm, so flatten all but the first axis before.",
            {"spread(norm(g, 1), g)": "g.abs().sum(-1, keepdim=True)"},
        ),
        (
            "One norm for each pixel, over the channels: an image has one norm; flatten all but the first axis.",
            {"spread(norm(g, 1), g)": "g.abs().sum(1, keepdim=True)"},
        ),
        (
            "The gradient is divided by its largest entry; here it is the l_1 norm, the sum of |g_i|.",
            {"norm(g, 1)": "norm(g, float('inf'))"},
        ),
        (
            "The gradient is divided by its l_2 norm; here it is the l_1 norm, the sum of |g_i|.",
            {"norm(g, 1)": "norm(g, 2)"},
        ),
        (
            "0 / 0: where the gradient is 0 it adds nothing. `clamp(min=1e-30)` on the norm helps.",
            {".clamp(min=torch.finfo(g.dtype).tiny)": ""},
        ),
        (
            "The gradient is taken ahead of x_t (Nesterov's momentum); here it is taken at x_t.",
            {"ascend(model": "ascend(lambda z: model(z + step * decay * velocity.sign())"},
        ),
        (
            "That is a running average, (1 - decay) g: with decay = 1 nothing moves. Add all of g.",
            {"+ g /": "+ (1 - decay) * g /"},
        ),
        ("The step is the sign of the velocity, times `step`.", {"velocity.sign()": "velocity"}),
        ("Every step is a full eps; unless given it should be eps / steps.", {"eps / steps": "eps"}),
        ("That is PGD's step; here it is eps / steps unless given.", {"eps / steps": "2.5 * eps / steps"}),
        (
            "`step` is ignored: eps / steps only where it is None.",
            {' if step is None else per_image(step, x, "step")': ""},
        ),
        (
            "What comes back is no better than x: the loss of y shall rise, or, targeted, fall. Is the sign flipped?",
            {"z + step": "z - step"},
        ),
        ("`targeted` is ignored: with targeted=True the loss must fall.", {"targeted=targeted": "targeted=False"}),
        (
            "The ball is forgotten: no pixel may end farther than eps from x.",
            {"clip_linf(x, eps)": "lambda z: z.clamp(0, 1)"},
        ),
        (
            "The result leaves [0, 1]: clip to the box after each step.",
            {"clip_linf(x, eps)": "lambda z: torch.minimum(torch.maximum(z, x - eps), x + eps)"},
        ),
        *WRONG_ITERATE,
    ),
    hints=(
        "Two lines per step: the velocity, then x. Clip to the ball and the box after each.",
        "The l_1 norm per image: `g.abs().flatten(1).sum(1)`, reshaped to (N, 1, ...) before dividing; where it is 0, "
        "g adds nothing: `clamp(min=1e-30)`.",
        "`attacks.margin(logits, y)` measures success: keep, by `torch.where`, each image's x with the smallest margin "
        "(targeted: the largest), x_0 and the last one included.",
    ),
    why="Early and late gradients differ by orders of magnitude, so each is divided by its norm before it is added. "
    "The velocity smooths over the zigzag of single gradients, which also transfers better to other networks.",
    minutes=15,
    shows=(attacks.ascend, attacks.input_gradient),
)
