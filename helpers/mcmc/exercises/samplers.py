"""Exercises 5.4 and 5.5: a Gibbs sweep, the decision of Metropolis."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from helpers import mcmc
from helpers.exercises import Draw, Exercise, holds, raises, require
from helpers.mcmc.state import noise

Function = Callable[..., Any]
Arguments = Any  # what args(...) makes
F64 = torch.float64  # as in the lecture, so that a plain torch.randn(n, generator=...) has the right dtype
N = 20_000
Z = 6.5  # standard errors: a right answer is refused once in 10^9


def standard(noise: Tensor) -> Tensor:
    """The largest z-score of the means, variances and correlations of (n, d) against those of N(0, I)."""
    n, d = noise.shape
    moments = noise.double().T @ noise.double() / n - torch.eye(d, dtype=torch.float64, device=noise.device)
    scale = torch.where(torch.eye(d, dtype=torch.bool, device=noise.device), math.sqrt(2 / n), math.sqrt(1 / n))
    return torch.maximum((moments / scale).abs().max(), (noise.double().mean(0) * math.sqrt(n)).abs().max())


def obeys(f: Function, draw: Draw, *start: Any, **options: Any) -> None:
    """Two generators with one seed must give the same draws: all randomness of f comes from its generator."""
    first, second = (f(*start, **options, generator=torch.Generator(draw.device).manual_seed(7)) for _ in range(2))
    require(
        bool(torch.equal(*(a if isinstance(a, Tensor) else a[0].x for a in (first, second)))),
        expected="the same draws from two generators with one seed",
        meaning="The noise does not come from `generator`: hand it on to everything that draws.",
    )


def _sweep(f: Function, draw: Draw, rho: float, together: bool) -> tuple[Tensor, Tensor]:
    start = draw.normal(1, 2, std=2.0).expand(N, 2).clone()
    after, scale = f(start, rho, generator=draw.generator()), math.sqrt(1 - rho**2)
    return (after[:, 0] - rho * start[:, 1]) / scale, (after[:, 1] - rho * after[:, 0]) / scale


def _first(f: Function, draw: Draw) -> None:
    e1, _ = _sweep(f, draw, draw.choice([-0.8, 0.6, 0.9]), True)
    require(
        standard(e1[:, None]) < Z,
        expected="x_1 of mean rho x_2 and variance 1 - rho^2",
        got=f"(x_1 - rho x_2) / sqrt(1 - rho^2) of mean {e1.mean():.3f}, variance {e1.var():.3f}",
    )


def _second(f: Function, draw: Draw) -> None:
    e1, e2 = _sweep(f, draw, draw.choice([-0.8, 0.6, 0.9]), True)
    require(
        standard(torch.stack([e1, e2], 1)) < Z,
        expected="x_2 of mean rho x_1 and variance 1 - rho^2 given the new x_1, with noise of its own",
        got=f"(x_2 - rho x_1) / sqrt(1 - rho^2) of mean {e2.mean():.3f}, variance {e2.var():.3f}",
    )


def _stays(f: Function, draw: Draw) -> None:
    rho = draw.choice([-0.7, 0.5, 0.95])
    x = draw.normal(N, 2)
    x[:, 1] = rho * x[:, 0] + math.sqrt(1 - rho**2) * x[:, 1]
    for _ in range(5):
        x = f(x, rho, generator=draw.generator())
    white = torch.stack([x[:, 0], (x[:, 1] - rho * x[:, 0]) / math.sqrt(1 - rho**2)], 1)
    require(standard(white) < Z, expected="the law of the start, N(0, [[1, rho], [rho, 1]]), after 5 sweeps")


def _sweeps(x, rho, generator, *, scale, old=False, shared=False):  # type: ignore[no-untyped-def]
    xi = scale * noise(x, generator)
    first = rho * x[:, 1] + xi[:, 0]
    return torch.stack([first, rho * (x[:, 0] if old else first) + xi[:, 0 if shared else 1]], 1)


def _own(x, rho, *, generator=None):  # type: ignore[no-untyped-def]
    return rho * x + math.sqrt(1 - rho**2) * noise(x, generator)


def _any_rho(x, rho, *, generator=None):  # type: ignore[no-untyped-def]
    return _sweeps(x, rho, generator, scale=math.sqrt(abs(1 - rho**2)))


gibbs_bivariate_normal = Exercise(
    "5.4",
    mcmc.gibbs_bivariate_normal,
    checks=(
        holds("draws x_1 from its law given x_2", _first, dtype=F64, times=2),
        holds("then x_2 from its law given the new x_1", _second, dtype=F64, times=2),
        holds("stays in the target when it starts there", _stays, dtype=F64),
        holds("draws from its generator", lambda f, draw: obeys(f, draw, draw.normal(50, 2), 0.5), dtype=F64),
        raises("refuses rho = 1", lambda draw: (draw.normal(3, 2), 1.0)),
    ),
    mistakes=(
        (
            "1 - rho^2 is the variance; the noise is multiplied by its square root.",
            lambda x, rho, *, generator=None: _sweeps(x, rho, generator, scale=1 - rho**2),
        ),
        (
            "The conditional law is narrower than the marginal one: its variance is 1 - rho^2, not 1.",
            lambda x, rho, *, generator=None: _sweeps(x, rho, generator, scale=1.0),
        ),
        ("Each coordinate is drawn given the *other* one: x_1 from rho x_2, x_2 from rho x_1.", _own),
        (
            "x_2 must see the new x_1. Both from the old values is another chain, with another stationary law.",
            lambda x, rho, *, generator=None: _sweeps(x, rho, generator, scale=math.sqrt(1 - rho**2), old=True),
        ),
        (
            "Each draw needs noise of its own.",
            lambda x, rho, *, generator=None: _sweeps(x, rho, generator, scale=math.sqrt(1 - rho**2), shared=True),
        ),
        (
            "The order is x_1 first, then x_2. The other order is as good a sampler, and not what the checks expect.",
            lambda x, rho, *, generator=None: _sweeps(x.flip(1), rho, generator, scale=math.sqrt(1 - rho**2)).flip(1),
        ),
        (
            "The noise does not come from `generator`: hand it on to everything that draws.",
            lambda x, rho, *, generator=None: _sweeps(x, rho, None, scale=math.sqrt(1 - rho**2)),
        ),
        ("For |rho| >= 1 there is no such density: raise ValueError.", _any_rho),
    ),
    hints=(
        "x_1 given x_2 is N(rho x_2, 1 - rho^2): mean plus standard deviation times xi.",
        "`noise(x, generator)` gives both xi of the sweep, one per column.",
        "Use the new x_1 for x_2, and `torch.stack([first, second], dim=1)`.",
    ),
    why="Two lines for two conditionals, each with the latest value of the other coordinate. A new tensor is stacked, "
    "so the caller's x stays what it was. Reading the old x_1 in both lines would be a different, wrong sampler.",
)


def _certain(f: Function, draw: Draw) -> None:
    log_ratio = torch.tensor([0.01, 3.0, 800.0, math.inf, -800.0, -math.inf], dtype=draw.dtype, device=draw.device)
    wanted = (log_ratio > 0).repeat(50)
    require(f(log_ratio.repeat(50), generator=draw.generator()) == wanted, expected=wanted)


def _nan(f: Function, draw: Draw) -> None:
    log_ratio = torch.full((5,), math.nan, dtype=draw.dtype, device=draw.device)
    require(~f(log_ratio, generator=draw.generator()), expected="False wherever the ratio is NaN")


def _frequency(f: Function, draw: Draw) -> None:
    p = torch.tensor([0.05, 0.3, 0.5, 0.9], dtype=draw.dtype, device=draw.device)
    calls = [f(p.log().repeat(N // 16), generator=draw.generator()) for _ in range(8)]
    took = torch.cat(calls).reshape(-1, 4).double().mean(0)
    z = (took - p).abs() / (p * (1 - p) / (N // 2)).sqrt()
    require(z < Z, expected=f"shares accepted of {[0.05, 0.3, 0.5, 0.9]}", got=[round(v, 3) for v in took.tolist()])


def _uniform(log_ratio: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.rand(log_ratio.shape, generator=generator, device=log_ratio.device, dtype=log_ratio.dtype)


def _one_for_all(log_ratio, *, generator=None):  # type: ignore[no-untyped-def]
    u = torch.rand((), generator=generator, device=log_ratio.device, dtype=log_ratio.dtype)
    return u.log() < log_ratio


metropolis_accept = Exercise(
    "5.5",
    mcmc.metropolis_accept,
    checks=(
        holds("accepts every ratio above 1 and none near 0", _certain, dtype=F64),
        holds("refuses a ratio of NaN", _nan, dtype=F64),
        holds("accepts a ratio r < 1 with probability r, each chain for itself", _frequency, dtype=F64, times=2),
        holds("draws from its generator", lambda f, draw: obeys(f, draw, -draw.uniform(200)), dtype=F64),
    ),
    mistakes=(
        (
            "u is compared with the logarithm of the ratio: compare `u.log()`.",
            lambda log_ratio, *, generator=None: _uniform(log_ratio, generator) < log_ratio,
        ),
        (
            "The comparison is turned round: that accepts what should be refused.",
            lambda log_ratio, *, generator=None: _uniform(log_ratio, generator).log() > log_ratio,
        ),
        (
            "That only ever goes uphill, an optimiser. Going down with probability r makes it a sampler.",
            lambda log_ratio, *, generator=None: log_ratio > 0,
        ),
        (
            "r / (1 + r) is Barker's rule: it keeps detailed balance, too, and accepts less. Asked for: min(1, r).",
            lambda log_ratio, *, generator=None: _uniform(log_ratio, generator) < torch.sigmoid(log_ratio),
        ),
        (
            "Every comparison with NaN is False, so its negation accepts NaN: write the condition for accepting.",
            lambda log_ratio, *, generator=None: ~(_uniform(log_ratio, generator).log() >= log_ratio),
        ),
        (
            "That decides without chance. A move of ratio r must be accepted in a share r of all cases.",
            lambda log_ratio, *, generator=None: log_ratio > math.log(0.5),
        ),
        ("One u decides for all chains; each needs its own.", _one_for_all),
    ),
    hints=(
        "u < r has probability min(1, r) for u ~ U[0, 1). In logarithms it is log u < log r.",
        "`torch.rand(log_ratio.shape, generator=generator, device=log_ratio.device)`: one u for each chain.",
    ),
    why="log u < log r never overflows, needs no minimum (log u < 0 always), and is False for NaN. Each chain has its "
    "own u: with a common one, the chains would be right one by one and useless together.",
)
