"""The saliency-map attack on few pixels, JSMA."""

import math

import torch
from torch import Tensor

from helpers.attacks.threat import Model, attack, goal
from helpers.checks import at_least


def jsma_saliency(alpha: Tensor, beta: Tensor) -> Tensor:
    r"""S = alpha |beta| where alpha > 0 and beta < 0, else 0:  alpha = dz_t / dx_i,  beta = sum_{k != t} dz_k / dx_i.

    S_i > 0 says that raising pixel i raises the target's logit and lowers the others' sum. Equal shapes in, the same
    out. Papernot et al. 2015, equation 8.
    """
    return torch.where((alpha > 0) & (beta < 0), alpha * beta.abs(), 0)


def best_pair(alpha: Tensor, beta: Tensor) -> tuple[Tensor, Tensor]:
    r"""The pixels p != q with the largest saliency of (alpha_p + alpha_q, beta_p + beta_q): (N, D) -> (N,), (N, 2).

    Exact without the D^2 pairs: a pixel that two others beat in both alpha and -beta is in no best pair, so only the
    first two Pareto fronts remain, a dozen pixels or two. A pixel that may not be taken has alpha = -inf.
    """
    order = alpha.argsort(1, descending=True)
    fall, front = -beta.gather(1, order), torch.zeros_like(alpha, dtype=torch.bool)
    for _ in range(2):
        before = fall.masked_fill(front, -math.inf).cummax(1).values.roll(1, 1)
        before[:, 0] = -math.inf
        front = front | (fall > before) & ~front
    few = front.to(alpha.dtype).topk(max(2, int(front.sum(1).max())), dim=1).indices
    pixels = order.gather(1, few)
    a, b = alpha.gather(1, pixels), beta.gather(1, pixels)
    s = jsma_saliency(a[:, :, None] + a[:, None], b[:, :, None] + b[:, None]).triu(1)
    value, where = s.flatten(1).max(1)
    return value, torch.stack(
        [pixels.gather(1, i[:, None])[:, 0] for i in (where // s.shape[1], where % s.shape[1])], 1
    )


def class_gradients(model: Model, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    r"""dz_y / dx and sum_{k != y} dz_k / dx, each (N, D): one forward and two backward passes."""
    with torch.enable_grad():
        x = x.detach().requires_grad_(True)
        z = model(x)
        (own,) = torch.autograd.grad(z.gather(1, y[:, None]).sum(), x, retain_graph=True)
        (total,) = torch.autograd.grad(z.sum(), x)
    return own.flatten(1), (total - own).flatten(1)


@attack
def jsma(model: Model, x: Tensor, y: Tensor, *, budget: int, theta: float = 1.0, targeted: bool = False) -> Tensor:
    r"""The pair of pixels with the largest saliency moves by theta, again and again, for at most budget pixels.

    theta > 0 raises pixels, theta < 0 lowers them; each moves once, and none that is within 0.01 of its bound, where
    little is to be gained. Untargeted, the sum of the other logits plays the target. Stops where no pair has a
    positive saliency. Papernot et al. 2015, algorithm 3 (on logits).
    """
    at_least("budget", budget, 0)
    x_adv, active, sign = x.clone(), torch.arange(len(x), device=x.device), math.copysign(1, theta)
    used = (x >= 0.99 if theta > 0 else x <= 0.01).flatten(1)
    for step in range(budget // 2 + 1):
        with torch.no_grad():
            active = active[goal(model(x_adv[active]), y[active], targeted) >= 0]
        if step == budget // 2 or not len(active):
            break
        own, others = class_gradients(model, x_adv[active], y[active])
        alpha, beta = (own, others) if targeted else (others, own)
        value, pair = best_pair((sign * alpha).masked_fill(used[active], -math.inf), sign * beta)
        active, pair = active[value > 0], pair[value > 0]
        row, flat = active[:, None], x_adv.flatten(1)
        used[row, pair] = True
        flat[row, pair] = (flat[row, pair] + theta).clamp(0, 1)
        x_adv = flat.view_as(x)
    return x_adv
