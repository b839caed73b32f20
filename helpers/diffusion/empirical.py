"""The best denoiser for the training pictures themselves: it knows them by heart, and draws nothing else."""

from typing import NamedTuple

from torch import Tensor

from helpers.diffusion.levels import Denoiser, level, per_sample
from helpers.diffusion.predictors import noise_from_x0
from helpers.diffusion.schedules import Schedule


def empirical_mean(x_t: Tensor, alpha_bar_t: Tensor | float, pictures: Tensor) -> Tensor:
    r"""E[x_0 | x_t] = sum_i w_i x_i,  w = softmax_i(-|x_t - sqrt(\bar alpha_t) x_i|^2 / (2 (1 - \bar alpha_t))),

    for x_0 that is one of the m pictures, each as likely: the training pictures, averaged.

    x_t (N, ...), alpha_bar_t a number or (N,) in (0, 1), pictures (m, ...) -> (N, ...). The common |x_t|^2 is left out
    of the exponent, and the soft-max is shifted by its maximum. Raises ValueError for other shapes.
    """
    if not len(pictures) or pictures.shape[1:] != x_t.shape[1:]:
        raise ValueError(f"pictures must be (m, ...) of x_t's shape {tuple(x_t.shape)}, got {tuple(pictures.shape)}")
    a, flat, x = level("alpha_bar_t", alpha_bar_t), pictures.flatten(1), x_t.flatten(1)
    root, rest = (per_sample(v, x) for v in (a.sqrt() / (1 - a), a / (2 * (1 - a))))
    exponent = root * (x @ flat.T) - rest * flat.square().sum(1)
    return (exponent.softmax(1) @ flat).view_as(x_t)


def empirical_denoiser(pictures: Tensor, schedule: Schedule) -> Denoiser:
    """noise(x_t, t) that belongs to `empirical_mean`: of all denoisers that of least noise loss on these pictures."""

    def noise(x_t: Tensor, t: Tensor) -> Tensor:
        a = schedule.at(t)
        return noise_from_x0(x_t, empirical_mean(x_t, a, pictures), a)

    return noise


class Nearest(NamedTuple):
    """For each x the row of the nearest picture and the Euclidean distance to it, each (N,)."""

    row: Tensor
    distance: Tensor


def nearest(x: Tensor, pictures: Tensor) -> Nearest:
    """Of m pictures (m, ...) the nearest to each of x (N, ...). Raises ValueError for two shapes of pictures."""
    if not len(pictures) or pictures.shape[1:] != x.shape[1:]:
        raise ValueError(f"pictures must be (m, ...) of x's shape {tuple(x.shape)}, got {tuple(pictures.shape)}")
    flat, rows = pictures.flatten(1), x.flatten(1)
    row = (flat.square().sum(1) - 2 * rows @ flat.T).argmin(1)
    return Nearest(row, (rows - flat[row]).norm(dim=1))
