"""Exercises 6.9 and 6.11 of Lecture 6: the steps of DDPM and of DDIM."""

from __future__ import annotations

import itertools
from typing import Any

import torch

from helpers import diffusion
from helpers.diffusion.exercises.common import ROWS, STEPS, Function, batches, levels_for
from helpers.exercises import Draw, Exercise, agree, args, holds, same

VARIANCES: tuple[dict[str, str], ...] = ({}, {"variance": "beta"}, {"variance": "posterior"})
DDPM = tuple(itertools.product(STEPS, VARIANCES))
RULE = "alpha = alpha_bar_t / alpha_bar_prev, beta = 1 - alpha: the step's own, also where times are left out. "
LAST = "Where alpha_bar_prev = 1 there is no noise: a sample is to be a picture, not a picture with noise on it."


def _ddpm(draw: Draw) -> Any:
    x_t, noise, xi = batches(draw, 3)
    kind, variance = draw.choice(DDPM)
    return args(x_t, noise, *levels_for(draw, x_t, kind), xi, **variance)


def _mean(f: Function, draw: Draw) -> None:
    """Without noise: the mean of q(x_prev | x_t, x_0) with the predicted x_0."""
    x_t, noise = batches(draw, 2)
    kind, variance = draw.choice(DDPM)
    a, prev = levels_for(draw, x_t, kind)
    x_0 = diffusion.x0_from_noise(x_t, noise, a)
    mean, _ = diffusion.posterior_mean_variance(x_t, x_0, a, prev)
    agree(f(x_t, noise, a, prev, torch.zeros_like(x_t), **variance), mean, rtol=1e-3, atol=1e-4)


def _last(f: Function, draw: Draw) -> None:
    x_t, noise, xi = batches(draw, 3)
    a, prev = levels_for(draw, x_t, "last")
    variance = draw.choice(VARIANCES)
    agree(f(x_t, noise, a, prev, xi, **variance), f(x_t, noise, a, prev, -xi, **variance), rtol=1e-6)


MEAN = "(x_t - per_sample(beta / (1 - a).sqrt(), x_t) * noise) / per_sample(alpha.sqrt(), x_t)"
TILDE, LARGE = "beta * (1 - prev) / (1 - a)", "beta.where(prev < 1, 0)"

ddpm_step = Exercise(
    "6.9",
    diffusion.ddpm_step,
    checks=(
        same("is mean + sigma xi", _ddpm, times=30, meaning=RULE + LAST + " " + ROWS),
        holds("has the mean of q(x_prev | x_t, x_0) with the predicted x_0", _mean, times=15, meaning=RULE + ROWS),
        holds("adds no noise in the last step", _last, times=7, meaning=LAST),
    ),
    mistakes=(
        ("There is noise in the last step: where alpha_bar_prev = 1 sigma is 0.", {LARGE: "beta"}),
        (
            "The two variances are swapped: beta-tilde is that of q(x_prev | x_t, x_0), the default.",
            {'variance == "posterior"': 'variance != "posterior"'},
        ),
        ("The variance is always beta-tilde; with variance='beta' it is beta.", {LARGE: TILDE}),
        ("The variance is always beta; by default it is beta-tilde.", {TILDE: LARGE}),
        ("xi is multiplied by the standard deviation, the root of the variance.", {"sigma2.sqrt()": "sigma2"}),
        ("There is no noise: x_prev is a draw, not the mean.", {" + per_sample(sigma2.sqrt(), x_t) * xi": ""}),
        (
            "The division by sqrt(alpha) is missing in the mean.",
            {MEAN: MEAN.removesuffix(" / per_sample(alpha.sqrt(), x_t)")},
        ),
        ("The noise is taken off x_t, not added.", {"(x_t - per": "(x_t + per"}),
        (
            "All of the noise is taken off: that is the predicted x_0. A step takes beta / sqrt(1 - alpha_bar_t).",
            {"beta / (1 - a).sqrt()": "(1 - a).sqrt()"},
        ),
        ("The noise is divided by sqrt(1 - alpha_bar_t); the root is missing.", {"(1 - a).sqrt()": "(1 - a)"}),
        (
            "alpha_bar_t is not alpha: the step's is alpha_bar_t / alpha_bar_prev.",
            {"alpha = a / prev": "alpha = a"},
        ),
        (
            "beta-tilde is upside down: (1 - alpha_bar_prev) / (1 - alpha_bar_t) < 1.",
            {TILDE: "beta * (1 - a) / (1 - prev)"},
        ),
    ),
    hints=(
        "`alpha = alpha_bar_t / alpha_bar_prev`, `beta = 1 - alpha`; all of them through `diffusion.per_sample`.",
        "The mean: `(x_t - beta / (1 - alpha_bar_t).sqrt() * noise) / alpha.sqrt()`",
        "beta-tilde is `beta * (1 - alpha_bar_prev) / (1 - alpha_bar_t)`, and 0 at alpha_bar_prev = 1 by itself; "
        "beta is not: `torch.where(alpha_bar_prev < 1, beta, 0)`.",
    ),
    why="beta-tilde is right if the data are one point, beta if they are N(0, I): the truth lies between, and with "
    "many steps they are almost the same.",
    minutes=15,
)

ETAS = (0.0, 1.0, 0.4)
DDIM = tuple(itertools.product(STEPS, ETAS))
PARTS = (
    "sqrt(alpha_bar_prev) x0 + sqrt(1 - alpha_bar_prev - sigma^2) noise + sigma xi, with sigma^2 = eta^2 "
    "(1 - alpha_bar_prev) / (1 - alpha_bar_t) (1 - alpha_bar_t / alpha_bar_prev). "
)


def _ddim(draw: Draw) -> Any:
    x_t, noise, xi = batches(draw, 3)
    kind, eta = draw.choice(DDIM)
    return args(x_t, noise, *levels_for(draw, x_t, kind), xi, eta=eta)


def _without(draw: Draw) -> Any:
    x_t, noise = batches(draw, 2)
    return args(x_t, noise, *levels_for(draw, x_t, draw.choice(STEPS)))


def _is_ddpm(f: Function, draw: Draw) -> None:
    x_t, noise, xi = batches(draw, 3)
    a, prev = levels_for(draw, x_t, draw.choice(STEPS))
    agree(f(x_t, noise, a, prev, xi, eta=1.0), diffusion.ddpm_step(x_t, noise, a, prev, xi), rtol=1e-3, atol=1e-4)


def _keeps_the_noise(f: Function, draw: Draw) -> None:
    """x_t of known x_0 and noise goes to x_prev of the same two."""
    x_0, noise = batches(draw, 2)
    a, prev = levels_for(draw, x_0, draw.choice(["one", "each"]))
    agree(
        f(diffusion.q_sample(x_0, a, noise), noise, a, prev), diffusion.q_sample(x_0, prev, noise), rtol=1e-3, atol=1e-4
    )


SIGMA2 = "eta**2 * (1 - prev) / (1 - a) * (1 - a / prev)"
TOWARDS = "per_sample((1 - prev - sigma2).clamp(min=0).sqrt(), x_t) * noise"

ddim_step = Exercise(
    "6.11",
    diffusion.ddim_step,
    checks=(
        same(
            "is sqrt(alpha_bar_prev) x0 + sqrt(1 - alpha_bar_prev - sigma^2) noise + sigma xi",
            _ddim,
            times=30,
            meaning=PARTS + ROWS,
        ),
        same("without xi it is the step with eta = 0", _without, times=10, meaning="xi = None and eta = 0 by default."),
        holds("with eta = 1 it is DDPM's with beta-tilde", _is_ddpm, times=10, meaning=PARTS + ROWS),
        holds(
            "with eta = 0 x_0 and noise stay, only their shares change",
            _keeps_the_noise,
            times=14,
            meaning=PARTS + ROWS,
        ),
    ),
    mistakes=(
        ("eta is not squared: sigma is eta times the root, sigma^2 has eta^2.", {"eta**2": "eta"}),
        (
            "xi is multiplied by sigma, the root of sigma^2.",
            {"per_sample(sigma2.sqrt(), x_t) * xi": "per_sample(sigma2, x_t) * xi"},
        ),
        (
            "The share of the old noise does not make room for the new: sqrt(1 - alpha_bar_prev - sigma^2).",
            {"1 - prev - sigma2": "1 - prev"},
        ),
        ("The old noise is missing: only x0 and xi are there.", {" + " + TOWARDS: ""}),
        ("The root is missing at the old noise's share.", {"clamp(min=0).sqrt()": "clamp(min=0)"}),
        ("The noise that is drawn is missing.", {"mean if xi is None else": "mean if True else"}),
        ("eta is left out: the step always has DDPM's noise.", {"eta**2": "1"}),
        ("eta is left out: the step never has noise.", {SIGMA2: "0 * prev"}),
        (
            "x0 gets the factor sqrt(alpha_bar_prev), where the step leads, not sqrt(alpha_bar_t).",
            {"prev.sqrt()": "a.sqrt()"},
        ),
        (
            "The noise goes on with the share that it had before: the step leads to alpha_bar_prev.",
            {"1 - prev - sigma2": "1 - a - sigma2"},
        ),
        ("The root is missing at x0's share: sqrt(alpha_bar_prev).", {"prev.sqrt()": "prev"}),
        (
            "The predicted x0 is not divided by sqrt(alpha_bar_t).",
            {" / per_sample(a.sqrt(), x_t)": ""},
            diffusion.x0_from_noise,
        ),
        ("sigma^2 has 1 - alpha_bar_t / alpha_bar_prev, not its inverse.", {"1 - a / prev": "prev / a - 1"}),
        ("The noises' ratio in sigma^2 is upside down.", {"(1 - prev) / (1 - a)": "(1 - a) / (1 - prev)"}),
    ),
    hints=(
        "First x0: `diffusion.x0_from_noise(x_t, noise, alpha_bar_t)`.",
        "At eta = 0 it is `diffusion.q_sample(x0, alpha_bar_prev, noise)`: the same noise, less of it.",
        "With sigma^2 of new noise only 1 - alpha_bar_prev - sigma^2 of the old may stay. Levels go through "
        "`diffusion.per_sample`; xi may be None.",
    ),
    why="Every eta leaves the laws q(x_t | x_0) as they are, so the network that was trained for DDPM serves them all. "
    "The DDIM paper's alpha_t is our alpha_bar_t.",
    shows=(diffusion.x0_from_noise,),
    minutes=12,
)
