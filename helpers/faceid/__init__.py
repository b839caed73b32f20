"""Lecture 2: what a good representation of a face is, the losses that make it, and a pipeline that uses one.

Pictures x (N, 1 or 3, H, W) are in [0, 1]; boxes (F, 4) are x1, y1, x2, y2 in pixels; landmarks (F, 5, 2) are x and y
of the left eye, the right eye, the nose and the two corners of the mouth, left and right as seen in the picture.
Descriptors (N, 128) of one person are near to one another; scores of pairs are the larger the more alike they are.
"""

from helpers.faceid.alignment import (
    align,
    crop,
    similarity,
    template,
)
from helpers.faceid.bounds import (
    circle,
    cosface_largest_margin,
    decision_boundary,
    normalised_softmax_bound,
)
from helpers.faceid.boxes import (
    areas,
    crops,
    nms,
    overlap,
    shifted,
    squared,
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
from helpers.faceid.detection import (
    Faces,
    detect,
    proposals,
    refined,
    scales,
    settled,
    windows,
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
from helpers.faceid.identification import (
    OpenSet,
    best_of_each,
    cmc,
    open_set,
    ranks,
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
    in_parts,
)
from helpers.faceid.pictures import (
    att_faces,
    check_pictures,
    in_colour,
    photograph,
)
from helpers.faceid.pipeline import (
    Described,
    Verdict,
    chosen,
    describe,
    distances,
    embed,
    pretrained,
    recognise,
    verify,
)
from helpers.faceid.verification import (
    Roc,
    area,
    check_scores,
    equal_error_rate,
    far_at,
    interval_over_people,
    last_within,
    pairs,
    roc,
    roc_and_eer,
    tar_at_far,
    tar_within,
    threshold_at_far,
)

__all__ = [
    "Block", "Collapse", "Described", "FaceResNet", "Faces", "Free", "Mtcnn", "OpenSet", "Roc", "Verdict", "align",
    "angle", "arcface_logits", "area", "areas", "att_faces", "batch_hard", "best_of_each", "center_loss",
    "centred_means", "check_pictures", "check_scores", "chosen", "circle", "class_means", "cmc", "collapsed_scale",
    "contrastive_loss", "cosface_largest_margin", "cosface_logits", "cosines", "crop", "crops", "decision_boundary",
    "descend", "describe", "detect", "distances", "embed", "equal_error_rate", "equiangle", "equinorm", "far_at",
    "free_features", "in_colour", "in_parts", "info_nce", "interval_over_people", "l_softmax_logits", "last_within",
    "margin_logits", "n_pair_loss", "nearest_mean_disagreement", "neural_collapse", "nms",
    "normalised_softmax_bound", "normface_logits", "normface_loss", "open_set", "overlap", "pairs", "photograph",
    "pretrained", "proposals", "ranks", "recognise", "refined", "roc", "roc_and_eer", "scales", "self_duality",
    "semi_hard", "settled", "shifted", "similarity", "simplex_etf", "softmax_loss", "sphereface_logits",
    "sphereface_psi", "squared", "tar_at_far", "tar_within", "template", "threshold_at_far", "triplet_hinge",
    "triplet_loss", "triplet_probabilistic_loss", "unit", "update_centres", "verify", "windows",
    "within_class_variability",
]  # fmt: skip
