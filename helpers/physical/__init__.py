"""Lecture 8: adversarial examples in the real world."""
