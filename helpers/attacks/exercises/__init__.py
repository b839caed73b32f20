"""The exercises of Lecture 7, `attacks`: what is checked, what usually goes wrong, hints."""

from helpers.attacks.exercises.boundary import deepfool_step
from helpers.attacks.exercises.gradient import fgsm
from helpers.attacks.exercises.measure import median_norm
from helpers.attacks.exercises.momentum import mi_fgsm
from helpers.attacks.exercises.objectives import carlini_wagner_objective, jsma_saliency
from helpers.attacks.exercises.ordered import top_k_success
from helpers.attacks.exercises.pgd import pgd_linf
from helpers.attacks.exercises.projections import project_l1, project_l2
from helpers.attacks.exercises.training import adversarial_training_step
from helpers.attacks.exercises.universal import universal_step
from helpers.exercises import Desk

EXERCISES = (
    fgsm,
    project_l2,
    project_l1,
    deepfool_step,
    pgd_linf,
    mi_fgsm,
    carlini_wagner_objective,
    jsma_saliency,
    universal_step,
    top_k_success,
    median_norm,
    adversarial_training_step,
)

desk = Desk("attacks", EXERCISES)
check, hint, solution, progress = desk.check, desk.hint, desk.solution, desk.progress
