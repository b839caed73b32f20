"""What lecture 7 measured once, kept in data/attacks/measured.json: who misleads where and from where, who is left of
300 digits drawn at random, a history of training. `python -m helpers.attacks.stored [PART ...]` measures it anew.
"""

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from helpers import checkpoints, data, models, runtime
from helpers.attacks.apgd import apgd
from helpers.attacks.blackbox import square
from helpers.attacks.defence import adversarial_training_step
from helpers.attacks.gradient import fgsm
from helpers.attacks.pgd import pgd_linf
from helpers.attacks.team import judge
from helpers.attacks.threat import Model, outcome, worst_case
from helpers.attacks.tournament import on_digits
from helpers.files import read_card, write_card
from helpers.training import accuracy

COMMAND = "python -m helpers.attacks.stored"

FILE = data.FOLDER / "attacks" / "measured.json"

RADII = (0.3, 0.31, 0.32, 0.33, 0.35)


def judges(eps: float) -> dict[str, Callable[[Model, Tensor, Tensor], Tensor]]:
    """Four searches in the l_inf ball of radius eps: PGD as it is mostly run, and three that look harder."""

    def restarted(model: Model, x: Tensor, y: Tensor) -> Tensor:
        starts = [
            lambda m, x, y, s=s: apgd(m, x, y, eps=eps, steps=100, generator=runtime.generator(s, x.device))
            for s in range(5)
        ]
        return worst_case(starts, model, x, y)

    return {
        "PGD-40": lambda m, x, y: pgd_linf(m, x, y, eps=eps, steps=40, generator=runtime.generator(0, x.device)),
        "APGD-CE, 5 x 100": restarted,
        "square, 500": lambda m, x, y: square(m, x, y, eps=eps, steps=500, generator=runtime.generator(0, x.device)),
        "square, 2,000": lambda m, x, y: square(m, x, y, eps=eps, steps=2000, generator=runtime.generator(0, x.device)),
    }


def masking(model: nn.Module, x: Tensor, y: Tensor, radii: tuple[float, ...] = RADII) -> dict[str, list[int]]:
    """{judge: how many images it leaves at each radius}."""
    left: dict[str, list[int]] = {}
    for eps in radii:
        for name, attack in judges(eps).items():
            fooled = outcome(model, x, attack(model, x, y), y).success
            left.setdefault(name, []).append(int((~fooled).sum()))
    return left


def starts(model: nn.Module, x: Tensor, y: Tensor, eps: float, *, draws: int = 5) -> dict[str, Any]:
    """How many images 20 steps of PGD leave from x itself, from each of `draws` random starts, from all of these."""

    def left(**start: Any) -> Tensor:
        return ~outcome(model, x, pgd_linf(model, x, y, eps=eps, steps=20, **start), y).success

    random = torch.stack([left(generator=runtime.generator(s, x.device)) for s in range(draws)])
    own = left(random_start=False)
    return {"eps": eps, "from x": int(own.sum()), "random": random.sum(1).tolist(), "all": int(random.all(0).sum())}


def shorter(model: nn.Module, x: Tensor, y: Tensor) -> dict[str, int]:
    """For how many images the gradient finds the shorter l_1 perturbation, and for how many random search."""
    torch.manual_seed(7)
    entrants, norms = on_digits(10), []
    for name in ("PGD l_1", "square l_1"):
        norms.append(outcome(model, x, entrants[name].attack(model, x, y), y, p=1).distance)
    return {"PGD": int((norms[0] < norms[1]).sum()), "square": int((norms[1] < norms[0]).sum())}


def history(
    inner: Callable[..., Tensor], *, steps: int = 4750, ramp: int = 1000, eps: float = 0.25
) -> list[list[float]]:
    """A LeNet trained against inner(model, x, y, eps=...), eps grown over `ramp` steps: every 250 steps
    [step, clean, FGSM, PGD-10], accuracies on 200 test digits at the last eps."""
    runtime.seed(1)
    model, g, mnist, rows = models.lenet(), runtime.generator(1, "cpu"), data.load("mnist"), []
    optimizer, x, y = torch.optim.Adam(model.parameters(), 2e-3), mnist.x_test[:200], mnist.y_test[:200]
    for t in range(steps + 1):
        if t % 250 == 0:
            pgd = pgd_linf(model, x, y, eps=eps, steps=10, generator=runtime.generator(0, "cpu"))
            rows.append([t, *(round(accuracy(model, z, y), 2) for z in (x, fgsm(model, x, y, eps=eps), pgd))])
        chosen = torch.randint(len(mnist.x_train), (64,), generator=g)
        radius = eps * min(1, (t + 1) / ramp)
        adversarial_training_step(
            model, optimizer, mnist.x_train[chosen], mnist.y_train[chosen], partial(inner, eps=radius)
        )
    return rows


def at_random(n: int) -> list[int]:
    """Places of n of MNIST's test digits: its first ones are easier than most."""
    return torch.randperm(10_000, generator=torch.Generator().manual_seed(0))[:n].tolist()


def robust() -> nn.Module:
    """The network that is judged."""
    return checkpoints.load("mnist_robust", "cpu")


def parts() -> dict[str, Callable[[], Any]]:
    """What is measured, each by itself, on the first test digits of MNIST."""
    mnist = data.load("mnist")
    x, y = mnist.x_test, mnist.y_test
    return {
        "masking, of 100": lambda: masking(robust(), x[:100], y[:100]),
        "robust, 300 at random": lambda: judge(robust(), eps=0.3, places=at_random(300)),
        "20 steps, of 300": lambda: starts(robust(), x[:300], y[:300], 0.35),
        "shorter in l_1, of 100": lambda: shorter(robust(), x[30:130], y[30:130]),
        "trained by FGSM": lambda: history(fgsm),
    }


def load() -> dict[str, Any]:
    """What was measured, its seal verified. Raises OSError for a missing or damaged file, with the remedy."""
    return read_card(FILE, f"Restore it by `git checkout -- data`, or measure again: {COMMAND}")


def main() -> None:
    """Measure all parts, or those named, and write them."""
    torch.set_num_threads(1)
    measures = parts()
    chosen = sys.argv[1:] or list(measures)
    facts: dict[str, Any] = load() if len(chosen) < len(measures) else {}
    facts |= {"rebuild": COMMAND, "network": "mnist_robust", "radii": list(RADII), "torch": torch.__version__}
    for name in chosen:
        facts[name] = measures[name]()
    write_card(FILE, {key: value for key, value in facts.items() if key != "seal"})


if __name__ == "__main__":
    main()
