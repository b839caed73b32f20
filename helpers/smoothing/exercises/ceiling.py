"""Exercise 9.9: the largest radius that n votes can certify."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from helpers import smoothing
from helpers.exercises import Draw, Exercise, args, holds, require, same
from helpers.smoothing.exercises.gaussian import scale

Function = Callable[..., Any]


def _unanimous(f: Function, draw: Draw) -> None:
    n, alpha, sigma = draw.integer(20, 60), draw.choice([0.1, 0.01, 0.001]), scale(draw)
    all_agree = smoothing.certified_radius(smoothing.clopper_pearson_lower(n, n, alpha), sigma).item()
    nearly = smoothing.certified_radius(smoothing.clopper_pearson_lower(n - 1, n, alpha), sigma).item()
    got = f(n, alpha, sigma)
    require(
        abs(got - all_agree) < 1e-3 * all_agree,
        expected=f"{all_agree:.6g}: the radius of n votes that all agree",
        got=got,
    )
    require(got > nearly, expected=f"more than {nearly:.6g}, the radius of n - 1 votes of n", got=got)


def _grows(f: Function, draw: Draw) -> None:
    sigma, alpha = scale(draw), draw.choice([0.1, 0.01, 0.001])
    for n, times in ((1000, 1), (100, 2)):
        less, more = f(100, alpha, sigma), f(n, times * alpha, sigma)
        text = f"more than {less:.4g}, the radius of 100 votes at alpha = {alpha}"
        require(more > less, expected=text, got=more)


def _few(draw: Draw) -> Any:
    """alpha^{1/n} below 1/2, on it, and just above: 0, 0, and a little."""
    n, alpha = draw.choice([(1, 0.3), (1, 0.5), (2, 0.2), (3, 0.01), (2, 0.26), (1, 0.6), (5, 0.05)])
    return args(n, alpha, scale(draw))


ROOT, RADIUS = "alpha ** (1 / n)", "certified_radius(alpha ** (1 / n), sigma)"
QUANTILE = "torch.special.ndtri(torch.tensor(alpha ** (1 / n), dtype=torch.float64))"

max_certifiable_radius = Exercise(
    "9.9",
    smoothing.max_certifiable_radius,
    checks=(
        holds(
            "is the radius of n votes that all agree",
            _unanimous,
            times=4,
            meaning="Put k = n into the Clopper-Pearson bound, P(Bin(n, p) >= n) = p^n = alpha, and that p into the "
            "radius of Exercise 9.5.",
        ),
        holds(
            "grows with n and with alpha",
            _grows,
            meaning="More votes, or a larger alpha, bring p = alpha^{1/n} nearer to 1.",
        ),
        same(
            "is sigma Phi^{-1}(alpha^{1/n})",
            lambda draw: args(draw.choice([30, 100, 10_000, 100_000]), draw.number(1e-4, 0.05), scale(draw)),
            times=6,
            rtol=1e-3,
            meaning="p = alpha^{1/n}, then sigma Phi^{-1}(p), as a Python float.",
        ),
        same(
            "is 0 where a few votes prove nothing",
            _few,
            rtol=1e-3,
            atol=1e-6,
            meaning="Where alpha^{1/n} is not above 1/2 the radius is 0, not negative; above it, it is positive at "
            "once.",
        ),
    ),
    mistakes=(
        (
            "Always 0. Is it the n-th power of alpha? p^n = alpha gives the n-th root, p = alpha^{1/n}.",
            {ROOT: "alpha**n"},
        ),
        (
            "The n-th root, not the n-th power: p^n = alpha gives p = alpha^{1/n}.",
            {RADIUS: QUANTILE.replace(ROOT, "alpha**n") + " * sigma"},
        ),
        (
            "n is not used: that is the quantile of one look at the data, not the bound of n votes.",
            {ROOT: "1 - alpha"},
        ),
        (
            "alpha and 1 - alpha are exchanged: the bound is the p at which n votes of n happen with probability alpha "
            "only.",
            {ROOT: "(1 - alpha) ** (1 / n)"},
        ),
        ("The bound is one-sided: alpha, not alpha / 2.", {ROOT: "(alpha / 2) ** (1 / n)"}),
        (
            "That is Hoeffding's bound; it wastes the knowledge that no vote was against: 1 - p of order 1/sqrt(n) "
            "instead of 1/n.",
            {ROOT: "max(0, 1 - math.sqrt(math.log(1 / alpha) / (2 * n)))"},
        ),
        (
            "log10 with exp: use the natural logarithm in both, or simply `alpha ** (1 / n)`.",
            {ROOT: "math.exp(math.log10(alpha) / n)"},
        ),
        ("1 - alpha / n is another bound (of n tests, not of n votes): p^n = alpha.", {ROOT: "1 - alpha / n"}),
        (
            "1 + ln(alpha) / n is alpha^{1/n} for large n only; take the root itself.",
            {ROOT: "max(0, 1 + math.log(alpha) / n)"},
        ),
        (
            "sigma sqrt(2 ln n) is how it grows for huge n; it is not the value.",
            {RADIUS: "sigma * math.sqrt(2 * math.log(n))"},
        ),
        ("sigma is forgotten: Phi^{-1} counts in units of sigma.", {RADIUS: f"certified_radius({ROOT}, 1.0)"}),
        (
            "That is Phi; the radius needs the quantile Phi^{-1}, `torch.special.ndtri`.",
            {RADIUS: "sigma * " + QUANTILE.replace("ndtri", "ndtr")},
        ),
        ("That is the probability p = alpha^{1/n}; the radius is sigma Phi^{-1}(p).", {RADIUS: ROOT}),
        (
            "Below p = 1/2 the quantile is negative: nothing is certified there, return 0.",
            {RADIUS: "sigma * " + QUANTILE},
        ),
        (
            "|Phi^{-1}| below p = 1/2 is no radius: nothing is certified there, return 0.",
            {RADIUS: "sigma * abs(" + QUANTILE + ")"},
        ),
    ),
    hints=(
        "The best that can happen: all n votes for A. Which p makes that as unlikely as alpha?",
        "P(Bin(n, p) >= n) = p^n, so p = alpha^{1/n}; put it into the radius of Exercise 9.5.",
        "Return a Python float: `certified_radius(alpha ** (1 / n), sigma).item()`.",
    ),
    why="p^n = alpha is the only Clopper-Pearson bound with a closed form. It is the ceiling of every curve of "
    "certified accuracy: 3.81 sigma for n = 100,000, alpha = .001, however sure the classifier. To raise it to "
    "4 sigma takes n = 218,000 votes.",
    minutes=5,
)
