"""One row of lecture 7's evaluation table: how often, how far, at which cost."""

import time
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from helpers.attacks.threat import Counted, Model, outcome


def median_norm(success: Tensor, norms: Tensor) -> Tensor:
    r"""The median of ||delta_n|| over all n, where a failure counts as infinite (the lower middle one for even N).

    success (N,) bool, norms (N,) -> scalar; infinite when fewer than half succeed. An attack that succeeds wherever
    another does, with no larger norms, never has the larger median: the mean over successes breaks that.
    """
    return norms.where(success, torch.inf).median()


def median_interval(norms: Tensor, confidence: float = 0.95) -> tuple[float, float]:
    """Order statistics around the median of norms (N,), failures infinite: for images drawn at random they hold the
    true one with at least this probability, whatever the law.

    Below the k-th smallest lies the median with the probability P(B < k), B binomial (N, 1/2).
    """
    from scipy import special  # here, since it costs a fifth of what torch costs to import

    ranked, n = norms.sort().values, len(norms)
    k = next((k for k in range(n // 2, 0, -1) if special.bdtr(k - 1, n, 0.5) <= (1 - confidence) / 2), 0)
    return (float(ranked[k - 1]), float(ranked[n - k])) if k else (0.0, torch.inf)


class Row(NamedTuple):
    """success rate; median and mean norm, failures infinite; gradients and queries per image; seconds; the norms."""

    success: float
    median: float
    mean: float
    gradients: float
    queries: float
    seconds: float
    norms: Tensor


def evaluate(
    attack: Callable[[Model, Tensor, Tensor], Tensor], model: nn.Module, x: Tensor, y: Tensor, p: float
) -> Row:
    """Run attack(model, x, y) once, count what it asks of the model, evaluate its result anew in the l_p norm."""
    counted, start = Counted(model), time.perf_counter()
    x_adv = attack(counted, x, y)
    seconds = time.perf_counter() - start
    result = outcome(model, x, x_adv, y, p=p)
    return Row(
        result.success.double().mean().item(),
        median_norm(result.success, result.distance).item(),
        result.distance.double().mean().item(),
        counted.gradients / len(x),
        counted.queries / len(x),
        seconds,
        result.distance,
    )
