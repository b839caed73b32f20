"""Exercise 6.10 of Lecture 6: find the flaw of a sampler."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from helpers import diffusion
from helpers.diffusion.exercises.common import Function
from helpers.exercises import Draw, Exercise, agree, args, holds, same

POINT = "Where does the noise come from that the finished samples still have? Their spread is sqrt(beta_1)."
TIMES = (5, 1, 2, 12, 20)


def _at_a_point(draw: Draw) -> tuple[Any, Tensor, Any]:
    """The exact denoiser of data at one point, the point, and the rest of the arguments."""
    schedule = diffusion.cosine(draw.choice(TIMES))
    shape = draw.choice([(40, 1), (7, 2), (3, 1, 2, 2)])
    point, x_T = draw.normal(*shape[1:]), draw.normal(*shape)

    def denoiser(x_t: Tensor, t: Tensor) -> Tensor:
        a = diffusion.per_sample(schedule.at(t).to(x_t.device), x_t)
        return (x_t - a.sqrt() * point) / (1 - a).sqrt()

    return denoiser, point.expand(shape), (schedule, x_T, draw.normal(schedule.T, *shape))


def _ends_there(f: Function, draw: Draw) -> None:
    denoiser, point, rest = _at_a_point(draw)
    agree(f(denoiser, *rest), point, atol=1e-3)


def _sampled(draw: Draw) -> Any:
    """A denoiser that is not linear, and sees its time."""
    _, _, (schedule, x_T, xi) = _at_a_point(draw)
    return args(lambda x, t: (x + diffusion.per_sample(t / schedule.T, x)).tanh(), schedule, x_T, xi)


def with_tilde(denoiser: Function, schedule: diffusion.Schedule, x_T: Tensor, xi: Tensor) -> Tensor:
    """beta-tilde in beta's place."""
    x = x_T
    for t in range(schedule.T, 0, -1):
        noise = denoiser(x, torch.full((len(x),), t, device=x.device))
        x = diffusion.ddpm_step(x, noise, schedule.at(t), schedule.at(t - 1), xi[t - 1])
    return x


ancestral_sample = Exercise(
    "6.10",
    diffusion.ancestral_sample,
    checks=(
        holds("data at a single point come back as that point", _ends_there, times=15, meaning=POINT),
        same("takes all T steps as algorithm 2 of Ho et al. does", _sampled, times=15, meaning=POINT),
    ),
    mistakes=(
        (
            "That is the flaw itself: the spread of the samples is sqrt(beta_1). Which step adds it?",
            {"if t > 1": "if True"},
        ),
        ("Now no step adds noise: all but the last one do.", {"if t > 1": "if False"}),
        (
            "The noise is missing at the other end: t runs down from T, and its last value is 1.",
            {"t > 1": "t < schedule.T"},
        ),
        ("Noise is missing in more than the last step.", {"t > 1": "t > 2"}),
        (
            "A step is left out: x_1 is still noised. The mean of the step at t = 1 is the sample.",
            {"range(schedule.T, 0, -1)": "range(schedule.T, 1, -1)"},
        ),
        ("xi[t - 1] belongs to the step from t.", {"xi[t - 1]": "xi[t - 2]"}),
        ("The noise has the factor sqrt(beta_t), the root of the variance.", {"beta.sqrt() * xi": "beta * xi"}),
        (
            "beta-tilde is 0 at t = 1, and mends the end; but it changes all other steps: sigma_t^2 = beta_t stays.",
            with_tilde,
        ),
        ("The time's direction: from T down to 1.", {"range(schedule.T, 0, -1)": "range(1, schedule.T + 1)"}),
    ),
    hints=(
        "Let the data be one point and the prediction be exact: after which step is x the point, and what comes then?",
        "The mean of the step at t = 1 is the predicted x_0. What is added to it?",
        "Look at the loop's last round.",
    ),
    why="At t = 1 the mean is the predicted x_0 itself, and noise on it is only noise: at T = 1000 invisible to the "
    "eye (sd 0.01), but not to a distance; with few steps everybody sees it. Algorithm 2 of Ho et al. has z = 0 there.",
    minutes=15,
)
