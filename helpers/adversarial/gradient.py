r"""More attacks with one gradient a step: BIM, FGSM from a random start, and PGD in the l_2, l_1 and l_0 balls.

Called like those of helpers.attacks: attack(model, x, y, *, eps or budget, steps, ..., targeted=False, generator=None).
"""

import math

import torch
from torch import Generator, Tensor

from helpers.adversarial.threat import (
    Loss,
    Model,
    attack,
    cross_entropy,
    input_gradient,
    norm,
    per_image,
    random_in_ball,
    spread,
    steepest_ascent,
)
from helpers.attacks import Eps, ascend, clip_linf, project_l1, project_l2
from helpers.checks import at_least


@attack
def random_start_fgsm(
    model: Model,
    x: Tensor,
    y: Tensor,
    *,
    eps: Eps,
    step: Eps | None = None,
    targeted: bool = False,
    generator: Generator | None = None,
) -> Tensor:
    r"""delta ~ U[-eps, eps];  x_adv = clip(x + P(delta + step sign grad L(clip(x + delta)))),  P onto the l_inf ball.

    step: 1.25 eps unless given. Wong et al. 2020, algorithm 3.
    """
    eps = per_image(eps, x)
    step = 1.25 * eps if step is None else per_image(step, x, "step")
    start = (x + random_in_ball(x, eps, math.inf, generator)).clamp(0, 1)
    _, g = input_gradient(model, start, lambda z: -cross_entropy(z, y) if targeted else cross_entropy(z, y))
    return clip_linf(x, eps)(start + step * g.sign())


@attack
def bim(model: Model, x: Tensor, y: Tensor, *, eps: Eps, steps: int, targeted: bool = False) -> Tensor:
    r"""x_0 = x;  x_{t+1} = clip(x_t + (eps / steps) sign grad L(x_t)). The best iterate is returned.

    Kurakin et al. 2016, section 2.2.
    """
    eps = per_image(eps, x)
    project = clip_linf(x, eps)
    return ascend(model, y, lambda z, g: project(z + eps / steps * g.sign()), start=x, steps=steps, targeted=targeted)


@attack
def pgd_l2(
    model: Model,
    x: Tensor,
    y: Tensor,
    *,
    eps: Eps,
    steps: int,
    step: Eps | None = None,
    loss: Loss = cross_entropy,
    targeted: bool = False,
    generator: Generator | None = None,
) -> Tensor:
    r"""x_{t+1} = clip(x + P(x_t + step g / ||g||_2 - x)),  g = grad L(x_t),  P onto the l_2 ball.

    Starts from a random point of the ball.

    step: 2.5 eps / steps unless given. Clipping pulls towards x, so the point stays in the ball, but P and clip one
    after the other are not the projection on the intersection. The best iterate is returned. Madry et al. 2017,
    section 5.
    """
    eps = per_image(eps, x)
    step = 2.5 * eps / steps if step is None else per_image(step, x, "step")

    def move(z: Tensor, g: Tensor) -> Tensor:
        return (x + project_l2(z + step * steepest_ascent(g, 2) - x, eps)).clamp(0, 1)

    start = (x + random_in_ball(x, eps, 2, generator)).clamp(0, 1)
    return ascend(model, y, move, start=start, steps=steps, loss=loss, targeted=targeted)


def sparse_ascent(z: Tensor, g: Tensor, k: int) -> Tensor:
    """sign(g_i) / k on the k largest |g_i| among the pixels that can still move in [0, 1], else 0. l_1 norm <= 1."""
    free = torch.where(g > 0, z < 1, z > 0)
    size = (g.abs() * free).flatten(1)
    top = torch.zeros_like(size).scatter(1, size.topk(k, dim=1).indices, 1 / k)
    return top.view_as(g) * g.sign() * free


@attack
def pgd_l1(
    model: Model,
    x: Tensor,
    y: Tensor,
    *,
    eps: Eps,
    steps: int,
    step: Eps | None = None,
    fraction: float = 0.01,
    loss: Loss = cross_entropy,
    targeted: bool = False,
    generator: Generator | None = None,
) -> Tensor:
    r"""x_{t+1} = clip(x + P(x_t + step d - x)),  P onto the l_1 ball,  d = sparse_ascent at x_t.

    Steepest ascent in l_1 (k = 1) moves a single pixel a step; here k = fraction of all. step: 2.5 eps / steps unless
    given. The best iterate is returned. Tramer & Boneh 2019, section 3.
    """
    eps, k = per_image(eps, x), max(1, round(fraction * x[0].numel()))
    step = 2.5 * eps / steps if step is None else per_image(step, x, "step")

    def move(z: Tensor, g: Tensor) -> Tensor:
        return (x + project_l1(z + step * sparse_ascent(z, g, k) - x, eps)).clamp(0, 1)

    start = (x + random_in_ball(x, eps, 1, generator)).clamp(0, 1)
    return ascend(model, y, move, start=start, steps=steps, loss=loss, targeted=targeted)


@attack
def pgd_l0(
    model: Model,
    x: Tensor,
    y: Tensor,
    *,
    budget: int,
    steps: int,
    step: float = 100.0,
    loss: Loss = cross_entropy,
    targeted: bool = False,
) -> Tensor:
    r"""x_{t+1} = P(x_t + step g / ||g||_1),  g = grad L(x_t),  P onto {at most budget pixels changed} and [0, 1].

    P clips, then keeps the pixels for which moving brings most, (z - x)^2 - (z - clip z)^2: the exact projection of z,
    though greedy as an attack, for the set is not convex. The best iterate is returned. Croce & Hein 2019 (PGD_0).
    """
    at_least("budget", budget, 1)

    def move(z: Tensor, g: Tensor) -> Tensor:
        z = z + step * g / spread(norm(g, 1), g).clamp(min=torch.finfo(g.dtype).tiny)
        near = z.clamp(0, 1)
        gain = ((z - x).square() - (z - near).square()).flatten(1)
        keep = torch.zeros_like(gain).scatter(1, gain.topk(min(budget, gain.shape[1])).indices, 1.0)
        return torch.where(keep.view_as(x) > 0, near, x)

    return ascend(model, y, move, start=x, steps=steps, loss=loss, targeted=targeted)


def top_k_gap(logits: Tensor, targets: Tensor) -> Tensor:
    r"""h_j = max {z_k : k not in t_1 ... t_j} - z_{t_j}, (N, k): all below 0 exactly where top_k_success holds."""
    gaps = []
    for j in range(targets.shape[1]):
        rest = logits.scatter(1, targets[:, : j + 1], -math.inf)
        gaps.append(rest.amax(1) - logits.gather(1, targets[:, j : j + 1])[:, 0])
    return torch.stack(gaps, 1)


@attack
def top_k(
    model: Model, x: Tensor, targets: Tensor, *, eps: Eps, steps: int, step: Eps | None = None, kappa: float = 0.1
) -> Tensor:
    r"""Descend sum_j max(h_j, -kappa), h = top_k_gap, by signed steps in the l_inf ball: t_1, ..., t_k shall lead.

    targets (N, k) distinct labels, k < K. step: 2.5 eps / steps unless given. Success: helpers.attacks.top_k_success.
    The iterate with the smallest max_j h_j is returned. Zhang & Wu 2020, section 3.2 (the ordered hinge).
    """
    eps = per_image(eps, x)
    step = 2.5 * eps / steps if step is None else per_image(step, x, "step")
    project = clip_linf(x, eps)
    return ascend(
        model,
        targets,
        lambda z, g: project(z - step * g.sign()),
        start=x,
        steps=steps,
        loss=lambda z, t: top_k_gap(z, t).clamp(min=-kappa).sum(1),
        gap=lambda z, t: top_k_gap(z, t).amax(1),
    )
