"""Lecture 7's attacks beside the bare loop, torchattacks, foolbox, AutoAttack: seconds, and what was reached for them.

Same network, images, constants and number of steps for both, in turns in one run. Faster and weaker does not count:
under each ratio of seconds stand the images fooled and the norms, ours first. On a CPU one thread works and its CPU
time is measured, so that whatever else the machine does falls on nobody; on a GPU, the clock on the wall.
"""

import importlib.util
import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from helpers import attacks, checkpoints, data, runtime
from helpers.attacks import blackbox, minimum_norm, team
from helpers.attacks.threat import margin, outcome
from tools.bench import Row, table

Attack = Callable[[nn.Module, Tensor, Tensor], Tensor]
Rival = tuple[str, Attack, float]  # name, attack, the ratio of seconds, ours over theirs, to hold
PEERS = ("foolbox", "pyautoattack", "torchattacks")
MISSING = (
    "attacks: the rows beside torchattacks, foolbox and AutoAttack are left out: `make peers PEERS=attacks` measures "
    "them, in an environment of their own"
)


def bare_pgd(model: nn.Module, x: Tensor, y: Tensor, *, eps: float, step: float, steps: int) -> Tensor:
    """PGD as one would write it in a hurry: no checks, no choice of loss, the last iterate."""
    low, high = (x - eps).clamp(min=0), (x + eps).clamp(max=1)
    x_adv = (x + eps * (2 * torch.rand_like(x) - 1)).clamp(low, high)
    for _ in range(steps):
        x_adv.requires_grad_(True)
        (g,) = torch.autograd.grad(nn.functional.cross_entropy(model(x_adv), y), x_adv)
        x_adv = (x_adv.detach() + step * g.sign()).clamp(low, high)
    return x_adv


def of_foolbox(name: str, *, epsilon: float | None = None, **options: Any) -> Attack:
    """foolbox.attacks.NAME(**options), called as ours are; epsilon for those that have a ball.

    Where its Carlini-Wagner finds nothing it returns a black picture, and a network may take that for a success: the
    clean image stands in its place.
    """
    import foolbox

    more = {} if epsilon is None else {"epsilon": epsilon}
    peer = getattr(foolbox.attacks, name)(**options)

    def attack(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        x_adv = peer.run(foolbox.PyTorchModel(model, bounds=(0, 1)), x, y, **more).clamp(0, 1)
        return torch.where(x_adv.flatten(1).any(1).view(-1, 1, 1, 1), x_adv, x)

    return attack


def of_torchattacks(name: str, *, targeted: bool = False, **options: Any) -> Attack:
    """torchattacks.NAME(model, **options), called as ours are."""
    import torchattacks

    def attack(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        peer = getattr(torchattacks, name)(model, **options)
        if targeted:
            peer.set_mode_targeted_by_label(quiet=True)
        return peer(x, y)

    return attack


def of_autoattack(eps: float) -> Attack:
    """AutoAttack's standard team in the l_inf ball, as its authors fixed it, from seed 0."""
    import pyautoattack

    def attack(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        peer = pyautoattack.AutoAttack(model, eps=eps, seed=0, device=x.device)
        return peer.run_standard_evaluation(x, y, batch_size=len(x))[0]

    return attack


def clocked(attack: Attack, model: nn.Module, x: Tensor, y: Tensor) -> tuple[float, Tensor]:
    """Seconds (of the CPU, on a CPU) and the result; to bring it to the CPU is to wait for a GPU."""
    clock = time.process_time if x.device.type == "cpu" else time.perf_counter
    start = clock()
    x_adv = attack(model, x, y).cpu()
    return clock() - start, x_adv.to(x.device)


def duel(
    name: str,
    rivals: Sequence[Rival],
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    p: float,
    rounds: int,
    targeted: bool = False,
) -> Iterator[Row]:
    """Ours, the first of the rivals, beside each of the others.

    Of the norms, in the mean and in the median over the images that both fool, the larger ratio counts. One image in a
    hundred and half a percent of a norm are chance: where a random start fell, and where the last step ended.
    """
    torch.manual_seed(0)
    times, found = [], []
    for _ in range(rounds):
        runs = [clocked(attack, model, x, y) for _, attack, _ in rivals]
        times.append([seconds for seconds, _ in runs])
        found = [outcome(model, x, x_adv, y, p=p, targeted=targeted) for _, x_adv in runs]
    seconds, ours = [statistics.median(column) for column in zip(*times, strict=True)], found[0]
    for (rival, _, at_most), theirs, taken in list(zip(rivals, found, seconds, strict=True))[1:]:
        yield f"{name} / {rival}: seconds", seconds[0] / taken, at_most, ""
        fooled = [result.success.double().mean().item() for result in (ours, theirs)]
        yield f"  fooled {fooled[0]:.1%}, {fooled[1]:.1%}: behind by", fooled[1] - fooled[0], 0.01, ""
        both = ours.success & theirs.success
        a, b = (torch.stack([d[both].mean(), d[both].median()]).tolist() for d in (ours.distance, theirs.distance))
        text = f"  l_{p:g} mean {a[0]:.3g}, {b[0]:.3g}; median {a[1]:.3g}, {b[1]:.3g}"
        yield text, max(a[0] / b[0], a[1] / b[1]), 1.005, ""


def near_the_boundary(model: nn.Module, x: Tensor, y: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """The n images of the smallest positive margin, the only ones that a single pixel can move."""
    with torch.no_grad():
        gap = margin(model(x), y)
    rows = gap.masked_fill(gap <= 0, math.inf).argsort()[:n]
    return x[rows], y[rows]


def bench_pgd(model: nn.Module, x: Tensor, y: Tensor, *, eps: float, rounds: int, peers: bool) -> Iterator[Row]:
    """PGD-40 in the l_inf ball with a random start."""
    constants: dict[str, Any] = {"eps": eps, "steps": 40}
    rivals: list[Rival] = [
        ("", partial(attacks.pgd_linf, step=eps / 10, **constants), 1.0),
        ("bare loop", partial(bare_pgd, step=eps / 10, **constants), 1.05),
    ]
    if peers:
        rivals += [
            ("torchattacks", of_torchattacks("PGD", alpha=eps / 10, **constants), 1.05),
            ("foolbox", of_foolbox("LinfPGD", epsilon=eps, abs_stepsize=eps / 10, steps=40), 1.0),
        ]
    yield from duel(f"PGD-40, {len(x)}", rivals, model, x, y, p=math.inf, rounds=rounds)


def bench_minimum_norm(model: nn.Module, x: Tensor, y: Tensor) -> Iterator[Row]:
    """DeepFool with the paper's overshoot, and Carlini-Wagner, which may not stop early (foolbox would, by default)."""
    deepfool = of_foolbox("L2DeepFoolAttack", steps=50, overshoot=0.02)
    rivals: list[Rival] = [("", minimum_norm.deepfool, 1.0), ("foolbox", deepfool, 0.7)]
    yield from duel("DeepFool", rivals, model, x, y, p=2, rounds=3)

    plan: dict[str, Any] = {"stepsize": 0.05, "initial_const": 1.0, "abort_early": False}
    theirs = of_foolbox("L2CarliniWagnerAttack", steps=100, binary_search_steps=6, **plan)
    ours = partial(attacks.carlini_wagner, steps=100, rounds=6, c=1.0, rate=0.05)
    yield from duel("C-W", [("", ours, 1.0), ("foolbox", theirs, 1.0)], model, x[:64], y[:64], p=2, rounds=3)


def bench_pixels(model: nn.Module, x: Tensor, y: Tensor) -> Iterator[Row]:
    """JSMA towards the next class, a tenth of the pixels at most; one pixel on the images that one pixel can fool."""
    few, targets = x[:16], (y[:16] + 1) % 10
    ours = partial(attacks.jsma, budget=80, targeted=True)
    rivals: list[Rival] = [("", ours, 1.0), ("torchattacks", of_torchattacks("JSMA", targeted=True, gamma=0.1), 0.1)]
    yield from duel("JSMA", rivals, model, few, targets, p=0, rounds=3, targeted=True)

    few, labels = near_the_boundary(model, x, y, 64)
    rivals = [
        ("", partial(blackbox.one_pixel, steps=30, population=99), 1.0),
        ("torchattacks", of_torchattacks("OnePixel", steps=30, popsize=99, inf_batch=4096), 1.0),
    ]
    yield from duel("one pixel, 3,069 queries", rivals, model, few, labels, p=0, rounds=1)


def bench_team(model: nn.Module, x: Tensor, y: Tensor, *, eps: float) -> Iterator[Row]:
    """The fixed team beside AutoAttack's standard one, on the same images: ten minutes for 300 digits."""
    torch.manual_seed(0)
    ours, verdict = clocked(lambda m, x, y: team.robust_accuracy(m, x, y, eps).left, model, x, y)
    theirs, x_adv = clocked(of_autoattack(eps), model, x, y)
    left = int((~outcome(model, x, x_adv, y).success).sum())
    yield f"team, {len(x)} digits at {eps} / AutoAttack: seconds", ours / theirs, 1.0, ""
    yield f"  left {int(verdict.sum())}, {left}: behind by", float(int(verdict.sum()) - left), 0.0, ""


def rows() -> Iterator[Row]:
    """PGD beside the bare loop, and, where they are installed, everything beside torchattacks and foolbox."""
    device, mnist = runtime.device(), data.load("mnist")
    x, y = mnist.x_test[:3000].to(device), mnist.y_test[:3000].to(device)
    model = checkpoints.load("mnist_cnn", device)
    peers = all(importlib.util.find_spec(name) for name in PEERS)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield from bench_pgd(model, x[:256], y[:256], eps=0.1, rounds=7, peers=peers)
        if peers:
            robust = checkpoints.load("mnist_robust", device)
            yield from bench_pgd(robust, x[:64], y[:64], eps=0.3, rounds=3, peers=True)
            yield from bench_team(robust, x[:300], y[:300], eps=0.3)
            yield from bench_minimum_norm(model, x[:256], y[:256])
            yield from bench_pixels(model, x, y)
        else:
            print(MISSING)
    finally:
        torch.set_num_threads(threads)


if __name__ == "__main__":
    table(rows())
