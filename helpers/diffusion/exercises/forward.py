"""Exercises 6.1 to 6.4 of Lecture 6: schedules, noising in one step, and one step back when x_0 is known."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from helpers import diffusion
from helpers.diffusion.exercises.common import DIGITS, KINDS, ROWS, STEPS, Function, batches, level_for, levels_for
from helpers.exercises import Draw, Exercise, agree, args, holds, same

PRODUCT = "alpha_bar_t is the product of all 1 - beta_s up to t: the running product of alpha, not of beta."


def _beta(draw: Draw) -> Any:
    return args(draw.uniform(draw.choice([7, 1, 2, 30, 1000]), low=1e-4, high=draw.choice([0.02, 0.9, 0.3])))


def _rolls(f: Function, draw: Draw) -> None:
    beta = draw.uniform(draw.choice([2, 5, 9]), low=0.05, high=0.5)
    share, expected = torch.ones_like(beta[0]), []
    for b in beta:
        share = share - b * share
        expected.append(share)
    agree(f(beta), torch.stack(expected), rtol=1e-4)


alpha_bar = Exercise(
    "6.1",
    diffusion.alpha_bar,
    checks=(
        same("is the product of 1 - beta_s over s = 1 ... t", _beta, times=15, meaning=PRODUCT),
        holds("each step takes the share beta_t of what is left", _rolls, times=6, meaning=PRODUCT),
        same("in the precision of beta", _beta, times=5, dtype=torch.float64, rtol=1e-11, meaning=DIGITS),
    ),
    mistakes=(
        ("That is the running product of beta; of 1 - beta it should be.", {"(1 - beta)": "beta"}),
        ("That is alpha_t, one step's; alpha_bar_t is the product over all steps up to t.", {".cumprod(0)": ""}),
        ("That is the sum over the steps; the shares multiply.", {"cumprod": "cumsum"}),
        (
            "1 minus the sum is what the product is for small beta only; it becomes negative.",
            {"(1 - beta).cumprod(0)": "1 - beta.cumsum(0)"},
        ),
        (
            "exp(-sum of beta) is the limit of small steps; asked is the product itself.",
            {"(1 - beta).cumprod(0)": "(-beta.cumsum(0)).exp()"},
        ),
        ("That is the product over all T steps; asked is one for every t.", {"cumprod(0)": "prod(0).expand_as(beta)"}),
        (
            "Shifted by one: alpha_bar_1 = 1 - beta_1 stands at place 0.",
            {"(1 - beta).cumprod(0)": "torch.cat([torch.ones_like(beta[:1]), (1 - beta[:-1]).cumprod(0)])"},
        ),
        (
            "That is the noise's share, 1 - alpha_bar_t.",
            {"(1 - beta).cumprod(0)": "1 - (1 - beta).cumprod(0)"},
        ),
        ("That is the factor of x_0, sqrt(alpha_bar_t); asked is alpha_bar_t.", {"cumprod(0)": "cumprod(0).sqrt()"}),
    ),
    hints=(
        "After one step 1 - beta_1 of the variance is left; the next step takes its share of that.",
        "`torch.cumprod` gives all running products at once.",
        "`(1 - beta).cumprod(0)`",
    ),
    why="Each step multiplies what came before by sqrt(1 - beta_t), and so its variance by 1 - beta_t.",
    minutes=5,
)

SIGNAL, NOISE = "per_sample(a.sqrt(), x_0)", "per_sample((1 - a).sqrt(), x_0)"
MIX = "sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) xi: factors are roots, since variances add. "


def _noising(draw: Draw) -> Any:
    x_0, xi = batches(draw, 2)
    kind = draw.choice([*KINDS, "clean", "some"])
    if kind in ("clean", "some"):
        return args(x_0, levels_for(draw, x_0, "last" if kind == "clean" else kind)[1], xi)
    return args(x_0, level_for(draw, x_0, kind), xi)


def _in_two(f: Function, draw: Draw) -> None:
    """The variances of two noises of a step and of those up to it."""
    (x_0,), zero = batches(draw, 1), torch.zeros(())
    a = level_for(draw, x_0, draw.choice(KINDS))
    both = f(x_0, a, zero.to(x_0).expand_as(x_0)).square() + f(0 * x_0, a, x_0).square()
    agree(both, x_0.square(), rtol=1e-4)


q_sample = Exercise(
    "6.2",
    diffusion.q_sample,
    checks=(
        same("is sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) xi", _noising, times=35, meaning=MIX + ROWS),
        holds("the variances of data and noise add up to 1", _in_two, times=21, meaning=MIX + ROWS),
    ),
    mistakes=(
        (
            "The roots are missing: alpha_bar_t is a share of the variance, its root multiplies x_0.",
            {"a.sqrt()": "a", "(1 - a).sqrt()": "(1 - a)"},
        ),
        ("The root of the noise's factor is missing: sqrt(1 - alpha_bar_t).", {"(1 - a).sqrt()": "(1 - a)"}),
        ("The root of the data's factor is missing: sqrt(alpha_bar_t).", {"a.sqrt()": "a"}),
        (
            "The noise's factor is sqrt(1 - alpha_bar_t), not 1 - sqrt(alpha_bar_t).",
            {"(1 - a).sqrt()": "1 - a**0.5"},
        ),
        ("The two factors are swapped.", {f"{SIGNAL} * x_0 + {NOISE} * xi": f"{NOISE} * x_0 + {SIGNAL} * xi"}),
        ("The noise is added, not subtracted: x_t has to have exactly this xi in it.", {"x_0 + per": "x_0 - per"}),
        ("There is no noise in it.", {f" + {NOISE} * xi": ""}),
        ("The data must shrink, or the variance grows with t: sqrt(alpha_bar_t) x_0.", {f"{SIGNAL} * x_0": "x_0"}),
        (
            "The levels ran along the last axis, not along the samples: `diffusion.per_sample` turns them.",
            {SIGNAL: "a.sqrt().to(x_0)", NOISE: "(1 - a).sqrt().to(x_0)"},
        ),
    ),
    hints=(
        "`a = diffusion.per_sample(alpha_bar_t, x_0)` meets x_0 sample by sample.",
        "x_t has the mean sqrt(alpha_bar_t) x_0 and the variance 1 - alpha_bar_t.",
        "`a.sqrt() * x_0 + (1 - a).sqrt() * xi`",
    ),
    why="The sum of t Gaussian noises is one Gaussian noise, and their variances add: a chain of T steps is trained at "
    "any t without being run.",
    minutes=8,
)

F_OF_T = "f(t) / f(0) for t = 1 ... T: T numbers, the first near 1, the last 0; f is the square of a cosine."


def without_start(T: int, s: float = 0.008) -> Tensor:
    """At t = 0 ... T - 1."""
    t = torch.arange(T, dtype=torch.float64)
    f = torch.cos((t / T + s) / (1 + s) * torch.pi / 2).square()
    return f / f[0]


def its_beta(T: int, s: float = 0.008) -> Tensor:
    """The beta_t of the schedule."""
    return diffusion.cosine(T, s).beta


cosine_alpha_bar = Exercise(
    "6.3",
    diffusion.cosine_alpha_bar,
    checks=(
        same(
            "is f(t) / f(0) at t = 1 ... T",
            lambda draw: args(draw.choice([10, 1, 2, 100, 1000]), *draw.choice([(), (0.008,), (0.1,)])),
            times=15,
            meaning=F_OF_T,
        ),
        same(
            "for every s, 0 too",
            lambda draw: args(draw.integer(2, 50), s=draw.choice([0, 0.0, draw.number(0, 0.5)])),
            times=6,
            meaning=F_OF_T,
        ),
    ),
    mistakes=(
        ("It is not divided by f(0): alpha_bar would not begin at 1.", {"f[1:] / f[0]": "f[1:]"}),
        ("t = 0 is among them: T numbers, for t = 1 ... T.", {"f[1:] / f[0]": "f / f[0]"}),
        ("They are for t = 0 ... T - 1; asked is t = 1 ... T.", without_start),
        ("The cosine is to be squared.", {".square()": ""}),
        ("The angle goes to pi / 2, not to pi.", {" / 2)": ")"}),
        ("s is missing: t/T + s.", {"t / T + s": "t / T"}),
        ("The division by 1 + s is missing: without it f(T) is not 0.", {"(t / T + s) / (1 + s)": "(t / T + s)"}),
        ("It is divided by the first value that is returned; divide by f(0).", {"f[1:] / f[0]": "f[1:] / f[1]"}),
        ("That is the share of the noise, 1 - alpha_bar_t.", {"f[1:] / f[0]": "1 - f[1:] / f[0]"}),
        ("That is the sine, which grows: alpha_bar falls.", {"torch.cos": "torch.sin"}),
        ("These are the beta_t; asked is alpha_bar_t.", its_beta),
    ),
    hints=(
        "f at all times: `t = torch.arange(T + 1, dtype=torch.float64)`, from t = 0, since f(0) is needed.",
        "`f = torch.cos((t / T + s) / (1 + s) * math.pi / 2) ** 2`",
        "`f[1:] / f[0]`",
    ),
    why="The linear schedule destroys a small picture long before t = T. The cosine is almost straight in the middle "
    "and flat at both ends; s keeps beta_1 from being so small that the network cannot see the noise.",
    minutes=8,
)

SHARES = "alpha = alpha_bar_t / alpha_bar_prev, and both factors are divided by 1 - alpha_bar_t. "
OF_X_T, OF_X_0 = "alpha.sqrt() * (1 - prev) / (1 - a)", "prev.sqrt() * (1 - alpha) / (1 - a)"
TILDE = "(1 - alpha) * (1 - prev) / (1 - a)"


def _back(draw: Draw) -> Any:
    x_t, x_0 = batches(draw, 2)
    return args(x_t, x_0, *levels_for(draw, x_t, draw.choice(STEPS)))


def _conditioning(f: Function, draw: Draw) -> None:
    """By the covariance of (x_prev, x_t) given x_0, entry by entry."""
    x_t, x_0 = batches(draw, 2)
    a, prev = levels_for(draw, x_t, draw.choice(STEPS))
    mean, variance = f(x_t, x_0, a, prev)
    a, prev = a.double(), prev.double()
    covariance = (a / prev).sqrt() * (1 - prev)
    gain = covariance / (1 - a)
    rest = x_t.double() - diffusion.per_sample(a.sqrt(), x_t.double()) * x_0.double()
    due = diffusion.per_sample(prev.sqrt(), rest) * x_0.double() + diffusion.per_sample(gain, rest) * rest
    agree(mean, due.to(x_t), rtol=1e-4, atol=1e-5)
    agree(variance, ((1 - prev) - gain * covariance).to(x_t), rtol=1e-4, atol=1e-5)


posterior_mean_variance = Exercise(
    "6.4",
    diffusion.posterior_mean_variance,
    checks=(
        same("is the law of x_prev given x_t and x_0", _back, times=35, meaning=SHARES + ROWS),
        holds("is what conditioning the joint Gaussian gives", _conditioning, times=10, meaning=SHARES + ROWS),
    ),
    mistakes=(
        ("The factors of x_t and x_0 are swapped.", {f"{OF_X_T}, {OF_X_0}": f"{OF_X_0}, {OF_X_T}"}),
        ("That is beta, the variance of a step forward; knowing x_0 makes it smaller.", {TILDE: "(1 - alpha)"}),
        ("That is the standard deviation; asked is the variance.", {"variance.to(x_t)": "variance.sqrt().to(x_t)"}),
        ("The root of alpha is missing in x_t's factor.", {OF_X_T: "alpha * (1 - prev) / (1 - a)"}),
        ("The root of alpha_bar_prev is missing in x_0's factor.", {OF_X_0: "prev * (1 - alpha) / (1 - a)"}),
        (
            "x_0's factor has sqrt(alpha_bar_prev), not sqrt(alpha_bar_t).",
            {OF_X_0: "a.sqrt() * (1 - alpha) / (1 - a)"},
        ),
        (
            "alpha_bar_t is not alpha: the step's is alpha_bar_t / alpha_bar_prev.",
            {"alpha = a / prev": "alpha = a"},
        ),
        ("Upside down: alpha = alpha_bar_t / alpha_bar_prev is below 1.", {"alpha = a / prev": "alpha = prev / a"}),
        (
            "The division by 1 - alpha_bar_t is missing in the mean.",
            {OF_X_T: "alpha.sqrt() * (1 - prev)", OF_X_0: "prev.sqrt() * (1 - alpha)"},
        ),
        ("The division by 1 - alpha_bar_t is missing in the variance.", {TILDE: "(1 - alpha) * (1 - prev)"}),
        ("The mean comes first, then the variance.", {"* x_0, variance.to(x_t)": "* x_0"}),
    ),
    hints=(
        "`alpha = alpha_bar_t / alpha_bar_prev`, the step's; its beta is `1 - alpha`.",
        "Two Gaussians of x_prev are multiplied: N(x_prev; sqrt(alpha_bar_prev) x_0, 1 - alpha_bar_prev), and "
        "N(x_t; sqrt(alpha) x_prev, 1 - alpha). Precisions add: 1 / (1 - alpha_bar_prev) + alpha / (1 - alpha).",
        "The mean is the variance times (sqrt(alpha_bar_prev) x_0 / (1 - alpha_bar_prev) + sqrt(alpha) x_t / "
        "(1 - alpha)); simplify it, since alpha_bar_prev may be 1.",
    ),
    why="alpha_bar_prev = alpha_bar_{t-1} gives the step of the chain; any earlier time gives a longer step with the "
    "same formula. At alpha_bar_prev = 1 it is x_0 itself, without variance.",
    minutes=12,
)
