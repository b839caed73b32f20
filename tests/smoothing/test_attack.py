"""The attack on the smoothed classifier: in its ball, against a half-space, and what a flip needs."""

import pytest
import torch
from torch import Tensor, nn

from helpers import runtime, smoothing
from helpers.smoothing.closed_form import HalfSpace
from helpers.smoothing.smooth import Smooth, allowed_failures, flips, pgd_smoothed

SIGMA = 0.5


def network(seed: int = 0) -> nn.Sequential:
    runtime.seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 12), nn.ReLU(), nn.Linear(12, 3))


def images(n: int, seed: int = 0) -> Tensor:
    return torch.rand(n, 1, 4, 4, generator=runtime.generator(seed))


@pytest.mark.parametrize("seed", range(3))
def test_the_attack_stays_in_its_ball_and_lowers_the_smoothed_probability(seed: int) -> None:
    model, x = network(seed), images(12, seed)
    smooth = Smooth(model, 0.1)
    y = smooth.votes(x, 500, generator=runtime.generator(seed)).argmax(1)
    eps = torch.linspace(0.1, 0.6, 12)
    x_adv = pgd_smoothed(model, x, y, sigma=0.1, eps=eps, steps=10, generator=runtime.generator(seed))
    assert ((x_adv - x).flatten(1).norm(dim=1) <= eps + 1e-6).all()
    assert x_adv.min() >= 0 and x_adv.max() <= 1
    assert all(w.requires_grad and w.grad is None for w in model.parameters())
    rows = torch.arange(12)
    before, after = (smooth.probabilities(z, 2_000, generator=runtime.generator(9))[rows, y] for z in (x, x_adv))
    assert (after < before).all()


@pytest.mark.parametrize("seed", range(3))
def test_a_half_space_flips_beyond_its_certificate_and_never_inside(seed: int) -> None:
    """g of a linear classifier leaves the class exactly at the radius of the exact certificate."""
    g = runtime.generator(seed)
    w = torch.randn(9, generator=g)
    example = HalfSpace(w, -0.5 * float(w.sum()))
    model = nn.Linear(9, 2)
    with torch.no_grad():
        model.weight.copy_(torch.stack([torch.zeros(9), w]))
        model.bias.copy_(torch.tensor([0.0, -0.5 * float(w.sum())]))
    x = 0.5 + 0.1 * torch.randn(100, 9, generator=g)
    exact = example.true_radius(x, SIGMA).float()
    certified = (example.distance(x) > 0).long()
    for factor, expected in ((0.8, 0.0), (1.3, 1.0)):
        x_adv = pgd_smoothed(model, x, certified, sigma=SIGMA, eps=factor * exact, steps=20, generator=g)
        inside = ((x_adv > 0) & (x_adv < 1)).all(1)  # where clipping did not stop the attack
        far = exact > 0.1  # nearer to the boundary the votes cannot tell the two classes apart
        votes = Smooth(model, SIGMA).votes(x_adv, 20_000, generator=g)
        chosen = flips(votes, certified, 1e-3)[inside & far]
        assert len(chosen) > 10
        assert float(chosen.double().mean()) == expected


def test_the_attack_sees_what_only_the_noise_reaches() -> None:
    """Logits 0.3 and 5 relu(x_1 - 0.8): at x_1 = 0.3 the network is flat, its smoothed version rises with x_1."""

    def model(z: Tensor) -> Tensor:
        return torch.stack([torch.full_like(z[:, 0], 0.3), 5 * (z[:, 0] - 0.8).relu()], 1)

    x = torch.full((20, 4), 0.3)
    x_adv = pgd_smoothed(
        model, x, torch.zeros(20).long(), sigma=0.3, eps=0.25, steps=10, samples=512, generator=runtime.generator(0)
    )
    assert (x_adv[:, 0] - x[:, 0] > 0.23).all()


def test_flips_need_another_class_and_significance() -> None:
    votes = torch.tensor([[900, 100], [100, 900], [499, 501], [100, 900], [900, 100]])
    certified = torch.tensor([0, 0, 0, smoothing.ABSTAIN, 1])
    assert flips(votes, certified, 0.001).tolist() == [False, True, False, False, True]


def test_allowed_failures_is_the_binomial_quantile() -> None:
    from scipy import stats

    k = allowed_failures(500, 0.002, 1e-4)
    assert stats.binom.sf(k, 500, 0.002) <= 1e-4 < stats.binom.sf(k - 1, 500, 0.002)
