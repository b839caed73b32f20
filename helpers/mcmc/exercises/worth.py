"""Exercises 5.10 and 5.11: effective sample size, split R-hat."""

from __future__ import annotations

import torch
from torch import Tensor

from helpers import mcmc
from helpers.exercises import Draw, Exercise, agree, holds, require, same
from helpers.mcmc.exercises.samplers import Function


def autoregressive(draw: Draw, chains: int, n: int, *phi: float) -> Tensor:
    """x_{t+1} = phi x_t + sqrt(1 - phi^2) xi, started in its law N(0, 1): autocorrelation phi^t; (chains, n, len(phi))."""
    xi, a = draw.normal(n, chains, len(phi)), draw.normal(len(phi)) * 0 + torch.tensor(phi).to(draw.device, draw.dtype)
    x = [xi[0]]
    for noise in xi[1:]:
        x.append(a * x[-1] + (1 - a**2).sqrt() * noise)
    return torch.stack(x, 1)


KINDS = ("independent", "slow", "slower", "antithetic", "odd", "trend", "apart", "single", "stuck")


def _run(draw: Draw, kind: str) -> Tensor:
    """Independent, correlated, antithetic; an odd number; a common trend; chains apart; a single chain; one stuck."""
    phi = {"slow": 0.6, "slower": 0.9, "antithetic": -0.6, "odd": 0.5}.get(kind, 0.0)
    draws = autoregressive(draw, 1 if kind == "single" else 4, 201 if kind == "odd" else 300, phi)[..., 0]
    if kind == "trend":
        draws += torch.linspace(-2, 2, 300, dtype=draw.dtype, device=draw.device)
    if kind == "apart":
        draws += torch.tensor([[0], [0.3], [0.6], [5.0]], device=draw.device)
    if kind == "stuck":
        draws[2] = 0.25
    return draws


def plain_worth(draws: Tensor) -> float:
    """The stub's own formula, without the course's monotone sequence."""
    halves = mcmc.split_chains(draws).double()
    n, gamma = halves.shape[1], mcmc.autocovariance(halves).mean(0)
    within = gamma[0] * n / (n - 1)
    rho = (1 - (within - gamma) / (within * (n - 1) / n + halves.mean(1).var(0))).tolist()
    tau, rho[0] = -1.0, 1.0
    for k in range(0, n - 1, 2):
        if rho[k] + rho[k + 1] <= 0:
            break
        tau += 2 * (rho[k] + rho[k + 1])
    return len(halves) * n / tau


def _formula(f: Function, draw: Draw) -> None:
    """Equal to the stub's formula or to the course's; float32 means may decide a stop at |pair| < 1e-7, once in 10^6."""
    rtol = 1e-9 if draw.dtype == torch.float64 else 1e-4
    runs = [_run(draw, kind) for kind in KINDS]
    got = [float(f(draws)) for draws in runs]  # all before the first is judged: a mistake has to explain all of them
    for kind, draws, worth in zip(KINDS, runs, got, strict=True):
        plain, course = plain_worth(draws), float(mcmc.effective_sample_size(draws))
        require(
            any(abs(worth - a) <= rtol * abs(a) for a in (plain, course)),
            on=f"draws ({kind}) = of shape {tuple(draws.shape)}",
            expected=f"{plain:,.2f} (or {course:,.2f} by Geyer's monotone sequence, as in ArviZ)",
            got=f"{worth:,.2f}",
        )


def _apart(f: Function, draw: Draw) -> None:
    draws = draw.normal(4, 400) + 5 * torch.arange(4, dtype=draw.dtype, device=draw.device)[:, None]
    require(f(draws) < 40, expected="less than 40 of 1,600: the chains do not agree, so they know little")


def _columns(f: Function, draw: Draw) -> None:
    draws = autoregressive(draw, 4, 301, 0.9, 0.0, -0.5)
    draws = draws * torch.tensor([1.0, 20.0, 0.3], dtype=draw.dtype, device=draw.device)
    each = torch.stack([f(draws[..., k].clone()) for k in range(3)])
    agree(f(draws), each, rtol=1e-4, meaning="Each coordinate has its own value, and its own stop.")


PAIRED = "_geyer(rho).clamp(min=1 / math.log10(m * n))"
HALVES, GAMMA = "halves = split_chains(draws)", "gamma = autocovariance(halves).mean(0)"
VARIANCE = "_variances(halves, within)"
PAIRS = "rho[: n // 2 * 2].unflatten(0, (-1, 2)).sum(1)"
KEPT = "((pairs := {}) * (pairs > 0).cumprod(0)).sum(0)"
TAU = f"(2 * {KEPT.format(PAIRS)} - 1)"
ONE = "rho = torch.cat([rho[:1] * 0 + 1, rho[1:]])\n    "
RETURN = f"return m * n / {PAIRED}"

effective_sample_size = Exercise(
    "5.10",
    mcmc.effective_sample_size,
    checks=(
        holds(
            "is what the formula gives, also for antithetic, trending and stuck chains and for an odd number of draws",
            _formula,
            meaning="Go through the formula line by line: half chains, gamma, W, var+, rho, rho_0 = 1, pairs, the stop.",
        ),
        holds(
            "is small when the chains sit in different places",
            _apart,
            meaning="var+ holds the variance between the chains: rho_t stays near 1 when they disagree.",
        ),
        holds(
            "treats each coordinate for itself",
            _columns,
            meaning="Of draws (chains, n, d) each of the d coordinates stops at a pair of its own.",
        ),
    ),
    mistakes=(
        (
            "Every lag counts twice, for past and future: tau = 1 + 2 sum rho_t = 2 (sum of the pairs) - 1.",
            {RETURN: f"{ONE}return m * n / {TAU[4:-5]}"},
        ),
        (
            "That is tau, the number of draws for one independent draw; N/tau is asked for.",
            {RETURN: f"{ONE}return {TAU}"},
        ),
        (
            "rho_0 = 1 is in the first pair and counts once: tau = 2 (sum of the pairs) - 1.",
            {RETURN: f"{ONE}return m * n / {TAU.replace('- 1)', '+ 1)')}"},
        ),
        ("tau = 2 (sum of the pairs) - 1: the 1 is missing.", {RETURN: f"{ONE}return m * n / {TAU.replace(' - 1)', ')')}"}),
        ("rho_0 = 1 by definition: set it, the formula gives 1 - 1/n times something.", {RETURN: f"return m * n / {TAU}"}),
        (
            "Cut the chains in halves first: `mcmc.split_chains`.",
            {HALVES: "halves = draws", RETURN: f"{ONE}return m * n / {TAU}"},
        ),
        (
            "That stops after the first lag. Correlations add up over all lags until they vanish in the noise.",
            {RETURN: "return m * n / (1 + 2 * rho[1])"},
        ),
        (
            "The noise of all the lags is in that sum: stop at the first pair that is not positive.",
            {RETURN: f"{ONE}return m * n / (2 * {PAIRS}.sum(0) - 1)"},
        ),
        (
            "Pairs that are positive again after the first that is not are noise: stop there, once and for all.",
            {RETURN: f"{ONE}return m * n / {TAU.replace('.cumprod(0)', '')}"},
        ),
        (
            "It stops at the first single lag that is not positive; go by pairs rho_2k + rho_2k+1.",
            {RETURN: f"{ONE}return m * n / (2 * (rho * (rho > 0).cumprod(0)).sum(0) - 1)"},
        ),
        (
            "The pair that is not positive is in the sum: stop before it.",
            {RETURN: f"{ONE}return m * n / {TAU.replace('(pairs > 0).cumprod(0)', '((pairs <= 0).cumsum(0) - (pairs <= 0).int() == 0)')}"},
        ),
        (
            "The pairs begin at lag 0: rho_0 + rho_1, rho_2 + rho_3, ...",
            {RETURN: f"{ONE}return m * n / (1 + 2 * {KEPT.format('rho[1 : (n + 1) // 2 * 2 - 1].unflatten(0, (-1, 2)).sum(1)')})"},
        ),
        (
            "Correlations within the chains only: chains in different places would look fine. Divide by var+, which "
            "holds the variance between them.",
            {VARIANCE: "within", RETURN: f"{ONE}return m * n / {TAU}"},
        ),
        (
            "gamma_0 has the divisor n, W the divisor n - 1: W = gamma_0 n/(n - 1).",
            {"gamma[0] * n / (n - 1)": "gamma[0]", RETURN: f"{ONE}return m * n / {TAU}"},
        ),
        (
            "var+ contains the variance of the half chains' means, not n times it.",
            {VARIANCE: "(within * (n - 1) / n + n * halves.double().mean(1).var(0))", RETURN: f"{ONE}return m * n / {TAU}"},
        ),
        (
            "The variance of the half chains' means has the divisor m - 1, as `var` has.",
            {
                VARIANCE: "(within * (n - 1) / n + halves.double().mean(1).var(0, correction=0))",
                RETURN: f"{ONE}return m * n / {TAU}",
            },
        ),
        (
            "rho_t = 1 - (W - gamma_t)/var+; dividing gamma_t by var+ leaves out that var+ and W differ.",
            {"1 - (within - gamma) /": "gamma /", RETURN: f"{ONE}return m * n / {TAU}"},
        ),
        ("N is the number of all half chains' draws, m n.", {RETURN: f"{ONE}return n / {TAU}"}),
    ),
    hints=(
        "`halves = mcmc.split_chains(draws)`, `gamma = mcmc.autocovariance(halves).mean(0)`: (n, ...), lag first.",
        "rho is then a tensor over the lags; for even n, `rho[0::2] + rho[1::2]` are the pairs (of an odd n leave the "
        "last lag out).",
        "`(pairs > 0).cumprod(0)` is 1 up to the first pair that is not positive, and 0 from there on.",
    ),
    why="`_variances` is var+, and `_geyer` the sum of the pairs, which it also makes non-increasing, with half a term "
    "at the end and at most N log10 N for antithetic chains, as Stan and ArviZ do, to agree with them to the last "
    "digit. What matters is the rest: halves, var+ below, pairs, the stop.",
    minutes=25,
)


def _chains(draw: Draw) -> Tensor:
    """Few draws and many, an odd number, a single chain, chains apart, a common trend."""
    m, n, apart, trend = draw.choice([(2, 20, 0.7, 0), (4, 101, 0.7, 0), (1, 50, 0, 0), (3, 30, 5, 0), (4, 6, 1, 3)])
    drift = torch.linspace(-trend, trend, n, dtype=draw.dtype, device=draw.device)
    return draw.normal(m, n, mean=2.0) + apart * draw.normal(m, 1) + drift


def _several(draw: Draw) -> Tensor:
    """Of three coordinates one is far from 0."""
    far = torch.tensor([0.0, 1000.0, 0.0], dtype=draw.dtype, device=draw.device)
    return draw.normal(3, 40, 3) + draw.normal(3, 1, 3) + far


def _stuck(draw: Draw) -> Tensor:
    """Of the coordinates one never moved (NaN), in one every chain is stuck at a place of its own (inf)."""
    draws = draw.normal(3, 40, 3)
    draws[..., 1], draws[..., 2] = 0.5, torch.arange(3, device=draw.device)[:, None].to(draws)
    return draws


def _trend(f: Function, draw: Draw) -> None:
    draws = draw.normal(4, 200) + torch.linspace(-3, 3, 200, dtype=draw.dtype, device=draw.device)
    require(f(draws) > 1.3, expected="more than 1.3 for four chains that share a trend")


WITHIN, PLUS = "halves.double().var(1).mean(0)", "_variances(halves, within)"


def _pieces(**named: str) -> dict[str, str]:
    """var+ as the sum that it is, with pieces written anew."""
    parts = {"within": "within * (n - 1) / n", "between": "halves.double().mean(1).var(0)"} | named
    return {PLUS: f"({parts['within']} + {parts['between']})", "halves = split": "n = draws.shape[1] // 2; halves = split"}


split_rhat = Exercise(
    "5.11",
    mcmc.split_rhat,
    checks=(
        same(
            "is sqrt(var+ / W) on half chains, also for an odd number of draws and for a single chain",
            _chains,
            meaning="W: the mean of the half chains' variances. var+: W (n - 1)/n plus the variance of their means, n "
            "the length of a half chain. In float64.",
            rtol=1e-9,
        ),
        same(
            "treats each coordinate for itself, near 0 or far from it",
            _several,
            meaning="(chains, n, d) -> (d,): every mean and variance along its own dimension, in float64 from the start.",
            rtol=1e-9,
        ),
        same(
            "is NaN where nothing ever moved, inf where each chain is stuck at a place of its own",
            _stuck,
            meaning="0/0 and a positive number by 0: nothing is to be repaired, and the other coordinates stay right.",
        ),
        holds(
            "sees a trend that all chains share",
            _trend,
            meaning="Whole chains with one trend agree with each other; half chains do not.",
        ),
    ),
    mistakes=(
        (
            "Cut the chains in halves first (`mcmc.split_chains`): whole chains with a common trend agree.",
            {"split_chains(draws)": "draws"},
        ),
        ("That is sqrt(W / var+), upside down.", {f"{PLUS} / within": f"within / {PLUS}"}),
        ("That is the ratio of the variances; R-hat is its square root.", {".sqrt()": ""}),
        (
            "The result must be float64, and so must the sums on the way: `halves.double()`.",
            {WITHIN: "halves.var(1).mean(0)"},
        ),
        (
            "Variances here have the divisors n - 1 and m - 1, as `var` has.",
            {
                WITHIN: "halves.double().var(1, correction=0).mean(0)",
                **_pieces(between="halves.double().mean(1).var(0, correction=0)"),
            },
        ),
        ("W has the divisor n - 1 within each half chain.", {WITHIN: "halves.double().var(1, correction=0).mean(0)"}),
        (
            "The variance of the means has the divisor m - 1.",
            _pieces(between="halves.double().mean(1).var(0, correction=0)"),
        ),
        (
            "B is n times the variance of the means, and var+ contains B/n: the variance of the means itself.",
            _pieces(between="n * halves.double().mean(1).var(0)"),
        ),
        ("The variance of the means counts whole, it is not divided by n.", _pieces(between="halves.double().mean(1).var(0) / n")),
        ("The factor (n - 1)/n before W is missing.", _pieces(within="within")),
        (
            "n is the length of a half chain, not of a whole one.",
            _pieces(within="within * (2 * n - 1) / (2 * n)"),
        ),
        ("Without the means' variance var+ is W again, and R-hat says nothing.", _pieces(between="0")),
        (
            "The variance of all draws together is nearly var+, not quite: W (n - 1)/n plus the variance of the means.",
            {PLUS: "halves.double().flatten(0, 1).var(0)"},
        ),
        (
            "That adds standard deviations; variances are averaged and added, and the root comes last.",
            {WITHIN: "halves.double().std(1).mean(0).square()"},
        ),
        ("The coordinates are taken together: each has its own R-hat.", {".sqrt()": ".sqrt().mean()"}),
    ),
    hints=(
        "`halves = mcmc.split_chains(draws).double()` has the shape (2 chains, n, ...).",
        "W is `halves.var(1).mean(0)`, the variance of the means `halves.mean(1).var(0)`.",
    ),
    why="If all half chains sample one law, W and var+ (`_variances`) estimate the same variance and R-hat is near 1. "
    "If they are apart, W is too small and R-hat large. Nothing in it knows of a place that no chain has seen.",
)
