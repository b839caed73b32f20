"""Exercise 5.3: inverse transform sampling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from helpers import mcmc
from helpers.exercises import Arguments, Draw, Exercise, args, holds, require, same

Function = Callable[..., Any]


def _steps(x: Tensor) -> Tensor:
    """Probability 1/4, 1/2, 1/4 at 0, 1, 3."""
    return 0.25 * (x >= 0) + 0.5 * (x >= 1) + 0.25 * (x >= 3)


def _jump_and_slope(x: Tensor) -> Tensor:
    """An atom at 0, a slope from 0 to 1, a flat piece, an atom at 2."""
    return 0.25 * (x >= 0) + 0.5 * x.clamp(0, 1) + 0.25 * (x >= 2)


def _continuous(draw: Draw) -> Arguments:
    """A scalar, a row, a table, three dimensions; an interval that is not symmetric; one far away."""
    shape, low, high = draw.choice([((), -30, 40), ((7,), -25, 35), ((2, 3), -30, 45), ((2, 2, 2), -20, 50),
                                    ((9,), -1000, 1030)])  # fmt: skip
    return args(torch.sigmoid, draw.uniform(*shape, low=0.02, high=0.98), float(low), float(high))


def _discrete(draw: Draw) -> Arguments:
    cdf = draw.choice([_steps, _jump_and_slope, _steps])
    return args(cdf, draw.uniform(12), -1.0, 4.0)


def _at_the_jumps(draw: Draw) -> Arguments:
    return args(_steps, torch.tensor([0.25, 0.75, 1.0, 0.5], dtype=draw.dtype, device=draw.device), -1.0, 4.0)


def _near(f: Function, draw: Draw) -> None:
    """With few halvings, and with so wide an interval that 60 of them are felt."""
    halvings, width = draw.choice([(10, 16.0), (1, 16.0), (60, 2.0**66)])
    places: list[int] = []

    def counted(x: Tensor) -> Tensor:
        places.append(x.numel())
        return torch.sigmoid(x)

    u = draw.uniform(40, low=0.1, high=0.9)
    few = {} if halvings == 60 else {"halvings": halvings}
    off = (f(torch.sigmoid, u, -width / 4, 3 * width / 4, **few) - torch.logit(u.double())).abs()
    near = width / 2**halvings
    require(off < 1.01 * near, expected=f"within (high - low) / 2^{halvings} = {near:g} of F^-(u)", got=off.max())
    f(counted, u, -width / 4, 3 * width / 4, **few)  # the reference, which f is held against, calls it, too
    own = sum(places) / len(u) - halvings - 1
    require(own <= halvings + 3, expected=f"{halvings} halvings, each one call of cdf", got=f"{own:g} of each entry",
            meaning="Halve as often as `halvings` says.")  # fmt: skip


def _grid(cdf: Any, u: Any, low: Any, high: Any, *, halvings: Any = 60) -> Any:
    x = torch.linspace(low, high, 10_001, dtype=torch.float64)
    return x[torch.searchsorted(cdf(x), u.double()).clamp(max=10_000)]


TO_THE_LEFT = "torch.where(reached, below, middle), torch.where(reached, middle, above)"

inverse_transform_sample = Exercise(
    "5.3",
    mcmc.inverse_transform_sample,
    checks=(
        same(
            "inverts a continuous F, for u of any shape",
            _continuous,
            times=12,
            meaning="x is where F reaches u: in float64, in the shape of u, each entry with an interval of its own.",
        ),
        same(
            "finds the jump of a law that has jumps",
            _discrete,
            meaning="Where F jumps over u, the answer is the place of the jump, where F(below) < u <= F(above).",
        ),
        same(
            "gives the smallest x with F(x) >= u, where F(x) = u as well",
            _at_the_jumps,
            meaning="u = F(x) at a jump belongs to it: when F(middle) = u, the answer is at or below the middle.",
        ),
        holds(
            "is as near as `halvings` allows, 60 unless given",
            _near,
            meaning="Each halving halves the interval: after all of them F^-(u) is within (high - low) / 2^halvings.",
        ),
    ),
    mistakes=(
        (
            "The halves are exchanged: when F(middle) has reached u, the answer lies at or below the middle.",
            {TO_THE_LEFT: "torch.where(reached, middle, above), torch.where(reached, below, middle)"},
        ),
        ("That is F(u). Asked for is the x at which F reaches u.", {"return above": "return cdf(u)"}),
        (
            "That inverts 1 - F. As a draw it is as good (1 - u is uniform, too), but it is not F^-(u).",
            {"u.double()": "1 - u.double()"},
        ),
        (
            "The result must be float64, whatever the dtype of u: begin with `u.double()`.",
            {"return above": "return above.float()"},
        ),
        (
            "Every u has its own interval: `torch.where`, entry by entry, not one `if` for all.",
            {"reached = cdf(middle) >= u": "reached = (cdf(middle) >= u).all()"},
        ),
        (
            "With F(middle) > u the search passes over a jump that ends exactly at u; F^- asks for F(x) >= u.",
            {"reached = cdf(middle) >= u": "reached = cdf(middle) > u"},
        ),
        ("Halve as often as `halvings` says: the error is (high - low) / 2^halvings.", {"range(halvings)": "range(5)"}),
        ("It halves once less than `halvings` says.", {"range(halvings)": "range(halvings - 1)"}),
        (
            "Only one end of the interval moves, the lower one; the upper one comes down where F(middle) >= u.",
            {TO_THE_LEFT: "torch.where(reached, below, middle), above"},
        ),
        (
            "Only one end of the interval moves: it shrinks from both sides.",
            {TO_THE_LEFT: "below, torch.where(reached, middle, above)"},
        ),
        (
            "A grid of points is as near as its spacing; halving is much nearer.",
            _grid,
        ),
    ),
    hints=(
        "Two tensors in the shape of u, `below` and `above`, hold each entry's interval.",
        "Where F(middle) >= u the interval becomes [below, middle], elsewhere [middle, above].",
        "`torch.where(reached, middle, above)` does it for all entries at once. Work in float64.",
    ),
    why="F(below) < u <= F(above) holds before and after every halving, whether F is smooth or jumps, and F^-(u) is "
    "the one point that all the intervals share. Newton's method would be faster and would need a density.",
    minutes=15,
)
