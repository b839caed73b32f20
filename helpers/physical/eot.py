r"""Expectation over transformation: an attack on all photographs at once, and its success on photographs never seen."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor

from helpers import checks
from helpers.attacks.pgd import pgd_linf
from helpers.attacks.projections import Eps, clip_linf, per_image, random_in_ball
from helpers.attacks.team import exact_interval
from helpers.attacks.threat import Loss, Model, attack, cross_entropy, evaluating
from helpers.physical.camera import LADDER, Camera, Shots, draw, photograph


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
def fooled(model: Model, x: Tensor, y: Tensor, shots: Shots) -> Tensor:
    """Which of the n photographs of each picture are not taken for y: (N, ...), (N,), N n shots -> (N, n) of bool."""
    with evaluating(model):
        return model(photograph(x, shots)).argmax(1).view(len(x), -1) != y[:, None]


def shot_gradients(loss: Callable[[Tensor], Tensor], x: Tensor, shots: Shots) -> Tensor:
    """The gradients of L(t_k(x)) at x, one for each shot: (N, C, H, W), N n shots -> (N, n, C, H, W).

    Their mean over n is the gradient of `expectation_over_transformation`; their spread says what n is enough.
    """
    n = len(shots.angle) // len(x)
    with torch.enable_grad():
        rows = x.detach().repeat_interleave(n, 0).requires_grad_()
        (g,) = torch.autograd.grad(loss(photograph(rows, shots)).sum(), rows)
    return g.unflatten(0, (len(x), n))


def ladder(
    model: Model,
    x: Tensor,
    y: Tensor,
    *,
    eps: float,
    samples: int,
    steps: int,
    shots: int,
    attacker: Generator,
    judge: Generator,
    targeted: bool = False,
) -> dict[str, dict[str, Success]]:
    """How often photographs are misread at each rung of LADDER: of the pictures, with +-eps at random in each pixel,
    with PGD (which knows no camera), and with `eot_attack` through the camera of this rung; as many steps for both.

    shots of each picture, drawn from `judge`, the same for the four; the attacks draw theirs from `attacker`.
    targeted: how often they are read as y, the label wanted.
    """
    signs = torch.rand(x.shape, generator=attacker, device=x.device, dtype=x.dtype) < 0.5
    options: dict[str, Any] = {"eps": eps, "steps": steps, "targeted": targeted, "generator": attacker}
    pgd = pgd_linf(model, x, y, **options)
    found: dict[str, dict[str, Success]] = {}
    for name, camera in LADDER.items():
        eot = eot_attack(model, x, y, camera=camera, samples=samples, **options)
        given = {"clean": x, "random": (x + eps * torch.where(signs, 1, -1)).clamp(0, 1), "PGD": pgd, "EOT": eot}
        seen = draw(camera, x, shots, generator=judge)
        found[name] = {who: success_rate(fooled(model, z, y, seen) ^ targeted) for who, z in given.items()}
    return found


def sample_study(
    model: Model,
    x: Tensor,
    y: Tensor,
    *,
    eps: float,
    camera: Camera,
    plans: Sequence[tuple[int, int]],
    shots: int,
    attacker: Generator,
    judge: Generator,
) -> dict[tuple[int, int], Success]:
    """How often photographs are misread after `eot_attack` by each plan (samples, steps): samples * steps gradients.

    All plans are judged by the same shots, drawn from `judge`, and attack from one state of `attacker`.
    """
    seen, state, found = draw(camera, x, shots, generator=judge), attacker.get_state(), dict[tuple[int, int], Success]()
    for samples, steps in plans:
        attacker.set_state(state)
        z = eot_attack(model, x, y, eps=eps, camera=camera, samples=samples, steps=steps, generator=attacker)
        found[samples, steps] = success_rate(fooled(model, z, y, seen))
    return found
