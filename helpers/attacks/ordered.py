"""Attacks that put k labels first, in a given order."""

import math

import torch
from torch import Tensor

from helpers.attacks.gradient import ascend
from helpers.attacks.projections import Eps, clip_linf, per_image
from helpers.attacks.threat import Model, ranking_attack


def top_k_gap(logits: Tensor, targets: Tensor) -> Tensor:
    r"""h_j = max {z_k : k not in t_1 ... t_j} - z_{t_j}, (N, k): all below 0 exactly where top_k_success holds."""
    if targets.shape[1] >= logits.shape[1]:
        raise ValueError(f"k must be smaller than K, got {targets.shape[1]} targets for {logits.shape[1]} labels")
    gaps = []
    for j in range(targets.shape[1]):
        rest = logits.scatter(1, targets[:, : j + 1], -math.inf)
        gaps.append(rest.amax(1) - logits.gather(1, targets[:, j : j + 1])[:, 0])
    return torch.stack(gaps, 1)


@ranking_attack
def top_k(
    model: Model,
    x: Tensor,
    targets: Tensor,
    *,
    eps: Eps,
    steps: int,
    step: Eps | None = None,
    kappa: float = 0.1,
    targeted: bool = True,
) -> Tensor:
    r"""Descend sum_j max(h_j, -kappa), h = top_k_gap, by signed steps in the l_inf ball: t_1, ..., t_k shall lead.

    targets (N, k) distinct labels, k < K. step: 2.5 eps / steps unless given. Success: helpers.attacks.top_k_success.
    The iterate with the smallest max_j h_j is returned. Raises ValueError for targeted=False: a ranking is a target.
    A hinge for each place, after the baseline of Zhang & Wu 2020, section 3.2.
    """
    if not targeted:
        raise ValueError("top_k is targeted by its nature: targets hold the labels wanted, got targeted=False")
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


def top_k_success(logits: Tensor, targets: Tensor) -> Tensor:
    r"""z_{t_1} > z_{t_2} > ... > z_{t_k} > every other logit: the k targets lead, in their order; a tie is no success.

    logits (N, K), targets (N, k) distinct, k < K -> (N,) bool. Zhang & Wu 2020, section 3.
    """
    chosen = logits.gather(1, targets)
    others = logits.scatter(1, targets, -math.inf).amax(1, keepdim=True)
    ranked = torch.cat([chosen, others], 1)
    return (ranked[:, :-1] > ranked[:, 1:]).all(1)
