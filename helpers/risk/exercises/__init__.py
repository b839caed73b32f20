"""The exercises of Lecture 1, `risk`: what is checked, what usually goes wrong, hints."""

from helpers.exercises import Desk
from helpers.risk.exercises.information import cross_entropy, js_distance, kl_divergence
from helpers.risk.exercises.losses import empirical_risk, gaussian_log_likelihood, logistic_loss
from helpers.risk.exercises.probabilities import prior_strength, softmax
from helpers.risk.exercises.schedule import cosine_schedule
from helpers.risk.exercises.steps import optimal_step_quadratic, sgd_step

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

desk = Desk("risk", EXERCISES)
check, hint, solution, progress = desk.check, desk.hint, desk.solution, desk.progress
