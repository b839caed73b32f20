"""The two networks that are shipped: what their cards say, and what may be said of them on any machine."""

import pytest
import torch

from helpers import checkpoints, diffusion, runtime


def drawn_share(gamma: float, n: int = 200, **options: object) -> diffusion.Share:
    classifier, y = diffusion.digit_classifier("cpu"), torch.arange(n) % 10
    g = runtime.generator(11, "cpu")
    x = diffusion.draw_digits(diffusion.digit_denoiser("cpu"), y, gamma=gamma, steps=10, generator=g, **options)  # type: ignore[arg-type]
    return diffusion.asked_for(classifier, diffusion.features(classifier, x), y)


def test_scaled_mnist_is_mnist_between_minus_one_and_one() -> None:
    x, y = diffusion.scaled_mnist("test")
    assert x.shape == (10_000, 1, 28, 28) and float(x.min()) == -1 and float(x.max()) == 1 and y.max() == 9
    assert len(diffusion.scaled_mnist()[0]) == 60_000
    with pytest.raises(ValueError, match="name must be one of train, test"):
        diffusion.scaled_mnist("validation")


def test_the_noise_loss_is_far_below_that_of_no_network_and_a_label_helps() -> None:
    model, schedule = diffusion.digit_denoiser("cpu"), diffusion.digit_schedule()
    losses = diffusion.held_out_loss(model, schedule, 300)
    assert losses.shape == (300,) and losses.mean() < 0.03
    told = checkpoints.card("mnist_diffusion")["metrics"]
    assert told["noise_loss"] < 0.025 and told["asked_for"] >= 0.95


def test_guided_digits_are_what_was_asked_and_digits_without_a_label_are_not() -> None:
    assert drawn_share(2.0).value >= 0.95
    assert drawn_share(0.0).high < 0.25


def test_a_classifier_can_guide_the_network_without_labels() -> None:
    assert drawn_share(3.0, classifier=diffusion.noisy_classifier("cpu")).value > 0.7
