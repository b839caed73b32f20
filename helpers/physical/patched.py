"""A patch on a digit, made for this digit in this place; and training against such patches."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Generator, Tensor, nn

from helpers import checks, data, runtime
from helpers.attacks.projections import spread
from helpers.attacks.team import exact_interval
from helpers.attacks.threat import Model, attack, cross_entropy, evaluating, margin, outcome, worst_case
from helpers.risk import cosine_schedule
from helpers.training import History, accuracy, fit

SIDE = 7  # pixels of the stored network's patches: a sixteenth of the picture


@attack
def patch_attack(
    model: Model,
    x: Tensor,
    y: Tensor,
    *,
    mask: Tensor,
    steps: int,
    step: float = 0.1,
    start: Tensor | None = None,
    penalty: Callable[[Tensor], Tensor] | None = None,
    generator: Generator | None = None,
) -> Tensor:
    r"""x_0 = (1 - m) x + m u, u ~ U[0, 1];  x_{t+1} = clip(x_t + step m sign grad (L(x_t) - penalty(x_t))): PGD on the
    pixels under the mask m alone, however far they go.

    start: u unless given. mask (1, H, W) or (N, 1, H, W) of zeros and ones; penalty (N, ...) -> (N,), at least 0:
    what the attacker wants to keep at 0. The iterate of the smallest margin is returned, of those without a penalty if
    there are any.
    """
    checks.whole("steps", steps)
    checks.positive("step", step)
    if mask.shape[-3:] != (1, *x.shape[2:]) or not ((mask == 0) | (mask == 1)).all():
        raise ValueError(f"mask must be zeros and ones, (1, {x.shape[2]}, {x.shape[3]}), got {tuple(mask.shape)}")
    if start is None:
        start = torch.rand(x.shape, generator=generator, device=x.device, dtype=x.dtype)
    x_adv = torch.where(mask > 0, start, x)
    best, smallest = x_adv, x.new_full((len(x),), math.inf)
    for _ in range(steps + 1):
        with torch.enable_grad():
            z = x_adv.detach().requires_grad_()
            logits = model(z)
            cost = penalty(z) if penalty else torch.zeros_like(logits[:, 0])
            (g,) = torch.autograd.grad((cross_entropy(logits, y) - cost).sum(), z)
        gap = margin(logits, y).detach()
        value = torch.where(cost > 0, gap.clamp(min=0) + cost.detach(), gap)
        best = torch.where(spread(value < smallest, x), z.detach(), best)
        smallest = torch.fmin(value, smallest)
        x_adv = (z.detach() + step * mask * g.sign()).clamp(0, 1)
    return best


def square_masks(size: tuple[int, int], side: int, stride: int) -> Tensor:
    """The masks of all squares of `side` pixels at every `stride`-th place of a picture of `size`: (L, 1, H, W)."""
    checks.whole("side", side)
    checks.whole("stride", stride)
    if side > min(size):
        raise ValueError(f"side must be at most {min(size)}, the picture's, got {side}")
    corners = [(i, j) for i in range(0, size[0] - side + 1, stride) for j in range(0, size[1] - side + 1, stride)]
    masks = torch.zeros(len(corners), 1, *size)
    for mask, (i, j) in zip(masks, corners, strict=True):
        mask[:, i : i + side, j : j + side] = 1
    return masks


def left_by_patches(
    model: Model, x: Tensor, y: Tensor, masks: Tensor, *, steps: int, generator: Generator | None = None
) -> Tensor:
    """Which pictures are still taken for y after `patch_attack` under each of the masks (L, 1, H, W) in turn: (N,)."""
    attacks = [partial(patch_attack, mask=mask.to(x), steps=steps, generator=generator) for mask in masks]
    with evaluating(model):
        return ~outcome(model, x, worst_case(attacks, model, x, y), y).success


def train_against_patches(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    side: int,
    steps: int,
    inner: int = 5,
    generator: Generator | None = None,
    progress: bool = True,
) -> History:
    r"""min_theta E max_p L(theta; (1 - m) x + m p, y):  the square m of `side` pixels lies anywhere, another one for
    each picture; p by `inner` steps of `patch_attack`. Adam, batches of 128, a cosine from 2e-3.

    The generator may live on the CPU or with x. Wu et al. 2020; Rao et al. 2020.
    """
    masks = square_masks((x.shape[2], x.shape[3]), side, 1).to(x)

    def loss(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        like: dict[str, Any] = {"generator": generator, "device": generator.device if generator else x.device}
        mask = masks[torch.randint(len(masks), (len(x),), **like).to(x.device)]
        start = torch.rand(x.shape, **like, dtype=x.dtype).to(x.device)
        x_adv = patch_attack(model, x, y, mask=mask, steps=inner, step=1.25 / inner, start=start)
        return cross_entropy(model(x_adv), y).mean()

    return fit(
        model,
        loss,
        (x, y),
        torch.optim.Adam(model.parameters()),
        steps=steps,
        schedule=lambda step: cosine_schedule(step, steps, peak=2e-3),
        generator=generator,
        progress=progress,
    )


def measure(model: nn.Module) -> dict[str, float]:
    """Accuracy on MNIST's 10,000 test pictures."""
    device, mnist = next(model.parameters()).device, data.load("mnist")
    return {"test_accuracy": accuracy(model, mnist.x_test.to(device), mnist.y_test.to(device))}


def judge(model: nn.Module, *, places: int = 200) -> dict[str, Any]:
    """Which of MNIST's first test digits withstand a patch of SIDE x SIDE at each of 64 places, 20 steps each."""
    device, mnist = next(model.parameters()).device, data.load("mnist")
    x, y = mnist.x_test[:places].to(device), mnist.y_test[:places].to(device)
    masks = square_masks((28, 28), SIDE, 3)
    left = int(left_by_patches(model, x, y, masks, steps=20, generator=runtime.generator(0, device)).sum())
    interval = [round(bound, 4) for bound in exact_interval(left, places)]
    return {"patch": [SIDE, SIDE], "places": len(masks), "images": places, "left": left, "interval": interval}
