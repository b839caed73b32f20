"""Gradient descent as lecture 1 studies it: methods, noise, schedules, quadratics."""
