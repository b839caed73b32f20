"""Exercise 5.9: a gradient from a part of the data."""

from __future__ import annotations

import torch
from torch import Tensor

from helpers import mcmc
from helpers.exercises import Arguments, Draw, Exercise, agree, args, holds
from helpers.mcmc.exercises.common import Function, alike


def _log_prior(theta: Tensor) -> Tensor:
    """With ripples, which tell theta from theta rounded."""
    return -theta.square().sum(1) / 2 - theta.pow(4).sum(1) / 10 + (30 * theta).cos().sum(1)


def _logistic(theta: Tensor, x: Tensor, y: Tensor) -> Tensor:
    return torch.nn.functional.logsigmoid(y * (x * theta[:, None]).sum(-1))


def _gaussian(theta: Tensor, x: Tensor) -> Tensor:
    return -(x - theta[:, None]).square().sum(-1) / 2


def _mini_batches(draw: Draw) -> list[Arguments]:
    """A batch for all chains or one for each, of two tensors or one; one chain; one example; all the data."""
    cases = []
    for chains, first, n, d, size in ((3, 3, 5, 2, 45), (4, 1, 5, 2, 100), (1, 1, 4, 1, 4), (3, 3, 1, 2, 20)):
        theta, x = draw.normal(chains, d), draw.normal(first, n, d)
        cases.append(args(_log_prior, _logistic, theta, (x, draw.signs(first, n)), size))
    theta, x = draw.normal(2, 3), draw.normal(2, 6, 3)
    return [*cases, args(_log_prior, _gaussian, theta, (x,), draw.integer(50, 90))]


def _unbiased(f: Function, draw: Draw) -> None:
    x, y, theta = draw.normal(6, 2), draw.signs(6), draw.normal(1, 2)
    every = theta.expand(6, 2).clone()
    mean = f(_log_prior, _logistic, every, (x[:, None], y[:, None]), 6).mean(0)
    whole = f(_log_prior, _logistic, theta, (x[None], y[None]), 6)[0]
    agree(mean, whole, meaning="The mean over all batches of one example is not the gradient of all the data.")


LIKELIHOOD = "data_size * likelihood.mean(1)"

sgld_gradient = Exercise(
    "5.9",
    mcmc.sgld_gradient,
    checks=(
        holds(
            "is the gradient of log prior + N/n times the batch",
            alike(_mini_batches, mcmc.sgld_gradient),
            meaning="Each row is the gradient of its own chain's log_prior + N/n (sum over the batch of "
            "log_likelihood).",
        ),
        holds(
            "is unbiased: batches of one give, on average, the gradient of all the data",
            _unbiased,
            meaning="With n = 1 each example stands for N of them, and the prior counts once.",
        ),
    ),
    mistakes=(
        (
            "N/n is missing: that is the posterior of a data set of n examples.",
            {LIKELIHOOD: "likelihood.sum(1)"},
        ),
        ("The mean over the batch counts as one example: multiply by N.", {LIKELIHOOD: "likelihood.mean(1)"}),
        ("The sum over the batch times N counts every example n times: N/n.", {"mean(1)": "sum(1)"}),
        (
            "N/n scales the likelihood only; the prior is there once, whatever the batch.",
            {f"prior + {LIKELIHOOD}": "data_size / likelihood.shape[1] * (prior + likelihood.sum(1))"},
        ),
        ("The prior is missing: that is the gradient of the log likelihood.", {"prior + data": "0 * prior + data"}),
        ("The prior alone: the data are missing.", {LIKELIHOOD: "0 * likelihood.mean(1)"}),
        (
            "The prior is subtracted; it is added.",
            {f"prior + {LIKELIHOOD}": f"{LIKELIHOOD} - prior"},
        ),
        ("The sign is that of a loss. A sampler climbs the log posterior.", {"return gradient": "return -gradient"}),
        (
            "n/N stands upside down: n examples speak for N.",
            {LIKELIHOOD: "likelihood.shape[1] ** 2 / data_size * likelihood.mean(1)"},
        ),
        (
            "n is the number of examples, `batch[0].shape[1]`; the first dimension of a batch holds the chains.",
            {LIKELIHOOD: "data_size / len(batch[0]) * likelihood.sum(1)"},
        ),
        (
            "The mean over the chains shrinks every gradient: each chain has its own, so add their totals up.",
            {"log_posterior.sum()": "log_posterior.mean()"},
        ),
        (
            "All chains got one gradient, the sum over the chains: it belongs to the row of each.",
            {"return gradient": "return gradient.sum(0).expand_as(gradient)"},
        ),
    ),
    hints=(
        "`leaf = theta.detach().requires_grad_()`, then write the log posterior of each chain with `leaf`.",
        "n is the number of examples in the batch, `batch[0].shape[1]`; sum the log likelihoods over dimension 1.",
        "The chains do not see each other: `torch.autograd.grad(total.sum(), leaf)[0]` gives all their gradients.",
    ),
    why="N/n times the sum over the batch is N times its mean. Each chain's total depends on its own row only, so the "
    "gradient of the sum over chains holds every chain's gradient. `enable_grad` makes it work under no_grad as well, "
    "and the leaf keeps theta itself out of the graph.",
    minutes=15,
)
