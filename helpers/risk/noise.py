r"""The noise of stochastic gradients: its variance, its effect on lambda w^2 / 2, and the risk seen through it."""

import torch
from torch import Tensor


def running_risk(estimate: Tensor, loss: Tensor, rate: float) -> Tensor:
    """Q <- (1 - rate) Q + rate L: the exponential running estimate of the risk; it forgets after about 1/rate steps.

    Raises ValueError unless 0 < rate <= 1.
    """
    if not 0 < rate <= 1:
        raise ValueError(f"rate must lie in (0, 1], got {rate}")
    return (1 - rate) * estimate + rate * loss


def stopping_time(estimate: Tensor, *, patience: int, drop: float) -> int:
    """The first t with Q_t > Q_{t - patience} - drop: Q has not fallen for so long. len(estimate) if there is none.

    estimate (T,) is the running risk Q. Raises ValueError unless patience >= 1.
    """
    if patience < 1:
        raise ValueError(f"patience must be at least 1, got {patience}")
    stuck = (estimate[patience:] > estimate[:-patience] - drop).nonzero()
    return patience + int(stuck[0]) if len(stuck) else len(estimate)


def minibatch_variance(gradients: Tensor, k: int, *, replacement: bool) -> Tensor:
    r"""E |g_k - g|^2 = (S / k) (1 with replacement, (m - k)/(m - 1) without),  S = (1/m) sum_i |g_i - g|^2.

    g_k is the mean of k of the m rows of gradients (m, d), g the mean of all -> scalar.
    Raises ValueError unless 1 <= k <= m.
    """
    m = len(gradients)
    if not 1 <= k <= m:
        raise ValueError(f"k must lie between 1 and the number of rows {m}, got {k}")
    spread = gradients.var(0, correction=0).sum()
    return spread / k * (1.0 if replacement else (m - k) / max(m - 1, 1))


def mean_square_error(etas: Tensor, *, curvature: float, variance: float, start: float) -> Tensor:
    r"""E w_{t+1}^2 = (1 - eta_t lambda)^2 E w_t^2 + eta_t^2 variance.

    Exact for SGD on lambda w^2 / 2 when each gradient has independent noise of mean 0 and the given variance.
    etas (T,) -> (T + 1,), the first entry start^2. Raises ValueError if the variance is negative.
    """
    if not variance >= 0:
        raise ValueError(f"variance must be >= 0, got {variance}")
    error = [start**2]
    for eta in etas.tolist():
        error.append((1 - eta * curvature) ** 2 * error[-1] + eta**2 * variance)
    return torch.tensor(error, dtype=etas.dtype)


def noise_floor(eta: float, *, curvature: float, variance: float, beta: float = 0.0) -> float:
    r"""E w^2 = eta S (1 + beta) / ((1 - beta) lambda (2 (1 + beta) - eta lambda)) ~ eta S / (2 lambda (1 - beta)).

    The stationary mean square of momentum SGD with a constant step on lambda w^2 / 2, gradient noise of variance S: the
    variance of an AR(2) process, by the Yule-Walker equations. Raises ValueError unless eta, curvature > 0, S >= 0,
    0 <= beta < 1 and eta lambda < 2 (1 + beta): the process is stable.
    """
    if not (eta > 0 and curvature > 0 and variance >= 0 and 0 <= beta < 1 and eta * curvature < 2 * (1 + beta)):
        need = "eta > 0, curvature > 0, variance >= 0, 0 <= beta < 1 and eta curvature < 2 (1 + beta)"
        raise ValueError(f"need {need}, got {eta=}, {curvature=}, {variance=}, {beta=}")
    return eta * variance * (1 + beta) / ((1 - beta) * curvature * (2 * (1 + beta) - eta * curvature))
