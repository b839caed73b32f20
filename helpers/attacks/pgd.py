"""Projected gradient descent in the l_inf, l_2, l_1 and l_0 balls."""

import math
from functools import partial

import torch
from torch import Generator, Tensor

from helpers.attacks.gradient import ascend
from helpers.attacks.projections import (
    PROJECTIONS,
    Eps,
    clip_linf,
    norm,
    per_image,
    random_in_ball,
    spread,
    steepest_ascent,
)
from helpers.attacks.threat import Loss, Model, attack, cross_entropy
from helpers.checks import at_least


@attack
def pgd_linf(
    model: Model,
    x: Tensor,
    y: Tensor,
    *,
    eps: Eps,
    steps: int,
    step: Eps | None = None,
    loss: Loss = cross_entropy,
    targeted: bool = False,
    random_start: bool = True,
    generator: Generator | None = None,
) -> Tensor:
    r"""x_0 = P(x + u), u ~ U[-eps, eps];  x_{t+1} = P(x_t + step sign grad L(x_t));
    P clips to [x - eps, x + eps] and to [0, 1].

    random_start=False: x_0 = x. step: 2.5 eps / steps unless given. The best iterate is returned. Madry et al. 2017,
    section 2.1.
    """
    eps = per_image(eps, x)
    step = 2.5 * eps / steps if step is None else per_image(step, x, "step")
    project = clip_linf(x, eps)
    start = project(x + random_in_ball(x, eps, math.inf, generator)) if random_start else x
    return ascend(
        model, y, lambda z, g: project(z + step * g.sign()), start=start, steps=steps, loss=loss, targeted=targeted
    )


def bim(
    model: Model, x: Tensor, y: Tensor, *, eps: Eps, steps: int, step: Eps | None = None, targeted: bool = False
) -> Tensor:
    r"""PGD from x itself: x_0 = x;  x_{t+1} = clip(x_t + step sign grad L(x_t)).

    step: eps / steps unless given, as in Dong et al. 2018; Kurakin et al. 2016, section 2.2, take one grey
    level, 1/255, and min(255 eps + 4, 1.25 * 255 eps) steps.
    """
    at_least("steps", steps, 1)
    step = eps / steps if step is None else step
    return pgd_linf(model, x, y, eps=eps, steps=steps, step=step, targeted=targeted, random_start=False)


def sparse_ascent(z: Tensor, g: Tensor, k: int) -> Tensor:
    """sign(g_i) / k on the k largest |g_i| among the pixels that can still move in [0, 1], else 0. l_1 norm <= 1."""
    free = torch.where(g > 0, z < 1, z > 0)
    size = (g.abs() * free).flatten(1)
    top = torch.zeros_like(size).scatter(1, size.topk(k, dim=1).indices, 1 / k)
    return top.view_as(g) * g.sign() * free


@attack
def pgd(
    model: Model,
    x: Tensor,
    y: Tensor,
    *,
    p: float,
    eps: Eps,
    steps: int,
    step: Eps | None = None,
    fraction: float = 0.01,
    loss: Loss = cross_entropy,
    targeted: bool = False,
    random_start: bool = True,
    generator: Generator | None = None,
) -> Tensor:
    r"""x_{t+1} = clip(x + P(x_t + step d - x)),  P onto the l_p ball, p in {1, 2, inf};  g = grad L(x_t):
    d = sign g (p = inf),  g / ||g||_2 (p = 2),  sparse_ascent of `fraction` of the pixels (p = 1).

    Starts from a random point of the ball; random_start=False: from x. step: 2.5 eps / steps unless given. Clipping
    pulls towards x, so the point stays in the ball, but P and clip one after the other are the projection on the
    intersection only for p = inf, where this is pgd_linf. The best iterate is returned. Madry et al. 2017, section 5
    (p = 2); Tramer & Boneh 2019, section 3 (p = 1: the steepest ascent would move a single pixel a step).
    """
    if p not in PROJECTIONS:
        raise ValueError(f"p must be 1, 2 or inf, got {p}")
    eps, k = per_image(eps, x), max(1, round(fraction * x[0].numel()))
    step = 2.5 * eps / steps if step is None else per_image(step, x, "step")

    def move(z: Tensor, g: Tensor) -> Tensor:
        d = sparse_ascent(z, g, k) if p == 1 else steepest_ascent(g, p)
        return (x + PROJECTIONS[p](z + step * d - x, eps)).clamp(0, 1)

    start = (x + random_in_ball(x, eps, p, generator)).clamp(0, 1) if random_start else x
    return ascend(model, y, move, start=start, steps=steps, loss=loss, targeted=targeted)


pgd_l2, pgd_l1 = partial(pgd, p=2.0), partial(pgd, p=1.0)


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
