"""Sentences of docstrings and pictures that were once wrong, each as a test."""

import math
import warnings

import pytest
import torch
from torch import nn

from helpers import runtime
from helpers.smoothing import bounds, lipschitz
from helpers.smoothing.figures import plane, votes_bar


@pytest.mark.parametrize(("stride", "shared"), [(3, 1), (1, 9), (2, 4)])
def test_max_pooling_stretches_by_the_root_of_the_windows_that_share_an_entry(stride: int, shared: int) -> None:
    pool, g = nn.MaxPool2d(3, stride=stride), runtime.generator(0, "cpu")
    x = torch.zeros(1, 1, 9, 9)
    moved = x.clone()
    moved[..., 4, 4] = 1.0  # the centre: in the most windows
    assert (pool(moved) - pool(x)).norm() <= math.sqrt(shared)
    assert stride != 1 or (pool(moved) - pool(x)).norm() == 3
    a, b = torch.randn(2, 500, 1, 9, 9, generator=g)
    assert ((pool(a) - pool(b)).flatten(1).norm(dim=1) <= math.sqrt(shared) * (a - b).flatten(1).norm(dim=1)).all()


def test_a_local_constant_certifies_inside_its_ball_only() -> None:
    """z = (0, 1 - 9 relu(|x| - 1)): flat up to |x| = 1, and M / (sqrt 2 L) with that local L passes the ball."""
    steep = 9.0

    def logits(x: torch.Tensor) -> torch.Tensor:
        return torch.stack([torch.zeros_like(x), 1 - steep * (x.abs() - 1).relu()], 1)

    x, y, ball, local = torch.zeros(1), torch.ones(1, dtype=torch.int64), 1.0, 0.1  # constant 0 inside the ball
    r = float(lipschitz.margin_radius(logits(x), y, local))
    flip = 1 + 1 / steep
    assert r > flip > min(r, ball)  # r alone would be a false certificate


def test_intervals_certify_the_part_of_the_ball_inside_the_unit_box() -> None:
    """f(x) = (x + 0.01, 0): certified at x = 0 with eps = 0.1, though f flips at -0.05."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(1, 2)).requires_grad_(False)
    net[1].weight.copy_(torch.tensor([[1.0], [0.0]]))
    net[1].bias.copy_(torch.tensor([0.01, 0.0]))
    x, y = torch.zeros(1, 1), torch.zeros(1, dtype=torch.int64)
    assert bounds.interval_certified(net, x, y, 0.1) and net(x - 0.05).argmax() == 1
    assert "inside [0, 1]" in str(bounds.interval_certified.__doc__)


def test_the_plane_draws_no_infinite_circle() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for place in ((0.0, 2.0), (-0.9, 0.5), (2.5, -2.0)):
            fig = plane(*place, sigma=0.1, n=200)
            fig.canvas.draw()
            assert "inf" not in fig.axes[0].get_title(loc="left")


def test_the_bars_name_the_class_that_is_bounded_even_if_another_has_more_votes() -> None:
    from helpers.figures import figure

    _, axes = figure(width=5, height=3)
    votes_bar(axes, torch.tensor([40, 60]), "ab", 0.3, leader=0)
    assert axes.get_title(loc="left").startswith("40 of 100")
