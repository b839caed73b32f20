"""Exercises 2.4 and 2.5 of Lecture 2: the floor of the normalised soft-max loss, and SphereFace's falling cosine."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional as F

from helpers.exercises import Draw, Exercise, agree, args, holds, require, same
from helpers.faceid import bounds, collapse, margins
from helpers.faceid.exercises.metric import DIGITS

Function = Callable[..., Any]


def _scales(draw: Draw) -> Any:
    s = draw.uniform(*draw.choice([(5,), (), (2, 3)]), low=0, high=draw.choice([1.0, 3.0, 30.0]))
    return args(s, draw.choice([10, 2, 3, 100]))


def _at_the_simplex(f: Function, draw: Draw) -> None:
    s, K = draw.uniform(1, low=0.2, high=3.0), draw.integer(3, 12)
    corners = collapse.simplex_etf(K, K - 1).to(s)
    loss = F.cross_entropy(s * corners @ corners.T, torch.arange(K, device=s.device))
    agree(f(s, K), loss[None], meaning="There the own cosine is 1 and each of the K - 1 others -1 / (K - 1).")


FLOOR = "Own logit s, each of the K - 1 others -s / (K - 1): they differ by s K / (K - 1)."
EXPONENT = "torch.exp(-s * K / (K - 1))"

normalised_softmax_bound = Exercise(
    "2.4",
    bounds.normalised_softmax_bound,
    checks=(
        same("is log(1 + (K - 1) exp(-s K / (K - 1)))", _scales, times=8, meaning=FLOOR),
        same("in the precision of s", _scales, times=4, dtype=torch.float64, rtol=1e-10, meaning=DIGITS),
        holds("is the loss at the simplex", _at_the_simplex, times=4, meaning=FLOOR),
    ),
    mistakes=(
        ("K / (K - 1) is missing: the other cosines are negative at best, not 0.", {EXPONENT: "torch.exp(-s)"}),
        ("The others are K - 1: the own class is the 1 beside them.", {"(K - 1) * torch.exp": "K * torch.exp"}),
        ("The exponent is negative: the larger s, the lower the floor.", {"-s * K": "s * K"}),
        ("s is the scale already: s = l^2, not to be squared again.", {"-s * K": "-s.square() * K"}),
        ("The fraction is upside down: K / (K - 1).", {"-s * K / (K - 1)": "-s * (K - 1) / K"}),
        ("The 1 is missing: it is the own class.", {"torch.log1p(": "torch.log("}),
        (
            "That is the probability of the own class; the loss is -log of it.",
            {"torch.log1p((K - 1) * torch.exp(-s * K / (K - 1)))": "1 / (1 + (K - 1) * torch.exp(-s * K / (K - 1)))"},
        ),
        ("That is the log of the probability; the loss is minus that.", {"return torch": "return -torch"}),
        ("K counts once only: there are K - 1 others, with a factor before exp.", {"(K - 1) * torch.exp": "torch.exp"}),
    ),
    hints=(
        "At best all K - 1 other cosines are -1 / (K - 1) and the own is 1.",
        "The cross-entropy of logits z is log(1 + sum over the others of exp(z_j - z_y)).",
    ),
    why="At s = 1 ten classes cannot get below 1.377: probabilities of unit vectors are nearly even. That is why the "
    "normalised soft-max needs a scale.",
    minutes=8,
)


def _angles(draw: Draw) -> Any:
    return args(draw.uniform(*draw.choice([(40,), (6, 7)]), low=0, high=math.pi), draw.choice([4, 3, 2, 1]))


def _falls(f: Function, draw: Draw) -> None:
    m = draw.choice([4, 3, 2, 1])
    theta = torch.linspace(0, math.pi, 501, device=draw.device, dtype=draw.dtype)
    psi = f(theta, m)
    require((psi.diff() <= 1e-4).all(), expected="never rises", got=psi, on=f"theta from 0 to pi, m = {m}")
    require(
        (psi.diff().abs() < 1.1 * m * math.pi / 500).all(), expected="no step", got=psi, on=f"theta from 0 to pi, {m=}"
    )
    ends = psi.new_tensor([1, 1 - 2 * m])
    agree(psi[[0, -1]], ends, rtol=1e-4, atol=1e-4, meaning="psi falls from 1 at 0 to 1 - 2m at pi.")


def _slope(f: Function, draw: Draw) -> None:
    theta, m = draw.uniform(20, low=0.05, high=3.1).requires_grad_(), draw.choice([4, 3, 2, 1])
    (g,) = torch.autograd.grad(f(theta, m).sum(), theta)
    agree(g, -m * torch.sin(m * theta.detach()).abs(), rtol=1e-3, atol=1e-3)


SIGN, BRANCH = "(1 - 2 * (k % 2))", "k = floor(m theta / pi) counts the half periods; each is mirrored and put 2 lower."

sphereface_psi = Exercise(
    "2.5",
    margins.sphereface_psi,
    checks=(
        same("is (-1)^k cos(m theta) - 2k", _angles, times=8, meaning=BRANCH),
        same("in the precision of theta", _angles, times=4, dtype=torch.float64, rtol=1e-10, meaning=DIGITS),
        holds("falls all the way from 1 to 1 - 2m, without a step", _falls, times=4, meaning=BRANCH),
        holds("has the slope -m |sin(m theta)|", _slope, times=4, meaning="k is constant on each branch."),
    ),
    mistakes=(
        (
            "That is cos(m theta), not turned and not moved: k is floor(m theta / pi), without the m it stays 0.",
            {SIGN + " * ": "", " - 2 * k\n": "\n"},
        ),
        ("Each branch must lie 2 below the last: - 2k.", {" - 2 * k\n": "\n"}),
        ("Each branch lies 2 lower, from +1 to -1; k alone leaves the branches overlapping.", {" - 2 * k\n": " - k\n"}),
        ("The branches must go down: - 2k.", {" - 2 * k\n": " + 2 * k\n"}),
        ("Every second branch rises: the sign (-1)^k turns it round.", {SIGN + " * ": ""}),
        ("The sign is the wrong way round: at k = 0 it is +1.", {"(1 - 2 * ": "(2 * ", "(k % 2))": "(k % 2) - 1)"}),
        ("k counts half periods, pi, not whole ones, 2 pi.", {"m * theta / math.pi": "m * theta / (2 * math.pi)"}),
        ("k is rounded down, not to the nearest.", {"torch.floor": "torch.round"}),
        ("k is rounded down, not up: it starts with 0.", {"torch.floor": "torch.ceil"}),
        ("cos(m theta), not m cos(theta).", {"torch.cos(m * theta)": "m * torch.cos(theta)"}),
    ),
    hints=(
        "Draw cos(4 theta): where it rises it has to be mirrored, and moved down to where the last branch ended.",
        "`k = torch.floor(m * theta / math.pi)`; `(-1.0) ** k` is the sign.",
    ),
    why="A margin has to make every larger angle cost more. cos(m theta) does so only up to pi / m; mirrored branches "
    "go on down to 1 - 2m, and even the slope has no step.",
)
