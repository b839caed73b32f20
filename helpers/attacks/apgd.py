r"""Attacks without a step to choose: APGD on the cross-entropy and on the DLR loss."""

import math

import torch
from torch import Generator, Tensor

from helpers.attacks.projections import Eps, clip_linf, per_image, random_in_ball, spread
from helpers.attacks.threat import Loss, Model, attack, cross_entropy, input_gradient, margin
from helpers.checks import at_least


def dlr(logits: Tensor, y: Tensor) -> Tensor:
    r"""-(z_y - max_{k != y} z_k) / (z_(1) - z_(3)),  z_(1) >= z_(2) >= ... the sorted logits: (N, K), (N,) -> (N,).

    The margin in units of the logits' own spread: no positive factor and no shift of the logits changes it, so
    sharpening them masks nothing. Raises ValueError for K < 3. Croce & Hein 2020, equation 6.
    """
    at_least("K", logits.shape[1], 3)
    top = logits.topk(3).values
    return -margin(logits, y) / (top[:, 0] - top[:, 2]).clamp(min=torch.finfo(logits.dtype).tiny)


def targeted_dlr(logits: Tensor, y: Tensor, target: Tensor) -> Tensor:
    r"""-(z_y - z_t) / (z_(1) - (z_(3) + z_(4)) / 2): (N, K), labels y (N,), targets t (N,) -> (N,).

    Raises ValueError for K < 4. Croce & Hein 2020, equation 7.
    """
    at_least("K", logits.shape[1], 4)
    top, pair = logits.topk(4).values, logits.gather(1, torch.stack([y, target], 1))
    scale = top[:, 0] - (top[:, 2] + top[:, 3]) / 2
    return (pair[:, 1] - pair[:, 0]) / scale.clamp(min=torch.finfo(logits.dtype).tiny)


def checkpoints_of(steps: int) -> list[int]:
    """The steps at which APGD judges its step size: shares 0, 0.22, then gaps shorter by 0.03, at least 0.06."""
    shares, places = [0.0, 0.22], [0]
    while shares[-1] <= 1:
        places.append(max(places[-1] + 1, math.ceil(shares[-1] * steps - 1e-9)))  # 0.41 is 0.410...03 in floating point
        shares.append(shares[-1] + max(shares[-1] - shares[-2] - 0.03, 0.06))
    return places


@attack
def apgd(
    model: Model,
    x: Tensor,
    y: Tensor,
    *,
    eps: Eps,
    steps: int,
    loss: Loss = cross_entropy,
    random_start: bool = True,
    generator: Generator | None = None,
) -> Tensor:
    r"""z = P(x_t + eta sign grad L(x_t));  x_{t+1} = P(x_t + 3/4 (z - x_t) + 1/4 (x_t - x_{t-1}));  eta_0 = 2 eps.

    At each checkpoint an image halves its eta and goes back to its largest loss, if fewer than 3/4 of the steps since
    the last one raised the loss, or if neither eta nor the largest loss has changed since then. Returned is the
    iterate of the smallest margin. Croce & Hein 2020, algorithm 1.
    """
    at_least("steps", steps, 1)
    eps = per_image(eps, x)
    project, eta, judged = clip_linf(x, eps), 2 * eps, checkpoints_of(steps)
    x_t = project(x + random_in_ball(x, eps, torch.inf, generator)) if random_start else x
    before, top, winner = x_t, x_t, x_t
    value, g, gap = _look(model, x_t, y, loss)
    highest, raised, idle, highest_then = value, torch.zeros_like(value), torch.zeros_like(gap, dtype=torch.bool), value
    for t in range(1, steps + 1):
        z, share = project(x_t + eta * g.sign()), 0.75 if t > 1 else 1.0
        x_t, before = project(x_t + share * (z - x_t) + (1 - share) * (x_t - before)), x_t
        old, (value, g, now) = value, _look(model, x_t, y, loss)
        raised = raised + (value > old)
        top, highest = torch.where(spread(value > highest, x), x_t, top), torch.maximum(value, highest)
        winner, gap = torch.where(spread(now < gap, x), x_t, winner), torch.minimum(now, gap)
        if (gap < 0).all():
            break
        if t in judged:
            length = t - judged[judged.index(t) - 1]
            halve = (raised < 0.75 * length) | (idle & (highest == highest_then))
            eta = torch.where(spread(halve, x), eta / 2, eta)
            x_t = torch.where(spread(halve, x), top, x_t)
            value, g, _ = _look(model, x_t, y, loss)
            raised, idle, highest_then = torch.zeros_like(raised), ~halve, highest
    return winner


def _look(model: Model, x: Tensor, y: Tensor, loss: Loss) -> tuple[Tensor, Tensor, Tensor]:
    """The loss (N,), its gradient (N, ...) and the margin (N,) at x."""
    logits, g = input_gradient(model, x, lambda z: loss(z, y))
    return loss(logits, y), g, margin(logits, y)


@attack
def apgd_targeted(
    model: Model,
    x: Tensor,
    y: Tensor,
    *,
    eps: Eps,
    steps: int,
    rank: int = 1,
    random_start: bool = True,
    generator: Generator | None = None,
) -> Tensor:
    """APGD on the targeted DLR loss, towards the label that is the `rank`-th strongest wrong one at x: 1 ... K - 1.

    Success is any wrong label. Croce & Hein 2020, section 4.
    """
    at_least("rank", rank, 1)
    with torch.no_grad():
        others = model(x).scatter(1, y[:, None], -torch.inf).argsort(1, descending=True)
    if rank >= others.shape[1]:
        raise ValueError(f"rank must lie in 1 ... {others.shape[1] - 1}, got {rank}")
    target = others[:, rank - 1]
    return apgd(
        model,
        x,
        y,
        eps=eps,
        steps=steps,
        loss=lambda logits, labels: targeted_dlr(logits, labels, target),
        random_start=random_start,
        generator=generator,
    )
