r"""Lecture 6: diffusion models, judged first where the score is known exactly, then on digits.

Times t are 1 ... T, alpha-bar_t stands at index t - 1 of a schedule, alpha-bar_0 = 1; x_0 is data (N, ...), x_t noised,
xi the noise. A denoiser is a function noise(x_t, t) with t (N,) that predicts the noise in x_t, of x_t's shape.
Noise levels alpha_bar_t, alpha_bar_prev are numbers, or one for each sample (N,); `Schedule.at(t)` gives them.
"""

from helpers.diffusion.forward import (
    posterior_mean_variance,
    q_sample,
    q_step,
)
from helpers.diffusion.levels import (
    per_sample,
)
from helpers.diffusion.predictors import (
    Weights,
    noise_from_score,
    noise_from_x0,
    score_from_noise,
    tweedie_mean,
    weights,
    x0_from_noise,
)
from helpers.diffusion.samplers import (
    ddim_inverse_step,
    ddim_step,
    ddpm_step,
    euler_step,
    heun_step,
    sde_step,
)
from helpers.diffusion.sampling import (
    METHODS,
    Denoiser,
    predict,
    sample,
    trajectory,
)
from helpers.diffusion.schedules import (
    Schedule,
    alpha_bar,
    cosine,
    cosine_alpha_bar,
    from_alpha_bar,
    linear,
    schedule,
    signal_to_noise,
    spaced,
)

__all__ = [
    "Denoiser", "METHODS", "Schedule", "Weights", "alpha_bar", "cosine", "cosine_alpha_bar", "ddim_inverse_step",
    "ddim_step", "ddpm_step", "euler_step", "from_alpha_bar", "heun_step", "linear", "noise_from_score",
    "noise_from_x0", "per_sample", "posterior_mean_variance", "predict", "q_sample", "q_step", "sample", "schedule",
    "score_from_noise", "sde_step", "signal_to_noise", "spaced", "trajectory", "tweedie_mean", "weights",
    "x0_from_noise",
]  # fmt: skip
