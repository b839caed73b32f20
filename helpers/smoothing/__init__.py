r"""Lecture 9: certified robustness. Lipschitz and interval bounds, and smoothing by Gaussian noise:

g(x) = argmax_c P(f(x + sigma xi) = c),  xi ~ N(0, I),  certified: g(x + delta) = g(x) for all ||delta||_2 < r(x).

Radii, distances and sigma are l_2 lengths in the units of x. Votes are counts: votes[i, c] noisy copies of image i of
which f says c. Probabilities and radii are float64, since 1 - p is small where radii are large. helpers.smoothing
holds what draws the noise (smooth), further bounds of networks (bounds) and certificates (certificates), smoothed
classifiers in closed form (closed_form) and the training with noise (noise_training).
"""

from helpers.smoothing.bounds import (
    interval_linear,
)
from helpers.smoothing.certificates import (
    ABSTAIN,
    Certificate,
    certified_radius,
    certify,
    clopper_pearson_lower,
    lecuyer_radius,
    max_certifiable_radius,
    neyman_pearson_bound,
    smoothed_predict,
    top_k_radius,
)
from helpers.smoothing.lipschitz import (
    lipschitz_upper_bound,
    margin_radius,
)

__all__ = [
    "ABSTAIN", "Certificate", "certified_radius", "certify", "clopper_pearson_lower", "interval_linear",
    "lecuyer_radius", "lipschitz_upper_bound", "margin_radius", "max_certifiable_radius", "neyman_pearson_bound",
    "smoothed_predict", "top_k_radius",
]  # fmt: skip
