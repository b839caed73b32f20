"""Finite chains: stationary laws, mixing, counter-examples, Metropolis and Gibbs matrices, Ising against all states."""

import math

import pytest
import torch
from scipy import stats

from helpers import mcmc
from helpers.mcmc import finite, ising

Z = float(stats.norm.isf(1e-6 / 200))  # false alarm 1e-6 over at most 100 two-sided scores


def rng(number=0):
    return torch.Generator().manual_seed(number)


def random_matrix(k, seed):
    return torch.rand(k, k, generator=rng(seed), dtype=torch.float64).softmax(1)


CYCLIC = torch.tensor([[0.2, 0.5, 0.3], [0.3, 0.2, 0.5], [0.5, 0.3, 0.2]], dtype=torch.float64)


@pytest.mark.parametrize("k", [1, 2, 3, 10, 50])
def test_stationary_law(k):
    p = random_matrix(k, k)
    pi = mcmc.stationary_distribution(p)
    assert torch.allclose(pi @ p, pi, atol=1e-12) and pi.sum() == pytest.approx(1) and (pi > 0).all()
    assert torch.allclose(torch.linalg.matrix_power(p, 200)[0], pi, atol=1e-10)


def test_stationary_law_of_the_counter_examples():
    periodic = torch.tensor(finite.PERIODIC)
    assert torch.allclose(mcmc.stationary_distribution(periodic), torch.full((3,), 1 / 3, dtype=torch.float64))
    path = finite.laws(periodic, torch.tensor([1.0, 0, 0]), 6)
    assert torch.equal(path[0], path[3]) and torch.equal(path[3], path[6]) and not torch.equal(path[0], path[1])
    with pytest.raises(ValueError, match="more than one closed class"):
        mcmc.stationary_distribution(torch.tensor(finite.REDUCIBLE))
    transient = torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.3, 0.7], [0.0, 0.6, 0.4]])
    assert mcmc.stationary_distribution(transient)[0].abs() < 1e-12
    for matrix in (finite.PERIODIC, finite.REDUCIBLE):
        assert finite.second_eigenvalue(torch.tensor(matrix)) == pytest.approx(1)


def test_symmetric_matrix_has_the_uniform_law():
    p = (CYCLIC + CYCLIC.T) / 2
    assert torch.allclose(mcmc.stationary_distribution(p), torch.full((3,), 1 / 3, dtype=torch.float64))
    assert mcmc.is_reversible(p)


def test_reversibility():
    assert not mcmc.is_reversible(CYCLIC)
    assert all(mcmc.is_reversible(random_matrix(2, s)) for s in range(20))  # two states cannot tell
    assert not any(mcmc.is_reversible(random_matrix(3, s)) for s in range(20))
    law = torch.tensor([0.1, 0.2, 0.7])
    p = finite.metropolis_matrix(law, random_matrix(3, 5))
    assert mcmc.is_reversible(p) and mcmc.is_reversible(p, law) and not mcmc.is_reversible(p, law.flip(0))
    assert torch.allclose(mcmc.stationary_distribution(p), law.double(), atol=1e-7)


@pytest.mark.parametrize("seed", range(3))
def test_mixing_rate_is_the_second_eigenvalue(seed):
    neighbours = torch.tensor(
        [[0.5, 0.5, 0, 0, 0], [0.5, 0, 0.5, 0, 0], [0, 0.5, 0, 0.5, 0], [0, 0, 0.5, 0, 0.5], [0, 0, 0, 0.5, 0.5]]
    )
    p = finite.metropolis_matrix(torch.rand(5, generator=rng(seed)) + 0.1, neighbours)
    rate = finite.mixing_rate(p, torch.eye(5)[0], steps=400)
    assert rate == pytest.approx(finite.second_eigenvalue(p), rel=1e-3)
    with pytest.raises(ValueError, match="no rate"):
        finite.mixing_rate(p, mcmc.stationary_distribution(p))


def test_paths():
    p = finite.metropolis_matrix(torch.tensor([0.2, 0.3, 0.5]), CYCLIC)
    path = finite.simulate(p, torch.zeros(20_000, dtype=torch.long), 5, generator=rng(1))
    law = finite.laws(p, torch.tensor([1.0, 0, 0]), 5)[5]
    counts = torch.bincount(path[:, 5], minlength=3)
    assert stats.chisquare(counts.numpy(), (20_000 * law).numpy()).pvalue > 1e-6
    log_p = finite.path_log_probability
    assert torch.allclose(log_p(p, path), log_p(p, path.flip(1)), atol=1e-10)
    cyclic = finite.simulate(CYCLIC, torch.zeros(100, dtype=torch.long), 5, generator=rng(2))
    assert not torch.allclose(log_p(CYCLIC, cyclic), log_p(CYCLIC, cyclic.flip(1)), atol=0.1)


def test_gibbs_on_a_table():
    table = torch.tensor([[4.0, 1.0, 2.0], [1.0, 3.0, 5.0]])
    law = (table / table.sum()).flatten().double()
    first, second, mean = finite.gibbs_matrices(table)
    for p in (first, second, mean, first @ second):
        assert torch.allclose(law @ p, law, atol=1e-7)
    assert mcmc.is_reversible(mean, law, tolerance=1e-7)
    assert not mcmc.is_reversible(first @ second, law, tolerance=1e-3)
    independent = torch.outer(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 1.0, 3.0]))
    a, b, _ = finite.gibbs_matrices(independent)
    assert mcmc.is_reversible(a @ b, tolerance=1e-7)  # seldom, not never


@pytest.mark.parametrize("beta", [0.0, 0.2, 0.44])
def test_ising_against_all_states(beta):
    exact, chains = ising.ising_exact(beta), 10_000

    def scores(beta_run):
        generator = rng(3)
        spins = torch.randint(0, 2, (chains, 4, 4), generator=generator, dtype=torch.int8) * 2 - 1
        for _ in range(60):
            spins = ising.ising_sweep(spins, beta_run, generator=generator)
        energy = ising.ising_energy(spins) / 16
        size = spins.double().mean((1, 2)).abs()
        found = [
            (v.mean() - e) / (v.std() / chains**0.5) for v, e in ((energy, exact.energy), (size, exact.magnetisation))
        ]
        return max(abs(float(f)) for f in found)

    assert scores(beta) < Z
    if beta:
        assert scores(beta / 2) > Z  # sigma(beta sum) for sigma(2 beta sum)


def test_ising_by_hand():
    """2 x 2 torus: each pair of neighbours counts twice; 2 states of energy -8, 12 of energy 0, 2 of energy +8."""
    beta = 0.1
    z = 2 * math.exp(8 * beta) + 12 + 2 * math.exp(-8 * beta)
    expected = (-16 * math.exp(8 * beta) + 16 * math.exp(-8 * beta)) / z / 4
    assert ising.ising_exact(beta, 2).energy == pytest.approx(expected, rel=1e-12)


def test_bad_input():
    with pytest.raises(ValueError, match="square"):
        mcmc.stationary_distribution(torch.ones(2, 3))
    with pytest.raises(ValueError, match="sum to 1"):
        mcmc.is_reversible(torch.ones(2, 2))
    with pytest.raises(ValueError, match=">= 0"):
        mcmc.is_reversible(torch.tensor([[1.5, -0.5], [0.5, 0.5]]))
    with pytest.raises(ValueError, match="two states"):
        finite.second_eigenvalue(torch.ones(1, 1))
    with pytest.raises(ValueError, match="law on 3 states"):
        finite.laws(CYCLIC, torch.tensor([0.5, 0.5]), 3)
    with pytest.raises(ValueError, match="positive"):
        finite.metropolis_matrix(torch.tensor([0.0, 0.5, 0.5]), CYCLIC)
    with pytest.raises(ValueError, match="even"):
        ising.ising_sweep(torch.ones(1, 3, 3), 0.1)
    with pytest.raises(ValueError, match=r"\+1 or -1"):
        ising.ising_sweep(torch.zeros(1, 4, 4), 0.1)
    with pytest.raises(ValueError, match="got 5"):
        ising.ising_exact(0.1, 5)
