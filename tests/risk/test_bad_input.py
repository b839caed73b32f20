"""Bad input is refused by a ValueError that says what is allowed."""

import math

import pytest
import torch

from helpers import risk
from helpers.risk import methods, noise, quadratics, schedules

NAN = math.nan
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
    "step: one g = 0": lambda: risk.optimal_step_quadratic(torch.eye(3) * torch.tensor([1.0, 0.0, 1.0]), torch.eye(3)),
    "step: indefinite": lambda: risk.optimal_step_quadratic(W + 1, -torch.eye(3)),
    "step: NaN": lambda: risk.optimal_step_quadratic(W + NAN, torch.eye(3)),
    "variance: k = 0": lambda: noise.minibatch_variance(torch.rand(5, 2), 0, replacement=True),
    "variance: k > m": lambda: noise.minibatch_variance(torch.rand(5, 2), 6, replacement=False),
    "error: variance": lambda: noise.mean_square_error(W, curvature=1.0, variance=-1.0, start=1.0),
    "floor: unstable": lambda: noise.noise_floor(2.0, curvature=1.0, variance=1.0),
    "floor: eta = 0": lambda: noise.noise_floor(0.0, curvature=1.0, variance=1.0),
    "floor: mu = 0": lambda: noise.noise_floor(0.1, curvature=0.0, variance=1.0),
    "floor: beta < 0": lambda: noise.noise_floor(0.1, curvature=1.0, variance=1.0, beta=-0.1),
    "floor: at the edge": lambda: noise.noise_floor(2.0, curvature=1.5, variance=1.0, beta=0.5),
    "floor: two signs": lambda: noise.noise_floor(-0.1, curvature=-1.0, variance=1.0),
    "floor: beta": lambda: noise.noise_floor(0.1, curvature=1.0, variance=1.0, beta=1.0),
    "floor: variance": lambda: noise.noise_floor(0.1, curvature=1.0, variance=-1.0),
    "power: step": lambda: schedules.power_schedule(-1, eta=1.0, power=1.0),
    "stairs: every": lambda: schedules.step_decay_schedule(3, peak=1.0, every=0),
    "stairs: step": lambda: schedules.step_decay_schedule(-1, peak=1.0, every=2),
    "cosine: after the end": lambda: risk.cosine_schedule(11, 10, 1.0),
    "cosine: before the start": lambda: risk.cosine_schedule(-1, 10, 1.0),
    "cosine: warm-up": lambda: risk.cosine_schedule(1, 10, 1.0, warmup=10),
    "cosine: warm-up < 0": lambda: risk.cosine_schedule(0, 10, 1.0, warmup=-1),
    "cosine: peak": lambda: risk.cosine_schedule(1, 10, 0.0),
    "cosine: peak NaN": lambda: risk.cosine_schedule(1, 10, NAN),
    "restart: period": lambda: schedules.restart_schedule(1, peak=1.0, period=0),
    "restart: step": lambda: schedules.restart_schedule(-1, peak=1.0, period=3),
    "triangle: period": lambda: schedules.triangular_schedule(1, peak=1.0, period=0),
    "plateau: eta": lambda: schedules.Plateau(0.0, patience=1),
    "plateau: factor = 0": lambda: schedules.Plateau(0.1, patience=1, factor=0.0),
    "plateau: patience": lambda: schedules.Plateau(0.1, patience=-1),
    "plateau: factor": lambda: schedules.Plateau(0.1, patience=1, factor=1.0),
    "heavy ball: mu = 0": lambda: quadratics.optimal_heavy_ball(0.0, 1.0),
    "heavy ball: mu > L": lambda: quadratics.optimal_heavy_ball(2.0, 1.0),
    "gauss: sigma = 0": lambda: risk.gaussian_log_likelihood(W, W, 0.0),
    "gauss: sigma NaN": lambda: risk.gaussian_log_likelihood(W, W, NAN),
    "gauss: a row of means": lambda: risk.gaussian_log_likelihood(torch.zeros(4, 3), W, 1.0),
    "gauss: broadcast": lambda: risk.gaussian_log_likelihood(W, W[:, None], 1.0),
    "prior: sigma": lambda: risk.prior_strength(0.0),
    "prior: m": lambda: risk.prior_strength(1.0, m=0),
    "laplace: b": lambda: risk.laplace_strength(-1.0),
    "laplace: b = 0": lambda: risk.laplace_strength(0.0),
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
    "mixture: one sigma": lambda: MIX(s=torch.tensor([1.0, 0.0, 1.0])),
    "mixture: sigma": lambda: MIX(s=W),
    "mixture: weights": lambda: MIX(w=W + 1),
    "fit: shapes": lambda: risk.fit_gaussian(GRID[:3], GRID, forward=True, start=(0.0, 1.0)),
    "fit: one point": lambda: risk.fit_gaussian(GRID[:1], GRID[:1], forward=True, start=(0.0, 1.0)),
    "fit: sigma": lambda: risk.fit_gaussian(GRID, GRID, forward=True, start=(0.0, 0.0)),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused(case: str) -> None:
    with pytest.raises(ValueError, match="must|need|got"):
        BAD[case]()
