"""The three losses by hand and on a toy."""

import math

import pytest
import torch
from torch import Tensor, nn

from helpers import runtime
from helpers.smoothing import noise_training as T
from helpers.smoothing.smooth import Smooth
from helpers.training import fit


class Table(nn.Module):
    """Logits that depend on the copy's place in the batch only: the losses can be worked out by hand."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits = nn.Parameter(logits)

    def forward(self, x: Tensor) -> Tensor:
        return self.logits + 0 * x.sum()


def test_noisy_copies_have_the_scale_and_are_independent() -> None:
    x = torch.rand(3, 1, 20, 20)
    copies = T.noisy_copies(x, 0.5, 50, runtime.generator(0))
    noise = (copies - x) / 0.5
    assert copies.shape == (50, 3, 1, 20, 20)
    assert abs(float(noise.std()) - 1) < 0.02 and abs(float(noise.mean())) < 0.02
    assert abs(float((noise[:, 0] * noise[:, 1]).mean())) < 0.05


def test_mean_log_softmax_is_finite_where_the_softmax_underflows() -> None:
    copies = torch.tensor([[[0.0, 500.0]], [[0.0, 900.0]]])
    log_p = T.mean_log_softmax(lambda x: x, copies)
    assert log_p[0].tolist() == pytest.approx([-500 - math.log(2), 0.0])


def test_consistency_loss_by_hand() -> None:
    p = torch.tensor([[0.5, 0.5], [0.9, 0.1]])  # two copies of one image
    x, y = torch.zeros(1, 4), torch.tensor([0])
    value = T.consistency_loss(0.5, weight=3.0, entropy=0.7)(Table(p.log()), x, y)
    q = p.mean(0)
    fit_term = -(math.log(0.5) + math.log(0.9)) / 2
    kl = sum(float((q * (q / one).log()).sum()) for one in p) / 2
    entropy = -float((q * q.log()).sum())
    assert value.item() == pytest.approx(fit_term + 3 * kl + 0.7 * entropy, rel=1e-5)


def test_with_nothing_added_consistency_and_smoothadv_are_gaussian_training() -> None:
    model, x, y = nn.Linear(6, 3), torch.rand(20, 6), torch.randint(0, 3, (20,))
    values = [
        loss(model, x, y)
        for loss in (
            T.gaussian_loss(0.5, generator=runtime.generator(1)),
            T.consistency_loss(0.5, weight=0, entropy=0, copies=1, generator=runtime.generator(1)),
            T.smoothadv_loss(0.5, eps=0.0, copies=1, generator=runtime.generator(1)),
        )
    ]
    assert values[0] == values[1] and values[0] == values[2]


def test_smoothadv_trains_on_harder_images_with_the_same_noise() -> None:
    runtime.seed(0)
    model, x, y = nn.Linear(6, 3), torch.rand(20, 6), torch.randint(0, 3, (20,))
    losses = [
        T.smoothadv_loss(0.5, eps=eps, copies=4, generator=runtime.generator(1))(model, x, y).item()
        for eps in (0.0, 0.1, 0.5)
    ]
    assert losses[0] < losses[1] < losses[2]
    asked: list[float] = []

    def eps() -> float:
        asked.append(0.1)
        return asked[-1]

    T.smoothadv_loss(0.5, eps=eps, copies=4)(model, x, y)
    assert len(asked) == 1


@pytest.mark.parametrize("name", ["gaussian", "consistency", "smoothadv"])
def test_training_with_noise_makes_a_toy_certifiable(name: str) -> None:
    """Two classes 4 sigma apart in the mean over 16 entries, and a decoy entry that tells them apart without noise."""
    g, sigma = runtime.generator(0), 0.5
    y = torch.arange(2).repeat(150)
    x = (0.5 + 0.25 * (2.0 * y[:, None] - 1)).expand(-1, 16).contiguous()
    losses = {
        "gaussian": T.gaussian_loss(sigma, generator=g),
        "consistency": T.consistency_loss(sigma, generator=g),
        "smoothadv": T.smoothadv_loss(sigma, eps=0.3, generator=g),
    }
    runtime.seed(0)
    model = nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 2))
    fit(model, losses[name], (x, y), torch.optim.Adam(model.parameters(), 1e-2), steps=80, batch_size=75, generator=g)
    found = Smooth(model, sigma).certify(x[:2], 100, 2_000, 0.001, generator=g)
    assert found.prediction.tolist() == [0, 1] and (found.radius > 0.7).all() and (found.radius < 1.0 + 0.1).all()


LINEAR = nn.Linear(3, 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: T.gaussian_loss(0.0), "sigma must be a positive number, got 0.0"),
        (lambda: T.consistency_loss(0.5, copies=0), "copies must be an integer of at least 1, got 0"),
        (
            lambda: T.smoothadv_loss(0.5, eps=-1.0)(LINEAR, torch.rand(2, 3), torch.tensor([0, 1])),
            "eps must be at least 0",
        ),
        (lambda: T.smoothadv_loss(-0.5, eps=1.0), "sigma must be a positive number, got -0.5"),
        (lambda: T.noisy_copies(torch.zeros(1, 2), 0.5, 0), "copies must be"),
    ],
)
def test_bad_input_is_named(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
