"""Exercises of Lecture 7 along the gradient: fgsm, pgd_linf."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from helpers import attacks
from helpers.attacks.projections import norm, spread
from helpers.attacks.threat import goal
from helpers.exercises import Draw, Exercise, agree, args, holds, require, same

Function = Callable[..., Any]


class Wave(nn.Module):
    """logits = sin(6 W x): the loss goes up and down, so that the last iterate is seldom the best."""

    def __init__(self, weight: Tensor, speed: float) -> None:
        super().__init__()
        self.weight, self.speed = nn.Parameter(weight, requires_grad=False), speed

    def forward(self, x: Tensor) -> Tensor:
        """(N, ...) -> (N, K)."""
        z = x.flatten(1) @ self.weight.T
        return 3 * torch.sin(self.speed * z) if self.speed else z


def network(draw: Draw, inputs: int, classes: int = 5, speed: float = 0.0) -> Wave:
    """A random classifier of flat inputs; speed > 0: a wavy one."""
    return Wave(draw.normal(classes, inputs), speed)


def images(draw: Draw, n: int, *shape: int) -> Tensor:
    """(n, *shape) in [0, 1], a third of the pixels exactly 0 or 1."""
    return (draw.uniform(n, *shape, low=-0.3, high=1.3)).clamp(0, 1)


def _case(draw: Draw, *, speed: float = 0.0, **named: Any) -> Any:
    shape = draw.choice([(1, 4, 5), (3, 2, 3), (12,)])
    x = images(draw, 8, *shape)
    y = draw.integers(0, 5, 8)
    return args(network(draw, x[0].numel(), speed=speed), x, y, eps=draw.number(0.1, 0.4), **named)


def input_gradient(model: Function, x: Tensor, y: Tensor, targeted: bool = False) -> Tensor:
    """grad_x of the summed cross-entropy, of its negative when targeted."""
    with torch.enable_grad():
        x = x.detach().clone().requires_grad_()
        loss = F.cross_entropy(model(x), y, reduction="sum")
        return torch.autograd.grad(-loss if targeted else loss, x)[0]


def _linear_gain(f: Function, draw: Draw) -> None:
    w, x = draw.normal(9), draw.uniform(6, 9, low=0.4, high=0.6)
    pair = torch.stack([-w / 2, w / 2])
    x_adv = f(Wave(pair, 0.0), x, torch.ones(6, dtype=torch.long, device=x.device), eps=0.25)
    agree((x - x_adv) @ w, 0.25 * w.abs().sum().expand(6))


def _moved(change: Function) -> Function:
    def answer(model, x, y, *, eps, targeted=False):  # type: ignore[no-untyped-def]
        return change(x, input_gradient(model, x, y, targeted), eps)

    return answer


fgsm = Exercise(
    "7.1",
    attacks.fgsm,
    checks=(
        same("is clip(x + eps sign grad L(x, y)), untargeted", lambda draw: _case(draw)),
        same("targeted: the loss of the label wanted falls", lambda draw: _case(draw, targeted=True)),
        holds("on a linear model the score falls by exactly eps |w|_1", _linear_gain),
    ),
    mistakes=(
        ("The result leaves [0, 1]: no picture file can hold it. Clip.", _moved(lambda x, g, eps: x + eps * g.sign())),
        (
            "The sign is flipped: untargeted, the loss of the true label rises; targeted, that of the target falls.",
            _moved(lambda x, g, eps: (x - eps * g.sign()).clamp(0, 1)),
        ),
        ("The sign is missing: every pixel moves by a full eps.", _moved(lambda x, g, eps: (x + eps * g).clamp(0, 1))),
        (
            "That is steepest ascent in l_2; in l_inf it is the sign of each derivative.",
            _moved(lambda x, g, eps: (x + eps * g / spread(norm(g, 2), g)).clamp(0, 1)),
        ),
        ("That is the perturbation alone; add it to x.", _moved(lambda x, g, eps: (eps * g.sign()).clamp(0, 1))),
        (
            "Clipped to [-1, 1]: a picture lives in [0, 1], no pixel is darker than 0.",
            _moved(lambda x, g, eps: (x + eps * g.sign()).clamp(-1, 1)),
        ),
        (
            "The loss belongs to the label y that was given, not to the network's own prediction.",
            lambda model, x, y, *, eps, targeted=False: _moved(lambda x, g, eps: (x + eps * g.sign()).clamp(0, 1))(
                model, x, model(x).argmax(1), eps=eps, targeted=targeted
            ),
        ),
        (
            "A soft-max before the cross-entropy: the loss holds one already, hand it the logits.",
            lambda model, x, y, *, eps, targeted=False: _moved(lambda x, g, eps: (x + eps * g.sign()).clamp(0, 1))(
                lambda z: model(z).softmax(1), x, y, eps=eps, targeted=targeted
            ),
        ),
        (
            "`targeted` is ignored: with targeted=True the step must go down the loss.",
            lambda model, x, y, *, eps, targeted=False: (x + eps * input_gradient(model, x, y).sign()).clamp(0, 1),
        ),
    ),
    hints=(
        "Make a copy of x that asks for a gradient: `x = x.detach().clone().requires_grad_(True)`.",
        "`torch.autograd.grad(loss.sum(), x)` gives the gradient without touching the weights' `.grad`.",
        "Summed (or averaged) over the batch, the loss has for each image the sign of its own gradient.",
    ),
    why="autograd.grad leaves the model's own gradients alone. The loss is summed over the batch, so one backward "
    "pass gives every image its own gradient; the sign makes its scale irrelevant.",
)


def _pgd(
    *, start: str = "even", ball: bool = True, box: bool = True, best: str = "image", factor: float = 2.5,
    sign: bool = True, aim: bool = True,
) -> Function:  # fmt: skip
    """PGD with parts left out."""

    def answer(  # type: ignore[no-untyped-def]
        model, x, y, *, eps, steps, step=None, loss=attacks.cross_entropy, targeted=False, generator=None
    ):
        step = factor * eps / steps if step is None else step
        towards = -1 if targeted and aim else 1

        def clip(z: Tensor) -> Tensor:
            z = torch.minimum(torch.maximum(z, x - eps), x + eps) if ball else z
            return z.clamp(0, 1) if box else z

        like: Any = {"generator": None if start == "global" else generator, "dtype": x.dtype, "device": x.device}
        u = torch.randn(x.shape, **like) if start == "normal" else 2 * torch.rand(x.shape, **like) - 1
        z = x if start == "none" else clip(x + eps * (u.sign() if start == "corners" else u))

        def value_of(z: Tensor) -> Tensor:
            return -towards * loss(model(z), y) if best == "loss" else goal(model(z), y, targeted)

        kept, lowest = z, value_of(z)
        for _ in range(steps):
            with torch.enable_grad():
                z = z.detach().clone().requires_grad_()
                g = torch.autograd.grad(towards * loss(model(z), y).sum(), z)[0]
            z = clip(z.detach() + step * (g.sign() if sign else g / spread(norm(g, 2), g)))
            value = value_of(z)
            lower = (value.sum() < lowest.sum()).expand(len(x)) if best == "batch" else value < lowest
            kept, lowest = torch.where(spread(lower, x), z, kept), torch.where(lower, value, lowest)
        return z if best == "last" else kept

    return answer


def _pgd_case(draw: Draw, *, speed: float = 0.0, **named: Any) -> Any:
    return _case(draw, speed=speed, steps=draw.integer(4, 7), generator=draw.generator(), **named)


def _stays(f: Function, draw: Draw) -> None:
    model, x, y = network(draw, 12), images(draw, 8, 12), draw.integers(0, 5, 8)
    x_adv = f(model, x, y, eps=0.2, steps=7, step=0.15, generator=draw.generator())
    require(((x_adv - x).abs() <= 0.2 + 1e-5).all(), expected="|x_adv - x| <= eps = 0.2 in every pixel")
    require(((x_adv >= 0) & (x_adv <= 1)).all(), expected="x_adv in [0, 1]")


def _zero_eps(f: Function, draw: Draw) -> None:
    x = images(draw, 4, 6)
    agree(f(network(draw, 6), x, draw.integers(0, 5, 4), eps=0.0, steps=3, generator=draw.generator()), x)


def _own_generator(f: Function, draw: Draw) -> None:
    model, x, y = network(draw, 12), images(draw, 8, 12), draw.integers(0, 5, 8)
    seeds = [torch.Generator(x.device).manual_seed(3) for _ in range(2)]
    first, again = (f(model, x, y, eps=0.3, steps=1, step=0.0, generator=seed) for seed in seeds)
    agree(again, first, meaning="Draw u with `generator=generator`, or the attack cannot be repeated.")


pgd_linf = Exercise(
    "7.5",
    attacks.pgd_linf,
    checks=(
        holds("stays in the ball and in the box", _stays),
        holds("the same generator gives the same start", _own_generator),
        same("returns the best of all iterates", lambda draw: _pgd_case(draw, speed=5.0, step=0.2), times=3),
        same("is PGD from a random start, with the step 2.5 eps / steps", lambda draw: _pgd_case(draw)),
        same("takes the step given", lambda draw: _pgd_case(draw, step=0.03)),
        same("targeted: climbs towards the label wanted", lambda draw: _pgd_case(draw, targeted=True)),
        holds("eps = 0 changes nothing", _zero_eps),
    ),
    mistakes=(
        ("The steps are not projected: after some steps x_adv is farther than eps from x.", _pgd(ball=False)),
        ("The result leaves [0, 1]: clip to the box after each step, and the start as well.", _pgd(box=False)),
        ("The start is not random: x_0 = P(x + u), u uniform in [-eps, eps], from `generator`.", _pgd(start="none")),
        ("That is the steepest step of l_2; in l_inf it is the sign.", _pgd(sign=False)),
        ("The default step is 2.5 eps / steps: from a random start eps / steps need not arrive.", _pgd(factor=1.0)),
        ("`targeted` is ignored: with targeted=True the loss must fall.", _pgd(aim=False)),
        ("That is the last iterate. Keep, image by image, the one with the smallest margin.", _pgd(best="last")),
        ("The best iterate is the one with the smallest margin, not with the largest loss.", _pgd(best="loss")),
        ("One iterate for the whole batch: each image keeps its own best, by `torch.where`.", _pgd(best="batch")),
        ("The start is a corner of the cube; u is uniform in [-eps, eps]: no sign there.", _pgd(start="corners")),
        ("The start is drawn from a normal distribution; u is uniform in [-eps, eps].", _pgd(start="normal")),
    ),
    hints=(
        "low, high = (x - eps).clamp(min=0), (x + eps).clamp(max=1): then P is one `clamp(low, high)`.",
        "The start: x + eps * (2 * torch.rand(x.shape, generator=generator) - 1), projected.",
        "`threat.margin(logits, y)` measures success (smaller is better for the attack; larger for a target). Compare "
        "at every iterate, the first and the last included, and keep by `torch.where`.",
    ),
    why="The two clips are one, to [max(x - eps, 0), min(x + eps, 1)]. The best iterate costs nothing more: the "
    "logits are there anyway, except after the last step, which needs one forward pass.",
    minutes=20,
)
