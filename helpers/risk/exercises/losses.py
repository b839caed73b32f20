"""Exercises 1.1 to 1.3: empirical risk, the logistic loss, the Gaussian log-likelihood."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from helpers import risk
from helpers.exercises import Arguments, Draw, Exercise, agree, args, holds, same

Function = Callable[..., Any]


def slope(value: Tensor, at: Tensor) -> Tensor:
    """The gradient of the sum of value; zeros where the graph does not lead to `at`."""
    return torch.autograd.grad(value.sum(), at, materialize_grads=True)[0]


def _pinball(prediction: Tensor, y: Tensor) -> Tensor:
    return torch.maximum(2.2 * (prediction - y), y - prediction)  # not symmetric


def _regression(draw: Draw) -> Arguments:
    w, m = draw.normal(3), draw.choice([7, 1, 40])
    return args(_pinball, lambda x: x @ w, draw.normal(m, 3), draw.normal(m))


def _classification(draw: Draw) -> Arguments:
    w, m = draw.normal(4, 5), draw.choice([2, 9])
    images, labels = draw.normal(m, 1, 4, 4), draw.integers(0, 5, m)
    return args(risk.multiclass_logistic_loss, lambda x: x.mean(-1).flatten(1) @ w, images, labels)


def _sample_laws(f: Function, draw: Draw) -> None:
    w, x, y = draw.normal(3).requires_grad_(), draw.normal(9, 3), draw.normal(9)
    whole, first, second = (f(_pinball, lambda x: x @ w, x[s], y[s]) for s in (slice(9), slice(4), slice(4, 9)))
    order = draw.uniform(9).argsort()
    shuffled = f(_pinball, lambda x: x @ w, x[order], y[order])
    agree(shuffled, whole, meaning="The order of the objects changes the result.")
    agree((4 * first + 5 * second) / 9, whole, rtol=1e-12)


def _mean_gradient(f: Function, draw: Draw) -> None:
    w, x, y = draw.normal(3).requires_grad_(), draw.normal(5, 3), draw.normal(5)
    each = [slope(_pinball(x[i] @ w, y[i]), w) for i in range(5)]
    agree(slope(f(_pinball, lambda x: x @ w, x, y), w), torch.stack(each).mean(0))


empirical_risk = Exercise(
    "1.1",
    risk.empirical_risk,
    checks=(
        same(
            "is the mean of loss(a(x_i), y_i) over the sample",
            _regression,
            meaning="Predictions a(x) first, then loss(predictions, y), one number per object; the risk is their sum "
            "divided by m, the number of objects, as a scalar tensor.",
        ),
        same(
            "takes any loss and any predictor: images, scores of 5 classes",
            _classification,
            meaning="It works for one kind of data only. x is handed to a as it is, whatever its shape; y may be class "
            "numbers; only `loss` knows what to do with predictions and labels.",
        ),
        holds(
            "is a mean: any order, two parts weighted by their sizes",
            _sample_laws,
            dtype=torch.float64,
            meaning="Every object has the same weight, 1/m: not the first more than the last, none left out.",
        ),
        holds(
            "its gradient is the mean of the objects' gradients",
            _mean_gradient,
            meaning="The value is right, but its graph does not lead back to the weights inside a: a new tensor made "
            "of numbers, or a `detach`, on the way. Such a risk cannot be minimised.",
        ),
    ),
    mistakes=(
        ("That is the sum: it grows with the sample. Divide by m.", {"losses.mean()": "losses.sum()"}),
        (
            "The loss takes the predictions first, then the labels: a loss need not be symmetric.",
            {"loss(a(x), y)": "loss(y, a(x))"},
        ),
        (
            "That is one loss per object; the risk is a single number, their mean.",
            {"losses.mean()": "losses"},
        ),
        (
            "That divides by the number of entries of x; m is the number of objects, `len(x)`.",
            {"losses.mean()": "losses.sum() / x.numel()"},
        ),
        (
            "That is the share of wrong predictions; the risk averages the loss that is given.",
            {"losses.mean()": "(a(x) != y).to(x.dtype).mean()"},
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
    return draw.normal(*draw.choice([(7,), (4, 3), (2, 3, 5), ()]), std=3.0)


def _is_probability(f: Function, draw: Draw) -> None:
    margin = _margins(draw)
    agree(torch.exp(-f(margin)) + torch.exp(-f(-margin)), torch.ones_like(margin), rtol=1e-12)


def _far_out(f: Function, draw: Draw) -> None:
    margin = torch.cat([draw.uniform(6, low=30.0, high=1e4), torch.full_like(draw.uniform(1), 1e4)])
    agree(f(-margin), margin)
    agree(f(margin), torch.zeros_like(margin))


KINK = (
    "The value is right, the gradient is not. At the kinks of relu, clamp and abs autograd takes one side, so at M = 0 "
    "it is 0 or -1 instead of -1/2, and training from w = 0 never starts, or starts wrong."
)
BRANCH = (
    "The value is right, the gradient is not. A branch of `torch.where` that overflows makes the gradient NaN although "
    "it is not chosen, and a clamp sets it to 0: avoid exp of a large number in either branch."
)


def _slope(f: Function, draw: Draw) -> None:
    points = torch.tensor([0.0, 0.0, 1e4, -1e4, 200.0, -200.0, -50.0], dtype=draw.dtype, device=draw.device)
    margin = torch.cat([points, draw.normal(4)]).requires_grad_()
    found, expected = slope(f(margin), margin), -torch.sigmoid(-margin.detach())
    agree(found[:2], expected[:2], on="M = 0", meaning=KINK)
    agree(found[2:], expected[2:], meaning=BRANCH)


LOSS = "torch.logaddexp(torch.zeros_like(margin), -margin)"

logistic_loss = Exercise(
    "1.2",
    risk.logistic_loss,
    checks=(
        same(
            "is ln(1 + exp(-M)), elementwise, in nats",
            _margins,
            meaning="ln 2 at M = 0, nearly 0 for a large margin, nearly -M for a very negative one; one loss for each "
            "margin, in the shape of the margins.",
        ),
        holds(
            "is a negative log-likelihood: exp(-L(M)) + exp(-L(-M)) = 1",
            _is_probability,
            dtype=torch.float64,
            meaning="exp(-L(M)) = sigmoid(M) to all digits. A small number added inside the logarithm, a cut, or a "
            "step in float32 spoils the sum.",
        ),
        holds(
            "is right in float32 up to |M| = 1e4",
            _far_out,
            meaning="L(-1e4) = 1e4 and L(1e4) = 0, in float32 too: no exp of a large number. A clamp, or a small "
            "number inside the logarithm, caps the loss: the worst objects cost no more than the bad ones and have no "
            "gradient.",
        ),
        holds(
            "has the gradient -sigmoid(-M): -1/2 at M = 0, finite at |M| = 1e4",
            _slope,
            meaning="Values can be right where gradients are not: autograd differentiates the code, not the formula.",
        ),
    ),
    mistakes=(
        (
            "The exponential overflows: exp(89) is already inf in float32. Look for a form that never takes exp "
            "of a large number.",
            {LOSS: "torch.log1p(torch.exp(-margin))"},
        ),
        (
            "That is base 2, right for the bound on the 0-1 loss; here nats are asked for.",
            {LOSS: f"{LOSS} / 0.6931472"},
        ),
        (
            "The sign of the margin is flipped: a large positive margin should cost nothing.",
            {"-margin": "margin"},
        ),
        ("That is the mean; here one loss for each margin is asked for.", {LOSS: f"{LOSS}.mean()"}),
        (
            "That is the logarithm of the probability, ln sigmoid(M), which is negative; the loss is minus that.",
            {LOSS: f"-{LOSS}"},
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
    "derivative -sigmoid(0) = -1/2.",
    differentiable=True,
)
