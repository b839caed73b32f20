"""Figures and sliders of Lecture 2."""

from helpers.faceid.figures.features import (
    collapse,
    plane,
    unfolding,
)
from helpers.faceid.figures.judgement import (
    identification,
    roc_curves,
    score_histograms,
    splits,
    threshold,
    timeline,
)
from helpers.faceid.figures.margins import (
    floors,
    margin,
    scale,
    target_logits,
)
from helpers.faceid.figures.people import (
    face_pairs,
    looks,
    pipeline,
)

__all__ = [
    "collapse", "face_pairs", "floors", "identification", "looks", "margin", "pipeline", "plane", "roc_curves", "scale",
    "score_histograms", "splits", "target_logits", "threshold", "timeline", "unfolding",
]  # fmt: skip
