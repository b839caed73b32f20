"""Figures and sliders of Lecture 8."""

from helpers.physical.figures.rates import certified, curves, rates, variances
from helpers.physical.figures.sheets import boxed, sheet
from helpers.physical.figures.sliders import place, strength

__all__ = ["boxed", "certified", "curves", "place", "rates", "sheet", "strength", "variances"]
