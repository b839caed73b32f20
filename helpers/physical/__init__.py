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
from helpers.physical.columns import (
    Certified,
    ablated,
    ballots,
    certified_accuracy,
    column_smoothing_certificate,
    strip_attack,
    touched,
    worst_leads,
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
from helpers.physical.queries import (
    Run,
    Share,
    margin_of,
    nes_attack,
    nes_crossover,
    nes_error,
    nes_gradient,
    nes_variance,
    share_within,
)
from helpers.physical.restoration import (
    Basis,
    Path,
    eigenfaces,
    face_of,
    gaussian_blob,
    replayed,
    restore,
    restore_by_blobs,
    shown,
    symmetric,
)
from helpers.physical.squares import (
    square_attack_step,
    square_search,
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
    "Basis", "CHEEKS", "Camera", "Certified", "ENROLLED", "FILTERS", "FOREHEAD", "JUDGED", "LADDER", "MADE",
    "PRINTABLE", "Path", "Place", "Run", "Share", "Shots", "Success", "Verdicts", "ablated", "against_filters",
    "apply_patch", "arc_length", "ballots", "best_score", "blur", "busiest", "certified_accuracy", "colour",
    "column_smoothing_certificate", "controls", "cosine", "cosines_seen", "covered", "defended", "dodging_loss",
    "draw", "eigenfaces", "eot_attack", "eot_patches", "expectation_over_transformation", "face_of", "flattened",
    "fooled", "frame", "gaussian_blob", "grey_patch", "impersonation_loss", "jpeg", "ladder", "left_by_patches",
    "lost", "lost_rates", "margin_of", "nes_attack", "nes_crossover", "nes_error", "nes_gradient", "nes_variance",
    "noisy", "non_printability_score", "on_face", "only_face", "patch_attack", "perspective", "photograph", "place",
    "printable_colours", "quantised", "random_patch", "replayed", "restore", "restore_by_blobs", "rotate_scale",
    "rotation", "round_through", "sample_study", "share_within", "shot_gradients", "shown", "smooth_mask",
    "square_attack_step", "square_masks", "square_search", "stick", "sticker_attack", "sticker_loss",
    "straight_through", "strip_attack", "success_rate", "symmetric", "template", "threshold", "tilt",
    "total_variation", "total_variation_subgradient", "touched", "train_against_patches", "unnoticed", "vanish",
    "vanishing_loss", "variation", "verdicts", "warp", "wear", "worn_verdicts", "worst_leads",
]  # fmt: skip
