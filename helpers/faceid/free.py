r"""The free-feature model: what a network could do that can put every feature wherever it likes.

No network: features and weights are the parameters. Its minimiser is known, and it is Neural Collapse.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from helpers import checks
from helpers.faceid.margins import cosines, normface_logits

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]  # of features (N, d), weights (K, d) and y (N,): one number


class Free(NamedTuple):
    """features (K n, d), weights (K, d), y (K n,): n samples of each class."""

    features: Tensor
    weights: Tensor
    y: Tensor


def softmax_loss(features: Tensor, weights: Tensor, y: Tensor) -> Tensor:
    """The cross-entropy of the logits <x_i, w_j>: no bias, nothing normalised."""
    return F.cross_entropy(features @ weights.T, y)


def normface_loss(features: Tensor, weights: Tensor, y: Tensor, *, s: float) -> Tensor:
    """The cross-entropy of the logits s cos(x_i, w_j)."""
    return F.cross_entropy(normface_logits(cosines(features, weights), s=s), y)


def free_features(K: int, n: int, d: int, *, generator: Generator | None = None) -> Free:
    """The start: features and weights N(0, 1/d) in float64, on the generator's device; n samples of each of K classes.

    Raises ValueError unless K >= 2 and n, d >= 1.
    """
    for name, value in (("K", K), ("n", n), ("d", d)):
        checks.whole(name, value)
    checks.at_least("K", K, 2)
    device = generator.device if generator is not None else None
    rows = torch.randn(K * n + K, d, generator=generator, dtype=torch.float64, device=device) / math.sqrt(d)
    return Free(rows[K:], rows[:K], torch.arange(K, device=rows.device).repeat_interleave(n))


def descend(free: Free, loss: Loss, *, tau: float = 0.0, eta: float = 0.5, steps: int = 1) -> Free:
    r"""steps times:  W <- W - eta dL/dW,  x_i <- x_i - n eta dL/dx_i,  L = K loss + tau / 2 (|W|^2 + |X|^2 / n).

    n samples a class; n times longer steps of the features, because each stands in one of the N terms only.
    ValueError for tau < 0, eta <= 0; FloatingPointError where eta was too large. Mixon et al. 2020; Zhu et al. 2021.
    """
    checks.at_least("tau", tau, 0)
    checks.positive("eta", eta)
    checks.whole("steps", steps)
    x, w, y = (t.detach() for t in free)
    K, n = len(w), len(x) / len(w)
    for _ in range(steps):
        x, w = x.requires_grad_(), w.requires_grad_()
        g_x, g_w = torch.autograd.grad(K * loss(x, w, y), (x, w))
        x = (x - eta * (n * g_x + tau * x)).detach()
        w = (w - eta * (g_w + tau * w)).detach()
    if not torch.cat([x, w]).isfinite().all():
        raise FloatingPointError(f"the steps diverged: eta = {eta} is too large")
    return Free(x, w, y)


def collapsed_scale(K: int, tau: float) -> float:
    r"""s = |x| |w| at the minimum of softmax_loss with penalty tau:  s = (K - 1)/K log((K - 1)(1 - q) / q),
    q = (K - 1) tau / K the probability that is left to the K - 1 other classes; 0 where tau >= 1.

    Features and weights are then sqrt(s) times the corners of a simplex ETF (d >= K - 1): with both norms l and
    s = l^2 the penalty is tau K s and the loss is normalised_softmax_bound(s, K); set the derivative to 0.
    """
    checks.at_least("K", K, 2)
    checks.positive("tau", tau)
    q = (K - 1) / K * tau
    return (K - 1) / K * math.log((K - 1) * (1 - q) / q) if tau < 1 else 0.0
