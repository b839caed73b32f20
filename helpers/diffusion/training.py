"""How the network is trained: the noise loss over all times, the label dropped now and then, an average of weights."""

from collections.abc import Callable

import torch
from torch import Generator, Tensor, nn

from helpers import checks
from helpers.diffusion.forward import q_sample
from helpers.diffusion.network import Average, UNet
from helpers.diffusion.schedules import Schedule
from helpers.training import History, fit

BATCH, PEAK, DROP = 128, 2e-3, 0.1
WARM, COOL = 200, 1_500


def uniform_times(n: int, T: int, generator: Generator | None = None, device: torch.device | None = None) -> Tensor:
    r"""t_i = 1 + floor(T ((u + i/n) mod 1)),  u ~ U[0, 1):  each uniform on 1 ... T, together spread evenly.

    -> (n,) int64. Their mean loss varies less than that of independent times and has the same expectation.
    Raises ValueError unless n, T >= 1. Source: Kingma et al. 2021, appendix I.1.
    """
    checks.whole("n", n)
    checks.whole("T", T)
    u = torch.rand((), generator=generator, device=device, dtype=torch.float64)
    places = (u + torch.arange(n, device=device, dtype=torch.float64) / n) % 1
    return (1 + (T * places).long()).clamp(max=T)


def noise_loss(denoiser: Callable[[Tensor], Tensor], x_0: Tensor, alpha_bar_t: Tensor, xi: Tensor) -> Tensor:
    r"""|denoiser(x_t) - xi|^2 / d,  x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) xi,  picture by picture.

    x_0 and xi (N, ...), alpha_bar_t (N,) -> (N,). Raises ValueError if the denoiser returns another shape.
    Source: Ho et al. 2020, equation 14.
    """
    guess = denoiser(q_sample(x_0, alpha_bar_t, xi))
    if guess.shape != xi.shape:
        raise ValueError(f"the denoiser must return noise of shape {tuple(xi.shape)}, got {tuple(guess.shape)}")
    return (guess - xi).square().flatten(1).mean(1)


def dropped(y: Tensor, null: int, share: float, generator: Generator | None = None) -> Tensor:
    """y, each label replaced by `null` with probability `share`: one network learns both noises of guidance.

    y (N,) int64 -> (N,). Raises ValueError unless 0 <= share <= 1. Source: Ho & Salimans 2022, algorithm 1.
    """
    checks.probability("share", share)
    return torch.where(torch.rand(len(y), generator=generator, device=y.device) < share, null, y)


def batch_loss(model: UNet, x_0: Tensor, y: Tensor, schedule: Schedule, generator: Generator | None = None) -> Tensor:
    """The mean `noise_loss` of digits x_0 (N, 1, 28, 28), at `uniform_times`, each label `dropped` one time in ten."""
    t = uniform_times(len(x_0), schedule.T, generator, x_0.device)
    xi = torch.randn(x_0.shape, generator=generator, device=x_0.device, dtype=x_0.dtype)
    given = dropped(y, model.null, DROP, generator)
    return noise_loss(lambda x_t: model(x_t, t, given), x_0, schedule.at(t), xi).mean()


def noisy_loss(
    classifier: nn.Module, x_0: Tensor, y: Tensor, schedule: Schedule, generator: Generator | None = None
) -> Tensor:
    """The mean cross-entropy of log p(y | x_t) at `uniform_times`: digits x_0 (N, 1, 28, 28), y (N,), noised anew."""
    t = uniform_times(len(x_0), schedule.T, generator, x_0.device)
    xi = torch.randn(x_0.shape, generator=generator, device=x_0.device, dtype=x_0.dtype)
    return nn.functional.cross_entropy(classifier(q_sample(x_0, schedule.at(t), xi), t), y)


def trapezoid(step: int, steps: int) -> float:
    """The rate: up to 2e-3 in 200 steps, level, down to 0 in the last 1,500: the end need not be known at the start.

    Source: Hägele et al. 2024 (a level rate and a short descent instead of a cosine).
    """
    return PEAK * min(1.0, (step + 1) / WARM, (steps - step) / COOL)


def train_denoiser(
    model: UNet,
    x: Tensor,
    y: Tensor,
    schedule: Schedule,
    *,
    steps: int,
    generator: Generator,
    after_step: Callable[[int, Average], object] = lambda step, average: None,
) -> History:
    """`steps` of Adam on the noise loss, batches of 128, the rate as above; then the average of the weights.

    x (m, 1, 28, 28) in [-1, 1], y (m,), all where the model and the generator are; trains in place.
    """
    average = Average(model)

    def follow(step: int) -> None:
        average.update(model)
        after_step(step, average)

    history = fit(
        model,
        lambda _, x_0, labels: batch_loss(model, x_0, labels, schedule, generator),
        (x, y),
        torch.optim.Adam(model.parameters(), PEAK),
        steps=steps,
        batch_size=BATCH,
        schedule=lambda step: trapezoid(step, steps),
        generator=generator,
        after_step=follow,
    )
    average.store(model)
    return history
