"""The tests of exactness themselves, on a conjugate model and three states: they pass the exact samplers only."""

import pytest
import torch

from helpers import mcmc
from helpers.mcmc import exactness, finite
from tests.mcmc.toys import CHAINS, FALSE_ALARM, Z, euler, hmc, hmc_with, rng, small_noise_mala, uncorrected_mala


def test_detailed_balance_in_three_cells_of_a_matrix():
    """The p-value itself: a reversible and a cyclic chain on three states with the same stationary law."""
    matrix = torch.tensor([[0.2, 0.5, 0.3], [0.3, 0.2, 0.5], [0.5, 0.3, 0.2]], dtype=torch.float64)
    first = torch.randint(3, (CHAINS,), generator=rng(15))
    cyclic, symmetric = (
        exactness.detailed_balance(first, finite.simulate(m, first, 1, generator=rng(16))[:, 1], 3)
        for m in (matrix, (matrix + matrix.T) / 2)
    )
    assert cyclic < FALSE_ALARM < symmetric


def prior(n, generator):
    return torch.randn(n, 1, generator=generator, dtype=torch.float64)


def simulate(theta, generator):
    return theta + 0.5 * torch.randn(theta.shape, generator=generator, dtype=theta.dtype)


def log_joint(theta, y):
    return -(theta.square() + (y - theta).square() / 0.25)[:, 0] / 2


def statistics(theta, y):
    return torch.cat([theta, theta.square(), theta * y, y.square()], dim=1)


KERNELS = {
    "random walk": (mcmc.random_walk_step, 1.0, True),
    "MALA": (mcmc.mala_step, 0.2, True),
    "HMC": (hmc, 0.3, True),
    "NUTS": (mcmc.nuts_step, 0.4, True),
    "ULA": (mcmc.ula_step, 0.1, False),
    "MALA, noise sqrt(eta)": (small_noise_mala, 0.2, False),
    "MALA without q": (uncorrected_mala, 0.2, False),
    "HMC by Euler": (hmc_with(euler), 0.2, False),
    "HMC, kinetic energy |p|^2": (hmc_with(mcmc.leapfrog, energy=1.0), 0.6, False),
}


@pytest.mark.parametrize("name", KERNELS)
def test_joint_test(name):
    step, step_size, exact = KERNELS[name]
    kernel = exactness.kernel_of(step, log_joint, step_size=step_size)
    scores = exactness.joint_scores(
        prior, simulate, kernel, statistics, chains=CHAINS // 2, rounds=15, generator=rng(12)
    )
    assert (scores.abs().max() < Z) == exact


@pytest.mark.parametrize("name", KERNELS)
def test_calibration(name):
    step, step_size, exact = KERNELS[name]
    kernel = exactness.kernel_of(step, log_joint, step_size=step_size)
    ranks = exactness.sbc_ranks(prior, simulate, kernel, chains=20_000, draws=9, thin=2, generator=rng(13))
    assert (exactness.uniform_ranks(ranks, 9) > FALSE_ALARM) == exact


def test_a_wrong_likelihood_is_caught_by_the_joint_test():
    def forgot_to_square(theta, y):
        return -(theta.square() + (y - theta).square() / 0.5)[:, 0] / 2

    kernel = exactness.kernel_of(mcmc.mala_step, forgot_to_square, step_size=0.2)
    scores = exactness.joint_scores(prior, simulate, kernel, statistics, chains=20_000, rounds=15, generator=rng(14))
    assert scores.abs().max() > Z


def test_the_judge_passes_mala_and_refuses_ula_and_a_lazy_bias():
    right = exactness.judge(mcmc.mala_step, step_size=0.5, generator=rng(31))
    biased = exactness.judge(mcmc.ula_step, step_size=0.5, generator=rng(31))
    assert abs(right.z) < 5 and right.p > 1e-6 and abs(right.variance - 1) < 0.05 and 0.85 < right.accepted < 1
    assert abs(biased.z) > 5 and biased.p < 1e-6 and biased.accepted == 1
