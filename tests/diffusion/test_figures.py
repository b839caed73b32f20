"""The figures of lecture 6 show what they were given; the cloud and the forward slider tell the truth."""

import math

import pytest
import torch

from helpers import diffusion
from helpers.diffusion.figures import contest, digits, explorers, frechet, orders, schedules

pytestmark = pytest.mark.filterwarnings("error")


def test_a_cloud_starts_as_noise_and_ends_where_the_sampler_ends() -> None:
    film = explorers._film("DDIM", 7, 0.0)
    denoiser = diffusion.mixture_denoiser(diffusion.ring(), diffusion.linear(1000))
    assert torch.equal(film[-1], diffusion.sample(denoiser, diffusion.linear(1000), film[0], steps=7))
    assert film.shape == (8, explorers.POINTS, 2) and abs(film[0].std() - 1) < 5 / math.sqrt(2 * film[0].numel())


def test_a_cloud_of_many_steps_lies_on_the_ring() -> None:
    radius = explorers._film("DDPM", 50, 0.0)[-1].norm(dim=1)
    assert ((radius - math.sqrt(2)).abs() < 0.6).double().mean() > 0.99


def test_the_forward_slider_shows_its_alpha_bar() -> None:
    fig = explorers.forward(500, "cosine")
    (dot,) = (line for line in fig.axes[1].lines if line.get_marker() == "o")
    assert dot.get_xdata()[0] == 500
    assert dot.get_ydata()[0] == pytest.approx(float(diffusion.cosine(1000).at(500)))
    assert "no noise" in explorers.forward(0, "linear").axes[0].get_title("left")


def test_points_are_not_joined_where_nothing_was_measured_between() -> None:
    steps, values = (5, 10, 20), [0.3, 0.2, 0.1]
    fig = contest({"DDIM": steps}, {"DDIM": values}, torch.tensor([0.01, 0.02, 0.03]))
    assert list(fig.axes[0].lines[0].get_ydata()) == values and fig.axes[0].lines[0].get_linestyle() == "None"
    assert orders(steps, {"Heun": values}, {"Heun": 2.0}).axes[0].lines[0].get_linestyle() == "None"


def test_a_schedule_is_drawn_over_its_share_of_time() -> None:
    fig = schedules({"a": diffusion.linear(1000), "b": diffusion.linear(100), "c": diffusion.cosine(50)})
    assert [float(line.get_xdata()[-1]) for line in fig.axes[0].lines] == [1, 1, 1]


def test_frechet_distances_stand_at_their_steps() -> None:
    rows = {f"{name} {n}": {"frechet": [n / 10, 0.1]} for name in ("ddpm", "ddim", "linear", "cosine") for n in (5, 20)}
    (shown, *_) = frechet(rows, rows, (1.0, 0.1)).axes[0].containers
    assert list(shown.lines[0].get_ydata()) == [0.5, 2.0]
    assert list(shown.lines[0].get_xdata()) == pytest.approx([5, 20], rel=0.07)


def test_strips_have_a_title_for_each_column() -> None:
    fig = digits.strips(torch.zeros(2, 3, 1, 28, 28), ["a", "b", "c"])
    assert [text.get_text() for text in fig.axes[0].texts] == ["a", "b", "c"]
