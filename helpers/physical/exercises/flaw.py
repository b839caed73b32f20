"""Exercise 8.10 of Lecture 8, find the flaw: the gradient that an attack takes through a defence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from helpers.exercises import Draw, Exercise, agree, args, holds, require, same
from helpers.physical import compression, defence, transforms

Function = Callable[..., Any]


def given(f: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """What the lecture hands out."""
    return x + f(x) - x.detach()


def four_levels(x: Tensor) -> Tensor:
    """Rounded: the gradient is 0."""
    return transforms.quantised(x, 4, rounding=torch.round)


def small_file(x: Tensor) -> Tensor:
    """Compressed: the gradient is 0."""
    return compression.jpeg(x, 30, rounding=torch.round)


def blurred(x: Tensor) -> Tensor:
    """Blurred: it has a gradient of its own."""
    return transforms.blur(x, 1.0)


def squared(x: Tensor) -> Tensor:
    """A response curve: it has a gradient of its own."""
    return x.square()


FILTERS = (four_levels, small_file, blurred, squared)


def _filtered(draw: Draw) -> Any:
    return args(draw.choice(FILTERS), draw.uniform(*draw.choice([(2, 1, 9, 8), (1, 3, 8, 8), (3, 1, 5, 6)])))


def _same_bits(f: Function, draw: Draw) -> None:
    g, x = draw.choice(FILTERS), draw.uniform(4, 3, 16, 16)
    y = f(g, x)
    require(torch.equal(y, g(x)), expected="f(x) to the last bit: what the defended network really sees", got=y - g(x))


def _gradient_of_x(f: Function, draw: Draw) -> None:
    g, x = draw.choice(FILTERS), draw.uniform(2, 1, 8, 8).requires_grad_()
    weights = draw.normal(2, 1, 8, 8)
    (slope,) = torch.autograd.grad((weights * f(g, x)).sum(), x)
    agree(slope, weights, meaning=CAUSE)


CAUSE = (
    "The gradient is not that of x. A filter that rounds has none of its own, a blur has one, and all that still hangs "
    "on x adds up."
)
BITS = "The value is f(x) itself, to the last bit: x + f(x) - x rounds twice, and a pixel may leave [0, 1]."

straight_through = Exercise(
    "8.10",
    defence.straight_through,
    given=given,
    checks=(
        holds("has the gradient of x, whatever f is", _gradient_of_x, times=8, meaning=CAUSE),
        holds("is f(x) to the last bit", _same_bits, times=8, meaning=BITS),
        same("is f(x)", _filtered, times=8, meaning=BITS),
    ),
    mistakes=(
        (CAUSE, {"(x - x.detach())": "0"}),
        (BITS, {"f(x).detach() + (x - x.detach())": "x + (f(x) - x).detach()"}),
        ("The value is that of x: f is forgotten.", {"f(x).detach() + (x - x.detach())": "x + 0 * f(x).detach()"}),
        ("f is applied twice.", {"f(x).detach()": "f(f(x)).detach()"}),
    ),
    hints=(
        "Take f = a blur of one pixel and compute the gradient of the sum in x. What is due at each pixel, what comes?",
        "`.detach()` cuts what follows from the graph. Which of the three terms must carry no gradient?",
        "x - x.detach() is 0 to the last bit, with the gradient of x. Compute it first, by itself.",
    ),
    why="With f(x) cut from the graph and x - x.detach() = 0 added, the value is that of the defended network and the "
    "gradient that of an undefended one. The flawed form tests well on the filters for which BPDA is needed, and is "
    "wrong on the others, in sum with f's own gradient: no assert on JPEG sees it.",
)
