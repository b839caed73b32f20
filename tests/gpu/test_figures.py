"""On the pretended GPU (`pytest --gpu`): explorers and figures draw what lives there."""

import importlib
from pathlib import Path
from typing import Any

import pytest
import torch

from helpers import figures
from helpers.smoothing.figures import curves, theory

WORDS = sorted(path.parent.parent.name for path in Path(figures.__file__).parents[1].glob("*/figures/__init__.py"))
EXPLORERS = [
    pytest.param(draw, id=f"{word}.{name}")
    for word in WORDS
    for name, draw in vars(importlib.import_module(f"helpers.{word}.figures")).items()
    if hasattr(draw, "stills")
]


@pytest.mark.parametrize("draw", EXPLORERS)
def test_explorers_draw(draw: Any) -> None:
    assert figures.pixels(draw(**draw.stills[0])).std() > 0


def test_figures_take_tensors_of_the_gpu() -> None:
    radii, curve = torch.linspace(0, 1, 11), torch.linspace(1, 0, 11)
    radius = torch.rand(20, dtype=torch.float64)
    assert radii.is_cuda
    for figure in (
        curves.two_sides(radii, curve, (0.5, 1.0), (0.9, 0.8), 20, 0.9),
        curves.waterfalls(radii, {0.25: curve, 0.5: curve}, {0.25: 0.4, 0.5: 0.8}),
        curves.methods(radii, {name: curve for name in "abc"}, 0.9),
        curves.crossed(radii, {0.25: curve, 0.5: curve}, {0.5: curve, 1.0: curve}),
        curves.knobs({100: radius, 1000: radius, 10000: radius}, {0.1: radius, 0.01: radius, 0.001: radius}),
        curves.same_votes({name: torch.rand(300) for name in "abc"}, {1: radius, 2: radius, 3: radius}),
        theory.looseness({net: {kind: radius for kind in "abc"} for net in ("MLP", "LeNet")}),
    ):
        assert figures.pixels(figure).std() > 0
