"""Data into noise: one step, all steps at once, and one step back when x_0 is known."""

from torch import Tensor

from helpers.diffusion.levels import level, per_sample, same_shape, step_levels


def q_step(x: Tensor, beta_t: Tensor | float, xi: Tensor) -> Tensor:
    r"""x_t = sqrt(1 - beta_t) x_{t-1} + sqrt(beta_t) xi,  xi ~ N(0, I): variance 1 stays variance 1.

    x, xi (N, ...), beta_t a number or (N,) -> (N, ...). Raises ValueError for other shapes, or beta_t outside (0, 1).
    Source: Ho et al. 2020, equation 2.
    """
    same_shape(x=x, xi=xi)
    beta = level("beta_t", beta_t)
    return per_sample((1 - beta).sqrt(), x) * x + per_sample(beta.sqrt(), x) * xi


def q_sample(x_0: Tensor, alpha_bar_t: Tensor | float, xi: Tensor) -> Tensor:
    r"""x_t = sqrt(\bar alpha_t) x_0 + sqrt(1 - \bar alpha_t) xi,  xi ~ N(0, I): t steps of `q_step` in one.

    x_0, xi (N, ...), alpha_bar_t a number or (N,) in (0, 1] -> (N, ...). Raises ValueError for anything else.
    Source: Ho et al. 2020, equation 4.
    """
    same_shape(x_0=x_0, xi=xi)
    a = level("alpha_bar_t", alpha_bar_t, one=True)
    return per_sample(a.sqrt(), x_0) * x_0 + per_sample((1 - a).sqrt(), x_0) * xi


def posterior_mean_variance(
    x_t: Tensor, x_0: Tensor, alpha_bar_t: Tensor | float, alpha_bar_prev: Tensor | float
) -> tuple[Tensor, Tensor]:
    r"""q(x_prev | x_t, x_0) = N(mean, variance I) with alpha = \bar alpha_t / \bar alpha_prev,

    mean = [sqrt(alpha) (1 - \bar alpha_prev) x_t + sqrt(\bar alpha_prev) (1 - alpha) x_0] / (1 - \bar alpha_t),
    variance = (1 - alpha) (1 - \bar alpha_prev) / (1 - \bar alpha_t): beta-tilde_t, 0 at alpha_bar_prev = 1.

    x_t, x_0 (N, ...), levels numbers or (N,), 0 < alpha_bar_t < alpha_bar_prev <= 1 -> mean (N, ...), variance () or
    (N,), of x_t's dtype. Raises ValueError for anything else. Source: Ho et al. 2020, equations 6 and 7.
    """
    same_shape(x_t=x_t, x_0=x_0)
    a, prev = step_levels(alpha_bar_t, alpha_bar_prev)
    alpha = a / prev
    of_x_t, of_x_0 = alpha.sqrt() * (1 - prev) / (1 - a), prev.sqrt() * (1 - alpha) / (1 - a)
    variance = (1 - alpha) * (1 - prev) / (1 - a)
    return per_sample(of_x_t, x_t) * x_t + per_sample(of_x_0, x_t) * x_0, variance.to(x_t)
