"""Figures and sliders of Lecture 1."""

from helpers.risk.figures.classification import (
    cures,
    exact_against_smooth,
    max_margin,
    normalisers,
    overfitting,
    surfaces,
)
from helpers.risk.figures.descent import (
    descent_paths,
    gradient_variance,
    mnist_schedules,
    momentum_plane,
    ravine,
    robbins_monro,
    schedules,
    separable,
    transient_and_cycle,
    weight_images,
    zigzag,
)
from helpers.risk.figures.information import (
    code_areas,
    forward_reverse,
    kl_directions,
)
from helpers.risk.figures.losses import outlier, surrogates

__all__ = [
    "code_areas", "cures", "descent_paths", "exact_against_smooth", "forward_reverse", "gradient_variance",
    "kl_directions", "max_margin", "mnist_schedules", "momentum_plane", "normalisers", "outlier", "overfitting",
    "ravine", "robbins_monro", "schedules", "separable", "surfaces", "surrogates", "transient_and_cycle",
    "weight_images", "zigzag",
]  # fmt: skip
