"""Exercises of Lecture 7 on what is optimised: carlini_wagner_objective, jsma_saliency."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from helpers import attacks
from helpers.exercises import Arguments, Draw, Exercise, agree, args, holds, same

Function = Callable[..., Any]


def _images(draw: Draw, **named: Any) -> Arguments:
    """Logits of all signs, far from a tie."""
    shape = draw.choice([(1, 3, 4), (10,), (3, 2, 2)])
    logits = 2 * draw.normal(9, 5) + 10 * torch.arange(-1, 2).repeat(3)[:, None].to(draw.device, draw.dtype)
    named = {"c": draw.number(2.0, 5.0), **named}
    return args(draw.uniform(9, *shape), draw.uniform(9, *shape), logits, draw.integers(0, 5, 9), **named)


def _edges(draw: Draw) -> Arguments:
    """Whole logits: a tie, margins of exactly -kappa, two classes; one image has not moved."""
    x = draw.uniform(6, 2, 3)
    x_adv = draw.uniform(6, 2, 3)
    x_adv[0] = x[0]
    z = [[3, 3], [1, 3], [3, 1], [0, 1], [-2, -4], [-4, -2]]
    logits = torch.tensor(z, device=draw.device, dtype=draw.dtype)
    y = torch.zeros(6, dtype=torch.long, device=draw.device)
    return args(x_adv, x, logits, y, c=2.0, kappa=draw.choice([2.0, 0.0]), targeted=draw.choice([False, True]))


def _own_c(draw: Draw) -> Arguments:
    return _images(draw, c=draw.uniform(9, low=1.0, high=9.0), targeted=draw.choice([False, True]))


def _slopes(f: Function, draw: Draw) -> None:
    """The gradients by hand: 2 delta in the image, +-c at z_y and at the strongest other where M > -kappa."""
    case = _images(draw, kappa=1.0)
    x_adv, x, z, y = case.positional
    x_adv[0] = x[0]
    x_adv, z = x_adv.requires_grad_(), z.requires_grad_()
    value = f(x_adv, x, z, y, **case.named)
    in_x, in_z = torch.autograd.grad(value.sum(), (x_adv, z), allow_unused=True, materialize_grads=True)
    agree(in_x, 2 * (x_adv - x).detach(), meaning="Its gradient in x_adv is 2 (x_adv - x), also where x_adv = x.")
    live = case.named["c"] * (attacks.margin(z, y) > -1).to(z.dtype)[:, None]
    rival = z.detach().scatter(1, y[:, None], -torch.inf).argmax(1, keepdim=True)
    expected = torch.zeros_like(z).scatter(1, y[:, None], live).scatter(1, rival, -live)
    agree(
        in_z, expected, meaning="Its gradient in the logits is c at y and -c at the strongest other, while M > -kappa."
    )


SIZE, GAP = "(x_adv - x).square().flatten(1).sum(1)", "goal(logits, y, targeted)"
MARGIN = (
    "M = z_y - max of the others, targeted its negative; the value is |x_adv - x|_2^2 + c max(M, -kappa) per image."
)

carlini_wagner_objective = Exercise(
    "7.7",
    attacks.carlini_wagner_objective,
    checks=(
        same("is |x_adv - x|^2 + c max(M, -kappa), untargeted", lambda draw: _images(draw, kappa=1.0), meaning=MARGIN),
        same(
            "targeted: the margin has the other sign",
            lambda draw: _images(draw, kappa=0.5, targeted=True),
            meaning=MARGIN,
        ),
        same(
            "takes one c per image; kappa = 0 unless given", _own_c, meaning="c may hold one number per image: c * M."
        ),
        same("two classes, a tie, a margin of exactly -kappa", _edges, times=4, meaning=MARGIN),
        holds("has the gradient that an optimiser needs", _slopes, meaning="Compute with tensors all the way."),
    ),
    mistakes=(
        ("The square is missing: |x_adv - x|_2^2 is smooth at 0, its root is not.", {SIZE: f"{SIZE}.sqrt()"}),
        (
            "The maximum must leave out y itself; with it M is never positive.",
            {GAP: "((-1 if targeted else 1) * (logits.gather(1, y[:, None])[:, 0] - logits.amax(1)))"},
        ),
        (
            "y is taken out by 0 instead of -inf: where the other logits are negative, 0 is the largest.",
            {
                GAP: "((-1 if targeted else 1)"
                " * (logits.gather(1, y[:, None])[:, 0] - logits.scatter(1, y[:, None], 0).amax(1)))"
            },
        ),
        ("The margin is cut off at -kappa: beyond that the attack has won by enough.", {"min=-kappa": "min=kappa"}),
        ("The margin is not cut: max(M, -kappa) stops the push once the attack has won.", {".clamp(min=-kappa)": ""}),
        ("max(M, -kappa) bounds M from below: `clamp(min=-kappa)`, not max.", {"min=-kappa": "max=-kappa"}),
        ("c is missing: it weighs success against distance.", {"c * ": ""}),
        ("The sign of the margin is flipped: untargeted, M = z_y - max of the others must fall.", {GAP: f"-{GAP}"}),
        ("`targeted` is ignored: then M = max of the others - z_y.", {"y, targeted)": "y, False)"}),
        (
            "That is the sum over the batch: the bisection on c needs one value per image.",
            {"return ": "return (", "min=-kappa)": "min=-kappa)).sum()"},
        ),
        (
            "That is the mean over the batch: the bisection on c needs one value per image.",
            {"return ": "return (", "min=-kappa)": "min=-kappa)).mean()"},
        ),
        ("The squares are summed, not averaged.", {".sum(1)": ".mean(1)"}),
        (
            "The distance is summed over the whole batch: one for each image, `flatten(1).sum(1)`.",
            {".flatten(1).sum(1)": ".sum()"},
        ),
        ("That is the l_1 distance; here it is the square of the l_2 distance.", {".square()": ".abs()"}),
        ("The margin is cut at 0; it is cut at -kappa, so that the attack wins by kappa.", {"min=-kappa": "min=0"}),
        ("c weighs the margin here, not the distance.", {"return ": "return c * ", "+ c * ": "+ "}),
        (
            "M is a difference of logits, not of probabilities: these saturate, and their gradient with them.",
            {"goal(logits,": "goal(logits.softmax(1),"},
        ),
        (
            "That is the cross-entropy in place of the margin: it never stops, however far the attack has won.",
            {GAP: "((1 if targeted else -1) * torch.nn.functional.cross_entropy(logits, y, reduction='none'))"},
        ),
        (
            "The values are right, the gradient is cut off: no `detach`, `.item()`, `.data` or no_grad on the way.",
            {"return ": "return (", "min=-kappa)": "min=-kappa)).detach()"},
        ),
    ),
    hints=(
        "z_y is `logits.gather(1, y[:, None])[:, 0]`; for the others set it to -inf by `scatter`, then `amax(1)`.",
        "max(M, -kappa) is `clamp(min=-kappa)`; the squares are summed per image, `flatten(1).sum(1)`.",
    ),
    why="The margin is zero exactly at the boundary, whatever the scale of the logits, and the cut at -kappa stops "
    "the push once it has won, so that the rest of the search only shortens the perturbation.",
    differentiable=True,
    shows=(attacks.goal, attacks.margin),
)


def _parts(draw: Draw) -> Any:
    """All pairs of signs, zeros among them."""
    shape = draw.choice([(24,), (4, 9), (2, 3, 5)])
    alpha, beta = draw.normal(*shape), draw.normal(*shape)
    alpha.view(-1)[:2], beta.view(-1)[1:3] = 0, 0
    for k, (a, b) in enumerate(((1, 1), (1, -1), (-1, 1), (-1, -1))):
        alpha.view(-1)[4 + k], beta.view(-1)[4 + k] = 2.0 * a, 3.0 * b
    return alpha, beta


CONDITION, PRODUCT = "(alpha > 0) & (beta < 0)", "alpha * beta.abs()"
WHERE = f"torch.where({CONDITION}, {PRODUCT}, 0)"
SALIENCY = "S = alpha |beta| where alpha > 0 and beta < 0, entry by entry, else 0."

jsma_saliency = Exercise(
    "7.8",
    attacks.jsma_saliency,
    checks=(
        same("is alpha |beta| where alpha > 0 > beta, else 0", _parts, meaning=SALIENCY),
        same("in float64 to the last digits", _parts, dtype=torch.float64, rtol=1e-13, atol=0, meaning=SALIENCY),
        holds(
            "is never negative", lambda f, draw: f(*_parts(draw)) >= 0, meaning="alpha and |beta| are positive there."
        ),
    ),
    mistakes=(
        ("That is 0 everywhere; where alpha > 0 and beta < 0 it is alpha |beta|.", {PRODUCT: "0 * alpha"}),
        ("The condition is missing: S = 0 unless alpha > 0 and beta < 0.", {WHERE: PRODUCT}),
        ("beta is negative there, so the product is too: take |beta|.", {PRODUCT: "alpha * beta"}),
        ("Both conditions must hold, not one of them.", {" & ": " | "}),
        ("beta > 0 is allowed here; a pixel that raises the other classes too is useless.", {CONDITION: "alpha > 0"}),
        ("alpha < 0 is allowed here; raising that pixel would lower the target.", {CONDITION: "beta < 0"}),
        (
            "These are the pixels worth lowering; here those worth raising are asked for.",
            {CONDITION: "(alpha < 0) & (beta > 0)", PRODUCT: "alpha.abs() * beta"},
        ),
        ("That is the sum alpha + |beta|; the saliency is the product.", {PRODUCT: "alpha + beta.abs()"}),
        (
            "All pixels count there, whatever their signs; S = 0 unless alpha > 0 and beta < 0.",
            {WHERE: "(alpha * beta).abs()"},
        ),
        (
            "Equal signs may not count: alpha beta < 0 holds also where alpha < 0 < beta.",
            {CONDITION: "alpha * beta < 0", PRODUCT: "(alpha * beta).abs()"},
        ),
        (
            "That keeps the pixels with beta > 0, which raise the other classes too; beta must be negative.",
            {CONDITION: "(alpha > 0) & (beta > 0)"},
        ),
        (
            "That is the smaller of alpha and |beta|; the saliency is their product.",
            {PRODUCT: "torch.minimum(alpha, -beta)"},
        ),
        ("That is the condition alone, 0 or 1; where it holds S is alpha |beta|.", {PRODUCT: "torch.ones_like(alpha)"}),
        ("That is alpha alone; the saliency is alpha |beta|.", {PRODUCT: "alpha"}),
    ),
    hints=(
        "Which pixels get 0, and what do the others get?",
        "`torch.where(condition, value, 0)`; conditions on tensors are joined by `&`, each in brackets.",
    ),
    why="A product is large only if both are: a pixel that raises the target and every other class alike is useless.",
    minutes=5,
)
