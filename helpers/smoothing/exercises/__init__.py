"""The exercises of Lecture 9, `smoothing`: what is checked, what usually goes wrong, hints."""

from helpers.exercises import Desk
from helpers.smoothing.exercises.ceiling import max_certifiable_radius
from helpers.smoothing.exercises.certificate import certify
from helpers.smoothing.exercises.gaussian import neyman_pearson_bound
from helpers.smoothing.exercises.intervals import interval_linear
from helpers.smoothing.exercises.lipschitz import lipschitz_upper_bound
from helpers.smoothing.exercises.margins import margin_radius
from helpers.smoothing.exercises.predict import smoothed_predict
from helpers.smoothing.exercises.privacy import lecuyer_radius
from helpers.smoothing.exercises.radius import certified_radius
from helpers.smoothing.exercises.top_k import top_k_radius
from helpers.smoothing.exercises.votes import clopper_pearson_lower

EXERCISES = (
    lipschitz_upper_bound,
    margin_radius,
    interval_linear,
    neyman_pearson_bound,
    certified_radius,
    clopper_pearson_lower,
    smoothed_predict,
    certify,
    max_certifiable_radius,
    top_k_radius,
    lecuyer_radius,
)

desk = Desk("smoothing", EXERCISES)
check, hint, solution, progress = desk.check, desk.hint, desk.solution, desk.progress
