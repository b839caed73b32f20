"""Exercise 5.4: a Gibbs sweep."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from helpers import mcmc
from helpers.exercises import Draw, Exercise, holds, raises, require
from helpers.mcmc.exercises.common import F64, Function, N, Z, obeys, standard


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
    require(
        standard(xi) < Z, expected="the same law for |rho| = 1 - 1e-14", got=f"variances {xi.var(0).tolist()} for 1"
    )


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
        (
            "The sign of rho is flipped.",
            {"rho * x": "-rho * x", "rho * first": "-rho * first"},
        ),
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
        "Draw from a normal law as mean plus standard deviation times xi; 1 - rho^2 is a variance.",
        "`noise(x, generator)` gives both xi of the sweep, one per column.",
        "Use the new x_1 for x_2, and `torch.stack([first, second], dim=1)`.",
    ),
    why="Two lines for two conditionals, each with the latest value of the other coordinate. A new tensor is stacked, "
    "so the caller's x stays what it was. Reading the old x_1 in both lines would be a different, wrong sampler.",
)
