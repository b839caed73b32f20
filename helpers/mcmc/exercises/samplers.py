"""Exercises 5.4 and 5.5: a Gibbs sweep, the decision of Metropolis."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from helpers import mcmc
from helpers.exercises import Arguments, Draw, Exercise, agree, args, holds, raises, require

Function = Callable[..., Any]
F64 = torch.float64  # of 5.4 and 5.6: as in the lecture, where a plain torch.randn(n, generator=...) is of this dtype
N = 2_000
Z = 6.5  # standard errors: at most 10^-9 for one normal score, and for a variance of N draws (chi-square) 10^-8


def alike(
    cases: Callable[[Draw], Sequence[Any]], reference: Function, rtol: float | None = None, atol: float | None = None
) -> Callable[[Function, Draw], None]:
    """A test that f equals the reference in every case; f is called on all of them before the first is judged.

    So a mistake that is to explain the failure has to explain all the results, not only the first that is wrong.
    """

    def test(f: Function, draw: Draw) -> None:
        given = [case if isinstance(case, Arguments) else args(case) for case in cases(draw)]
        got = [f(*case.positional, **case.named) for case in given]
        for case, result in zip(given, got, strict=True):
            expected = reference(*case.positional, **case.named)
            agree(result, expected, rtol=rtol, atol=atol, on=case.bound(reference))

    return test


def standard(noise: Tensor) -> Tensor:
    """The largest z-score of the means, variances and correlations of (n, d) against those of N(0, I)."""
    n, d = noise.shape
    moments = noise.double().T @ noise.double() / n - torch.eye(d, dtype=torch.float64, device=noise.device)
    scale = torch.where(torch.eye(d, dtype=torch.bool, device=noise.device), math.sqrt(2 / n), math.sqrt(1 / n))
    return torch.maximum((moments / scale).abs().max(), (noise.double().mean(0) * math.sqrt(n)).abs().max())


def obeys(f: Function, draw: Draw, *start: Any, **options: Any) -> None:
    """Generators with one seed give the same draws, others give other ones: all randomness comes from the generator."""
    first, second, other = (
        f(*start, **options, generator=torch.Generator(draw.device).manual_seed(seed)) for seed in (7, 7, 8)
    )
    first, second, other = (a if isinstance(a, Tensor) else a[0].x for a in (first, second, other))
    meaning = "The noise does not come from `generator`: hand it on to everything that draws."
    require(torch.equal(first, second), expected="the same draws from two generators with one seed", meaning=meaning)
    require(not torch.equal(first, other), expected="other draws from another seed",
            meaning="Seed nothing: the draws must depend on the generator that is given.")  # fmt: skip


def _sweep(f: Function, draw: Draw, rho: float) -> Tensor:
    """What should be standard noise, (n, 2), one sweep after a start that is anywhere."""
    start = draw.normal(N, 2, mean=1.0, std=2.0)
    after, scale = f(start, rho, generator=draw.generator()), math.sqrt(1 - rho**2)
    return torch.stack([after[:, 0] - rho * start[:, 1], after[:, 1] - rho * after[:, 0]], 1) / scale


def _first(f: Function, draw: Draw) -> None:
    xi = _sweep(f, draw, draw.choice([-0.8, 0.6, 0.9, 0.0]))[:, :1]
    require(
        standard(xi) < Z,
        expected="x_1 of mean rho x_2 and variance 1 - rho^2",
        got=f"(x_1 - rho x_2) / sqrt(1 - rho^2) of mean {xi.mean():.3f}, variance {xi.var():.3f}",
    )


def _second(f: Function, draw: Draw) -> None:
    xi = _sweep(f, draw, draw.choice([-0.8, 0.6, 0.9, 0.0]))
    require(
        standard(xi) < Z,
        expected="x_2 of mean rho x_1 and variance 1 - rho^2 given the new x_1, with noise of its own",
        got=f"(x_2 - rho x_1) / sqrt(1 - rho^2) of mean {xi[:, 1].mean():.3f}, variance {xi[:, 1].var():.3f}",
    )


def _precise(f: Function, draw: Draw) -> None:
    xi = _sweep(f, draw, draw.choice([1 - 1e-14, 1e-14 - 1]))
    require(standard(xi) < Z, expected="the same law for |rho| = 1 - 1e-14", got=f"variances {xi.var(0).tolist()} for 1")


def _stays(f: Function, draw: Draw) -> None:
    rho, x = draw.choice([-0.7, 0.95]), draw.normal(N, 2)
    x[:, 1] = rho * x[:, 0] + math.sqrt(1 - rho**2) * x[:, 1]
    for _ in range(2):
        x = f(x, rho, generator=draw.generator())
    white = torch.stack([x[:, 0], (x[:, 1] - rho * x[:, 0]) / math.sqrt(1 - rho**2)], 1)
    require(standard(white) < Z, expected="the law of the start, N(0, [[1, rho], [rho, 1]]), after 2 sweeps")


SCALE, SECOND = "math.sqrt(1 - rho**2)", "rho * first + xi[:, 1]"

gibbs_bivariate_normal = Exercise(
    "5.4",
    mcmc.gibbs_bivariate_normal,
    checks=(
        holds(
            "draws x_1 from N(rho x_2, 1 - rho^2)",
            _first,
            dtype=F64,
            meaning="x_1 is rho times the x_2 of its own chain plus sqrt(1 - rho^2) times fresh noise.",
        ),
        holds(
            "draws x_2 from N(rho x_1, 1 - rho^2) with the new x_1",
            _second,
            dtype=F64,
            meaning="x_2 is rho times the new x_1 plus sqrt(1 - rho^2) times noise of its own.",
        ),
        holds(
            "stays in the target when it starts there",
            _stays,
            dtype=F64,
            meaning="A sweep must leave N(0, [[1, rho], [rho, 1]]) as it is.",
        ),
        holds(
            "is as good for |rho| near 1",
            _precise,
            dtype=F64,
            meaning="In the dtype of x throughout: single precision cannot tell 1 - 1e-14 from 1.",
        ),
        holds(
            "draws from its generator",
            lambda f, draw: obeys(f, draw, draw.normal(50, 2), 0.5),
            dtype=F64,
            meaning="Every torch.randn or torch.normal is given `generator=generator`.",
        ),
        raises(
            "refuses |rho| >= 1",
            lambda draw: (draw.normal(3, 2), draw.choice([1.0, -1.0, 1.5, -1.5, 2])),
            meaning="`if abs(rho) >= 1: raise ValueError(...)`: rho = -1 is as impossible as rho = 1.",
        ),
    ),
    mistakes=(
        ("The sweep leaves x as it was: it must return the new one.", lambda x, rho, *, generator=None: x),
        (
            "1 - rho^2 is the variance; the noise is multiplied by its square root.",
            {SCALE: "(1 - rho**2)"},
        ),
        (
            "The conditional law is narrower than the marginal one: its variance is 1 - rho^2, not 1.",
            {SCALE: "1.0"},
        ),
        ("The variance is 1 - rho^2, not 1 - |rho|: rho stands squared.", {SCALE: "math.sqrt(1 - abs(rho))"}),
        (
            "Each coordinate is drawn given the *other* one: x_1 from rho x_2, x_2 from rho x_1.",
            {"rho * x[:, 1]": "rho * x[:, 0]", SECOND: "rho * x[:, 1] + xi[:, 1]"},
        ),
        (
            "x_2 must see the new x_1. Both from the old values is another chain, with another stationary law.",
            {SECOND: "rho * x[:, 0] + xi[:, 1]"},
        ),
        ("Each draw needs noise of its own.", {"xi[:, 1]": "xi[:, 0]"}),
        ("All chains get the same noise: draw one for each.", {"noise(x, generator)": "noise(x[:1], generator)"}),
        ("The means are rho x_2 and rho x_1, with the sign of rho.", {"rho * x": "-rho * x", "rho * first": "-rho * first"}),
        ("There is no noise: a draw is the conditional mean plus sqrt(1 - rho^2) xi.", {SCALE: "0"}),
        ("x_1 and x_2 come out exchanged.", {f"[first, {SECOND}]": f"[{SECOND}, first]"}),
        ("x_2 must be drawn, too: a sweep is both coordinates.", {SECOND: "x[:, 1]"}),
        (
            "The order is x_1 first, then x_2. The other order is as good a sampler, and not what the checks expect.",
            {
                "rho * x[:, 1] + xi[:, 0]": "rho * x[:, 0] + xi[:, 0]",
                f"[first, {SECOND}]": f"[{SECOND}, first]",
            },
        ),
        (
            "The noise does not come from `generator`: hand it on to everything that draws.",
            {"noise(x, generator)": "noise(x, None)"},
        ),
        (
            "For |rho| >= 1 there is no such density: raise ValueError.",
            {"not abs(rho) < 1": "False", SCALE: "math.sqrt(abs(1 - rho**2))"},
        ),
    ),
    hints=(
        "x_1 given x_2 is N(rho x_2, 1 - rho^2): mean plus standard deviation times xi.",
        "`noise(x, generator)` gives both xi of the sweep, one per column.",
        "Use the new x_1 for x_2, and `torch.stack([first, second], dim=1)`.",
    ),
    why="Two lines for two conditionals, each with the latest value of the other coordinate. A new tensor is stacked, "
    "so the caller's x stays what it was. Reading the old x_1 in both lines would be a different, wrong sampler.",
)

# The last three are 2^-24 likely to be accepted by a plain `u.log() < log_ratio` in float32, where u may be 0: 4 times
# three of them in one case of two make a false alarm of 7 10^-7.
CERTAIN = (0.01, 3.0, 800.0, math.inf, 0.0, math.nan, -math.inf, -800.0, -200.0, -90.0)


def _certain(f: Function, draw: Draw) -> None:
    log_ratio = torch.tensor(CERTAIN, dtype=draw.dtype, device=draw.device).repeat(4)
    wanted = log_ratio >= 0
    require(f(log_ratio, generator=draw.generator()) == wanted, on=f"log_ratio = {list(CERTAIN)}", expected=wanted[:10])


def _frequency(f: Function, draw: Draw) -> None:
    """Each score is a share of N draws, 6.5 standard errors: for p = 0.02 a false alarm of 10^-9 (binomial)."""
    p = torch.tensor([0.02, 0.3, 0.5, 0.9], dtype=draw.dtype, device=draw.device)
    calls = [f(p.log().repeat(N // 4), generator=draw.generator()) for _ in range(4)]
    took = torch.cat(calls).reshape(-1, 4).double()
    z = (took.mean(0) - p).abs() / (p * (1 - p) / len(took)).sqrt()
    shares = [round(v, 3) for v in took.mean(0).tolist()]
    require(z < Z, on="log_ratio = ln [0.02, 0.3, 0.5, 0.9], 500 times", expected="True in these shares", got=shares)
    together = (took[:, 1] - 0.3) * (took[:, 2] - 0.5)
    require(together.mean().abs() < Z * math.sqrt(0.3 * 0.7 * 0.25 / len(took)), expected="chains independent",
            got="neighbours that decide together", meaning="Each chain needs a u of its own.")  # fmt: skip


UNIFORM = "u.log() <= log_ratio"

metropolis_accept = Exercise(
    "5.5",
    mcmc.metropolis_accept,
    checks=(
        holds(
            "accepts ratios of 1 and more, +inf with them, and refuses NaN, 0 and next to 0",
            _certain,
            meaning="u < min(1, r), as a comparison that is True where the move is made: False for NaN, True for +inf.",
        ),
        holds(
            "accepts a ratio r < 1 with probability r, each chain for itself",
            _frequency,
            meaning="A move of ratio r is made in a share r of all cases, and every chain has its own u.",
        ),
        holds(
            "draws from its generator",
            lambda f, draw: obeys(f, draw, -draw.uniform(200)),
            meaning="`torch.rand(log_ratio.shape, generator=generator)`.",
        ),
    ),
    mistakes=(
        ("It accepts everything.", {UNIFORM: "torch.ones_like(log_ratio, dtype=torch.bool)"}),
        ("It refuses everything.", {UNIFORM: "torch.zeros_like(log_ratio, dtype=torch.bool)"}),
        ("u is compared with the logarithm of the ratio: compare `u.log()`.", {UNIFORM: "u < log_ratio"}),
        (
            "The comparison is turned round: that accepts what should be refused.",
            {UNIFORM: "u.log() > log_ratio"},
        ),
        (
            "That only ever goes uphill, an optimiser. Going down with probability r makes it a sampler.",
            {UNIFORM: "log_ratio > 0"},
        ),
        (
            "That only ever goes uphill or stays level, an optimiser. Going down with probability r makes it a sampler.",
            {UNIFORM: "log_ratio >= 0"},
        ),
        (
            "r / (1 + r) is Barker's rule: it keeps detailed balance, too, and accepts less. Asked for: min(1, r).",
            {UNIFORM: "u < torch.sigmoid(log_ratio)"},
        ),
        (
            "NaN was accepted. Every comparison with NaN is False, so its negation is True; and `nan_to_num` makes 0 of "
            "it, a ratio of 1. Write the condition for accepting: u.log() < log_ratio.",
            {UNIFORM: "~(u.log() > log_ratio)"},
        ),
        (
            "That decides without chance. A move of ratio r must be accepted in a share r of all cases.",
            {UNIFORM: "log_ratio > math.log(0.5)"},
        ),
        ("One u decides for all chains; each needs its own.", {"torch.rand(log_ratio.shape": "torch.rand(()"}),
        (
            "The noise does not come from `generator`: hand it on to everything that draws.",
            {"generator=generator": "generator=None"},
        ),
        ("u is uniform, `torch.rand`; `torch.randn` is normal.", {"1 - torch.rand(": "torch.randn("}),
        ("The sign of log_ratio is flipped.", {UNIFORM: "u.log() < -log_ratio"}),
        ("+inf is a ratio too large for a number: accept it.", {UNIFORM: "(u.log() <= log_ratio) & log_ratio.isfinite()"}),
    ),
    hints=(
        "u < r has probability min(1, r) for u ~ U[0, 1). In logarithms it is log u < log r.",
        "`torch.rand(log_ratio.shape, generator=generator, device=log_ratio.device)`: one u for each chain.",
    ),
    why="log u <= log r never overflows, needs no minimum (log u <= 0 always), and is False for NaN. u = 1 - rand is "
    "never 0, which in float32 would accept any ratio once in 17 million draws. Each chain has its own u: with a common "
    "one, the chains would be right one by one and useless together.",
)
