"""The mathematics of Lecture 1 against theory, brute force, or another library."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import integrate, optimize, special, stats
from scipy.spatial.distance import jensenshannon
from torch import Tensor
from torch.nn import functional as F

from helpers import risk
from helpers.risk import methods, noise, quadratics, schedules

NAN = math.nan


def close(a: Tensor, b: object, rtol: float = 1e-9, atol: float = 1e-12) -> bool:
    """Same shape, equal within the tolerance."""
    expected = torch.as_tensor(b, dtype=a.dtype)
    return a.shape == expected.shape and torch.allclose(a, expected, rtol=rtol, atol=atol)


@pytest.fixture(autouse=True)
def single_precision() -> None:
    torch.set_default_dtype(torch.float32)  # whatever a lecture's set-up cell, run in another test, left behind


@pytest.fixture
def g() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def normal(g: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=g, dtype=torch.float64)


def distributions(g: torch.Generator, *shape: int, zeros: bool = False) -> Tensor:
    raw = torch.rand(*shape, generator=g, dtype=torch.float64) ** 3
    if zeros:
        raw = raw * (raw > raw.median(-1, keepdim=True).values / 2)
    return raw / raw.sum(-1, keepdim=True)


# ---------------------------------------------------------------------------------------------- risk and margin losses


def test_empirical_risk_is_the_mean_loss() -> None:
    x, y = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 1.0, 1.0])
    assert risk.empirical_risk(lambda p, y: (p - y) ** 2, lambda x: 2 * x, x, y) == (1 + 9 + 25) / 3


@pytest.mark.parametrize(
    "name, at_minus_2, at_0, at_2",
    [
        ("zero_one_loss", 1, 0, 0),
        ("logistic_loss", 2.126928, 0.693147, 0.126928),
        ("hinge_loss", 3, 1, 0),
        ("squared_hinge_loss", 9, 1, 0),
        ("exponential_loss", 7.389056, 1, 0.135335),
        ("quadratic_loss", 9, 1, 1),
        ("sigmoid_loss", 1.761594, 1, 0.238406),
    ],
)
def test_losses_of_the_margin(name: str, at_minus_2: float, at_0: float, at_2: float) -> None:
    values = getattr(risk, name)(torch.tensor([-2.0, 0.0, 2.0], dtype=torch.float64))
    assert close(values, [at_minus_2, at_0, at_2], rtol=1e-5)


@pytest.mark.parametrize("name", risk.SURROGATES)
def test_surrogates_bound_the_zero_one_loss(name: str) -> None:
    margin = torch.linspace(-5, 5, 10_001, dtype=torch.float64)
    assert (risk.SURROGATES[name](margin) >= risk.zero_one_loss(margin)).all()


def test_the_logistic_loss_in_nats_is_no_bound_just_below_zero() -> None:
    assert risk.logistic_loss(torch.tensor(-1e-3)) < 1 == risk.zero_one_loss(torch.tensor(-1e-3))


def test_logistic_loss_far_out_and_its_gradient() -> None:
    margin = torch.tensor([-1e4, -100.0, 0.0, 100.0, 1e4], requires_grad=True)
    risk.logistic_loss(margin).sum().backward()
    assert close(risk.logistic_loss(margin), [1e4, 100.0, math.log(2), 0.0, 0.0], rtol=1e-6)
    assert margin.grad is not None and close(margin.grad, [-1.0, -1.0, -0.5, 0.0, 0.0], atol=1e-6)
    x = torch.linspace(-20, 20, 81, dtype=torch.float64)
    assert close(risk.logistic_loss(x), -special.log_expit(x.numpy()))


def test_lines_split_points_in_all_ways(g: torch.Generator) -> None:
    for m in (3, 5, 8):
        x = normal(g, m, 2)
        lines = risk.separating_lines(x)
        assert lines.shape == (4 * m * (m - 1), 3)
        signs = {tuple(row) for row in (F.pad(x, (1, 0), value=1.0) @ lines.T).T.sign().int().tolist()}
        assert not any(0 in row for row in signs)
        assert signs == {split for split in itertools.product((-1, 1), repeat=m) if separable(x, split)}
        assert len(signs) == m**2 - m + 2


def separable(x: Tensor, split: tuple[int, ...]) -> bool:
    """By linear programming: is there w with y_i (w_0 + w . x_i) >= 1?"""
    rows = -np.array(split)[:, None] * np.c_[np.ones(len(x)), x.numpy()]
    return optimize.linprog(np.zeros(3), rows, -np.ones(len(x)), bounds=[(None, None)] * 3).status == 0


def test_legendre_is_scipys(g: torch.Generator) -> None:
    x = 2 * torch.rand(3, 4, generator=g, dtype=torch.float64) - 1
    for degree in (0, 1, 2, 9):
        expected = np.stack([special.eval_legendre(n, x.numpy()) for n in range(degree + 1)], -1)
        assert close(risk.legendre(x, degree), expected)


# ----------------------------------------------------------------------------------------------------- gradient methods


def test_next_batch_takes_the_order_asked_for(g: torch.Generator) -> None:
    margin = torch.tensor([0.5, -3.0, 0.1, 2.0, -0.2])
    assert set(methods.next_batch(margin, 2, "hardest").tolist()) == {1, 4}
    assert set(methods.next_batch(margin, 2, "uncertain").tolist()) == {2, 4}
    assert sorted(methods.next_batch(margin, 5, "shuffled", generator=g).tolist()) == [0, 1, 2, 3, 4]
    counts = torch.bincount(torch.cat([methods.next_batch(margin, 2, "shuffled", generator=g) for _ in range(5000)]))
    assert (counts - 2000).abs().max() < 5 * math.sqrt(5000 * 0.4 * 0.6)  # each object in 2 of 5 batches


def test_running_risk_forgets_exponentially() -> None:
    q = torch.tensor(1.0, dtype=torch.float64)
    for _ in range(7):
        q = noise.running_risk(q, torch.tensor(0.0, dtype=torch.float64), rate=0.1)
    assert math.isclose(q.item(), 0.9**7)


@pytest.mark.parametrize("beta, tau", [(0.0, 0.0), (0.9, 0.0), (0.0, 0.3), (0.9, 0.3)])
def test_sgd_step_is_torchs(g: torch.Generator, beta: float, tau: float) -> None:
    start, gradients = normal(g, 3, 2), normal(g, 6, 3, 2)
    theirs = start.clone().requires_grad_()
    optimizer = torch.optim.SGD([theirs], lr=0.1, momentum=beta, weight_decay=tau)
    w, velocity = start.clone(), torch.zeros_like(start)
    for gradient in gradients:
        theirs.grad = gradient.clone()
        optimizer.step()
        before = w.clone(), velocity.clone()
        w_new, velocity_new = risk.sgd_step(w, gradient, velocity, eta=0.1, beta=beta, tau=tau)
        assert torch.equal(w, before[0]) and torch.equal(velocity, before[1])
        w, velocity = w_new, velocity_new
    assert close(w, theirs.detach())


def test_descend_is_a_sequence_of_sgd_steps(g: torch.Generator) -> None:
    h, w = torch.tensor([1.0, 3.0], dtype=torch.float64), normal(g, 2)
    path = methods.gradient_descent(lambda w: h * w, w, eta=0.2, beta=0.6, steps=9)
    assert path.shape == (10, 2) and torch.equal(path[0], w)
    velocity = torch.zeros(2, dtype=torch.float64)
    for point in path[1:]:
        w, velocity = risk.sgd_step(w, h * w, velocity, eta=0.2, beta=0.6)
        assert close(point, w)
    assert methods.gradient_descent(lambda w: w, w, eta=0.1, steps=0).shape == (1, 2)


def test_optimal_step_is_the_minimum_along_the_gradient(g: torch.Generator) -> None:
    root, w = normal(g, 5, 4, 4), normal(g, 5, 4)
    hessian = root @ root.mT + 0.1 * torch.eye(4, dtype=torch.float64)
    gradient = (hessian @ w[..., None])[..., 0]
    steps = risk.optimal_step_quadratic(gradient, hessian)
    assert steps.shape == (5,)
    for k in range(5):
        along = lambda eta, k=k: ((w[k] - eta * gradient[k]) @ hessian[k] @ (w[k] - eta * gradient[k])).item()  # noqa: E731
        best = optimize.minimize_scalar(along, bracket=(0, steps[k].item() * 3), tol=1e-12).x
        assert math.isclose(steps[k].item(), best, rel_tol=1e-5)
    assert close(risk.optimal_step_quadratic(gradient, hessian[0])[0], steps[0])
    assert risk.optimal_step_quadratic(torch.tensor([1.0, 1.0]), torch.diag(torch.tensor([1.0, 3.0]))) == 0.5


@pytest.mark.parametrize("replacement", [True, False])
def test_minibatch_variance_by_all_batches(g: torch.Generator, replacement: bool) -> None:
    gradients, m = normal(g, 5, 3), 5
    for k in (1, 2, 3, 5):
        ways = itertools.product(range(m), repeat=k) if replacement else itertools.permutations(range(m), k)
        batches = torch.tensor(list(ways))
        exact = (gradients[batches].mean(1) - gradients.mean(0)).square().sum(1).mean()
        assert close(noise.minibatch_variance(gradients, k, replacement=replacement), exact)
    assert noise.minibatch_variance(gradients[:1], 1, replacement=False) == 0


def test_mean_square_error_by_monte_carlo(g: torch.Generator) -> None:
    etas = torch.tensor([0.5, 0.3, 0.2, 0.1], dtype=torch.float64)
    error = noise.mean_square_error(etas, mu=1.5, variance=2.0, start=3.0)
    w = torch.full((200_000,), 3.0, dtype=torch.float64)
    assert error[0] == 9
    for eta, expected in zip(etas, error[1:], strict=True):
        w = w - eta * (1.5 * w + math.sqrt(2.0) * normal(g, 200_000))
        sample = w.square()
        assert abs(sample.mean() - expected) < 5 * sample.std() / math.sqrt(200_000)


@pytest.mark.parametrize("eta, beta", [(0.1, 0.0), (0.5, 0.0), (1.9, 0.0), (0.1, 0.9), (0.5, 0.5), (3.0, 0.6)])
def test_noise_floor_solves_the_stationary_equation(eta: float, beta: float) -> None:
    mu, variance = 0.7, 1.3
    a = np.array([[1 + beta - eta * mu, -beta], [1.0, 0.0]])  # (w_t, w_{t-1}) -> (w_{t+1}, w_t)
    source = np.array([eta**2 * variance, 0, 0, 0])
    covariance = np.linalg.solve(np.eye(4) - np.kron(a, a), source)
    assert math.isclose(noise.noise_floor(eta, mu=mu, variance=variance, beta=beta), covariance[0], rel_tol=1e-9)


def test_noise_floor_for_small_steps() -> None:
    assert math.isclose(noise.noise_floor(1e-4, mu=2.0, variance=3.0, beta=0.9), 1e-4 * 3 / (2 * 2 * 0.1), rel_tol=1e-4)


# ------------------------------------------------------------------------------------------------------------ schedules


def test_schedules_at_known_steps() -> None:
    assert [schedules.power_schedule(t, eta=2.0, power=0.5) for t in (0, 3, 15)] == [2.0, 1.0, 0.5]
    stairs = [schedules.step_decay_schedule(t, peak=8.0, every=3, factor=0.5) for t in (0, 2, 3, 5, 6)]
    assert stairs == [8.0, 8.0, 4.0, 4.0, 2.0]
    warm = [risk.cosine_schedule(t, 8, 1.0, warmup=4) for t in range(9)]
    assert warm == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0, 0.853553, 0.5, 0.146447, 0.0], abs=1e-6)
    assert [schedules.restart_schedule(t, peak=1.0, period=4) for t in (0, 2, 4, 6, 8)] == pytest.approx(
        [1, 0.5, 1, 0.5, 1]
    )
    triangle = [schedules.triangular_schedule(t, peak=1.0, period=4) for t in range(6)]
    assert triangle == pytest.approx([0.1, 0.55, 1.0, 0.55, 0.1, 0.55])


def test_cosine_is_torchs() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=20)
    for t in range(21):
        assert math.isclose(risk.cosine_schedule(t, 20, 0.3), theirs.get_last_lr()[0], abs_tol=1e-12)
        optimizer.step()
        theirs.step()


def test_plateau_is_torchs() -> None:
    risks = [1.0, 0.9, 0.95, 0.9, 0.92, 0.91, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8, 0.7]
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=2, threshold=0)
    ours = schedules.Plateau(1.0, patience=2, factor=0.5)
    seen = []
    for value in risks:
        theirs.step(value)
        seen.append(ours(value))
        assert math.isclose(seen[-1], optimizer.param_groups[0]["lr"])
    assert seen[-1] == 0.25


# ------------------------------------------------------------------------------------------------- quadratics, momentum


def test_spectral_radius_is_that_of_the_iteration_matrix(g: torch.Generator) -> None:
    eta = 0.3 * torch.rand(6, 1, generator=g, dtype=torch.float64)
    beta = torch.tensor([0.0, 0.3, 0.9], dtype=torch.float64)
    eigenvalues = torch.tensor([0.5, 4.0, 11.0], dtype=torch.float64)
    ours = quadratics.spectral_radius(eta, beta, eigenvalues)
    assert ours.shape == (6, 3)
    for i, j in itertools.product(range(6), range(3)):
        e, b = eta[i].item(), beta[j].item()
        matrices = [np.array([[1 + b - e * value, -b], [1.0, 0.0]]) for value in eigenvalues.tolist()]
        assert math.isclose(ours[i, j], max(abs(np.linalg.eigvals(a)).max() for a in matrices), rel_tol=1e-6)


def test_optimal_heavy_ball_is_optimal() -> None:
    eta, beta = quadratics.optimal_heavy_ball(1.0, 25.0)
    assert (eta, beta) == pytest.approx((1 / 9, 4 / 9))
    values = torch.tensor([1.0, 25.0], dtype=torch.float64)
    rate = lambda e, b: quadratics.spectral_radius(torch.as_tensor(e), torch.as_tensor(b), values)  # noqa: E731
    best = rate(*torch.tensor([eta, beta], dtype=torch.float64))
    assert abs(best - 4 / 6) < 1e-6
    grid = torch.linspace(0.001, 0.16, 300, dtype=torch.float64)[:, None], torch.linspace(0, 0.99, 300).double()
    assert rate(*grid).min() > best - 1e-6
    assert quadratics.optimal_heavy_ball(4.0, 4.0) == (0.25, 0.0)  # kappa = 1: one step of Newton's method


def test_lessard_gradient_is_continuous_and_its_heavy_ball_cycles() -> None:
    x = torch.tensor([-1.0, 0.0, 1 - 1e-9, 1.0, 2 - 1e-9, 2.0, 3.0], dtype=torch.float64)
    assert close(quadratics.lessard_gradient(x), [-25, 0, 25, 25, 26, 26, 51], rtol=1e-7)
    start = torch.tensor([3.3], dtype=torch.float64)
    path = methods.gradient_descent(quadratics.lessard_gradient, start, eta=1 / 9, beta=4 / 9, steps=3000)[:, 0]
    cycle = sorted(path[-3:].tolist())
    expected = sorted([792 / 1225, -2208 / 1225, 2592 / 1225])  # Lessard et al. 2016, section 4.6
    assert cycle == pytest.approx(expected, abs=1e-9)


# --------------------------------------------------------------------------------------------- likelihoods and priors


@pytest.mark.parametrize("sigma", [0.2, 1.0, 3.0])
def test_gaussian_log_likelihood_is_scipys_and_integrates_to_one(g: torch.Generator, sigma: float) -> None:
    y, mean = normal(g, 4, 3), normal(g, 4, 3)
    assert close(risk.gaussian_log_likelihood(y, mean, sigma), stats.norm.logpdf(y.numpy(), mean.numpy(), sigma))
    density = lambda v: risk.gaussian_log_likelihood(torch.tensor(v), torch.tensor(0.5), sigma).exp().item()  # noqa: E731
    assert math.isclose(integrate.quad(density, -30, 30, points=[0.5])[0], 1, rel_tol=1e-5)


def test_prior_strengths_are_the_curvatures_of_the_priors() -> None:
    assert risk.prior_strength(0.5) == 4 and risk.prior_strength(0.5, m=8) == 0.5
    assert risk.laplace_strength(0.5) == 2 and risk.laplace_strength(0.5, m=8) == 0.25
    for u in (0.3, 1.7):
        gaussian = stats.norm.logpdf(0, scale=0.6) - stats.norm.logpdf(u, scale=0.6)
        laplace = stats.laplace.logpdf(0, scale=0.6) - stats.laplace.logpdf(u, scale=0.6)
        assert math.isclose(risk.prior_strength(0.6) * u**2 / 2, gaussian)
        assert math.isclose(risk.laplace_strength(0.6) * u, laplace)


def test_soft_threshold_by_brute_force() -> None:
    u = torch.linspace(-4, 4, 80_001, dtype=torch.float64)
    for w in (-2.0, -0.5, 0.0, 0.3, 0.8, 3.0):
        best = u[((u - w).square() / 2 + 0.8 * u.abs()).argmin()]
        assert abs(best - risk.soft_threshold(torch.tensor(w, dtype=torch.float64), 0.8)) < 1e-4


# ------------------------------------------------------------------------------------------- soft-max and information


def test_softmax_is_torchs_far_out(g: torch.Generator) -> None:
    z = 1e4 * normal(g, 3, 4, 5) * torch.tensor([0.0, 1e-4, 1.0], dtype=torch.float64)[:, None, None]
    assert close(risk.softmax(z), F.softmax(z, -1))
    assert close(risk.softmax(torch.tensor([1000.0, 1000.0, -1e4])), [0.5, 0.5, 0.0])


def test_multiclass_logistic_loss_is_torchs(g: torch.Generator) -> None:
    z, y = 1e3 * normal(g, 7, 4), torch.randint(4, (7,), generator=g)
    assert close(risk.multiclass_logistic_loss(z, y), F.cross_entropy(z, y, reduction="none"))
    assert close(risk.multiclass_logistic_loss(torch.zeros(1, 10), torch.tensor([3])), [math.log(10)], rtol=1e-6)


def test_softmax_gradient_is_autograds(g: torch.Generator) -> None:
    w, x, y = normal(g, 4, 3).requires_grad_(), normal(g, 7, 3), torch.randint(4, (7,), generator=g)
    (F.cross_entropy(x @ w.T, y) + 0.3 / 2 * w.square().sum()).backward()
    assert w.grad is not None and close(risk.softmax_gradient(w.detach(), x, y, tau=0.3), w.grad)


@pytest.mark.parametrize("zeros", [False, True])
def test_entropies_are_scipys(g: torch.Generator, zeros: bool) -> None:
    p, q = distributions(g, 3, 5, 6, zeros=zeros), distributions(g, 3, 5, 6)
    kl = special.rel_entr(p.numpy(), q.numpy()).sum(-1)
    assert close(risk.entropy(p), stats.entropy(p.numpy(), axis=-1))
    assert close(risk.kl_divergence(p, q), kl)
    assert close(risk.cross_entropy(p, q), stats.entropy(p.numpy(), axis=-1) + kl)
    q = distributions(g, 3, 5, 6, zeros=zeros)
    distance = jensenshannon(p.numpy(), q.numpy(), axis=-1)
    assert close(risk.js_distance(p, q), distance) and close(risk.js_divergence(p, q), distance**2)


def test_entropies_at_the_edge() -> None:
    one, other, half = (torch.tensor(v, dtype=torch.float64) for v in ([1.0, 0.0], [0.0, 1.0], [0.5, 0.5]))
    assert risk.entropy(one) == 0 and close(risk.entropy(half), math.log(2))
    assert risk.kl_divergence(half, one) == math.inf == risk.cross_entropy(half, one)
    assert close(risk.kl_divergence(one, half), math.log(2)) and risk.kl_divergence(one, one) == 0
    assert close(risk.js_divergence(one, other), math.log(2)) and close(
        risk.js_distance(one, other), math.sqrt(math.log(2))
    )


def test_gibbs_and_the_bounds(g: torch.Generator) -> None:
    p, q = distributions(g, 5000, 4, zeros=True), distributions(g, 5000, 4, zeros=True)
    assert (risk.kl_divergence(p, q) >= 0).all() and (risk.entropy(p) <= math.log(4)).all()
    assert (risk.js_divergence(p, q) <= math.log(2) + 1e-12).all()
    assert (risk.cross_entropy(p, q) >= risk.entropy(p) - 1e-12).all()


def test_js_distance_is_a_metric_and_js_is_not(g: torch.Generator) -> None:
    p, q, c = (distributions(g, 20_000, 3, zeros=True) for _ in range(3))
    slack = lambda d: d(p, c) + d(c, q) - d(p, q)  # noqa: E731
    assert slack(risk.js_distance).min() > -1e-9 and slack(risk.js_divergence).min() < -0.1
    near = (p + 1e-9 * c) / (1 + 1e-9)
    assert risk.js_distance(p, near).isfinite().all()  # rounding may leave JS below 0: its root must not be NaN


def test_mixture_log_density(g: torch.Generator) -> None:
    x, means, sigmas, weights = (
        torch.tensor(v).double() for v in ([[0.3], [-50.0]], [-1.0, 2.0], [0.5, 2.0], [0.3, 0.7])
    )
    parts = np.log(weights.numpy()) + stats.norm.logpdf(x[..., None].numpy(), means.numpy(), sigmas.numpy())
    assert close(risk.mixture_log_density(x, means, sigmas, weights), special.logsumexp(parts, axis=-1))


def test_fit_gaussian_covers_forward_and_seeks_a_mode_in_reverse() -> None:
    grid = torch.linspace(-12, 12, 801, dtype=torch.float64)
    means, sigmas, weights = (torch.tensor(v).double() for v in ([-2.5, 2.5], [0.7, 0.7], [0.6, 0.4]))
    log_p = risk.mixture_log_density(grid, means, sigmas, weights)
    mu, sigma, _ = risk.fit_gaussian(log_p, grid, forward=True, start=(0.0, 1.0))
    assert (mu, sigma**2) == pytest.approx((-0.5, 0.49 + 0.24 * 25), abs=1e-3)  # the moments of the mixture
    for start, mode, weight in ((-2.0, -2.5, 0.6), (2.0, 2.5, 0.4)):
        mu, sigma, kl = risk.fit_gaussian(log_p, grid, forward=False, start=(start, 1.0))
        assert (mu, sigma, kl) == pytest.approx((mode, 0.7, -math.log(weight)), abs=0.02)


# ----------------------------------------------------------------------------------------------------------- bad inputs

W, P = torch.zeros(3), torch.tensor([0.5, 0.5])
GRID = torch.linspace(-1, 1, 5)
SGD = lambda w=W, gradient=W, velocity=W, eta=0.1, **rest: risk.sgd_step(w, gradient, velocity, eta=eta, **rest)  # noqa: E731
MIX = lambda m=W, s=W + 1, w=W + 1 / 3: risk.mixture_log_density(GRID, m, s, w)  # noqa: E731
BAD = {
    "risk: lengths": lambda: risk.empirical_risk(lambda p, y: p, lambda x: x, W, W[:2]),
    "risk: empty": lambda: risk.empirical_risk(lambda p, y: p, lambda x: x, W[:0], W[:0]),
    "risk: broadcast": lambda: risk.empirical_risk(lambda p, y: p[:, None] - y, lambda x: x, W, W),
    "risk: a scalar loss": lambda: risk.empirical_risk(lambda p, y: p.mean(), lambda x: x, W, W),
    "lines: two points": lambda: risk.separating_lines(torch.rand(2, 2)),
    "lines: in space": lambda: risk.separating_lines(torch.rand(5, 3)),
    "lines: three on a line": lambda: risk.separating_lines(
        torch.tensor([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0], [0.0, 3.0]])
    ),
    "lines: a point twice": lambda: risk.separating_lines(torch.tensor([[0.0, 0.0], [0.0, 0.0], [2.0, 1.0]])),
    "lines: NaN": lambda: risk.separating_lines(torch.tensor([[0.0, NAN], [0.0, 0.0], [2.0, 1.0]])),
    "legendre: degree": lambda: risk.legendre(W, -1),
    "batch: k = 0": lambda: methods.next_batch(W, 0, "hardest"),
    "batch: k > m": lambda: methods.next_batch(W, 4, "shuffled"),
    "batch: order": lambda: methods.next_batch(W, 1, "easiest"),
    "running risk: rate": lambda: noise.running_risk(W, W, rate=0.0),
    "running risk: above 1": lambda: noise.running_risk(W, W, rate=1.5),
    "sgd: eta = 0": lambda: SGD(eta=0.0),
    "sgd: eta NaN": lambda: SGD(eta=NAN),
    "sgd: beta = 1": lambda: SGD(beta=1.0),
    "sgd: beta < 0": lambda: SGD(beta=-0.1),
    "sgd: tau < 0": lambda: SGD(tau=-0.1),
    "sgd: broadcast": lambda: SGD(gradient=torch.zeros(3, 1)),
    "sgd: velocity": lambda: SGD(velocity=torch.zeros(())),
    "descend: steps": lambda: methods.gradient_descent(lambda w: w, W, eta=0.1, steps=-1),
    "step: shape": lambda: risk.optimal_step_quadratic(W + 1, torch.eye(2)),
    "step: batches": lambda: risk.optimal_step_quadratic(torch.ones(1, 3), torch.eye(3).expand(4, 3, 3)),
    "step: one g, many H": lambda: risk.optimal_step_quadratic(torch.ones(3), torch.eye(3).expand(4, 3, 3)),
    "step: g = 0": lambda: risk.optimal_step_quadratic(W, torch.eye(3)),
    "step: indefinite": lambda: risk.optimal_step_quadratic(W + 1, -torch.eye(3)),
    "step: NaN": lambda: risk.optimal_step_quadratic(W + NAN, torch.eye(3)),
    "variance: k = 0": lambda: noise.minibatch_variance(torch.rand(5, 2), 0, replacement=True),
    "variance: k > m": lambda: noise.minibatch_variance(torch.rand(5, 2), 6, replacement=False),
    "error: variance": lambda: noise.mean_square_error(W, mu=1.0, variance=-1.0, start=1.0),
    "floor: unstable": lambda: noise.noise_floor(2.0, mu=1.0, variance=1.0),
    "floor: two signs": lambda: noise.noise_floor(-0.1, mu=-1.0, variance=1.0),
    "floor: beta": lambda: noise.noise_floor(0.1, mu=1.0, variance=1.0, beta=1.0),
    "floor: variance": lambda: noise.noise_floor(0.1, mu=1.0, variance=-1.0),
    "power: step": lambda: schedules.power_schedule(-1, eta=1.0, power=1.0),
    "stairs: every": lambda: schedules.step_decay_schedule(3, peak=1.0, every=0),
    "stairs: step": lambda: schedules.step_decay_schedule(-1, peak=1.0, every=2),
    "cosine: after the end": lambda: risk.cosine_schedule(11, 10, 1.0),
    "cosine: before the start": lambda: risk.cosine_schedule(-1, 10, 1.0),
    "cosine: warm-up": lambda: risk.cosine_schedule(1, 10, 1.0, warmup=10),
    "cosine: peak": lambda: risk.cosine_schedule(1, 10, 0.0),
    "cosine: peak NaN": lambda: risk.cosine_schedule(1, 10, NAN),
    "restart: period": lambda: schedules.restart_schedule(1, peak=1.0, period=0),
    "restart: step": lambda: schedules.restart_schedule(-1, peak=1.0, period=3),
    "triangle: period": lambda: schedules.triangular_schedule(1, peak=1.0, period=0),
    "plateau: eta": lambda: schedules.Plateau(0.0, patience=1),
    "plateau: patience": lambda: schedules.Plateau(0.1, patience=-1),
    "plateau: factor": lambda: schedules.Plateau(0.1, patience=1, factor=1.0),
    "heavy ball: mu = 0": lambda: quadratics.optimal_heavy_ball(0.0, 1.0),
    "heavy ball: mu > L": lambda: quadratics.optimal_heavy_ball(2.0, 1.0),
    "gauss: sigma = 0": lambda: risk.gaussian_log_likelihood(W, W, 0.0),
    "gauss: sigma NaN": lambda: risk.gaussian_log_likelihood(W, W, NAN),
    "gauss: broadcast": lambda: risk.gaussian_log_likelihood(W, W[:, None], 1.0),
    "prior: sigma": lambda: risk.prior_strength(0.0),
    "prior: m": lambda: risk.prior_strength(1.0, m=0),
    "laplace: b": lambda: risk.laplace_strength(-1.0),
    "laplace: m": lambda: risk.laplace_strength(1.0, m=0),
    "threshold": lambda: risk.soft_threshold(W, -0.1),
    "logistic: one score": lambda: risk.multiclass_logistic_loss(W, torch.tensor([0, 0, 0])),
    "logistic: labels": lambda: risk.multiclass_logistic_loss(torch.zeros(3, 2), torch.tensor([0, 1])),
    "logistic: floats": lambda: risk.multiclass_logistic_loss(torch.zeros(3, 2), W),
    "softmax gradient: labels": lambda: risk.softmax_gradient(torch.zeros(2, 3), torch.ones(5, 3), torch.tensor([0])),
    "softmax gradient: w": lambda: risk.softmax_gradient(torch.zeros(3, 2), torch.ones(5, 3), torch.zeros(5).long()),
    "entropy: sum": lambda: risk.entropy(torch.tensor([0.5, 0.6])),
    "entropy: negative": lambda: risk.entropy(torch.tensor([1.5, -0.5])),
    "entropy: NaN": lambda: risk.entropy(torch.tensor([0.5, NAN])),
    "cross-entropy: broadcast": lambda: risk.cross_entropy(P, P.expand(3, 2)),
    "cross-entropy: q": lambda: risk.cross_entropy(P, 2 * P),
    "kl: logits": lambda: risk.kl_divergence(P, P.log()),
    "kl: broadcast": lambda: risk.kl_divergence(P.expand(3, 2), P.expand(1, 2)),
    "js: broadcast": lambda: risk.js_divergence(P, P.expand(3, 2)),
    "js: sum": lambda: risk.js_divergence(P, 3 * P),
    "js distance: two errors that cancel": lambda: risk.js_distance(
        torch.tensor([1.5, -0.5]), torch.tensor([-0.5, 1.5])
    ),
    "mixture: shapes": lambda: MIX(s=torch.ones(2)),
    "mixture: sigma": lambda: MIX(s=W),
    "mixture: weights": lambda: MIX(w=W + 1),
    "fit: shapes": lambda: risk.fit_gaussian(GRID[:3], GRID, forward=True, start=(0.0, 1.0)),
    "fit: sigma": lambda: risk.fit_gaussian(GRID, GRID, forward=True, start=(0.0, 0.0)),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused(case: str) -> None:
    with pytest.raises(ValueError, match="must|need|got"):
        BAD[case]()


def test_lbfgs_finds_the_minimum_of_a_quadratic_and_keeps_the_path() -> None:
    curvature, target = torch.tensor([[1.0, 30.0], [4.0, 0.5]]), torch.tensor([[3.0, -2.0], [0.0, 1.0]])

    def value_and_gradient(w: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return 0.5 * (curvature * (w - target).square()).sum(), curvature * (w - target)

    start = torch.zeros(2, 2)
    path = methods.lbfgs(value_and_gradient, start, iterations=50)
    assert path.shape[1:] == (2, 2) and path.dtype == start.dtype and 2 < len(path) < 50
    assert torch.allclose(path[-1], target, atol=1e-4) and (start == 0).all()
    assert len(methods.lbfgs(value_and_gradient, start, iterations=2)) == 2
