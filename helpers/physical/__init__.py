"""Lecture 8: adversarial examples in the real world: printed, photographed, worn; and what helps against them.

Pictures x (N, 1 or 3, H, W) are in [0, 1], patches p (C, h, w) as well. What varies from shot to shot is drawn
(`draw`, a generator comes in) and then applied (`photograph`: pure, batched, differentiable); at strength zero every
transformation returns its picture to the last bit.
"""

from helpers.physical.camera import (
    LADDER,
    Camera,
    Shots,
    draw,
    photograph,
)
from helpers.physical.compression import (
    jpeg,
)
from helpers.physical.defence import (
    FILTERS,
    against_filters,
    defended,
    straight_through,
)
from helpers.physical.detector import (
    best_score,
    controls,
    lost,
    lost_rates,
    only_face,
    vanish,
    vanishing_loss,
)
from helpers.physical.eot import (
    Success,
    eot_attack,
    expectation_over_transformation,
    fooled,
    ladder,
    sample_study,
    shot_gradients,
    success_rate,
)
from helpers.physical.identity import (
    ENROLLED,
    JUDGED,
    MADE,
    Verdicts,
    cosine,
    cosines_seen,
    dodging_loss,
    impersonation_loss,
    sticker_attack,
    sticker_loss,
    template,
    threshold,
    verdicts,
    worn_verdicts,
)
from helpers.physical.masking import (
    busiest,
    covered,
    unnoticed,
    variation,
)
from helpers.physical.patched import (
    left_by_patches,
    patch_attack,
    square_masks,
    train_against_patches,
)
from helpers.physical.patches import (
    apply_patch,
    grey_patch,
    place,
    random_patch,
)
from helpers.physical.printing import (
    PRINTABLE,
    non_printability_score,
    printable_colours,
    smooth_mask,
    total_variation,
    total_variation_subgradient,
)
from helpers.physical.sticker import (
    CHEEKS,
    FOREHEAD,
    Place,
    arc_length,
    eot_patches,
    flattened,
    frame,
    on_face,
    stick,
    wear,
)
from helpers.physical.transforms import (
    blur,
    colour,
    noisy,
    perspective,
    quantised,
    rotate_scale,
    rotation,
    round_through,
    tilt,
    warp,
)

__all__ = [
    "CHEEKS", "ENROLLED", "FILTERS", "FOREHEAD", "JUDGED", "LADDER", "MADE", "PRINTABLE", "Camera", "Place",
    "Shots", "Success", "Verdicts", "against_filters", "apply_patch", "arc_length", "best_score", "blur", "busiest",
    "colour", "controls", "cosine", "cosines_seen", "covered", "defended", "dodging_loss", "draw", "eot_attack",
    "eot_patches", "expectation_over_transformation", "flattened", "fooled", "frame", "grey_patch",
    "impersonation_loss", "jpeg", "ladder", "left_by_patches", "lost", "lost_rates", "noisy",
    "non_printability_score", "on_face", "only_face", "patch_attack", "perspective", "photograph", "place",
    "printable_colours", "quantised", "random_patch", "rotate_scale", "rotation", "round_through", "sample_study",
    "shot_gradients", "smooth_mask", "square_masks", "stick", "sticker_attack", "sticker_loss", "straight_through",
    "success_rate", "template", "threshold", "tilt", "total_variation", "total_variation_subgradient",
    "train_against_patches", "unnoticed", "vanish", "vanishing_loss", "variation", "verdicts", "warp", "wear",
    "worn_verdicts",
]  # fmt: skip
