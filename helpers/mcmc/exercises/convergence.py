"""Exercise 5.11: split R-hat."""

from __future__ import annotations

import torch
from torch import Tensor

from helpers import mcmc
from helpers.exercises import Draw, Exercise, holds, require, same
from helpers.mcmc.exercises.common import Function


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
    return {
        PLUS: f"({parts['within']} + {parts['between']})",
        "halves = split": "n = draws.shape[1] // 2; halves = split",
    }


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
            meaning="(chains, n, d) -> (d,): means and variances one by one, in float64 from the start.",
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
        (
            "The variance of the means is not divided by n.",
            _pieces(between="halves.double().mean(1).var(0) / n"),
        ),
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
