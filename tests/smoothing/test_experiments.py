"""The loops of lecture 9: what they take, and what they may not return."""

import math

import pytest
import torch
from torch import nn

from helpers import checkpoints, data, runtime, training
from helpers.smoothing import certified_radius, experiments, metrics, neyman_pearson_bound, smooth


def test_the_cross_pairs_are_the_stored_ones_and_stay_below_their_ceiling() -> None:
    crossed = experiments.cross_pairs(0.001, 1_000)
    assert {(0.0, 0.25), (0.25, 0.5), (0.5, 0.25), (0.5, 1.0), (1.0, 0.5)} < set(crossed)
    assert len(crossed) == 8 and all(len(found.radius) == 500 for found in crossed.values())
    ceiling = float(certified_radius(0.001 ** (1 / 1000), 1.0))
    assert all(found.radius.max() <= ceiling * tested + 1e-9 for (_, tested), found in crossed.items())
    for around in experiments.AROUND:
        assert {pair for _, pair in around} <= set(crossed)


def test_what_a_pair_loses_is_the_difference_of_the_two_means_of_the_table() -> None:
    y, crossed = data.load("mnist").y_test[:500], experiments.cross_pairs(0.001, 1_000)
    lost, error = experiments.radius_lost(crossed, 0.25, 0.5, y)
    own, best = (experiments.mean_radius(crossed[t, 0.5], y) for t in (0.25, 0.5))
    assert lost == pytest.approx(best[0] - own[0]) and 0 < error < math.hypot(own[1], best[1])
    assert experiments.radius_lost(crossed, 0.5, 0.5, y) == (0, 0)
    table = experiments.crossed_table(crossed, y).split("\n")
    assert len(table) == 5 and table[2].startswith("0.25 ") and f"{own[0]:.3f} +- {own[1]:.3f}" in table[2]
    assert [row.count("+-") for row in table] == [0, 1, 2, 3, 2]


def test_an_attacked_image_is_lost_only_where_the_votes_prove_it() -> None:
    """A half-space, from points at 0.1 of its boundary, attacked by 0.3: all are lost; by 0, or by 0.099, none is."""
    model = nn.Linear(4, 2)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[0.0] * 4, [1.0] * 4]))
        model.bias.copy_(torch.tensor([0.0, -2.0]))
    x, y = torch.full((50, 4), 0.55), torch.ones(50, dtype=torch.int64)
    g = smooth.Smooth(model, 0.1)
    left = experiments.attacked_accuracy(g, x, y, (0.0, 0.099, 0.3), runtime.generator(0, "cpu"), 0.001)
    assert left == [1, 1, 0]


def test_the_shares_of_shut_relus_are_those_of_the_layers() -> None:
    x = data.load("mnist").x_test[:20]
    for name, layers in (("mnist_mlp", 1), ("mnist_cnn", 3)):
        shares = experiments.shut_relus(name, x)
        assert len(shares) == layers and all(0.3 < share < 0.9 for share in shares)
    first = checkpoints.load("mnist_mlp")[1]
    assert experiments.shut_relus("mnist_mlp", x)[0] == pytest.approx((first(x.flatten(1)) <= 0).double().mean().item())


@pytest.mark.parametrize("seed", range(3))
def test_no_rival_keeps_less_than_the_half_space_and_each_starts_with_its_share(seed: int) -> None:
    shifts = torch.tensor([0.0, 1.0, 2.0]).double()
    kept = experiments.kept_by_rivals(0.8, shifts, runtime.generator(seed, "cpu"))
    assert kept.shape == (3, 400) and ((0.8 <= kept[0]) & (kept[0] < 0.81)).all()
    grid = (
        0.08**2 / 24 * 0.4 * shifts[:, None]
    )  # the lemma holds on the grid, whose half-spaces are off by that at most
    assert (kept >= neyman_pearson_bound(0.8, shifts[:, None], 1.0) - grid - 1e-12).all()


def test_the_three_bounds_are_nested_and_meet_where_all_is_open() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1)).requires_grad_(False)
    net[0].bias.fill_(9.0)
    found = experiments.three_bounds(net, torch.zeros(1, 2), 0.5)
    assert found["linear"] == pytest.approx(found["exact"], abs=1e-4)
    assert found["interval"][1] >= found["exact"][1] - 1e-5


def test_short_trainings_start_from_one_network_and_differ_by_their_loss() -> None:
    x, y = torch.rand(128, 1, 28, 28), torch.randint(10, (128,))
    losses = {"a": training.cross_entropy, "b": training.cross_entropy, "c": lambda m, x, y: 2 + 0 * m(x).sum()}
    found = experiments.briefly_trained(losses, (x, y), 2)
    first, same, other = (next(iter(net.parameters())) for net in found.values())
    assert torch.equal(first, same) and not torch.equal(first, other)


def test_the_table_beside_the_paper_and_the_mean_radius() -> None:
    y, pair = data.load("mnist").y_test[:500], experiments.cross_pairs(0.001, 1_000)[0.25, 0.25]
    table = experiments.beside_the_paper({0.25: pair}, y, torch.tensor([0.25, 0.5]))
    assert [tuple(row) for row in table.values()][1] == pytest.approx((0.60, 0.43))
    assert list(table.values())[2].isnan().all()
    mean, error = experiments.mean_radius(pair, y)
    assert mean == metrics.average_certified_radius(*pair[:2], y)
    right = pair.radius * (pair.prediction == y)
    assert error == pytest.approx(float(right.var().sqrt()) / math.sqrt(500))
