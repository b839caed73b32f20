"""The attacks against theory: on a linear model everything is known in closed form."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import optimize
from torch import Tensor, nn

from helpers import attacks as A
from helpers.attacks import blackbox as B, gradient as G, minimum_norm as M, threat as T

INF = math.inf


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def linear(classes: int = 2, shape: tuple[int, ...] = (1, 6, 6), seed: int = 0) -> nn.Sequential:
    """Random affine logits in float64."""
    d = math.prod(shape)
    model = nn.Sequential(nn.Flatten(), nn.Linear(d, classes)).double()
    with torch.no_grad():
        model[1].weight.copy_(torch.randn(classes, d, generator=generator(seed), dtype=torch.float64))
        model[1].bias.copy_(0.1 * torch.randn(classes, generator=generator(seed + 1), dtype=torch.float64))
    return model


def network(seed: int = 0, dtype: torch.dtype = torch.float64) -> nn.Sequential:
    """A small random CNN with steep logits, in float64."""
    torch.manual_seed(seed)
    layers = nn.Conv2d(1, 8, 3, 2, 1), nn.ReLU(), nn.Dropout(0.5), nn.Flatten(), nn.Linear(72, 5)
    model = nn.Sequential(*layers).to(dtype)
    with torch.no_grad():
        model[-1].weight.mul_(8)
    return model.eval()


def batch(model: nn.Module, n: int = 8, shape: tuple[int, ...] = (1, 6, 6), seed: int = 3) -> tuple[Tensor, Tensor]:
    """Grey images away from the bounds, labelled as the model sees them."""
    dtype = next(model.parameters()).dtype
    x = 0.4 + 0.2 * torch.rand((n, *shape), generator=generator(seed), dtype=dtype)
    with torch.no_grad():
        return x, model(x).argmax(1)


ATTACKS: dict[str, Callable[..., Tensor]] = {
    "fgsm": lambda m, x, y, **k: A.fgsm(m, x, y, eps=0.1, **k),
    "bim": lambda m, x, y, **k: G.bim(m, x, y, eps=0.1, steps=5, **k),
    "mi_fgsm": lambda m, x, y, **k: A.mi_fgsm(m, x, y, eps=0.1, steps=5, **k),
    "random_start_fgsm": lambda m, x, y, **k: G.random_start_fgsm(m, x, y, eps=0.1, generator=generator(), **k),
    "pgd_linf": lambda m, x, y, **k: A.pgd_linf(m, x, y, eps=0.1, steps=5, generator=generator(), **k),
    "pgd_l2": lambda m, x, y, **k: A.pgd_l2(m, x, y, eps=0.5, steps=5, generator=generator(), **k),
    "pgd_l1": lambda m, x, y, **k: A.pgd_l1(m, x, y, eps=2.0, steps=5, fraction=0.1, generator=generator(), **k),
    "pgd_l0": lambda m, x, y, **k: A.pgd_l0(m, x, y, budget=4, steps=5, **k),
    "carlini_wagner": lambda m, x, y, **k: A.carlini_wagner(m, x, y, steps=20, rounds=4, rate=0.1, **k),
    "lbfgs": lambda m, x, y, **k: A.lbfgs(m, x, y, steps=5, rounds=4, **k),
    "jsma": lambda m, x, y, **k: A.jsma(m, x, y, budget=8, **k),
    "square": lambda m, x, y, **k: B.square(m, x, y, eps=0.1, steps=20, generator=generator(), **k),
    "square_l2": lambda m, x, y, **k: B.square(m, x, y, eps=0.5, steps=20, p=2, generator=generator(), **k),
    "one_pixel": lambda m, x, y, **k: B.one_pixel(m, x, y, steps=5, population=10, generator=generator(), **k),
    "deepfool": lambda m, x, y: M.deepfool(m, x, y),
}
TARGETED = [name for name in ATTACKS if name != "deepfool"]
DETERMINISTIC = ["fgsm", "bim", "mi_fgsm", "pgd_l0", "carlini_wagner", "lbfgs", "jsma", "deepfool"]


# ------------------------------------------------------------------------------------------------ linear models: exact


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
    assert torch.equal(A.mi_fgsm(model, x, y, eps=0.1, steps=7, decay=0), G.bim(model, x, y, eps=0.1, steps=7))


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


# ------------------------------------------------------------------------------------------------------- laws of all


@pytest.mark.parametrize("name", ATTACKS)
def test_result_lies_in_the_box_and_in_the_ball_and_leaves_everything_as_it_was(name: str) -> None:
    model = network().train()
    model[0].eval()
    x, y = batch(model.eval())
    x[0], x[1] = 0, 1
    model.train()
    model[0].eval()
    modes = [m.training for m in model.modules()]
    before, rng = x.clone(), torch.get_rng_state()
    x_adv = ATTACKS[name](model, x, y)
    assert x_adv.shape == x.shape and x_adv.dtype == x.dtype and not x_adv.requires_grad
    assert ((x_adv >= 0) & (x_adv <= 1)).all()
    limits = {"pgd_l2": (2, 0.5), "square_l2": (2, 0.5), "pgd_l1": (1, 2), "pgd_l0": (0, 4), "jsma": (0, 8)}
    p, eps = limits.get(name, (0, 1) if name == "one_pixel" else (INF, 0.1))
    if name not in ("carlini_wagner", "lbfgs", "deepfool"):
        assert T.norm(x_adv - x, p).max() <= eps + 1e-9
    assert torch.equal(x, before)
    assert [m.training for m in model.modules()] == modes
    assert all(w.grad is None and w.requires_grad for w in model.parameters())
    assert torch.equal(torch.get_rng_state(), rng)


@pytest.mark.parametrize("name", DETERMINISTIC)
def test_batched_equals_one_by_one_in_any_order(name: str) -> None:
    model = network()
    x, y = batch(model, 6)
    together = ATTACKS[name](model, x, y)
    alone = torch.cat([ATTACKS[name](model, x[i : i + 1], y[i : i + 1]) for i in range(6)])
    torch.testing.assert_close(together, alone, rtol=1e-6, atol=1e-6)
    order = torch.tensor([3, 1, 5, 0, 4, 2])
    torch.testing.assert_close(ATTACKS[name](model, x[order], y[order]), together[order], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["pgd_linf", "pgd_l2", "pgd_l1", "square", "one_pixel"])
def test_randomness_comes_from_the_generator(name: str) -> None:
    model = network()
    x, y = batch(model)
    assert torch.equal(ATTACKS[name](model, x, y), ATTACKS[name](model, x, y))


@pytest.mark.parametrize(
    "attack",
    [
        lambda m, x, y: A.fgsm(m, x, y, eps=0),
        lambda m, x, y: A.pgd_linf(m, x, y, eps=0, steps=3),
        lambda m, x, y: A.mi_fgsm(m, x, y, eps=0, steps=3),
        lambda m, x, y: G.bim(m, x, y, eps=0, steps=3),
        lambda m, x, y: G.random_start_fgsm(m, x, y, eps=0),
        lambda m, x, y: A.pgd_l2(m, x, y, eps=0, steps=3),
        lambda m, x, y: A.pgd_l1(m, x, y, eps=0, steps=3),
        lambda m, x, y: B.square(m, x, y, eps=0, steps=3),
        lambda m, x, y: A.jsma(m, x, y, budget=0),
    ],
)
def test_no_budget_changes_nothing(attack: Callable[..., Tensor]) -> None:
    model = network()
    x, y = batch(model)
    assert torch.equal(attack(model, x, y), x)


def test_one_eps_per_image() -> None:
    model = network()
    x, y = batch(model, 4)
    eps = torch.tensor([0.0, 0.05, 0.1, 0.2])
    torch.testing.assert_close(T.norm(A.fgsm(model, x, y, eps=eps) - x, INF), eps.double())
    assert (T.norm(A.pgd_linf(model, x, y, eps=eps, steps=5) - x, INF) <= eps + 1e-7).all()
    assert (T.norm(A.pgd_l2(model, x, y, eps=eps, steps=5) - x, 2) <= eps + 1e-7).all()


def test_more_steps_never_hurt_on_average() -> None:
    """The best iterate of a longer run with the same step is at least as good, image by image."""
    model = network()
    x, y = batch(model, 32)
    margins = []
    for steps in (1, 4, 16, 64):
        x_adv = A.pgd_linf(model, x, y, eps=0.1, step=0.02, steps=steps, generator=generator())
        margins.append(T.margin(model(x_adv), y).mean().item())
    assert margins == sorted(margins, reverse=True) and margins[-1] < margins[0]


@pytest.mark.parametrize("name", ["fgsm", "pgd_linf", "pgd_l2", "mi_fgsm"])
def test_losses_agree_across_dtypes(name: str) -> None:
    model = network()
    x, y = batch(model, 32)
    wide = T.margin(model(ATTACKS[name](model, x, y)), y)
    if (
        "pgd" in name
    ):  # the same start: drawn in float64, then rounded, would differ; an exact start makes them comparable
        wide = T.margin(model(G.bim(model, x, y, eps=0.1, steps=20)), y)
        narrow_adv = G.bim(model.float(), x.float(), y, eps=0.1, steps=20)
    else:
        narrow_adv = ATTACKS[name](model.float(), x.float(), y)
    narrow = T.margin(model(narrow_adv), y)
    torch.testing.assert_close(narrow.double().mean(), wide.mean(), rtol=1e-3, atol=1e-3)


# -------------------------------------------------------------------------------------------------------- projections


def closest(z: np.ndarray, p: int, eps: float) -> np.ndarray:
    """The projection of z onto the l_p ball by SLSQP: delta = u - v, u, v >= 0 makes the l_1 constraint smooth."""
    d = len(z)
    constraint = (lambda s: eps - s.sum()) if p == 1 else (lambda s: eps**2 - ((s[:d] - s[d:]) ** 2).sum())
    start = np.concatenate([np.maximum(z, 0), np.maximum(-z, 0)]) * eps / np.abs(z).sum() / 2
    result = optimize.minimize(
        lambda s: ((s[:d] - s[d:] - z) ** 2).sum(),
        start,
        jac=lambda s: np.concatenate([2 * (s[:d] - s[d:] - z), -2 * (s[:d] - s[d:] - z)]),
        bounds=[(0, None)] * (2 * d),
        constraints=[{"type": "ineq", "fun": constraint}],
        method="SLSQP",
        options={"maxiter": 500, "ftol": 1e-14},
    )
    return result.x[:d] - result.x[d:]


@pytest.mark.parametrize(("p", "project"), [(1, A.project_l1), (2, A.project_l2)])
def test_projection_is_the_closest_point_of_the_ball(p: int, project: Callable[..., Tensor]) -> None:
    z = torch.randn(6, 8, generator=generator(), dtype=torch.float64) * torch.tensor([[0.1], [0.5], [1], [2], [5], [9]])
    for eps in (0.3, 1.7):
        got = project(z, eps)
        for row, point in zip(z.numpy(), got.numpy(), strict=True):
            expected = row if np.linalg.norm(row, p) <= eps else closest(row, p, eps)
            np.testing.assert_allclose(point, expected, atol=2e-6)


@pytest.mark.parametrize(("p", "project"), [(1, A.project_l1), (2, A.project_l2), (INF, A.project_linf)])
def test_projection_is_idempotent_inside_and_keeps_what_is_inside(p: float, project: Callable[..., Tensor]) -> None:
    z = 3 * torch.randn(50, 2, 4, 4, generator=generator(), dtype=torch.float64)
    eps = torch.linspace(0, 150, 50, dtype=torch.float64)
    inside = project(z, eps)
    assert (T.norm(inside, p) <= eps * (1 + 1e-12)).all()
    torch.testing.assert_close(project(inside, eps), inside, rtol=1e-12, atol=1e-12)
    kept = T.norm(z, p) <= eps
    assert kept.any() and not kept.all() and torch.equal(inside[kept], z[kept])
    other = torch.randn(50, 2, 4, 4, generator=generator(1), dtype=torch.float64)
    feasible = other * A.spread(eps / T.norm(other, p) * 0.999, other)
    inner = ((z - inside) * (feasible - inside)).flatten(1).sum(1)
    assert (inner <= 1e-9).all()  # the variational inequality of the projection on a convex set


def test_project_l1_with_ties_and_zeros() -> None:
    z = torch.tensor([[1.0, -1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0], [2.0, 0.0, 0.0, 0.0]])
    expected = torch.tensor([[0.5, -0.5, 0.5, 0.0], [0.0, 0.0, 0.0, 0.0], [1.5, 0.0, 0.0, 0.0]])
    torch.testing.assert_close(A.project_l1(z, 1.5), expected)


def test_project_l0_keeps_the_largest() -> None:
    z = torch.tensor([[3.0, -5.0, 1.0, 0.0]])
    assert torch.equal(A.project_l0(z, 2), torch.tensor([[3.0, -5.0, 0.0, 0.0]]))
    assert torch.equal(A.project_l0(z, 0), torch.zeros(1, 4)) and torch.equal(A.project_l0(z, 9), z)


@pytest.mark.parametrize("p", [1, 2, INF])
def test_random_points_fill_the_ball_evenly(p: float) -> None:
    """||delta||_p / eps is distributed as U^{1/d}: mean d / (d + 1)."""
    x = torch.zeros(20000, 5, dtype=torch.float64)
    r = T.norm(A.random_in_ball(x, A.per_image(2.0, x), p, generator()), p) / 2
    assert r.max() <= 1 and abs(r.mean() - 5 / 6) < 0.005 and abs(r.pow(5).mean() - 0.5) < 0.01


# ---------------------------------------------------------------------------------------------------- single formulas


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


# ---------------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda m, x, y: (m, x + 1, y), r"x must lie in \[0, 1\], got values from 1\.4"),
        (lambda m, x, y: (m, x * math.nan, y), r"x must lie in \[0, 1\]"),
        (lambda m, x, y: (m, x[:0], y[:0]), "non-empty batch"),
        (lambda m, x, y: (m, (255 * x).byte(), y), "floating images"),
        (lambda m, x, y: (m, x, y[:-1]), r"one label per image, \(8,\)"),
        (lambda m, x, y: (m, x, y + 9), r"labels must lie in 0 ... 4"),
        (lambda m, x, y: (m, x, y - 9), r"labels must lie in 0 ... 4"),
        (lambda m, x, y: (nn.Sequential(m, nn.Softmax(1)), x, y), "returns probabilities"),
        (lambda m, x, y: (lambda x: m(x) * math.nan, x, y), "finite logits, got 4"),
        (lambda m, x, y: (lambda x: m(x)[0], x, y), r"must return logits \(N, K\)"),
    ],
)
def test_bad_input_is_named(name: str, spoil: Callable[..., tuple], message: str) -> None:
    model = network()
    x, y = batch(model)
    with pytest.raises(ValueError, match=message):
        ATTACKS[name](*spoil(model, x, y))


@pytest.mark.parametrize(
    "attack", [A.fgsm, A.pgd_linf, A.mi_fgsm, G.bim, A.pgd_l2, A.pgd_l1, G.random_start_fgsm, B.square]
)
@pytest.mark.parametrize(
    ("eps", "message"),
    [
        (-0.1, "eps must be finite and >= 0, got -0.1"),
        (math.nan, "eps must be finite"),
        (torch.rand(3), r"one per image, \(8,\), got shape \(3,\)"),
        (torch.rand(8, 1), "one per image"),
    ],
)
def test_bad_eps_is_named(attack: Callable[..., Tensor], eps: float | Tensor, message: str) -> None:
    model = network()
    x, y = batch(model)
    settings = {} if attack in (A.fgsm, G.random_start_fgsm) else {"steps": 3}
    with pytest.raises(ValueError, match=message):
        attack(model, x, y, eps=eps, **settings)


def test_other_bad_arguments_are_named() -> None:
    model = network()
    x, y = batch(model)
    with pytest.raises(ValueError, match="steps must be at least 1, got 0"):
        A.pgd_linf(model, x, y, eps=0.1, step=0.1, steps=0)
    with pytest.raises(ValueError, match="decay must be at least 0, got -1"):
        A.mi_fgsm(model, x, y, eps=0.1, steps=2, decay=-1)
    with pytest.raises(ValueError, match="p must be 1, 2 or inf, got 3"):
        B.square(model, x, y, eps=0.1, steps=2, p=3)
    with pytest.raises(ValueError, match="p must be at least 1, got 0.5"):
        A.dual(0.5)
    with pytest.raises(ValueError, match="eps must be finite and >= 0, got -1"):
        A.project_l1(x, -1)
    with pytest.raises(ValueError, match=r"shape of one image, \(1, 6, 6\)"):
        A.universal_step(model, x, y, x, eps=0.1, step=0.1)
    with pytest.raises(ValueError, match="x_adv must have the shape of x"):
        T.outcome(model, x, x[:, :, :3], y)
