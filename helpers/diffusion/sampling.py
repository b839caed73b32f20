"""The loop over a sampler's steps, and what is asked of a denoiser."""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Literal

import torch
from torch import Generator, Tensor

from helpers.checks import drawn_on, positive
from helpers.diffusion.predictors import noise_from_x0, x0_from_noise
from helpers.diffusion.samplers import Variance, ddim_step, ddpm_step, euler_step, heun_step, sde_step
from helpers.diffusion.schedules import Schedule, spaced, sub_sequence

Denoiser = Callable[[Tensor, Tensor], Tensor]
Method = Literal["ddpm", "ddim", "euler", "heun", "sde"]
METHODS = ("ddpm", "ddim", "euler", "heun", "sde")


def predict(denoiser: Denoiser, x_t: Tensor, t: int) -> Tensor:
    """denoiser(x_t, (t, ..., t)), checked. Raises ValueError for another shape than x_t's, and for NaN or infinity."""
    with torch.no_grad():
        noise = denoiser(x_t, torch.full((len(x_t),), t, device=x_t.device))
    if not isinstance(noise, Tensor) or noise.shape != x_t.shape:
        got = tuple(noise.shape) if isinstance(noise, Tensor) else type(noise).__name__
        raise ValueError(f"the denoiser must return noise of x_t's shape {tuple(x_t.shape)}, got {got} at t = {t}")
    if not noise.isfinite().all():
        bad = int((~noise.isfinite()).flatten(1).any(1).sum())
        raise ValueError(
            f"the denoiser returned NaN or infinity for {bad} of {len(noise)} samples at t = {t}; its input "
            f"reached {x_t.abs().max():.3g}: are its weights finite, is the schedule the one of its training?"
        )
    return noise


def clipped(noise: Tensor, x_t: Tensor, alpha_bar_t: Tensor, clip: float) -> Tensor:
    """The noise that belongs to the predicted x_0 clamped to [-clip, clip]: pictures know their range."""
    return noise_from_x0(x_t, x0_from_noise(x_t, noise, alpha_bar_t).clamp(-clip, clip), alpha_bar_t)


def trajectory(
    denoiser: Denoiser,
    schedule: Schedule,
    x_T: Tensor,
    *,
    steps: int | Tensor | None = None,
    method: Method = "ddim",
    eta: float = 0.0,
    variance: Variance = "posterior",
    clip: float | None = None,
    generator: Generator | None = None,
) -> Iterator[Tensor]:
    r"""x_T, then x after each step down to x_0: S + 1 tensors, one at a time.

    denoiser(x_t, t) predicts the noise, t (N,); steps S, evenly `spaced`, or the times themselves (S,), or None for all
    T; eta is DDIM's, variance DDPM's; clip = 1 keeps each predicted x_0 in [-1, 1]. Evaluations: one a step, with Heun
    two but for the last. Raises ValueError for times unsorted, repeated or outside 1 ... T, and as `predict`.
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    drawn_on(generator, x_T)
    if clip is not None:
        positive("clip", clip)
    if not isinstance(steps, Tensor):
        steps = spaced(schedule.T, schedule.T if steps is None else steps)
    times = sub_sequence(steps, schedule.T).tolist()[::-1]

    def noise_at(x: Tensor, t: int) -> Tensor:
        noise = predict(denoiser, x, t)
        return noise if clip is None else clipped(noise, x, schedule.at(t), clip)

    def step(x: Tensor, t: int, prev: int) -> Tensor:
        noise, a_t, a_prev = noise_at(x, t), schedule.at(t), schedule.at(prev)
        if method == "euler":
            return euler_step(x, noise, a_t, a_prev)
        if method == "heun" and prev:
            return heun_step(x, noise, lambda y: noise_at(y, prev), a_t, a_prev)
        if method == "heun" or (method == "ddim" and eta == 0):
            return ddim_step(x, noise, a_t, a_prev)
        xi = torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
        if method == "ddim":
            return ddim_step(x, noise, a_t, a_prev, xi, eta=eta)
        if method == "sde":
            return sde_step(x, noise, a_t, a_prev, xi)
        return ddpm_step(x, noise, a_t, a_prev, xi, variance=variance)

    def run(x: Tensor) -> Iterator[Tensor]:
        yield x
        for t, prev in zip(times, [*times[1:], 0], strict=True):
            yield (x := step(x, t, prev))

    return run(x_T)


def sample(denoiser: Denoiser, schedule: Schedule, x_T: Tensor, **options: object) -> Tensor:
    """The end of `trajectory`, same arguments: x_0 (N, ...)."""
    return deque(trajectory(denoiser, schedule, x_T, **options), maxlen=1)[0]  # type: ignore[arg-type]
