r"""Noise into data: pure steps from x_t to x_prev.

A step is given the predicted noise and both noise levels, so that it serves every sub-sequence of times; the noise xi
is drawn outside. At alpha_bar_prev = 1, the last step, nothing random is added.
"""

from collections.abc import Callable
from typing import Literal

from torch import Tensor

from helpers.diffusion.levels import per_sample, same_shape, step_levels
from helpers.diffusion.predictors import score_from_noise, x0_from_noise

Level = Tensor | float
Variance = Literal["posterior", "beta"]


def ddpm_step(
    x_t: Tensor,
    noise: Tensor,
    alpha_bar_t: Level,
    alpha_bar_prev: Level,
    xi: Tensor,
    *,
    variance: Variance = "posterior",
) -> Tensor:
    r"""x_prev = (x_t - beta / sqrt(1 - \bar alpha_t) noise) / sqrt(alpha) + sigma xi,

    alpha = \bar alpha_t / \bar alpha_prev, beta = 1 - alpha, sigma^2 = beta (1 - \bar alpha_prev) / (1 - \bar alpha_t)
    ("posterior", beta-tilde) or beta ("beta");  sigma = 0 in the last step, \bar alpha_prev = 1.

    x_t, noise, xi (N, ...), levels numbers or (N,) -> (N, ...). Raises ValueError for other shapes, unless
    0 < alpha_bar_t < alpha_bar_prev <= 1, or for another variance. Source: Ho et al. 2020, algorithm 2.
    """
    same_shape(x_t=x_t, noise=noise, xi=xi)
    if variance not in ("posterior", "beta"):
        raise ValueError(f"variance must be 'posterior' or 'beta', got {variance!r}")
    a, prev = step_levels(alpha_bar_t, alpha_bar_prev)
    alpha = a / prev
    beta = 1 - alpha
    mean = (x_t - per_sample(beta / (1 - a).sqrt(), x_t) * noise) / per_sample(alpha.sqrt(), x_t)
    sigma2 = beta * (1 - prev) / (1 - a) if variance == "posterior" else beta.where(prev < 1, 0)
    return mean + per_sample(sigma2.sqrt(), x_t) * xi


def ddim_step(
    x_t: Tensor, noise: Tensor, alpha_bar_t: Level, alpha_bar_prev: Level, xi: Tensor | None = None, *, eta: float = 0.0
) -> Tensor:
    r"""x_prev = sqrt(\bar alpha_prev) x0 + sqrt(1 - \bar alpha_prev - sigma^2) noise + sigma xi,

    x0 = (x_t - sqrt(1 - \bar alpha_t) noise) / sqrt(\bar alpha_t),
    sigma^2 = eta^2 (1 - \bar alpha_prev) / (1 - \bar alpha_t) (1 - \bar alpha_t / \bar alpha_prev).
    eta = 1 is `ddpm_step` with beta-tilde; eta = 0 a map without noise, the Euler step of dy = noise ds in
    y = x / sqrt(\bar alpha), s = sqrt(1 / \bar alpha - 1).

    x_t, noise, xi (N, ...) (xi None: eta = 0), levels numbers or (N,) -> (N, ...). Raises ValueError for other shapes,
    eta outside [0, 1], or unless 0 < alpha_bar_t < alpha_bar_prev <= 1. Source: Song et al. 2020 (DDIM), eqs. 12, 16.
    """
    same_shape(x_t=x_t, noise=noise, xi=xi)
    if not 0 <= eta <= 1 or (eta > 0 and xi is None):
        raise ValueError(f"eta must lie in [0, 1], and eta > 0 needs the noise xi; got {eta=}, xi {type(xi).__name__}")
    a, prev = step_levels(alpha_bar_t, alpha_bar_prev)
    sigma2 = eta**2 * (1 - prev) / (1 - a) * (1 - a / prev)
    x_0 = x0_from_noise(x_t, noise, a)
    mean = per_sample(prev.sqrt(), x_t) * x_0 + per_sample((1 - prev - sigma2).clamp(min=0).sqrt(), x_t) * noise
    return mean if xi is None else mean + per_sample(sigma2.sqrt(), x_t) * xi


def ddim_inverse_step(x_prev: Tensor, noise: Tensor, alpha_bar_t: Level, alpha_bar_prev: Level) -> Tensor:
    r"""x_t with `ddim_step`(x_t, noise) = x_prev at eta = 0: the same line read from right to left.

    Exact for the noise that the step used, the prediction at (x_t, t); with the prediction at x_prev, all there is on
    the way up, the error of a step is of second order. Shapes and errors as there.
    Source: Song et al. 2020 (DDIM), section 4.3.
    """
    same_shape(x_prev=x_prev, noise=noise)
    a, prev = step_levels(alpha_bar_t, alpha_bar_prev)
    x_0 = (x_prev - per_sample((1 - prev).sqrt(), x_prev) * noise) / per_sample(prev.sqrt(), x_prev)
    return per_sample(a.sqrt(), x_prev) * x_0 + per_sample((1 - a).sqrt(), x_prev) * noise


def euler_step(x_t: Tensor, noise: Tensor, alpha_bar_t: Level, alpha_bar_prev: Level) -> Tensor:
    r"""x_prev = x_t + h/2 (x_t + score),  h = ln(\bar alpha_prev / \bar alpha_t): Euler on the probability flow
    dx = -beta/2 (x + score) dt, h being the integral of beta over the step.

    Shapes and errors as in `ddim_step`. Source: Song et al. 2020 (SDE), equation 13.
    """
    same_shape(x_t=x_t, noise=noise)
    a, prev = step_levels(alpha_bar_t, alpha_bar_prev)
    h = per_sample((prev / a).log(), x_t)
    return x_t + h / 2 * (x_t + score_from_noise(noise, a))


def heun_step(
    x_t: Tensor, noise: Tensor, noise_at: Callable[[Tensor], Tensor], alpha_bar_t: Level, alpha_bar_prev: Level
) -> Tensor:
    r"""y = ddim(x_t, noise);  x_prev = ddim(x_t, (noise + noise_at(y)) / 2): the trapezoid rule where DDIM is Euler's.

    noise_at predicts the noise at the previous time. Shapes and errors as in `ddim_step`.
    Source: Karras et al. 2022, algorithm 1.
    """
    y = ddim_step(x_t, noise, alpha_bar_t, alpha_bar_prev)
    return ddim_step(x_t, (noise + noise_at(y)) / 2, alpha_bar_t, alpha_bar_prev)


def sde_step(x_t: Tensor, noise: Tensor, alpha_bar_t: Level, alpha_bar_prev: Level, xi: Tensor) -> Tensor:
    r"""x_prev = x_t + h/2 x_t + h score + sqrt(h) xi,  h = ln(\bar alpha_prev / \bar alpha_t): Euler-Maruyama on the
    reverse SDE dx = -beta (x/2 + score) dt + sqrt(beta) dW; without xi in the last step.

    Shapes and errors as in `ddpm_step`. Source: Song et al. 2020 (SDE), equation 6.
    """
    same_shape(x_t=x_t, noise=noise, xi=xi)
    a, prev = step_levels(alpha_bar_t, alpha_bar_prev)
    h = (prev / a).log()
    drift = per_sample(h, x_t) * (x_t / 2 + score_from_noise(noise, a))
    return x_t + drift + per_sample(h.where(prev < 1, 0).sqrt(), x_t) * xi
