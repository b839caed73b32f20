"""How good are drawn digits? Near to the truth's law, what was asked for, and as various as the truth: with errors."""

from collections.abc import Callable
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from helpers import checkpoints, checks


class Fit(NamedTuple):
    """A Gaussian by its moments: mean (d,), covariance (d, d), float64."""

    mean: Tensor
    covariance: Tensor


class Share(NamedTuple):
    """A share of n and its interval, of 95 % unless another was asked for."""

    value: float
    low: float
    high: float
    n: int


def digit_classifier(device: torch.device | str | None = None) -> nn.Sequential:
    """The course's classifier of digits in [0, 1], 99.2 % right on the test digits."""
    return cast(nn.Sequential, checkpoints.load("mnist_cnn", device))


def features(classifier: nn.Sequential, x: Tensor, batch: int = 1024) -> Tensor:
    """What the classifier's last layer sees of pictures x (N, 1, 28, 28) in [-1, 1] -> (N, 100).

    Raises ValueError outside [-1, 1].
    """
    if not (x.abs() <= 1 + 1e-6).all():
        raise ValueError(f"x must lie in [-1, 1], got from {x.min():.4g} to {x.max():.4g}")
    with torch.no_grad():
        return torch.cat([classifier[:-1]((part + 1) / 2) for part in x.split(batch)])


def moments(z: Tensor) -> Fit:
    """Mean and unbiased covariance of z (N, d). Raises ValueError for fewer than two rows, NaN or infinity."""
    if z.ndim != 2 or len(z) < 2 or not z.isfinite().all():
        raise ValueError(f"features must be finite, (N, d) with N >= 2, got {tuple(z.shape)}")
    z = z.double()
    return Fit(z.mean(0), z.T.cov())


def frechet_distance(a: Tensor | Fit, b: Tensor | Fit) -> float:
    r"""|m_a - m_b|^2 + tr(S_a + S_b - 2 (S_a^{1/2} S_b S_a^{1/2})^{1/2}): the squared 2-Wasserstein distance of the two
    Gaussians with these moments.

    Features (N, d), or their `moments` -> a number >= 0. Between two samples of one law it is above 0, by about c/N:
    compare it with such a floor. Raises ValueError as `moments`, or for two d. Source: Heusel et al. 2017, equation 6.
    """
    p, q = (z if isinstance(z, Fit) else moments(z) for z in (a, b))
    if p.mean.shape != q.mean.shape:
        raise ValueError(f"features must have one d, got {len(p.mean)} and {len(q.mean)}")
    root = _root(p.covariance)
    cross = torch.linalg.eigvalsh(root @ q.covariance @ root).clamp(min=0).sqrt().sum()
    gap = (p.mean - q.mean).square().sum()
    return float((gap + p.covariance.trace() + q.covariance.trace() - 2 * cross).clamp(min=0))


def _root(covariance: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(covariance)
    return (vectors * values.clamp(min=0).sqrt()) @ vectors.T


def truth_distances(z: Tensor, n: int, repeats: int, generator: torch.Generator) -> Tensor:
    """`frechet_distance` of n rows of z (N, d), drawn anew each time, to the N - n others: what truth itself scores.

    -> (repeats,). Raises ValueError unless 2 <= n <= N - 2.
    """
    if not 2 <= n <= len(z) - 2:
        raise ValueError(f"n must lie in 2 ... {len(z) - 2}, got {n}")
    found = []
    for _ in range(repeats):
        order = torch.randperm(len(z), generator=generator, device=generator.device).to(z.device)
        found.append(frechet_distance(z[order[:n]], z[order[n:]]))
    return torch.tensor(found, dtype=torch.float64)


def share_interval(hits: int, n: int, alpha: float = 0.05) -> Share:
    r"""hits / n with Clopper and Pearson's interval: its ends are the alpha/2 and 1 - alpha/2 quantiles of
    Beta(hits, n - hits + 1) and Beta(hits + 1, n - hits); it misses the true share at most alpha of the time.

    Raises ValueError unless 0 <= hits <= n, n >= 1 and 0 < alpha < 1. Source: Clopper & Pearson 1934.
    """
    from scipy.special import betaincinv

    checks.whole("n", n)
    checks.level(alpha)
    if not 0 <= hits <= n:
        raise ValueError(f"hits must lie in 0 ... {n}, got {hits}")
    low = float(betaincinv(hits, n - hits + 1, alpha / 2)) if hits else 0.0
    high = float(betaincinv(hits + 1, n - hits, 1 - alpha / 2)) if hits < n else 1.0
    return Share(hits / n, low, high, n)


def asked_for(classifier: nn.Sequential, z: Tensor, y: Tensor) -> Share:
    """The share of digits, given by their `features` z (N, d), that the classifier takes for what was asked, y (N,)."""
    if y.shape != z.shape[:1]:
        raise ValueError(f"one label for each of {len(z)} digits expected, got {tuple(y.shape)}")
    with torch.no_grad():
        hits = int((classifier[-1](z).argmax(1) == y).sum())
    return share_interval(hits, len(y))


def diversity(z: Tensor, y: Tensor) -> float:
    r"""(1/K) sum_k tr Cov(z | y = k): half the mean squared distance of two digits of a class, mean over the classes.

    z (N, d), y (N,) -> >= 0. Raises ValueError for a class of one row, or as `moments`.
    """
    return float(torch.stack([moments(z[y == k]).covariance.trace() for k in y.unique()]).mean())


def jackknife(statistic: Callable[..., float], *samples: Tensor, groups: int = 10) -> tuple[float, float]:
    r"""The statistic of all rows, and its standard error sqrt((g - 1)/g sum_j (s_j - mean s)^2), s_j without group j.

    samples: tensors of one length N >= groups, rows in random order; group j holds the rows j, j + g, j + 2g, ...
    Raises ValueError otherwise. Source: Efron & Stein 1981.
    """
    n = len(samples[0])
    if groups < 2 or n < groups or any(len(s) != n for s in samples):
        raise ValueError(f"need samples of one length >= groups >= 2, got {[len(s) for s in samples]} and {groups}")
    member = torch.arange(n, device=samples[0].device) % groups
    without = [statistic(*(s[member != j] for s in samples)) for j in range(groups)]
    spread = torch.tensor(without, dtype=torch.float64).var(correction=0)
    return statistic(*samples), float(((groups - 1) * spread).sqrt())
