"""Exercise 5.5: the decision of Metropolis."""

from __future__ import annotations

import math

import torch

from helpers import mcmc
from helpers.exercises import Draw, Exercise, agree, holds, require
from helpers.mcmc.exercises.common import Function, N, Z, obeys

# The last three are 2^-24 likely to be accepted by a plain `u.log() < log_ratio` in float32, where u may be 0: 4 times
# three of them in one case of two make a false alarm of 7 10^-7.
CERTAIN = (0.01, 3.0, 800.0, math.inf, 0.0, math.nan, -math.inf, -800.0, -200.0, -90.0)


def _certain(f: Function, draw: Draw) -> None:
    log_ratio = torch.tensor(CERTAIN, dtype=draw.dtype, device=draw.device).repeat(4)
    wanted = log_ratio >= 0
    got = f(log_ratio, generator=draw.generator())
    agree(got, wanted, on=f"log_ratio = {list(CERTAIN)}, four times over")


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


def _seldom(f: Function, draw: Draw) -> None:
    """40,000 moves of ratio e^-20: 8e-5 of them are accepted, 2.4e-3 where u = 0 comes once in 2^24, and three are a
    false alarm of 3e-9. A guard that keeps log r at -7 or above accepts 36 and more: three always."""
    took = int(f(torch.full((40_000,), -20.0, dtype=draw.dtype, device=draw.device), generator=draw.generator()).sum())
    require(took < 3, on="log_ratio = -20, 40,000 times", expected="next to none accepted", got=f"{took} accepted")


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
            "accepts a ratio of e^-20 next to never",
            _seldom,
            meaning="log_ratio is cut off from below: a guard belongs to what is neither a ratio nor +inf, NaN alone.",
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
            "That goes uphill or stays level, an optimiser. Going down with probability r makes it a sampler.",
            {UNIFORM: "log_ratio >= 0"},
        ),
        (
            "r / (1 + r) is Barker's rule: it keeps detailed balance, too, and accepts less. Asked for: min(1, r).",
            {UNIFORM: "u < torch.sigmoid(log_ratio)"},
        ),
        (
            "NaN was accepted. Every comparison with NaN is False, so its negation is True; and `nan_to_num` makes 0 "
            "of it, a ratio of 1. Write the condition for accepting: u.log() < log_ratio.",
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
        (
            "log_ratio is cut off from below, so that hopeless moves are made once in a while: guard NaN alone.",
            {UNIFORM: "u.log() <= log_ratio.nan_to_num(nan=-math.inf, neginf=-math.inf).clamp(min=-5)"},
        ),
        (
            "+inf is a ratio, too: accept it.",
            {UNIFORM: "(u.log() <= log_ratio) & log_ratio.isfinite()"},
        ),
    ),
    hints=(
        "u < r has probability min(1, r) for u ~ U(0, 1]. In logarithms it is log u < log r.",
        "`1 - torch.rand(log_ratio.shape, generator=generator, device=log_ratio.device)`: a u for each chain, never 0.",
    ),
    why="log u <= log r never overflows, needs no minimum (log u <= 0 always), and is False for NaN. u = 1 - rand is "
    "never 0, which in float32 would accept any ratio once in 17 million draws. Each chain has its own u: with a "
    "common one, the chains would be right one by one and useless together.",
)
