"""The denoiser that knows its pictures by heart: a mixture of points, stable, and it draws nothing else."""

import pytest
import torch

from helpers import diffusion, runtime

close = torch.testing.assert_close


def draws(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=runtime.generator(seed, "cpu"), dtype=torch.float64)


def test_the_mean_is_the_posterior_mean_of_a_mixture_of_points() -> None:
    pictures, x_t = draws(7, 3), draws(5, 3, seed=1)
    mixture = diffusion.Mixture(torch.full((7,), 1 / 7).double(), pictures, torch.full((7,), 1e-14).double())
    for a in (0.01, 0.4, 0.95):
        close(
            diffusion.empirical_mean(x_t, a, pictures), diffusion.posterior_mean(mixture, x_t, a), atol=1e-9, rtol=1e-9
        )


def test_the_mean_is_the_sum_over_pictures_with_a_level_for_each_sample() -> None:
    pictures, x_t, a = draws(6, 1, 2, 2), draws(4, 1, 2, 2, seed=1), torch.tensor([0.1, 0.5, 0.9, 0.99]).double()
    found = diffusion.empirical_mean(x_t, a, pictures)
    for x, level, mean in zip(x_t, a, found, strict=True):
        squares = (x - level.sqrt() * pictures).square().flatten(1).sum(1)
        w = (-squares / (2 * (1 - level))).exp()
        close(mean, (w.view(-1, 1, 1, 1) * pictures).sum(0) / w.sum())


def test_its_noise_is_minus_the_score_of_the_noised_pictures_by_autograd() -> None:
    pictures, schedule = draws(6, 4), diffusion.linear(100)
    x_t, t = draws(3, 4, seed=1), torch.tensor([5, 50, 100])
    a = schedule.at(t)
    leaf = x_t.clone().requires_grad_()
    squares = (leaf[:, None] - a.sqrt().view(-1, 1, 1) * pictures).square().sum(2)
    (-squares / (2 * (1 - a))[:, None]).logsumexp(1).sum().backward()
    assert leaf.grad is not None
    noise = diffusion.empirical_denoiser(pictures, schedule)(x_t, t)
    close(diffusion.score_from_noise(noise, a), leaf.grad)


def test_in_float32_and_with_little_noise_nothing_overflows() -> None:
    x = diffusion.scaled_mnist()[0][:2_000]
    for a in (1 - 1e-4, 1 - 1e-7, 1e-9):
        mean = diffusion.empirical_mean(x[:5], a, x)
        assert mean.isfinite().all() and mean.abs().max() <= 1 + 1e-5
        if a > 0.5:
            close(mean, x[:5], atol=1e-5, rtol=0)


def test_sampling_gives_training_pictures_back() -> None:
    x, schedule = diffusion.scaled_mnist()[0][:3_000].to(runtime.device()), diffusion.digit_schedule()
    x_T = torch.randn(12, 1, 28, 28, generator=runtime.generator(3, x.device), device=x.device)
    drawn = diffusion.sample(diffusion.empirical_denoiser(x, schedule), schedule, x_T, steps=40)
    found = diffusion.nearest(drawn, x)
    assert found.distance.max() < 0.01 and len(found.row.unique()) > 6
    others = diffusion.nearest(diffusion.scaled_mnist("test")[0][:12].to(x.device), x)
    assert others.distance.min() > 1


def test_the_nearest_is_the_nearest() -> None:
    pictures, x = draws(30, 1, 3, 3), draws(8, 1, 3, 3, seed=1)
    distances = torch.cdist(x.flatten(1), pictures.flatten(1))
    close(tuple(diffusion.nearest(x, pictures)), (distances.argmin(1), distances.amin(1)))
    close(diffusion.nearest(pictures, pictures).row, torch.arange(30))


def test_pictures_of_another_shape_are_refused() -> None:
    for pictures in (draws(5, 1, 4, 4), draws(0, 1, 3, 3)):
        for call in (
            lambda: diffusion.empirical_mean(draws(2, 1, 3, 3), 0.5, pictures),  # noqa: B023
            lambda: diffusion.nearest(draws(2, 1, 3, 3), pictures),  # noqa: B023
        ):
            with pytest.raises(ValueError, match="pictures must be"):
                call()
    with pytest.raises(ValueError, match="alpha_bar_t must lie in"):
        diffusion.empirical_mean(draws(2, 3), 1.0, draws(5, 3))
