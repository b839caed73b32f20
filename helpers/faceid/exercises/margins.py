"""Exercises 2.6 and 2.7 of Lecture 2: the margins of CosFace and ArcFace."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from helpers.exercises import Draw, Exercise, agree, args, holds, require, same
from helpers.faceid import margins
from helpers.faceid.exercises.metric import DIGITS

Function = Callable[..., Any]


def _cosines(draw: Draw) -> tuple[Tensor, Tensor]:
    """Batches with fewer, as many and more rows than classes; labels repeat."""
    n, K = draw.choice([(5, 3), (4, 4), (1, 2), (3, 8)])
    theta = draw.uniform(n, K, low=0.05, high=math.pi - 0.05)
    return theta.cos(), draw.integers(0, K, n)


def _cosface(draw: Draw) -> Any:
    return args(*_cosines(draw), s=draw.choice([1.0, 30.0, 8.0]), m=draw.choice([0.35, 0.1, 1.0]))


def _only_the_target(f: Function, draw: Draw) -> None:
    cos, y = _cosines(draw)
    z, s, m = f(cos, y, s=4.0, m=0.3), 4.0, 0.3
    own = F.one_hot(y, cos.shape[1]).bool()
    agree(z[~own], s * cos[~own], meaning="The other classes have no margin: z_j = s cos theta_j.")
    agree(z[own], s * cos[own] - s * m, meaning="The own logit is s m smaller.")


TARGET, OTHERS = "cos.scatter(1, y[:, None], target - m)", "Only the own class has the margin, and s multiplies it too."

cosface_logits = Exercise(
    "2.6",
    margins.cosface_logits,
    checks=(
        same("is s (cos theta_y - m) for the own class, s cos theta_j for others", _cosface, times=12, meaning=OTHERS),
        same("in the precision of cos", _cosface, times=4, dtype=torch.float64, rtol=1e-10, meaning=DIGITS),
        holds("moves the own logit by s m, the others not at all", _only_the_target, times=4, meaning=OTHERS),
    ),
    mistakes=(
        ("All classes have the margin now, which changes no probability: only the own class.", {TARGET: "(cos - m)"}),
        ("The margin makes it harder: it is subtracted.", {"target - m": "target + m"}),
        (
            "The margin is not scaled: s multiplies cos theta - m.",
            {TARGET: "cos.scatter(1, y[:, None], target - m / s)"},
        ),
        (
            "That is ArcFace, cos(theta + m); here m is subtracted from the cosine.",
            {"target - m": "(target.clamp(-1, 1).acos() + m).cos()"},
        ),
        ("The scale is missing.", {"return s * ": "return "}),
        (
            "`[:, y]` takes whole columns, for every row: each row has its own column y_i.",
            {TARGET: "(cos - m * torch.isin(torch.arange(cos.shape[1], device=y.device), y).to(cos))"},
        ),
        ("The others have the margin, and the own class none.", {TARGET: "(cos - m).scatter(1, y[:, None], target)"}),
        ("m is subtracted, not multiplied with.", {"target - m": "target * (1 - m)"}),
        (
            "The label is taken from the largest cosine; it is given.",
            {"return s": "y = cos.argmax(1)\n    target = cos.gather(1, y[:, None])\n    return s"},
        ),
    ),
    hints=(
        "`cos.gather(1, y[:, None])` are the cosines of the own classes, (N, 1).",
        "Change no entry of `cos` itself: `cos.scatter(1, y[:, None], new)` is a changed copy.",
        "`F.one_hot(y, K).to(cos.dtype)` works too (without `.to` a number times whole numbers is float32).",
    ),
    why="The sample is right only when cos theta_y beats every other cosine by m. s m, not m, is what the logit loses: "
    "the margin is one of cosines.",
    minutes=8,
)


def _arcface(draw: Draw) -> Any:
    return args(*_cosines(draw), s=draw.choice([1.0, 30.0, 8.0]), m=draw.choice([0.5, 1.0, 0.1]))


def _beyond(draw: Draw) -> Any:
    """The own angle is on both sides of pi - m."""
    cos, y = _cosines(draw)
    m = draw.choice([0.5, 1.0])
    theta = math.pi - m + draw.uniform(len(y), 1, low=-0.4, high=0.4)
    return args(cos.scatter(1, y[:, None], theta.cos()), y, s=draw.choice([1.0, 30.0]), m=m)


def _sweep(f: Function, draw: Draw) -> None:
    m = draw.choice([0.5, 1.0, 0.2])
    theta = torch.linspace(0.01, math.pi - 0.01, 400, device=draw.device, dtype=draw.dtype)
    cos = torch.stack([theta.cos(), torch.zeros_like(theta)], 1)
    z = f(cos, torch.zeros(400, dtype=torch.long, device=draw.device), s=1.0, m=m)[:, 0]
    require((z.diff() < 1e-4).all(), expected="a target logit that never rises", got=z, on=f"theta from 0 to pi, {m=}")


def _ends(f: Function, draw: Draw) -> None:
    """cos = 1 and -1 exactly; the tolerance is for angles that were clamped by up to 1e-3."""
    cos = draw.uniform(4, 3, low=-0.9, high=0.9)
    cos[:, 0] = torch.tensor([1.0, -1.0, 1.0, 0.2])
    cos[2:, 1] = torch.tensor([-1.0, 1.0])
    cos, y = cos.requires_grad_(), torch.tensor([0, 0, 1, 1], device=cos.device)
    z = f(cos, y, s=2.0, m=0.5)
    (g,) = torch.autograd.grad(F.cross_entropy(z, y), cos)
    require(g.isfinite().all(), expected="finite gradients at theta = 0 and pi", got=g)
    due = [math.cos(0.5), -1 - 0.5 * math.sin(0.5), -1 - 0.5 * math.sin(0.5), math.cos(0.5)]
    agree(z.gather(1, y[:, None])[:, 0].detach() / 2, z.new_tensor(due), rtol=0, atol=0.03)


RISES = "Beyond pi - m cos(theta + m) rises again: there the target is cos theta - m sin m."
ARC, LIMIT = "torch.where(theta <= math.pi - m, torch.cos(theta + m), beyond)", "theta <= math.pi - m"
SAFE = "arccos has an infinite slope at 1 and -1: clamp the cosines to -1 + 1e-6 ... 1 - 1e-6 first."

arcface_logits = Exercise(
    "2.7",
    margins.arcface_logits,
    checks=(
        same("is s cos(theta_y + m) for the own class, s cos theta_j for others", _arcface, times=12, meaning=RISES),
        same("is s (cos theta_y - m sin m) beyond pi - m", _beyond, times=8, meaning=RISES),
        same("in the precision of cos", _arcface, times=4, dtype=torch.float64, rtol=1e-10, meaning=DIGITS),
        holds("never rises with the angle", _sweep, times=4, meaning=RISES),
        holds("has finite gradients at theta = 0 and pi", _ends, times=2, meaning=SAFE),
    ),
    mistakes=(
        (RISES, {ARC: "torch.cos(theta + m)"}),
        (
            "The angle stops at pi: flat, no slope is left; beyond pi - m it is cos theta - m sin m.",
            {ARC: "torch.cos((theta + m).clamp(max=math.pi))"},
        ),
        (
            "That is SphereFace's way of going on; the authors take cos theta - m sin m.",
            {"torch.cos(theta) - m * math.sin(m)": "-torch.cos(theta + m) - 2"},
        ),
        ("It is m sin m, not sin m.", {"m * math.sin(m)": "math.sin(m)"}),
        ("That is CosFace beyond pi - m; it is cos theta - m sin m.", {"m * math.sin(m)": "m"}),
        ("The limit of the angle is pi - m, not m.", {LIMIT: "theta <= m"}),
        ("The limit of the angle is pi - m, not pi / 2.", {LIMIT: "theta <= math.pi / 2"}),
        ("The two cases are swapped.", {LIMIT: "theta > math.pi - m"}),
        ("The margin makes the angle larger: theta + m.", {"torch.cos(theta + m)": "torch.cos(theta - m)"}),
        (
            "That is CosFace, cos theta - m; here m is added to the angle.",
            {"torch.cos(theta + m)": "torch.cos(theta) - m"},
        ),
        (
            "That is m1, SphereFace's margin: the angle is added to, not multiplied.",
            {"torch.cos(theta + m)": "torch.cos((1 + m) * theta)"},
        ),
        (
            "All classes have the margin: it is for the own class alone.",
            {"cos.gather(1, y[:, None])": "cos", "cos.scatter(1, y[:, None], target)": "target"},
        ),
        ("The scale is missing.", {"return s * ": "return "}),
        ("m is in radians.", {"torch.cos(theta + m)": "torch.cos(theta + math.radians(m))"}),
        (SAFE, {"angle(cos.gather(1, y[:, None]))": "cos.gather(1, y[:, None]).acos()"}),
    ),
    hints=(
        "Sketch cos(theta + m) from 0 to pi: where does it rise? And what is d arccos(c)/dc at c = 1?",
        "`theta = torch.acos(cos.gather(1, y[:, None]).clamp(-1 + 1e-6, 1 - 1e-6))` are the angles of the own classes.",
        "`torch.where` chooses between cos(theta + m) and what stands beyond pi - m.",
        "`cos.scatter(1, y[:, None], target)` is a copy with the new targets; s multiplies all.",
    ),
    why="m is an angle here, the same everywhere on the sphere. Past pi - m the plain formula would reward a feature "
    "for being worse; the linear piece keeps the logit falling.",
    shows=(margins.angle,),
    minutes=15,
)
