"""Figures and sliders of Lecture 8."""

from helpers.physical.figures.rates import certified, curves, likeness, rates, variances
from helpers.physical.figures.sheets import boxed, sheet
from helpers.physical.figures.sliders import place, player, strength

__all__ = ["boxed", "certified", "curves", "likeness", "place", "player", "rates", "sheet", "strength", "variances"]
