r"""Training for smoothing: losses(model, x, y) -> scalar for helpers.training.fit, each under fresh Gaussian noise.

sigma is the scale of the noise, as in the smoothed classifier that the network is meant for.
"""

import math
from collections.abc import Callable

import torch
from torch import Generator, Tensor, nn

from helpers import checks
from helpers.attacks.defence import kl_divergence
from helpers.attacks.pgd import pgd_l2
from helpers.attacks.threat import cross_entropy

TrainingLoss = Callable[[nn.Module, Tensor, Tensor], Tensor]


def noisy_copies(x: Tensor, sigma: float, copies: int, generator: Generator | None = None) -> Tensor:
    """x + sigma xi for `copies` draws xi ~ N(0, I): (N, ...) -> (copies, N, ...). Raises ValueError for copies < 1."""
    checks.positive("sigma", sigma)
    checks.whole("copies", copies)
    checks.drawn_on(generator, x)
    xi = torch.randn((copies, *x.shape), generator=generator, device=x.device, dtype=x.dtype)
    return xi.mul_(sigma).add_(x)


def mean_log_softmax(model: Callable[[Tensor], Tensor], copies: Tensor) -> Tensor:
    r"""log (1/m) sum_j softmax(f(x_j)), the logarithm of the soft smoothed classifier on m copies: finite always.

    copies (m, N, ...) -> (N, K), differentiable in copies and in the weights.
    """
    m = len(copies)
    log_p = model(copies.flatten(0, 1)).log_softmax(1).unflatten(0, copies.shape[:2])
    return log_p.logsumexp(0) - math.log(m)


def gaussian_loss(sigma: float, *, generator: Generator | None = None) -> TrainingLoss:
    r"""L = (1/N) sum_i CE(f(x_i + sigma xi_i), y_i): one noisy copy of each image. Cohen et al. 2019, section 3.3."""
    checks.positive("sigma", sigma)

    def loss(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        return cross_entropy(model(noisy_copies(x, sigma, 1, generator)[0]), y).mean()

    return loss


def consistency_loss(
    sigma: float,
    *,
    weight: float = 10.0,
    entropy: float = 0.5,
    copies: int = 2,
    generator: Generator | None = None,
) -> TrainingLoss:
    r"""L = mean_j CE(f(x_j), y) + weight mean_j KL(p || p_j) + entropy H(p),  p_j = softmax f(x + sigma xi_j),
    p = mean_j p_j: the copies of an image shall agree, and agree with confidence.

    mean over j = 1 ... copies and over the batch. Jeong & Shin 2020, equations 6 and 8.
    """
    checks.positive("sigma", sigma)
    checks.whole("copies", copies)

    def loss(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        logits = model(noisy_copies(x, sigma, copies, generator).flatten(0, 1))
        p = logits.softmax(1).unflatten(0, (copies, len(x))).mean(0)
        disagreement = kl_divergence(logits, p.repeat(copies, 1)).mean()
        unsure = torch.special.entr(p).sum(1).mean()
        return cross_entropy(logits, y.repeat(copies)).mean() + weight * disagreement + entropy * unsure

    return loss


def smoothadv_loss(
    sigma: float,
    *,
    eps: float | Callable[[], float],
    steps: int = 2,
    copies: int = 2,
    generator: Generator | None = None,
) -> TrainingLoss:
    r"""L = mean_j CE(f(x_adv + sigma xi_j), y),  x_adv = pgd_l2 on -log mean_j p_y(x_adv + sigma xi_j) in
    ||delta||_2 <= eps, with the same draws xi_1 ... xi_copies inside the attack and outside.

    eps may be a function that is asked at every step, for a warm-up. Salman et al. 2019, SmoothAdv-PGD, algorithm 1.
    """
    checks.positive("sigma", sigma)
    checks.whole("copies", copies)

    def loss(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        noise = noisy_copies(torch.zeros_like(x), sigma, copies, generator)

        def smoothed(z: Tensor) -> Tensor:
            return mean_log_softmax(model, z + noise)

        radius = eps() if callable(eps) else eps
        checks.at_least("eps", radius, 0)
        x_adv = pgd_l2(smoothed, x, y, eps=radius, steps=steps, generator=generator) if radius > 0 else x
        return cross_entropy(model((x_adv.detach() + noise).flatten(0, 1)), y.repeat(copies)).mean()

    return loss
