"""What holds for every attack on any network, and the errors that name bad input."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from helpers import attacks as A
from helpers.attacks import blackbox as B, gradient as G, threat as T
from tests.attacks.toys import ATTACKS, DETERMINISTIC, batch, generator, linear, network

INF = math.inf


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
    if name not in ("carlini_wagner", "lbfgs", "deepfool", "fab"):
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
        lambda m, x, y: A.bim(m, x, y, eps=0, steps=3),
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
        wide = T.margin(model(A.bim(model, x, y, eps=0.1, steps=20)), y)
        narrow_adv = A.bim(model.float(), x.float(), y, eps=0.1, steps=20)
    else:
        narrow_adv = ATTACKS[name](model.float(), x.float(), y)
    narrow = T.margin(model(narrow_adv), y)
    torch.testing.assert_close(narrow.double().mean(), wide.mean(), rtol=1e-3, atol=1e-3)


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
    "attack", [A.fgsm, A.pgd_linf, A.mi_fgsm, A.bim, A.pgd_l2, A.pgd_l1, G.random_start_fgsm, B.square]
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


class Valley(nn.Module):
    """One pixel: z_0 - z_1 = (x - 0.5)^2 - 0.01; steps of 0.16 jump to and fro over the valley, past its floor."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1) -> (N, 2)."""
        return torch.cat([(x - 0.5).square() - 0.01, torch.zeros_like(x)], 1)


@pytest.mark.parametrize(("attack", "steps"), [(A.pgd_linf, 5), (A.pgd_l2, 5), (A.bim, 5), (A.bim, 4)])
def test_the_best_iterate_of_each_image_comes_back(attack: Callable[..., Tensor], steps: int) -> None:
    """0.3, 0.46, 0.62, 0.46, ...: the best is 0.46, the last one or not; an image that starts on the floor stays."""
    x = torch.tensor([[0.3], [0.7], [0.5 + 1e-9]], dtype=torch.float64)
    options = {} if attack is A.bim else {"random_start": False}
    x_adv = attack(Valley(), x, torch.zeros(3, dtype=torch.long), eps=0.9, steps=steps, step=0.16, **options)
    torch.testing.assert_close(x_adv, torch.tensor([[0.46], [0.54], [0.5 + 1e-9]], dtype=torch.float64))


def test_transferred_examples_are_compared_on_the_targets_that_they_share() -> None:
    """Four linear models much alike, of which the first two are one."""
    models = [linear(3) for _ in range(4)]
    with torch.no_grad():
        for model, seed in ((models[2], 5), (models[3], 9)):
            model[1].weight.add_(linear(3, seed=seed)[1].weight, alpha=0.3)
    x, _ = batch(models[0], 200)
    with torch.no_grad():
        y = models[0](x).argmax(1)
    fooled = B.transferred(models, x, y, lambda m, x, y: A.fgsm(m, x, y, eps=0.15))
    right = torch.stack([T.margin(m(x), y) > 0 for m in models]).all(0)
    assert fooled.shape == (4, 4, int(right.sum())) and right.any()
    assert torch.equal(fooled[0, 2], T.margin(models[2](A.fgsm(models[0], x[right], y[right], eps=0.15)), y[right]) < 0)
    assert torch.equal(fooled[0], fooled[1])


def test_a_paired_difference_by_hand() -> None:
    """Targets 1 and 3 are shared by models 0 and 2; four images."""
    fooled = torch.zeros(4, 4, 4, dtype=torch.bool)
    fooled[0, 1], fooled[0, 3] = torch.tensor([1, 1, 1, 0]).bool(), torch.tensor([1, 0, 1, 0]).bool()
    fooled[2, 1], fooled[2, 3] = torch.tensor([1, 0, 0, 0]).bool(), torch.tensor([0, 0, 0, 1]).bool()
    fooled[0, 2] = fooled[2, 2] = fooled[0, 0] = True  # the models' own columns do not count
    mean, error = B.paired(fooled, 0, 2)  # 0.5, 0.5, 1, -0.5 for the images
    assert mean == 0.375 and error == pytest.approx(math.sqrt((3 * 0.25 + 1 - 4 * 0.375**2) / 3 / 4))
    assert B.paired(fooled, 2, 0) == (-mean, error) and isinstance(error, float) and isinstance(mean, float)
