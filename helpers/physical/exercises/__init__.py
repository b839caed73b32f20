"""The exercises of Lecture 8, `physical`: what is checked, what usually goes wrong, hints."""

from helpers.exercises import Desk
from helpers.physical.exercises.columns import column_smoothing_certificate
from helpers.physical.exercises.queries import nes_gradient, square_attack_step
from helpers.physical.exercises.restoration import gaussian_blob

EXERCISES = (nes_gradient, square_attack_step, gaussian_blob, column_smoothing_certificate)

desk = Desk("physical", EXERCISES)
check, hint, solution, progress = desk.check, desk.hint, desk.solution, desk.progress
