"""Exercise 9.6: the Clopper-Pearson bound."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from scipy import special

from helpers import smoothing
from helpers.exercises import Draw, Exercise, args, holds, require, same
from helpers.smoothing.exercises.gaussian import F64

Function = Callable[..., Any]


def _counted(draw: Draw) -> Any:
    """Every hard count: 0, 1, just above half, n - 1, n; one vote, few, and many."""
    n = draw.choice([1, 7, 100, 100_000])
    k = draw.integers(max(0, n - 30), n + 1, *draw.choice([(10,), (2, 5)]))
    k.view(-1)[:5] = torch.tensor([0, n, n // 2 + 1, n - 1, min(1, n)], device=k.device)
    return args(k, n, draw.number(*draw.choice([(0.0005, 0.01), (0.02, 0.5)])))


def _one(draw: Draw) -> Any:
    return args(*draw.choice([(draw.integer(90_000, 100_001), 100_000), (0, 5), (1, 1), (9, 9)]), 0.001)


def _solves(f: Function, draw: Draw) -> None:
    n, alpha = draw.choice([12, 60, 400]), draw.number(0.005, 0.2)
    k = draw.integers(1, n + 1, 8)
    p = f(k, n, alpha).detach().cpu().double().numpy()
    tail = torch.as_tensor(special.bdtrc(k.cpu().double().numpy() - 1, n, p))
    require(
        (tail - alpha).abs() < 1e-4 * alpha,
        expected=f"P(Bin(n, p) >= k) = alpha = {alpha:.4g} at the bound p",
        got=f"P(Bin(n, p) >= k) = {[float(f'{t:.4g}') for t in tail]}",
    )


def _covers(f: Function, draw: Draw) -> None:
    """The exact probability that the bound is right, on a grid of p: no simulation, so no false alarm."""
    n, alpha = draw.integer(20, 60), draw.choice([0.01, 0.05, 0.1])
    k = torch.arange(n + 1, device=draw.device)
    bound = f(k, n, alpha).detach().cpu()
    p = torch.linspace(0.002, 0.998, 499, dtype=F64)[:, None]
    times = k.cpu().double()
    law = torch.as_tensor(special.binom(n, times.numpy())) * p**times * (1 - p) ** (n - times)
    right = (law * (bound <= p)).sum(1)
    worst = int(right.argmin())
    require(
        right >= 1 - alpha - 1e-6,
        expected=f"a bound that is right with probability at least {1 - alpha:.4g}, whatever p is",
        got=f"right with probability {float(right[worst]):.4g} for p = {float(p[worst]):.3g}",
        on=f"k = 0 ... n, n = {n}, alpha = {alpha}",
    )


BETA = "special.betaincinv(k.cpu().numpy(), (n - k + 1).cpu().numpy(), alpha)"
WALD = "k / n - special.ndtri(1 - alpha) * (k / n * (1 - k / n) / n).sqrt()"
HOEFFDING = "k / n - math.sqrt(math.log(1 / alpha) / (2 * n))"
WILSON = (
    "(k / n + (z := special.ndtri(1 - alpha)) ** 2 / (2 * n) - z * (k / n * (1 - k / n) / n + z**2 / (4 * n**2))"
    ".sqrt()) / (1 + z**2 / n)"
)
ZERO, NO_ZERO = "torch.where(k > 0, torch.as_tensor(p, device=k.device), 0.0)", "torch.as_tensor(p, device=k.device)"

clopper_pearson_lower = Exercise(
    "9.6",
    smoothing.clopper_pearson_lower,
    checks=(
        holds(
            "is right with probability at least 1 - alpha, whatever p is",
            _covers,
            seconds=10,
            meaning="Such a bound is above the truth too often. It must go down to the p under which k or more "
            "successes have probability alpha only.",
        ),
        holds(
            "solves P(Bin(n, p) >= k) = alpha",
            _solves,
            seconds=10,
            meaning="A lower p would be safe too, but wastes votes; a higher one is not safe. The bound is the p at "
            "which P(Bin(n, p) >= k), k included, is alpha.",
        ),
        same(
            "is that p, for counts of any shape; 0 for k = 0",
            _counted,
            rtol=1e-8,
            atol=1e-10,
            seconds=10,
            meaning="The alpha quantile of Beta(k, n - k + 1) in float64, entry by entry; for k = 0 that law does not "
            "exist and the bound is 0.",
        ),
        same(
            "takes one count as well",
            _one,
            rtol=1e-8,
            atol=1e-10,
            seconds=10,
            meaning="`k = torch.as_tensor(successes)` first; one count gives a tensor without axes.",
        ),
    ),
    mistakes=(
        (
            "That is the lower end of a two-sided interval, alpha / 2 on each side. Only one side matters here: alpha.",
            {"numpy(), alpha)": "numpy(), alpha / 2)"},
        ),
        (
            "k / n is the estimate; it lies above the truth about every second time. Go down to a p that makes k "
            "successes as unlikely as alpha.",
            {BETA: "k / n"},
        ),
        (
            "That is Hoeffding's bound: sound, but it does not know that the binomial law is narrow near p = 1, where "
            "the radii are large.",
            {BETA: HOEFFDING},
        ),
        (
            "That is Hoeffding's bound: sound, but it does not know that the binomial law is narrow near p = 1, where "
            "the largest radii come from.",
            {BETA: f"({HOEFFDING}).clamp(min=0)"},
        ),
        (
            "That is the normal approximation: for k = n it says 1, and near 1 it is wrong far more often than alpha.",
            {BETA: WALD},
        ),
        (
            "That is the normal approximation, cut at 0: for k = n it says 1, and near 1 it is wrong far more often "
            "than alpha.",
            {BETA: f"({WALD}).clamp(min=0)"},
        ),
        ("That is Wilson's interval, an approximation: its error can exceed alpha.", {BETA: WILSON}),
        (
            "That is the 1 - alpha quantile of the Beta law; the lower bound is its alpha quantile.",
            {"numpy(), alpha)": "numpy(), 1 - alpha)"},
        ),
        (
            "That is the upper bound of p, Beta(k + 1, n - k) at 1 - alpha; the lower one is asked for.",
            {
                BETA: "special.betaincinv((k + 1).numpy(), (n - k).numpy(), 1 - alpha)",
                "(p, ": "(p).nan_to_num(1.0).to(",
            },
        ),
        (
            "Beta(k + 1, n - k + 1) is the posterior under a flat prior; it does not guarantee 1 - alpha for every p. "
            "The first parameter is k.",
            {"k.cpu().numpy()": "(k + 1).cpu().numpy()"},
        ),
        (
            "Beta(k + 1, n - k + 1) is the posterior under a flat prior, and for k = 0 it is not 0 either. The first "
            "parameter is k.",
            {"k.cpu().numpy()": "(k + 1).cpu().numpy()", ZERO: NO_ZERO},
        ),
        (
            "Beta(k + 1/2, n - k + 1/2) is Jeffreys' interval; it does not guarantee 1 - alpha for every p.",
            {BETA: "special.betaincinv((k + 0.5).numpy(), (n - k + 0.5).numpy(), alpha)"},
        ),
        ("The second parameter is n - k + 1; with n - k the case k = n has no law at all.", {"n - k + 1": "n - k"}),
        (
            "Beta(k + 1, n - k) belongs to the *upper* bound of p, at 1 - alpha; the lower one has Beta(k, n - k + 1).",
            {BETA: "special.betaincinv((k + 1).numpy(), (n - k).numpy(), alpha)"},
        ),
        (
            "Beta(k + 1, n - k) belongs to the *upper* bound of p, at 1 - alpha; the lower one has Beta(k, n - k + 1), "
            "and is 0 for k = 0.",
            {BETA: "special.betaincinv((k + 1).numpy(), (n - k).numpy(), alpha)", ZERO: NO_ZERO},
        ),
        (
            "`binom.sf(k, n, p)` is P(> k), without k itself: P(>= k) is `binom.sf(k - 1, n, p)`. So the bound is one "
            "success too high.",
            {BETA: "special.betaincinv((k + 1).numpy(), (n - k).numpy(), alpha)", "(p, ": "(p).nan_to_num(1.0).to("},
        ),
        (
            "Beta(0, n + 1) does not exist: for k = 0 the bound is 0, for any p could give no success.",
            {ZERO: NO_ZERO},
        ),
    ),
    hints=(
        "The bound is the p that would make k successes or more as unlikely as alpha: P(Bin(n, p) >= k) = alpha.",
        "P(Bin(n, p) >= k) = P(Beta(k, n - k + 1) <= p): the bound is a quantile, `scipy.stats.beta.ppf(alpha, k, n - "
        "k + 1)`. Or halve [0, 1] some 50 times on `scipy.stats.binom.sf(k - 1, n, p)`.",
        "scipy wants NumPy: `k = torch.as_tensor(successes)`, `k.cpu().numpy()`; back with `torch.as_tensor(p, "
        "dtype=torch.float64)`. `torch.where(k > 0, p, 0.0)` ends it.",
    ),
    why="If the true p is below the bound, k or more successes had a chance of at most alpha: so the bound is too "
    "high at most that often, for every p, n and k, with no approximation. `special.betaincinv(a, b, alpha)` is the "
    "quantile `stats.beta.ppf(alpha, a, b)`, only faster: one call serves a whole array of counts.",
    minutes=15,
)
