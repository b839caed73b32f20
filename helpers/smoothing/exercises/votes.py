"""Exercise 9.6: the Clopper-Pearson bound."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from scipy import stats
from torch import Tensor
from torch.special import ndtri

from helpers import smoothing
from helpers.exercises import Draw, Exercise, args, holds, require, same
from helpers.smoothing.exercises.gaussian import F64, MISSED, tensor

Function = Callable[..., Any]


def quantile(share: float, a: Tensor, b: Tensor) -> Tensor:
    """The quantile of Beta(a, b), NaN unless both are positive, on the device of a."""
    found = stats.beta.ppf(share, a.double().cpu().numpy(), b.double().cpu().numpy())
    return torch.as_tensor(found, dtype=F64, device=a.device)


def _counted(draw: Draw) -> Any:
    n = draw.choice([7, 25, 100])
    k = draw.integers(0, n + 1, *draw.choice([(9,), (2, 5)]))
    k.view(-1)[:3] = torch.tensor([0, n, n // 2 + 1], device=k.device)
    return args(k, n, draw.number(0.005, 0.2))


def _solves(f: Function, draw: Draw) -> None:
    n, alpha = draw.choice([12, 60, 400]), draw.number(0.005, 0.2)
    k = draw.integers(1, n + 1, 8)
    tail = torch.as_tensor(stats.binom.sf(k.cpu().numpy() - 1, n, f(k, n, alpha).detach().cpu().numpy()))
    require(
        (tail - alpha).abs() < 2e-3 * alpha,
        expected=f"P(Bin(n, p) >= k) = alpha = {alpha:.4g} at the bound p",
        got=f"P(Bin(n, p) >= k) = {[float(f'{t:.4g}') for t in tail]}",
    )


def _covers(f: Function, draw: Draw) -> None:
    """The exact probability that the bound is right, on a grid of p: no simulation, so no false alarm."""
    n, alpha = draw.integer(20, 60), draw.choice([0.01, 0.05, 0.1])
    k = torch.arange(n + 1, device=draw.device)
    bound = f(k, n, alpha).detach().cpu()
    p = torch.linspace(0.002, 0.998, 499, dtype=F64)[:, None]
    right = (torch.as_tensor(stats.binom.pmf(k.cpu().numpy(), n, p.numpy())) * (bound <= p)).sum(1)
    worst = int(right.argmin())
    require(
        right >= 1 - alpha - 1e-6,
        expected=f"a bound that is right with probability at least {1 - alpha:.4g}, whatever p is",
        got=f"right with probability {float(right[worst]):.4g} for p = {float(p[worst]):.3g}",
        on=f"k = 0 ... n, n = {n}, alpha = {alpha}",
    )


def _with_zero(bound: Callable[[Tensor, int, float], Tensor]) -> Function:
    """A bound for k >= 1, and 0 for k = 0."""

    def answer(successes, n, alpha):  # type: ignore[no-untyped-def]
        k = torch.as_tensor(successes)
        return torch.where(k > 0, bound(k.double(), n, alpha).double(), 0.0)

    return answer


def _wald(k: Tensor, n: int, alpha: float) -> Tensor:
    return k / n - ndtri(tensor(1 - alpha)).item() * (k / n * (1 - k / n) / n).sqrt()


def _wilson(k: Tensor, n: int, alpha: float) -> Tensor:
    z, p = ndtri(tensor(1 - alpha)).item(), k / n
    return (p + z * z / (2 * n) - z * (p * (1 - p) / n + z * z / (4 * n * n)).sqrt()) / (1 + z * z / n)


clopper_pearson_lower = Exercise(
    "9.6",
    smoothing.clopper_pearson_lower,
    checks=(
        holds("is right with probability at least 1 - alpha, whatever p is", _covers, times=2, seconds=10),
        holds("solves P(Bin(n, p) >= k) = alpha", _solves, times=2, seconds=10),
        same("is that p, for counts of any shape; 0 for k = 0", _counted, rtol=1e-4, atol=MISSED, seconds=10),
        same(
            "takes one count as well, of 100,000",
            lambda draw: args(draw.integer(90_000, 100_001), 100_000, 0.001),
            rtol=1e-4,
            atol=MISSED,
            seconds=10,
        ),
    ),
    mistakes=(
        (
            "That is the lower end of a two-sided interval, alpha / 2 on each side. Only one side matters here: alpha.",
            _with_zero(lambda k, n, alpha: quantile(alpha / 2, k, n - k + 1)),
        ),
        (
            "k / n is the estimate; it lies above the truth about every second time. Go down to a p that makes k "
            "successes as unlikely as alpha.",
            _with_zero(lambda k, n, alpha: k / n),
        ),
        (
            "That is Hoeffding's bound: sound, but it does not know that the binomial law is narrow near p = 1, where "
            "the radii are large.",
            _with_zero(lambda k, n, alpha: k / n - math.sqrt(math.log(1 / alpha) / (2 * n))),
        ),
        (
            "That is Hoeffding's bound: sound, but it does not know that the binomial law is narrow near p = 1, where "
            "the largest radii come from.",
            _with_zero(lambda k, n, alpha: (k / n - math.sqrt(math.log(1 / alpha) / (2 * n))).clamp(min=0)),
        ),
        (
            "That is the normal approximation: for k = n it says 1, and near 1 it is wrong far more often than alpha.",
            _with_zero(_wald),
        ),
        (
            "That is the normal approximation, cut at 0: for k = n it says 1, and near 1 it is wrong far more often "
            "than alpha.",
            _with_zero(lambda k, n, alpha: _wald(k, n, alpha).clamp(min=0)),
        ),
        ("That is Wilson's interval, an approximation: its error can exceed alpha.", _with_zero(_wilson)),
        (
            "That is the 1 - alpha quantile of the Beta law; the lower bound is its alpha quantile.",
            _with_zero(lambda k, n, alpha: quantile(1 - alpha, k, n - k + 1)),
        ),
        (
            "That is the upper bound of p, Beta(k + 1, n - k) at 1 - alpha; the lower one is asked for.",
            _with_zero(lambda k, n, alpha: quantile(1 - alpha, k + 1, n - k).nan_to_num(1.0)),
        ),
        (
            "Beta(k + 1, n - k + 1) is the posterior under a flat prior; it does not guarantee 1 - alpha for every p. "
            "The first parameter is k.",
            lambda successes, n, alpha: quantile(
                alpha, torch.as_tensor(successes) + 1, n - torch.as_tensor(successes) + 1
            ),
        ),
        (
            "The second parameter is n - k + 1; with n - k the case k = n has no law at all.",
            _with_zero(lambda k, n, alpha: quantile(alpha, k, n - k)),
        ),
        (
            "Beta(0, n + 1) does not exist: for k = 0 the bound is 0, for any p could give no success.",
            lambda successes, n, alpha: quantile(alpha, torch.as_tensor(successes), n - torch.as_tensor(successes) + 1),
        ),
    ),
    hints=(
        "The bound is the p that would make k successes or more as unlikely as alpha: P(Bin(n, p) >= k) = alpha.",
        "P(Bin(n, p) >= k) = P(Beta(k, n - k + 1) <= p): the bound is a quantile, `scipy.stats.beta.ppf(alpha, k, n - "
        "k + 1)`. Or halve [0, 1] some 50 times on `scipy.stats.binom.sf(k - 1, n, p)`.",
        "scipy wants NumPy: `torch.as_tensor(successes).cpu().numpy()`; back with `torch.as_tensor(p, "
        "dtype=torch.float64)`. `torch.where(k > 0, p, 0.0)` ends it.",
    ),
    why="If the true p is below the bound, k or more successes had a chance of at most alpha: so the bound is too "
    "high at most that often, for every p, n and k, with no approximation. One call serves a whole array of counts.",
    minutes=15,
)
