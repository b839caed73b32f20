r"""Defences of the real world, and what each is worth against an attacker who knows it."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Generator, Tensor

from helpers.attacks.pgd import pgd_linf
from helpers.attacks.threat import Model, evaluating
from helpers.physical.compression import jpeg
from helpers.physical.eot import Success, success_rate
from helpers.physical.transforms import blur, quantised

Filter = Callable[[Tensor], Tensor]

FILTERS: dict[str, Filter] = {
    "JPEG": lambda x: jpeg(x, 20, rounding=torch.round),
    "blur": lambda x: blur(x, 1.0),
    "four levels": lambda x: quantised(x, 4, rounding=torch.round),
    "two levels": lambda x: quantised(x, 2, rounding=torch.round),
}


def straight_through(f: Filter, x: Tensor) -> Tensor:
    r"""f(x) to the last bit, with the gradient of x, whatever that of f is: what is rounded, cut or compressed passes
    the gradient on as if nothing had been done.

    Backward pass differentiable approximation (BPDA) by the identity: right where f(x) is near x.
    Athalye, Carlini & Wagner 2018, section 4.1.
    """
    return f(x).detach() + (x - x.detach())


def defended(model: Model, f: Filter) -> Model:
    """x -> model(f(x))."""
    return lambda x: model(f(x))


def against_filters(
    model: Model, x: Tensor, y: Tensor, *, eps: float, steps: int, generator: Generator | None = None
) -> dict[str, dict[str, Success]]:
    """How often each of FILTERS before the network lets PGD through, one row each: of the pictures themselves; made for
    the bare network; made through the filter as it is; made through it by `straight_through` (BPDA)."""
    options: dict[str, Any] = {"eps": eps, "steps": steps, "generator": generator}
    bare, found = pgd_linf(model, x, y, **options), dict[str, dict[str, Success]]()
    for name, f in FILTERS.items():
        given = {
            "clean": x,
            "bare": bare,
            "through": pgd_linf(defended(model, f), x, y, **options),
            "BPDA": pgd_linf(defended(model, partial(straight_through, f)), x, y, **options),
        }
        with torch.no_grad(), evaluating(model):
            labels = {who: model(f(z)).argmax(1) for who, z in given.items()}
        found[name] = {who: success_rate((label != y)[:, None]) for who, label in labels.items()}
    return found
