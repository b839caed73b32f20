"""The exercises of Lecture 1, `risk`: what is checked, what usually goes wrong, hints."""

from __future__ import annotations

from helpers.exercises._risk.information import cross_entropy, js_distance, kl_divergence
from helpers.exercises._risk.losses import empirical_risk, gaussian_log_likelihood, logistic_loss
from helpers.exercises._risk.probabilities import prior_strength, softmax
from helpers.exercises._risk.schedule import cosine_schedule
from helpers.exercises._risk.steps import optimal_step_quadratic, sgd_step

EXERCISES = (
    empirical_risk,
    logistic_loss,
    gaussian_log_likelihood,
    sgd_step,
    optimal_step_quadratic,
    cosine_schedule,
    prior_strength,
    softmax,
    cross_entropy,
    kl_divergence,
    js_distance,
)
