"""The loop over a sampler's steps, and what is asked of a denoiser."""

from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import Literal

import torch
from torch import Generator, Tensor

from helpers.checks import drawn_on, positive
from helpers.diffusion.levels import Denoiser, per_sample, same_shape
from helpers.diffusion.predictors import noise_from_x0, x0_from_noise
from helpers.diffusion.samplers import (
    Variance,
    ddim_inverse_step,
    ddim_step,
    ddpm_step,
    euler_step,
    heun_step,
    sde_step,
)
from helpers.diffusion.schedules import Schedule, spaced, sub_sequence

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


def times_of(schedule: Schedule, steps: int | Tensor | None) -> Tensor:
    """The times (S,), rising: S of them, evenly `spaced`, or as given, or all for None. Raises ValueError as these."""
    if isinstance(steps, Tensor):
        return sub_sequence(steps, schedule.T)
    return spaced(schedule.T, schedule.T if steps is None else steps)


def _moves(eta: float, variance: Variance, generator: Generator | None) -> dict[str, Callable[..., Tensor]]:
    """The step of each method as (x_t, noise, noise_at the previous time, alpha_bar_t, alpha_bar_prev) -> x_prev."""

    def xi(x: Tensor) -> Tensor:
        return torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)

    return {
        "ddpm": lambda x, noise, _, a, prev: ddpm_step(x, noise, a, prev, xi(x), variance=variance),
        "ddim": lambda x, noise, _, a, prev: ddim_step(x, noise, a, prev, xi(x) if eta else None, eta=eta),
        "euler": lambda x, noise, _, a, prev: euler_step(x, noise, a, prev),
        "heun": lambda x, noise, later, a, prev: (
            heun_step(x, noise, later, a, prev) if prev < 1 else ddim_step(x, noise, a, prev)
        ),
        "sde": lambda x, noise, _, a, prev: sde_step(x, noise, a, prev, xi(x)),
    }


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
    times = times_of(schedule, steps).tolist()[::-1]
    move = _moves(eta, variance, generator)[method]

    def noise_at(t: int, x: Tensor) -> Tensor:
        noise = predict(denoiser, x, t)
        return noise if clip is None else clipped(noise, x, schedule.at(t), clip)

    def run(x: Tensor) -> Iterator[Tensor]:
        yield x
        for t, prev in zip(times, [*times[1:], 0], strict=True):
            x = move(x, noise_at(t, x), partial(noise_at, prev), schedule.at(t), schedule.at(prev))
            yield x

    return run(x_T)


def sample(denoiser: Denoiser, schedule: Schedule, x_T: Tensor, **options: object) -> Tensor:
    """The end of `trajectory`, same arguments: x_0 (N, ...)."""
    return deque(trajectory(denoiser, schedule, x_T, **options), maxlen=1)[0]  # type: ignore[arg-type]


def encode(
    denoiser: Denoiser, schedule: Schedule, x_0: Tensor, *, steps: int | Tensor | None = None, corrections: int = 0
) -> Tensor:
    r"""x_T from x_0 by `ddim_inverse_step`, with the noise predicted where the step begins (in the first at tau_1).

    Each correction predicts it anew at the x_t that was found: a fixed point is the inverse of `sample` at eta = 0,
    exactly. x_0 (N, ...) -> (N, ...). Raises ValueError as `trajectory` does. Source: Song et al. 2020 (DDIM), eq. 14.
    """
    times = [0, *times_of(schedule, steps).tolist()]
    x = x_0
    for prev, t in zip(times[:-1], times[1:], strict=True):
        a_t, a_prev, y = schedule.at(t), schedule.at(prev), x
        x = ddim_inverse_step(y, predict(denoiser, y, prev or t), a_t, a_prev)
        for _ in range(corrections):
            x = ddim_inverse_step(y, predict(denoiser, x, t), a_t, a_prev)
    return x


def slerp(a: Tensor, b: Tensor, weight: float) -> Tensor:
    r"""[sin((1 - w) theta) a + sin(w theta) b] / sin theta,  cos theta = <a, b> / (|a| |b|): between two x_T.

    a, b (N, ...), sample by sample, of norm near sqrt(d): so are those between. Raises ValueError for other shapes.
    Source: Shoemake 1985; Song et al. 2020 (DDIM), appendix D.
    """
    same_shape(a=a, b=b)
    flat_a, flat_b = a.flatten(1), b.flatten(1)
    theta = torch.cosine_similarity(flat_a, flat_b, dim=1).clamp(-1 + 1e-7, 1 - 1e-7).acos()
    of_a, of_b = ((1 - weight) * theta).sin() / theta.sin(), (weight * theta).sin() / theta.sin()
    return per_sample(of_a, a) * a + per_sample(of_b, b) * b


def ancestral_sample(denoiser: Denoiser, schedule: Schedule, x_T: Tensor, xi: Tensor) -> Tensor:
    r"""x_{t-1} = (x_t - beta_t / sqrt(1 - \bar alpha_t) noise(x_t, t)) / sqrt(alpha_t) + sqrt(beta_t) xi_t

    for t = T ... 1, without xi in the last step, t = 1.

    x_T (N, ...), xi (T, N, ...), xi_t at index t - 1 -> x_0 (N, ...). Source: Ho et al. 2020, algorithm 2.
    """
    x = x_T
    for t in range(schedule.T, 0, -1):
        beta, alpha, a = schedule.beta[t - 1], schedule.alpha[t - 1], schedule.alpha_bar[t - 1]
        noise = denoiser(x, torch.full((len(x),), t, device=x.device))
        x = (x - beta / (1 - a).sqrt() * noise) / alpha.sqrt()
        if t > 1:
            x = x + beta.sqrt() * xi[t - 1]
    return x
