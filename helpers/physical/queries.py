r"""Attacks by queries alone: an answer is one number, and no gradient comes with it.

A search makes `value(z, rows)` fall below 0: z (M, ...) are pictures in [0, 1], rows (M,) says which of the N attacked
pictures each is a version of, the answer is (M,). One picture in z is one query, whatever the batch.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from helpers import checks
from helpers.attacks.projections import clip_linf, per_image
from helpers.attacks.team import exact_interval
from helpers.attacks.threat import Checked, Model, goal

Value = Callable[[Tensor, Tensor], Tensor]
TOGETHER = 256  # pictures in one pass: what fits into a processor's cache is done four times as fast


class Run(NamedTuple):
    """x_adv (N, ...), success (N,) bool, queries (N,): those spent until success, or until the budget was."""

    x_adv: Tensor
    success: Tensor
    queries: Tensor


class Share(NamedTuple):
    """The share of pictures that fell within `budget` queries, and its exact 95 % interval."""

    budget: int
    rate: float
    low: float
    high: float


def margin_of(model: Model, y: Tensor, *, targeted: bool = False) -> Value:
    """value(z, rows): the margin of the true label, or minus the margin of the target, of a classifier; y (N,).

    Raises ValueError for logits that are NaN, probabilities, or too few. The model should be in evaluation mode.
    """
    checked = Checked(model, y)

    def value(z: Tensor, rows: Tensor) -> Tensor:
        pairs = zip(z.split(TOGETHER), y[rows].split(TOGETHER), strict=True)
        return torch.cat([goal(checked(part), labels, targeted) for part, labels in pairs])

    return value


def check_start(x: Tensor, eps: float | Tensor) -> Tensor:
    """eps as (N, 1, ..., 1). Raises ValueError unless x (N, ...) is a floating batch in [0, 1] and eps >= 0."""
    if not x.is_floating_point() or x.ndim < 2 or x.numel() == 0 or not ((x >= 0) & (x <= 1)).all():
        raise ValueError(f"x must be a non-empty floating batch in [0, 1], got {tuple(x.shape)} of {x.dtype}")
    return per_image(eps, x)


def share_within(run: Run, budgets: Sequence[int]) -> list[Share]:
    """The curve of a run: the share of its pictures that fell within each budget of queries, with its interval."""
    found = list[Share]()
    for budget in budgets:
        checks.whole("budget", budget)
        hits, n = int((run.success & (run.queries <= budget)).sum()), len(run.success)
        found.append(Share(budget, hits / n, *exact_interval(hits, n)))
    return found


# Natural evolution strategies.


def check_directions(x: Tensor, xi: Tensor, sigma: float) -> None:
    """Raise ValueError unless xi (n, N, ...) is directions for each picture of x (N, ...), n >= 1, and sigma > 0."""
    checks.positive("sigma", sigma)
    if not x.is_floating_point() or xi.ndim != x.ndim + 1 or xi.shape[1:] != x.shape or len(xi) == 0:
        raise ValueError(f"xi must be (n, *x.shape), n >= 1, x floating, got {tuple(xi.shape)} for {tuple(x.shape)}")


def check_values(values: Tensor, shape: Sequence[int]) -> Tensor:
    """values, unchanged. Raises ValueError unless they are finite, one for each query."""
    if values.shape != torch.Size(shape):
        raise ValueError(f"f must answer each query with one number, {tuple(shape)}, got {tuple(values.shape)}")
    if not values.isfinite().all():
        raise ValueError(f"f must answer with finite numbers, got {int((~values.isfinite()).sum())} NaN or infinite")
    return values


def nes_gradient(
    f: Callable[[Tensor], Tensor], x: Tensor, xi: Tensor, *, sigma: float, antithetic: bool = True
) -> Tensor:
    r"""g = (1/n) sum_i f(x + sigma xi_i) xi_i / sigma;  antithetic: over xi_1, ..., xi_n and -xi_1, ..., -xi_n, that is
    (1/n) sum_i (f(x + sigma xi_i) - f(x - sigma xi_i)) xi_i / (2 sigma).

    Both have the mean  grad E f(x + sigma xi)  for xi ~ N(0, I). x (N, ...), xi (n, N, ...) -> (N, ...); f is asked
    once, for (M, N, ...), and answers (M, N): M = n queries for each x, antithetic 2 n. Raises ValueError for other
    shapes, answers that are not finite, sigma <= 0. Ilyas et al. 2018, section 2.2.1 (Salimans et al. 2017).
    """
    check_directions(x, xi, sigma)
    directions = torch.cat([xi, -xi]) if antithetic else xi
    values = check_values(f(x + sigma * directions), directions.shape[:2])
    return torch.einsum("mn,mn...->n...", values, directions) / (sigma * len(directions))


def nes_variance(*, slope: float, value: float, d: int, sigma: float, n: int, antithetic: bool) -> float:
    r"""E |g_hat - g|^2 of nes_gradient by n queries where f is linear, |g| = slope, f(x) = value, x in R^d:

    plain ((d + 1) |g|^2 + d f(x)^2 / sigma^2) / n,  antithetic, n/2 pairs, 2 (d + 1) |g|^2 / n.
    Since E |<g, xi> xi|^2 = (d + 2) |g|^2: the term of a pair is <g, xi> xi, that of a single query has f(x) xi / sigma
    besides, which is uncorrelated with it. Raises ValueError unless d, n >= 1, sigma > 0, n even for pairs.
    """
    checks.whole("d", d)
    checks.whole("n", n)
    checks.positive("sigma", sigma)
    if antithetic and n % 2:
        raise ValueError(f"n must be even, two queries for each pair, got {n}")
    return (2 * (d + 1) * slope**2 if antithetic else (d + 1) * slope**2 + d * value**2 / sigma**2) / n


def nes_crossover(*, slope: float, d: int, sigma: float) -> float:
    r"""The |f(x)| above which pairs have the smaller variance, for linear f:  sigma |g| sqrt(1 + 1/d).

    At f(x) = 0 they have twice that of single queries: a shift of f by f(x), which costs one query, does more.
    """
    checks.whole("d", d)
    checks.positive("sigma", sigma)
    return sigma * slope * math.sqrt(1 + 1 / d)


def nes_error(
    g: Tensor, value: float, *, sigma: float, n: int, antithetic: bool, repeats: int, generator: Generator | None = None
) -> tuple[float, float]:
    """The mean of |g_hat - g|^2 over `repeats` estimates by n queries of the linear f with f(x) = value, slope g (d,),
    and its standard error."""
    x = g.new_zeros(repeats, len(g))
    xi = torch.randn((n // (1 + antithetic), *x.shape), generator=generator, device=g.device, dtype=g.dtype)
    error = (nes_gradient(lambda z: z @ g + value, x, xi, sigma=sigma, antithetic=antithetic) - g).square().sum(1)
    return float(error.mean()), float(error.std()) / math.sqrt(repeats)


@torch.no_grad()
def nes_attack(
    value: Value,
    x: Tensor,
    *,
    eps: float | Tensor,
    budget: int,
    samples: int = 50,
    sigma: float = 0.1,
    step: float | None = None,
    generator: Generator | None = None,
) -> Run:
    r"""x_{t+1} = P(x_t - step sign g_t),  g_t by nes_gradient of samples/2 pairs;  P onto the l_inf ball and [0, 1].

    samples + 1 queries a step: the last asks whether x_{t+1} succeeded, value < 0, and a picture stops there. A query
    is clipped to [0, 1], as a picture is. step: eps / 8 by default. x (N, ...) in [0, 1].
    Raises ValueError unless samples is even and the budget allows for one step. Ilyas et al. 2018, algorithm 1.
    """
    checks.whole("samples", samples)
    if samples % 2 or not budget > samples:
        raise ValueError(f"samples must be even and the budget larger, got {samples = } and {budget = }")
    radii = check_start(x, eps)
    pace = radii / 8 if step is None else per_image(step, x, "step")
    x_adv, queries, active = x.clone(), torch.zeros(len(x), dtype=torch.int64), torch.arange(len(x), device=x.device)
    success = torch.zeros(len(x), dtype=torch.bool, device=x.device)
    for _ in range(budget // (samples + 1)):
        for rows in active.split(max(1, TOGETHER // samples)):
            z = x_adv[rows]
            xi = torch.randn((samples // 2, *z.shape), generator=generator, device=x.device, dtype=x.dtype)

            def asked(versions: Tensor, rows: Tensor = rows) -> Tensor:
                return value(versions.clamp(0, 1).flatten(0, 1), rows.repeat(len(versions))).view(len(versions), -1)

            g = nes_gradient(asked, z, xi, sigma=sigma)
            x_adv[rows] = clip_linf(x[rows], radii[rows])(z - pace[rows] * g.sign())
        queries[active.cpu()] += samples + 1
        success[active] = check_values(value(x_adv[active], active), (len(active),)) < 0
        active = active[~success[active]]
        if not len(active):
            break
    return Run(x_adv, success.cpu(), queries)
