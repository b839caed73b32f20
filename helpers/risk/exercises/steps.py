"""Exercises 1.9 and 1.5: one step of SGD, the best step on a quadratic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from helpers import risk
from helpers.exercises import Arguments, Draw, Exercise, agree, args, holds, require, same

Function = Callable[..., Any]


def _state(draw: Draw) -> tuple[Tensor, Tensor, Tensor]:
    shape = draw.choice([(5,), (3, 4), (2, 3, 2), ()])
    return draw.normal(*shape), draw.normal(*shape), draw.normal(*shape)


def _any_step(draw: Draw) -> Arguments:
    beta, tau = draw.number(0.3, 0.9), draw.number(0.2, 1.0)
    rest = draw.choice([{"beta": beta, "tau": tau}, {"beta": beta}, {"tau": tau}, {}, {"beta": 0.99, "tau": 10.0}])
    return args(*_state(draw), eta=draw.number(0.05, 2.0), **rest)


def _weight_decay(f: Function, draw: Draw) -> None:
    (w, gradient, velocity), eta, tau = _state(draw), draw.number(0.05, 0.5), draw.number(0.2, 1.0)
    agree(f(w, gradient, velocity, eta=eta, tau=tau)[0], (1 - tau * eta) * w - eta * gradient, rtol=1e-12)
    agree(f(w, gradient, velocity, eta=eta)[0], w - eta * gradient, rtol=1e-12)


def _heavy_ball(f: Function, draw: Draw) -> None:
    (w0, g0, g1), eta, beta = _state(draw), draw.number(0.05, 0.5), draw.number(0.3, 0.9)
    w1, velocity = f(w0, g0, torch.zeros_like(w0), eta=eta, beta=beta)
    w2, _ = f(w1, g1, velocity, eta=eta, beta=beta)
    agree(w2, w1 - eta * g1 + beta * (w1 - w0), rtol=1e-12)


SUM = "gradient + tau * w"

sgd_step = Exercise(
    "1.9",
    risk.sgd_step,
    checks=(
        same(
            "is one step with momentum and penalty, nothing changed in place",
            _any_step,
            meaning="First the new velocity, beta v + (gradient + tau w); then w - eta times the new velocity; both "
            "come back, w first. beta and tau are 0 unless given.",
        ),
        holds(
            "without momentum it is weight decay, (1 - tau eta) w - eta g",
            _weight_decay,
            dtype=torch.float64,
            meaning="With beta = 0 the old velocity plays no part, and tau w joins the gradient. All digits count: "
            "nothing is rounded to float32.",
        ),
        holds(
            "two steps are Polyak's heavy ball, w - eta g + beta (w - w_before)",
            _heavy_ball,
            dtype=torch.float64,
            meaning="The velocity that comes back has to be the new one: the next step starts from it.",
        ),
    ),
    mistakes=(
        ("w goes up the hill: the step is against the gradient, w - eta v.", {"w - eta": "w + eta"}),
        (
            "The sign of the penalty is flipped: its gradient is + tau w, and the step goes against it, so that w "
            "shrinks.",
            {"+ tau * w": "- tau * w"},
        ),
        (
            "That averages the gradients, with a factor 1 - beta; the heavy ball adds them up, and its steps are "
            "1/(1 - beta) times longer.",
            {SUM: f"(1 - beta) * ({SUM})"},
        ),
        (
            "w moves with the old velocity: update v first, then use the new one.",
            {"velocity = beta": "w, velocity = w - eta * velocity, beta", "return w - eta * velocity": "return w"},
        ),
        (
            "The old velocity comes back; the next step needs the new one.",
            {"velocity = beta": "new = beta", "w - eta * velocity": "w - eta * new"},
        ),
        (
            "The penalty bypasses the velocity (decoupled, as in AdamW): the same without momentum, another "
            "method with it.",
            {SUM: "gradient", "return w": "return (1 - eta * tau) * w"},
        ),
        (
            "That is Nesterov's momentum, which looks one step ahead; the heavy ball moves by eta v alone.",
            {"w - eta * velocity": f"w - eta * ({SUM} + beta * velocity)"},
        ),
        (
            "Here -eta went into the velocity, as in some books; in this course v adds up gradients and eta "
            "enters at the end.",
            {f"+ {SUM}": f"- eta * ({SUM})", "w - eta * velocity": "w + velocity"},
        ),
        (
            "The weights come first, then the velocity.",
            {"return w - eta * velocity, velocity": "return velocity, w - eta * velocity"},
        ),
        (
            "Operations with an underscore, and `+=` or `-=`, change the caller's tensors. Compute new ones: "
            "`velocity = beta * velocity + ...`.",
            {"= beta * velocity +": "= velocity.mul_(beta) +", "w - eta * velocity": "w.sub_(eta * velocity)"},
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
    """Positive definite, eigenvalues 1 .. 12 times a number, axes at random; shape (..., d)."""
    axes, _ = torch.linalg.qr(draw.normal(*shape, shape[-1]).double())
    values = draw.number(0.1, 3.0) * torch.linspace(1, 12, shape[-1], dtype=axes.dtype, device=axes.device)
    return ((axes * values) @ axes.mT).to(draw.dtype)


def _vector(draw: Draw) -> Arguments:
    d, size = draw.choice([3, 5, 1]), draw.choice([1.0, 1e-6])
    return args(size * draw.normal(d), _hessian(draw, d))


def _batches(draw: Draw) -> Arguments:
    g, h = draw.choice([((4, 3), (3,)), ((4, 3), (4, 3)), ((3, 3), (3,)), ((3, 3), (3, 3)), ((2, 5, 3), (2, 5, 3))])
    return args(draw.normal(*g), _hessian(draw, *h))


def _quadratic(draw: Draw) -> tuple[Tensor, Tensor]:
    """A gradient that is no eigenvector: its parts along all axes are equally long."""
    hessian = _hessian(draw, draw.integer(2, 7))
    return torch.linalg.eigh(hessian).eigenvectors @ draw.signs(len(hessian)), hessian


def _orthogonal(f: Function, draw: Draw) -> None:
    gradient, hessian = _quadratic(draw)
    after = gradient - f(gradient, hessian) * (hessian @ gradient)
    cosine = F.cosine_similarity(gradient, after, dim=0).item()
    expected = "cosine 0 between the gradients before and after the step"
    require(abs(cosine) < 1e-10, expected=expected, got=f"{cosine:.4g}")


def _no_better(f: Function, draw: Draw) -> None:
    gradient, hessian = _quadratic(draw)
    w = torch.linalg.solve(hessian, gradient)  # R(w) = w'Hw/2 has this gradient there
    risk_after = lambda step: 0.5 * (w - step * gradient) @ hessian @ (w - step * gradient)  # noqa: E731
    step = f(gradient, hessian)
    for factor in (0.0, 0.5, 0.99, 1.01, 2.0):
        better = f"a lower one at {factor} times the step"
        require(risk_after(step) <= risk_after(factor * step), expected="the lowest risk along -g", got=better)


RATIO, CURVATURE = "gradient.square().sum(-1) / curvature", '"...i,...ij,...j->...", gradient, hessian, gradient'

optimal_step_quadratic = Exercise(
    "1.11",
    risk.optimal_step_quadratic,
    checks=(
        same(
            "is g'g / g'Hg, for a gradient of any length",
            _vector,
            meaning="Two numbers and their ratio: the squared length of g above, below it the sum of g_i H_ij g_j over "
            "all i and j. The step does not depend on the length of g: nothing is added to the denominator.",
        ),
        holds(
            "makes the next gradient orthogonal to this one",
            _orthogonal,
            dtype=torch.float64,
            meaning="The step is too long or too short. The next gradient is g - eta Hg; set its product with g to "
            "zero and solve for eta. All digits count: nothing is rounded to float32.",
        ),
        holds(
            "no other step along -g lowers the risk more",
            _no_better,
            dtype=torch.float64,
            meaning="Along -g the risk is a parabola in eta with slope -g'g at 0 and curvature g'Hg: its lowest point "
            "is elsewhere.",
        ),
        same(
            "works for batches: g (..., d) with H (d, d) or (..., d, d)",
            _batches,
            meaning="Right for one vector, not for a batch: each gradient has a step of its own, from sums over the "
            "last dimension only, with the one H or with the H at its own place.",
        ),
    ),
    mistakes=(
        (
            "Upside down: that is the curvature along g. The steeper the valley, the shorter the step.",
            {RATIO: "curvature / gradient.square().sum(-1)"},
        ),
        (
            "That step makes the next gradient shortest; the one asked for makes the next risk smallest.",
            {RATIO: 'curvature / torch.einsum("...ij,...j->...i", hessian, gradient).square().sum(-1)'},
        ),
        (
            "That is 1/L, the step that is safe for every gradient; the best one depends on g.",
            {RATIO: "(1 / torch.linalg.eigvalsh(hessian)[..., -1]).expand(gradient.shape[:-1])"},
        ),
        (
            "Only the diagonal of H is used; g'Hg sums over all pairs of coordinates.",
            {CURVATURE: '"...i,...ii,...i->...", gradient, hessian, gradient'},
        ),
        (
            "The numerator is the norm of g, not its square: a step that is ten times longer for ten times the "
            "gradient is no step size.",
            {"square().sum(-1)": "norm(dim=-1)"},
        ),
        (
            "That is half the step: the 1/2 of 1/2 w'Hw goes when it is differentiated.",
            {RATIO: "0.5 * gradient.square().sum(-1) / curvature"},
        ),
        (
            "The sums run over the whole batch; each gradient has a step of its own, so sum over the last "
            "dimension only.",
            {RATIO: "gradient.square().sum() / curvature.sum()"},
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
