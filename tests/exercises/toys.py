"""Toy exercises for the tests of the engine, and what these tests ask of a verdict."""

from typing import NamedTuple

import torch
from torch import Tensor

from helpers.exercises import Draw, Exercise, Verdict, agree, args, examine, holds, raises, require, same


def scaled(x: Tensor, factor: float = 2.0) -> Tensor:
    """factor x."""
    if not factor > 0:
        raise ValueError(f"factor must be positive, got {factor}")
    return factor * x


def noisy(x: Tensor, generator: torch.Generator) -> Tensor:
    """x + xi."""
    return x + torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)


class State(NamedTuple):
    """A place and its height."""

    x: Tensor
    height: float


def step(f, x: Tensor) -> State:
    """Where the slope of f leads from x, and the height there."""
    y = x - torch.func.grad(lambda v: f(v).sum())(x)
    return State(y, f(y).sum().item())


def _linear(f, draw: Draw) -> None:
    x, y = draw.normal(5), draw.normal(5)
    agree(f(x + y), f(x) + f(y), meaning="Something is added that is not a multiple of x.")


SCALED = Exercise(
    number="1.1",
    reference=scaled,
    checks=(
        same("equals factor times x", lambda draw: args(draw.normal(7), factor=draw.number(1, 3)), times=2),
        same("has the factor 2 by default", lambda draw: draw.normal(2, 3, 5), times=1),
        holds("is linear", _linear),
        raises("refuses a factor of 0", lambda draw: (draw.normal(3), 0.0)),
    ),
    mistakes=(
        ("The sign is wrong.", lambda x, factor=2.0: -factor * x),
        ("That adds the factor.", lambda x, factor=2.0: x + factor),
        ("A factor of 0 must be refused.", lambda x, factor=2.0: factor * x),
    ),
    hints=("Multiply.", "`factor * x`"),
    why="Because it scales.",
)
GRADIENTS = Exercise(
    number="1.2",
    reference=scaled,
    checks=(same("equals factor times x", lambda draw: draw.normal(7)),),
    mistakes=(),
    hints=("Multiply.",),
    why="",
    differentiable=True,
)
NOISY = Exercise(
    number="1.3",
    reference=noisy,
    checks=(
        same("adds noise of the generator", lambda draw: (draw.normal(40), draw.generator())),
        holds(
            "has mean x", lambda f, draw: f(draw.normal(10**4).mul(0), draw.generator()).mean().abs() < 0.06, times=3
        ),
    ),
    mistakes=(("The generator is not used.", lambda x, generator: x + torch.randn_like(x)),),
    hints=("Draw.",),
    why="",
)
STEP = Exercise(
    number="1.4",
    reference=step,
    checks=(
        same("steps on a parabola", lambda draw: (lambda v: v.square() / 3, draw.normal(6))),
        holds(
            "goes down",
            lambda f, draw: require(f(lambda v: v.square() / 3, draw.normal(6)).height >= 0, expected="a height >= 0"),
        ),
    ),
    mistakes=(("It stays where it is.", lambda f, x: State(x, f(x).sum().item())),),
    hints=("Go down.",),
    why="",
)
EXERCISES = (SCALED, NOISY, STEP)


def refused(function, *words: str, exercise: Exercise = SCALED, kind: str = "failed") -> Verdict:
    """The verdict on a function, which must be of this kind and contain these words."""
    verdict = examine(function, exercise)
    assert verdict.kind == kind, verdict
    for word in words:
        assert word in repr(verdict), verdict
    return verdict
