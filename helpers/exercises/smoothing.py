"""The exercises of Lecture 9, `smoothing`: what is checked, what usually goes wrong, hints."""

from __future__ import annotations

from helpers.exercises._smoothing.certificate import certify
from helpers.exercises._smoothing.gaussian import neyman_pearson_bound
from helpers.exercises._smoothing.intervals import interval_linear
from helpers.exercises._smoothing.lipschitz import lipschitz_upper_bound, margin_radius
from helpers.exercises._smoothing.predict import smoothed_predict
from helpers.exercises._smoothing.radius import certified_radius, max_certifiable_radius
from helpers.exercises._smoothing.variants import lecuyer_radius, top_k_radius
from helpers.exercises._smoothing.votes import clopper_pearson_lower

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
