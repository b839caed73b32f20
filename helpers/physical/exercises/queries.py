"""Exercises 8.7 and 8.8 of Lecture 8: what an attacker learns from answers alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from helpers.exercises import Draw, Exercise, agree, args, holds, require, same
from helpers.physical import queries, squares

Function = Callable[..., Any]
SHAPES = ((3, 5), (1, 2, 4), (4, 1, 2, 3))  # of x (N, ...)


def _bowl(draw: Draw, n: int, d: int, height: float = 1.0) -> Callable[[Tensor], Tensor]:
    """f(z)_mn: another curved function for each of the n pictures, about `height` high."""
    w, c = draw.normal(n, d), draw.uniform(n, low=0.5, high=1.5)

    def f(z: Tensor) -> Tensor:
        flat = z.reshape(*z.shape[:2], -1)
        return height * c + (flat * w).sum(2) + 0.5 * flat.square().sum(2) * c

    return f


def _answers(draw: Draw) -> Any:
    x = draw.normal(*draw.choice(SHAPES))
    xi = draw.normal(draw.choice([1, 2, 6]), *x.shape)
    named = {"sigma": draw.number(0.3, 1.0), **draw.choice([{}, {"antithetic": True}, {"antithetic": False}])}
    return args(_bowl(draw, len(x), x[0].numel()), x, xi, **named)


def _exact(f: Function, draw: Draw) -> None:
    """Directions sqrt(d) e_1, ..., sqrt(d) e_d: for linear f the estimate is the slope itself."""
    n, d, sigma = 2, draw.integer(3, 7), draw.number(0.1, 2.0)
    w, x = draw.normal(n, d), draw.normal(n, d)
    xi = (math.sqrt(d) * torch.eye(d, dtype=w.dtype, device=w.device))[:, None].expand(-1, n, -1).clone()
    agree(f(lambda z: (z * w).sum(2) + 1, x, xi, sigma=sigma), w, rtol=1e-3, atol=1e-3)


def _asked(f: Function, draw: Draw) -> None:
    x = draw.normal(3, 4)
    xi, asked = draw.normal(5, 3, 4), [0]
    bowl = _bowl(draw, 3, 4)

    def counted(z: Tensor) -> Tensor:
        asked[0] += z.shape[0]
        return bowl(z)

    for antithetic, due in ((True, 10), (False, 5)):
        asked[0] = 0
        f(counted, x, xi, sigma=0.5, antithetic=antithetic)
        require(
            asked[0] <= 2 * due, expected=f"{due} queries for each x", got=f"{asked[0] - due}"
        )  # with the reference's


ESTIMATE = (
    "The mean over the directions of f(x + sigma xi) xi / sigma. Antithetic: over all xi and all -xi, which is the "
    "mean of (f(x + sigma xi) - f(x - sigma xi)) xi / (2 sigma)."
)
SUM = 'torch.einsum("mn,mn...->n...", values, directions) / (sigma * len(directions))'

nes_gradient = Exercise(
    "8.7",
    queries.nes_gradient,
    checks=(
        same("is the mean of answers times directions", _answers, times=18, rtol=1e-3, atol=1e-3, meaning=ESTIMATE),
        holds("is the slope itself for linear f and orthogonal directions", _exact, times=4, meaning=ESTIMATE),
        holds("asks n times, 2 n times for pairs", _asked, meaning="Queries are what an attacker pays for."),
    ),
    mistakes=(
        ("sigma is forgotten in the end: divide by it.", {"(sigma * len(directions))": "len(directions)"}),
        ("It is divided by sigma once, not twice.", {"(sigma * len": "(sigma**2 * len"}),
        ("That is a sum; the estimate is the mean over the directions.", {"(sigma * len(directions))": "sigma"}),
        (
            "With pairs there are 2 n directions: the difference of a pair is divided by 2 sigma.",
            {"(sigma * len(directions))": "(sigma * len(xi))"},
        ),
        ("The steps are sigma xi long, not xi.", {"x + sigma * directions": "x + directions"}),
        ("f is asked around 0; it is to be asked around x.", {"f(x + sigma": "f(sigma"}),
        (
            "Antithetic pairs are not there: ask at -xi as well.",
            {"torch.cat([xi, -xi]) if antithetic else xi": "xi"},
        ),
        ("Pairs although antithetic=False.", {"torch.cat([xi, -xi]) if antithetic else xi": "torch.cat([xi, -xi])"}),
        ("The estimate points down: f(x - sigma xi) takes the minus.", {"return torch": "return -torch"}),
        (
            "The answer at -xi belongs to the direction -xi: (f(+) - f(-)) xi, not (f(+) + f(-)) xi.",
            {
                SUM: SUM.replace(
                    "directions) /", "directions.abs() * xi.repeat(len(directions) // len(xi), *[1] * x.ndim).sign()) /"
                )
            },
        ),
        (
            "The answers of all pictures are added up: each picture has its own.",
            {SUM: SUM.replace("mn,mn...->n...", "mk,mn...->n...")},
        ),
        (
            "That is the direction alone, of length 1; the estimate keeps its length.",
            {f"return {SUM}": f"g = {SUM}\n    return g / g.norm()"},
        ),
        (
            "That is the sign; the estimate is the gradient, the attack takes its sign.",
            {f"return {SUM}": f"return ({SUM}).sign()"},
        ),
    ),
    hints=(
        "`torch.cat([xi, -xi])` are the directions of the pairs; f takes them all at once.",
        "`values[..., None]` times the directions, flattened to (M, N, d); or `torch.einsum`.",
        "Divide the sum by sigma and by the number of directions, which is 2 n for pairs.",
    ),
    why="A pair cancels f(x), whose noise f(x) xi / sigma would drown the slope where sigma is small, and costs two "
    "queries for one direction. So pairs win where |f(x)| is above sigma |g| sqrt(1 + 1/d), and lose at f(x) = 0.",
    minutes=12,
)


def _square(draw: Draw) -> Any:
    """Pixels at their bounds; one picture whose value nothing changes; in half of the others the square helps."""
    n, channels, (height, width), eps = 5, draw.choice([1, 3]), (5, 7), draw.number(0.1, 0.4)
    x = draw.uniform(n, channels, height, width, low=-0.3, high=1.3).clamp(0, 1)
    x_adv = (x + draw.uniform(*x.shape, low=-eps, high=eps)).clamp(0, 1)
    w = draw.normal(n, x[0].numel()) + 0.2
    w[0] = 0.0

    def f(z: Tensor) -> Tensor:
        return (z.flatten(1) * w).sum(1) + 0.3

    side = draw.choice([1, 2, 3, 5])
    return args(
        f,
        x,
        x_adv,
        f(x_adv),
        eps=eps,
        top=draw.integers(0, height - side + 1, n),
        left=draw.integers(0, width - side + 1, n),
        side=side,
        signs=draw.signs(n, channels),
    )


def _falls(f: Function, draw: Draw) -> None:
    case = _square(draw)
    ask, x, x_adv, value = case.positional
    moved, new = f(*case.positional, **case.named)
    agree(new, ask(moved), rtol=1e-4, atol=1e-4, meaning="The value returned is that of the picture returned.")
    require(new <= value, expected="values that never grow", meaning="What does not help is not kept.")
    require((moved - x).abs() <= case.named["eps"] + 1e-5, expected="|x_adv - x| <= eps")


KEEP = "The new x_adv and its value, where f fell; the old ones where it did not, or stayed as it was."
INSIDE = "x + eps signs, clipped to [0, 1], in the rows top ... top + side - 1 and columns left ... left + side - 1."

square_attack_step = Exercise(
    "8.8",
    squares.square_attack_step,
    checks=(
        same("paints the square, and keeps it where f falls", _square, times=12, meaning=f"{INSIDE} {KEEP}"),
        holds("the value never grows, and the ball is never left", _falls, times=4, meaning=KEEP),
    ),
    mistakes=(
        (
            "Every square is kept; only one that makes f smaller is.",
            {
                "torch.where(spread(better, x), candidate, x_adv)": "candidate",
                "torch.where(better, new, value)": "new",
            },
        ),
        ("f is to fall: a square is kept where it is smaller.", {"new < value": "new > value"}),
        ("A square that changes nothing is not kept: f must be smaller.", {"new < value": "new <= value"}),
        (
            "The square is painted on x_adv, beyond the ball: it is x + eps signs, whatever x_adv was.",
            {"(x + eps * signs": "(x_adv + eps * signs"},
        ),
        (
            "Outside of the square x_adv stays: what was found before is not to be lost.",
            {".clamp(0, 1), x_adv)": ".clamp(0, 1), x)"},
        ),
        ("The picture leaves [0, 1]: clip it.", {".clamp(0, 1)": ""}),
        (
            "top is about rows, left about columns.",
            {
                "down >= top[:, None]) & (down < top[:": "down >= left[:, None]) & (down < left[:",
                "across >= left[:, None]) & (across < left[:": "across >= top[:, None]) & (across < top[:",
            },
        ),
        (
            "The square is one pixel too large: rows top ... top + side - 1.",
            {"(down < top[": "(down <= top[", "(across < left[": "(across <= left["},
        ),
        (
            "That paints rows and columns as a cross; the square is where both meet.",
            {"rows[:, :, None] & columns": "rows[:, :, None] | columns"},
        ),
        (
            "The old value is returned: where the square is kept it is f's new answer.",
            {"torch.where(better, new, value)": "value"},
        ),
        (
            "One picture decides for all: each has its own answer.",
            {"better = new < value": "better = (new.sum() < value.sum()).expand(len(x))"},
        ),
        (
            "One sign for all channels: each channel has its own.",
            {"signs[:, :, None, None]": "signs[:, :1, None, None]"},
        ),
        ("The signs are against: x + eps signs.", {"(x + eps": "(x - eps"}),
    ),
    hints=(
        "`(rows >= top[:, None]) & (rows < top[:, None] + side)` is (N, H), for `rows = torch.arange(H)`.",
        "`torch.where(inside, painted, x_adv)` is the candidate; ask f once.",
        "`better[:, None, None, None]` broadcasts over the pictures.",
    ),
    why="In the l_inf ball the best points are corners: so the search tries corners only, a square at a time, and "
    "needs no gradient, nor even small steps: a masked gradient does not stop it.",
    minutes=15,
)
