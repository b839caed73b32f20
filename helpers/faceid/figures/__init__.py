"""Figures and sliders of Lecture 2."""
