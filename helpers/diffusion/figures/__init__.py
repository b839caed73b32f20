"""Figures and sliders of Lecture 6."""

from helpers.diffusion.figures.digits import (
    frechet,
    guidance,
    label_helps,
    memory,
    sampler,
    sheets,
    strips,
)
from helpers.diffusion.figures.explorers import (
    cloud,
    forward,
)
from helpers.diffusion.figures.noising import (
    bound,
    one_step_back,
    schedules,
    weights,
)
from helpers.diffusion.figures.samplers import (
    contest,
    errors,
    guided_law,
    orders,
)

__all__ = [
    "bound", "cloud", "contest", "errors", "forward", "frechet", "guidance", "guided_law", "label_helps", "memory",
    "one_step_back", "orders", "sampler", "schedules", "sheets", "strips", "weights",
]  # fmt: skip
