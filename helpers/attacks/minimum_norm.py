r"""The smallest perturbation that succeeds: DeepFool, and bisection for any attack in a ball.

Called like those of helpers.attacks. Where no success was found the clean image comes back unchanged, so that
helpers.attacks.threat.outcome, which evaluates anew, counts it as a failure.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from helpers.attacks.projections import norm, spread
from helpers.attacks.threat import Model, attack, evaluating, goal, jacobian
from helpers.checks import at_least


def deepfool_step(logits: Tensor, jacobian: Tensor, y: Tensor) -> Tensor:
    r"""The smallest l_2 step that takes a linear classifier from class y onto its nearest boundary:
    f_k = z_k - z_y,  w_k = grad z_k - grad z_y,  l = argmin_{k != y} |f_k| / ||w_k||_2;
    delta = |f_l| w_l / ||w_l||_2^2.

    Where w_k = 0, as for k = y, there is no boundary; delta = 0 where there is none at all.
    logits (N, K), jacobian (N, K, ...), y (N,) -> delta (N, ...). Moosavi-Dezfooli et al. 2015, algorithm 2.
    """
    rows = torch.arange(len(y), device=y.device)
    f = (logits - logits[rows, y][:, None]).abs()
    w = jacobian.flatten(2) - jacobian.flatten(2)[rows, y][:, None]
    size = w.norm(dim=2)
    distance, nearest = torch.where(size > 0, f / size, math.inf).min(1)
    step = distance[:, None] * w[rows, nearest] / size[rows, nearest][:, None]
    return step.where(distance.isfinite()[:, None], 0).view_as(jacobian[:, 0])


@torch.no_grad()
def nearer(
    x: Tensor, candidate: Tensor, success: Tensor, best: Tensor, smallest: Tensor, p: float = 2
) -> tuple[Tensor, Tensor]:
    """(best, smallest) after the candidates that succeeded and lie closer to x took their place: images, (N,) norms."""
    distance = norm(candidate - x, p)
    better = success & (distance < smallest)
    return torch.where(spread(better, x), candidate, best), torch.where(better, distance, smallest)


@torch.no_grad()
def rivals(model: Model, x: Tensor, y: Tensor, classes: int) -> Tensor:
    """y and the classes - 1 strongest other labels at x, (N, classes) or fewer columns where there are fewer labels."""
    others = model(x).scatter(1, y[:, None], -math.inf)
    return torch.cat([y[:, None], others.topk(min(classes, others.shape[1]) - 1).indices], 1)


@attack
def deepfool(
    model: Model,
    x: Tensor,
    y: Tensor,
    *,
    steps: int = 50,
    overshoot: float = 0.02,
    classes: int = 10,
    targeted: bool = False,
) -> Tensor:
    r"""x_{t+1} = clip(x_t + deepfool_step at x_t), x_0 = x, until x_adv = clip(x + (1 + overshoot)(x_t - x)) is not
    taken for y.

    Only y and the classes - 1 strongest others at x are considered. Exact (times 1 + overshoot) for a linear classifier
    while no pixel meets its bounds. Moosavi-Dezfooli et al. 2015, algorithm 2. Targeted at y, which the paper does not
    do: each step goes to the boundary between y and the label that is then the strongest, until y is taken.
    """
    at_least("steps", steps, 1)
    at_least("classes", classes, 2)
    at_least("overshoot", overshoot, 0)
    candidates = rivals(model, x, y, classes)
    x_t, x_adv, active = x.clone(), x.clone(), torch.arange(len(x), device=x.device)
    for step in range(steps + 1):
        with torch.no_grad():
            active = active[goal(model(x_adv[active]), y[active], targeted) >= 0]
        if step == steps or not len(active):
            break
        here = rivals(model, x_t[active], y[active], 2).flip(1) if targeted else candidates[active]
        z, w = jacobian(model, x_t[active], here)
        x_t[active] = (x_t[active] + deepfool_step(z, w, torch.zeros_like(active))).clamp(0, 1)
        x_adv[active] = (x[active] + (1 + overshoot) * (x_t[active] - x[active])).clamp(0, 1)
    x_adv[active] = x[active]
    return x_adv


@torch.no_grad()
def towards_clean(
    model: Model, x: Tensor, x_adv: Tensor, y: Tensor, *, rounds: int = 10, targeted: bool = False
) -> Tensor:
    """Bisect the segment from x to each success x_adv: the closest success that was met. Failures stay as they are."""
    with evaluating(model):
        low, high = x.new_zeros(len(x)), x.new_ones(len(x))
        for _ in range(rounds):
            t = (low + high) / 2
            success = goal(model(x + spread(t, x) * (x_adv - x)), y, targeted) < 0
            low, high = torch.where(success, low, t), torch.where(success, t, high)
        at_x = goal(model(x), y, targeted) < 0
        closest = x + spread(torch.where(at_x, 0, high), x) * (x_adv - x)
        return torch.where(spread(high < 1, x), closest, x_adv)


def smallest_eps(
    attack: Callable[[Model, Tensor, Tensor, Tensor], Tensor],
    model: Model,
    x: Tensor,
    y: Tensor,
    *,
    p: float,
    largest: float,
    rounds: int = 10,
    targeted: bool = False,
) -> Tensor:
    """The minimum-norm form of a maximum-loss attack: bisection on eps in [0, largest], one per image.

    attack(model, x, y, eps) with eps (N,). Returns the success of smallest ||x_adv - x||_p, the clean image where
    none was. A failure at eps is taken for one at every smaller eps, to which an attack need not keep: FGSM does not.
    """
    low, high = x.new_zeros(len(x)), x.new_full((len(x),), float(largest))
    eps, best, smallest = high, x, x.new_full((len(x),), math.inf)
    for _ in range(rounds):
        x_adv = attack(model, x, y, eps)
        with torch.no_grad(), evaluating(model):
            success = goal(model(x_adv), y, targeted) < 0
        best, smallest = nearer(x, x_adv, success, best, smallest, p)
        high, low = torch.where(success, eps, high), torch.where(success, low, eps)
        eps = (low + high) / 2
    return best
