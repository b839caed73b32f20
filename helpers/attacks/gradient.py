r"""One gradient a step: FGSM, from x or from a random start, MI-FGSM, and the loop that all iterated attacks share."""

import math
from collections.abc import Callable

import torch
from torch import Generator, Tensor

from helpers.attacks.projections import Eps, clip_linf, norm, per_image, random_in_ball, spread
from helpers.attacks.threat import Loss, Model, attack, cross_entropy, goal, input_gradient
from helpers.checks import at_least


def ascend(
    model: Model,
    y: Tensor,
    move: Callable[[Tensor, Tensor], Tensor],
    *,
    start: Tensor,
    steps: int,
    loss: Loss = cross_entropy,
    targeted: bool = False,
    gap: Loss | None = None,
) -> Tensor:
    """The loop of every iterated attack: x_{t+1} = move(x_t, gradient), and the best of x_0 ... x_steps is kept.

    The gradient is that of loss(logits, y), of -loss when targeted. Best is the smallest gap(logits, y), which is
    below 0 where the attack has succeeded (default: the margin of the true label, minus the margin of a target).
    """
    at_least("steps", steps, 1)
    gap = gap or (lambda logits, y: goal(logits, y, targeted))
    x, best, smallest = start, start, start.new_full((len(start),), math.inf)
    for step in range(steps + 1):
        if step < steps:
            logits, g = input_gradient(model, x, lambda z: -loss(z, y) if targeted else loss(z, y))
        else:
            with torch.no_grad():
                logits = model(x)
        value = gap(logits, y)
        best = torch.where(spread(value < smallest, x), x, best)
        smallest = torch.fmin(value, smallest)
        if step < steps:
            x = move(x, g)
    return best


@attack
def fgsm(model: Model, x: Tensor, y: Tensor, *, eps: Eps, targeted: bool = False) -> Tensor:
    r"""x_adv = clip(x + eps sign grad_x L(x, y)),  L the cross-entropy;  targeted: x - eps sign grad_x L.

    Exact for a linear model of two classes: no delta in the l_inf ball raises <w, delta> above eps ||w||_1. Goodfellow
    et al. 2014, section 4.
    """
    _, g = input_gradient(model, x, lambda z: -cross_entropy(z, y) if targeted else cross_entropy(z, y))
    return (x + per_image(eps, x) * g.sign()).clamp(0, 1)


@attack
def mi_fgsm(
    model: Model,
    x: Tensor,
    y: Tensor,
    *,
    eps: Eps,
    steps: int,
    step: Eps | None = None,
    decay: float = 1.0,
    targeted: bool = False,
) -> Tensor:
    r"""v_{t+1} = decay v_t + g / ||g||_1,  g = grad L(x_t);  x_{t+1} = clip(x_t + step sign v_{t+1});
    v_0 = 0, x_0 = x.

    step: eps / steps unless given. decay >= 0; decay = 0 is bim. The best iterate is returned. Dong et al. 2018,
    algorithm 1.
    """
    at_least("decay", decay, 0)
    eps, velocity = per_image(eps, x), torch.zeros_like(x)
    step = eps / steps if step is None else per_image(step, x, "step")
    project = clip_linf(x, eps)

    def move(z: Tensor, g: Tensor) -> Tensor:
        nonlocal velocity
        velocity = decay * velocity + g / spread(norm(g, 1), g).clamp(min=torch.finfo(g.dtype).tiny)
        return project(z + step * velocity.sign())

    return ascend(model, y, move, start=x, steps=steps, targeted=targeted)


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
    r"""x_0 = clip(x + u), u ~ U[-eps, eps];  x_adv = P(x_0 + step sign grad L(x_0)),  P onto the l_inf ball and [0, 1].

    step: 1.25 eps unless given. Wong et al. 2020, algorithm 3.
    """
    eps = per_image(eps, x)
    step = 1.25 * eps if step is None else per_image(step, x, "step")
    start = (x + random_in_ball(x, eps, math.inf, generator)).clamp(0, 1)
    _, g = input_gradient(model, start, lambda z: -cross_entropy(z, y) if targeted else cross_entropy(z, y))
    return clip_linf(x, eps)(start + step * g.sign())
