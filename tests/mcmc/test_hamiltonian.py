"""Leapfrog: its own inverse, of determinant 1, of second order; Euler is neither of the first two."""

import torch

from helpers import mcmc
from helpers.mcmc import exactness
from tests.mcmc.toys import euler, missing_half_kick, rng


def bent_gradient(x):
    return torch.stack([-x[:, 0] + x[:, 0] * (x[:, 1] - x[:, 0] ** 2 / 2), -(x[:, 1] - x[:, 0] ** 2 / 2)], dim=1)


def returns(integrate):
    x, p = torch.randn(2, 50, 2, generator=rng(3), dtype=torch.float64)
    there = integrate(bent_gradient, x, p, 0.1, 20)
    back = integrate(bent_gradient, there[0], -there[1], 0.1, 20)
    return float((back[0] - x).abs().max() + (back[1] + p).abs().max())


def volume(integrate):
    x, p = torch.randn(2, 2, generator=rng(4), dtype=torch.float64)
    return exactness.leapfrog_determinant(lambda a, b: integrate(bent_gradient, a, b, 0.2, 10), x, p)


def test_leapfrog_is_reversible_and_preserves_volume():
    assert returns(mcmc.leapfrog) < 1e-11
    assert abs(volume(mcmc.leapfrog) - 1) < 1e-11


def test_leapfrog_checks_have_teeth():
    assert returns(euler) > 1e-3 and abs(volume(euler) - 1) > 1e-3
    assert returns(missing_half_kick) > 1e-3 and abs(volume(missing_half_kick) - 1) < 1e-11


def test_leapfrog_is_of_second_order():
    x, p = torch.randn(2, 20, 2, generator=rng(5), dtype=torch.float64)

    def energy_error(steps):
        y, q = mcmc.leapfrog(lambda z: -z, x, p, 1 / steps, steps)
        return float((y.square() + q.square() - x.square() - p.square()).abs().max())

    assert 3.8 < energy_error(20) / energy_error(40) < 4.2
