"""Exercises 6.6 to 6.8 of Lecture 6: the noise, the score and Tweedie's mean."""

from __future__ import annotations

from typing import Any

import torch

from helpers import diffusion
from helpers.diffusion.exercises.common import DIGITS, KINDS, ROWS, Function, batches, level_for
from helpers.exercises import Draw, Exercise, agree, args, holds, same

SIGNAL, NOISE = "per_sample(a.sqrt(), x_t)", "per_sample((1 - a).sqrt(), x_t)"
SOLVE = "Solve x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) xi for xi. "


def _pair(draw: Draw) -> Any:
    x, y = batches(draw, 2)
    return args(x, y, level_for(draw, x, draw.choice(KINDS)))


def _there_and_back(f: Function, draw: Draw) -> None:
    x_0, xi = batches(draw, 2)
    a = level_for(draw, x_0, draw.choice(KINDS))
    agree(f(diffusion.q_sample(x_0, a, xi), x_0, a), xi, rtol=1e-3, atol=1e-4)


noise_from_x0 = Exercise(
    "6.6",
    diffusion.noise_from_x0,
    checks=(
        same("is (x_t - sqrt(alpha_bar_t) x_0) / sqrt(1 - alpha_bar_t)", _pair, times=21, meaning=SOLVE + ROWS),
        holds("gives back the noise that q_sample put in", _there_and_back, times=21, meaning=SOLVE + ROWS),
    ),
    mistakes=(
        ("The division by sqrt(1 - alpha_bar_t) is missing.", {f" / {NOISE}": ""}),
        ("The root is missing in the divisor: sqrt(1 - alpha_bar_t).", {"(1 - a).sqrt()": "1 - a"}),
        ("The root is missing at x_0: sqrt(alpha_bar_t) x_0.", {"a.sqrt()": "a"}),
        ("x_0 shrinks on its way to x_t: sqrt(alpha_bar_t) x_0 is taken off.", {f"{SIGNAL} * x_0": "x_0"}),
        ("x_0's part is taken off x_t, not added.", {"x_t - per": "x_t + per"}),
        ("Multiplied where it is to be divided.", {"x_0) / per": "x_0) * per"}),
        (
            "That is the way from the noise to x_0: the two factors are swapped.",
            {f"(x_t - {SIGNAL} * x_0) / {NOISE}": f"(x_t - {NOISE} * x_0) / {SIGNAL}"},
        ),
        (
            "The levels ran along the last axis, not along the samples: `diffusion.per_sample` turns them.",
            {SIGNAL: "a.sqrt().to(x_t)", NOISE: "(1 - a).sqrt().to(x_t)"},
        ),
    ),
    hints=(
        "`a = diffusion.per_sample(alpha_bar_t, x_t)` meets x_t sample by sample.",
        "Take the part of x_0 off, and divide by the factor that the noise has in x_t.",
        "`(x_t - a.sqrt() * x_0) / (1 - a).sqrt()`",
    ),
    why="One line, solved for another letter: whoever predicts x_0 predicts the noise, and the other way round. It "
    "holds for the means E[x_0 | x_t], E[xi | x_t] as for the draws.",
    minutes=5,
)

MINUS = "The score is -E[xi | x_t] / sqrt(1 - alpha_bar_t): against the noise, and of size 1 / its standard deviation. "


def _noise(draw: Draw) -> Any:
    (x,) = batches(draw, 1)
    return args(x, level_for(draw, x, draw.choice(KINDS)))


def _gaussian(f: Function, draw: Draw) -> None:
    """Data N(m, v): the mean of the noise by conditioning, the score by the density of x_t."""
    (x_t,), m, v = batches(draw, 1), draw.number(-1, 1), draw.number(0.2, 2)
    a = level_for(draw, x_t, draw.choice(["one", "each"]))
    level = diffusion.per_sample(a, x_t)
    away = (x_t - level.sqrt() * m) / (level * v + 1 - level)
    agree(f((1 - level).sqrt() * away, a), -away, rtol=1e-3, atol=1e-4)


SCALE = "per_sample((1 - a).sqrt(), noise)"

score_from_noise = Exercise(
    "6.7",
    diffusion.score_from_noise,
    checks=(
        same("is -noise / sqrt(1 - alpha_bar_t)", _noise, times=21, meaning=MINUS + ROWS),
        same("in the precision of the noise", _noise, times=7, dtype=torch.float64, rtol=1e-11, meaning=DIGITS),
        holds("is the slope of the log-density of noised Gaussian data", _gaussian, times=14, meaning=MINUS + ROWS),
    ),
    mistakes=(
        ("The sign: the score points back to the data, the noise away from them.", {"-noise": "noise"}),
        ("The division by sqrt(1 - alpha_bar_t) is missing.", {f" / {SCALE}": ""}),
        ("The root is missing: sqrt(1 - alpha_bar_t).", {"(1 - a).sqrt()": "1 - a"}),
        ("Multiplied where it is to be divided: the less noise, the steeper.", {"-noise / per": "-noise * per"}),
        ("The standard deviation of the noise is sqrt(1 - alpha_bar_t), not sqrt(alpha_bar_t).", {"1 - a": "a"}),
        (
            "The levels ran along the last axis, not along the samples: `diffusion.per_sample` turns them.",
            {SCALE: "(1 - a).sqrt().to(noise)"},
        ),
    ),
    hints=(
        "For one x_0 it is easy: log q(x_t | x_0) = -|x_t - sqrt(alpha_bar_t) x_0|^2 / (2 (1 - alpha_bar_t)) + const.",
        "Its gradient is -(x_t - sqrt(alpha_bar_t) x_0) / (1 - alpha_bar_t), and the bracket is sqrt(1 - alpha_bar_t) "
        "xi. The score of the marginal is the mean of these gradients given x_t.",
        "`-noise / diffusion.per_sample((1 - alpha_bar_t).sqrt(), noise)`",
    ),
    why="grad p_t(x) = E over x_0 of grad q(x | x_0); divided by p_t it is the mean of conditional scores given x_t.",
    minutes=5,
)

TWEEDIE = "E[x_0 | x_t] = (x_t + (1 - alpha_bar_t) score) / sqrt(alpha_bar_t). "
FACTOR, ROOT = "per_sample(1 - a, x_t)", "per_sample(a.sqrt(), x_t)"


def _mixture(f: Function, draw: Draw) -> None:
    """Against the posterior mean of a mixture, which is made without a score."""
    k, d, n = draw.choice([2, 3, 1]), draw.choice([1, 3]), draw.choice([4, 1, 3, 5, 2])
    means, variances = draw.normal(k, d), draw.uniform(k, low=0.1, high=1.0)
    m = diffusion.Mixture(draw.probabilities(k).double(), means.double(), variances.double())
    x_t = draw.normal(n, d)
    a = level_for(draw, x_t, draw.choice(["one", "each"]))
    score = m.noised(a).score(x_t.double()).to(x_t)
    agree(f(x_t, score, a), diffusion.posterior_mean(m, x_t.double(), a).to(x_t), rtol=1e-3, atol=1e-4)


def _conditional(f: Function, draw: Draw) -> None:
    x_0, xi = batches(draw, 2)
    a = level_for(draw, x_0, draw.choice(["one", "each"]))
    score = -xi / diffusion.per_sample((1 - a).sqrt(), x_0)
    agree(f(diffusion.q_sample(x_0, a, xi), score, a), x_0, rtol=1e-3, atol=1e-4)


tweedie_mean = Exercise(
    "6.8",
    diffusion.tweedie_mean,
    checks=(
        same("is (x_t + (1 - alpha_bar_t) score) / sqrt(alpha_bar_t)", _pair, times=21, meaning=TWEEDIE + ROWS),
        holds("is the posterior mean of a mixture", _mixture, times=30, meaning=TWEEDIE + ROWS),
        holds("is x_0 when the score is that of q(x_t | x_0)", _conditional, times=14, meaning=TWEEDIE + ROWS),
    ),
    mistakes=(
        ("The sign: the score leads from x_t towards the data, it is added.", {"x_t + per": "x_t - per"}),
        (
            "The division by sqrt(alpha_bar_t) is missing: that is the mean of sqrt(alpha_bar_t) x_0.",
            {f" / {ROOT}": ""},
        ),
        ("The score is weighed with the variance 1 - alpha_bar_t; there is no root.", {"1 - a,": "(1 - a).sqrt(),"}),
        ("The variance of the noise, 1 - alpha_bar_t, is missing at the score.", {f"{FACTOR} * score": "score"}),
        ("The root is missing in the divisor: sqrt(alpha_bar_t).", {"a.sqrt()": "a"}),
        ("The divisor is sqrt(alpha_bar_t), not sqrt(1 - alpha_bar_t).", {"a.sqrt()": "(1 - a).sqrt()"}),
        ("Multiplied where it is to be divided.", {"score) / per": "score) * per"}),
        (
            "Only the score is divided; all of it is, since it is sqrt(alpha_bar_t) x_0 that has been estimated.",
            {f"(x_t + {FACTOR} * score) / {ROOT}": f"x_t + {FACTOR} * score / {ROOT}"},
        ),
        (
            "The levels ran along the last axis, not along the samples: `diffusion.per_sample` turns them.",
            {FACTOR: "(1 - a).to(x_t)", ROOT: "a.sqrt().to(x_t)"},
        ),
    ),
    hints=(
        "Tweedie: a variable y = mu + N(0, v) noise has E[mu | y] = y + v times the score of y's density.",
        "Here mu is sqrt(alpha_bar_t) x_0 and v is 1 - alpha_bar_t.",
        "`a = diffusion.per_sample(alpha_bar_t, x_t)`, then `(x_t + (1 - a) * score) / a.sqrt()`",
    ),
    why="With the conditional score it gives x_0 back, whatever the data: that tests nothing. The marginal score knows "
    "all x_0 that could have led to x_t, and gives their mean, the best guess in squared error.",
    minutes=8,
)
