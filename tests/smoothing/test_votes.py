"""Clopper-Pearson, PREDICT and CERTIFY against statsmodels, exact coverage and simulation."""

import itertools

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from helpers import runtime, smoothing as S
from helpers.smoothing.smooth import allowed_failures

SEEDS = range(5)


def double(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


# Bounds from counts.

# (k, n, alpha, proportion_confint(k, n, alpha=2 * alpha, method="beta")[0]) of statsmodels 0.15.0, whose alpha is
# two-sided
STATSMODELS = (
    (1, 1, 0.05, 0.05),
    (1, 10, 0.05, 0.005116196891823701),
    (7, 10, 0.05, 0.39337578389458766),
    (10, 10, 0.001, 0.5011872336272722),
    (60, 100, 0.05, 0.5129758202538943),
    (99, 100, 0.001, 0.9113731112960424),
    (500, 1000, 0.001, 0.45077105398478234),
    (990, 1000, 0.001, 0.9760361871553114),
    (1000, 1000, 0.001, 0.9931160484209338),
    (9990, 10000, 0.001, 0.9975883080325683),
    (50321, 100000, 0.05, 0.5006042670916451),
    (99999, 100000, 0.001, 0.9999076696662654),
)


def test_clopper_pearson_is_the_interval_of_statsmodels() -> None:
    for k, n, alpha, expected in STATSMODELS:
        assert float(S.clopper_pearson_lower(k, n, alpha)) == pytest.approx(expected, rel=1e-12, abs=1e-300)


def test_clopper_pearson_agrees_with_statsmodels_on_a_grid() -> None:
    proportion = pytest.importorskip("statsmodels.stats.proportion")
    for n, alpha in itertools.product((1, 10, 1000, 100_000), (0.05, 0.001)):
        k = torch.arange(0, n + 1, max(1, n // 50))
        expected = proportion.proportion_confint(k.numpy(), n, alpha=2 * alpha, method="beta")[0]
        assert np.allclose(S.clopper_pearson_lower(k, n, alpha), expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("n", [1, 10, 137, 100_000])
@pytest.mark.parametrize("alpha", [0.3, 0.05, 0.001])
def test_clopper_pearson_solves_its_equation(n: int, alpha: float) -> None:
    k = np.unique(np.linspace(1, n, 30).round().astype(int))
    p = S.clopper_pearson_lower(torch.from_numpy(k), n, alpha).numpy()
    assert np.allclose(stats.binom.sf(k - 1, n, p), alpha, rtol=1e-9)
    assert S.clopper_pearson_lower(0, n, alpha) == 0
    assert float(S.clopper_pearson_lower(n, n, alpha)) == pytest.approx(alpha ** (1 / n), rel=1e-12)


@pytest.mark.parametrize("alpha", [0.05, 0.001])
def test_coverage_is_at_least_1_minus_alpha_exactly(alpha: float) -> None:
    """No simulation: the probability of all k whose bound exceeds the true p, summed, over a grid of (p, n)."""
    worst = 0.0
    for n in (1, 5, 20, 100, 1000):
        k = torch.arange(n + 1)
        lower = S.clopper_pearson_lower(k, n, alpha).numpy()
        for p in (0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.999):
            missed = stats.binom.pmf(k.numpy(), n, p)[lower > p].sum()
            assert missed <= alpha * (1 + 1e-9)
            worst = max(worst, missed)
    assert worst > 0.7 * alpha  # and no wider than it has to be


@pytest.mark.parametrize("seed", SEEDS)
def test_predict_is_the_two_sided_binomial_test(seed: int) -> None:
    g = runtime.generator(seed)
    votes = torch.randint(0, 40, (60, 4), generator=g)
    votes[:5] = torch.tensor([0, 0, 7, 0])
    found = S.smoothed_predict(votes, 0.1)
    for row, prediction in zip(votes.tolist(), found.tolist(), strict=True):
        second, first = sorted(row)[-2:]
        p = stats.binomtest(first, first + second, 0.5).pvalue
        assert prediction == (row.index(first) if p <= 0.1 else S.ABSTAIN)
    assert {S.ABSTAIN} < set(found.tolist())


def test_predict_is_wrong_in_at_most_alpha_of_all_draws() -> None:
    """p_A = 0.51 against 0.49: almost no information, so that the wrong class wins nearly every other time."""
    rng, alpha = np.random.default_rng(0), 0.1
    votes = torch.from_numpy(rng.multinomial(100, (0.49, 0.51), size=20_000))
    found = S.smoothed_predict(votes, alpha)
    wrong = int((found == 0).sum())
    assert 0 < wrong <= allowed_failures(20_000, alpha)
    assert votes.argmax(1).eq(0).sum() > allowed_failures(20_000, alpha)  # the bare majority is wrong far more often


# CERTIFY.


def multinomial(p: list[float], n: int, size: int, seed: int) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).multinomial(n, p, size=size))


def test_certify_chooses_on_one_sample_and_bounds_on_the_other() -> None:
    selection, votes = torch.tensor([[6, 4], [4, 6]]), torch.tensor([[20, 980], [20, 980]])
    found = S.certify(selection, votes, sigma=0.5, alpha=0.001)
    p = S.clopper_pearson_lower(980, 1000, 0.001)
    assert found.prediction.tolist() == [S.ABSTAIN, 1] and found.radius[0] == 0
    assert found.lower[1] == p and found.radius[1] == 0.5 * torch.special.ndtri(p)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_sample_for_choice_and_bound_breaks_the_guarantee(seed: int) -> None:
    """Ten equal classes: whichever is chosen has probability 0.1. The bound exceeds that in at most 5 % of all draws,
    and in about 40 % when the class is the winner of the same draw."""
    trials, alpha = 2000, 0.05
    selection, votes = (multinomial([0.1] * 10, 1000, trials, seed + s) for s in (0, 100))
    honest = S.certify(selection, votes, sigma=1.0, alpha=alpha).lower > 0.1
    mistaken = S.certify(votes, votes.clone(), sigma=1.0, alpha=alpha).lower > 0.1
    assert honest.sum() <= allowed_failures(trials, alpha)
    assert 0.3 < mistaken.double().mean() < 0.5


def test_certificates_grow_with_votes_with_alpha_and_with_the_margin() -> None:
    """At exact ratios: 90 % of 100, of 1,000, of 10,000."""

    def radius(k: int, n: int, alpha: float) -> float:
        votes = torch.tensor([[k, n - k]])
        return float(S.certify(votes, votes.clone(), sigma=1.0, alpha=alpha).radius)

    by_n = [radius(9 * n // 10, n, 0.001) for n in (100, 1_000, 10_000, 100_000)]
    by_alpha = [radius(900, 1000, alpha) for alpha in (1e-6, 1e-3, 0.05, 0.3)]
    by_margin = [radius(k, 1000, 0.001) for k in range(600, 1001, 25)]
    for radii in (by_n, by_alpha, by_margin):
        assert (np.diff(radii) > 0).all()
    assert by_n[-1] < stats.norm.ppf(0.9)


@pytest.mark.parametrize(("n", "expected"), [(100, 1.50), (1_000, 2.46), (10_000, 3.20), (100_000, 3.81)])
def test_the_ceiling_is_the_certificate_of_unanimous_votes(n: int, expected: float) -> None:
    votes = torch.tensor([[n, 0]])
    ceiling = S.max_certifiable_radius(n, 0.001, 0.5)
    assert ceiling == pytest.approx(0.5 * expected, abs=0.0026)
    assert float(S.certify(votes, votes.clone(), sigma=0.5, alpha=0.001).radius) == pytest.approx(ceiling, rel=1e-9)
