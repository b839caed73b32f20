"""The eleven functions of lecture 9 against their definitions, other libraries, simulation and worst cases."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import optimize, stats
from torch import Tensor

from helpers import runtime, smoothing as S
from helpers.smoothing.certificates import renyi_radius
from helpers.smoothing.smooth import allowed_failures

SEEDS = range(5)


def double(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


# Lipschitz constants, margins, intervals.


@pytest.mark.parametrize("seed", SEEDS)
def test_the_product_of_norms_bounds_every_quotient(seed: int) -> None:
    g = runtime.generator(seed)
    weights = [torch.randn(m, n, generator=g, dtype=torch.float64) for m, n in ((7, 5), (6, 7), (3, 6))]
    bound = S.lipschitz_upper_bound(weights)
    assert bound == pytest.approx(np.prod([np.linalg.svd(w.numpy())[1][0] for w in weights]))
    x, step = torch.randn(2, 500, 5, generator=g, dtype=torch.float64)

    def net(z: Tensor) -> Tensor:
        for w in weights[:-1]:
            z = (z @ w.T + 0.3).relu()
        return z @ weights[-1].T

    quotient = (net(x + step) - net(x)).norm(dim=1) / step.norm(dim=1)
    assert quotient.max() <= bound
    linear = (x @ weights[0].T).norm(dim=1) / x.norm(dim=1)
    assert 0.5 * S.lipschitz_upper_bound(weights[:1]) < linear.max() <= S.lipschitz_upper_bound(weights[:1])


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("per_logit", [False, True])
def test_the_margin_radius_never_exceeds_the_distance_of_a_linear_classifier(seed: int, per_logit: bool) -> None:
    g = runtime.generator(seed)
    w = torch.randn(4, 6, generator=g, dtype=torch.float64)
    x = torch.randn(200, 6, generator=g, dtype=torch.float64)
    z = x @ w.T
    y = z.argmax(1)
    lipschitz = w.norm(dim=1).max() if per_logit else torch.linalg.matrix_norm(w, 2)
    gap = z.gather(1, y[:, None]) - z
    distance = (gap / (w[y][:, None] - w).norm(dim=2)).scatter(1, y[:, None], math.inf).amin(1)
    assert (S.margin_radius(z, y, float(lipschitz), per_logit=per_logit) <= distance * (1 + 1e-12)).all()
    wrong = (y + 1) % 4
    assert (S.margin_radius(z, wrong, 1.0) == 0).all()


def test_both_margin_radii_are_attained() -> None:
    """sqrt(2): logits (x, -x) / sqrt(2) have L = 1; two: each logit has L = 1 and the two move against each other."""
    x = double(0.8)[:, None]
    y = torch.tensor([0])
    assert S.margin_radius(torch.cat([x, -x], 1) / math.sqrt(2), y, 1.0).item() == pytest.approx(0.8)
    assert S.margin_radius(torch.cat([x, -x], 1), y, 1.0, per_logit=True).item() == pytest.approx(0.8)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_interval_of_a_linear_map_is_that_of_the_corners(seed: int) -> None:
    g = runtime.generator(seed)
    centre, radius = torch.rand(2, 3, 4, generator=g, dtype=torch.float64)
    w, b = torch.randn(5, 4, generator=g, dtype=torch.float64), torch.randn(5, generator=g, dtype=torch.float64)
    corners = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=4)), dtype=torch.float64)
    values = (centre[:, None] + radius[:, None] * corners) @ w.T + b
    low, high = S.interval_linear(centre - radius, centre + radius, w, b)
    assert torch.allclose(low, values.amin(1)) and torch.allclose(high, values.amax(1))


# Radii of known probabilities.


@pytest.mark.parametrize("sigma", [0.25, 1.0])
def test_at_the_certified_radius_the_worst_case_reaches_one_half(sigma: float) -> None:
    p = double(0.51, 0.7, 0.99, 1 - 1e-9)
    r = S.certified_radius(p, sigma)
    assert torch.allclose(S.neyman_pearson_bound(p, r, sigma), double(0.5).expand(4), atol=1e-12)
    assert torch.allclose(S.neyman_pearson_bound(p, 0.0, sigma), p, atol=1e-12)


def test_no_set_falls_below_the_neyman_pearson_bound() -> None:
    """Unions of intervals of measure p_A under N(0, 1), drawn at random: none has less under N(d, 1); the half-line has
    exactly the bound."""
    p_a, d, cells = 0.8, 0.7, 400
    edges = stats.norm.ppf(np.linspace(0, 1, cells + 1))
    after = np.diff(stats.norm.cdf(edges - d))  # of each cell, which has 1 / cells before
    bound = float(S.neyman_pearson_bound(p_a, d, 1.0))
    kept = round(p_a * cells)
    assert after[:kept].sum() == pytest.approx(bound, abs=1e-9)
    rng = np.random.default_rng(0)
    assert min(after[rng.permutation(cells)[:kept]].sum() for _ in range(500)) > bound + 0.02


def test_the_radius_of_two_bounds() -> None:
    p = double(0.6, 0.9)
    assert torch.allclose(S.certified_radius(p, 0.5), 0.5 * torch.special.ndtri(p))
    assert torch.allclose(S.certified_radius(p, 0.5, 1 - p), S.certified_radius(p, 0.5))
    assert S.certified_radius(p, 0.5, 0.05)[0] > S.certified_radius(p, 0.5)[0]
    assert S.certified_radius(double(0.3, 0.5), 1.0).tolist() == [0, 0]
    assert S.certified_radius(1.0, 1.0) == math.inf and S.certified_radius(0.0, 1.0) == 0
    margins = S.certified_radius(torch.linspace(0.5, 0.999, 100), 1.0)
    assert (margins.diff() > 0).all()


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


# Top k, and other certificates.


def worst_advantage(p: np.ndarray, k: int, shift: float, cells: int = 400) -> float:
    """max over classifiers with probabilities p of min over k rivals of p'_rival - p'_0 after a shift, by linear
    programming: how the cells of the real line, all of equal measure before, are shared between the classes."""
    after = np.diff(stats.norm.cdf(stats.norm.ppf(np.linspace(0, 1, cells + 1)) - shift))
    classes = len(p)
    size = classes * cells + 1  # the shares, then the advantage
    equal, right = [], []
    for c in range(classes):  # class c has probability p_c
        row = np.zeros(size)
        row[c * cells : (c + 1) * cells] = 1 / cells
        equal.append(row)
        right.append(p[c])
    for cell in range(cells):
        row = np.zeros(size)
        row[cell : classes * cells : cells] = 1
        equal.append(row)
        right.append(1)
    best = -math.inf
    for rivals in itertools.combinations(range(1, classes), k):
        less = np.zeros((k, size))
        for i, c in enumerate(rivals):  # advantage + p'_0 - p'_c <= 0
            less[i, :cells], less[i, c * cells : (c + 1) * cells], less[i, -1] = after, -after, 1
        objective = np.zeros(size)
        objective[-1] = -1
        bounds = [(0, 1)] * (size - 1) + [(-1, 1)]
        found = optimize.linprog(objective, less, np.zeros(k), np.array(equal), right, bounds=bounds)
        best = max(best, -found.fun)
    return best


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("p", [(0.5, 0.3, 0.15, 0.05), (0.3, 0.3, 0.25, 0.15), (0.85, 0.06, 0.05, 0.04)])
def test_the_top_k_radius_is_where_the_worst_classifier_wins(p: tuple[float, ...], k: int) -> None:
    values = np.array(p)
    r = float(S.top_k_radius(double(p[0]), torch.tensor([p[1:]], dtype=torch.float64), k, 1.0))
    if r > 0:
        assert worst_advantage(values, k, r - 0.03) < 0
    assert worst_advantage(values, k, r + 0.03) > 0


@pytest.mark.parametrize("seed", SEEDS)
def test_top_1_is_cohen_and_more_of_the_top_is_easier(seed: int) -> None:
    p = torch.distributions.Dirichlet(torch.ones(6, dtype=torch.float64))
    runtime.seed(seed)
    q = p.sample((50,))
    label, others = q[:, 0], q[:, 1:]
    first = S.top_k_radius(label, others, 1, 0.5)
    assert torch.allclose(first, S.certified_radius(label, 0.5, others.amax(1)), atol=1e-9)
    radii = torch.stack([S.top_k_radius(label, others, k, 0.5) for k in range(1, 6)])
    assert (radii.diff(dim=0) >= -1e-9).all() and (radii[-1] > radii[0]).any()


@pytest.mark.parametrize("sigma", [0.25, 1.0])
def test_lecuyer_is_below_li_is_below_cohen(sigma: float) -> None:
    p_a = torch.linspace(0.34, 0.9999, 80, dtype=torch.float64)
    for p_b in (1 - p_a, (1 - p_a) / 2):
        lecuyer, li, cohen = (
            S.lecuyer_radius(p_a, p_b, sigma),
            renyi_radius(p_a, p_b, sigma),
            S.certified_radius(p_a, sigma, p_b),
        )
        inside = p_a > p_b
        assert (lecuyer < li)[inside].all() and (li < cohen)[inside].all()
        assert (lecuyer[inside] > 0).all()
        assert not (lecuyer + li + cohen)[~inside].any()


@pytest.mark.parametrize("sigma", [0.25, 1.0])
def test_lecuyer_is_the_largest_shift_that_some_private_noise_certifies(sigma: float) -> None:
    """(beta, delta)-privacy with delta = 1.25 exp(-beta^2 sigma^2 / (2 r^2)), beta <= 1, keeps A first just up to r."""
    beta = torch.linspace(1e-3, 1, 4000, dtype=torch.float64)
    for p_a, p_b in ((0.6, 0.2), (0.9, 0.1), (0.999, 0.001)):
        r = float(S.lecuyer_radius(double(p_a), double(p_b), sigma))

        def certifies(shift: float, p_a: float = p_a, p_b: float = p_b) -> bool:
            delta = 1.25 * (-((beta * sigma / shift) ** 2) / 2).exp()
            return bool((p_a > (2 * beta).exp() * p_b + (1 + beta.exp()) * delta).any())

        assert certifies(0.999 * r) and not certifies(1.001 * r)


# Bad input: each message names the argument, the value and what is allowed.

VOTES = torch.tensor([[3, 4]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: S.lipschitz_upper_bound([]), "one or more matrices"),
        (lambda: S.lipschitz_upper_bound([torch.ones(3, 2), torch.ones(3, 2)]), r"chain, got \(3, 2\) after \(3, 2\)"),
        (lambda: S.margin_radius(torch.ones(1, 2), torch.tensor([0]), 0.0), "lipschitz must be a positive.*got 0.0"),
        (lambda: S.interval_linear(torch.ones(1, 2), torch.zeros(1, 2), torch.eye(2), torch.zeros(2)), "above it by 1"),
        (lambda: S.neyman_pearson_bound(1.2, 0.0, 1.0), r"p_a must lie in \[0, 1\]"),
        (lambda: S.neyman_pearson_bound(0.5, -1.0, 1.0), "distance must be at least 0, got -1"),
        (lambda: S.certified_radius(0.7, 0.0), "sigma must be a positive number, got 0.0"),
        (lambda: S.certified_radius(math.nan, 1.0), r"p_a must lie in \[0, 1\]"),
        (lambda: S.certified_radius(0.7, 1.0, -0.1), r"p_b must lie in \[0, 1\]"),
        (lambda: S.clopper_pearson_lower(5, 4, 0.05), r"successes must lie in 0 \.\.\. 4, got from 5 to 5"),
        (lambda: S.clopper_pearson_lower(0, 0, 0.05), "n must be an integer of at least 1, got 0"),
        (lambda: S.clopper_pearson_lower(1, 4, 1.0), r"alpha must lie in \(0, 1\), got 1.0"),
        (lambda: S.smoothed_predict(VOTES.float(), 0.05), r"votes must be whole numbers \(N, K\)"),
        (lambda: S.smoothed_predict(VOTES[:, :1], 0.05), r"K >= 2, got \(1, 1\)"),
        (lambda: S.smoothed_predict(VOTES, 0.0), r"alpha must lie in \(0, 1\), got 0.0"),
        (lambda: S.certify(VOTES, VOTES.repeat(2, 1), sigma=1.0, alpha=0.05), r"must agree, got \(1, 2\) and \(2, 2\)"),
        (lambda: S.certify(VOTES, 1 * VOTES, sigma=-1.0, alpha=0.05), "sigma must be a positive number, got -1.0"),
        (lambda: S.certify(VOTES, VOTES - 5, sigma=1.0, alpha=0.05), "votes must lie in 0"),
        (
            lambda: S.certify(torch.ones(2, 2).int(), torch.tensor([[3, 4], [1, 1]]), sigma=1.0, alpha=0.05),
            "as many copies of every image, got from 2 to 7",
        ),
        (lambda: S.max_certifiable_radius(0, 0.001, 1.0), "n must be an integer of at least 1, got 0"),
        (lambda: S.top_k_radius(double(0.5), double(0.3, 0.2)[None], 3, 1.0), r"k must lie in 1 \.\.\. K - 1.*k = 3"),
        (lambda: S.lecuyer_radius(double(0.5), double(1.5), 1.0), r"p_b must lie in \[0, 1\]"),
    ],
)
def test_bad_input_is_named(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
