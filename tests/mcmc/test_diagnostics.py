"""Diagnostics: equal to ArviZ on stored cases, equal to theory where it is known, blind where they are known to be."""

import random

import numpy as np
import pytest
import torch
from scipy import linalg, stats

from helpers import mcmc
from helpers.mcmc import diagnostics


def autoregressive(chains, n, phi, seed):
    """x_t = phi x_{t-1} + sqrt(1 - phi^2) z_t, from Python's own generator, whose stream never changes."""
    r = random.Random(seed)
    z = stats.norm.ppf(np.array([[r.random() for _ in range(n)] for _ in range(chains)]))
    x = np.empty((chains, n))
    x[:, 0] = z[:, 0]
    for t in range(1, n):
        x[:, t] = phi * x[:, t - 1] + (1 - phi**2) ** 0.5 * z[:, t]
    return x


CASES = {
    "white": autoregressive(4, 500, 0.0, 1),
    "slow": autoregressive(4, 500, 0.9, 2),
    "antithetic": autoregressive(4, 500, -0.7, 3),
    "odd": autoregressive(3, 101, 0.5, 4),
    "one chain": autoregressive(1, 200, 0.6, 5),
    "short": autoregressive(2, 10, 0.3, 6),
    "shorter": autoregressive(2, 4, 0.3, 7),
    "rounded": np.round(autoregressive(4, 300, 0.5, 8) * 2) / 2,
    "shifted": autoregressive(4, 300, 0.3, 9) + np.array([[0.0], [0], [0], [1]]),
    "wider": autoregressive(4, 300, 0.3, 10) * np.array([[1.0], [1], [1], [3]]),
    "heavy": np.tan(np.pi * (stats.norm.cdf(autoregressive(4, 300, 0.3, 11)) - 0.5)),
}

# ArviZ 0.23.4: ess(mean, bulk, tail), rhat(split, rank), mcse(mean). No R-hat there for one chain.
ARVIZ = {
    "white": (1841.951168, 1839.945821, 1892.82447, 1.001771817, 1.001783195, 0.02342188091),
    "slow": (104.5965325, 104.8334625, 200.1981209, 1.015410367, 1.015845362, 0.09755458518),
    "antithetic": (6602.059991, 6602.059991, 1486.310819, 0.9985774798, 1.003884301, 0.01209375171),
    "odd": (131.4754619, 130.7419637, 203.6567197, 1.001478516, 1.009402882, 0.0907989094),
    "one chain": (47.77275244, 48.59374473, 93.7446736, None, None, 0.1547935978),
    "short": (23.17023392, 24.28500662, 21.73913043, 0.918972613, 1.061085972, 0.1987962679),
    "shorter": (7.224719896, 7.224719896, 7.224719896, 0.9025924058, 1.100545582, 0.2373999885),
    "rounded": (365.8525499, 367.4598303, 829.3444728, 1.023527008, 1.023257748, 0.05205759669),
    "shifted": (21.5600373, 22.28716858, 160.8182585, 1.13533142, 1.130537829, 0.2494329836),
    "wider": (596.3799938, 590.3759878, 40.69468167, 0.9997411835, 1.14296874, 0.06935970188),
    "heavy": (1145.813164, 649.9098428, 946.353854, 0.9999686108, 1.002621949, 1.151294124),
}
FUNCTIONS = (
    mcmc.effective_sample_size,
    diagnostics.bulk_ess,
    diagnostics.tail_ess,
    mcmc.split_rhat,
    diagnostics.rank_rhat,
    diagnostics.mcse,
)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("column", range(6))
def test_equal_to_arviz(name, column):
    expected = ARVIZ[name][column]
    if expected is not None:
        assert float(FUNCTIONS[column](torch.from_numpy(CASES[name]))) == pytest.approx(expected, rel=1e-8)


def test_equal_to_the_arviz_that_is_installed():
    arviz = pytest.importorskip("arviz", reason="ArviZ is not installed: its stored numbers are compared instead")
    for x in CASES.values():
        assert float(diagnostics.bulk_ess(torch.from_numpy(x))) == pytest.approx(float(arviz.ess(x, method="bulk")))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_coordinates_are_judged_one_by_one(function):
    x = torch.stack([torch.from_numpy(CASES[n][:, :300]) for n in ("white", "slow", "shifted")], dim=2)
    each = torch.stack([function(x[:, :, i]) for i in range(3)])
    assert torch.allclose(function(x), each, rtol=1e-12)
    assert torch.allclose(function(x.float()), each, rtol=1e-4)


def test_autocovariance_is_the_sum_that_it_says():
    x = torch.from_numpy(CASES["short"])
    centred = x - x.mean(1, keepdim=True)
    direct = torch.stack([(centred[:, : 10 - t] * centred[:, t:]).sum(1) / 10 for t in range(10)], dim=1)
    assert torch.allclose(mcmc.autocovariance(x), direct, atol=1e-12)
    assert torch.allclose(diagnostics.autocorrelation(x, 3), (direct.mean(0) / direct.mean(0)[0])[:4], atol=1e-12)


@pytest.mark.parametrize("phi", [-0.5, 0.0, 0.7, 0.95])
def test_effective_sample_size_of_an_autoregression(phi):
    """N_eff = N (1 - phi) / (1 + phi) for an AR(1) chain; 200 chains leave an error of a few per cent."""
    x = torch.from_numpy(autoregressive(200, 1000, phi, 20))
    expected = 200_000 * (1 - phi) / (1 + phi)
    assert float(mcmc.effective_sample_size(x)) == pytest.approx(expected, rel=0.1)


def test_monte_carlo_error_is_the_error():
    """Across 200 chains the means vary as `mcse` of each says: their ratio squared is chi-square / 199."""
    x = torch.from_numpy(autoregressive(200, 500, 0.5, 21))
    exact = (3 * (1 - 2 / 500 * 2 * (1 - 0.5**500) / 1.5) / 500) ** 0.5  # variance of the mean of an AR(1), phi = 1/2
    each = torch.stack([diagnostics.mcse(row[None]) for row in x])
    assert float(x.mean(1).std()) == pytest.approx(exact, rel=0.25)
    assert float(each.median()) == pytest.approx(exact, rel=0.1)


def test_what_each_diagnostic_misses():
    white = torch.from_numpy(autoregressive(4, 1000, 0.0, 22))
    stuck = white + 6.0  # a target with modes at -6 and +6: every chain found the same one
    assert diagnostics.rank_rhat(stuck) < 1.01 and diagnostics.bulk_ess(stuck) > 3000
    wider = white * torch.tensor([[1.0], [1.0], [1.0], [3.0]])
    assert mcmc.split_rhat(wider) < 1.01 < 1.05 < diagnostics.rank_rhat(wider)
    assert diagnostics.bulk_ess(wider) > 3000 > 400 > diagnostics.tail_ess(wider)
    trend = white + torch.linspace(-2, 2, 1000)  # all chains drift together: whole chains agree, half chains do not
    whole = (white.mean(1).var() / white.var(1).mean() + 1) ** 0.5
    assert whole < 1.01 and mcmc.split_rhat(trend) > 1.2
    cauchy = torch.from_numpy(np.tan(np.pi * (stats.norm.cdf(autoregressive(4, 1000, 0.0, 23)) - 0.5)))
    cauchy[3] += 3
    assert mcmc.split_rhat(cauchy) < 1.05 < 1.1 < diagnostics.rank_rhat(cauchy)


def test_rank_normalised_draws_are_normal_and_keep_their_order():
    x = torch.from_numpy(CASES["heavy"])
    z = diagnostics.rank_normalise(x)
    assert (z.flatten().argsort() == x.flatten().argsort()).all()
    assert abs(z.mean()) < 1e-12 and abs(z.std() - 1) < 0.01


def test_draws_that_cannot_be_judged():
    for function in FUNCTIONS:
        with pytest.raises(ValueError, match="n >= 4"):
            function(torch.zeros(2, 3))
        bad = torch.randn(3, 20)
        bad[1, 7] = torch.nan
        with pytest.raises(ValueError, match="chain 1"):
            function(bad)
    still = torch.ones(2, 100)
    assert mcmc.effective_sample_size(still).isnan() and mcmc.split_rhat(still).isnan()
    with pytest.raises(ValueError, match="between 0 and 1"):
        diagnostics.quantile_ess(torch.randn(2, 100), 1.0)
    with pytest.raises(ValueError, match="lags"):
        diagnostics.autocorrelation(torch.randn(2, 10), 10)


def test_arguments_are_left_alone():
    x = torch.from_numpy(CASES["odd"].copy())
    for function in FUNCTIONS:
        function(x)
    assert torch.equal(x, torch.from_numpy(CASES["odd"])) and linalg.norm(x) > 0
