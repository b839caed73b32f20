r"""Lecture 6: diffusion models, judged first where the score is known exactly, then on digits.

Times t are 1 ... T, alpha-bar_t stands at index t - 1 of a schedule, alpha-bar_0 = 1; x_0 is data (N, ...), x_t noised,
xi the noise. A denoiser is a function noise(x_t, t) with t (N,) that predicts the noise in x_t, of x_t's shape.
Noise levels alpha_bar_t, alpha_bar_prev are numbers, or one for each sample (N,); `Schedule.at(t)` gives them.
"""

from helpers.diffusion.digits import (
    digit_denoiser,
    digit_schedule,
    draw_digits,
    held_out_loss,
    log_probability,
    noisy_classifier,
    scaled_mnist,
)
from helpers.diffusion.elbo import (
    Bound,
    bits_per_dimension,
    discretised_log_likelihood,
    elbo_terms,
    exact_bound,
    gaussian_kl,
    gaussian_kl_full,
    mean_log_density,
    mean_squared_error,
)
from helpers.diffusion.empirical import (
    empirical_denoiser,
    empirical_mean,
    nearest,
)
from helpers.diffusion.forward import (
    posterior_mean_variance,
    q_sample,
    q_step,
)
from helpers.diffusion.guidance import (
    Law,
    classifier_free_noise,
    classifier_guided_denoiser,
    classifier_guided_noise,
    guided_denoiser,
    guided_law,
    tilted_law,
)
from helpers.diffusion.levels import (
    Denoiser,
    per_sample,
)
from helpers.diffusion.mixture import (
    Mixture,
    labelled_denoiser,
    mixture_denoiser,
    posterior_mean,
)
from helpers.diffusion.network import (
    Average,
    NoisyClassifier,
    UNet,
    time_features,
)
from helpers.diffusion.playground import (
    line,
    ring,
    two_classes,
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
from helpers.diffusion.quality import (
    Share,
    asked_for,
    digit_classifier,
    diversity,
    features,
    frechet_distance,
    jackknife,
    moments,
    share_interval,
    truth_distances,
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
    ancestral_sample,
    encode,
    predict,
    sample,
    slerp,
    trajectory,
)
from helpers.diffusion.schedules import (
    Schedule,
    alpha_bar,
    cosine,
    cosine_alpha_bar,
    from_alpha_bar,
    linear,
    polynomial,
    schedule,
    signal_to_noise,
    spaced,
)
from helpers.diffusion.training import (
    batch_loss,
    dropped,
    noise_loss,
    noisy_loss,
    train_denoiser,
    uniform_times,
)
from helpers.diffusion.transport import (
    Errors,
    fitted_order,
    flow_map,
    quantiles,
    separate_errors,
    truth_floor,
    wasserstein2,
)

__all__ = [
    "Average", "Bound", "Denoiser", "Errors", "Law", "METHODS", "Mixture", "NoisyClassifier", "Schedule", "Share",
    "UNet", "Weights", "alpha_bar", "ancestral_sample", "asked_for", "batch_loss", "bits_per_dimension",
    "classifier_free_noise", "classifier_guided_denoiser", "classifier_guided_noise", "cosine", "cosine_alpha_bar",
    "ddim_inverse_step", "ddim_step", "ddpm_step", "digit_classifier", "digit_denoiser", "digit_schedule",
    "discretised_log_likelihood", "diversity", "draw_digits", "dropped", "elbo_terms", "empirical_denoiser",
    "empirical_mean", "encode", "euler_step", "exact_bound", "features", "fitted_order", "flow_map", "frechet_distance",
    "from_alpha_bar", "gaussian_kl", "gaussian_kl_full", "guided_denoiser", "guided_law", "held_out_loss", "heun_step",
    "jackknife", "labelled_denoiser", "line", "linear", "log_probability", "mean_log_density", "mean_squared_error",
    "mixture_denoiser", "moments", "nearest", "noise_from_score", "noise_from_x0", "noise_loss", "noisy_classifier",
    "noisy_loss", "per_sample", "polynomial", "posterior_mean", "posterior_mean_variance", "predict", "q_sample",
    "q_step", "quantiles", "ring", "sample", "scaled_mnist", "schedule", "score_from_noise", "sde_step",
    "separate_errors", "share_interval", "signal_to_noise", "slerp", "spaced", "tilted_law", "time_features",
    "train_denoiser", "trajectory", "truth_distances", "truth_floor", "tweedie_mean", "two_classes", "uniform_times",
    "wasserstein2", "weights", "x0_from_noise",
]  # fmt: skip
