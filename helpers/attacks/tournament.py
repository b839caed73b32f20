"""Who takes part in lecture 7's comparisons, each attack in its minimum-norm form: (norm, what it knows, attack)."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from helpers.attacks.blackbox import one_pixel, square
from helpers.attacks.gradient import fgsm, mi_fgsm, random_start_fgsm
from helpers.attacks.minimum_norm import deepfool, smallest_eps
from helpers.attacks.penalty import carlini_wagner, lbfgs
from helpers.attacks.pgd import pgd_l0, pgd_l1, pgd_l2, pgd_linf
from helpers.attacks.report import Row, median_interval
from helpers.attacks.saliency import jsma
from helpers.attacks.team import exact_interval
from helpers.attacks.threat import Model, outcome

Attack = Callable[[Model, Tensor, Tensor], Tensor]


class Entrant(NamedTuple):
    """p of its norm; what it asks of the network, "gradient" or "score"; the attack, in minimum-norm form."""

    p: float
    knows: str
    attack: Attack


def minimum_norm(attack: Callable[..., Tensor], p: float, largest: float, rounds: int, /, **settings: Any) -> Attack:
    """attack(model, x, y, eps=..., **settings) in its minimum-norm form, by bisection on eps in [0, largest]."""

    def search(model: Model, x: Tensor, y: Tensor) -> Tensor:
        def at(m: Model, x: Tensor, y: Tensor, eps: Tensor) -> Tensor:
            return attack(m, x, y, eps=eps, **settings)

        return smallest_eps(at, model, x, y, p=p, largest=largest, rounds=rounds)

    return search


def fewest(model: Model, x: Tensor, y: Tensor, *, steps: int, budgets: tuple[int, ...] = (5, 10, 20, 40)) -> Tensor:
    """PGD in l_0 with each budget of pixels: for each image the first success."""
    tried = torch.stack([pgd_l0(model, x, y, budget=k, steps=steps) for k in budgets])
    first = torch.stack([outcome(model, x, z, y).success for z in tried]).int().argmax(0)
    return tried[first, torch.arange(len(x), device=x.device)]


def table_line(name: str, entrant: Entrant, row: Row, *, seconds: bool) -> str:
    """One line of the lecture's table: success and median with their 95 % intervals, and the cost."""
    hits, n = int(row.norms.isfinite().sum()), len(row.norms)
    low, high = exact_interval(hits, n)
    left, right = median_interval(row.norms)
    found = f"{row.success:.2f} [{low:.2f}, {high:.2f}]{row.median:>7.2f} [{left:.2f}, {right:.2f}]"
    clock = f"{row.seconds:>7.1f}" if seconds else ""
    return f"{name:<15}{entrant.p:>4} {entrant.knows:<9}{found:<39}{row.gradients:>6.0f}{row.queries:>6.0f}{clock}"


def _with(attack: Callable[..., Tensor], **settings: Any) -> Attack:
    return lambda model, x, y: attack(model, x, y, **settings)


def on_a_linear_model() -> dict[str, Entrant]:
    """Eight attacks with the steps that a linear model of some 60 inputs needs."""
    inf, g = math.inf, "gradient"
    return {
        "FGSM": Entrant(inf, g, minimum_norm(fgsm, inf, 1, 14)),
        "MI-FGSM": Entrant(inf, g, minimum_norm(mi_fgsm, inf, 1, 14, steps=10)),
        "PGD": Entrant(inf, g, minimum_norm(pgd_linf, inf, 1, 14, steps=10)),
        "PGD l_2": Entrant(2, g, minimum_norm(pgd_l2, 2, 1, 14, steps=40)),
        "DeepFool": Entrant(2, g, _with(deepfool, overshoot=1e-4)),
        "L-BFGS": Entrant(2, g, _with(lbfgs, rounds=14)),
        "Carlini-Wagner": Entrant(2, g, _with(carlini_wagner, rounds=8, rate=0.01)),
        "PGD l_1": Entrant(1, g, minimum_norm(pgd_l1, 1, 1, 14, steps=40)),
    }


def in_l2(steps: int, /, **schedule: Any) -> dict[str, Attack]:
    """Four searches for the smallest l_2 perturbation of a digit; schedule: Carlini-Wagner's."""
    return {
        "DeepFool": deepfool,
        "L-BFGS": _with(lbfgs, steps=10, rounds=6),
        "PGD, bisection": minimum_norm(pgd_l2, 2, 6, 8, steps=steps),
        "Carlini-Wagner": _with(carlini_wagner, **schedule),
    }


def on_digits(steps: int, /, queries: int = 60, **schedule: Any) -> dict[str, Entrant]:
    """Fourteen attacks on networks of MNIST, in four norms; schedule: Carlini-Wagner's."""
    inf, g, s = math.inf, "gradient", "score"
    pixels = _with(one_pixel, budget=5, steps=10, population=20)
    return {
        "FGSM": Entrant(inf, g, minimum_norm(fgsm, inf, 0.5, 6)),
        "FGSM, random": Entrant(inf, g, minimum_norm(random_start_fgsm, inf, 0.5, 6)),
        "MI-FGSM": Entrant(inf, g, minimum_norm(mi_fgsm, inf, 0.5, 6, steps=steps)),
        "PGD": Entrant(inf, g, minimum_norm(pgd_linf, inf, 0.5, 6, steps=steps)),
        "square": Entrant(inf, s, minimum_norm(square, inf, 0.5, 6, steps=queries)),
        "PGD l_2": Entrant(2, g, minimum_norm(pgd_l2, 2, 8, 7, steps=steps)),
        "DeepFool": Entrant(2, g, _with(deepfool, steps=20)),
        "Carlini-Wagner": Entrant(2, g, _with(carlini_wagner, **schedule)),
        "square l_2": Entrant(2, s, minimum_norm(square, 2, 8, 7, steps=queries, p=2)),
        "PGD l_1": Entrant(1, g, minimum_norm(pgd_l1, 1, 60, 7, steps=steps)),
        "square l_1": Entrant(1, s, minimum_norm(square, 1, 60, 7, steps=queries, p=1)),
        "JSMA": Entrant(0, g, _with(jsma, budget=40)),
        "PGD l_0": Entrant(0, g, _with(fewest, steps=steps)),
        "five pixels": Entrant(0, s, pixels),
    }
