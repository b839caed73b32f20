"""What the checks of Lecture 5's exercises share: scores of noise, obedience to a generator, many cases at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from helpers.exercises import Arguments, Draw, agree, args, require

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


def quartic(x: Tensor) -> Tensor:
    """A log-density whose gradient is not linear."""
    return -x.square().sum(1) / 2 - x.pow(4).sum(1) / 8 - x.prod(1) / 3
