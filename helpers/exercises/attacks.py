"""The exercises of Lecture 7, `attacks`: what is checked, what usually goes wrong, hints."""

from __future__ import annotations

from helpers.exercises._attacks.geometry import deepfool_step, project_l1, project_l2
from helpers.exercises._attacks.gradient import fgsm, pgd_linf
from helpers.exercises._attacks.measure import median_norm
from helpers.exercises._attacks.momentum import mi_fgsm
from helpers.exercises._attacks.objectives import carlini_wagner_objective, jsma_saliency, top_k_success
from helpers.exercises._attacks.training import adversarial_training_step
from helpers.exercises._attacks.universal import universal_step

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
