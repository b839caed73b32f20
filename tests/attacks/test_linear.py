"""The attacks against theory: on a linear model everything is known in closed form."""

import math

import pytest
import torch
from torch import Tensor, nn

from helpers import attacks as A
from helpers.attacks import blackbox as B, minimum_norm as M, threat as T
from tests.attacks.toys import ATTACKS, batch, generator, linear, network

INF = math.inf


def test_fgsm_on_a_linear_model_reaches_the_dual_norm() -> None:
    model = linear()
    x, y = batch(model)
    w = model[1].weight[1] - model[1].weight[0]
    with torch.no_grad():
        fall = T.margin(model(x), y) - T.margin(model(A.fgsm(model, x, y, eps=0.05)), y)
    torch.testing.assert_close(fall, torch.full_like(fall, 0.05 * w.abs().sum().item()))


@pytest.mark.parametrize("p", [1, 1.5, 2, 3, INF])
def test_steepest_ascent_attains_the_dual_norm_and_stays_in_the_unit_ball(p: float) -> None:
    g = torch.randn(20, 3, 4, generator=generator(), dtype=torch.float64)
    g[0] = 0
    d = A.steepest_ascent(g, p)
    torch.testing.assert_close((g * d).flatten(1).sum(1), T.norm(g, A.dual(p)))
    torch.testing.assert_close(T.norm(d, p)[1:], torch.ones(19, dtype=torch.float64))
    assert not d[0].any()


@pytest.mark.parametrize(("name", "p", "rtol"), [("pgd_linf", INF, 1e-9), ("pgd_l2", 2, 1e-9), ("pgd_l1", 1, 1e-6)])
def test_pgd_on_a_linear_model_reaches_the_dual_norm(name: str, p: float, rtol: float) -> None:
    """The best margin in the ball is M - eps ||w||_q; k = 1 pixel a step makes the l_1 attack exact too."""
    model = linear(seed=5)
    x, y = batch(model)
    w = (model[1].weight[1] - model[1].weight[0])[None]
    extra = {"fraction": 0.0} if p == 1 else {}
    eps = 0.3 if p == 1 else 0.02
    attack = {"pgd_linf": A.pgd_linf, "pgd_l2": A.pgd_l2, "pgd_l1": A.pgd_l1}[name]
    x_adv = attack(model, x, y, eps=eps, step=eps, steps=60, generator=generator(), **extra)
    with torch.no_grad():
        fall = T.margin(model(x), y) - T.margin(model(x_adv), y)
    torch.testing.assert_close(fall, eps * T.norm(w, A.dual(p)).expand(len(x)), rtol=rtol, atol=0)


@pytest.mark.parametrize("name", ["bim", "mi_fgsm"])
def test_iterated_fgsm_equals_fgsm_on_a_linear_model(name: str) -> None:
    model = linear()
    x, y = batch(model)
    torch.testing.assert_close(ATTACKS[name](model, x, y), A.fgsm(model, x, y, eps=0.1))


def test_mi_fgsm_without_decay_is_bim() -> None:
    model = network()
    x, y = batch(model)
    assert torch.equal(A.mi_fgsm(model, x, y, eps=0.1, steps=7, decay=0), A.bim(model, x, y, eps=0.1, steps=7))


def distance(model: nn.Sequential, x: Tensor, y: Tensor, q: float = 2) -> Tensor:
    """min over k of |f_k| / ||w_k||_q."""
    with torch.no_grad():
        z, w, b = model(x), model[1].weight, torch.arange(len(y))
        gap = (z[b, y][:, None] - z) / torch.linalg.vector_norm(w[y][:, None] - w, q, dim=2)
        gap[b, y] = INF
        return gap.amin(1)


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_deepfool_is_exact_on_a_linear_model(classes: int) -> None:
    model = linear(classes)
    x, y = batch(model)
    z, w = T.jacobian(model, x)
    step = A.deepfool_step(z, w, y)
    with torch.no_grad():
        torch.testing.assert_close(
            T.margin(model(x + step), y), torch.zeros(8, dtype=torch.float64), atol=1e-12, rtol=0
        )
    torch.testing.assert_close(T.norm(step, 2), distance(model, x, y))
    x_adv = M.deepfool(model, x, y, overshoot=0.02)
    torch.testing.assert_close(T.norm(x_adv - x, 2), 1.02 * distance(model, x, y))
    assert T.outcome(model, x, x_adv, y).success.all()


def test_deepfool_step_on_a_flat_model_does_not_move() -> None:
    step = A.deepfool_step(torch.tensor([[1.0, 0.0]]), torch.zeros(1, 2, 3), torch.tensor([0]))
    assert torch.equal(step, torch.zeros(1, 3))


def test_every_minimum_norm_attack_finds_the_distance_of_a_linear_model() -> None:
    model = linear(3, seed=4)
    x, y = batch(model)
    torch.manual_seed(0)
    found = {
        "carlini_wagner": A.carlini_wagner(model, x, y, steps=300, rounds=12, rate=0.01, c=0.01),
        "lbfgs": A.lbfgs(model, x, y, steps=15, rounds=20, c=0.01),
        "deepfool": M.towards_clean(model, x, M.deepfool(model, x, y), y, rounds=20),
        "pgd_l2": M.smallest_eps(
            lambda m, x, y, e: A.pgd_l2(m, x, y, eps=e, step=e, steps=30, loss=lambda z, y: -T.margin(z, y)),
            *(model, x, y),
            **{"p": 2, "largest": 1.0, "rounds": 15},
        ),
    }
    for name, x_adv in found.items():
        ratio = T.outcome(model, x, x_adv, y, p=2).distance / distance(model, x, y)
        assert ratio.min() > 1 - 1e-9, name
        assert ratio.max() < 1.02, f"{name}: {ratio.max():.3f}"
    linf = M.smallest_eps(lambda m, x, y, e: A.fgsm(m, x, y, eps=e), model, x, y, p=INF, largest=1.0, rounds=20)
    ratio = T.outcome(model, x, linf, y).distance / distance(model, x, y, q=1)
    assert 1 - 1e-9 < ratio.min()
    assert ratio.max() < 1.6  # the loss of three classes points at both others, so FGSM is exact for two classes only


def test_smallest_eps_of_fgsm_is_exact_for_two_classes() -> None:
    model = linear(2, seed=8)
    x, y = batch(model)
    x_adv = M.smallest_eps(lambda m, x, y, e: A.fgsm(m, x, y, eps=e), model, x, y, p=INF, largest=1.0, rounds=30)
    torch.testing.assert_close(T.outcome(model, x, x_adv, y).distance, distance(model, x, y, q=1))


@pytest.mark.parametrize("name", ["pgd_linf", "pgd_l2", "mi_fgsm", "carlini_wagner", "lbfgs", "square", "jsma"])
def test_targeted_attacks_reach_their_target_on_a_linear_model(name: str) -> None:
    """Logit t looks at its own nine pixels: any of these attacks has room enough to raise it."""
    model = linear(4)
    with torch.no_grad():
        model[1].weight.copy_(0.5 * torch.eye(4, dtype=torch.float64).repeat_interleave(9, 1) - 0.1)
        model[1].bias.zero_()
    x, y = batch(model)
    target = (y + 1) % 4
    settings = {
        "pgd_linf": lambda m, *a, **k: A.pgd_linf(m, *a, eps=0.2, steps=20, **k),
        "pgd_l2": lambda m, *a, **k: A.pgd_l2(m, *a, eps=1.0, steps=20, **k),
        "mi_fgsm": lambda m, *a, **k: A.mi_fgsm(m, *a, eps=0.2, steps=20, **k),
        "square": lambda m, *a, **k: B.square(m, *a, eps=0.2, steps=300, generator=generator(), **k),
        "jsma": lambda m, *a, **k: A.jsma(m, *a, budget=18, **k),
    }
    attack = settings.get(name, ATTACKS[name])
    assert T.outcome(model, x, attack(model, x, target, targeted=True), target, targeted=True).success.all()
