"""The loops of lecture 9: what they take, and what they may not return."""

import math

import pytest
import torch
from torch import nn

from helpers import data, runtime, training
from helpers.smoothing import certified_radius, experiments, metrics, neyman_pearson_bound


def test_the_cross_pairs_are_the_stored_ones_and_stay_below_their_ceiling() -> None:
    pairs = experiments.cross_pairs(0.001)
    assert {(0.0, 0.25), (0.25, 0.5), (0.5, 0.25), (0.5, 1.0), (1.0, 0.5)} < {pair[:2] for pair in pairs}
    assert len(pairs) == 8 and all(len(pair.certificate.radius) == 500 for pair in pairs)
    ceiling = float(certified_radius(0.001 ** (1 / 1000), 1.0))
    assert all(pair.certificate.radius.max() <= ceiling * pair.tested + 1e-9 for pair in pairs)
    for around in experiments.AROUND:
        assert {pair for _, pair in around} <= {pair[:2] for pair in pairs}


@pytest.mark.parametrize("seed", range(3))
def test_no_rival_keeps_less_than_the_half_space_and_each_starts_with_its_share(seed: int) -> None:
    shifts = torch.tensor([0.0, 1.0, 2.0]).double()
    kept = experiments.kept_by_rivals(0.8, shifts, runtime.generator(seed, "cpu"))
    assert kept.shape == (3, 400) and ((0.8 <= kept[0]) & (kept[0] < 0.81)).all()
    assert (kept >= neyman_pearson_bound(0.8, shifts[:, None], 1.0) - 0.003).all()


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
    y, pair = data.load("mnist").y_test[:500], experiments.cross_pairs(0.001)[1]
    table = experiments.beside_the_paper({0.25: pair.certificate}, y, torch.tensor([0.25, 0.5]))
    assert [tuple(row) for row in table.values()][1] == pytest.approx((0.60, 0.43))
    assert list(table.values())[2].isnan().all()
    mean, error = experiments.mean_radius(pair.certificate, y)
    assert mean == metrics.average_certified_radius(*pair.certificate[:2], y)
    right = pair.certificate.radius * (pair.certificate.prediction == y)
    assert error == pytest.approx(float(right.var().sqrt()) / math.sqrt(500))
