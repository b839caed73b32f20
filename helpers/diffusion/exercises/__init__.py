"""The exercises of Lecture 6, `diffusion`: what is checked, what usually goes wrong, hints."""

from helpers.diffusion.exercises.ancestral import ancestral_sample
from helpers.diffusion.exercises.elbo import gaussian_kl_full
from helpers.diffusion.exercises.forward import alpha_bar, cosine_alpha_bar, posterior_mean_variance, q_sample
from helpers.diffusion.exercises.guidance import classifier_free_noise
from helpers.diffusion.exercises.predictors import noise_from_x0, score_from_noise, tweedie_mean
from helpers.diffusion.exercises.samplers import ddim_step, ddpm_step
from helpers.exercises import Desk

EXERCISES = (
    alpha_bar,
    q_sample,
    cosine_alpha_bar,
    posterior_mean_variance,
    gaussian_kl_full,
    noise_from_x0,
    score_from_noise,
    tweedie_mean,
    ddpm_step,
    ancestral_sample,
    ddim_step,
    classifier_free_noise,
)

desk = Desk("diffusion", EXERCISES)
check, hint, solution, progress = desk.check, desk.hint, desk.solution, desk.progress
