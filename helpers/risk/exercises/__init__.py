"""The exercises of Lecture 1, `risk`: what is checked, what usually goes wrong, hints."""

from helpers.exercises import Desk
from helpers.risk.exercises.distance import js_distance
from helpers.risk.exercises.divergence import kl_divergence
from helpers.risk.exercises.information import cross_entropy
from helpers.risk.exercises.likelihood import gaussian_log_likelihood, prior_strength
from helpers.risk.exercises.losses import empirical_risk, logistic_loss
from helpers.risk.exercises.probabilities import softmax
from helpers.risk.exercises.schedule import cosine_schedule
from helpers.risk.exercises.steps import optimal_step_quadratic, sgd_step

EXERCISES = (
    empirical_risk,
    logistic_loss,
    gaussian_log_likelihood,
    prior_strength,
    softmax,
    cross_entropy,
    kl_divergence,
    js_distance,
    sgd_step,
    cosine_schedule,
    optimal_step_quadratic,
)

desk = Desk("risk", EXERCISES)
check, hint, solution, progress = desk.check, desk.hint, desk.solution, desk.progress
