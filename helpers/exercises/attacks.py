"""The exercises of Lecture 7, `attacks`: what is checked, what usually goes wrong, hints."""

from __future__ import annotations

from helpers.exercises._attacks_geometry import deepfool_step, project_l1, project_l2
from helpers.exercises._attacks_gradient import fgsm, pgd_linf
from helpers.exercises._attacks_measure import median_norm
from helpers.exercises._attacks_momentum import mi_fgsm
from helpers.exercises._attacks_objectives import carlini_wagner_objective, jsma_saliency, top_k_success
from helpers.exercises._attacks_training import adversarial_training_step
from helpers.exercises._attacks_universal import universal_step

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
