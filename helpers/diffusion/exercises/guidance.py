"""Exercise 6.12 of Lecture 6: classifier-free guidance."""

from __future__ import annotations

from typing import Any

import torch

from helpers import diffusion
from helpers.diffusion.exercises.common import DIGITS, Function, batches
from helpers.exercises import Draw, Exercise, agree, args, holds, same

GAMMAS = (3.0, 0.0, 1.0, 0.5, 7.5)
BEYOND = "From the noise without the label gamma times the way to the noise with it: 0 stays, 1 arrives, 3 goes beyond."


def _pair(draw: Draw) -> Any:
    return args(*batches(draw, 2), draw.choice(GAMMAS))


def _ends(f: Function, draw: Draw) -> None:
    cond, uncond = batches(draw, 2)
    agree(f(cond, uncond, 0.0), uncond, meaning="gamma = 0 is the noise without the label.")
    agree(f(cond, uncond, 1.0), cond, meaning="gamma = 1 is the noise with the label.")


def _indifferent(f: Function, draw: Draw) -> None:
    """Where the label changes nothing, no gamma does."""
    (cond,) = batches(draw, 1)
    agree(f(cond, cond, draw.choice(GAMMAS)), cond, rtol=1e-3, atol=1e-5)


GUIDED = "gamma * noise_cond + (1 - gamma) * noise_uncond"

classifier_free_noise = Exercise(
    "6.12",
    diffusion.classifier_free_noise,
    checks=(
        same("is gamma cond + (1 - gamma) uncond", _pair, times=10, meaning=BEYOND),
        same("in the precision of the noise", _pair, times=5, dtype=torch.float64, rtol=1e-11, meaning=DIGITS),
        holds("gamma = 0 and gamma = 1 are the two predictions", _ends, times=7, meaning=BEYOND),
        holds("where the label changes nothing, guidance does not", _indifferent, times=10, meaning=BEYOND),
    ),
    mistakes=(
        ("The two are swapped: gamma belongs to the noise with the label.",
         {GUIDED: "gamma * noise_uncond + (1 - gamma) * noise_cond"}),
        ("It starts from uncond, not from cond: the paper's (1 + w) cond - w uncond has w = gamma - 1.",
         {GUIDED: "(1 + gamma) * noise_cond - gamma * noise_uncond"}),
        ("gamma times the way from uncond to cond, not times cond.", {GUIDED: "noise_uncond + gamma * noise_cond"}),
        ("The noise without the label is missing.", {" + (1 - gamma) * noise_uncond": ""}),
        ("The shares must add up to 1: 1 - gamma, negative for gamma > 1.", {"(1 - gamma)": "(gamma - 1)"}),
        ("gamma may be above 1: that is the point of it.", {"return ": "gamma = min(gamma, 1.0)\n    return "}),
        ("The way leads from uncond to cond: cond - uncond.",
         {GUIDED: "noise_uncond + gamma * (noise_uncond - noise_cond)"}),
    ),
    hints=(
        "At gamma = 0 it is noise_uncond, at gamma = 1 noise_cond, and a straight line through both.",
        "`noise_uncond + gamma * (noise_cond - noise_uncond)`",
    ),
    why="By Bayes' rule noise_cond - noise_uncond is, up to its factor, the slope of log p(y | x_t): a classifier that "
    "nobody trained. gamma counts it gamma times.",
    minutes=5,
)  # fmt: skip
