r"""Guidance: by a classifier, without one, and what law comes of it."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from helpers.diffusion.levels import Denoiser, level, per_sample, same_shape
from helpers.diffusion.mixture import Mixture, labelled_denoiser
from helpers.diffusion.sampling import sample
from helpers.diffusion.schedules import Schedule
from helpers.diffusion.transport import quantiles

Labelled = Callable[[Tensor, Tensor, Tensor], Tensor]


def classifier_free_noise(noise_cond: Tensor, noise_uncond: Tensor, gamma: float) -> Tensor:
    r"""gamma noise_cond + (1 - gamma) noise_uncond: the score grad log p(x) + gamma grad log p(y | x).

    gamma = 0 ignores the label, 1 is plain conditioning, above 1 goes beyond (the paper's w is gamma - 1).
    noise_cond, noise_uncond (N, ...) -> (N, ...). Raises ValueError for two shapes. Source: Ho & Salimans 2022, eq. 6.
    """
    same_shape(noise_cond=noise_cond, noise_uncond=noise_uncond)
    return gamma * noise_cond + (1 - gamma) * noise_uncond


def classifier_guided_noise(noise: Tensor, slope: Tensor, alpha_bar_t: Tensor | float, gamma: float) -> Tensor:
    r"""noise - gamma sqrt(1 - \bar alpha_t) grad log p(y | x_t), the slope being that gradient.

    noise, slope (N, ...), alpha_bar_t a number or (N,) in (0, 1) -> (N, ...). Raises ValueError for anything else.
    Source: Dhariwal & Nichol 2021, algorithm 2.
    """
    same_shape(noise=noise, slope=slope)
    a = level("alpha_bar_t", alpha_bar_t)
    return noise - gamma * per_sample((1 - a).sqrt(), noise) * slope


def guided_denoiser(model: Labelled, y: Tensor, gamma: float, *, null: int | None = None) -> Denoiser:
    """noise(x_t, t) of `classifier_free_noise`, in one pass of 2 N rows (of N for gamma = 0 or 1).

    model(x_t, t, y) predicts the noise, y (N,) integers, null the label that stood for none in training.
    Raises ValueError without null, unless gamma = 1, and when there is not one label for each sample.
    """
    if null is None and gamma != 1:
        raise ValueError(
            f"gamma = {gamma:g} needs the prediction without a label: give null=..., the label that stood for none in "
            "training; a network that never saw one can only be sampled with gamma = 1"
        )
    if y.ndim != 1 or y.is_floating_point():
        raise ValueError(f"y must be (N,) integers, got shape {tuple(y.shape)} of {y.dtype}")

    def noise(x_t: Tensor, t: Tensor) -> Tensor:
        if len(y) != len(x_t):
            raise ValueError(f"one label for each of the {len(x_t)} samples expected, got {len(y)}")
        if null is None or gamma == 1:
            return model(x_t, t, y)
        without = torch.full_like(y, null)
        if gamma == 0:
            return model(x_t, t, without)
        cond, uncond = model(torch.cat([x_t, x_t]), torch.cat([t, t]), torch.cat([y, without])).chunk(2)
        return classifier_free_noise(cond, uncond, gamma)

    return noise


def classifier_guided_denoiser(
    denoiser: Denoiser, log_classifier: Denoiser, schedule: Schedule, gamma: float
) -> Denoiser:
    """noise(x_t, t) of `classifier_guided_noise`, the slope by autograd.

    log_classifier(x_t, t) -> (N,) is log p(y | x_t), row by row, of a classifier that knows noised pictures.
    """

    def noise(x_t: Tensor, t: Tensor) -> Tensor:
        with torch.enable_grad():
            leaf = x_t.detach().requires_grad_()
            (slope,) = torch.autograd.grad(log_classifier(leaf, t).sum(), leaf)
        return classifier_guided_noise(denoiser(x_t, t), slope, schedule.at(t), gamma)

    return noise


class Law(NamedTuple):
    """A law on the line as n equally likely points (n,), rising; its mean and standard deviation."""

    points: Tensor

    @property
    def mean(self) -> float:
        """The mean."""
        return float(self.points.mean())

    @property
    def sd(self) -> float:
        """The standard deviation."""
        return float(self.points.std(correction=0))


def tilted_law(mixture: Mixture, y: int, gamma: float, *, n: int = 1000) -> Law:
    r"""p(x) p(y | x)^gamma / Z for component y of a mixture on the line: what guidance is said to sample.

    n quantiles of it, by a sum on a fine grid. Raises ValueError unless d = 1.
    """
    mixture.cdf(mixture.means[:1, 0])  # refuses d > 1
    sd = mixture.variances.sqrt()
    low, high = (mixture.means[:, 0] - 12 * sd).min(), (mixture.means[:, 0] + 12 * sd).max()
    x = torch.linspace(float(low), float(high), 200_001, dtype=torch.float64)
    log_terms = mixture.log_terms(x[:, None])
    log_p = log_terms.logsumexp(1)
    share = (log_p + gamma * (log_terms[:, y] - log_p)).softmax(0).cumsum(0)
    return Law(x[torch.searchsorted(share, quantiles(n)).clamp(max=len(x) - 1)])


def guided_law(mixture: Mixture, y: int, gamma: float, schedule: Schedule, *, n: int = 1000) -> Law:
    r"""What the guided probability flow makes of N(0, 1): n of its quantiles, each by T steps of Heun, exact denoisers.

    Not `tilted_law`: p_t(x) p_t(y | x)^gamma is not the law of that tilted p_0 after noising. Raises ValueError unless
    d = 1.
    """
    mixture.cdf(mixture.means[:1, 0])
    x_T = torch.special.ndtri(quantiles(n))[:, None]
    model, labels = labelled_denoiser(mixture, schedule), torch.full((n,), y)
    denoiser = guided_denoiser(model, labels, gamma, null=len(mixture.weights))
    return Law(sample(denoiser, schedule, x_T, method="heun")[:, 0])
