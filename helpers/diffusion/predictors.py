r"""Three ways to say what a network predicts: the data, the noise, the score. Each follows from each.

All lines are linear in the prediction, so they hold for a draw (x_0, xi) and for the means E[x_0 | x_t], E[xi | x_t]
alike. The score that belongs to the means is that of the marginal, grad log p_t(x_t).
"""

from typing import NamedTuple

import torch
from torch import Tensor

from helpers.diffusion.levels import level, per_sample, same_shape
from helpers.diffusion.schedules import Schedule


def noise_from_x0(x_t: Tensor, x_0: Tensor, alpha_bar_t: Tensor | float) -> Tensor:
    r"""xi = (x_t - sqrt(\bar alpha_t) x_0) / sqrt(1 - \bar alpha_t).

    x_t, x_0 (N, ...), alpha_bar_t a number or (N,) in (0, 1) -> (N, ...). Raises ValueError for anything else.
    """
    same_shape(x_t=x_t, x_0=x_0)
    a = level("alpha_bar_t", alpha_bar_t)
    return (x_t - per_sample(a.sqrt(), x_t) * x_0) / per_sample((1 - a).sqrt(), x_t)


def x0_from_noise(x_t: Tensor, noise: Tensor, alpha_bar_t: Tensor | float) -> Tensor:
    r"""x_0 = (x_t - sqrt(1 - \bar alpha_t) xi) / sqrt(\bar alpha_t), from xi or its prediction.

    x_t, noise (N, ...), alpha_bar_t a number or (N,) in (0, 1) -> (N, ...). Raises ValueError for anything else.
    Source: Ho et al. 2020, equation 15.
    """
    same_shape(x_t=x_t, noise=noise)
    a = level("alpha_bar_t", alpha_bar_t)
    return (x_t - per_sample((1 - a).sqrt(), x_t) * noise) / per_sample(a.sqrt(), x_t)


def score_from_noise(noise: Tensor, alpha_bar_t: Tensor | float) -> Tensor:
    r"""grad log p_t(x_t) = -E[xi | x_t] / sqrt(1 - \bar alpha_t): the noise points away from the data.

    noise (N, ...), alpha_bar_t a number or (N,) in (0, 1) -> (N, ...). Raises ValueError for anything else.
    Source: Luo 2022, equation 151; Vincent 2011.
    """
    a = level("alpha_bar_t", alpha_bar_t)
    return -noise / per_sample((1 - a).sqrt(), noise)


def noise_from_score(score: Tensor, alpha_bar_t: Tensor | float) -> Tensor:
    r"""E[xi | x_t] = -sqrt(1 - \bar alpha_t) grad log p_t(x_t).

    score (N, ...), alpha_bar_t a number or (N,) in (0, 1] -> (N, ...). Raises ValueError for anything else.
    """
    a = level("alpha_bar_t", alpha_bar_t, one=True)
    return -per_sample((1 - a).sqrt(), score) * score


def tweedie_mean(x_t: Tensor, score: Tensor, alpha_bar_t: Tensor | float) -> Tensor:
    r"""E[x_0 | x_t] = (x_t + (1 - \bar alpha_t) grad log p_t(x_t)) / sqrt(\bar alpha_t).

    x_t, score (N, ...), alpha_bar_t a number or (N,) in (0, 1) -> (N, ...). The score is the marginal's: that of
    q(x_t | x_0) would give x_0 itself. Raises ValueError for anything else. Source: Efron 2011, equation 1.4.
    """
    same_shape(x_t=x_t, score=score)
    a = level("alpha_bar_t", alpha_bar_t)
    return (x_t + per_sample(1 - a, x_t) * score) / per_sample(a.sqrt(), x_t)


class Weights(NamedTuple):
    """What a squared error of each prediction costs in the bound, for t = 1 ... T, each (T,); inf at t = 1."""

    x0: Tensor
    noise: Tensor
    score: Tensor


def weights(schedule: Schedule) -> Weights:
    r"""KL(q(x_{t-1} | x_t, x_0) || p(x_{t-1} | x_t)) = w_t |prediction - target|^2, nats, both of variance beta-tilde:

    x_0: (SNR(t-1) - SNR(t)) / 2;  noise: beta_t^2 / (2 beta-tilde_t alpha_t (1 - \bar alpha_t));
    score: beta_t^2 / (2 beta-tilde_t alpha_t).

    (T,) each, in float64. At t = 1 beta-tilde is 0 and the weight infinite: there the term is the reconstruction's.
    Source: Luo 2022, equations 99, 130, 148; the simple loss of Ho et al. 2020 puts 1 for the noise's.
    """
    beta, alpha, a = (part.double() for part in schedule)
    prev = torch.cat([a.new_ones(1), a[:-1]])
    variance = beta * (1 - prev) / (1 - a)
    score = beta.square() / (2 * variance * alpha)
    x0 = (prev / (1 - prev) - a / (1 - a)) / 2
    return Weights(x0, score / (1 - a), score)
