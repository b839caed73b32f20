"""The exercises of Lecture 8, `physical`: what is checked, what usually goes wrong, hints."""

from helpers.exercises import Desk
from helpers.physical.exercises.columns import column_smoothing_certificate
from helpers.physical.exercises.descriptors import dodging_loss, impersonation_loss
from helpers.physical.exercises.expectation import expectation_over_transformation
from helpers.physical.exercises.flaw import straight_through
from helpers.physical.exercises.patches import apply_patch
from helpers.physical.exercises.printing import non_printability_score, total_variation
from helpers.physical.exercises.queries import nes_gradient, square_attack_step
from helpers.physical.exercises.restoration import gaussian_blob

EXERCISES = (
    apply_patch,
    total_variation,
    non_printability_score,
    expectation_over_transformation,
    impersonation_loss,
    dodging_loss,
    nes_gradient,
    square_attack_step,
    gaussian_blob,
    straight_through,
    column_smoothing_certificate,
)

desk = Desk("physical", EXERCISES)
check, hint, solution, progress = desk.check, desk.hint, desk.solution, desk.progress
