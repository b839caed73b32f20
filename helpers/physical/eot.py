r"""Expectation over transformation: an attack on all photographs at once, and its success on photographs never seen."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from helpers import checks
from helpers.attacks.projections import Eps, clip_linf, per_image, random_in_ball
from helpers.attacks.team import exact_interval
from helpers.attacks.threat import Loss, Model, attack, cross_entropy, evaluating
from helpers.physical.camera import Camera, Shots, draw, photograph


def expectation_over_transformation(loss: Callable[[Tensor], Tensor], x: Tensor, shots: Shots) -> Tensor:
    r"""(1/n) sum_k L(t_k(x)):  what a picture costs on the mean over its n photographs.

    x (N, 1 or 3, H, W), N n shots, those of the first picture first; loss maps photographs (N n, ...) to (N n,), row by
    row -> (N,). For shots drawn anew its gradient is unbiased for that of E_t L(t(x)) (problem 8.1).
    Athalye et al. 2018 ("Synthesizing robust adversarial examples"), section 2.
    """
    return loss(photograph(x, shots)).view(len(x), -1).mean(1)


@attack
def eot_attack(
    model: Model,
    x: Tensor,
    y: Tensor,
    *,
    eps: Eps,
    camera: Camera,
    samples: int,
    steps: int,
    step: Eps | None = None,
    loss: Loss = cross_entropy,
    targeted: bool = False,
    generator: Generator | None = None,
) -> Tensor:
    r"""x_0 = P(x + u), u ~ U[-eps, eps];  x_{t+1} = P(x_t + step sign g),  g the gradient of
    (1/samples) sum_k L(t_k(x_t)), the shots t_k drawn anew at each step;  P clips to [x - eps, x + eps] and to [0, 1].

    step: 2.5 eps / steps unless given. The last iterate is returned: of one draw the best would be luck.
    Athalye et al. 2018, section 2.
    """
    checks.whole("samples", samples)
    checks.whole("steps", steps)
    eps, labels = per_image(eps, x), y.repeat_interleave(samples)
    step = 2.5 * eps / steps if step is None else per_image(step, x, "step")
    project, sign = clip_linf(x, eps), -1 if targeted else 1
    x_adv = project(x + random_in_ball(x, eps, math.inf, generator))
    for _ in range(steps):
        shots = draw(camera, x, samples, generator=generator)
        with torch.enable_grad():
            z = x_adv.requires_grad_()
            mean = expectation_over_transformation(lambda photographs: loss(model(photographs), labels), z, shots)
            (g,) = torch.autograd.grad(sign * mean.sum(), z)
        x_adv = project(z.detach() + step * g.sign())
    return x_adv


class Success(NamedTuple):
    """How often an attack succeeds over pictures and shots, and the 95 % interval for pictures and shots drawn anew."""

    rate: float
    low: float
    high: float


def success_rate(hits: Tensor, confidence: float = 0.95) -> Success:
    r"""p = mean of hits (N, n), n shots of each of N pictures, and Clopper & Pearson's interval for m p hits of m.

    Shots of one picture are alike, so that they are worth m < N n independent ones: m = N p' (1 - p') / s^2, p' and s^2
    the mean and the variance of the pictures' own rates and of two pictures more, one always hit and one never. N = 1:
    m = n, over shots of this picture. Raises ValueError unless hits are bool. Korn & Graubard 1998, without the two.
    """
    if hits.ndim != 2 or hits.dtype != torch.bool or hits.numel() == 0:
        raise ValueError(f"hits must be (pictures, shots) of torch.bool, got {tuple(hits.shape)} of {hits.dtype}")
    pictures, rates = len(hits), hits.double().mean(1)
    rate, more = float(rates.mean()), torch.cat([rates, rates.new_tensor([0, 1])])
    worth = float(pictures * more.mean() * (1 - more.mean()) / more.var())
    worth = min(worth, hits.numel()) if pictures > 1 else hits.numel()
    return Success(rate, *exact_interval(rate * worth, worth, confidence))


@torch.no_grad()
def fooled(model: Model, x: Tensor, y: Tensor, camera: Camera, n: int, *, generator: Generator | None = None) -> Tensor:
    """Which of n photographs of each picture are not taken for y: (N, ...), (N,) -> (N, n) of bool."""
    photographs = photograph(x, draw(camera, x, n, generator=generator))
    with evaluating(model):
        return model(photographs).argmax(1).view(len(x), n) != y[:, None]
