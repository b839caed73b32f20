"""Our attacks beside torchattacks, foolbox and AutoAttack, on the network and the images of the lecture.

The peers live in an environment of their own (`make peers`); without them these tests are skipped.
"""

import math
from collections.abc import Callable, Iterator
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from helpers import attacks, checkpoints, data
from helpers.attacks import minimum_norm, team
from helpers.attacks.projections import norm
from helpers.attacks.threat import Outcome, outcome
from tools.bench_attacks import PEERS, Attack, of_autoattack, of_foolbox, of_torchattacks

for peer in PEERS:
    pytest.importorskip(peer, reason=f"{peer} is not installed: make peers PEERS=attacks")

CPU, STEPS = torch.device("cpu"), 20
EPS = {"mnist_cnn": 0.1, "mnist_robust": 0.35}
Pair = tuple[Attack, Attack]
Triple = tuple[Attack, Attack, float]  # ours, theirs, the share of pixels that must agree


@pytest.fixture(scope="module")
def batch() -> tuple[Tensor, Tensor]:
    mnist = data.load("mnist")
    return mnist.x_test[200:264], mnist.y_test[200:264]


def judged(attack: Attack, model: nn.Module, x: Tensor, y: Tensor, p: float) -> tuple[Tensor, Outcome]:
    """What the attack returns from random state 0, and its outcome."""
    torch.manual_seed(0)
    x_adv = attack(model, x, y)
    return x_adv, outcome(model, x, x_adv, y, p=p)


def fgsm(eps: float) -> Iterator[Triple]:
    ours = partial(attacks.fgsm, eps=eps)
    yield ours, of_torchattacks("FGSM", eps=eps), 0.999
    yield ours, of_foolbox("FGSM", epsilon=eps), 0.999


def mi_fgsm(eps: float) -> Iterator[Triple]:
    """foolbox adds up the gradients as they are, not divided by their l_1 norms."""
    ours, step = partial(attacks.mi_fgsm, eps=eps, steps=STEPS), eps / STEPS
    yield ours, of_torchattacks("MIFGSM", eps=eps, alpha=step, steps=STEPS, decay=1.0), 0.9
    yield ours, of_foolbox("MIFGSM", epsilon=eps, abs_stepsize=step, steps=STEPS, momentum=1.0), 0.0


def bim(eps: float) -> Iterator[Triple]:
    theirs = of_foolbox("LinfBasicIterativeAttack", epsilon=eps, abs_stepsize=eps / STEPS, steps=STEPS)
    yield partial(attacks.bim, eps=eps, steps=STEPS), theirs, 0.9


def pgd(eps: float) -> Iterator[Triple]:
    ours, step = partial(attacks.pgd_linf, eps=eps, steps=STEPS), 2.5 * eps / STEPS
    yield ours, of_torchattacks("PGD", eps=eps, alpha=step, steps=STEPS), 0.0
    yield ours, of_foolbox("LinfPGD", epsilon=eps, abs_stepsize=step, steps=STEPS), 0.0


@pytest.mark.parametrize(
    ("family", "checkpoint"),
    [(fgsm, "mnist_cnn"), (mi_fgsm, "mnist_cnn"), (bim, "mnist_cnn"), (pgd, "mnist_cnn"), (pgd, "mnist_robust")],
)
def test_attacks_in_the_ball_fool_as_many_and_move_as_far(
    family: Callable[[float], Iterator[Triple]], checkpoint: str, batch: tuple[Tensor, Tensor]
) -> None:
    """The random starts are the same numbers for all. The peers keep the last iterate, ours the best: never worse.

    Two images may differ beyond that: a tiny gradient's sign flips with the order of a sum. Without a random start the
    last iterate is the best for nearly all, so that the pixels agree too.
    """
    (x, y), model = batch, checkpoints.load(checkpoint, CPU)
    for ours, theirs, agreement in family(EPS[checkpoint]):
        (a, mine), (b, peers) = (judged(attack, model, x, y, math.inf) for attack in (ours, theirs))
        assert peers.success.sum() > 2
        assert (peers.success & ~mine.success).sum() <= 2
        assert abs(int(mine.success.sum()) - int(peers.success.sum())) <= 4
        torch.testing.assert_close(norm(a - x, math.inf), norm(b - x, math.inf), atol=1e-6, rtol=0)
        assert ((a - b).abs() < 1e-6).double().mean() >= agreement


MINIMUM: dict[str, Pair] = {
    "deepfool": (
        partial(minimum_norm.deepfool, steps=50),
        of_foolbox("L2DeepFoolAttack", steps=50, overshoot=0.02),
    ),
    "carlini_wagner": (
        partial(attacks.carlini_wagner, steps=40, rounds=5, rate=0.1),
        of_foolbox(
            "L2CarliniWagnerAttack",
            **{"steps": 40, "binary_search_steps": 5, "stepsize": 0.1, "initial_const": 1.0, "abort_early": False},
        ),
    ),
}


@pytest.mark.parametrize(("checkpoint", "behind", "factor"), [("mnist_cnn", 0, 1.01), ("mnist_robust", 3, 1.05)])
@pytest.mark.parametrize("name", MINIMUM)
def test_minimum_norms_and_success_are_no_worse_than_foolbox_s(
    name: str, checkpoint: str, behind: int, factor: float, batch: tuple[Tensor, Tensor]
) -> None:
    """What is left to chance: one percent of a norm, for where the last step ends. The robust network has hardly a
    gradient at the clean image, and which way an attack then wanders is chance too: three images, 5 percent."""
    (x, y), model = batch, checkpoints.load(checkpoint, CPU)
    (_, mine), (_, peers) = (judged(attack, model, x, y, 2) for attack in MINIMUM[name])
    assert mine.success.sum() >= peers.success.sum() - behind
    both = mine.success & peers.success
    assert both.sum() > 4
    assert mine.distance[both].mean() < factor * peers.distance[both].mean()
    assert mine.distance[both].median() < factor * peers.distance[both].median()


def test_jsma_takes_the_same_pixels_as_torchattacks(batch: tuple[Tensor, Tensor]) -> None:
    """Towards the next class, with the same pixels barred: the same pairs until an equal saliency is met."""
    x, y = (t[:6] for t in batch)
    model, targets = checkpoints.load("mnist_cnn", CPU), (y + 1) % 10
    a = attacks.jsma(model, x, targets, budget=40, targeted=True)
    b = of_torchattacks("JSMA", targeted=True, gamma=40 / 784)(model, x, targets)
    assert (a - b).abs().flatten(1).amax(1).lt(1e-6).sum() >= 5


@pytest.mark.parametrize(("checkpoint", "eps", "n"), [("mnist_cnn", 0.08, 30), ("mnist_robust", 0.32, 12)])
def test_the_team_leaves_no_more_than_autoattack(checkpoint: str, eps: float, n: int) -> None:
    mnist, model = data.load("mnist"), checkpoints.load(checkpoint, CPU)
    x, y = mnist.x_test[:n], mnist.y_test[:n]
    ours = team.robust_accuracy(model, x, y, eps, generator=torch.Generator().manual_seed(0)).left
    theirs = ~outcome(model, x, of_autoattack(eps)(model, x, y), y).success
    assert 0 < ours.sum() <= theirs.sum()


def test_fab_goes_no_farther_than_theirs(batch: tuple[Tensor, Tensor]) -> None:
    from pyautoattack.fab_pt import FABAttack_PT

    x, y = batch
    for checkpoint in ("mnist_cnn", "mnist_robust"):
        model = checkpoints.load(checkpoint, CPU)
        peer = FABAttack_PT(model, norm="Linf", n_iter=50, device="cpu", verbose=False)
        peer.target_class = 2  # the strongest wrong label
        theirs = outcome(model, x, peer.attack_single_run(x, y, is_targeted=True), y)
        ours = outcome(model, x, attacks.fab(model, x, y, steps=50), y)
        assert ours.success.sum() >= theirs.success.sum()
        assert ours.distance.median() < 1.005 * theirs.distance.median()
