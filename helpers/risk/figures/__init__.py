"""Figures and sliders of Lecture 1."""

from helpers.risk.figures.classification import exact_against_smooth, max_margin, normalisers, surfaces
from helpers.risk.figures.digits import mnist_schedules, schedules, to_the_end, weight_images
from helpers.risk.figures.fits import cures, overfitting
from helpers.risk.figures.information import code_areas, forward_reverse, kl_directions
from helpers.risk.figures.losses import outlier, surrogates
from helpers.risk.figures.momentum import eigen_coordinates, momentum_plane, ravine, transient, zigzag
from helpers.risk.figures.noise import descent_paths, gradient_variance, inverse_time, robbins_monro

__all__ = [
    "code_areas", "cures", "descent_paths", "eigen_coordinates", "exact_against_smooth", "forward_reverse",
    "gradient_variance", "inverse_time", "kl_directions", "max_margin", "mnist_schedules", "momentum_plane",
    "normalisers", "outlier", "overfitting", "ravine", "robbins_monro", "schedules", "to_the_end", "surfaces",
    "surrogates", "transient", "weight_images", "zigzag",
]  # fmt: skip
