"""Figures and sliders of Lecture 8."""

from helpers.physical.figures.rates import alone, certified, curves, likeness, rates, variances
from helpers.physical.figures.sheets import sheet, worn
from helpers.physical.figures.sliders import place, player, strength

__all__ = [
    "alone", "certified", "curves", "likeness", "place", "player", "rates", "sheet", "strength", "variances", "worn",
]  # fmt: skip
