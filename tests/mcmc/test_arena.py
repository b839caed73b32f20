"""What stands behind the tables of Lecture 5: contests, divergences and where they began, networks, slopes."""

import math

import pytest
import torch

from helpers import mcmc
from helpers.mcmc import arena, finite, ising, networks, posteriors, targets, theory, variational
from helpers.mcmc.sampling import sample
from helpers.mcmc.state import chain, moved


def rng(number=0):
    return torch.Generator().manual_seed(number)


def test_divergences_are_where_they_began():
    def wall(x):
        return torch.where(x[:, 0] > 0, -x.square().sum(1) / 2, -math.inf)

    x = torch.full((50, 1), 0.3, dtype=torch.float64)
    with pytest.warns(RuntimeWarning, match="Draws.lost"):
        run = sample(mcmc.hmc_step, wall, x, 20, step_size=0.3, generator=rng(1))
    assert run.lost.shape == (int(run.divergent.sum()), 1) and (run.lost > 0).all()
    smooth = sample(mcmc.hmc_step, targets.log_normal, x, 5, step_size=0.1, generator=rng(1))
    assert smooth.lost.shape == (0, 1)


def test_the_standard_normal_knows_its_constant_and_gradient():
    x = torch.randn(5, 3, generator=rng(2), dtype=torch.float64)
    exact = torch.distributions.Normal(0.0, 1.2).log_prob(x).sum(1)
    assert torch.allclose(targets.log_normal(x, scale=1.2), exact)
    value, grad = targets.log_normal.value_and_grad(x)
    assert torch.allclose(value, targets.log_normal(x)) and torch.equal(grad, -x)
    assert torch.equal(targets.log_normal.gradient(x), -x)


def test_a_contest_spends_its_budget():
    goal = targets.correlated_gaussian(2, 0.5)
    steps = {"Gibbs": mcmc.gibbs_step, "random walk": mcmc.random_walk_step, "ULA": mcmc.ula_step}
    for name, step in steps.items():
        run = arena.contest(goal, name, step, 200, generator=rng(3))
        assert run.x.shape == (64, 100 if name == "Gibbs" else 200, 2)
        worth, error, se = arena.score(goal, run, 200)
        assert worth > 0 and (name == "ULA" or abs(error) < 6 * se)
        assert arena.row("here", name, goal, run, 200).startswith(f"here      {name}")


def test_the_row_of_a_sampler_that_ran_away_says_so():
    goal = targets.banana(scale=1.5)
    run = arena.contest(goal, "ULA", mcmc.ula_step, 1000, generator=rng(4))
    run = run._replace(x=run.x.clone().fill_(math.inf))
    assert "runs away" in arena.row("banana", "ULA", goal, run, 1000)


def test_the_slope_of_a_power_law_and_its_error():
    x, y = [1.0, 10.0, 100.0], torch.tensor([5.0, 0.5, 0.05])
    slope, se = theory.log_slope(x, y, 0.1 * y)
    assert slope == pytest.approx(-1) and se == pytest.approx(0.1 / (math.sqrt(2) * math.log(10)))


def test_the_recursion_of_sgld_ends_at_its_stationary_variance():
    path = theory.sgld_recursion([0.1] * 400, 2.0, 3.0)
    assert len(path) == 400 and float(path[-1]) == pytest.approx(theory.sgld_variance(0.1, 2.0, 3.0))
    assert float(path[0]) == pytest.approx(0.8**2 / 2 + 0.2 + 0.03)


def test_random_reversible_chains_mix_at_their_second_eigenvalue():
    rates = finite.mixing_rates(8, generator=rng(5))
    assert rates.shape == (8, 2) and (rates[:, 0] - rates[:, 1]).abs().median() < 1e-3


def test_lattices_are_spins_and_order_when_it_is_cold():
    hot, cold = ising.ising_films((0.05, 1.0), 8, 60, generator=rng(6)).double()
    assert hot.abs().eq(1).all() and ising.ising_energy(cold) < ising.ising_energy(hot) - 30


def test_calibration_of_a_forecast_that_knows_its_odds():
    p = torch.tensor([[0.75, 0.25]], dtype=torch.float64).expand(1000, 2)
    y = (torch.arange(1000) % 4 == 0).long()
    share, confidence, right, error = networks.calibration(p, y)
    assert share[7] == 1 and confidence[7] == 0.75 and right[7] == 0.75 and error == 0
    assert networks.calibration(p, 1 - y)[3] == pytest.approx(0.5)
    assert networks.calibration(torch.eye(2), torch.tensor([0, 1]))[0][-1] == 1  # confidence 1 is in the last bin


def test_moons_points_of_the_plane_and_published_means():
    x, half = networks.two_moons(60, generator=rng(7))
    assert x.shape == (60, 2) and half.sum() == 30 and (x[half == 0, 1].mean() > x[half == 1, 1].mean())
    grid = networks.plane_grid(3, 2)
    assert grid.tolist() == [[-2.5, -2.0], [-2.5, 2.0], [0, -2.0], [0, 2.0], [2.5, -2.0], [2.5, 2.0]]
    means, errors = posteriors.eight_schools_published()
    assert means[8:].tolist() == [4.41052, 3.60206] and errors[8:].tolist() == [0.03304, 0.03186]
    assert ((means - posteriors.eight_schools_exact()).abs() < 3 * errors).all()


def test_point_estimates_raise_the_likelihood_of_every_member():
    x, half = networks.two_moons(60, generator=rng(8))
    network = posteriors.network_posterior(x, half, (2, 8, 2), batch_size=20)
    start = 0.3 * torch.randn(3, 42, generator=rng(9), dtype=torch.float64)
    theta = networks.point_estimates(network, start, steps=200, rate=0.03, generator=rng(10))
    flat = posteriors.network_posterior(x, half, (2, 8, 2), prior=1e6)
    assert theta.shape == start.shape and not theta.requires_grad and (flat(theta) > flat(start) + 15).all()


def test_mean_field_is_exact_for_a_product_and_narrow_on_a_ridge():
    wide = targets.gaussian(torch.diag(torch.tensor([4.0, 0.25], dtype=torch.float64)), torch.tensor([1.0, -2.0]))
    m, s = variational.mean_field(wide, torch.zeros(2, dtype=torch.float64), steps=1500)
    assert (m - wide.mean).abs().max() < 0.1 and (s / wide.variance.sqrt() - 1).abs().max() < 0.1
    _, s = variational.mean_field(targets.correlated_gaussian(2, 0.9), torch.zeros(2, dtype=torch.float64))
    assert (s - math.sqrt(1 - 0.81)).abs().max() < 0.1  # the precision's diagonal, not the covariance's


def test_mean_field_on_batches_finds_a_posterior():
    """Ten numbers in batches of two: the posterior is N(10/11, 1/11), batches estimate its density without bias."""
    x = torch.linspace(0, 2, 10, dtype=torch.float64)
    posterior = posteriors.gaussian_mean_posterior(x, batch_size=2)
    theta, s = networks.mean_field_draws(posterior, torch.zeros(1, dtype=torch.float64), 20_000, generator=rng(12))
    assert abs(theta.mean() - 10 / 11) < 0.05 and abs(s * math.sqrt(11) - 1) < 0.1
    assert abs(theta.std() / s - 1) < 0.05


def test_independent_draws_are_worth_their_number_per_gradient():
    """A sampler that draws afresh for four gradients: 250 per 1,000; the step varies about the one that was tuned."""
    goal, sizes = targets.correlated_gaussian(3, 0.5), []

    def afresh(log_prob, s, *, step_size, generator):
        sizes.append(step_size)
        state, info = moved(chain(goal.draw(len(s.x), generator), log_prob), gradients=4)
        return state, info._replace(log_accept=info.log_accept - step_size)

    worth = arena.per_gradient(goal, afresh, draws=400, generator=rng(13))
    assert worth == pytest.approx(250, rel=0.1)  # the smallest of six
    used = torch.tensor(sizes[60:])
    assert math.exp(-used.mean()) == pytest.approx(0.8, abs=0.05) and used.max() / used.min() == pytest.approx(
        1.5, rel=0.01
    )


def test_both_forms_of_the_schools_are_drawn_in_theta():
    x = torch.tensor([[[1.0, 0.0, 3.0] + [0.0] * 7] * 4], dtype=torch.float64)
    run = sample(mcmc.random_walk_step, targets.log_normal, x[:, 0], 4, step_size=0.1, generator=rng(11))
    run = run._replace(x=x)
    planes = arena.schools_plane({"centred": run, "non-centred": run})
    assert planes[0].tolist() == [[3.0, 0.0]] and planes[2].tolist() == [[4.0, 0.0]] and len(planes[1]) == 0
