"""Exercises 1.1 to 1.3: empirical risk, the logistic loss, the Gaussian log-likelihood."""

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


def _pinball(prediction: Tensor, y: Tensor) -> Tensor:
    return torch.maximum(2.2 * (prediction - y), y - prediction)  # not symmetric


def _regression(draw: Draw) -> Arguments:
    w, m = draw.normal(3), draw.integer(2, 40)
    return args(_pinball, lambda x: x @ w, draw.normal(m, 3), draw.normal(m))


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


empirical_risk = Exercise(
    "1.1",
    risk.empirical_risk,
    checks=(
        same("is the mean of loss(a(x_i), y_i) over the sample", _regression),
        same("takes any loss and any predictor: images, scores of 5 classes", _classification),
        holds("is a mean: any order, two parts weighted by their sizes", _sample_laws),
    ),
    mistakes=(
        ("That is the sum: it grows with the sample. Divide by m.", lambda loss, a, x, y: loss(a(x), y).sum()),
        (
            "The loss takes the predictions first, then the labels: a loss need not be symmetric.",
            lambda loss, a, x, y: loss(y, a(x)).mean(),
        ),
        ("That is one loss per object; the risk is a single number, their mean.", lambda loss, a, x, y: loss(a(x), y)),
        ("That divides by the number of entries of x; m is the number of objects, `len(x)`.", _per_entry),
        (
            "That is the share of wrong predictions; the risk averages the loss that is given.",
            lambda loss, a, x, y: (a(x) != y).to(x.dtype).mean(),
        ),
    ),
    hints=(
        "From the inside out: what does a(x) return, and what does the loss want as its two arguments?",
        "loss(a(x), y) is a tensor of shape (m,). One number is wanted.",
        "Both functions treat all m objects at once, so no loop is needed: a tensor has a method `mean`.",
    ),
    why="The risk is an expectation over the unknown law of (x, y); the mean over the sample estimates it without "
    "bias for a fixed a. A sum would have the same minimum, but its size and its gradient would grow with m, and "
    "so the step size would have to change with every sample.",
    minutes=5,
    differentiable=True,
)


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
    far = torch.tensor([0.0, 1e4, -1e4], dtype=draw.dtype, device=draw.device)
    margin = torch.cat([far, draw.normal(4)]).requires_grad_()
    (slope,) = torch.autograd.grad(f(margin).sum(), margin)
    agree(slope, -torch.sigmoid(-margin.detach()))


logistic_loss = Exercise(
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
            "The exponential overflows: exp(89) is already inf in float32. Look for a form that never takes exp "
            "of a large number.",
            lambda margin: torch.log1p(torch.exp(-margin)),
        ),
        (
            "That is base 2, right for the bound on the 0-1 loss; here nats are asked for.",
            lambda margin: F.softplus(-margin) / LN2,
        ),
        (
            "The sign of the margin is flipped: a large positive margin should cost nothing.",
            lambda margin: F.softplus(margin),
        ),
        ("That is the mean; here one loss for each margin is asked for.", lambda margin: F.softplus(-margin).mean()),
        (
            "The values are right, the gradient is not. At the kinks of relu, clamp and abs autograd takes one "
            "side, so at M = 0 it is "
            "0 or -1 instead of -1/2, and training from w = 0 never starts, or starts wrong; and a branch of "
            "torch.where that overflows "
            "makes it NaN although it is not chosen.",
            lambda margin: F.relu(-margin) + torch.log1p(torch.exp(-margin.abs())),
        ),
        (
            "The small number inside the logarithm caps the loss: the worst objects cost no more than the bad "
            "ones and have no gradient.",
            lambda margin: -torch.log(torch.sigmoid(margin) + 1e-12),
        ),
    ),
    hints=(
        "ln(1 + exp(-M)) = ln(exp(0) + exp(-M)). Which of the two terms can overflow, and when?",
        "Take the larger exponent out of the logarithm: ln(exp a + exp b) = max(a, b) + ln(1 + exp(-|a - b|)).",
        "By hand, relu and abs have a kink at 0 and the wrong gradient there. PyTorch has this sum with the right one: "
        "look for `logaddexp`, `softplus` or `logsigmoid`.",
    ),
    why="The largest exponent is taken out, so that no exponential is ever larger than 1. Written by hand with "
    "relu and abs, the value is right, but autograd takes the derivative of relu and of abs at 0 to be 0: from w = "
    "0, where every margin is 0, gradient descent would not move at all. logaddexp is smooth there, with the "
    "derivative -sigma(0) = -1/2.",
    differentiable=True,
)


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


gaussian_log_likelihood = Exercise(
    "1.3",
    risk.gaussian_log_likelihood,
    checks=(
        holds("its exponential integrates to 1 for every sigma", _integrates, dtype=torch.float64),
        holds("its exponential has the variance sigma^2", _has_variance, dtype=torch.float64),
        same("is ln N(y; mean, sigma^2), elementwise", _observations),
    ),
    mistakes=(
        (
            "That is the flaw itself: sigma is not squared under the logarithm, so the density integrates to "
            "sqrt(sigma), and to 1 only for sigma = 1.",
            _flawed,
        ),
        (
            "It integrates to 1, but sigma is taken for the variance in both places; sigma is the standard deviation.",
            _variance_as_sigma,
        ),
        (
            "The 2 pi is missing: the integral of exp(-z^2 / 2) is sqrt(2 pi), not 1.",
            lambda y, mean, sigma: -((y - mean) ** 2) / (2 * sigma**2) - math.log(sigma),
        ),
        (
            "The factor 1/2 before the logarithm is missing: the normaliser is the square root of 2 pi sigma^2.",
            lambda y, mean, sigma: -((y - mean) ** 2) / (2 * sigma**2) - math.log(2 * math.pi * sigma**2),
        ),
        (
            "That is the loss, -ln p; the log-likelihood has the other sign.",
            lambda y, mean, sigma: -risk.gaussian_log_likelihood(y, mean, sigma),
        ),
        (
            "That is the density; its logarithm is asked for.",
            lambda y, mean, sigma: risk.gaussian_log_likelihood(y, mean, sigma).exp(),
        ),
    ),
    hints=(
        "Look at the printed integrals for sigma = 0.5, 1 and 2. Which simple function of sigma are they?",
        "Substitute z = (y - mean)/sigma in the integral of exp(-(y - mean)^2 / (2 sigma^2)): what stands before "
        "the integral over z?",
        "The integral is sqrt(2 pi) sigma = sqrt(2 pi sigma^2). Take its logarithm and compare with the constant "
        "in the flawed function.",
    ),
    why="The normaliser is sqrt(2 pi sigma^2); the flawed line divides by sqrt(2 pi sigma). The factor is the same "
    "for all y and all means, so least squares never shows it, but it shifts the likelihood of one sigma against "
    "another. Whatever else a density does, it integrates to 1: test that first.",
    minutes=5,
)
