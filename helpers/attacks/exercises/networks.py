"""Small networks and images on which the attacks of Lecture 7 are checked."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from helpers import attacks
from helpers.exercises import Arguments, Draw, args, require

SHAPES = ((1, 4, 5), (3, 2, 3), (12,))


class Wave(nn.Module):
    """logits = W x or, speed > 0, 3 sin(speed W x): then the loss goes up and down, and the last iterate is seldom the
    best. Flat at every image whose first pixel is 0, or whose second lies within band / 2 of 0.5: there the gradient
    is exactly 0."""

    def __init__(self, weight: Tensor, speed: float = 0.0, band: float = 0.0) -> None:
        super().__init__()
        self.weight, self.speed, self.band = nn.Parameter(weight), speed, band

    def forward(self, x: Tensor) -> Tensor:
        """(N, ...) -> (N, K)."""
        first, second = x.detach().flatten(1)[:, :2].split(1, dim=1)
        z = x.flatten(1) @ self.weight.T * ((first > 0) & (2 * (second - 0.5).abs() >= self.band))
        return 3 * torch.sin(self.speed * z) if self.speed else z


def network(draw: Draw, inputs: int, speed: float = 0.0, band: float = 0.0) -> Wave:
    """A random classifier into 5 classes, blind to the first pixel."""
    weight = draw.normal(5, inputs)
    weight[:, 0] = 0
    return Wave(weight, speed, band)


def two_classes(draw: Draw, inputs: int) -> Wave:
    """A linear classifier whose gradient has no entry near 0: its signs survive another order of summation."""
    w = draw.signs(inputs) * draw.uniform(inputs, low=0.5, high=1.5)
    return Wave(torch.stack([-w / 2, w / 2]))


def images(draw: Draw, n: int, *shape: int) -> Tensor:
    """(n, *shape) in [0, 1], a third of the pixels exactly 0 or 1; the first pixel is 0 in image 0, else 0.5."""
    x = draw.uniform(n, *shape, low=-0.3, high=1.3).clamp(0, 1)
    x.flatten(1)[:, 0] = 0.5
    x.flatten(1)[0, 0] = 0
    return x


def wavy(draw: Draw, *, speed: float = 3.0, band: float = 0.0, **named: Any) -> Arguments:
    """(model, x, y, eps=...) with five classes and ups and downs. For float64: in float32 a sign may turn by chance."""
    x = images(draw, 12, *draw.choice(SHAPES))
    model = network(draw, x[0].numel(), speed, band)
    return args(model, x, draw.integers(0, 5, 12), **{"eps": draw.number(0.1, 0.4), **named})


def straight(draw: Draw, **named: Any) -> Arguments:
    """(model, x, y, eps=...) with two classes, linear: for both precisions."""
    x = images(draw, 6, *draw.choice(SHAPES))
    model = two_classes(draw, x[0].numel())
    return args(model, x, draw.integers(0, 2, 6), **{"eps": draw.number(0.1, 0.4), **named})


NO_BACKWARD = (
    "`backward()` fills the weights' `.grad` too, and a training loop would add it up: "
    "`torch.autograd.grad(loss, x)[0]` asks for the one gradient that is wanted."
)


def leaves_weights_alone(f: Any, draw: Draw, case: Arguments) -> None:
    """A check: the network that the function was given has no gradient afterwards; its weights still ask for one."""
    f(*case.positional, **case.named)
    model = f.latest.after.positional[0]
    require(all(w.grad is None for w in model.parameters()), expected="no .grad in the weights", got="a gradient")
    require(all(w.requires_grad for w in model.parameters()), expected="weights that still ask for a gradient")


WRONG_ITERATE = (  # of every iterated attack: which point of the way comes back
    (
        "Targeted, best is the largest margin of y, not the smallest.",
        {"goal(logits, y, targeted)": "goal(logits, y, False)"},
        attacks.ascend,
    ),
    (
        "That is the last iterate. Keep, image by image, the one with the smallest margin.",
        {"return best": "return x"},
        attacks.ascend,
    ),
    (
        "The best iterate is the one with the smallest margin, not with the largest loss.",
        {"value = gap(logits, y)": "value = loss(logits, y) if targeted else -loss(logits, y)"},
        attacks.ascend,
    ),
    (
        "The last iterate is not looked at: after the last step one more forward pass is needed.",
        {"for step in range(steps + 1)": "for step in range(steps)"},
        attacks.ascend,
    ),
)
