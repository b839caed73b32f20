"""Exercises 1.4 and 1.5: one step of SGD, the best step on a quadratic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from helpers import risk
from helpers.exercises import Draw, Exercise, agree, args, holds, require, same

Function = Callable[..., Any]
Arguments = Any  # what args(...) makes


def _state(draw: Draw) -> tuple[Tensor, Tensor, Tensor]:
    shape = draw.choice([(5,), (3, 4), (2, 3, 2)])
    return draw.normal(*shape), draw.normal(*shape), draw.normal(*shape)


def _any_step(draw: Draw) -> Arguments:
    return args(*_state(draw), eta=draw.number(0.05, 0.5), beta=draw.number(0.3, 0.9), tau=draw.number(0.2, 1.0))


def _weight_decay(f: Function, draw: Draw) -> None:
    (w, gradient, velocity), eta, tau = _state(draw), draw.number(0.05, 0.5), draw.number(0.2, 1.0)
    agree(f(w, gradient, velocity, eta=eta, tau=tau)[0], (1 - tau * eta) * w - eta * gradient)
    agree(f(w, gradient, velocity, eta=eta)[0], w - eta * gradient)


def _heavy_ball(f: Function, draw: Draw) -> None:
    (w0, g0, g1), eta, beta = _state(draw), draw.number(0.05, 0.5), draw.number(0.3, 0.9)
    w1, velocity = f(w0, g0, torch.zeros_like(w0), eta=eta, beta=beta)
    w2, _ = f(w1, g1, velocity, eta=eta, beta=beta)
    agree(w2, w1 - eta * g1 + beta * (w1 - w0))


def _ascent(w, gradient, velocity, *, eta, beta=0.0, tau=0.0):  # type: ignore[no-untyped-def]
    velocity = beta * velocity + gradient + tau * w
    return w + eta * velocity, velocity


def _averaged(w, gradient, velocity, *, eta, beta=0.0, tau=0.0):  # type: ignore[no-untyped-def]
    velocity = beta * velocity + (1 - beta) * (gradient + tau * w)
    return w - eta * velocity, velocity


def _decoupled(w, gradient, velocity, *, eta, beta=0.0, tau=0.0):  # type: ignore[no-untyped-def]
    velocity = beta * velocity + gradient
    return (1 - eta * tau) * w - eta * velocity, velocity


def _nesterov(w, gradient, velocity, *, eta, beta=0.0, tau=0.0):  # type: ignore[no-untyped-def]
    velocity = beta * velocity + gradient + tau * w
    return w - eta * (gradient + tau * w + beta * velocity), velocity


def _old_velocity(w, gradient, velocity, *, eta, beta=0.0, tau=0.0):  # type: ignore[no-untyped-def]
    return w - eta * velocity, beta * velocity + gradient + tau * w


def _minus_penalty(w, gradient, velocity, *, eta, beta=0.0, tau=0.0):  # type: ignore[no-untyped-def]
    velocity = beta * velocity + gradient - tau * w
    return w - eta * velocity, velocity


def _eta_inside(w, gradient, velocity, *, eta, beta=0.0, tau=0.0):  # type: ignore[no-untyped-def]
    velocity = beta * velocity - eta * (gradient + tau * w)
    return w + velocity, velocity


def _in_place(w, gradient, velocity, *, eta, beta=0.0, tau=0.0):  # type: ignore[no-untyped-def]
    velocity.mul_(beta).add_(gradient + tau * w)
    return w.sub_(eta * velocity), velocity


sgd_step = Exercise(
    "1.4",
    risk.sgd_step,
    checks=(
        same("is one step with momentum and penalty, nothing changed in place", _any_step),
        holds("without momentum it is weight decay, (1 - tau eta) w - eta g", _weight_decay),
        holds("two steps are Polyak's heavy ball, w - eta g + beta (w - w_before)", _heavy_ball),
    ),
    mistakes=(
        ("w goes up the hill: the step is against the gradient, w - eta v.", _ascent),
        (
            "The sign of the penalty is flipped: its gradient is + tau w, and the step goes against it, so that w "
            "shrinks.",
            _minus_penalty,
        ),
        (
            "That averages the gradients, with a factor 1 - beta; the heavy ball adds them up, and its steps are "
            "1/(1 - beta) times longer.",
            _averaged,
        ),
        ("w moves with the old velocity: update v first, then use the new one.", _old_velocity),
        (
            "The penalty bypasses the velocity (decoupled, as in AdamW): the same without momentum, another "
            "method with it.",
            _decoupled,
        ),
        ("That is Nesterov's momentum, which looks one step ahead; the heavy ball moves by eta v alone.", _nesterov),
        (
            "Here -eta went into the velocity, as in some books; in this course v adds up gradients and eta "
            "enters at the end.",
            _eta_inside,
        ),
        (
            "Operations with an underscore, and `+=` or `-=`, change the caller's tensors. Compute new ones: "
            "`velocity = beta * velocity + ...`.",
            _in_place,
        ),
    ),
    hints=(
        "Two lines, in the order of the formula; the second uses the new velocity.",
        "The penalty tau |w|^2 / 2 has the gradient tau w. It joins the gradient before the velocity sees it.",
        "`velocity = beta * velocity + ...` makes a new tensor, `velocity *= beta` changes the caller's.",
        "Return both, weights first: a loop will feed them into the next step.",
    ),
    why="The velocity is a sum of old gradients with weights beta^k; because w_t - w_(t-1) = -eta v, two steps "
    "give Polyak's w - eta g + beta (w_t - w_(t-1)). With beta = 0 the penalty multiplies w by 1 - tau eta: weight "
    "decay. New tensors in place of in-place changes keep the path of w, which the lecture stores, intact.",
)


def _hessian(draw: Draw, *shape: int) -> Tensor:
    root = draw.normal(*shape, shape[-1])
    return root @ root.mT + 0.2 * torch.eye(shape[-1], dtype=draw.dtype, device=draw.device)


def _one_quadratic(draw: Draw) -> Arguments:
    d = draw.integer(2, 6)
    return args(draw.normal(d), _hessian(draw, d))


def _many_quadratics(draw: Draw) -> Arguments:
    batch, d = draw.choice([((4,), 3), ((2, 5), 3)])
    return args(draw.normal(*batch, d), _hessian(draw, *draw.choice([batch, ()]), d))


def _orthogonal(f: Function, draw: Draw) -> None:
    gradient, hessian = _one_quadratic(draw).positional
    after = gradient - f(gradient, hessian) * (hessian @ gradient)
    cosine = (F.cosine_similarity(gradient, after, dim=0)).item()
    require(
        abs(cosine) < 1e-6, expected="cosine 0 between the gradients before and after the step", got=f"{cosine:.4g}"
    )


def _no_better(f: Function, draw: Draw) -> None:
    gradient, hessian = _one_quadratic(draw).positional
    w = torch.linalg.solve(hessian, gradient)  # R(w) = w'Hw/2 has this gradient there

    def value(step: Tensor) -> Tensor:
        return 0.5 * (w - step * gradient) @ hessian @ (w - step * gradient)

    step = f(gradient, hessian)
    for factor in (0.0, 0.5, 0.99, 1.01, 2.0):
        require(
            value(step) <= value(factor * step),
            expected="the lowest risk along -g",
            got=f"a lower one at {factor} times the step",
        )


def _curvature(g: Tensor, h: Tensor) -> Tensor:
    return torch.einsum("...i,...ij,...j->...", g, h, g)


def _least_gradient(gradient, hessian):  # type: ignore[no-untyped-def]
    return _curvature(gradient, hessian) / _curvature(gradient, hessian @ hessian)


def _inverse_largest(gradient, hessian):  # type: ignore[no-untyped-def]
    return (1 / torch.linalg.eigvalsh(hessian)[..., -1]).expand(gradient.shape[:-1])


def _diagonal(gradient, hessian):  # type: ignore[no-untyped-def]
    return gradient.square().sum(-1) / (gradient.square() * hessian.diagonal(dim1=-2, dim2=-1)).sum(-1)


optimal_step_quadratic = Exercise(
    "1.5",
    risk.optimal_step_quadratic,
    checks=(
        same("is g'g / g'Hg", _one_quadratic, dtype=torch.float64),
        holds("makes the next gradient orthogonal to this one", _orthogonal, dtype=torch.float64, times=3),
        holds("no other step along -g lowers the risk more", _no_better, dtype=torch.float64, times=3),
        same("works for batches: g (..., d) with H (d, d) or (..., d, d)", _many_quadratics, times=6),
    ),
    mistakes=(
        (
            "Upside down: that is the curvature along g. The steeper the valley, the shorter the step.",
            lambda gradient, hessian: _curvature(gradient, hessian) / gradient.square().sum(-1),
        ),
        (
            "That step makes the next gradient shortest; the one asked for makes the next risk smallest.",
            _least_gradient,
        ),
        ("That is 1/L, the step that is safe for every gradient; the best one depends on g.", _inverse_largest),
        ("Only the diagonal of H is used; g'Hg sums over all pairs of coordinates.", _diagonal),
        (
            "The numerator is the norm of g, not its square: a step that is ten times longer for ten times the "
            "gradient is no step size.",
            lambda gradient, hessian: gradient.norm(dim=-1) / _curvature(gradient, hessian),
        ),
        (
            "The sums run over the whole batch; each gradient has a step of its own, so sum over the last "
            "dimension only.",
            lambda gradient, hessian: gradient.square().sum() / _curvature(gradient, hessian).sum(),
        ),
        (
            "Right for one vector. Between batches `@` is a matrix product: multiply entry by entry and sum over "
            "the last dimension.",
            lambda gradient, hessian: (gradient @ gradient) / (gradient @ hessian @ gradient),
        ),
    ),
    hints=(
        "Where does the formula come from? Set the derivative of eta -> R(w - eta g) to zero.",
        "For a batch, g'g is `gradient.square().sum(-1)`.",
        "Hg for a batch: give g a last dimension of size 1 and take it away again, `(hessian @ gradient[..., "
        "None])[..., 0]`, or use `torch.einsum`.",
    ),
    why="Along the line, R(w - eta g) is a parabola with slope -g'g at 0 and curvature g'Hg; its lowest point is "
    "at their ratio. There the derivative along g vanishes, which says that the next gradient is orthogonal to g: "
    "hence the zigzag.",
)
