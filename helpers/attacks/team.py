r"""The fixed team of judges in the l_inf ball, its verdict with an exact interval, and that verdict on a card."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor, nn

from helpers import data, runtime
from helpers.attacks.apgd import apgd, apgd_targeted
from helpers.attacks.blackbox import square
from helpers.attacks.hyperplane import fab
from helpers.attacks.projections import norm, spread
from helpers.attacks.threat import Model, evaluating, outcome, worst_case


class Verdict(NamedTuple):
    """left (N,): which images no attack found; rate, and its exact 95 % interval; attacks: who judged."""

    left: Tensor
    rate: float
    interval: tuple[float, float]
    attacks: tuple[str, ...]

    def per_class(self, y: Tensor) -> list[tuple[int, int]]:
        """(left, images) of each label 0 ... max y."""
        return [(int(self.left[y == k].sum()), int((y == k).sum())) for k in range(int(y.max()) + 1)]


def exact_interval(hits: float, n: float, confidence: float = 0.95) -> tuple[float, float]:
    """Clopper & Pearson's interval for a probability after `hits` of n: it covers at least as often as it says."""
    from scipy import special  # here, since it costs a fifth of what torch costs to import

    tail = (1 - confidence) / 2
    low = float(special.betaincinv(hits, n - hits + 1, tail)) if hits else 0.0
    high = float(special.betaincinv(hits + 1, n - hits, 1 - tail)) if hits < n else 1.0
    return low, high


def fab_within(model: Model, x: Tensor, y: Tensor, eps: float, **settings: Any) -> Tensor:
    """What fab finds in the l_inf ball of radius eps; where it goes farther, x."""
    x_adv = fab(model, x, y, **settings)
    return torch.where(spread(norm(x_adv - x, torch.inf) <= eps, x), x_adv, x)


def robust_accuracy(
    model: Model,
    x: Tensor,
    y: Tensor,
    eps: float,
    *,
    steps: int = 100,
    queries: int = 5000,
    ranks: Sequence[int] = range(1, 10),
    generator: Generator | None = None,
) -> Verdict:
    r"""The fixed team in the l_inf ball, each on the images that all before it left: APGD on the cross-entropy, APGD on
    the targeted DLR loss towards each rank, FAB towards each rank, and the square attack.

    An upper bound of the robust accuracy: it says what nobody found. The members, their steps and their order are
    AutoAttack's (Croce & Hein 2020), version "standard".
    """
    more: dict[str, Any] = {"eps": eps, "steps": steps}
    drawn: dict[str, Any] = {"eps": eps, "generator": generator}
    team: dict[str, Callable[[Model, Tensor, Tensor], Tensor]] = {
        "APGD-CE": partial(apgd, steps=steps, **drawn),
        **{f"APGD-DLR towards rank {k}": partial(apgd_targeted, steps=steps, rank=k, **drawn) for k in ranks},
        **{f"FAB towards rank {k}": partial(fab_within, rank=k, **more) for k in ranks},
        f"square, {queries} queries": partial(square, steps=queries, **drawn),
    }
    with evaluating(model):
        found = worst_case(team.values(), model, x, y)
    left = ~outcome(model, x, found, y).success
    hits, n = int(left.sum()), len(left)
    return Verdict(left, hits / n, exact_interval(hits, n), tuple(team))


def judge(model: nn.Module, *, eps: float, places: Sequence[int] = range(300)) -> dict[str, Any]:
    """What the team leaves of MNIST's test digits at these places, as a card holds it: minutes of one core for 300.

    left and images, the exact interval of their ratio, [left, images] of each digit, the places of those that fell.
    """
    device, mnist = next(model.parameters()).device, data.load("mnist")
    chosen = torch.tensor(places)
    x, y = mnist.x_test[chosen].to(device), mnist.y_test[chosen].to(device)
    verdict = robust_accuracy(model, x, y, eps, generator=runtime.generator(0, device))
    return {
        "norm": "l_inf",
        "eps": eps,
        "images": len(places),
        "left": int(verdict.left.sum()),
        "interval": [round(bound, 4) for bound in verdict.interval],
        "left of each digit": [list(pair) for pair in verdict.per_class(y)],
        "fallen": chosen[~verdict.left.cpu()].tolist(),
        "attacks": list(verdict.attacks),
    }
