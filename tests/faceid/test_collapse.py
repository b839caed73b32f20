"""Neural Collapse: the simplex, NC1 to NC4 against their definitions, and the free-feature model's known minimum."""

import math
from functools import partial

import pytest
import torch
from torch import Tensor

from helpers.faceid import bounds, collapse as C, free
from helpers.faceid.features import class_means, unit
from tests.faceid.draws import generator, random, simplex

close = torch.testing.assert_close


def off_diagonal(gram: Tensor) -> Tensor:
    return gram[~torch.eye(len(gram), dtype=torch.bool)]


@pytest.mark.parametrize(("K", "d"), [(2, 1), (2, 3), (3, 2), (10, 9), (10, 10), (10, 64), (100, 99)])
def test_the_simplex(K: int, d: int) -> None:
    corners = simplex(K, d)
    assert corners.shape == (K, d) and corners.dtype == torch.float64
    expected = K / (K - 1) * torch.eye(K, dtype=torch.float64) - 1 / (K - 1)
    close(corners @ corners.T, expected)
    close(corners.sum(0), torch.zeros(d, dtype=torch.float64))


def test_there_is_no_simplex_with_fewer_dimensions() -> None:
    for K, d in ((10, 8), (1, 5)):
        with pytest.raises(ValueError, match="must be at least"):
            C.simplex_etf(K, d)


def noisy(noise: float, K: int = 4, n: int = 6, d: int = 5) -> tuple[Tensor, Tensor]:
    """Classes around the corners of a simplex, shuffled."""
    y = torch.arange(K * n) % K
    return 2 * simplex(K, d)[y] + 3 + noise * random(K * n, d), y


@pytest.mark.parametrize(("K", "d"), [(4, 5), (3, 2), (2, 7), (6, 3)])
def test_nc1_by_its_definition(K: int, d: int) -> None:
    """Sums over samples and classes; the pseudo-inverse from the eigenvectors of the largest min(d, K - 1) values."""
    x, y = random(6 * K, d) + 2 * random(K, d, seed=1).repeat(6, 1), torch.arange(6 * K) % K
    means = [x[y == k].mean(0) for k in range(K)]
    mu = x.mean(0)
    sigma_w = sum(torch.outer(x[i] - means[y[i]], x[i] - means[y[i]]) for i in range(len(x))) / len(x)
    sigma_b = sum(torch.outer(m - mu, m - mu) for m in means) / K
    values, vectors = torch.linalg.eigh(sigma_b)
    kept = slice(max(0, d - (K - 1)), d)
    inverse = vectors[:, kept] / values[kept] @ vectors[:, kept].T
    close(C.within_class_variability(x, y), torch.trace(sigma_w @ inverse) / K)


def test_nc1_knows_neither_offset_nor_scale_nor_rotation() -> None:
    x, y = noisy(0.3)
    q, _ = torch.linalg.qr(random(5, 5))
    expected = C.within_class_variability(x, y)
    for other in (x + 100, -3 * x, x @ q, x.float().double()):
        close(C.within_class_variability(other, y), expected, rtol=1e-5, atol=0)
    close(C.within_class_variability(x.float() + 100, y), expected, rtol=1e-3, atol=0)  # float32 in, float64 inside
    close(C.within_class_variability(noisy(0.0)[0], y), torch.zeros((), dtype=torch.float64))
    y = torch.cat([y, torch.zeros(7).long()])  # unequal classes: rank K - 1 all the same
    assert 0 < C.within_class_variability(torch.cat([x, x[y[:24] == 0], x[:1]]), y) < 1


def test_nc2_of_the_simplex_is_zero_and_of_others_is_not() -> None:
    means = 3 * simplex(5, 7)
    assert C.equinorm(means) < 1e-12 and C.equiangle(means) < 1e-12
    longer = means * torch.tensor([1.0, 1, 1, 1, 2])[:, None]
    assert float(C.equinorm(longer)) == pytest.approx(0.4 / 1.2) and C.equiangle(longer) < 1e-12
    square = torch.tensor([[1.0, 0], [0, 1], [-1, 0], [0, -1]])
    assert C.equinorm(square) == 0 and float(C.equiangle(square)) == pytest.approx((2 * (1 / 3) + 2 / 3) / 3)


def test_nc3_is_zero_only_for_parallel_weights() -> None:
    means = random(4, 6)
    assert C.self_duality(means, 5 * means) < 1e-12
    assert float(C.self_duality(means, -means)) == pytest.approx(4)
    w = random(4, 6, seed=1)
    cos = float((w * means).sum() / w.norm() / means.norm())
    assert float(C.self_duality(means, w)) == pytest.approx(2 - 2 * cos)
    with pytest.raises(ValueError, match=r"weights must have the shape \(4, 6\), got \(1, 6\)"):
        C.self_duality(means, w[:1])


def test_nc4_counts_the_samples_that_the_two_rules_tell_apart() -> None:
    x, y = torch.tensor([[0.0], [1], [10], [11], [6]]), torch.tensor([0, 0, 1, 1, 0])  # means 7/3, 10.5
    logits = torch.tensor([[1.0, 0], [0, 1], [0, 1], [1, 0], [1, 0]])
    assert float(C.nearest_mean_disagreement(x, y, logits)) == pytest.approx(2 / 5)
    with pytest.raises(ValueError, match="logits must be"):
        C.nearest_mean_disagreement(x, y, logits[:, :1])


def test_centred_means() -> None:
    x, y = random(9, 3), torch.arange(9) % 3
    means = C.centred_means(x, y)
    close(means, class_means(x, y) - x.mean(0))
    for bad in (torch.zeros(9).long(), y):
        with pytest.raises(ValueError, match="two classes with different means"):
            C.centred_means(torch.ones(9, 3), bad)


def test_all_four_together() -> None:
    x, y = noisy(0.1)
    w, means = random(4, 5, seed=3), C.centred_means(x, y)
    logits = x @ w.T
    expected = (
        C.within_class_variability(x, y),
        C.equinorm(means),
        C.equiangle(means),
        C.self_duality(means, w),
        C.nearest_mean_disagreement(x, y, logits),
    )
    assert C.neural_collapse(x, y, w, logits) == tuple(map(float, expected))


@pytest.mark.parametrize(("K", "d", "tau"), [(3, 2, 0.3), (4, 8, 0.05), (10, 9, 0.05), (2, 1, 0.5)])
def test_free_features_collapse_to_the_minimum_in_closed_form(K: int, d: int, tau: float) -> None:
    """Softmax with weight decay: norms, angles, loss and all of NC1 to NC4."""
    f = free.free_features(K, 3, d, generator=generator())
    f = free.descend(f, free.softmax_loss, tau=tau, eta=0.5, steps=4000)
    s = free.collapsed_scale(K, tau)
    etf = s * (K / (K - 1) * torch.eye(K, dtype=torch.float64) - 1 / (K - 1))
    close(f.weights @ f.weights.T, etf, atol=1e-6, rtol=0)
    close(f.features[::3] @ f.weights.T, etf, atol=1e-6, rtol=0)
    close(free.softmax_loss(*f), bounds.normalised_softmax_bound(torch.tensor(s), K).double(), atol=1e-6, rtol=0)
    nc = C.neural_collapse(f.features, f.y, f.weights, f.features @ f.weights.T)
    assert max(nc) < 1e-6


def test_too_much_decay_leaves_nothing() -> None:
    assert free.collapsed_scale(10, 1.0) == free.collapsed_scale(10, 3.0) == 0
    assert 0 < free.collapsed_scale(10, 0.999) < 0.01
    f = free.descend(free.free_features(3, 2, 4, generator=generator()), free.softmax_loss, tau=1.5, steps=200)
    assert f.features.abs().max() < 1e-6 and f.weights.abs().max() < 1e-6


def trained_on_the_sphere(d: int, s: float, steps: int) -> free.Free:
    f = free.free_features(10, 2, d, generator=generator())
    return free.descend(f, partial(free.normface_loss, s=s), eta=0.3, steps=steps)


def test_ten_classes_at_s_1_stop_at_1_377_with_cosines_of_minus_a_ninth() -> None:
    f = trained_on_the_sphere(16, 1.0, 1500)
    assert float(free.normface_loss(*f, s=1.0)) == pytest.approx(math.log(1 + 9 * math.exp(-10 / 9)), abs=1e-6)
    means = class_means(unit(f.features), f.y)
    close(off_diagonal(unit(means) @ unit(means).T), torch.full((90,), -1 / 9, dtype=torch.float64), atol=1e-4, rtol=0)


def test_in_the_plane_the_floor_is_out_of_reach() -> None:
    """d = 2 < K - 1 = 9: evenly on the circle at best, 1.538 against 1.377."""
    f = trained_on_the_sphere(2, 1.0, 1500)
    circle = bounds.circle(10)
    on_circle = -(circle @ circle.T).log_softmax(1).diagonal().mean()
    assert float(free.normface_loss(*f, s=1.0)) == pytest.approx(float(on_circle), abs=1e-5)
    assert float(on_circle) == pytest.approx(1.5385, abs=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_nothing_is_below_the_floor(seed: int) -> None:
    f = free.free_features(6, 4, 8, generator=generator(seed))
    for s in (0.5, 1.0, 10.0):
        floor = bounds.normalised_softmax_bound(torch.tensor(s, dtype=torch.float64), 6)
        assert free.normface_loss(*f, s=s) > floor
    etf = simplex(6, 8)
    close(free.normface_loss(etf, etf, torch.arange(6), s=10.0), floor)


def test_the_start_and_one_step() -> None:
    f = free.free_features(3, 4, 200, generator=generator())
    assert f.features.shape == (12, 200) and f.weights.shape == (3, 200)
    assert f.y.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert float(f.features.square().sum(1).mean()) == pytest.approx(1, abs=0.2)
    x, w = f.features.clone().requires_grad_(), f.weights.clone().requires_grad_()
    total = 3 * free.softmax_loss(x, w, f.y) + 0.1 / 2 * (w.square().sum() + x.square().sum() / 4)
    g_x, g_w = torch.autograd.grad(total, (x, w))
    after = free.descend(f, free.softmax_loss, tau=0.1, eta=0.2)
    close(after.features, f.features - 0.2 * 4 * g_x)
    close(after.weights, f.weights - 0.2 * g_w)
    assert torch.equal(after.y, f.y) and not after.features.requires_grad and not f.features.requires_grad
    twice = free.descend(free.descend(f, free.softmax_loss), free.softmax_loss)
    close(free.descend(f, free.softmax_loss, steps=2).features, twice.features)
    close(free.descend(f, free.softmax_loss).weights, free.descend(f, free.softmax_loss, tau=0.0, eta=0.5).weights)
    again = free.free_features(3, 4, 200, generator=generator())
    assert torch.equal(again.weights, f.weights) and free.free_features(2, 1, 1).features.dtype == torch.float64


def test_what_the_free_model_refuses() -> None:
    f = free.free_features(2, 1, 1, generator=generator())
    for bad in ({"tau": -0.1}, {"eta": 0.0}, {"steps": 0}):
        with pytest.raises(ValueError, match=" must be "):
            free.descend(f, free.softmax_loss, **bad)
    with pytest.raises(FloatingPointError, match="eta"):
        free.descend(f, free.softmax_loss, tau=1.0, eta=1e6, steps=100)
    for shape in ((1, 1, 1), (2, 0, 1), (2, 1, 0), (2.5, 1, 1)):
        with pytest.raises(ValueError, match=" must be "):
            free.free_features(*shape)
    for K, tau in ((1, 0.1), (2, 0.0)):
        with pytest.raises(ValueError, match=" must be "):
            free.collapsed_scale(K, tau)
    assert free.collapsed_scale(2, 0.5) == pytest.approx(math.log(3) / 2)
