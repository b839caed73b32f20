"""What attacks are given and how they answer: verdicts of robustness that were none, bad input, shared options."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from helpers import attacks as A
from helpers.attacks import minimum_norm as M, pgd, threat as T, universal as U
from tests.attacks.toys import ATTACKS, batch, generator, linear, network

GRADIENTS = [name for name in ATTACKS if not name.startswith(("square", "one_pixel"))]


@pytest.mark.parametrize("name", GRADIENTS)
def test_a_model_without_gradient_is_refused_and_does_not_look_robust(name: str) -> None:
    model = network()
    x, y = batch(model)
    with pytest.raises(ValueError, match="carry no gradient"):
        ATTACKS[name](torch.no_grad()(lambda z: model(z)), x, y)


@pytest.mark.parametrize("name", [name for name in ATTACKS if name not in ("fgsm", "random_start_fgsm")])
def test_a_model_that_gives_nan_away_from_the_data_is_refused(name: str) -> None:
    """From the second call on; an attack with one call has nothing more to find."""
    model, calls = linear(5), list[int]()
    x, y = batch(model)

    def late(z: Tensor) -> Tensor:
        calls.append(len(z))
        return model(z) * (math.nan if len(calls) > 1 else 1)

    with pytest.raises(ValueError, match="finite logits"):
        ATTACKS[name](late, x, y)


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (lambda y: y.int(), r"\(8,\) of torch.int32"),
        (lambda y: y.byte(), "torch.uint8"),
        (lambda y: y.bool(), "torch.bool"),
        (lambda y: y[:, None], r"\(8, 1\) of torch.int64"),
        (lambda y: y.double(), "torch.float64"),
    ],
)
def test_labels_of_another_kind_are_named(spoil: Callable[[Tensor], Tensor], found: str) -> None:
    model = network()
    x, y = batch(model)
    with pytest.raises(ValueError, match=found):
        A.fgsm(model, x, spoil(y), eps=0.1)


def test_targets_of_a_ranking_are_checked() -> None:
    model = network()
    x, y = batch(model)
    targets = torch.stack([y, (y + 1) % 5], 1)
    with pytest.raises(ValueError, match=r"k labels per image, \(8, k\)"):
        A.top_k(model, x, y, eps=0.1, steps=2)
    with pytest.raises(ValueError, match="must differ"):
        A.top_k(model, x, y[:, None].expand(8, 2), eps=0.1, steps=2)
    with pytest.raises(ValueError, match="k must be smaller than K, got 5 targets for 5 labels"):
        A.top_k(model, x, torch.arange(5).expand(8, 5), eps=0.1, steps=2)
    with pytest.raises(ValueError, match="targeted by its nature"):
        A.top_k(model, x, targets, eps=0.1, steps=2, targeted=False)
    assert torch.equal(
        A.top_k(model, x, targets, eps=0.1, steps=2, targeted=True), A.top_k(model, x, targets, eps=0.1, steps=2)
    )


def test_inference_mode_is_named() -> None:
    model = network()
    x, y = batch(model)
    with torch.inference_mode(), pytest.raises(ValueError, match="leave torch.inference_mode"):
        A.fgsm(model, x, y, eps=0.1)


@pytest.mark.parametrize(
    ("attack", "message"),
    [
        (lambda m, x, y: A.carlini_wagner(m, x, y, c=-1), "c must be a positive number, got -1"),
        (lambda m, x, y: A.carlini_wagner(m, x, y, rounds=0), "rounds must be at least 1"),
        (lambda m, x, y: A.carlini_wagner(m, x, y, kappa=-1), "kappa must be at least 0"),
        (lambda m, x, y: A.carlini_wagner(m, x, y, rate=0), "rate must be a positive number"),
        (lambda m, x, y: A.lbfgs(m, x, y, c=0), "c must be a positive number, got 0"),
        (lambda m, x, y: A.lbfgs(m, x, y, rounds=0), "rounds must be at least 1"),
        (lambda m, x, y: M.deepfool(m, x, y, overshoot=-1), "overshoot must be at least 0"),
        (lambda m, x, y: U.universal_sgd(m, x, y, eps=math.inf), "eps must be finite"),
        (lambda m, x, y: U.universal_sgd(m, x, y, eps=0.1, step=math.nan), "step must be finite"),
        (lambda m, x, y: U.universal_sgd(nn.Sequential(m, nn.Softmax(1)), x, y, eps=0.1), "returns probabilities"),
        (lambda m, x, y: U.universal_step(m, x + 1, y, x[0], eps=0.1, step=0.1), "x must lie in"),
        (lambda m, x, y: U.universal_step(m, x * math.nan, y, x[0], eps=0.1, step=0.1), "x must lie in"),
        (lambda m, x, y: U.universal_step(lambda z: m(z) * math.nan, x, y, x[0], eps=0.1, step=0.1), "finite logits"),
    ],
)
def test_an_argument_that_makes_no_sense_is_named(attack: Callable[..., Tensor], message: str) -> None:
    model = network()
    x, y = batch(model)
    with pytest.raises(ValueError, match=message):
        attack(model, x, y)


def test_a_training_step_on_nan_is_not_taken() -> None:
    model = network()
    x, y = batch(model)
    before = [w.clone() for w in model.parameters()]
    with pytest.raises(ValueError, match="loss at x_adv must be finite, got nan: no step"):
        A.adversarial_training_step(model, torch.optim.SGD(model.parameters(), 1.0), x, y, lambda m, x, y: x * math.nan)
    assert all(map(torch.equal, before, model.parameters()))


def test_deepfool_reaches_its_target() -> None:
    model = linear(4)
    x, y = batch(model)
    target = (y + 2) % 4
    x_adv = M.deepfool(model, x, target, targeted=True)
    assert T.outcome(model, x, x_adv, target, targeted=True).success.all()
    with torch.no_grad():
        rank = model(x).argsort(1, descending=True)
    second = rank[:, 1]  # towards the second label the first step is the one of the two-class formula
    z, w = T.jacobian(model, x, torch.stack([y, second], 1))
    step = A.deepfool_step(z, w, torch.zeros_like(y))
    near = M.deepfool(model, x, second, targeted=True, steps=1)
    reached = T.outcome(model, x, near, second, targeted=True).success
    assert reached.any()
    torch.testing.assert_close((near - x)[reached], 1.02 * step[reached])


@pytest.mark.parametrize(("attack", "p"), [(A.pgd_linf, math.inf), (A.pgd_l2, 2), (A.pgd_l1, 1)])
def test_without_a_random_start_pgd_begins_at_x(attack: Callable[..., Tensor], p: float) -> None:
    """With steps of length 0 what comes back is the start."""
    model = network()
    x, y = batch(model)
    options = {"eps": 0.1, "steps": 3, "step": 0.0}
    assert torch.equal(attack(model, x, y, random_start=False, **options), x)
    started = attack(model, x, y, generator=generator(), **options)
    assert not torch.equal(started, x) and (T.norm(started - x, p) <= 0.1 + 1e-9).all()


def test_the_general_form_is_pgd_in_every_ball() -> None:
    model = network()
    x, y = batch(model)
    for p, attack in ((math.inf, A.pgd_linf), (2, A.pgd_l2), (1, A.pgd_l1)):
        ours, general = (
            f(model, x, y, eps=0.1, steps=4, generator=generator(), **more)
            for f, more in ((attack, {}), (pgd.pgd, {"p": p}))
        )
        torch.testing.assert_close(ours, general, rtol=0, atol=1e-12)
    with pytest.raises(ValueError, match="p must be 1, 2 or inf, got 3"):
        pgd.pgd(model, x, y, p=3, eps=0.1, steps=2)


@pytest.mark.parametrize("attack", [A.bim, A.mi_fgsm])
def test_the_step_of_the_iterated_attacks_can_be_chosen(attack: Callable[..., Tensor]) -> None:
    model = linear()
    x, y = batch(model)
    moved = attack(model, x, y, eps=0.1, steps=2, step=0.03) - x
    torch.testing.assert_close(T.norm(moved, math.inf), torch.full((8,), 0.06, dtype=x.dtype))
    assert torch.equal(attack(model, x, y, eps=0.1, steps=4), attack(model, x, y, eps=0.1, steps=4, step=0.025))
    each = torch.linspace(0, 0.02, 8)
    torch.testing.assert_close(
        T.norm(attack(model, x, y, eps=0.1, steps=2, step=each) - x, math.inf), 2 * each.double()
    )
