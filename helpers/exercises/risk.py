"""The exercises of Lecture 1, `risk`: what is checked, what usually goes wrong, hints."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from helpers import risk
from helpers.exercises import Draw, Exercise, agree, args, holds, require, same

Function = Callable[..., Any]
Arguments = Any  # what args(...) makes
LN2 = math.log(2)

# ------------------------------------------------------------------------------------------------- 1.1 empirical risk


def _regression(draw: Draw) -> Arguments:
    w, m = draw.normal(3), draw.integer(2, 40)

    def pinball(prediction, y):
        return torch.maximum(3 * (prediction - y), y - prediction)  # not symmetric

    return args(pinball, lambda x: x @ w, draw.normal(m, 3), draw.normal(m))


def _classification(draw: Draw) -> Arguments:
    w, m = draw.normal(16, 5), draw.integer(2, 40)
    return args(
        risk.multiclass_logistic_loss, lambda x: x.flatten(1) @ w, draw.normal(m, 1, 4, 4), draw.integers(0, 5, m)
    )


def _sample_laws(f: Function, draw: Draw) -> None:
    loss, a, x, y = _regression(draw).positional
    order, half = draw.uniform(len(x)).argsort(), len(x) // 2
    whole, first, second = f(loss, a, x, y), f(loss, a, x[:half], y[:half]), f(loss, a, x[half:], y[half:])
    agree(f(loss, a, x[order], y[order]), whole, meaning="The order of the objects changes the result.")
    agree((half * first + (len(x) - half) * second) / len(x), whole)


def _per_entry(loss, a, x, y):  # type: ignore[no-untyped-def]
    return loss(a(x), y).sum() / x.numel()


EMPIRICAL_RISK = Exercise(
    "1.1",
    risk.empirical_risk,
    checks=(
        same("is the mean of loss(a(x_i), y_i) over the sample", _regression),
        same("takes any loss and any predictor: images, scores of 5 classes", _classification),
        holds("is a mean: any order, two parts weighted by their sizes", _sample_laws),
    ),
    mistakes=(
        (lambda loss, a, x, y: loss(a(x), y).sum(), "That is the sum: it grows with the sample. Divide by m."),
        (
            lambda loss, a, x, y: loss(y, a(x)).mean(),
            "The loss takes the predictions first, then the labels: a loss need not be symmetric.",
        ),
        (lambda loss, a, x, y: loss(a(x), y), "That is one loss per object; the risk is a single number, their mean."),
        (_per_entry, "That divides by the number of entries of x; m is the number of objects, `len(x)`."),
        (
            lambda loss, a, x, y: (a(x) != y).to(x.dtype).mean(),
            "That is the share of wrong predictions; the risk averages the loss that is given.",
        ),
    ),
    hints=(
        "From the inside out: what does a(x) return, and what does the loss want as its two arguments?",
        "loss(a(x), y) is a tensor of shape (m,). One number is wanted.",
        "Both functions treat all m objects at once, so no loop is needed: a tensor has a method `mean`.",
    ),
    why="The risk is an expectation over the unknown law of (x, y); the mean over the sample estimates it without bias "
    "for a fixed a. A sum would have the same minimum, but its size and its gradient would grow with m, and so the "
    "step size would have to change with every sample.",
    minutes=5,
    differentiable=True,
)

# ------------------------------------------------------------------------------------------------- 1.2 logistic loss


def _margins(draw: Draw) -> Tensor:
    return draw.normal(*draw.choice([(7,), (4, 3), (2, 3, 5)]), std=2.0)


def _is_probability(f: Function, draw: Draw) -> None:
    margin = _margins(draw)
    total = torch.exp(-f(margin)) + torch.exp(-f(-margin))
    require(((total - 1).abs() < 1e-5).all(), expected="1 everywhere", got=total)


def _far_out(f: Function, draw: Draw) -> None:
    margin = draw.uniform(6, low=30.0, high=1e4)
    margin[0] = 1e4
    agree(f(-margin), margin)
    agree(f(margin), torch.zeros_like(margin))


def _slope(f: Function, draw: Draw) -> None:
    margin = torch.cat([draw.uniform(1) * 0, draw.normal(4), draw.signs(2) * 1e4]).requires_grad_()
    (slope,) = torch.autograd.grad(f(margin).sum(), margin)
    agree(slope, -torch.sigmoid(-margin.detach()), on=f"margin = 0, and {margin[1:].tolist()}")


LOGISTIC_LOSS = Exercise(
    "1.2",
    risk.logistic_loss,
    checks=(
        same("is ln(1 + exp(-M)), elementwise, in nats", _margins),
        holds("is a negative log-likelihood: exp(-L(M)) + exp(-L(-M)) = 1", _is_probability),
        holds("is right in float32 up to |M| = 1e4", _far_out),
        holds("has the gradient -sigma(-M): -1/2 at M = 0, finite at |M| = 1e4", _slope),
    ),
    mistakes=(
        (
            lambda margin: torch.log1p(torch.exp(-margin)),
            "The exponential overflows: exp(89) is already inf in float32. Look for a form that never takes exp of a large number.",
        ),
        (
            lambda margin: F.softplus(-margin) / LN2,
            "That is base 2, right for the bound on the 0-1 loss; here nats are asked for.",
        ),
        (
            lambda margin: F.softplus(margin),
            "The sign of the margin is flipped: a large positive margin should cost nothing.",
        ),
        (lambda margin: F.softplus(-margin).mean(), "That is the mean; here one loss for each margin is asked for."),
        (
            lambda margin: F.relu(-margin) + torch.log1p(torch.exp(-margin.abs())),
            "The values are right, the gradient is not. At the kinks of relu, clamp and abs autograd takes one side, so at M = 0 it is "
            "0 or -1 instead of -1/2, and training from w = 0 never starts, or starts wrong; and a branch of torch.where that overflows "
            "makes it NaN although it is not chosen.",
        ),
        (
            lambda margin: -torch.log(torch.sigmoid(margin) + 1e-12),
            "The small number inside the logarithm caps the loss: the worst objects cost no more than the bad ones and have no gradient.",
        ),
    ),
    hints=(
        "ln(1 + exp(-M)) = ln(exp(0) + exp(-M)). Which of the two terms can overflow, and when?",
        "Take the larger exponent out of the logarithm: ln(exp a + exp b) = max(a, b) + ln(1 + exp(-|a - b|)).",
        "By hand, relu and abs have a kink at 0 and the wrong gradient there. PyTorch has this sum with the right one: "
        "look for `logaddexp`, `softplus` or `logsigmoid`.",
    ),
    why="The largest exponent is taken out, so that no exponential is ever larger than 1. Written by hand with relu and "
    "abs, the value is right, but autograd takes the derivative of relu and of abs at 0 to be 0: from w = 0, where every margin "
    "is 0, gradient descent would not move at all. logaddexp is smooth there, with the derivative -sigma(0) = -1/2.",
    differentiable=True,
)

# ------------------------------------------------------------------------------------- 1.3 Gaussian log-likelihood


def _density(f: Function, draw: Draw, sigma: float) -> tuple[Tensor, Tensor, float]:
    mean = draw.number(-1, 1)
    z = torch.linspace(-12, 12, 4001, dtype=draw.dtype, device=draw.device)
    return z * sigma, f(mean + z * sigma, mean, sigma).exp(), mean


def _integrates(f: Function, draw: Draw) -> None:
    for sigma in (draw.number(0.2, 0.7), draw.number(1.5, 4.0), 1.0):
        line, density, mean = _density(f, draw, sigma)
        total = torch.trapezoid(density, line).item()
        require(
            abs(total - 1) < 1e-4,
            expected="total mass 1",
            got=f"{total:.4f}",
            on=f"mean = {mean:.4g}, sigma = {sigma:.4g}",
        )


def _has_variance(f: Function, draw: Draw) -> None:
    for sigma in (draw.number(0.2, 0.7), draw.number(1.5, 4.0)):
        line, density, mean = _density(f, draw, sigma)
        variance = torch.trapezoid(line.square() * density, line).item()
        text = f"mean = {mean:.4g}, sigma = {sigma:.4g}"
        require(
            abs(variance / sigma**2 - 1) < 1e-3, expected=f"variance {sigma**2:.4g}", got=f"{variance:.4g}", on=text
        )


def _observations(draw: Draw) -> Arguments:
    shape = draw.choice([(6,), (3, 4)])
    return args(draw.normal(*shape), draw.normal(*shape), draw.number(0.2, 3.0))


def _flawed(y, mean, sigma):  # type: ignore[no-untyped-def]
    return -((y - mean) ** 2) / (2 * sigma**2) - 0.5 * math.log(2 * math.pi * sigma)


def _variance_as_sigma(y, mean, sigma):  # type: ignore[no-untyped-def]
    return -((y - mean) ** 2) / (2 * sigma) - 0.5 * math.log(2 * math.pi * sigma)


GAUSSIAN_LOG_LIKELIHOOD = Exercise(
    "1.3",
    risk.gaussian_log_likelihood,
    checks=(
        holds("its exponential integrates to 1 for every sigma", _integrates, dtype=torch.float64),
        holds("its exponential has the variance sigma^2", _has_variance, dtype=torch.float64),
        same("is ln N(y; mean, sigma^2), elementwise", _observations),
    ),
    mistakes=(
        (
            _flawed,
            "That is the flaw itself: sigma is not squared under the logarithm, so the density integrates to sqrt(sigma), and to 1 only for sigma = 1.",
        ),
        (
            _variance_as_sigma,
            "It integrates to 1, but sigma is taken for the variance in both places; sigma is the standard deviation.",
        ),
        (
            lambda y, mean, sigma: -((y - mean) ** 2) / (2 * sigma**2) - math.log(sigma),
            "The 2 pi is missing: the integral of exp(-z^2 / 2) is sqrt(2 pi), not 1.",
        ),
        (
            lambda y, mean, sigma: -((y - mean) ** 2) / (2 * sigma**2) - math.log(2 * math.pi * sigma**2),
            "The factor 1/2 before the logarithm is missing: the normaliser is the square root of 2 pi sigma^2.",
        ),
        (
            lambda y, mean, sigma: -risk.gaussian_log_likelihood(y, mean, sigma),
            "That is the loss, -ln p; the log-likelihood has the other sign.",
        ),
        (
            lambda y, mean, sigma: risk.gaussian_log_likelihood(y, mean, sigma).exp(),
            "That is the density; its logarithm is asked for.",
        ),
    ),
    hints=(
        "Look at the printed integrals for sigma = 0.5, 1 and 2. Which simple function of sigma are they?",
        "Substitute z = (y - mean)/sigma in the integral of exp(-(y - mean)^2 / (2 sigma^2)): what stands before the integral over z?",
        "The integral is sqrt(2 pi) sigma = sqrt(2 pi sigma^2). Take its logarithm and compare with the constant in the flawed function.",
    ),
    why="The normaliser is sqrt(2 pi sigma^2); the flawed line divides by sqrt(2 pi sigma). The factor is the same for all "
    "y and all means, so least squares never shows it, but it shifts the likelihood of one sigma against another. "
    "Whatever else a density does, it integrates to 1: test that first.",
    minutes=5,
)

# ------------------------------------------------------------------------------------------------------ 1.4 SGD step


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


SGD_STEP = Exercise(
    "1.4",
    risk.sgd_step,
    checks=(
        same("is one step with momentum and penalty, nothing changed in place", _any_step),
        holds("without momentum it is weight decay, (1 - tau eta) w - eta g", _weight_decay),
        holds("two steps are Polyak's heavy ball, w - eta g + beta (w - w_before)", _heavy_ball),
    ),
    mistakes=(
        (
            _minus_penalty,
            "The sign of the penalty is flipped: its gradient is + tau w, and the step goes against it, so that w shrinks.",
        ),
        (
            _averaged,
            "That averages the gradients, with a factor 1 - beta; the heavy ball adds them up, and its steps are 1/(1 - beta) times longer.",
        ),
        (_old_velocity, "w moves with the old velocity: update v first, then use the new one."),
        (
            _decoupled,
            "The penalty bypasses the velocity (decoupled, as in AdamW): the same without momentum, another method with it.",
        ),
        (_nesterov, "That is Nesterov's momentum, which looks one step ahead; the heavy ball moves by eta v alone."),
        (
            _eta_inside,
            "Here -eta went into the velocity, as in some books; in this course v adds up gradients and eta enters at the end.",
        ),
        (
            _in_place,
            "Operations with an underscore, and `+=` or `-=`, change the caller's tensors. Compute new ones: `velocity = beta * velocity + ...`.",
        ),
    ),
    hints=(
        "Two lines, in the order of the formula; the second uses the new velocity.",
        "The penalty tau |w|^2 / 2 has the gradient tau w. It joins the gradient before the velocity sees it.",
        "`velocity = beta * velocity + ...` makes a new tensor, `velocity *= beta` changes the caller's.",
        "Return both, weights first: a loop will feed them into the next step.",
    ),
    why="The velocity is a sum of old gradients with weights beta^k; because w_t - w_(t-1) = -eta v, two steps give "
    "Polyak's w - eta g + beta (w_t - w_(t-1)). With beta = 0 the penalty multiplies w by 1 - tau eta: weight decay. New tensors in place of "
    "in-place changes keep the path of w, which the lecture stores, intact.",
)

# ---------------------------------------------------------------------------------------------- 1.5 optimal step


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

    def value(step):
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


OPTIMAL_STEP_QUADRATIC = Exercise(
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
            lambda gradient, hessian: _curvature(gradient, hessian) / gradient.square().sum(-1),
            "Upside down: that is the curvature along g. The steeper the valley, the shorter the step.",
        ),
        (
            _least_gradient,
            "That step makes the next gradient shortest; the one asked for makes the next risk smallest.",
        ),
        (_inverse_largest, "That is 1/L, the step that is safe for every gradient; the best one depends on g."),
        (_diagonal, "Only the diagonal of H is used; g'Hg sums over all pairs of coordinates."),
        (
            lambda gradient, hessian: gradient.norm(dim=-1) / _curvature(gradient, hessian),
            "The numerator is the norm of g, not its square: a step that is ten times longer for ten times the gradient is no step size.",
        ),
        (
            lambda gradient, hessian: gradient.square().sum() / _curvature(gradient, hessian).sum(),
            "The sums run over the whole batch; each gradient has a step of its own, so sum over the last dimension only.",
        ),
        (
            lambda gradient, hessian: (gradient @ gradient) / (gradient @ hessian @ gradient),
            "Right for one vector. Between batches `@` is a matrix product: multiply entry by entry and sum over the last dimension.",
        ),
    ),
    hints=(
        "Where does the formula come from? Set the derivative of eta -> R(w - eta g) to zero.",
        "For a batch, g'g is `gradient.square().sum(-1)`.",
        "Hg for a batch: give g a last dimension of size 1 and take it away again, `(hessian @ gradient[..., None])[..., 0]`, or use `torch.einsum`.",
    ),
    why="Along the line, R(w - eta g) is a parabola with slope -g'g at 0 and curvature g'Hg; its lowest point is at their "
    "ratio. There the derivative along g vanishes, which says that the next gradient is orthogonal to g: hence the zigzag.",
)

# ---------------------------------------------------------------------------------------------- 1.6 cosine schedule


def _whole_wave(f: Function, draw: Draw) -> None:
    half, peak = draw.integer(3, 9), draw.number(0.1, 2.0)
    eta = torch.tensor([f(t, 2 * half, peak) for t in range(2 * half + 1)], dtype=torch.float64)
    for name, t, factor in (("start", 0, 1.0), ("middle", half, 0.5), ("end", 2 * half, 0.0)):
        text = f"step = {t}, steps = {2 * half}, peak = {peak:.4g}"
        require(
            abs(eta[t] - factor * peak) < 1e-6,
            expected=f"{factor * peak:.4g} at the {name}",
            got=eta[t].item(),
            on=text,
        )
    require(((eta + eta.flip(0)) - peak).abs() < 1e-6, expected="eta_t + eta_(T - t) = peak: a cosine", got=eta)


def _whole_schedule(f: Function, draw: Draw) -> None:
    warmup, peak = draw.integer(2, 7), draw.number(0.1, 2.0)
    steps = warmup + draw.integer(5, 11)
    eta = torch.tensor([f(t, steps, peak, warmup) for t in range(steps + 1)], dtype=torch.float64)
    on = f"steps = {steps}, peak = {peak:.4g}, warmup = {warmup}"
    landmarks = (
        ("first step", 0, 1 / warmup),
        ("last step of the warm-up", warmup - 1, 1.0),
        ("step after it", warmup, 1.0),
    )
    for name, t, factor in (*landmarks, ("end", steps, 0.0)):
        where = f"step = {t}, {on}"
        require(
            abs(eta[t] - factor * peak) < 1e-6,
            expected=f"{factor * peak:.4g} at the {name}",
            got=eta[t].item(),
            on=where,
        )
    require(eta[:warmup].diff() > 0, expected="step sizes that grow up to the peak", got=eta, on=on)
    require(eta[warmup:].diff() < 0, expected="step sizes that fall after the warm-up", got=eta, on=on)


def _any_moment(draw: Draw) -> Arguments:
    warmup = draw.integer(1, 500)
    steps = warmup + draw.integer(2, 5000)
    return args(draw.integer(0, steps + 1), steps, draw.number(0.01, 2.0), warmup)


def _warm(step, warmup, peak, wave):  # type: ignore[no-untyped-def]
    return peak * (step + 1) / warmup if step < warmup else wave


def _no_shift(step, steps, peak, warmup=0):  # type: ignore[no-untyped-def]
    return _warm(step, warmup, peak, peak / 2 * (1 + math.cos(math.pi * step / steps)))


def _too_long(step, steps, peak, warmup=0):  # type: ignore[no-untyped-def]
    return _warm(step, warmup, peak, peak / 2 * (1 + math.cos(math.pi * (step - warmup) / steps)))


def _both_ways(step, steps, peak, warmup=0):  # type: ignore[no-untyped-def]
    return _warm(step, warmup, peak, peak / 2 * (1 + math.cos(2 * math.pi * (step - warmup) / (steps - warmup))))


def _bare_cosine(step, steps, peak, warmup=0):  # type: ignore[no-untyped-def]
    return _warm(step, warmup, peak, peak * math.cos(math.pi * (step - warmup) / (steps - warmup)))


def _quarter(step, steps, peak, warmup=0):  # type: ignore[no-untyped-def]
    return _warm(step, warmup, peak, peak * math.cos(math.pi / 2 * (step - warmup) / (steps - warmup)))


def _twice(step, steps, peak, warmup=0):  # type: ignore[no-untyped-def]
    return _warm(step, warmup, peak, peak * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup))))


def _from_zero(step, steps, peak, warmup=0):  # type: ignore[no-untyped-def]
    return peak * step / warmup if step < warmup else risk.cosine_schedule(step, steps, peak, warmup)


def _one_late(step, steps, peak, warmup=0):  # type: ignore[no-untyped-def]
    return peak * (step + 1) / warmup if warmup and step <= warmup else risk.cosine_schedule(step, steps, peak, warmup)


COSINE_SCHEDULE = Exercise(
    "1.6",
    risk.cosine_schedule,
    checks=(
        holds("without warm-up: peak at 0, half of it half-way, 0 at the end", _whole_wave),
        holds("with warm-up: straight up to the peak, no jump, then down to 0", _whole_schedule),
        same("is right at any step of a long schedule", _any_moment, times=20),
    ),
    mistakes=(
        (
            _no_shift,
            "The cosine starts at t = 0, not at the end of the warm-up: there is a jump down. Count its steps from t - warmup.",
        ),
        (_too_long, "The cosine has steps - warmup steps to come down; spread over all of `steps` it never reaches 0."),
        (_both_ways, "That is a whole wave, down and up again; the cosine should go from 0 to pi only."),
        (
            _bare_cosine,
            "The 1 + ... is missing: the cosine itself goes down to -1, and the step sizes become negative.",
        ),
        (_quarter, "That is a quarter of a wave; from 0 to pi, with (1 + cos)/2, it is flat at both ends."),
        (_twice, "The factor 1/2 is missing: 1 + cos starts at 2."),
        (_from_zero, "t / warmup makes the first step 0 and wastes it; with t + 1 the last warm-up step is the peak."),
        (_one_late, "`<=` makes the warm-up one step too long, and that step is above the peak."),
    ),
    hints=(
        "Two cases: the warm-up (t < warmup) and the rest.",
        "In the rest, what share of the way has been gone? It should be 0 at t = warmup and 1 at t = steps.",
        "Half a wave from 1 down to 0 is (1 + cos(pi share)) / 2.",
        "Use `math.cos`: step sizes are plain numbers. With warmup = 0 the first case never happens, and nothing is divided by 0.",
    ),
    why="(1 + cos)/2 falls from 1 to 0 and is flat at both ends: long at the large steps, then long at the small ones that lower "
    "the noise floor. The warm-up counts from t + 1, so that its first step is not wasted and its last is the peak, where "
    "the cosine takes over without a jump.",
)

# ---------------------------------------------------------------------------------------------- 1.7 prior strength


def _same_minimum(f: Function, draw: Draw) -> None:
    sigma, m = draw.number(0.1, 3.0), draw.integer(2, 1000)
    agree(m * f(sigma, m), f(sigma), on=f"sigma = {sigma:.4g}, m = {m}")


def _is_log_prior(f: Function, draw: Draw) -> None:
    sigma, u, v = draw.number(0.3, 2.0), draw.number(-2, 2), draw.number(-2, 2)
    prior = torch.distributions.Normal(0.0, torch.tensor(sigma, dtype=torch.float64))
    drop = (prior.log_prob(torch.tensor(v).double()) - prior.log_prob(torch.tensor(u).double())).item()
    agree(f(sigma) / 2 * (u**2 - v**2), drop, rtol=1e-4, atol=1e-4)


def _share(m):  # type: ignore[no-untyped-def]
    return 1 if m is None else m


PRIOR_STRENGTH = Exercise(
    "1.7",
    risk.prior_strength,
    checks=(
        same("for the sum: 1 / sigma^2", lambda draw: args(draw.number(0.1, 3.0))),
        same(
            "for the mean over m objects: 1 / (m sigma^2)",
            lambda draw: args(draw.number(0.1, 3.0), draw.integer(2, 1000)),
        ),
        holds("m times the mean's strength is the sum's, so both have one minimum", _same_minimum),
        holds("tau w^2 / 2 is -ln N(w; 0, sigma^2), up to a constant", _is_log_prior),
    ),
    mistakes=(
        (
            lambda sigma, m=None: 1 / (sigma * _share(m)),
            "sigma is not squared; that is the strength of a Laplace prior.",
        ),
        (
            lambda sigma, m=None: sigma**2 / _share(m),
            "Upside down: a narrow prior, a small sigma, is a strong opinion and a large penalty.",
        ),
        (
            lambda sigma, m=None: 1 / (2 * sigma**2 * _share(m)),
            "The 1/2 is already in the penalty tau/2 |w|^2; do not put it in again.",
        ),
        (
            lambda sigma, m=None: 1 / sigma**2,
            "m is not used: the mean of -ln p is m times smaller than the sum, so the penalty has to be too.",
        ),
        (
            lambda sigma, m=None: _share(m) / sigma**2,
            "m goes the other way: the more objects, the less the prior matters beside their mean.",
        ),
    ),
    hints=(
        "Write down -ln N(w; 0, sigma^2), drop what does not depend on w, and compare with tau/2 |w|^2.",
        "That was for the sum of -ln p. Divide the whole objective by m: what becomes of the penalty?",
        "`m is None` tells the two cases apart.",
    ),
    why="-ln N(w; 0, sigma^2 I) = |w|^2 / (2 sigma^2) + const, so tau = 1/sigma^2 beside the sum of the losses. Dividing the "
    "objective by m does not move its minimum, but it divides the penalty as well: tau = 1/(m sigma^2) beside the mean. "
    "Mixing the two up is a prior that is wrong by a factor of m.",
    minutes=5,
)

# ----------------------------------------------------------------------------------------------------- 1.8 soft-max


def _scores(draw: Draw) -> Tensor:
    return draw.normal(*draw.choice([(4, 3), (2, 5), (2, 3, 4)]), std=2.0)


def _shift(f: Function, draw: Draw) -> None:
    z = draw.normal(4)
    agree(f(z + draw.number(-5, 5)), f(z), rtol=1e-3, meaning="A common shift of all scores should change nothing.")
    require((f(z).sum() - 1).abs() < 1e-5, expected="probabilities that sum to 1", got=f(z))
    agree(f(z)[:2] / f(z)[:2].sum(), torch.sigmoid(torch.stack([z[0] - z[1], z[1] - z[0]])), rtol=1e-3)


def _huge(draw: Draw) -> Tensor:
    return draw.normal(4, 5) + torch.tensor([[1e4], [-1e4], [0.0], [1e4]], dtype=draw.dtype, device=draw.device)


SOFTMAX = Exercise(
    "1.8",
    risk.softmax,
    checks=(
        same("is exp(z_k) / sum_j exp(z_j) over the last dimension", _scores),
        holds("a shift of all scores changes nothing; two classes give the sigmoid", _shift),
        same("is right for scores of 1e4 and -1e4, in one batch", _huge, dtype=torch.float64),
        same("and for scores that far apart", lambda draw: draw.signs(3, 5) * draw.uniform(3, 5, low=1e3, high=1e4)),
    ),
    mistakes=(
        (
            lambda z: z.exp() / z.exp().sum(-1, keepdim=True),
            "exp overflows to inf, and inf/inf is NaN. A common shift changes nothing: take the largest score out first.",
        ),
        (
            lambda z: (z - z.max()).exp() / (z - z.max()).exp().sum(-1, keepdim=True),
            "The maximum of the whole batch is taken out; a row far below it becomes 0/0. Each row needs its own.",
        ),
        (
            lambda z: F.softmax(z, 0),
            "That normalises over the first dimension; each row, the last dimension, should sum to 1.",
        ),
        (lambda z: F.softmax(z.flatten(), 0).reshape(z.shape), "The whole batch sums to 1; each row should."),
        (lambda z: F.log_softmax(z, -1), "That is the logarithm of the soft-max."),
        (
            lambda z: torch.sigmoid(z),
            "Each score goes through a sigmoid of its own; the classes do not compete, and the sum is not 1.",
        ),
    ),
    hints=(
        "Divide by the sum over the last dimension; `keepdim=True` keeps the shapes together.",
        "exp(1e4) is inf. Which number may be subtracted from all scores of a row without changing the result?",
        "Subtract each row's largest score, `z.amax(-1, keepdim=True)`: then the largest exponential is 1, and none overflows.",
    ),
    why="exp(z_k - c) / sum_j exp(z_j - c) does not depend on c. With c the row's largest score every exponential is at most "
    "1 and the sum at least 1: no overflow, no 0/0. Each row needs its own c, or rows far below the others vanish.",
    minutes=5,
    differentiable=True,
)

# ------------------------------------------------------------------------------ 1.9 to 1.11 entropies and divergences

ROWS = [(4, 3), (2, 5), (2, 3, 4)]


def _pair(draw: Draw) -> Arguments:
    shape = draw.choice(ROWS)
    return args(draw.probabilities(*shape), draw.probabilities(*shape))


def _with_zeros(draw: Draw, *shape: int) -> Tensor:
    """Distributions with the first entry 0."""
    p = draw.probabilities(*shape)
    p[..., 0] = 0
    return p / p.sum(-1, keepdim=True)


def _zeros(draw: Draw) -> Arguments:
    """0 ln 0 twice: where q_k > 0 = p_k, and where both are 0; the support of p is never missed."""
    p, q = _with_zeros(draw, 4, 5), draw.probabilities(4, 5)
    return args(p, torch.cat([q[:2], _with_zeros(draw, 2, 5)]))


def _missed(draw: Draw) -> Arguments:
    """q_k = 0 < p_k in the first two rows of four."""
    p, q = draw.probabilities(4, 5), draw.probabilities(4, 5)
    return args(p, torch.cat([_with_zeros(draw, 2, 5), q[:2]]))


def _masked(p, q, value):  # type: ignore[no-untyped-def]
    return torch.where((p > 0) & (q > 0), value, torch.zeros_like(value)).sum(-1)


def _true_class(f: Function, draw: Draw) -> None:
    q, y = draw.probabilities(6, 4), draw.integers(0, 4, 6)
    agree(f(F.one_hot(y, 4).to(q.dtype), q), -q[torch.arange(6, device=q.device), y].log())


def _best_code(f: Function, draw: Draw) -> None:
    p, q = _with_zeros(draw, 50, 4), draw.probabilities(50, 4)
    own, other = f(p, p), f(p, q)
    agree(own, risk.entropy(p))
    require(other > own, expected="CE(p, q) > CE(p, p) = H(p) for every q but p", got=(other - own).min())


CROSS_ENTROPY = Exercise(
    "1.9",
    risk.cross_entropy,
    checks=(
        same("is -sum_k p_k ln q_k over the last dimension, in nats", _pair),
        holds("for a one-hot p it is -ln q_y, the multi-class logistic loss", _true_class),
        same("0 ln 0 = 0, also where q_k = 0 as well", _zeros),
        same("inf where q_k = 0 < p_k", _missed),
        holds("is least, H(p), at q = p (Gibbs)", _best_code),
    ),
    mistakes=(
        (
            lambda p, q: -torch.special.xlogy(q, p).sum(-1),
            "p and q are swapped: p weights the logarithm of q, the code in use.",
        ),
        (
            lambda p, q: torch.special.xlogy(p, q).sum(-1),
            "The minus sign is missing: ln q is never positive, a code length never negative.",
        ),
        (lambda p, q: -torch.special.xlogy(p, q).sum(-1) / LN2, "That is in bits (log2); the course measures in nats."),
        (
            lambda p, q: -torch.special.xlogy(p, q).sum(-1).mean(),
            "That is averaged over the batch; one number for each pair is asked for.",
        ),
        (
            lambda p, q: -(p * q.log()).sum(-1),
            "0 times -inf is NaN: where p_k = 0 the term is 0 by convention, whatever q_k is.",
        ),
        (
            lambda p, q: _masked(p, q, -p * q.log()),
            "Terms with q_k = 0 are dropped, also where p_k > 0: there the cost is infinite. Mask on p, not on q.",
        ),
        (
            lambda p, q: -(p * (q + 1e-8).log()).sum(-1),
            "The small number inside the logarithm hides the infinity: an event declared impossible happened, at a price of 18 nats.",
        ),
        (
            lambda p, q: -(p * q.log()).nan_to_num().sum(-1),
            "nan_to_num replaces the infinities too, by the largest float; only the NaN should become 0.",
        ),
    ),
    hints=(
        "Which of the two is inside the logarithm? The code is made for q, the outcomes come from p.",
        "Where p_k = 0 the term should be 0, even if ln q_k = -inf; but 0 * inf is NaN in floating point.",
        "`torch.special.xlogy(a, b)` is a ln b with 0 ln 0 = 0; `torch.where(p > 0, ..., 0)` does it too.",
    ),
    why="An outcome k costs -ln q_k nats and comes with probability p_k. What never comes costs nothing, so 0 ln 0 = 0 is "
    "not a trick but a limit; what comes although q excludes it costs infinitely much, and a small number inside the logarithm "
    "would hide it. xlogy knows both.",
)


def _gibbs(f: Function, draw: Draw) -> None:
    p, q = draw.probabilities(200, 4), draw.probabilities(200, 4)
    require(f(p, q) > 0, expected="KL > 0 for every p other than q", got=f(p, q).min())
    point = _with_zeros(draw, 3, 4)
    agree(f(point, point), torch.zeros(3, dtype=p.dtype, device=p.device), atol=1e-5)


def _direction(f: Function, draw: Draw) -> None:
    p, q = draw.probabilities(3), draw.probabilities(3)
    agree(f(p, q) + risk.entropy(p), risk.cross_entropy(p, q), atol=1e-5)
    agree(f(q, p) + risk.entropy(q), risk.cross_entropy(q, p), atol=1e-5)


def _additive(f: Function, draw: Draw) -> None:
    (p, q), (r, s) = draw.probabilities(2, 3), draw.probabilities(2, 4)
    joint = f(torch.outer(p, r).flatten(), torch.outer(q, s).flatten())
    agree(joint, f(p, q) + f(r, s), rtol=1e-3, atol=1e-5)


KL_DIVERGENCE = Exercise(
    "1.10",
    risk.kl_divergence,
    checks=(
        same("is sum_k p_k ln(p_k / q_k) over the last dimension, in nats", _pair),
        holds("is positive, and 0 for p = q only (Gibbs)", _gibbs),
        holds("CE = H + KL, in either order: KL is not symmetric", _direction),
        same("0 ln 0 = 0, also where q_k = 0 as well", _zeros),
        same("inf where q_k = 0 < p_k", _missed),
        holds("adds up over independent pairs", _additive),
    ),
    mistakes=(
        (
            lambda p, q: risk.kl_divergence(q, p),
            "That is the other direction, KL(q || p). (F.kl_div takes ln q first and p second.)",
        ),
        (
            lambda p, q: risk.cross_entropy(p, q),
            "That is the cross-entropy; the entropy of p, what p costs with its own code, is still in it.",
        ),
        (lambda p, q: -risk.kl_divergence(p, q), "The sign is flipped: ln(p/q), not ln(q/p). KL is never negative."),
        (
            lambda p, q: (risk.kl_divergence(p, q) + risk.kl_divergence(q, p)) / 2,
            "That is symmetric in p and q (Jeffreys); KL is not.",
        ),
        (lambda p, q: risk.kl_divergence(p, q) / LN2, "That is in bits (log2); the course measures in nats."),
        (
            lambda p, q: risk.kl_divergence(p, q).sum(),
            "That sums over the batch too; one number for each pair is asked for.",
        ),
        (lambda p, q: (p * (p / q).log()).sum(-1), "0 ln 0 became NaN: where p_k = 0 the term is 0, whatever q_k is."),
        (
            lambda p, q: F.kl_div(q.log(), p, reduction="none").sum(-1),
            "F.kl_div is NaN where both are 0: it multiplies p_k = 0 by ln q_k = -inf.",
        ),
        (
            lambda p, q: _masked(p, q, p * (p / q).log()),
            "Terms with q_k = 0 are dropped, also where p_k > 0: there KL is infinite. Mask on p, not on q.",
        ),
        (
            lambda p, q: (p * ((p + 1e-8) / (q + 1e-8)).log()).sum(-1),
            "The small numbers inside the logarithm make it finite where q misses a point of the support of p; there KL is infinite.",
        ),
    ),
    hints=(
        "p weights the logarithm, and p is above the fraction line.",
        "Two special cases: p_k = 0 gives 0; q_k = 0 < p_k gives inf. Which of them does p * (p / q).log() get wrong?",
        "Write ln(p/q) as ln p - ln q, each with the factor p_k that makes it harmless: `torch.special.xlogy(p, p)`; or mask with `torch.where(p > 0, ..., 0)`.",
    ),
    why="KL is the excess of CE(p, q) over H(p): what it costs to use the code of q for outcomes of p. Each of the two sums has its 0 ln 0, "
    "which xlogy sets to 0, while q_k = 0 < p_k gives +inf, as it should: no amount of data makes an impossible event possible.",
)


def _metric(f: Function, draw: Draw) -> None:
    p, q, c = (_with_zeros(draw, 100, 4) if draw.integer(0, 2) else draw.probabilities(100, 4) for _ in range(3))
    agree(f(p, q), f(q, p), rtol=1e-6)
    agree(f(p, p), torch.zeros(100, dtype=p.dtype, device=p.device), atol=1e-6)
    slack = f(p, c) + f(c, q) - f(p, q)
    require(slack > -1e-9, expected="d(p, q) <= d(p, c) + d(c, q)", got=f"broken by {-slack.min():.3g}")


def _largest(f: Function, draw: Draw) -> None:
    p, q = draw.probabilities(20, 6), draw.probabilities(20, 6)
    require(f(p, q) < math.sqrt(LN2), expected="less than sqrt(ln 2) where the supports overlap")
    left, right = (
        (torch.arange(6, device=p.device) < 3).to(p.dtype),
        (torch.arange(6, device=p.device) >= 3).to(p.dtype),
    )
    p, q = (p * left) / (p * left).sum(-1, keepdim=True), (q * right) / (q * right).sum(-1, keepdim=True)
    agree(f(p, q), torch.full_like(p[:, 0], math.sqrt(LN2)), meaning="Disjoint supports are sqrt(ln 2) apart, 0.8326.")


def _naive_js(p, q):  # type: ignore[no-untyped-def]
    c = (p + q) / 2
    return ((p * (p / c).log()).sum(-1) / 2 + (q * (q / c).log()).sum(-1) / 2).sqrt()


def _middle_first(p, q):  # type: ignore[no-untyped-def]
    c = (p + q) / 2
    return ((risk.kl_divergence(c, p) + risk.kl_divergence(c, q)) / 2).sqrt()


def _roots_first(p, q):  # type: ignore[no-untyped-def]
    c = (p + q) / 2
    return (risk.kl_divergence(p, c).clamp(min=0).sqrt() + risk.kl_divergence(q, c).clamp(min=0).sqrt()) / 2


JS_DISTANCE = Exercise(
    "1.11",
    risk.js_distance,
    checks=(
        same("is sqrt(JS(p, q)) over the last dimension, in nats", _pair),
        same("zeros in p or q or both do no harm", _zeros, dtype=torch.float64),
        holds("is at most sqrt(ln 2), and exactly that for disjoint supports", _largest, dtype=torch.float64),
        holds("is a metric: symmetric, 0 for p = q, triangle inequality", _metric, dtype=torch.float64, times=5),
    ),
    mistakes=(
        (
            lambda p, q: risk.js_divergence(p, q),
            "That is JS itself; its square root is asked for. Without the root the triangle inequality fails.",
        ),
        (
            lambda p, q: risk.js_distance(p, q).sqrt(),
            "One root too many. (SciPy's jensenshannon is the root already.) It still passes the triangle inequality; its values are wrong.",
        ),
        (
            lambda p, q: risk.js_distance(p, q) / math.sqrt(LN2),
            "That is in bits, bounded by 1; in nats the bound is sqrt(ln 2).",
        ),
        (
            lambda p, q: risk.js_distance(p, q) * math.sqrt(2),
            "A factor 1/2 is missing: JS is the mean of the two divergences from the middle.",
        ),
        (
            lambda p, q: risk.js_distance(p, q) / math.sqrt(2),
            "One factor 1/2 too many: JS is the mean of the two divergences from the middle.",
        ),
        (
            lambda p, q: ((risk.kl_divergence(p, q) + risk.kl_divergence(q, p)) / 2).sqrt(),
            "That compares p and q with each other (Jeffreys); Jensen and Shannon compare both with their middle c = (p + q)/2.",
        ),
        (
            _middle_first,
            "The middle c goes second: KL(p || c), not KL(c || p), which is infinite as soon as p has a zero.",
        ),
        (_roots_first, "The mean comes first, then the root; the mean of two roots is smaller."),
        (_naive_js, "0 ln 0 became NaN where p or q is 0; use a divergence that knows the convention."),
    ),
    hints=(
        "First the middle c = (p + q)/2, then two divergences from it, their mean, and one root at the end.",
        "You wrote kl_divergence a moment ago, with 0 ln 0 = 0: use it. c_k = 0 only where both are 0, so nothing is infinite.",
        "Rounding may leave JS at -1e-17 for p close to q, and the root of that is NaN: `clamp(min=0)` first.",
    ),
    why="c_k >= p_k / 2 keeps both divergences below ln 2, zeros or not. The root makes it a metric (Endres & Schindelin 2003); "
    "JS itself breaks the triangle inequality, and a second root would keep it, because the root of a metric is a metric. So "
    "the values are checked too. The clamp is for rounding: JS = -1e-17 would become NaN.",
)

EXERCISES = (
    EMPIRICAL_RISK,
    LOGISTIC_LOSS,
    GAUSSIAN_LOG_LIKELIHOOD,
    SGD_STEP,
    OPTIMAL_STEP_QUADRATIC,
    COSINE_SCHEDULE,
    PRIOR_STRENGTH,
    SOFTMAX,
    CROSS_ENTROPY,
    KL_DIVERGENCE,
    JS_DISTANCE,
)
