"""Angular losses against their special cases, monotony, finite differences, and what they refuse."""

import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from helpers.faceid import margins as M
from helpers.faceid.features import class_means, unit
from tests.faceid.draws import random

THETA = torch.linspace(0, math.pi, 2001, dtype=torch.float64)
Logits = Callable[..., Tensor]
LOGITS: dict[str, Logits] = {
    "normface": lambda cos, y: M.normface_logits(cos, s=16.0),
    "sphereface": partial(M.sphereface_logits, s=16.0, m=4),
    "annealed": partial(M.sphereface_logits, s=16.0, m=3, annealing=5.0),
    "cosface": partial(M.cosface_logits, s=16.0, m=0.35),
    "arcface": partial(M.arcface_logits, s=16.0, m=0.5),
    "combined": partial(M.margin_logits, s=16.0, m1=1.35, m2=0.3, m3=0.2),
}


def batch(n: int = 12, d: int = 5, K: int = 4, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """features (n, d), weights (K, d), y (n,): every class is there."""
    return random(n, d, seed=seed), random(K, d, seed=seed + 1), torch.arange(n) % K


def target(logits: Logits, theta: Tensor) -> Tensor:
    """z_y / 16 as a function of the angle to the own class; the other cosine is 0.3."""
    z = logits(torch.stack([theta.cos(), torch.full_like(theta, 0.3)], 1), torch.zeros(len(theta), dtype=torch.long))
    assert (z[:, 1] == 16 * 0.3).all()
    return z[:, 0] / 16


def test_cosines_are_those_of_the_angles_between() -> None:
    x, w, _ = batch()
    expected = F.cosine_similarity(x[:, None], w[None], dim=2)
    torch.testing.assert_close(M.cosines(x, w), expected)
    torch.testing.assert_close(M.cosines(7 * x, w / 3), expected)
    u, v = unit(x), unit(x.flip(0))
    torch.testing.assert_close((u - v).square().sum(1), 2 - 2 * (u * v).sum(1))
    assert M.cosines(x.float(), w.float()).dtype == torch.float32


def test_angle_is_arccos_and_takes_what_rounding_left() -> None:
    c = torch.tensor([-1 - 1e-7, -1, -0.5, 0, 0.5, 1, 1 + 1e-7], dtype=torch.float64, requires_grad=True)
    theta = M.angle(c)
    expected = torch.tensor([math.pi, math.pi, 2 * math.pi / 3, math.pi / 2, math.pi / 3, 0, 0], dtype=torch.float64)
    torch.testing.assert_close(theta, expected)
    (slope,) = torch.autograd.grad(theta.sum(), c)
    torch.testing.assert_close(slope[2:5], -1 / (1 - c[2:5].detach() ** 2).sqrt())
    assert (slope[[0, 1, 5, 6]] == 0).all()


@pytest.mark.parametrize("m", [1, 2, 3, 4, 1.5])
def test_psi_falls_all_the_way_without_a_step(m: float) -> None:
    psi = M.sphereface_psi(THETA, m)
    first = THETA <= math.pi / m
    torch.testing.assert_close(psi[first], torch.cos(m * THETA[first]))
    assert (psi.diff() < 1e-12).all() and psi.diff().abs().max() < m * math.pi / 2000 * 1.01  # |psi'| <= m
    assert psi[0] == 1
    if m == int(m):
        assert psi[-1] == pytest.approx(1 - 2 * m)
    theta = THETA.clone().requires_grad_()
    (slope,) = torch.autograd.grad(M.sphereface_psi(theta, m).sum(), theta)
    torch.testing.assert_close(slope, -m * torch.sin(m * THETA).abs())


def test_psi_at_known_angles() -> None:
    """m = 4, by hand: pi/8 -> 0, pi/4 -> -1, 3 pi/8 -> -2, pi/2 -> -3, 3 pi/4 -> -5."""
    theta = math.pi * torch.tensor([0.0, 1 / 8, 1 / 4, 3 / 8, 1 / 2, 3 / 4], dtype=torch.float64)
    expected = torch.tensor([1.0, 0, -1, -2, -3, -5], dtype=torch.float64)
    torch.testing.assert_close(M.sphereface_psi(theta, 4), expected)


@pytest.mark.parametrize("name", LOGITS)
def test_the_target_logit_falls_with_the_angle(name: str) -> None:
    values = target(LOGITS[name], THETA)
    assert (values.diff() < 1e-12).all()
    assert (values <= THETA.cos() + 1e-12).all()


def test_arcface_beyond_pi_minus_m() -> None:
    """The continuation of the authors' program; the step down where it begins is the only one."""
    m = 0.5
    values, plain = target(LOGITS["arcface"], THETA), torch.cos(THETA + m)
    beyond = math.pi - m < THETA
    torch.testing.assert_close(values[~beyond], plain[~beyond])
    torch.testing.assert_close(values[beyond], THETA.cos()[beyond] - m * math.sin(m))
    assert (plain[beyond].diff() > 0).all()  # without it a worse angle would have a larger logit
    steps = (-values.diff() > 0.01).nonzero()
    assert len(steps) == 1
    assert -float(values.diff().min()) == pytest.approx(m * math.sin(m) + math.cos(m) - 1, abs=2e-3)


def test_special_cases_of_the_combined_form() -> None:
    x, w, y = batch(40)
    cos = M.cosines(x, w)
    close = torch.testing.assert_close
    assert torch.equal(M.normface_logits(cos, s=9.0), 9 * cos)
    close(M.margin_logits(cos, y, s=9.0), 9 * cos)
    close(M.margin_logits(cos, y, s=9.0, m3=0.35), M.cosface_logits(cos, y, s=9.0, m=0.35))
    close(M.margin_logits(cos, y, s=9.0, m1=4), M.sphereface_logits(cos, y, s=9.0, m=4))
    theta = M.angle(cos.gather(1, y[:, None]))[:, 0]
    near = theta <= math.pi - 1
    assert near.any() and not near.all()
    combined, arcface = (
        f(cos, y, s=9.0, **m) for f, m in ((M.margin_logits, {"m2": 1.0}), (M.arcface_logits, {"m": 1.0}))
    )
    close(combined[near], arcface[near])
    own = combined.gather(1, y[:, None])[:, 0]
    close(own[~near] / 9, -torch.cos(theta[~near] + 1) - 2)
    for name in ("cosface", "arcface", "sphereface"):  # no margin (m = 1 for SphereFace): NormFace
        close(getattr(M, f"{name}_logits")(cos, y, s=9.0, m=float(name == "sphereface")), 9 * cos)


def test_sphereface_with_norms_and_annealing() -> None:
    x, w, y = batch(40)
    cos, norms = M.cosines(x, w), x.norm(dim=1)
    plain, psi = norms[:, None] * cos, M.sphereface_logits(cos, y, s=norms)  # m = 4, lambda = 0
    torch.testing.assert_close(M.sphereface_logits(cos, y, s=norms, annealing=3.0), (3 * plain + psi) / 4)
    torch.testing.assert_close(psi, M.margin_logits(cos, y, s=norms, m1=4))
    torch.testing.assert_close(M.l_softmax_logits(x, w, y), w.norm(dim=1) * M.sphereface_logits(cos, y, s=norms, m=2))
    torch.testing.assert_close(M.l_softmax_logits(x, w, y, m=1), x @ w.T)


@pytest.mark.parametrize("name", LOGITS)
def test_gradients_agree_with_finite_differences(name: str) -> None:
    x, w, y = batch()
    loss = lambda x, w: F.cross_entropy(LOGITS[name](M.cosines(x, w), y), y)  # noqa: E731
    assert torch.autograd.gradcheck(loss, (x.requires_grad_(), w.requires_grad_()))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", LOGITS)
def test_gradients_are_finite_at_zero_and_at_pi(name: str, dtype: torch.dtype) -> None:
    """Exactly there, and as near as the dtype can tell: the factor of the loss stays below s times the slope."""
    w = torch.eye(2, 3, dtype=dtype)
    small = torch.finfo(dtype).eps ** 0.5
    x = torch.stack([w[0], -w[0], w[0] + small * w[1], -w[0] + small * w[1]]).requires_grad_()
    y = torch.zeros(4, dtype=torch.long)
    logits = LOGITS[name](M.cosines(x, w), y)
    (g,) = torch.autograd.grad(F.cross_entropy(logits, y, reduction="sum"), x)
    assert logits.isfinite().all() and g.isfinite().all() and g.norm(dim=1).max() <= 16 * 5


BAD: dict[str, tuple[Callable[[], object], str]] = {
    "zero norm": (lambda: M.cosines(torch.zeros(1, 3), torch.ones(2, 3)), "norm"),
    "NaN": (lambda: M.cosines(torch.full((1, 3), math.nan), torch.ones(2, 3)), "norm"),
    "infinite": (lambda: M.cosines(torch.ones(2, 3), torch.full((1, 3), math.inf)), "norm"),
    "dimensions": (lambda: M.cosines(torch.ones(2, 1), torch.ones(2, 3)), r"\(N, d\) and \(K, d\)"),
    "one row": (lambda: M.cosines(torch.ones(3), torch.ones(3, 3)), r"\(N, d\) and \(K, d\)"),
    "one row of weights": (lambda: M.cosines(torch.ones(3, 3), torch.ones(3)), r"\(N, d\) and \(K, d\)"),
    "logits": (lambda: M.cosface_logits(1.002 * torch.ones(1, 2), torch.tensor([0]), s=1.0, m=0.1), "cosines"),
    "logits below": (lambda: M.arcface_logits(-1.002 * torch.ones(1, 2), torch.tensor([0]), s=1.0, m=0.1), "cosines"),
    "NaN cosine": (lambda: M.margin_logits(torch.tensor([[math.nan, 0]]), torch.tensor([0]), s=1.0), "cosines"),
    "label too large": (lambda: M.cosface_logits(torch.zeros(1, 2), torch.tensor([2]), s=1.0, m=0.1), "0 ... 1"),
    "label negative": (lambda: M.arcface_logits(torch.zeros(1, 2), torch.tensor([-1]), s=1.0, m=0.1), "0 ... 1"),
    "labels of one": (lambda: M.sphereface_logits(torch.zeros(2, 2), torch.tensor([0]), s=1.0), "2 whole numbers"),
    "labels float": (lambda: M.margin_logits(torch.zeros(1, 2), torch.tensor([0.0]), s=1.0), "whole"),
    "labels bool": (lambda: M.margin_logits(torch.zeros(1, 2), torch.tensor([True]), s=1.0), "whole"),
    "no rows": (lambda: M.margin_logits(torch.zeros(0, 2), torch.zeros(0).long(), s=1.0), "N >= 1"),
    "whole cosines": (lambda: M.margin_logits(torch.ones(1, 2).long(), torch.tensor([0]), s=1.0), "floating"),
    "cosines of one": (lambda: M.margin_logits(torch.ones(2), torch.tensor([0, 1]), s=1.0), "floating"),
    "no class sample": (lambda: class_means(torch.ones(2, 2), torch.tensor([0, 2])), "class 1 has none"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused(name: str) -> None:
    call, words = BAD[name]
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize(
    ("function", "bad"),
    [
        (M.normface_logits, {"s": 0.0}),
        (M.normface_logits, {"s": torch.tensor([1.0, 0.0])}),
        (M.normface_logits, {"s": torch.tensor([1.0, math.inf])}),
        (M.normface_logits, {"s": torch.ones(2, 1)}),
        (M.normface_logits, {"s": torch.ones(3)}),
        (M.cosface_logits, {"s": 0.0, "m": 0.1}),
        (M.cosface_logits, {"s": 1.0, "m": -0.1}),
        (M.arcface_logits, {"s": -1.0, "m": 0.1}),
        (M.arcface_logits, {"s": 1.0, "m": -0.1}),
        (M.margin_logits, {"s": 1.0, "m1": 0.9}),
        (M.margin_logits, {"s": 1.0, "m2": -0.1}),
        (M.margin_logits, {"s": 1.0, "m3": -0.1}),
        (M.sphereface_logits, {"s": 1.0, "m": 0.9}),
        (M.sphereface_logits, {"s": 1.0, "annealing": -0.1}),
    ],
)
def test_constants_out_of_range_are_refused(function: Logits, bad: dict[str, float]) -> None:
    y = () if function is M.normface_logits else (torch.tensor([0, 1]),)
    with pytest.raises(ValueError, match=" must be "):
        function(torch.zeros(2, 3), *y, **bad)


def test_the_edges_of_the_ranges_are_allowed() -> None:
    cos, y = torch.tensor([[1.0005, 0.0], [0.0, -1.0005]]), torch.tensor([0, 1])
    assert M.cosface_logits(cos, y, s=1.0, m=0.0).isfinite().all()
    assert M.margin_logits(cos, y, s=torch.tensor(2.0), m1=1, m2=0, m3=0).isfinite().all()
    assert M.sphereface_logits(cos, y, s=1.0, m=1, annealing=0).isfinite().all()
    assert M.arcface_logits(cos, y, s=1.0, m=0).isfinite().all()


def test_class_means() -> None:
    x = torch.tensor([[1.0, 0], [5, 5], [3, 4]])
    assert torch.equal(class_means(x, torch.tensor([0, 1, 0])), torch.tensor([[2.0, 2], [5, 5]]))
