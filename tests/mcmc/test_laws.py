"""The laws of the samplers, each over many independent chains started in the target.

Every statistical test here alarms falsely with probability at most FALSE_ALARM, and every one is also run on mutants:
samplers with one mistake, which it has to catch. Mistakes that leave the law exact are listed, and have to pass.
"""

import math
from functools import partial

import pytest
import torch

from helpers import mcmc
from helpers.mcmc import exactness
from helpers.mcmc.state import Chain, chain, moved, noise
from tests.mcmc.toys import (
    CHAINS,
    FALSE_ALARM,
    Z,
    bent,
    euler,
    gamma_target,
    hmc,
    hmc_with,
    log_gamma_target,
    missing_half_kick,
    rng,
    small_noise_mala,
    tilted,
    uncorrected_mala,
)

random_scan = partial(mcmc.gibbs_step, scan="random")
hastings = partial(mcmc.metropolis_hastings_step, propose=mcmc.log_normal_proposal)

EXACT = {
    "random walk": (mcmc.random_walk_step, tilted, 1.2),
    "Metropolis-Hastings": (hastings, gamma_target, 0.8),
    "MALA": (mcmc.mala_step, bent, 0.4),
    "HMC": (hmc, bent, 0.6),
    "HMC with a mass": (partial(hmc, mass=torch.tensor([0.5, 3.0])), bent, 0.6),
    "NUTS": (mcmc.nuts_step, bent, 0.6),
    "NUTS with a mass": (partial(mcmc.nuts_step, mass=torch.tensor([0.5, 3.0])), tilted, 0.7),
    "HMC on log gamma": (hmc, log_gamma_target, 0.6),
    "Gibbs, random scan": (random_scan, tilted, None),
}
SYSTEMATIC = (mcmc.gibbs_step, tilted, None)


# Samplers with one mistake


def downhill_mala(log_prob, s, *, step_size, generator):
    """The proposal drifts down, the ratio believes that it drifts up."""
    s = chain(s.x, log_prob)
    y = chain(s.x - step_size * s.grad + math.sqrt(2 * step_size) * noise(s.x, generator), log_prob)
    return mcmc.settle(s, y, mcmc.mala_log_acceptance(s, y, step_size), generator=generator)


def no_correction(x, step_size, generator):
    """The log-normal proposal without its Hastings term."""
    y, correction = mcmc.log_normal_proposal(x, step_size, generator)
    return y, 0 * correction


def wrong_sign(x, step_size, generator):
    y, correction = mcmc.log_normal_proposal(x, step_size, generator)
    return y, -correction


def never_stay(log_prob, s, *, step_size, generator):
    """A rejected chain proposes again, up to 20 times: the state after a rejection is not counted."""
    x, waiting = s.x, torch.ones(len(s.x), dtype=torch.bool)
    for _ in range(20):
        y, info = mcmc.random_walk_step(log_prob, s, step_size=step_size, generator=generator)
        x = torch.where((waiting & info.accepted)[:, None], y.x, x)
        waiting = waiting & ~info.accepted
    return moved(chain(x, log_prob, gradient=False))


def short_conditional(log_prob, s, *, step_size=None, generator):
    """Gibbs that draws with the marginal standard deviation instead of the conditional one."""
    x = s.x.clone()
    i = 0
    partial_ = -((x - log_prob.mean) @ log_prob.precision[:, i]) / log_prob.precision[i, i]
    x[:, i] = x[:, i] + partial_ + log_prob.variance[i].sqrt() * torch.randn(len(x), generator=generator, dtype=x.dtype)
    return moved(Chain(x, s.log_prob, x[:, :0]))


MUTANTS = {
    "MALA, noise sqrt(eta)": (small_noise_mala, bent, 0.4),
    "MALA, drift of the wrong sign": (downhill_mala, bent, 0.4),
    "MALA without q": (uncorrected_mala, bent, 0.4),
    "Hastings term left out": (partial(mcmc.metropolis_hastings_step, propose=no_correction), gamma_target, 0.8),
    "Hastings term of the wrong sign": (partial(mcmc.metropolis_hastings_step, propose=wrong_sign), gamma_target, 0.8),
    "rejections not counted": (never_stay, tilted, 2.0),
    "HMC by Euler": (hmc_with(euler), bent, 0.6),
    "HMC without the first half kick": (hmc_with(missing_half_kick), bent, 0.6),
    "HMC, kinetic energy |p|^2": (hmc_with(mcmc.leapfrog, energy=1.0), bent, 0.6),
    "Jacobian of the logarithm dropped": (hmc, partial(log_gamma_target, jacobian=False), 0.6),
    "ULA": (mcmc.ula_step, tilted, 0.4),
    "Gibbs, marginal for conditional": (short_conditional, tilted, None),
}


def wrong_drift_both_places(log_prob, s, *, step_size, generator):
    """MALA with half the drift in the proposal and in the ratio: slower, and exact."""
    s = chain(s.x, log_prob)
    half = s._replace(grad=s.grad / 2)
    y = chain(s.x + step_size * half.grad + math.sqrt(2 * step_size) * noise(s.x, generator), log_prob)
    log_ratio = mcmc.mala_log_acceptance(half, y._replace(grad=y.grad / 2), step_size)
    return mcmc.settle(s, y, log_ratio, generator=generator)


def flipped_hmc(gradient, x, p, step_size, steps):
    x, p = mcmc.leapfrog(gradient, x, p, step_size, steps)
    return x, -p


CONSISTENT = {
    "MALA, half the drift in both places": (wrong_drift_both_places, bent, 0.4),
    "HMC with the final flip": (hmc_with(flipped_hmc), bent, 0.6),
    "HMC without the final flip": (hmc_with(mcmc.leapfrog), bent, 0.6),
}


# Detailed balance and stationarity


def cells(x, fresh):
    """Quartile of each coordinate, combined: 4 cells in one dimension, 16 in two."""
    index = torch.zeros(len(x), dtype=torch.long)
    for column, known in zip(x.T, fresh.T, strict=True):
        edges = known.quantile(torch.tensor([0.25, 0.5, 0.75], dtype=x.dtype))
        index = 4 * index + exactness.quantile_cells(column, edges)
    return index


def balance_p_value(step, make, step_size, seed=1):
    target, generator = make(), rng(seed)
    s = chain(target.draw(CHAINS, generator), target, gradient=False)
    fresh = target.draw(10_000, generator)
    after, _ = step(target, s, step_size=step_size, generator=generator)
    return exactness.detailed_balance(cells(s.x, fresh), cells(after.x, fresh), 4 ** s.x.shape[1])


def drift(step, make, step_size, seed=2, steps=10):
    """Largest moment z-score, and p-value against fresh draws, after `steps` steps from the target."""
    target, generator = make(), rng(seed)
    s = chain(target.draw(CHAINS // 2, generator), target, gradient=False)
    for _ in range(steps):
        s, _ = step(target, s, step_size=step_size, generator=generator)
    scores = exactness.moment_scores(s.x, target.mean, target.variance).abs().max()
    return float(scores), exactness.same_law(s.x, target.draw(CHAINS // 2, generator))


@pytest.mark.parametrize("name", [*EXACT, *CONSISTENT])
def test_detailed_balance(name):
    assert balance_p_value(*(EXACT | CONSISTENT)[name]) > FALSE_ALARM


@pytest.mark.parametrize("name", [*EXACT, *CONSISTENT, "systematic"])
def test_stationarity(name):
    score, p_value = drift(*(EXACT | CONSISTENT | {"systematic": SYSTEMATIC})[name])
    assert score < Z and p_value > FALSE_ALARM


def test_systematic_gibbs_is_not_reversible():
    assert balance_p_value(*SYSTEMATIC) < FALSE_ALARM


@pytest.mark.parametrize("name", MUTANTS)
def test_stationarity_has_teeth(name):
    score, p_value = drift(*MUTANTS[name])
    assert score > Z or p_value < FALSE_ALARM


@pytest.mark.parametrize("name", MUTANTS)
def test_detailed_balance_has_teeth(name):
    assert balance_p_value(*MUTANTS[name]) < FALSE_ALARM
