"""The exercises of Lecture 2, `faceid`: what is checked, what usually goes wrong, hints."""

from helpers.exercises import Desk
from helpers.faceid.exercises.bounds import normalised_softmax_bound, sphereface_psi
from helpers.faceid.exercises.centres import center_loss
from helpers.faceid.exercises.collapse import simplex_etf, within_class_variability
from helpers.faceid.exercises.margins import arcface_logits, cosface_logits
from helpers.faceid.exercises.metric import contrastive_loss, triplet_loss
from helpers.faceid.exercises.protocols import roc_and_eer, tar_at_far

EXERCISES = (
    contrastive_loss,
    triplet_loss,
    center_loss,
    normalised_softmax_bound,
    sphereface_psi,
    cosface_logits,
    arcface_logits,
    simplex_etf,
    within_class_variability,
    roc_and_eer,
    tar_at_far,
)

desk = Desk("faceid", EXERCISES)
check, hint, solution, progress = desk.check, desk.hint, desk.solution, desk.progress
