"""The iterates by hand: momentum, steps, starts, squares, the box; what a slip in the library would change."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from helpers import attacks as A
from helpers.attacks import blackbox as B, defence as D, gradient as G, minimum_norm as M, threat as T, universal as U
from tests.attacks.toys import batch, generator, linear, network

INF = math.inf
INSIDE = 1 + 1e-9


def slope(model: Callable[[Tensor], Tensor], x: Tensor, y: Tensor, loss: Callable[..., Tensor]) -> Tensor:
    x = x.clone().requires_grad_()
    return torch.autograd.grad(loss(model(x), y), x)[0]


@pytest.mark.parametrize("targeted", [False, True])
def test_mi_fgsm_is_its_formula_image_by_image(targeted: bool) -> None:
    """Each image alone, in a plain loop; the gradients' norms differ by image and step, so each must have its own."""
    model, sign = network(), -1 if targeted else 1
    x, y = batch(model, 12)
    y = (y + 1) % 5 if targeted else y
    eps, steps, decay = 0.15, 6, 0.7
    got = A.mi_fgsm(model, x, y, eps=eps, steps=steps, decay=decay, targeted=targeted)
    for n in range(len(x)):
        z, label, v, iterates = x[n : n + 1], y[n : n + 1], torch.zeros_like(x[:1]), [x[n : n + 1]]
        for _ in range(steps):
            g = sign * slope(model, z, label, nn.functional.cross_entropy)
            v = decay * v + g / g.abs().sum()
            z = torch.minimum(torch.maximum(z + eps / steps * v.sign(), x[n] - eps), x[n] + eps).clamp(0, 1)
            iterates.append(z)
        best = min(iterates, key=lambda z: (sign * T.margin(model(z), label)).item())
        torch.testing.assert_close(got[n : n + 1], best)


def test_mi_fgsm_keeps_going_where_the_gradient_vanishes() -> None:
    """|g|_1 = 0 adds nothing: no NaN, and the old velocity carries on over the flat stretch."""

    def model(x: Tensor) -> Tensor:  # z_0 - z_1 falls with x, with a flat stretch in [0.38, 0.47]
        z = -(x - 0.38).clamp(max=0) - (x - 0.47).clamp(min=0) + 0.05
        return torch.cat([z, torch.zeros_like(z)], 1)

    x = torch.tensor([[0.35]], dtype=torch.float64)
    x_adv = A.mi_fgsm(model, x, torch.tensor([0]), eps=0.3, steps=6)
    torch.testing.assert_close(x_adv, x + 0.3)


def uniform(share: Tensor) -> float:
    """The distance of Kolmogorov and Smirnov from U[0, 1], times the root of the number: > 3.8 once in 10^12."""
    n, sorted_ = share.numel(), share.flatten().sort().values
    return float((sorted_ - torch.arange(1, n + 1) / n).abs().max() * math.sqrt(n))


@pytest.mark.parametrize(("name", "p"), [("pgd_linf", INF), ("pgd_l2", 2), ("pgd_l1", 1)])
def test_the_random_start_fills_the_ball_on_both_sides(name: str, p: float) -> None:
    """With steps of length 0 the start comes back: its norm is eps U^{1/d}, its signs are even, each image its own."""
    x = torch.full((4000, 1, 2, 2), 0.5, dtype=torch.float64)
    options = {"eps": 0.3, "steps": 1, "step": 0.0, "generator": generator()}
    start = getattr(A, name)(linear(shape=(1, 2, 2)), x, torch.zeros(4000, dtype=torch.long), **options) - x
    assert uniform((T.norm(start, p) / 0.3) ** 4) < 3.8
    assert ((start > 0).double().mean(0) - 0.5).abs().max() < 7 * 0.5 / math.sqrt(4000)  # 7 standard errors
    if p == INF:
        assert uniform((start / 0.3 + 1) / 2) < 3.8


def test_the_random_start_is_pulled_into_the_box() -> None:
    x, y = torch.rand(50, 1, 6, 6, generator=generator(1), dtype=torch.float64).round(), torch.zeros(50).long()
    for attack in (A.pgd_linf, A.pgd_l2, A.pgd_l1):
        start = attack(linear(), x, y, eps=2.0, steps=1, step=0.0, generator=generator())
        assert ((start >= 0) & (start <= 1)).all() and (start != x).any()


STEPS: list[tuple[str, Callable[..., Tensor], float]] = [
    ("bim", lambda m, x, y, **k: A.bim(m, x, y, eps=0.2, steps=4, **k), 0.05),
    ("mi_fgsm", lambda m, x, y, **k: A.mi_fgsm(m, x, y, eps=0.2, steps=4, **k), 0.05),
    ("pgd_linf", lambda m, x, y, **k: A.pgd_linf(m, x, y, eps=0.2, steps=4, generator=generator(), **k), 0.125),
    ("pgd_l2", lambda m, x, y, **k: A.pgd_l2(m, x, y, eps=0.2, steps=4, generator=generator(), **k), 0.125),
    ("pgd_l1", lambda m, x, y, **k: A.pgd_l1(m, x, y, eps=0.2, steps=4, generator=generator(), **k), 0.125),
    ("trades", lambda m, x, y, **k: D.trades_attack(m, x, y, eps=0.2, steps=4, generator=generator(), **k), 0.1),
    ("random_start_fgsm", lambda m, x, y, **k: G.random_start_fgsm(m, x, y, eps=0.2, generator=generator(), **k), 0.25),
    ("top_k", lambda m, x, y, **k: A.top_k(m, x, torch.stack([y, (y + 1) % 5], 1), eps=0.2, steps=4, **k), 0.125),
    (
        "universal_sgd",
        lambda m, x, y, **k: U.universal_sgd(m, x, y, eps=0.2, epochs=1, generator=generator(), **k),
        0.02,
    ),
]


@pytest.mark.parametrize(("attack", "step"), [pytest.param(a, s, id=name) for name, a, s in STEPS])
def test_the_step_that_is_not_given_is_that_of_the_paper(attack: Callable[..., Tensor], step: float) -> None:
    model = network()
    x, y = batch(model, 16)
    torch.testing.assert_close(attack(model, x, y), attack(model, x, y, step=step), rtol=0, atol=1e-12)
    for other in (0.9 * step, 1.1 * step):
        assert (attack(model, x, y) - attack(model, x, y, step=other)).abs().max() > 1e-4


@pytest.mark.parametrize("targeted", [False, True])
def test_random_start_fgsm_is_its_formula(targeted: bool) -> None:
    """The start is drawn from the generator, clipped to the box; one step from there, back into ball and box."""
    model, sign = network(), -1 if targeted else 1
    x = torch.rand(8, 1, 6, 6, generator=generator(1), dtype=torch.float64)
    y = model(x).argmax(1)
    u = 2 * torch.rand(x.shape, generator=generator(), dtype=x.dtype) - 1
    for step in (0.05, 0.3):
        start = (x + 0.2 * u).clamp(0, 1)
        moved = start + sign * step * slope(model, start, y, nn.functional.cross_entropy).sign()
        got = G.random_start_fgsm(model, x, y, eps=0.2, step=step, targeted=targeted, generator=generator())
        torch.testing.assert_close(got, (x + (moved - x).clamp(-0.2, 0.2)).clamp(0, 1))


def test_fgsm_targeted_goes_down_the_loss_of_its_label() -> None:
    model = network()
    x, y = batch(model)
    g = slope(model, x, (y + 1) % 5, nn.functional.cross_entropy)
    torch.testing.assert_close(A.fgsm(model, x, (y + 1) % 5, eps=0.1, targeted=True), x - 0.1 * g.sign())


def test_square_jumps_from_one_face_of_the_ball_to_the_other() -> None:
    """Every pixel ends at +-eps, for the stripes start there and a square moves by 2 eps: never a pixel between."""
    model = linear(2)
    x, y = batch(model)
    with torch.no_grad():
        model[1].bias[y.mode().values] += 100  # no success: the search goes on to the end
    y = torch.full_like(y, int(y.mode().values))
    moved = (B.square(model, x, y, eps=0.1, steps=60, generator=generator()) - x).abs()
    torch.testing.assert_close(moved, torch.full_like(x, 0.1))


def test_square_tries_a_step_of_norm_2_eps_in_each_channel() -> None:
    """What the model sees in l_2: the stripes of norm eps, then these plus 2 eps over the square, projected."""
    seen: list[Tensor] = []
    x = torch.full((1, 1, 8, 8), 0.5, dtype=torch.float64)

    def model(z: Tensor) -> Tensor:
        seen.append(z - 0.5)
        return torch.tensor([[2.0, 0.0]], dtype=z.dtype).expand(len(z), 2)

    B.square(model, x, torch.tensor([0]), eps=0.2, steps=1, p=2, generator=generator())
    stripes, trial = seen
    torch.testing.assert_close(T.norm(stripes, 2), torch.tensor([0.2], dtype=x.dtype))
    side = B.side(0, 1, 64)
    candidates = []
    for sign in (1, -1):
        for top in range(9 - side):
            for left in range(9 - side):
                u = torch.zeros_like(x)
                u[..., top : top + side, left : left + side] = sign * 0.4 / side
                candidates.append(A.project_l2(stripes + u, 0.2))
    assert min(float((trial - c).abs().max()) for c in candidates) < 1e-12


def lucky(distances: list[float]) -> Callable[..., Tensor]:
    """An attack whose successive results lie at these distances (negative: no success)."""
    left = iter(distances)

    def attack(model: Callable[..., Tensor], x: Tensor, y: Tensor, eps: Tensor) -> Tensor:
        return x + next(left)

    return attack


def test_the_closest_success_is_kept_not_the_last() -> None:
    def model(x: Tensor) -> Tensor:  # label 0 up to 0.6, and again from 0.85
        z = torch.where((x > 0.6) & (x < 0.85), -1.0, 1.0).to(x)
        return torch.cat([z, 0 * z], 1)

    x, y = torch.full((1, 1), 0.5, dtype=torch.float64), torch.tensor([0])
    for tries, closest in (([0.3, 0.15, 0.2], 0.15), ([0.2, 0.3], 0.2), ([0.3, 0.02, 0.05], 0.3), ([0.4, 0.05], 0.0)):
        found = M.smallest_eps(lucky(tries), model, x, y, p=INF, largest=1.0, rounds=len(tries))
        torch.testing.assert_close(found, x + closest)
    best, smallest = x, torch.tensor([INF], dtype=x.dtype)
    for far, success in ((0.3, True), (0.1, False), (0.2, True), (0.25, True)):
        best, smallest = M.nearer(x, x + far, torch.tensor([success]), best, smallest)
    torch.testing.assert_close((best, smallest), (x + 0.2, torch.tensor([0.2], dtype=x.dtype)))


def test_carlini_wagner_returns_the_closest_of_all_its_iterates() -> None:
    """Every success that the model was shown lies no closer than what comes back."""
    model, shown = network(), list[Tensor]()
    x, y = batch(model, 1)

    def spy(z: Tensor) -> Tensor:
        shown.append(z.detach())
        return model(z)

    x_adv = A.carlini_wagner(spy, x, y, steps=40, rounds=4, rate=0.1)
    seen = torch.cat(shown)
    wins = seen[T.margin(model(seen), y.expand(len(seen))) < 0]
    closest = T.norm(wins - x, 2)
    torch.testing.assert_close(T.norm(x_adv - x, 2)[0], closest.min())
    assert (closest[-1] > closest.min() * INSIDE) and len(wins) > 10


SPARSE: dict[str, tuple[Callable[..., Tensor], int]] = {
    "pgd_l1": (lambda m, x, y: A.pgd_l1(m, x, y, eps=6.0, steps=4, step=3.0, generator=generator()), 36),
    "pgd_l0": (lambda m, x, y: A.pgd_l0(m, x, y, budget=5, steps=4), 5),
    "jsma up": (lambda m, x, y: A.jsma(m, x, y, budget=6), 6),
    "jsma down": (lambda m, x, y: A.jsma(m, x, y, budget=6, theta=-1.0), 6),
    "one_pixel": (lambda m, x, y: B.one_pixel(m, x, y, budget=2, steps=3, population=8, generator=generator()), 2),
}


@pytest.mark.parametrize("name", SPARSE)
def test_a_sparse_attack_stays_in_the_box_and_within_its_pixels(name: str) -> None:
    """The labels are out of reach, so that all steps are taken; the images have pixels of all values, 0 and 1 too."""
    model = linear(3)
    x = torch.rand(12, 1, 6, 6, generator=generator(5), dtype=torch.float64).mul(1.6).sub(0.3).clamp(0, 1)
    with torch.no_grad():
        model[1].bias[0] += 50
    attack, pixels = SPARSE[name]
    x_adv = attack(model, x, torch.zeros(12, dtype=torch.long))
    assert ((x_adv >= 0) & (x_adv <= 1)).all()
    assert (T.norm(x_adv - x, 0) <= pixels).all() and (x_adv != x).any()


def test_universal_step_sees_the_box() -> None:
    """At a pixel that is 1 in every image, adding light changes nothing: the gradient is 0 and delta stays."""
    model = linear(2)
    x = torch.full((4, 1, 6, 6), 0.5, dtype=torch.float64)
    x[:, :, 0], x[:, :, 1] = 1.0, 0.0
    delta = torch.full((1, 6, 6), 0.02, dtype=torch.float64)
    delta[:, 1] = -0.02
    got = U.universal_step(model, x, torch.zeros(4, dtype=torch.long), delta, eps=0.1, step=0.03)
    assert torch.equal(got[:, :2], delta[:, :2])
    w = (model[1].weight[1] - model[1].weight[0]).detach().view(1, 6, 6)
    torch.testing.assert_close(got[:, 2:], delta[:, 2:] + 0.03 * w[:, 2:].sign())


def test_fooling_rate_sees_the_box() -> None:
    """White images under more light stay white, and their prediction with them."""
    x, delta = torch.ones(3, 1, 6, 6, dtype=torch.float64), torch.ones(1, 6, 6, dtype=torch.float64)

    def model(z: Tensor) -> Tensor:
        total = z.flatten(1).sum(1, keepdim=True)
        return torch.cat([36.5 - total, total - 36.5], 1)

    assert U.fooling_rate(model, x, delta) == 0 and U.fooling_rate(model, x + 0.0 * delta, -delta) == 0
