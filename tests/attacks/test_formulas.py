"""Single formulas and small parts, by hand."""

import math

import numpy as np
import pytest
import torch
from scipy import optimize
from torch import Tensor, nn

from helpers import attacks as A
from helpers.attacks import blackbox as B, minimum_norm as M, threat as T
from tests.attacks.toys import batch, generator, linear, network

INF = math.inf


def test_carlini_wagner_objective_by_hand() -> None:
    x, x_adv = torch.zeros(2, 3), torch.tensor([[1.0, 2.0, 0.0], [0.0, 0.0, 3.0]])
    z, y = torch.tensor([[4.0, 1.0, 2.0], [0.0, 5.0, 1.0]]), torch.tensor([0, 0])
    value = A.carlini_wagner_objective(x_adv, x, z, y, c=torch.tensor([10.0, 1.0]), kappa=1.0)
    torch.testing.assert_close(value, torch.tensor([5 + 10 * 2.0, 9 - 1.0]))
    value = A.carlini_wagner_objective(x_adv, x, z, torch.tensor([2, 1]), c=1.0, kappa=0.5, targeted=True)
    torch.testing.assert_close(value, torch.tensor([5 + 2.0, 9 - 0.5]))


def test_open_box_thaws_black_and_white_pixels() -> None:
    w = A.open_box(torch.tensor([0.0, 0.5, 1.0]), 1e-4)
    assert w.isfinite().all()
    torch.testing.assert_close((w.tanh() + 1) / 2, torch.tensor([0.0, 0.5, 1.0]), atol=1e-4, rtol=0)


def test_saliency_by_hand() -> None:
    alpha, beta = torch.tensor([2.0, -1.0, 3.0, 0.0]), torch.tensor([-3.0, -1.0, 1.0, -1.0])
    assert torch.equal(A.jsma_saliency(alpha, beta), torch.tensor([6.0, 0.0, 0.0, 0.0]))


@pytest.mark.parametrize("seed", range(20))
def test_best_pair_equals_the_search_over_all_pairs(seed: int) -> None:
    alpha, beta = torch.randn(2, 3, 60, generator=generator(seed), dtype=torch.float64)
    if seed % 2:  # ties
        alpha, beta = alpha.round(), beta.round()
    alpha[:, ::7] = -INF
    a, b = alpha[:, :, None] + alpha[:, None], beta[:, :, None] + beta[:, None]
    full = A.jsma_saliency(a, b).triu(1).flatten(1).amax(1)
    value, pair = A.best_pair(alpha, beta)
    torch.testing.assert_close(value, full)
    assert (pair[:, 0] != pair[:, 1]).all()
    picked = A.jsma_saliency(alpha.gather(1, pair).sum(1), beta.gather(1, pair).sum(1))
    torch.testing.assert_close(picked, value)


def test_top_k_success_wants_the_order_and_no_tie() -> None:
    z = torch.tensor([[3.0, 2.0, 1.0, 0.0]] * 4 + [[2.0, 2.0, 1.0, 0.0]])
    t = torch.tensor([[0, 1], [1, 0], [0, 2], [3, 2], [0, 1]])
    assert A.top_k_success(z, t).tolist() == [True, False, False, False, False]
    assert torch.equal(A.top_k_success(z, t), A.top_k_gap(z, t).amax(1) < 0)


def test_top_k_attack_orders_a_linear_model() -> None:
    model = linear(6)
    x, y = batch(model)
    targets = torch.stack([(y + 1) % 6, (y + 2) % 6, (y + 3) % 6], 1)
    x_adv = A.top_k(model, x, targets, eps=0.4, steps=100)
    assert A.top_k_success(model(x_adv), targets).all() and T.norm(x_adv - x, INF).max() <= 0.4 + 1e-9


def test_universal_step_follows_the_gradient_of_the_clipped_batch() -> None:
    model = linear(2)
    x, y = batch(model)
    y = torch.zeros_like(y)
    delta = A.universal_step(model, x, y, torch.zeros(1, 6, 6, dtype=torch.float64), eps=0.1, step=0.03)
    w = (model[1].weight[1] - model[1].weight[0]).detach().view(1, 6, 6)
    torch.testing.assert_close(delta, 0.03 * w.sign())
    for _ in range(5):
        delta = A.universal_step(model, x, y, delta, eps=0.1, step=0.03)
    torch.testing.assert_close(delta, 0.1 * w.sign())


def test_adversarial_training_step_is_a_step_on_the_adversarial_loss() -> None:
    model, twin = network(), network()
    x, y = batch(model)
    loss = A.adversarial_training_step(
        model.train(False), torch.optim.SGD(model.parameters(), 0.1), x, y, lambda m, x, y: A.fgsm(m, x, y, eps=0.1)
    )
    expected = nn.functional.cross_entropy(twin(A.fgsm(twin, x, y, eps=0.1)), y)
    expected.backward()
    torch.testing.assert_close(loss, expected.detach())
    for a, b in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(a, b - 0.1 * b.grad)


def test_adversarial_training_step_forgets_the_gradient_before() -> None:
    model, twin = network(), network()
    x, y = batch(model)
    for net in (model, twin):
        optimizer = torch.optim.SGD(net.parameters(), 0.1)
        for _ in range(2):
            if net is twin:
                optimizer = torch.optim.SGD(net.parameters(), 0.1)
                net.zero_grad()
            A.adversarial_training_step(net, optimizer, x, y, lambda m, x, y: x)
    for a, b in zip(model.parameters(), twin.parameters(), strict=True):
        assert torch.equal(a, b)


def test_box_lbfgs_finds_the_minimum_of_a_quadratic_in_the_box() -> None:
    """Rows of different difficulty, minima on the faces; SciPy's L-BFGS-B is the oracle."""
    root = torch.randn(5, 12, 12, generator=generator(), dtype=torch.float64)
    h = root @ root.mT + 0.1 * torch.eye(12, dtype=torch.float64)
    b = 6 * torch.randn(5, 12, generator=generator(1), dtype=torch.float64)

    def f(z: Tensor) -> tuple[Tensor, Tensor]:
        hz = (h @ z[:, :, None])[:, :, 0]
        return 0.5 * (z * hz).sum(1) - (b * z).sum(1), hz - b

    found = A.box_lbfgs(f, torch.full((5, 12), 0.5, dtype=torch.float64), steps=200, halvings=20)
    for i in range(5):
        hi, bi = h[i].numpy(), b[i].numpy()
        best = optimize.minimize(
            lambda z, h=hi, b=bi: (0.5 * z @ h @ z - b @ z, h @ z - b),
            *(np.full(12, 0.5),),
            **{"jac": True, "bounds": [(0, 1)] * 12, "options": {"ftol": 1e-15, "gtol": 1e-10}},
        )
        assert ((best.x == 0) | (best.x == 1)).any()
        np.testing.assert_allclose(f(found)[0][i], best.fun, rtol=1e-4)


def test_failures_come_back_clean() -> None:
    model = network()
    x, y = batch(model)
    flat = nn.Sequential(nn.Flatten(), nn.Linear(36, 3)).double()
    with torch.no_grad():
        flat[1].weight.mul_(1e-3)
        flat[1].bias.copy_(torch.tensor([5.0, 0.0, 0.0]))
    zero = torch.zeros_like(y)
    for x_adv in (
        M.deepfool(flat, x, zero, steps=3),
        A.carlini_wagner(flat, x, zero, steps=5, rounds=2, c=1e-3),
        A.lbfgs(flat, x, zero, steps=3, rounds=2, c=1e-3),
    ):
        assert torch.equal(x_adv, x) and not T.outcome(flat, x, x_adv, zero).success.any()


def test_one_pixel_returns_the_best_candidate() -> None:
    model = linear()
    x, y = batch(model)
    w = (model[1].weight[1] - model[1].weight[0]).detach() * (1 - 2 * y[:, None])
    best = torch.where(w > 0, w * (1 - x.flatten(1)), -w * x.flatten(1)).amax(
        1
    )  # the largest fall that one pixel makes
    x_adv = B.one_pixel(model, x, y, steps=0, population=400, generator=generator())
    with torch.no_grad():
        fall = T.margin(model(x), y) - T.margin(model(x_adv), y)
    assert (fall > 0.5 * best).all() and (fall <= best + 1e-9).all() and (T.norm(x_adv - x, 0) <= 1).all()


def test_counted_counts_images_and_gradients() -> None:
    model = T.Counted(network())
    x, y = batch(model)
    A.pgd_linf(model, x, y, eps=0.1, steps=7)
    assert (model.queries, model.gradients) == (8 + 8 * 8, 8 * 7)


def test_outcome_calls_failures_infinitely_far() -> None:
    model = network()
    x, y = batch(model)
    x_adv = x.clone()
    x_adv[:4] = M.deepfool(model, x, y)[:4]
    o = T.outcome(model, x, x_adv, y, p=2)
    assert (
        o.success.tolist() == [True] * 4 + [False] * 4
        and o.distance[4:].isinf().all()
        and o.distance[:4].isfinite().all()
    )


def test_worst_case_runs_each_attack_on_the_survivors_only() -> None:
    model, seen = network(), []
    x, y = batch(model, 32)
    y[0] = (y[0] + 1) % 5

    def attack(m: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        seen.append(len(x))
        return A.fgsm(m, x, y, eps=0.02 * len(seen))

    success = T.outcome(model, x, T.worst_case([attack] * 3, model, x, y), y).success
    assert seen[0] == 31 and seen == sorted(seen, reverse=True) and success[0] and success.sum() > 1
