"""The noise loss, its times and labels; a short training learns; the digits that are drawn with it."""

import math

import pytest
import torch

from helpers import diffusion, runtime
from helpers.diffusion.network import UNet
from helpers.diffusion.training import trapezoid

close = torch.testing.assert_close


def test_times_are_uniform_one_by_one_and_spread_together() -> None:
    g = runtime.generator(0)
    draws = torch.stack([diffusion.uniform_times(8, 100, g, g.device) for _ in range(4_000)])
    assert draws.min() == 1 and draws.max() == 100 and draws.dtype == torch.int64
    counts = draws[:, 0].bincount(minlength=101)[1:].double()  # the first alone: chi-squared with 99 degrees of freedom
    assert (counts - 40).square().sum() / 40 < 99 + 5.2 * math.sqrt(2 * 99) + 10
    cells = (draws - 1).sort(1).values.double() / 100
    assert (cells.diff(dim=1) - 1 / 8).abs().max() <= 0.01 + 1e-9
    for n, T in ((0, 10), (3, 0), (2.5, 10)):
        with pytest.raises(ValueError, match="must be an integer of at least 1"):
            diffusion.uniform_times(n, T)  # type: ignore[arg-type]


def test_the_noise_loss_of_denoisers_that_are_known() -> None:
    g = runtime.generator(0)
    x_0, xi = torch.randn(6, 1, 4, 4, generator=g).double(), torch.randn(6, 1, 4, 4, generator=g).double()
    a = torch.linspace(0.1, 0.9, 6, dtype=torch.float64)
    column = a.view(-1, 1, 1, 1)

    def knows(x_t: torch.Tensor) -> torch.Tensor:
        return (x_t - column.sqrt() * x_0) / (1 - column).sqrt()

    close(diffusion.noise_loss(knows, x_0, a, xi), torch.zeros(6).double(), atol=1e-12, rtol=0)
    close(diffusion.noise_loss(torch.zeros_like, x_0, a, xi), xi.square().flatten(1).mean(1))
    for denoiser, noise, level, message in (
        (lambda x_t: x_t[:, :, :2], xi, a, "the denoiser must return noise of shape"),
        (knows, xi[:, :, :2], a, "one shape expected"),
        (knows, xi, a[:3], "one for each of the 6 samples"),
        (knows, xi, a + 1, "alpha_bar_t must lie in"),
    ):
        with pytest.raises(ValueError, match=message):
            diffusion.noise_loss(denoiser, x_0, level, noise)


def test_labels_are_dropped_as_often_as_asked() -> None:
    y = torch.arange(10).repeat(4_000)
    assert torch.equal(diffusion.dropped(y, 10, 0.0), y) and (diffusion.dropped(y, 10, 1.0) == 10).all()
    found = diffusion.dropped(y, 10, 0.1, runtime.generator(0))
    gone = found == 10
    assert torch.equal(found[~gone], y[~gone])
    assert abs(int(gone.sum()) - 4_000) < 5.2 * math.sqrt(40_000 * 0.09)  # a false alarm in five million
    for share in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match=r"share must lie in \[0, 1\]"):
            diffusion.dropped(y, 10, share)


def test_the_rate_climbs_stays_and_falls() -> None:
    assert trapezoid(0, 10_000) == 1e-5 and trapezoid(199, 10_000) == trapezoid(8_500, 10_000) == 2e-3
    assert trapezoid(9_250, 10_000) == 1e-3 and 0 < trapezoid(9_999, 10_000) < 2e-6


def test_a_short_training_learns_and_is_the_same_again() -> None:
    x, y = (part[:256].to(runtime.device()) for part in diffusion.scaled_mnist())
    losses = []
    for _ in range(2):
        runtime.seed(0, threads=1)
        model = UNet(8).to(runtime.device())
        history = diffusion.train_denoiser(
            model, x, y, diffusion.digit_schedule(), steps=12, generator=runtime.generator(0)
        )
        losses.append(history.loss)
        assert not model.training
    assert losses[0] == losses[1] and losses[0][-1] < losses[0][0]


def test_an_untrained_network_draws_what_its_noise_says_and_bad_requests_are_refused() -> None:
    runtime.seed(0)
    model, y = UNet(8).to(runtime.device()).eval(), torch.tensor([3, 1, 4])
    x_T = torch.randn(3, 1, 28, 28, generator=runtime.generator(1))
    whole = diffusion.draw_digits(model, y, steps=3, x_T=x_T)
    assert whole.shape == x_T.shape and whole.abs().max() <= 1
    close(diffusion.draw_digits(model, y, steps=3, x_T=x_T, batch=2), whole, atol=1e-4, rtol=1e-4)
    again = [diffusion.draw_digits(model, y, steps=3, eta=1.0, generator=runtime.generator(2)) for _ in range(2)]
    assert torch.equal(*again)
    for change, message in (
        ({"y": torch.tensor([3, 1, 12])}, "y must lie in 0 ... 10"),
        ({"y": torch.tensor([3, 1, 12]), "gamma": 0.0}, "y must lie in 0 ... 10"),
        ({"y": torch.tensor([3, 1, 10]), "classifier": diffusion.NoisyClassifier()}, "y must lie in 0 ... 9"),
        ({"y": torch.tensor([3.0, 1.0, 2.0])}, "y must be"),
        ({"x_T": x_T[:2]}, "x_T must be"),
        ({"steps": 0}, "steps must be"),
        ({"steps": 1001}, "steps must be at most"),
        ({"method": "dpm"}, "method must be one of"),
        ({"eta": 2.0}, "eta must lie in"),
        ({"batch": 0}, "batch must be"),
    ):
        with pytest.raises(ValueError, match=message):
            diffusion.draw_digits(model, **{"y": y, "steps": 3, "x_T": x_T, **change})  # type: ignore[arg-type]


def test_a_network_whose_weights_are_nan_is_named() -> None:
    model, y = UNet(8).to(runtime.device()).eval(), torch.arange(4)
    torch.nn.init.constant_(model.head[2].bias, math.nan)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="NaN or infinity for 4 of 4 samples at t = 1000"):
        diffusion.draw_digits(model, y, steps=2)
