"""Leapfrog: its own inverse, of determinant 1, of second order; Euler is neither of the first two."""

import torch

from helpers import mcmc
from helpers.mcmc import exactness, targets
from tests.mcmc.toys import euler, missing_half_kick, rng

bent = targets.banana()


def returns(integrate):
    x, p = torch.randn(2, 50, 2, generator=rng(3), dtype=torch.float64)
    there = integrate(bent.gradient, x, p, 0.1, 20)
    back = integrate(bent.gradient, there[0], -there[1], 0.1, 20)
    return float((back[0] - x).abs().max() + (back[1] + p).abs().max())


def volume(integrate):
    x, p = torch.randn(2, 1, 2, generator=rng(4), dtype=torch.float64)
    return exactness.leapfrog_determinant(integrate, bent, x, p, 0.2, 10)


def test_leapfrog_is_reversible_and_preserves_volume():
    assert returns(mcmc.leapfrog) < 1e-11
    assert abs(volume(mcmc.leapfrog) - 1) < 1e-11


def test_leapfrog_checks_have_teeth():
    assert returns(euler) > 1e-3 and abs(volume(euler) - 1) > 1e-3
    assert returns(missing_half_kick) > 1e-3 and abs(volume(missing_half_kick) - 1) < 1e-11


def test_leapfrog_is_of_second_order():
    x, p = torch.randn(2, 20, 2, generator=rng(5), dtype=torch.float64)
    normal = targets.gaussian(torch.eye(2, dtype=torch.float64))
    error = {n: exactness.energy_error(mcmc.leapfrog, normal, x, p, 1 / n, n) for n in (20, 40)}
    assert 3.8 < error[20] / error[40] < 4.2


def test_the_energy_error_is_that_of_the_whole_path():
    x, p = torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 4.0]])
    normal = targets.gaussian(torch.eye(2))
    moved = exactness.energy_error(lambda gradient, x, p, h, n: (x + n * h, p), normal, x, p, 0.5, 2)
    assert moved == ((16 + 1) - 9) / 2  # (3, 0) to (4, 1)
