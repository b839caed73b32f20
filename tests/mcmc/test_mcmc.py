"""The laws of the samplers, each over many independent chains started in the target.

Every statistical test here alarms falsely with probability at most FALSE_ALARM, and every one is also run on mutants:
samplers with one mistake, which it has to catch. Mistakes that leave the law exact are listed, and have to pass.
"""

import itertools
import math
from functools import partial

import pytest
import torch
from scipy import stats

from helpers import mcmc
from helpers.mcmc import exactness, finite, posteriors, targets, theory
from helpers.mcmc.state import Chain, chain, moved, noise

FALSE_ALARM = 1e-6
Z = float(stats.norm.isf(FALSE_ALARM / 200))  # two-sided, over at most 100 scores
CHAINS = 100_000


def rng(number=0):
    return torch.Generator().manual_seed(number)


# Targets in two dimensions and in one, on half a line ---------------------------------------------------------------


def tilted():
    covariance = torch.tensor([[1.0, 0.6], [0.6, 2.0]], dtype=torch.float64)
    return targets.gaussian(covariance, torch.tensor([1.0, -1.0], dtype=torch.float64))


def gamma(x):
    """Gamma(3, 1) on x > 0."""
    return torch.where(x[:, 0] > 0, 2 * x[:, 0].clamp(min=1e-300).log() - x[:, 0], -math.inf)


def gamma_target():
    def draw(n, generator):
        return -torch.rand(n, 3, generator=generator, dtype=torch.float64).log().sum(1, keepdim=True)

    three = torch.tensor([3.0], dtype=torch.float64)
    return targets.Target("gamma", gamma, three, three, draw)


def log_gamma_target(jacobian=True):
    """u = log x for x ~ Gamma(3, 1): density x^2 e^-x times the Jacobian dx/du = x."""

    def log_prob(u):
        return (2 + jacobian) * u[:, 0] - u[:, 0].exp()

    def draw(n, generator):
        return gamma_target().draw(n, generator).log()

    mean, variance = torch.tensor(
        [[0.9227843350984671], [0.3949340668482264]], dtype=torch.float64
    )  # digamma, trigamma
    return targets.Target("log gamma", log_prob, mean, variance, draw)


def bent():
    return targets.banana(1.0, 0.5)


random_scan = partial(mcmc.gibbs_step, scan="random")
hastings = partial(mcmc.metropolis_hastings_step, propose=mcmc.log_normal_proposal)
hmc = partial(mcmc.hmc_step, steps=3)

EXACT = {
    "random walk": (mcmc.random_walk_step, tilted, 1.2),
    "Metropolis-Hastings": (hastings, gamma_target, 0.8),
    "MALA": (mcmc.mala_step, bent, 0.4),
    "HMC": (hmc, bent, 0.6),
    "HMC on log gamma": (hmc, log_gamma_target, 0.6),
    "Gibbs, random scan": (random_scan, tilted, None),
}
SYSTEMATIC = (mcmc.gibbs_step, tilted, None)


# Mutants ------------------------------------------------------------------------------------------------------------


def small_noise_mala(log_prob, s, *, step_size, generator):
    """The proposal has noise sqrt(eta), the ratio believes sqrt(2 eta)."""
    s = chain(s.x, log_prob)
    y = chain(s.x + step_size * s.grad + math.sqrt(step_size) * noise(s.x, generator), log_prob)
    return mcmc.settle(s, y, mcmc.mala_log_acceptance(s, y, step_size), generator=generator)


def downhill_mala(log_prob, s, *, step_size, generator):
    """The proposal drifts down, the ratio believes that it drifts up."""
    s = chain(s.x, log_prob)
    y = chain(s.x - step_size * s.grad + math.sqrt(2 * step_size) * noise(s.x, generator), log_prob)
    return mcmc.settle(s, y, mcmc.mala_log_acceptance(s, y, step_size), generator=generator)


def uncorrected_mala(log_prob, s, *, step_size, generator):
    """No q in the ratio."""
    s = chain(s.x, log_prob)
    y, _ = mcmc.ula_step(log_prob, s, step_size=step_size, generator=generator)
    return mcmc.settle(s, y, y.log_prob - s.log_prob, generator=generator)


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


def hmc_with(integrate, energy=0.5):
    def step(log_prob, s, *, step_size, generator):
        s = chain(s.x, log_prob)
        p = noise(s.x, generator)
        x, q = integrate(lambda x: chain(x, log_prob).grad, s.x, p, step_size, 3)
        y = chain(x, log_prob)
        log_ratio = y.log_prob - s.log_prob + energy * (p.square() - q.square()).sum(1)
        return mcmc.settle(s, y, log_ratio, generator=generator)

    return step


def euler(gradient, x, p, step_size, steps):
    for _ in range(steps):
        x, p = x + step_size * p, p + step_size * gradient(x)
    return x, p


def missing_half_kick(gradient, x, p, step_size, steps):
    """Symplectic Euler: volume-preserving, but not its own inverse."""
    for _ in range(steps):
        x = x + step_size * p
        p = p + step_size * gradient(x)
    return x, p


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


# Detailed balance and stationarity ----------------------------------------------------------------------------------


def cells(x, fresh):
    """Quartile of each coordinate, combined: 4 cells in one dimension, 16 in two."""
    index = torch.zeros(len(x), dtype=torch.long)
    for column, known in zip(x.T, fresh.T, strict=True):
        edges = known.quantile(torch.tensor([0.25, 0.5, 0.75], dtype=x.dtype))
        index = 4 * index + exactness.quantile_cells(column, edges)
    return index


def test_detailed_balance_in_three_cells_of_a_matrix():
    """The p-value itself: a reversible and a cyclic chain on three states with the same stationary law."""
    matrix = torch.tensor([[0.2, 0.5, 0.3], [0.3, 0.2, 0.5], [0.5, 0.3, 0.2]], dtype=torch.float64)
    first = torch.randint(3, (CHAINS,), generator=rng(15))
    cyclic, symmetric = (
        exactness.detailed_balance(first, finite.simulate(m, first, 1, generator=rng(16))[:, 1], 3)
        for m in (matrix, (matrix + matrix.T) / 2)
    )
    assert cyclic < FALSE_ALARM < symmetric


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


def test_mala_acceptance_is_the_ratio_of_its_definition():
    x, y = (chain(torch.randn(50, 2, generator=rng(n), dtype=torch.float64), bent()) for n in (17, 18))
    eta = 0.3

    def log_q(b, a):
        mean = a.x + eta * a.grad
        return torch.distributions.Normal(mean, math.sqrt(2 * eta)).log_prob(b.x).sum(1)

    direct = y.log_prob + log_q(x, y) - x.log_prob - log_q(y, x)
    assert torch.allclose(mcmc.mala_log_acceptance(x, y, eta), direct, atol=1e-10)


# Leapfrog -----------------------------------------------------------------------------------------------------------


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


# Biased samplers against their closed forms -------------------------------------------------------------------------


def eta_for_two_eta(log_prob, s, *, step_size, generator):
    s = chain(s.x, log_prob)
    return moved(chain(s.x + step_size * s.grad + math.sqrt(step_size) * noise(s.x, generator), log_prob))


def ula_scores(step, eta=0.5, s2=4.0):
    """z-score of the variance of ULA on N(0, s2), started in its own closed-form law, and of the target's variance."""
    target, generator = targets.gaussian(torch.tensor([[s2]], dtype=torch.float64)), rng(6)
    variance = theory.ula_variance(eta, s2)
    s = chain(variance**0.5 * noise(torch.empty(CHAINS, 1, dtype=torch.float64), generator), target)
    for _ in range(30):
        s, _ = step(target, s, step_size=eta, generator=generator)
    square = s.x.square()
    return [float((square.mean() - v) / (square.std() / CHAINS**0.5)) for v in (variance, s2)]


def test_ula_has_the_variance_of_its_closed_form():
    own, target = ula_scores(mcmc.ula_step)
    assert abs(own) < Z and abs(target) > Z


def test_ula_variance_has_teeth():
    assert abs(ula_scores(eta_for_two_eta)[0]) > Z


def conjugate(batch_size=5):
    x = torch.randn(40, generator=rng(7), dtype=torch.float64) + 0.5
    return posteriors.gaussian_mean_posterior(x, noise=1.0, prior=1.0, batch_size=batch_size), x


def sgld_score(step, eta=0.01):
    posterior, x = conjugate()
    precision = len(x) + 1.0
    variance = theory.sgld_variance(eta, precision, theory.minibatch_noise(x, 1.0, posterior.batch_size))
    generator, mean = rng(8), x.sum() / precision
    s = chain(mean + variance**0.5 * torch.randn(CHAINS, 1, generator=generator, dtype=torch.float64), posterior)
    for _ in range(15):
        s, _ = step(posterior, s, step_size=eta, generator=generator)
    square = (s.x - mean).square()
    return [float((square.mean() - v) / (square.std() / CHAINS**0.5)) for v in (variance, 1 / precision)]


def test_sgld_has_the_variance_of_its_closed_form():
    own, target = sgld_score(mcmc.sgld_step)
    assert abs(own) < Z and abs(target) > Z


def without_factor(log_prior, log_likelihood, theta, batch, data_size):
    return gradient_with(log_prior, log_likelihood, theta, batch, 1.0)


def prior_scaled_too(log_prior, log_likelihood, theta, batch, data_size):
    factor = data_size / batch[0].shape[1]
    return factor * gradient_with(log_prior, log_likelihood, theta, batch, 1.0)


def gradient_with(log_prior, log_likelihood, theta, batch, factor):
    leaf = theta.clone().requires_grad_(True)
    return torch.autograd.grad((log_prior(leaf) + factor * log_likelihood(leaf, *batch).sum(1)).sum(), leaf)[0]


def bias(gradient):
    """|mean over all 4^2 batches of 2 out of 4 with replacement - full gradient|."""
    x = torch.tensor([0.3, -1.0, 2.0, 0.7], dtype=torch.float64)
    posterior = posteriors.gaussian_mean_posterior(x)
    theta = torch.tensor([[0.4]], dtype=torch.float64)
    batches = [x[list(rows)][None] for rows in itertools.product(range(4), repeat=2)]
    mean = torch.stack([gradient(posterior.log_prior, posterior.log_likelihood, theta, (b,), 4) for b in batches]).mean(
        0
    )
    return float((mean - chain(theta, posterior).grad).abs())


def test_the_factor_makes_the_gradient_unbiased():
    assert bias(mcmc.sgld_gradient) < 1e-12
    assert bias(without_factor) > 0.1 and bias(prior_scaled_too) > 0.1


# Gibbs --------------------------------------------------------------------------------------------------------------


def gibbs_scores(sweep, rho=0.8, lag=3):
    """z-scores of the lag-1 and lag-3 covariances of x_2 against rho^2 per sweep, from many stationary chains."""
    generator = rng(9)
    x = targets.correlated_gaussian(2, rho).draw(CHAINS, generator)
    y, scores = x, []
    for t in range(1, lag + 1):
        y = sweep(y, rho, generator=generator)
        product = x[:, 1] * y[:, 1]
        scores.append(float((product.mean() - rho ** (2 * t)) / (product.std() / CHAINS**0.5)))
    return max(map(abs, scores))


def stale_sweep(x, rho, *, generator):
    xi = (1 - rho**2) ** 0.5 * noise(x, generator)
    return torch.stack([rho * x[:, 1] + xi[:, 0], rho * x[:, 0] + xi[:, 1]], dim=1)


def variance_for_deviation(x, rho, *, generator):
    xi = (1 - rho**2) * noise(x, generator)
    first = rho * x[:, 1] + xi[:, 0]
    return torch.stack([first, rho * first + xi[:, 1]], dim=1)


def test_gibbs_forgets_by_rho_squared_per_sweep():
    assert gibbs_scores(mcmc.gibbs_bivariate_normal) < Z
    assert gibbs_scores(stale_sweep) > Z


def test_gibbs_sweep_leaves_the_normal_alone():
    def moments(sweep):
        generator = rng(10)
        x = targets.correlated_gaussian(2, 0.8).draw(CHAINS, generator)
        for _ in range(5):
            x = sweep(x, 0.8, generator=generator)
        product = x[:, 0] * x[:, 1]
        own = exactness.moment_scores(x, torch.zeros(2, dtype=x.dtype), torch.ones(2, dtype=x.dtype)).abs().max()
        return max(float(own), abs(float((product.mean() - 0.8) / (product.std() / CHAINS**0.5))))

    assert moments(mcmc.gibbs_bivariate_normal) < Z
    assert moments(variance_for_deviation) > Z and moments(stale_sweep) > Z


def test_gibbs_is_metropolis_hastings_that_never_refuses():
    target, generator = tilted(), rng(11)
    x = target.draw(100, generator)
    y = x.clone()
    y[:, 0] = target.conditional(0, x, generator)
    p00 = target.precision[0, 0]

    def log_q(b, a):
        mean = a[:, 0] - ((a - target.mean) @ target.precision[:, 0]) / p00
        return -(b[:, 0] - mean).square() * p00 / 2

    log_ratio = target(y) + log_q(x, y) - target(x) - log_q(y, x)
    assert log_ratio.abs().max() < 1e-10


@pytest.mark.parametrize("rho", [-0.9, 0.0, 0.5, 0.95])
def test_gibbs_eigenvalues(rho):
    precision = targets.correlated_gaussian(2, rho).precision
    sweep, random = (
        torch.linalg.eigvals(theory.gibbs_matrix(precision, s)).abs().max() for s in ("systematic", "random")
    )
    assert math.isclose(sweep, rho**2, abs_tol=1e-12) and math.isclose(random, (1 + abs(rho)) / 2, rel_tol=1e-12)


# Joint test and calibration, on a conjugate model -------------------------------------------------------------------


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
