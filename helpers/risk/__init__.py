r"""Lecture 1, `risk`: empirical risk, losses of the margin, steps of gradient descent, priors, entropies.

Symbols: x input, y label (-1 or +1 for two classes, 0 .. K-1 for K), w weights, g discriminant function, M = y g
margin, R risk, eta step size, beta momentum, tau weight penalty, p and q densities. Logarithms are natural: nats.
helpers.risk holds what is needed besides: methods, noise, schedules, quadratics.
"""

from helpers.risk.information import (
    cross_entropy,
    entropy,
    fit_gaussian,
    js_distance,
    js_divergence,
    kl_divergence,
    mixture_log_density,
)
from helpers.risk.losses import (
    SURROGATES,
    Loss,
    empirical_risk,
    exponential_loss,
    hinge_loss,
    legendre,
    logistic_gradients,
    logistic_loss,
    quadratic_loss,
    separating_lines,
    sigmoid_loss,
    squared_hinge_loss,
    zero_one_loss,
)
from helpers.risk.methods import (
    sgd_step,
)
from helpers.risk.multiclass import (
    multiclass_logistic_loss,
    softmax,
    softmax_gradient,
)
from helpers.risk.priors import (
    gaussian_log_likelihood,
    laplace_strength,
    prior_strength,
    soft_threshold,
)
from helpers.risk.quadratics import (
    optimal_step_quadratic,
)
from helpers.risk.schedules import (
    cosine_schedule,
)

__all__ = [
    "Loss", "SURROGATES", "cosine_schedule", "cross_entropy", "empirical_risk", "entropy", "exponential_loss",
    "fit_gaussian", "gaussian_log_likelihood", "hinge_loss", "js_distance", "js_divergence", "kl_divergence",
    "laplace_strength", "legendre", "logistic_gradients", "logistic_loss", "mixture_log_density",
    "multiclass_logistic_loss", "optimal_step_quadratic", "prior_strength", "quadratic_loss", "separating_lines",
    "sgd_step", "sigmoid_loss", "soft_threshold", "softmax", "softmax_gradient", "squared_hinge_loss", "zero_one_loss",
]  # fmt: skip
