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
from helpers.faceid.boxes import (
    areas,
    crops,
    nms,
    overlap,
    shifted,
    squared,
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
from helpers.faceid.identification import (
    OpenSet,
    best_of_each,
    cmc,
    open_set,
    ranks,
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
    "Block", "Described", "FaceResNet", "Faces", "Mtcnn", "OpenSet", "Roc", "Verdict", "align", "area", "areas",
    "att_faces", "best_of_each", "check_pictures", "check_scores", "chosen", "cmc", "crop", "crops", "describe",
    "detect", "distances", "embed", "equal_error_rate", "in_colour", "in_parts", "interval_over_people", "last_within",
    "nms", "open_set", "overlap", "pairs", "photograph", "pretrained", "proposals", "ranks", "recognise", "refined",
    "roc", "roc_and_eer", "scales", "settled", "shifted", "similarity", "squared", "tar_at_far", "tar_within",
    "template", "threshold_at_far", "verify", "windows",
]  # fmt: skip
