"""What the network experiments of Lecture 5 stand on: point estimates, calibration, two moons."""

import math

import torch
from torch import Generator, Tensor

from helpers import runtime
from helpers.mcmc.posteriors import Posterior
from helpers.mcmc.variational import mean_field


def point_estimates(
    network: Posterior, theta: Tensor, *, steps: int, rate: float, generator: Generator | None
) -> Tensor:
    """Adam on the likelihood of fresh batches, for every row of theta (members, d) -> (members, d)."""
    theta = theta.clone().requires_grad_()
    adam = torch.optim.Adam([theta], rate)
    for _ in range(steps):
        adam.zero_grad()
        (-network.log_likelihood(theta, *network.batch(len(theta), generator)).mean(1).sum()).backward()
        adam.step()
    return theta.detach()


def mean_field_draws(
    network: Posterior, start: Tensor, n: int, *, generator: Generator | None
) -> tuple[Tensor, Tensor]:
    """Bayes by Backprop from start (d,), the log posterior estimated without bias on batches -> n draws (n, d) from the
    fit, and its standard deviations (d,)."""
    size = len(network.data[0])

    def estimate(theta: Tensor) -> Tensor:
        batch = network.batch(len(theta), generator)
        return network.log_prior(theta) + size * network.log_likelihood(theta, *batch).mean(1)

    m, s = mean_field(estimate, start, steps=1200, batch=4)
    xi = torch.randn(n, len(m), generator=generator, device=m.device, dtype=m.dtype)
    return m + s * xi, s


def calibration(p: Tensor, y: Tensor, bins: int = 10) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Predictions p (n, classes) of labels y (n,) -> per bin of confidence its share, mean confidence and accuracy
    (bins,), and the expected calibration error sum share |confidence - accuracy|."""
    confidence, guess = p.max(1)
    index = (confidence * bins).long().clamp(max=bins - 1)
    count, right = torch.bincount(index, minlength=bins), (guess == y).to(confidence)
    mean, hits = (torch.bincount(index, v, minlength=bins) / count.clamp(min=1) for v in (confidence, right))
    share = count / len(p)
    return share, mean, hits, (share * (mean - hits).abs()).sum()


def two_moons(n: int, *, generator: Generator | None) -> tuple[Tensor, Tensor]:
    """Points (n, 2) on two interlocking half circles, with noise of 0.15, and the half circle of each (n,)."""
    device = runtime.home(generator)
    half = torch.arange(n, device=device) % 2
    angle = math.pi * torch.rand(n, generator=generator, dtype=torch.float64, device=device)
    x = torch.stack([angle.cos() + half - 0.5, (1 - 2 * half) * angle.sin() + 0.5 * half - 0.25], 1)
    return x + 0.15 * torch.randn(n, 2, generator=generator, dtype=torch.float64, device=device), half


def plane_grid(m: int, n: int) -> Tensor:
    """m x n points of [-2.5, 2.5] x [-2, 2], row by row: (m n, 2)."""
    sides = (torch.linspace(-2.5, 2.5, m, dtype=torch.float64), torch.linspace(-2, 2, n, dtype=torch.float64))
    return torch.cartesian_prod(*sides)
