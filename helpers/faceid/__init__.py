"""Lecture 2: what a good representation of a face is, the losses that make it, and a pipeline that uses one.

Pictures x (N, 1 or 3, H, W) are in [0, 1]; boxes (F, 4) are x1, y1, x2, y2 in pixels; landmarks (F, 5, 2) are x and y
of the left eye, the right eye, the nose and the two corners of the mouth, left and right as seen in the picture.
"""

from helpers.faceid.bounds import (
    circle,
    cosface_largest_margin,
    decision_boundary,
    normalised_softmax_bound,
)
from helpers.faceid.collapse import (
    Collapse,
    centred_means,
    equiangle,
    equinorm,
    nearest_mean_disagreement,
    neural_collapse,
    self_duality,
    simplex_etf,
    within_class_variability,
)
from helpers.faceid.features import (
    class_means,
    unit,
)
from helpers.faceid.free import (
    Free,
    collapsed_scale,
    descend,
    free_features,
    normface_loss,
    softmax_loss,
)
from helpers.faceid.margins import (
    angle,
    arcface_logits,
    cosface_logits,
    cosines,
    l_softmax_logits,
    margin_logits,
    normface_logits,
    sphereface_logits,
    sphereface_psi,
)
from helpers.faceid.metric import (
    batch_hard,
    center_loss,
    contrastive_loss,
    info_nce,
    n_pair_loss,
    semi_hard,
    triplet_hinge,
    triplet_loss,
    triplet_probabilistic_loss,
    update_centres,
)
from helpers.faceid.networks import (
    Block,
    FaceResNet,
    Mtcnn,
)

__all__ = [
    "Block", "Collapse", "FaceResNet", "Free", "Mtcnn", "angle", "arcface_logits", "batch_hard", "center_loss",
    "centred_means", "circle", "class_means", "collapsed_scale", "contrastive_loss", "cosface_largest_margin",
    "cosface_logits", "cosines", "decision_boundary", "descend", "equiangle", "equinorm", "free_features",
    "info_nce", "l_softmax_logits", "margin_logits", "n_pair_loss", "nearest_mean_disagreement", "neural_collapse",
    "normalised_softmax_bound", "normface_logits", "normface_loss", "self_duality", "semi_hard", "simplex_etf",
    "softmax_loss", "sphereface_logits", "sphereface_psi", "triplet_hinge", "triplet_loss",
    "triplet_probabilistic_loss", "unit", "update_centres", "within_class_variability",
]  # fmt: skip
