"""Every explorer of every lecture, drawn at the ends of every parameter."""

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from matplotlib.figure import Figure

from helpers import figures
from helpers.figures import explore, settings, stills
from helpers.figures._png import encode, pixels

HELPERS = Path(figures.__file__).parents[1]
WORDS = sorted(path.parent.parent.name for path in HELPERS.glob("*/figures/__init__.py"))


def explorers() -> list[Any]:
    """The draw functions with sliders, of all lectures."""
    return [
        pytest.param(draw, id=f"{word}.{name}")
        for word in WORDS
        for name, draw in vars(importlib.import_module(f"helpers.{word}.figures")).items()
        if hasattr(draw, "parameters")
    ]


EXPLORERS = explorers()
SETTINGS = [
    pytest.param(case.values[0], setting, id=f"{case.id}-{k}")
    for case in EXPLORERS
    for k, setting in enumerate(settings(case.values[0]))
]


@pytest.mark.parametrize(("draw", "setting"), SETTINGS)
def test_it_draws_at_every_setting(draw: Any, setting: dict[str, Any]) -> None:
    fig = draw(**setting)
    assert isinstance(fig, Figure) and draw(**setting) is not fig
    assert pixels(fig).std() > 0
    assert all(axes.get_title("left") or axes.get_title() or axes.get_ylabel() or axes.texts for axes in fig.axes)
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or pyplot.get_fignums() == []


@pytest.mark.parametrize("draw", EXPLORERS)
def test_it_is_pure(draw: Any) -> None:
    state, setting = torch.get_rng_state(), settings(draw)[0]
    first = pixels(draw(**setting))
    for other in settings(draw)[1:3]:
        draw(**other)
    torch.rand(3)
    assert (pixels(draw(**setting)) == first).all(), "the same parameters must give the same picture"
    torch.set_rng_state(state)
    draw(**setting)
    assert torch.equal(torch.get_rng_state(), state), "the global generator must stay as it is"


@pytest.mark.parametrize("draw", EXPLORERS)
def test_its_stills_teach(draw: Any) -> None:
    assert len(draw.stills) == 3 and draw.__doc__
    picture = stills(draw)
    assert len(picture) < 300_000
    assert len({encode(pixels(draw(**setting))) for setting in draw.stills}) == 3, "three settings, three pictures"


def test_explorers_are_found() -> None:
    assert callable(explore) and (not WORDS or EXPLORERS)
