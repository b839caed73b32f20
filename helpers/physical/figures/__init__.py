"""Figures and sliders of Lecture 8."""

from helpers.physical.figures.rates import certified, curves, rates, variances
from helpers.physical.figures.sheets import boxed, sheet

__all__ = ["boxed", "certified", "curves", "rates", "sheet", "variances"]
