"""The exercises of Lecture 2, `faceid`: what is checked, what usually goes wrong, hints."""

from helpers.exercises import Desk, Exercise

EXERCISES: tuple[Exercise, ...] = ()

desk = Desk("faceid", EXERCISES)
check, hint, solution, progress = desk.check, desk.hint, desk.solution, desk.progress
