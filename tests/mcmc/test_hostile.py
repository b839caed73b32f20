"""What students hand over by mistake is refused by name, and what a broken sampler would report is noticed."""

import math
from functools import partial

import pytest
import torch

from helpers import mcmc
from helpers.mcmc import diagnostics, posteriors, targets
from helpers.mcmc.hamiltonian import path
from helpers.mcmc.langevin import _log_acceptance
from helpers.mcmc.sampling import sample, tune_step_size
from helpers.mcmc.state import Chain, chain

F64 = torch.float64


def rng(number=0):
    return torch.Generator().manual_seed(number)


# Shapes that would broadcast ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("prior", [lambda t: -t.square().sum(), lambda t: -t.square().sum(1, keepdim=True)])
def test_a_prior_of_another_shape_is_refused(prior):
    x, theta = torch.randn(20, generator=rng(), dtype=F64), torch.zeros(64, 1, dtype=F64)
    posterior = posteriors.gaussian_mean_posterior(x)._replace(log_prior=prior)
    with pytest.raises(ValueError, match=r"log_prior must return \(64,\)"):
        posterior(theta)
    with pytest.raises(ValueError, match=r"log_prior must return \(64,\)"):
        mcmc.sgld_gradient(prior, posterior.log_likelihood, theta, posterior.batch(64, rng()), 20)


def test_a_batch_without_examples_is_refused():
    prior = posteriors.gaussian_prior(1.0)
    with pytest.raises(ValueError, match="no examples"):
        mcmc.sgld_gradient(prior, lambda t, b: -(b - t), torch.zeros(3, 1), (torch.zeros(3, 0),), 10)


@pytest.mark.parametrize("x", [torch.zeros(3, 2, dtype=torch.long), torch.zeros(0, 2)])
def test_states_that_are_none(x):
    with pytest.raises(ValueError, match="be floating"):
        sample(mcmc.random_walk_step, lambda x: -x.square().sum(1), x, 3, step_size=0.1)


def test_no_chains_have_no_diagnostics():
    with pytest.raises(ValueError, match="chains >= 1"):
        mcmc.split_rhat(torch.zeros(0, 10))


def test_no_graph_is_kept():
    x = torch.zeros(3, 2, dtype=F64, requires_grad=True)
    assert not sample(mcmc.random_walk_step, lambda x: -x.square().sum(1), x, 3, step_size=0.1).x.requires_grad


def test_a_sampler_that_refuses_nothing_cannot_be_tuned():
    with pytest.raises(ValueError, match="nothing was refused"):
        tune_step_size(mcmc.ula_step, targets.banana(), torch.zeros(5, 2, dtype=F64), target=0.5, steps=5)


def test_an_interval_that_ends_too_early_is_refused():
    with pytest.raises(ValueError, match="beyond high = 1"):
        mcmc.inverse_transform_sample(lambda x: 1 - (-x).exp(), torch.tensor([0.2, 0.9]), 0, 1)


# Draws that do not vary ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0.1, 1.0, 2.7, math.pi, -1e9])
def test_a_chain_that_never_moves_is_worth_nan(value):
    still = torch.full((4, 100), value, dtype=F64)
    for function in (mcmc.effective_sample_size, mcmc.split_rhat, diagnostics.bulk_ess, diagnostics.tail_ess):
        assert function(still).isnan(), function


def test_draws_of_two_values_have_their_numbers():
    """As in ArviZ: a constant indicator counts every draw, a constant |x - median| is no R-hat."""
    coin = (torch.rand(4, 500, generator=rng(1), dtype=F64) < 0.5).double()
    assert diagnostics.quantile_ess(coin, 0.95) == 2000 and diagnostics.tail_ess(coin).isfinite()
    assert diagnostics.rank_rhat(coin) < 1.02


# What a step reports ------------------------------------------------------------------------------------------------


def test_the_acceptance_is_that_of_the_ratio():
    s, y = (Chain(x, x[:, 0], x[:, :0]) for x in torch.zeros(2, 4, 1, dtype=F64))
    log_ratio = torch.tensor([-0.5, 2.0, math.nan, -math.inf], dtype=F64)
    _, info = mcmc.settle(s, y, log_ratio, generator=rng())
    assert info.log_accept.tolist() == [-0.5, 0.0, -math.inf, -math.inf]
    assert info.divergent.tolist() == [False, False, True, False]


def test_a_path_diverges_below_its_limit_and_not_above():
    """At rest in a target that falls by `depth` over the step: log r is known."""
    for ratio, divergent in ((mcmc.DIVERGENT - 1, True), (mcmc.DIVERGENT + 1, False)):
        s = Chain(torch.zeros(1, 1), torch.zeros(1), torch.zeros(1, 1))
        _, info = mcmc.settle(s, s, torch.tensor([ratio]), generator=rng(), limit=mcmc.DIVERGENT)
        assert bool(info.divergent[0]) is divergent
    assert mcmc.DIVERGENT == -1000.0
    steep = lambda x: -1e5 * x.square().sum(1)  # noqa: E731
    _, info = mcmc.hmc_step(steep, chain(torch.ones(5, 1, dtype=F64), steep), step_size=1.0, generator=rng())
    assert info.divergent.all()


def test_a_slow_chain_is_not_taken_for_a_cut_one():
    for leak in (1e-4, 1e-6, 1e-9):
        matrix = torch.tensor([[1 - leak, leak], [2 * leak, 1 - 2 * leak]], dtype=F64)
        law = mcmc.stationary_distribution(matrix)
        assert torch.allclose(law, torch.tensor([2 / 3, 1 / 3], dtype=F64), rtol=1e-5)


def test_transient_states_have_no_negative_probability():
    for seed in range(50):
        p = torch.rand(6, 6, generator=rng(seed), dtype=F64)
        p[3:, :3] = 0
        law = mcmc.stationary_distribution(p / p.sum(1, keepdim=True))
        assert (law >= 0).all() and law[:3].max() < 1e-12 and abs(float(law.sum()) - 1) < 1e-12


def test_a_random_scan_chooses_for_every_chain_by_itself():
    target, x = targets.correlated_gaussian(3, 0.5), torch.zeros(500, 3, dtype=F64)
    s, _ = mcmc.gibbs_step(target, Chain(x, x[:, 0], x[:, :0]), scan="random", generator=rng(2))
    changed = (s.x != x).sum(0)
    assert ((s.x != x).sum(1) == 1).all() and (changed > 100).all()  # each Binomial(500, 1/3), at 6 deviations


def test_no_hopeless_move_is_accepted_in_single_precision():
    """u = 0 comes once in 2^24 draws of a float32 U[0, 1): log u = -inf would accept anything."""
    assert not mcmc.metropolis_accept(torch.full((60_000_000,), -500.0), generator=rng(3)).any()


# The fast forms are the readable ones -------------------------------------------------------------------------------


def test_the_fast_forms_are_the_textbook():
    target, g = targets.banana(1.0, 0.5), rng(4)
    x, y = (chain(target.draw(50, g), target) for _ in range(2))
    assert torch.allclose(_log_acceptance(x, y, 0.3), mcmc.mala_log_acceptance(x, y, 0.3), atol=1e-10)
    p = torch.randn(50, 2, generator=g, dtype=F64)
    for steps in (1, 2, 7):
        end, q = path(target, x, p, 0.2, steps)
        z, r = mcmc.leapfrog(target.gradient, x.x, p, 0.2, steps)
        assert torch.allclose(end.x, z) and torch.allclose(q, r) and torch.equal(end.log_prob, target(end.x))


def test_hmc_refuses_what_leapfrog_refuses():
    s = chain(torch.zeros(2, 2, dtype=F64), targets.banana())
    for bad in ({"step_size": 0.0}, {"step_size": 0.1, "steps": 0}):
        with pytest.raises(ValueError, match="step"):
            partial(mcmc.hmc_step, targets.banana(), s)(**bad)
