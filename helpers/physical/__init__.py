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
    "LADDER", "PRINTABLE", "Camera", "Shots", "apply_patch", "blur", "colour", "draw", "grey_patch", "jpeg", "noisy",
    "non_printability_score", "perspective", "photograph", "place", "printable_colours", "quantised", "random_patch",
    "rotate_scale", "rotation", "round_through", "smooth_mask", "tilt", "total_variation",
    "total_variation_subgradient", "warp",
]  # fmt: skip
