"""Figures and sliders of Lecture 9."""

from helpers.smoothing.figures.curves import (
    beyond,
    crossed,
    knobs,
    methods,
    opening,
    same_votes,
    two_sides,
    votes,
    votes_bar,
    waterfalls,
)
from helpers.smoothing.figures.explorers import (
    digit,
    half_space,
    plane,
    plane_classifier,
    smoothed_plane,
)
from helpers.smoothing.figures.theory import (
    budget,
    certified_linf,
    closed_forms,
    coverage,
    depth,
    ladder,
    looseness,
    rivals,
    scales,
)

__all__ = [
    "beyond", "budget", "certified_linf", "closed_forms", "coverage", "crossed", "depth", "digit", "half_space",
    "knobs", "ladder", "looseness", "methods", "opening", "plane", "plane_classifier", "rivals", "same_votes", "scales",
    "smoothed_plane", "two_sides", "votes", "votes_bar", "waterfalls",
]  # fmt: skip
