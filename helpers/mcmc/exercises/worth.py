"""Exercises 5.10 and 5.11: effective sample size, split R-hat."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from helpers import mcmc
from helpers.exercises import Draw, Exercise, agree, holds, require, same

Function = Callable[..., Any]
F64 = torch.float64


def autoregressive(draw: Draw, chains: int, n: int, phi: float, *more: int) -> Tensor:
    """x_{t+1} = phi x_t + sqrt(1 - phi^2) xi, started in its law N(0, 1): autocorrelation phi^t."""
    xi = draw.normal(n, chains, *more)
    x: list[Tensor] = []
    for t in range(n):
        x.append(xi[0] if t == 0 else phi * x[-1] + (1 - phi**2) ** 0.5 * xi[t])
    return torch.stack(x, 1)


def _known(f: Function, draw: Draw) -> None:
    phi = draw.choice([0.5, 0.7, 0.9])
    worth = float(f(autoregressive(draw, 4, 2000, phi)))
    exact = 8000 * (1 - phi) / (1 + phi)
    require(
        0.5 * exact < worth < 1.7 * exact,
        expected=f"about N (1 - phi)/(1 + phi) = {exact:,.0f} for autocorrelation phi^t, phi = {phi}",
    )


def _plain(draws: Tensor) -> float:
    """The stub's own formula, without the course's monotone sequence."""
    return float(_tau(draws))


def _near(f: Function, draw: Draw) -> None:
    """Independent draws, correlated ones, and chains with a common trend, which only half chains see as it is."""
    kind = draw.choice(["independent", "correlated", "trend"])
    if kind == "trend":
        draws = draw.normal(4, 400) + torch.linspace(-2, 2, 400, dtype=draw.dtype, device=draw.device)
    else:
        draws = autoregressive(draw, 4, 1000, 0.0 if kind == "independent" else draw.choice([0.6, 0.8]))
    worth, allowed = float(f(draws)), (_plain(draws), float(mcmc.effective_sample_size(draws)))
    low, high = 0.98 * min(allowed), 1.02 * max(allowed)
    require(low < worth < high, expected=f"{low:,.1f} to {high:,.1f} for {kind} draws", got=f"{worth:,.1f}")


def _apart(f: Function, draw: Draw) -> None:
    draws = draw.normal(4, 400) + 5 * torch.arange(4, dtype=draw.dtype, device=draw.device)[:, None]
    require(f(draws) < 40, expected="less than 40 of 1,600: the chains do not agree, so they know little")


def _drifting(f: Function, draw: Draw) -> None:
    draws = draw.normal(4, 400) + torch.linspace(-3, 3, 400, dtype=draw.dtype, device=draw.device)
    require(f(draws) < 100, expected="less than 100 of 1,600: the chains are still on their way")


def _columns(f: Function, draw: Draw) -> None:
    draws = autoregressive(draw, 4, 300, 0.6, 3)
    draws = draws * torch.tensor([1.0, 2.0, 3.0], dtype=draw.dtype, device=draw.device)
    agree(f(draws), torch.stack([f(draws[..., k]) for k in range(3)]), meaning="Each coordinate has its own value.")


def _tau(draws, *, factor=2.0, between=True, everything=False, split=True, less=1.0):  # type: ignore[no-untyped-def]
    halves = mcmc.split_chains(draws) if split else draws
    m, n = halves.shape[:2]
    gamma = mcmc.autocovariance(halves).mean(0)
    within = gamma[0] * n / (n - 1)
    plus = within * (n - 1) / n + (halves.double().mean(1).var(0) if between else 0.0)
    rho = 1 - (within - gamma) / plus if between else gamma / gamma[0]
    rho[0] = 1.0
    pairs = rho[: n // 2 * 2].unflatten(0, (-1, 2)).sum(1)
    kept = torch.ones_like(pairs) if everything else (pairs > 0).cumprod(0)
    total = (pairs * kept).sum(0)
    return m * n / (factor * total - (factor - 1) * less)


def _first_lag(draws):  # type: ignore[no-untyped-def]
    halves = mcmc.split_chains(draws)
    gamma = mcmc.autocovariance(halves).mean(0)
    return halves.shape[0] * halves.shape[1] / (1 + 2 * gamma[1] / gamma[0])


effective_sample_size = Exercise(
    "5.10",
    mcmc.effective_sample_size,
    checks=(
        holds("is what the formula gives, to within 2 %", _near, dtype=F64, times=8),
        holds("is N (1 - phi)/(1 + phi) for autoregressive chains", _known, dtype=F64, times=2),
        holds("is small when the chains sit in different places", _apart, dtype=F64),
        holds("is small when the chains are still on their way", _drifting, dtype=F64),
        holds("treats each coordinate for itself", _columns, dtype=F64),
    ),
    mistakes=(
        (
            "Every lag counts twice, for past and future: tau = 1 + 2 sum rho_t = 2 (sum of the pairs) - 1.",
            lambda draws: _tau(draws, factor=1.0),
        ),
        (
            "That is tau, the number of draws for one independent draw; N/tau is asked for.",
            lambda draws: _tau(draws).reciprocal() * draws.shape[0] * draws.shape[1],
        ),
        (
            "rho_0 = 1 is in the first pair and counts once: tau = 2 (sum of the pairs) - 1.",
            lambda draws: _tau(draws, less=-1.0),
        ),
        ("Cut the chains in halves first: `mcmc.split_chains`.", lambda draws: _tau(draws, split=False)),
        (
            "That stops after the first lag. Correlations add up over all lags until they vanish in the noise.",
            _first_lag,
        ),
        (
            "The noise of a thousand lags is in that sum: stop at the first pair that is not positive.",
            lambda draws: _tau(draws, everything=True),
        ),
        (
            "Correlations within the chains only: chains in different places would look fine. Divide by var+, which "
            "holds the variance between them.",
            lambda draws: _tau(draws, between=False),
        ),
    ),
    hints=(
        "`halves = mcmc.split_chains(draws)`, `gamma = mcmc.autocovariance(halves).mean(0)`: (n, ...), lag first.",
        "rho is then a tensor over the lags; `rho[0::2] + rho[1::2]` are the pairs (for even n).",
        "`(pairs > 0).cumprod(0)` is 1 up to the first pair that is not positive, and 0 from there on.",
    ),
    why="The course's version also makes the pairs non-increasing and adds half a term at the end, as Stan and ArviZ "
    "do, to agree with them to the last digit. What matters is the rest: halves, var+ below, pairs, the stop.",
    minutes=25,
)


def _chains(draw: Draw) -> Tensor:
    n = draw.choice([20, 50, 100])
    offset = draw.normal(draw.integer(2, 5), 1, std=0.7)
    return draw.normal(len(offset), n) + offset


def _several(draw: Draw) -> Tensor:
    return draw.normal(3, 40, 2) + draw.normal(3, 1, 2)


def _trend(f: Function, draw: Draw) -> None:
    draws = draw.normal(4, 200) + torch.linspace(-3, 3, 200, dtype=draw.dtype, device=draw.device)
    require(f(draws) > 1.3, expected="more than 1.3 for four chains that share a trend")


def _scale_free(f: Function, draw: Draw) -> None:
    draws = _chains(draw)
    agree(f(100 * draws - 7), f(draws), meaning="R-hat has no unit: shift and scale must not change it.")


def _rhat(draws, *, split=True, correction=1, root=True, n_between=False, plain=False):  # type: ignore[no-untyped-def]
    halves = (mcmc.split_chains(draws) if split else draws).double()
    n = halves.shape[1]
    within, between = halves.var(1, correction=correction).mean(0), halves.mean(1).var(0, correction=correction)
    plus = within * (n - 1) / n + between * (n if n_between else 1)
    ratio = halves.flatten(0, 1).var(0) / within if plain else plus / within
    return ratio.sqrt() if root else ratio


split_rhat = Exercise(
    "5.11",
    mcmc.split_rhat,
    checks=(
        same("is sqrt(var+ / W) on half chains", _chains, dtype=F64, times=4),
        same("treats each coordinate for itself", _several, dtype=F64),
        holds("sees a trend that all chains share", _trend, dtype=F64),
        holds("has no unit", _scale_free, dtype=F64),
    ),
    mistakes=(
        (
            "Cut the chains in halves first (`mcmc.split_chains`): whole chains with a common trend agree.",
            lambda draws: _rhat(draws, split=False),
        ),
        ("That is sqrt(W / var+), upside down.", lambda draws: 1 / _rhat(draws)),
        ("That is the ratio of the variances; R-hat is its square root.", lambda draws: _rhat(draws, root=False)),
        ("Variances here have the divisors n - 1 and m - 1, as `var` has.", lambda draws: _rhat(draws, correction=0)),
        (
            "B is n times the variance of the means, and var+ contains B/n: the variance of the means itself.",
            lambda draws: _rhat(draws, n_between=True),
        ),
        (
            "The variance of all draws together is nearly var+, not quite: W (n - 1)/n plus the variance of the means.",
            lambda draws: _rhat(draws, plain=True),
        ),
    ),
    hints=(
        "`halves = mcmc.split_chains(draws).double()` has the shape (2 chains, n, ...).",
        "W is `halves.var(1).mean(0)`, the variance of the means `halves.mean(1).var(0)`.",
    ),
    why="If all half chains sample one law, W and var+ estimate the same variance and R-hat is near 1. If they are "
    "apart, W is too small and R-hat large. Nothing in it knows of a place that no chain has seen.",
)
