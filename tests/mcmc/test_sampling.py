"""`sample`: what it records, what it costs, and what it says when something is wrong."""

import math
from functools import partial

import pytest
import torch

from helpers import mcmc
from helpers.mcmc import posteriors, targets
from helpers.mcmc.sampling import sample, tune_step_size
from helpers.mcmc.state import Chain, chain, dot, moved, start

NORMAL = targets.correlated_gaussian(3, 0.5)
POSTERIOR = posteriors.gaussian_mean_posterior(torch.linspace(-1, 2, 40, dtype=torch.float64), batch_size=10)
STEPS = {
    "random walk": (mcmc.random_walk_step, 0.5, 1, 0),
    "MALA": (mcmc.mala_step, 0.2, 0, 1),
    "ULA": (mcmc.ula_step, 0.2, 0, 1),
    "HMC": (partial(mcmc.hmc_step, steps=4), 0.3, 0, 4),
    "Gibbs": (mcmc.gibbs_step, None, 0, 0),
    "random scan": (partial(mcmc.gibbs_step, scan="random"), None, 0, 0),
}


def rng(number=0):
    return torch.Generator().manual_seed(number)


@pytest.mark.parametrize("name", STEPS)
def test_shapes_costs_and_repeatability(name):
    step, step_size, densities, gradients = STEPS[name]
    x = NORMAL.draw(5, rng(1))
    before = x.clone()
    run = partial(sample, step, NORMAL, x, 7, step_size=step_size, warmup=3, thin=2)
    torch.manual_seed(0)
    state = torch.get_rng_state()
    draws = run(generator=rng(2))
    assert torch.equal(torch.get_rng_state(), state) and torch.equal(x, before)
    assert draws.x.shape == (5, 7, 3) and draws.x.dtype == x.dtype
    assert (draws.densities, draws.gradients) == (14 * densities, 14 * gradients)
    assert ((draws.acceptance > 0) & (draws.acceptance <= 1)).all() and not draws.divergent.any()
    assert torch.equal(draws.x, run(generator=rng(2)).x) and not torch.equal(draws.x, run(generator=rng(3)).x)


def test_the_costs_are_what_is_really_evaluated():
    for name, (step, step_size, densities, gradients) in STEPS.items():
        if "Gibbs" in name or "scan" in name:
            continue
        calls = {"value": 0, "gradient": 0}

        def log_prob(x, calls=calls):
            calls["gradient" if x.requires_grad else "value"] += 1
            return NORMAL(x) if not x.requires_grad else -(x.square().sum(1)) / 2

        sample(step, log_prob, NORMAL.draw(2, rng(1)), 10, step_size=step_size, generator=rng(2))
        assert calls["value"] - 1 == 10 * densities, name  # one to see that the chains can start
        assert calls["gradient"] - (gradients > 0) == 10 * gradients, name  # and the gradient there


def test_hmc_asks_for_the_density_at_the_end_of_a_path_only():
    calls = []

    class Spy:
        def __call__(self, x):
            return NORMAL(x)

        def value_and_grad(self, x):
            calls.append("both")
            return NORMAL.value_and_grad(x)

        def gradient(self, x):
            calls.append("gradient")
            return NORMAL.gradient(x)

    hmc, x = partial(mcmc.hmc_step, steps=4), NORMAL.draw(5, rng(1))
    draws = sample(hmc, Spy(), x, 6, step_size=0.3, generator=rng(2))
    assert calls == ["both", *["gradient", "gradient", "gradient", "both"] * 6]
    by_autograd = sample(hmc, NORMAL.log_prob, x, 6, step_size=0.3, generator=rng(2))
    assert torch.allclose(draws.x, by_autograd.x, atol=1e-12)


def test_a_chain_that_left_the_numbers_is_divergent():
    """Also in a sampler that refuses nothing; a large number is not infinite."""
    rows = [[0.0, 1.0], [math.inf, 0.0], [0.0, math.nan], [1e308, -1e308], [1.0, -math.inf]]
    x = torch.tensor(rows, dtype=torch.float64)
    assert moved(Chain(x, x[:, 0], x))[1].divergent.tolist() == [False, True, True, False, True]


def test_dot_is_the_inner_product_of_each_chain():
    a, b = torch.randn(7, 30, generator=rng(1)).double(), torch.randn(7, 30, generator=rng(2)).double()
    assert torch.allclose(dot(a, b), (a * b).sum(1), rtol=1e-13) and dot(a[:, :0], b[:, :0]).tolist() == [0.0] * 7


def test_sgld_costs_its_share_of_the_data():
    draws = sample(
        mcmc.sgld_step, POSTERIOR, torch.zeros(4, 1, dtype=torch.float64), 20, step_size=0.001, generator=rng(1)
    )
    assert draws.gradients == pytest.approx(20 * 10 / 40)


def test_float32_stays_float32():
    log_prob = lambda x: -x.square().sum(1) / 2  # noqa: E731
    for step in (mcmc.random_walk_step, mcmc.mala_step, mcmc.hmc_step, mcmc.ula_step):
        assert sample(step, log_prob, torch.zeros(2, 3), 4, step_size=0.1, generator=rng()).x.dtype == torch.float32


def test_schedule_sees_every_step():
    seen = []

    def schedule(t):
        seen.append(t)
        return 0.1 / (1 + t)

    sample(mcmc.ula_step, NORMAL, NORMAL.draw(2, rng()), 3, step_size=schedule, warmup=2, thin=2, generator=rng())
    assert seen == list(range(8))


@pytest.mark.parametrize("target", [0.3, 0.574, 0.8])
def test_tuned_step_reaches_its_acceptance(target):
    step_size, x = tune_step_size(mcmc.mala_step, NORMAL, NORMAL.draw(500, rng(1)), target=target, generator=rng(2))
    found = sample(mcmc.mala_step, NORMAL, x, 50, step_size=step_size, generator=rng(3)).acceptance.mean()
    assert float(found) == pytest.approx(target, abs=0.04)


# What goes wrong ----------------------------------------------------------------------------------------------------


def nan_for_chain_2(x):
    return torch.where(torch.arange(len(x)) == 2, math.nan, -x.square().sum(1))


def test_a_chain_that_cannot_start_is_named():
    x = torch.zeros(4, 2, dtype=torch.float64)
    run = partial(sample, mcmc.random_walk_step, draws=3, step_size=0.1, generator=rng())
    with pytest.raises(ValueError, match="chain 2 cannot start.*log_prob = nan"):
        run(nan_for_chain_2, x)
    outside = x.clone()
    outside[1] = -1
    with pytest.raises(ValueError, match="chain 1 cannot start.*-inf"):
        run(lambda x: torch.where((x >= 0).all(1), 0.0, -math.inf), outside)
    outside[1, 0] = math.nan
    with pytest.raises(ValueError, match="chain 1 cannot start.*x = "):
        run(lambda x: x.nan_to_num().sum(1), outside)
    with pytest.raises(ValueError, match="grad = .* is not finite"):
        start(x, lambda x: x[:, 0].abs().sqrt(), gradient=True)


def test_plus_infinity_is_refused_at_any_time():
    x = torch.ones(4, 1, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"\+inf for chain \d"):
        sample(
            mcmc.random_walk_step,
            lambda x: torch.where(x[:, 0] > 2, math.inf, 0.0),
            x,
            200,
            step_size=1.0,
            generator=rng(),
        )


@pytest.mark.parametrize("step", [mcmc.random_walk_step, mcmc.mala_step, mcmc.ula_step, mcmc.hmc_step])
def test_wrong_shapes_and_steps(step):
    x = torch.zeros(4, 2, dtype=torch.float64)
    run = partial(sample, step, draws=3, generator=rng())
    with pytest.raises(ValueError, match=r"log_prob must map \(4, 2\) to \(4,\), got \(4, 2\)"):
        run(lambda x: -x.square(), x, step_size=0.1)
    with pytest.raises(ValueError, match="got ()"):
        run(lambda x: -x.square().sum(), x, step_size=0.1)
    with pytest.raises(ValueError, match=r"x must have shape \(chains, d\)"):
        run(lambda x: -x.square(), x[0], step_size=0.1)
    for bad in (0.0, -0.1, math.nan, math.inf):
        with pytest.raises(ValueError, match="step_size must be positive"):
            run(NORMAL, torch.zeros(4, 3, dtype=torch.float64), step_size=bad)
    with pytest.raises(ValueError, match="step_size must be positive"):
        run(NORMAL, torch.zeros(4, 3, dtype=torch.float64))


@pytest.mark.parametrize("step", [mcmc.mala_step, mcmc.ula_step, mcmc.hmc_step])
def test_a_target_without_gradient_is_refused(step):
    x = torch.zeros(4, 2, dtype=torch.float64)
    for log_prob in (lambda x: -x.detach().square().sum(1), lambda x: torch.zeros(len(x))):
        with pytest.raises(ValueError, match="carries no gradient"):
            sample(step, log_prob, x, 3, step_size=0.1, generator=rng())


def test_gradients_work_inside_no_grad():
    with torch.no_grad():
        sample(mcmc.mala_step, lambda x: -x.square().sum(1), torch.zeros(2, 2), 3, step_size=0.1, generator=rng())


def test_divergence_is_reported():
    x = torch.ones(3, 1, dtype=torch.float64)
    x[1] = 30.0  # -x^4 is too steep there for this step, and only there
    with pytest.warns(RuntimeWarning, match="1 of 3 chains diverged, chain 1 in"):
        draws = sample(mcmc.ula_step, lambda x: -(x[:, 0] ** 4), x, 50, step_size=0.01, generator=rng())
    assert draws.divergent[1] > 0 and not draws.divergent[[0, 2]].any() and draws.x[[0, 2]].isfinite().all()
    with pytest.warns(RuntimeWarning, match="diverged"):
        draws = sample(mcmc.hmc_step, lambda x: -(x[:, 0] ** 4), x, 20, step_size=0.3, generator=rng())
    assert draws.divergent[1] > 0 and draws.x.isfinite().all()  # refused, and reported


@pytest.mark.filterwarnings("error")
def test_leaving_the_support_is_no_divergence():
    half_line = lambda x: torch.where(x[:, 0] > 0, -x[:, 0], -math.inf)  # noqa: E731
    draws = sample(mcmc.random_walk_step, half_line, torch.ones(100, 1), 100, step_size=3.0, generator=rng())
    assert (draws.x > 0).all() and draws.acceptance.mean() < 0.5


def test_a_nan_on_the_way_is_refused_and_counted():
    log_prob = lambda x: (1 - x.square().sum(1)).log()  # NaN outside the unit disc  # noqa: E731
    with pytest.warns(RuntimeWarning, match="diverged"):
        draws = sample(mcmc.random_walk_step, log_prob, torch.zeros(50, 2), 50, step_size=0.5, generator=rng())
    assert (draws.x.square().sum(2) < 1).all() and draws.divergent.sum() > 100


def test_other_arguments():
    x = NORMAL.draw(2, rng())
    for bad in ({"draws": 0}, {"thin": 0}, {"warmup": -1}):
        with pytest.raises(ValueError, match="need draws >= 1"):
            sample(mcmc.mala_step, NORMAL, x, **({"draws": 3} | bad), step_size=0.1)
    with pytest.raises(ValueError, match="target"):
        tune_step_size(mcmc.mala_step, NORMAL, x, target=1.5)
    with pytest.raises(ValueError, match="scan"):
        mcmc.gibbs_step(NORMAL, chain(x, NORMAL), scan="sideways")
    with pytest.raises(ValueError, match="steps must be"):
        mcmc.hmc_step(NORMAL, chain(x, NORMAL), step_size=0.1, steps=0)
    with pytest.raises(ValueError, match="rho"):
        mcmc.gibbs_bivariate_normal(x[:, :2], 1.0)
    with pytest.raises(ValueError, match=r"\(chains, 2\)"):
        mcmc.gibbs_bivariate_normal(x, 0.5)
    with pytest.raises(ValueError, match="log_likelihood must return"):
        mcmc.sgld_gradient(NORMAL, lambda theta, b: theta.sum(1), x, (torch.zeros(1, 5),), 10)
