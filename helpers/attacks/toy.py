"""A task where robustness costs accuracy, in closed form (Tsipras et al. 2018)."""

import math

import numpy as np
import torch
from torch import Generator, Tensor

from helpers.checks import at_least


def tsipras_accuracy(d: int, mu: float, eps: float = 0.0) -> float:
    r"""P(y sum_i x_i > 0) after the worst shift |delta_i| <= eps, for x_i ~ N(mu y, 1), i = 1 ... d:
    Phi(sqrt(d)(mu - eps)).

    The classifier that averages all weak features. With mu = 3 / sqrt(d) it is right in 99.9 %, and after eps = 2
    mu in 0.1 %: accuracy without robustness. Raises ValueError for d < 1 or eps < 0. Tsipras et al. 2018, section 2.1.
    """
    at_least("d", d, 1)
    at_least("eps", eps, 0)
    return math.erfc(-math.sqrt(d / 2) * (mu - eps)) / 2


def tsipras_sample(
    n: int, d: int, mu: float, reliability: float = 0.95, *, generator: Generator | None = None
) -> tuple[Tensor, Tensor]:
    r"""y = +-1 evenly;  x_1 = y with probability reliability, else -y;  x_2, ..., x_{d+1} ~ N(mu y, 1) -> (n, d +
    1), (n,), on the generator's device."""
    device = generator.device if generator else None
    y = 2.0 * torch.randint(2, (n,), generator=generator, device=device) - 1
    first = torch.where(torch.rand(n, generator=generator, device=device) < reliability, y, -y)
    weak = mu * y[:, None] + torch.randn(n, d, generator=generator, device=device)
    return torch.cat([first[:, None], weak], 1), y


def distance_to_half(d: int, share: float = 0.5) -> float:
    r"""r such that a share of the points outside a half of the unit sphere in R^d lie within the angle r of that half.

    x_1^2 ~ Beta(1/2, (d - 1)/2), so r = arcsin sqrt(q), q its quantile. By isoperimetry no set of measure 1/2 is
    farther from its complement than the half-sphere: r falls as 0.67 / sqrt(d) (share 1/2). Raises ValueError unless
    d >= 2.
    """
    from scipy import special  # here, since it costs a fifth of what torch costs to import

    at_least("d", d, 2)
    return float(np.arcsin(np.sqrt(special.betaincinv(0.5, (d - 1) / 2, share))))
