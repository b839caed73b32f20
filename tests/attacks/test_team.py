"""The fixed team of judges: exact on a linear model, its interval, and its verdicts on the cards."""

import math

import pytest
import torch
from torch import Tensor

from helpers import attacks, checkpoints, data, runtime
from helpers.attacks import team
from helpers.smoothing.bounds import interval_certified

JUDGED = ("mnist_ibp", "mnist_robust")


def test_the_team_leaves_exactly_those_that_a_linear_model_protects() -> None:
    g = torch.Generator().manual_seed(1)
    w = torch.randn(5, 20, generator=g, dtype=torch.float64)
    x = 0.5 + 0.1 * torch.randn(40, 20, generator=g, dtype=torch.float64).clamp(-2, 2)

    def model(z: Tensor) -> Tensor:
        return (z.flatten(1) - 0.5) @ w.T

    logits, y = model(x), model(x).argmax(1)
    gap = (logits.gather(1, y[:, None]) - logits) / (w[y][:, None] - w).abs().sum(2)
    distance = gap.scatter(1, y[:, None], math.inf).amin(1)
    ordered = distance.sort().values
    eps = float(ordered[19] + ordered[20]) / 2  # half of them are safe
    found = attacks.robust_accuracy(model, x.view(40, 1, 4, 5), y, eps, steps=50, queries=50, ranks=range(1, 5))
    assert torch.equal(found.left, distance > eps)
    hits = int(found.left.sum())
    assert found.rate == hits / 40 and found.interval == attacks.exact_interval(hits, 40)
    assert sum(left for left, _ in found.per_class(y)) == hits and sum(n for _, n in found.per_class(y)) == 40
    towards = [f"{name} towards rank {k}" for name in ("APGD-DLR", "FAB") for k in range(1, 5)]
    assert found.attacks == ("APGD-CE", *towards, "square, 50 queries")


def test_the_interval_is_scipys() -> None:
    from scipy.stats import binomtest

    for hits, n in ((0, 10), (10, 10), (283, 300), (1, 7)):
        expected = binomtest(hits, n).proportion_ci(0.95, "exact")
        assert attacks.exact_interval(hits, n) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_fab_counts_only_within_the_ball() -> None:
    mnist, model = data.load("mnist"), checkpoints.load("mnist_cnn", "cpu")
    x, y = mnist.x_test[:20], mnist.y_test[:20]
    nearest = attacks.outcome(model, x, attacks.fab(model, x, y, steps=20), y).distance
    eps = nearest.sort().values[9].item()
    inside = team.fab_within(model, x, y, eps, steps=20)
    assert torch.equal(attacks.outcome(model, x, inside, y).success, nearest <= eps)
    assert (inside - x).abs().max() <= eps


def test_every_network_trained_against_an_attack_has_its_verdict() -> None:
    cards = {name: checkpoints.card(name) for name in checkpoints.names()}
    verdicts = {name: card["verdict"] for name, card in cards.items() if "verdict" in card}
    assert tuple(name for name, verdict in verdicts.items() if "patch" not in verdict) == JUDGED  # Lecture 8 has others
    assert all((checkpoints.find(name).judge is not None) == (name in verdicts) for name in cards)


@pytest.mark.parametrize("name", JUDGED)
def test_a_verdict_adds_up_and_holds_on_some_digits(name: str) -> None:
    """A shorter team on the first twenty digits and on those that fell: it finds no others, and most of these."""
    facts, mnist, model = checkpoints.card(name)["verdict"], data.load("mnist"), checkpoints.load(name, "cpu")
    n, fallen = facts["images"], facts["fallen"]
    assert n == 300 and facts["left"] == n - len(fallen) == sum(left for left, _ in facts["left of each digit"])
    assert attacks.exact_interval(facts["left"], n) == pytest.approx(facts["interval"], abs=1e-4)
    for k, (left, of) in enumerate(facts["left of each digit"]):
        here = (mnist.y_test[:n] == k).nonzero()[:, 0].tolist()
        assert (left, of) == (len(set(here) - set(fallen)), len(here))
    chosen = torch.tensor(sorted({*range(20), *fallen}))
    short = {"steps": 50, "queries": 100, "ranks": (1, 2), "generator": runtime.generator(1, "cpu")}
    again = attacks.robust_accuracy(model, mnist.x_test[chosen], mnist.y_test[chosen], facts["eps"], **short)
    stood = torch.tensor([place not in fallen for place in chosen.tolist()])
    assert again.left[stood].all()  # nobody finds what the whole team did not
    assert (~again.left[~stood]).double().mean() > 0.7


def test_no_attack_finds_what_intervals_certify() -> None:
    facts, mnist, model = checkpoints.card("mnist_ibp")["verdict"], data.load("mnist"), checkpoints.load("mnist_ibp")
    x, y = mnist.x_test[:300].to(runtime.device()), mnist.y_test[:300].to(runtime.device())
    assert isinstance(model, torch.nn.Sequential)
    certified = interval_certified(model, x, y, facts["eps"])
    assert certified.sum() > 200 and not certified[facts["fallen"]].any()
