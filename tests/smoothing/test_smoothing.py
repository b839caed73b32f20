"""Radii of known probabilities, against their definitions, linear programming and each other; bad input."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import optimize, stats
from torch import Tensor

from helpers import runtime, smoothing as S
from helpers.smoothing.certificates import renyi_radius

SEEDS = range(5)


def double(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


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
        (
            lambda: S.lipschitz_upper_bound([torch.ones(3, 2) * math.nan]),
            "must be finite, got 6 NaN or",
        ),
        (lambda: S.margin_radius(torch.ones(1, 2), torch.tensor([0]), 0.0), "lipschitz must be a positive.*got 0.0"),
        (lambda: S.margin_radius(torch.ones(2, 2), torch.tensor([0]), 1.0), r"got \(2, 2\) and \(1,\)"),
        (lambda: S.margin_radius(torch.ones(2, 1), torch.zeros(2).long(), 1.0), r"K >= 2.*got \(2, 1\)"),
        (lambda: S.margin_radius(torch.ones(1, 2), torch.zeros(1), 1.0), "whole numbers y.*of torch.float32"),
        (lambda: S.margin_radius(torch.ones(2), torch.zeros(2).long(), 1.0), r"got \(2,\) and \(2,\)"),
        (lambda: S.margin_radius(torch.tensor([[1, math.nan]]), torch.tensor([0]), 1.0), "must be finite, got 1 NaN"),
        (lambda: S.margin_radius(torch.ones(1, 2), torch.tensor([2]), 1.0), r"0 \.\.\. 1, got from 2 to 2"),
        (lambda: S.margin_radius(torch.ones(1, 2), torch.tensor([-1]), 1.0), r"0 \.\.\. 1, got from -1 to -1"),
        (lambda: S.top_k_radius(double(0.5), double(0.3, 0.2)[None], 0, 1.0), "k must be an integer of at least 1"),
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
