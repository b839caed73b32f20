"""Exercise 7.6 of Lecture 7: iterated steps with momentum."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from helpers import attacks
from helpers.attacks.exercises.gradient import images, input_gradient, network
from helpers.attacks.projections import norm, spread
from helpers.attacks.threat import goal
from helpers.exercises import Draw, Exercise, args, same

Function = Callable[..., Any]


def _mi(
    *, per_image: bool = True, unit: bool = True, memory: bool = True, sign: bool = True, share: bool = True,
    best: bool = True, p: float = 1, ahead: bool = False, average: bool = False,
) -> Function:  # fmt: skip
    """MI-FGSM with parts changed."""

    def answer(model, x, y, *, eps, steps, decay=1.0, targeted=False):  # type: ignore[no-untyped-def]
        z, v, step = x, torch.zeros_like(x), eps / steps if share else eps
        kept, lowest = z, goal(model(z), y, targeted)
        for _ in range(steps):
            g = input_gradient(model, z + step * decay * v.sign() if ahead else z, y, targeted)
            size = spread(norm(g, p), g) if per_image else g.abs().sum()
            v = (decay if memory else 0) * v + (1 - decay if average else 1) * (g / size if unit else g)
            move = v.sign() if sign else v
            z = torch.minimum(torch.maximum(z + step * move, x - eps), x + eps).clamp(0, 1)
            value = goal(model(z), y, targeted)
            kept = torch.where(spread(value < lowest, x), z, kept)
            lowest = torch.minimum(value, lowest)
        return kept if best else z

    return answer


def _mi_case(draw: Draw, **named: Any) -> Any:
    x = images(draw, 16, 20)
    return args(network(draw, 20, speed=3.0), x, draw.integers(0, 5, 16), eps=0.3, steps=8, **named)


mi_fgsm = Exercise(
    "7.6",
    attacks.mi_fgsm,
    checks=(
        same("is the best iterate of MI-FGSM", lambda draw: _mi_case(draw)),
        same("takes the decay given", lambda draw: _mi_case(draw, decay=draw.number(0.3, 0.8))),
        same("targeted: climbs towards the label wanted", lambda draw: _mi_case(draw, targeted=True)),
    ),
    mistakes=(
        ("Nothing is remembered: that is BIM. Add decay times the old velocity.", _mi(memory=False)),
        ("The gradients are added unscaled: divide each by its l_1 norm first.", _mi(unit=False)),
        ("One norm for the whole batch: each image's gradient has its own l_1 norm.", _mi(per_image=False)),
        (
            "The gradient is divided by its largest entry; here it is the l_1 norm, the sum of |g_i|.",
            _mi(p=float("inf")),
        ),
        ("The gradient is taken ahead of x_t (Nesterov's momentum); here it is taken at x_t.", _mi(ahead=True)),
        ("That is a running average, (1 - decay) g: with decay = 1 nothing moves. Add all of g.", _mi(average=True)),
        ("The gradient is divided by its l_2 norm; here it is the l_1 norm, the sum of |g_i|.", _mi(p=2)),
        ("The step is the sign of the velocity, times eps / steps.", _mi(sign=False)),
        ("Every step is a full eps; it should be eps / steps.", _mi(share=False)),
        ("That is the last iterate. Keep, image by image, the one with the smallest margin.", _mi(best=False)),
    ),
    hints=(
        "Two lines per step: the velocity, then x. Clip to the ball and the box after each.",
        "The l_1 norm per image: `g.abs().flatten(1).sum(1)`, reshaped to (N, 1, ...) before dividing.",
    ),
    why="Early and late gradients differ by orders of magnitude, so each is divided by its norm before it is added. "
    "The velocity smooths over the zigzag of single gradients, which also transfers better to other networks.",
    minutes=15,
)
