"""Exercise 5.10: effective sample size."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from helpers import mcmc
from helpers.exercises import Draw, Exercise, agree, holds, require
from helpers.mcmc.exercises.common import Function


def autoregressive(draw: Draw, chains: int, n: int, *phi: float) -> Tensor:
    """x_{t+1} = phi x_t + sqrt(1 - phi^2) xi, started in its law: autocorrelation phi^t; (chains, n, len(phi))."""
    xi, a = draw.normal(n, chains, len(phi)), torch.tensor(phi, dtype=draw.dtype, device=draw.device)
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


def plain_worth(draws: Tensor, *, monotone: bool = False) -> float:
    """The stub's own formula; or Geyer's monotone sequence with its last half pair, as the course's, but not capped."""
    halves = mcmc.split_chains(draws).double()
    n, gamma = halves.shape[1], mcmc.autocovariance(halves).mean(0)
    within = gamma[0] * n / (n - 1)
    rho = (1 - (within - gamma) / (within * (n - 1) / n + halves.mean(1).var(0))).tolist()
    tau, rho[0], last = -1.0, 1.0, math.inf
    for k in range(0, n - 1, 2):
        pair = rho[k] + rho[k + 1]
        if pair <= 0:
            tau += max(rho[k], 0) if monotone else 0
            break
        last = min(pair, last) if monotone else pair
        tau += 2 * last
    return len(halves) * n / tau


def _formula(f: Function, draw: Draw) -> None:
    """The stub's formula or the course's, capped or not; float32 may stop elsewhere for |pair| < 1e-7, once in 10^6."""
    rtol = 1e-9 if draw.dtype == torch.float64 else 1e-4
    runs = [_run(draw, kind) for kind in KINDS]
    got = [float(f(draws)) for draws in runs]  # all before the first is judged: a mistake has to explain all of them
    for kind, draws, worth in zip(KINDS, runs, got, strict=True):
        plain, course = plain_worth(draws), float(mcmc.effective_sample_size(draws))
        uncapped = plain_worth(draws, monotone=True)
        require(
            any(abs(worth - a) <= rtol * abs(a) for a in (plain, course, uncapped)),
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


RETURN = "return m * n / _geyer(rho).clamp(min=1 / math.log10(m * n))"
PAIRED = "rho[: n // 2 * 2].unflatten(0, (-1, 2)).sum(1)"


def _stub(
    result: str = "m * n / (2 * total - 1)",
    *,
    rho: str = "torch.cat([rho[:1] * 0 + 1, rho[1:]])",
    pairs: str = PAIRED,
    kept: str = "(pairs > 0).cumprod(0)",
    **edits: str,
) -> dict[str, str]:
    """The stub's own formula in place of the course's last line, with pieces written anew; edits: see OLD."""
    lines = f"rho = {rho}; pairs = {pairs}; total = (pairs * ({kept})).sum(0); return {result}"
    return {RETURN: lines} | {OLD[name]: new for name, new in edits.items()}


OLD = {
    "halves": "split_chains(draws)",
    "within": "gamma[0] * n / (n - 1)",
    "plus": "_variances(halves, within)",
    "excess": "1 - (within - gamma) /",
}
MEANS = "halves.double().mean(1).var(0)"

effective_sample_size = Exercise(
    "5.10",
    mcmc.effective_sample_size,
    checks=(
        holds(
            "is what the formula gives, also for antithetic, trending and stuck chains and for an odd number of draws",
            _formula,
            meaning="Go through the formula: half chains, gamma, W, var+, rho, rho_0 = 1, pairs, the stop.",
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
            _stub("m * n / total"),
        ),
        (
            "That is tau, the number of draws for one independent draw; N/tau is asked for.",
            _stub("2 * total - 1"),
        ),
        (
            "rho_0 = 1 is in the first pair and counts once: tau = 2 (sum of the pairs) - 1.",
            _stub("m * n / (2 * total + 1)"),
        ),
        ("tau = 2 (sum of the pairs) - 1: the 1 is missing.", _stub("m * n / (2 * total)")),
        ("rho_0 = 1 by definition: set it, the formula gives a little less.", _stub(rho="rho")),
        ("Cut the chains in halves first: `mcmc.split_chains`.", _stub(halves="draws")),
        (
            "That stops after the first lag. Correlations add up over all lags until they vanish in the noise.",
            _stub("m * n / (1 + 2 * rho[1])"),
        ),
        (
            "The noise of all the lags is in that sum: stop at the first pair that is not positive.",
            _stub(kept="1"),
        ),
        (
            "Pairs that are positive again after the first that is not are noise: stop there, once and for all.",
            _stub(kept="pairs > 0"),
        ),
        (
            "It stops at the first single lag that is not positive; go by pairs rho_2k + rho_2k+1.",
            _stub(pairs="rho"),
        ),
        (
            "The pair that is not positive is in the sum: stop before it.",
            _stub(kept="(pairs <= 0).cumsum(0) - (pairs <= 0).int() == 0"),
        ),
        (
            "The pairs begin at lag 0: rho_0 + rho_1, rho_2 + rho_3, ...",
            _stub("m * n / (1 + 2 * total)", pairs="rho[1 : (n + 1) // 2 * 2 - 1].unflatten(0, (-1, 2)).sum(1)"),
        ),
        (
            "Correlations within the chains only: chains in different places would look fine. Divide by var+, which "
            "holds the variance between them.",
            _stub(plus="within"),
        ),
        ("gamma_0 has the divisor n, W the divisor n - 1: W = gamma_0 n/(n - 1).", _stub(within="gamma[0]")),
        (
            "var+ contains the variance of the half chains' means, not n times it.",
            _stub(plus=f"(within * (n - 1) / n + n * {MEANS})"),
        ),
        (
            "The variance of the half chains' means has the divisor m - 1, as `var` has.",
            _stub(plus=f"(within * (n - 1) / n + {MEANS} * (m - 1) / m)"),
        ),
        (
            "rho_t = 1 - (W - gamma_t)/var+; dividing gamma_t by var+ leaves out that var+ and W differ.",
            _stub(excess="gamma /"),
        ),
        (
            "n is the length of a half chain, m their number: W and var+ were made with the length of a whole one.",
            _stub(within="gamma[0] * 2 * n / (2 * n - 1)", plus=f"(within * (2 * n - 1) / (2 * n) + {MEANS})"),
        ),
        ("N is the number of all half chains' draws, m n.", _stub("n / (2 * total - 1)")),
    ),
    hints=(
        "In which order do the pieces come? Halves, gamma_t, W, var+, rho_t, pairs, the stop, tau.",
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
