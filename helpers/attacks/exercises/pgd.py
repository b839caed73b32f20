"""Exercise 7.5 of Lecture 7: projected gradient descent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from helpers import attacks
from helpers.attacks.exercises.networks import (
    NO_BACKWARD,
    WRONG_ITERATE,
    Wave,
    images,
    leaves_weights_alone,
    network,
    straight,
    wavy,
)
from helpers.attacks.projections import clip_linf, random_in_ball
from helpers.exercises import Draw, Exercise, agree, args, holds, require, same

Function = Callable[..., Any]


def _hinge(logits: Tensor, y: Tensor) -> Tensor:
    """A loss other than the cross-entropy."""
    return -attacks.margin(logits, y)


def _stays(f: Function, draw: Draw) -> None:
    model, x, y = network(draw, 12), images(draw, 8, 12), draw.integers(0, 5, 8)
    for step in (0.15, 0.0):
        x_adv = f(model, x, y, eps=0.2, steps=7, step=step, generator=draw.generator())
        require(((x_adv - x).abs() <= 0.2 + 1e-5).all(), expected="|x_adv - x| <= eps = 0.2 in every pixel")
        require(((x_adv >= 0) & (x_adv <= 1)).all(), expected="x_adv in [0, 1]")


def _start(f: Function, draw: Draw, seed: int, step: float = 0.0) -> tuple[Any, Tensor]:
    """The arguments of an attack on two grey images of 4,000 pixels, and what comes after one step of that length."""
    x = torch.full((2, 4000), 0.5, dtype=draw.dtype, device=draw.device)
    model = Wave(torch.linspace(0.5, 1.5, 8000).view(2, 4000).to(x) - 0.75)
    generator = torch.Generator(x.device).manual_seed(seed)
    case = args(model, x, torch.zeros(2, dtype=torch.long, device=x.device), eps=0.25, steps=1, step=step)
    return case, f(*case.positional, **case.named, generator=generator)


def _uniform_start(f: Function, draw: Draw) -> None:
    """Kolmogorov and Smirnov: a true uniform draw fails once in 10^11."""
    seed = draw.integer(0, 2**31)
    (_, first), (_, again), (_, other) = (_start(f, draw, s) for s in (seed, seed, seed + 1))
    agree(again, first, meaning="Draw u with `generator=generator`, or the attack cannot be repeated.")
    require((first != other).any(), expected="another start from another generator", got="the same start")
    require((first[0] != first[1]).any(), expected="a u of its own for every image", got="one for all")
    share = ((first - 0.5) / 0.25 + 1) / 2
    steps = torch.arange(1, 4001, device=share.device) / 4000
    require(
        ((share.sort(1).values - steps).abs() < 0.06).all(),
        expected="u spread evenly over [-eps, eps]",
        got=f"u of mean {(first - 0.5).mean():.3f} and standard deviation {(first - 0.5).std():.3f}, eps = 0.25",
    )


def _steps_from_the_start(f: Function, draw: Draw) -> None:
    seed = draw.integer(0, 2**31)
    (case, start), (_, end) = _start(f, draw, seed), _start(f, draw, seed, step=0.1)
    one = attacks.fgsm(*case.positional, eps=0.1) - 0.5
    agree(end, (start + one).clamp(0.25, 0.75))


def _zero_eps(f: Function, draw: Draw) -> None:
    x = images(draw, 4, 6)
    agree(f(network(draw, 6), x, draw.integers(0, 5, 4), eps=0.0, steps=3, generator=draw.generator()), x)


def _from_x(draw: Draw, **named: Any) -> Any:
    return wavy(draw, **{"speed": 5.0, "steps": draw.choice([12, 7]), "random_start": False, **named})


U = "2 * torch.rand(x.shape, **like) - 1"
PGD = "Each step: x <- P(x + step * sign(g)), P the clip to the ball and the box; each image's best x is returned."
LOSSES = (attacks.cross_entropy, _hinge)

pgd_linf = Exercise(
    "7.5",
    attacks.pgd_linf,
    checks=(
        holds(
            "stays in the ball and in the box",
            _stays,
            meaning="P, the clip to [x - eps, x + eps] and to [0, 1], comes after every step, and after the start.",
        ),
        holds(
            "starts at a uniform random point of the ball, drawn from the generator",
            _uniform_start,
            meaning="x_0 = P(x + u), every u_i evenly from [-eps, eps]: `eps * (2 * torch.rand(...) - 1)`.",
        ),
        holds("the steps go on from that start", _steps_from_the_start, meaning="x_1 is a step from x_0, not from x."),
        same(
            "random_start=False begins at x; step = 2.5 eps / steps; in the precision of x",
            lambda draw: straight(draw, steps=draw.choice([1, 4, 7]), random_start=False),
            meaning=PGD,
        ),
        same(
            "returns the best of all iterates, image by image",
            lambda draw: _from_x(draw, step=0.2),
            dtype=torch.float64,
            times=6,
            meaning="Best is the smallest margin of y among x_0, ..., x_steps, for each image on its own.",
        ),
        same(
            "takes the step and the loss given",
            lambda draw: _from_x(draw, step=0.03, loss=draw.choice(LOSSES)),
            dtype=torch.float64,
            times=6,
            meaning="`step` and `loss` are arguments: use them where they are given.",
        ),
        same(
            "targeted: the loss of the label wanted falls",
            lambda draw: _from_x(draw, targeted=True, loss=draw.choice(LOSSES)),
            dtype=torch.float64,
            times=6,
            meaning="Targeted, the loss of y falls, and best is the largest margin of y.",
        ),
        holds(
            "leaves the network's own gradients alone",
            lambda f, draw: leaves_weights_alone(f, draw, straight(draw, steps=2)),
            meaning=NO_BACKWARD,
        ),
        holds("eps = 0 changes nothing", _zero_eps, meaning="With eps = 0 the ball is the point x."),
    ),
    mistakes=(
        (
            "The steps are not projected: after some steps x_adv is farther than eps from x.",
            {"clip_linf(x, eps)": "lambda z: z.clamp(0, 1)"},
        ),
        (
            "The result leaves [0, 1]: clip to the box after each step, and the start as well.",
            {".clamp(min=0)": "", ".clamp(max=1)": ""},
            clip_linf,
        ),
        (
            "The start is not random: x_0 = P(x + u), u uniform in [-eps, eps], from `generator`.",
            {"project(x + random_in_ball(x, eps, math.inf, generator)) if random_start else x": "x"},
        ),
        ("`random_start` is ignored: where it is False, x_0 is x.", {" if random_start else x": ""}),
        ("`generator` is ignored: draw u with `generator=generator`.", {"math.inf, generator)": "math.inf)"}),
        (
            "The start is a corner of the cube; u is uniform in [-eps, eps]: no sign there.",
            {U: "(2 * torch.rand(x.shape, **like) - 1).sign()"},
            random_in_ball,
        ),
        (
            "The start is drawn from a normal distribution; u is uniform in [-eps, eps].",
            {U: "torch.randn(x.shape, **like)"},
            random_in_ball,
        ),
        (
            "u is drawn from [0, eps]: it reaches to both sides, 2 * rand - 1.",
            {U: "torch.rand(x.shape, **like)"},
            random_in_ball,
        ),
        (
            "u is drawn from [-eps / 2, eps / 2]: it is 2 * rand - 1, times eps.",
            {U: "torch.rand(x.shape, **like) - 0.5"},
            random_in_ball,
        ),
        ("u is drawn from [-1, 1], whatever eps: multiply it by eps.", {"return eps * u": "return u"}, random_in_ball),
        (
            "One u for all images: draw as many numbers as x has.",
            {U: "2 * torch.rand(x.shape[1:], **like).expand(x.shape) - 1"},
            random_in_ball,
        ),
        (
            "One number u for all pixels of an image: draw as many numbers as x has.",
            {U: "spread(2 * torch.rand(len(x), **like) - 1, x).expand(x.shape)"},
            random_in_ball,
        ),
        (
            "That is the steepest step of l_2; in l_inf it is the sign.",
            {"g.sign()": "g / spread(norm(g, 2), g).clamp(min=1e-12)"},
        ),
        ("The sign is missing: every pixel moves by a full step.", {"g.sign()": "g"}),
        ("The sign is flipped: the loss of y shall rise, or, targeted, fall.", {"z + step": "z - step"}),
        ("The default step is 2.5 eps / steps: from a random start eps / steps need not arrive.", {"2.5 * eps": "eps"}),
        (
            "The default step is 2.5 eps / steps, not 2.5 eps: it is the steps together that go farther than eps.",
            {"2.5 * eps / steps": "2.5 * eps"},
        ),
        (
            "`step` is ignored: 2.5 eps / steps only where it is None.",
            {' if step is None else per_image(step, x, "step")': ""},
        ),
        ("`loss` is ignored: it may be another one than the cross-entropy.", {"loss=loss, ": ""}),
        (
            "`targeted` is ignored: with targeted=True the loss must fall.",
            {"-loss(z, y) if targeted else loss(z, y)": "loss(z, y)"},
            attacks.ascend,
        ),
        *WRONG_ITERATE,
        (
            "One iterate for the whole batch: each image keeps its own best, by `torch.where`.",
            {
                "spread(value < smallest, x)": "value.sum() < smallest.sum()",
                "torch.fmin(value, smallest)": "torch.where(value.sum() < smallest.sum(), value, smallest)",
            },
            attacks.ascend,
        ),
        (
            "x_0 is not looked at: the start may be the best of all.",
            {"value = gap(logits, y)": "value = gap(logits, y) + (math.inf if step == 0 else 0)"},
            attacks.ascend,
        ),
    ),
    hints=(
        "low, high = (x - eps).clamp(min=0), (x + eps).clamp(max=1): then P is one `clamp(low, high)`.",
        "In the loop x starts afresh: `x = x.detach().requires_grad_(True)`, then the logits, "
        "`torch.autograd.grad(loss(logits, y).sum(), x)[0]`, the step, the clip.",
        "`attacks.margin(logits, y)` measures success (smaller is better for the attack; larger for a target). Compare "
        "at every iterate, the first and the last included, and keep by `torch.where`.",
    ),
    why="The two clips are one, to [max(x - eps, 0), min(x + eps, 1)]. The best iterate costs nothing more: the "
    "logits are there anyway, except after the last step, which needs one forward pass.",
    minutes=30,
    shows=(clip_linf, random_in_ball, attacks.ascend, attacks.input_gradient),
)
