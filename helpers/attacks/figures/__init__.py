"""Figures and sliders of Lecture 7."""

from helpers.attacks.figures.curves import (
    masking,
    overfitting,
    robustness,
    steps_against_accuracy,
    survival,
)
from helpers.attacks.figures.explorers import (
    attack_explorer,
    linear_boundary,
    surface,
)
from helpers.attacks.figures.stills import (
    attacked,
    balls,
    bars,
    dimensions,
    inevitable,
    marked,
    noise_against_fgsm,
    signed,
    sparse,
    targets,
    transfer,
    universal,
)

__all__ = [
    "attack_explorer", "attacked", "balls", "bars", "dimensions", "inevitable", "linear_boundary", "marked",
    "masking", "noise_against_fgsm", "overfitting", "robustness", "signed", "sparse", "steps_against_accuracy",
    "surface", "survival", "targets", "transfer", "universal",
]  # fmt: skip
