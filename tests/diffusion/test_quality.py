"""What judges drawn digits, where the answer is known: Gaussians, commuting and not; errors against repetition."""

import math

import pytest
import torch
from scipy import linalg, stats
from torch import Tensor

from helpers import diffusion, runtime
from helpers.diffusion.quality import Fit

close = torch.testing.assert_close


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=runtime.generator(seed, "cpu"), dtype=torch.float64)


def fit(d: int, seed: int) -> Fit:
    root = normal(d, d + 2, seed=seed)
    return Fit(normal(d, seed=seed + 100), root @ root.T)


def test_moments_are_numpys() -> None:
    z = normal(50, 4)
    close(diffusion.moments(z), Fit(z.mean(0), torch.from_numpy(torch.cov(z.T).numpy())))
    assert diffusion.moments(z.float()).covariance.dtype == torch.float64
    for bad in (z[:1], z[0], z * math.nan, z.where(z < 1, math.inf)):
        with pytest.raises(ValueError, match="features must be finite"):
            diffusion.moments(bad)


def test_the_frechet_distance_is_that_of_sqrtm_and_on_the_line_the_closed_form() -> None:
    for d in (1, 3, 12):
        a, b = fit(d, 1), fit(d, 2)
        root = torch.from_numpy(linalg.sqrtm((a.covariance @ b.covariance).numpy()).real)
        expected = (a.mean - b.mean).square().sum() + (a.covariance + b.covariance - 2 * root).trace()
        assert diffusion.frechet_distance(a, b) == pytest.approx(float(expected), rel=1e-6)
        assert diffusion.frechet_distance(a, b) == pytest.approx(diffusion.frechet_distance(b, a), rel=1e-9)
    a, b = fit(1, 3), fit(1, 4)
    sds = a.covariance.sqrt() - b.covariance.sqrt()
    expected = float((a.mean - b.mean) ** 2 + sds**2)
    assert diffusion.frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)


def test_the_frechet_distance_is_zero_for_one_law_also_where_a_feature_never_moves() -> None:
    z = normal(200, 6)
    z[:, 2] = 1.0
    assert 0 <= diffusion.frechet_distance(z, z) < 1e-9
    assert diffusion.frechet_distance(z, z + 2) == pytest.approx(24, rel=1e-9)
    with pytest.raises(ValueError, match="features must have one d, got 6 and 5"):
        diffusion.frechet_distance(z, z[:, :5])


def test_it_is_the_optimal_transport_between_gaussian_clouds() -> None:
    """In two dimensions, 400 points a cloud: the empirical W2 of `wasserstein2`, squared, within a tenth."""
    a, b = normal(400, 2), normal(400, 2, seed=1) @ torch.tensor([[2.0, 0.0], [1.0, 0.5]]).double() + 3
    assert diffusion.frechet_distance(a, b) == pytest.approx(float(diffusion.wasserstein2(a, b)) ** 2, rel=0.1)


def test_truth_against_truth_falls_like_one_over_n() -> None:
    z = normal(20_000, 8)
    few, many = (diffusion.truth_distances(z, n, 20, runtime.generator(n, "cpu")) for n in (100, 400))
    assert few.mean() / many.mean() == pytest.approx(4, rel=0.25)
    for n in (1, 19_999):
        with pytest.raises(ValueError, match="n must lie in 2 ... 19998"):
            diffusion.truth_distances(z, n, 1, runtime.generator(0, "cpu"))


@pytest.mark.parametrize(("hits", "n"), [(0, 10), (10, 10), (1, 10), (95, 100), (960, 1000)])
def test_the_interval_of_a_share_is_clopper_and_pearsons(hits: int, n: int) -> None:
    for alpha in (0.05, 0.01):
        found = diffusion.share_interval(hits, n, alpha)
        expected = stats.binomtest(hits, n).proportion_ci(1 - alpha, "exact")
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
        assert found.value == hits / n and found.n == n


def test_shares_that_cannot_be_are_refused() -> None:
    for hits, n, alpha, message in (
        (-1, 5, 0.05, "hits"),
        (6, 5, 0.05, "hits"),
        (0, 0, 0.05, "n"),
        (1, 5, 1.0, "alpha"),
    ):
        with pytest.raises(ValueError, match=f"{message} must"):
            diffusion.share_interval(hits, n, alpha)


def test_the_classifier_judges_real_digits_as_its_card_says() -> None:
    classifier, (x, y) = diffusion.digit_classifier("cpu"), diffusion.scaled_mnist("test")
    x, y = x[:2_000], y[:2_000]
    z = diffusion.features(classifier, x)
    assert z.shape == (2_000, 100)
    with torch.no_grad():
        close(classifier[-1](z), classifier((x + 1) / 2), atol=1e-4, rtol=1e-4)
    assert diffusion.asked_for(classifier, z, y).low > 0.97
    assert diffusion.asked_for(classifier, z, (y + 1) % 10).high < 0.03
    with pytest.raises(ValueError, match="one label for each of 2000 digits"):
        diffusion.asked_for(classifier, z, y[:5])
    for bad in (x + 0.1, x * math.nan):
        with pytest.raises(ValueError, match=r"x must lie in \[-1, 1\]"):
            diffusion.features(classifier, bad)


def test_diversity_is_half_the_mean_squared_distance_within_a_class() -> None:
    z, y = normal(60, 3), torch.arange(60) % 2
    halves = []
    for k in range(2):
        squares = torch.cdist(z[y == k], z[y == k]).square()
        halves.append(squares.sum() / (30 * 29) / 2)
    assert diffusion.diversity(z, y) == pytest.approx(float(torch.stack(halves).mean()), rel=1e-9)
    with pytest.raises(ValueError, match="features must be finite"):
        diffusion.diversity(z[:3], torch.tensor([0, 0, 1]))


def test_the_jackknife_is_the_standard_error_of_a_mean_and_near_that_of_a_distance() -> None:
    z = normal(2_000, 1)
    value, error = diffusion.jackknife(lambda z: float(z.mean()), z, groups=2_000)
    assert value == pytest.approx(float(z.mean())) and error == pytest.approx(float(z.std()) / math.sqrt(2_000))
    reference, found = Fit(torch.zeros(4).double(), torch.eye(4).double()), []
    for seed in range(60):
        draw = normal(300, 4, seed=seed) * 1.3
        found.append(diffusion.jackknife(lambda z: diffusion.frechet_distance(z, reference), draw))
    values, errors = torch.tensor(found, dtype=torch.float64).T
    assert float(errors.square().mean().sqrt() / values.std()) == pytest.approx(1, abs=0.35)
    for samples, groups in (((z, z[:5]), 10), ((z[:5],), 10), ((z,), 1)):
        with pytest.raises(ValueError, match="need samples of one length"):
            diffusion.jackknife(lambda *_: 0.0, *samples, groups=groups)
