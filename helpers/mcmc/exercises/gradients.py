"""Exercises 5.6 and 5.9: a step along the gradient, and a gradient from a part of the data."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from helpers import mcmc
from helpers.exercises import Draw, Exercise, agree, args, holds, require, same
from helpers.mcmc.exercises.samplers import F64, Arguments, Function, N, Z, obeys, standard
from helpers.mcmc.state import chain, moved, noise


def _target(draw: Draw, d: int) -> Callable[[Tensor], Tensor]:
    mean, precision = draw.normal(d), draw.uniform(d, low=0.5, high=2.0)
    return lambda x: -(precision.to(x) * (x - mean.to(x)).square()).sum(1) / 2


def _move(f: Function, draw: Draw) -> tuple[Any, Any, Any, Any, float]:
    log_prob, eta = _target(draw, 2), draw.number(0.1, 0.8)
    s = chain(draw.normal(1, 2, std=2.0).expand(N, 2).clone(), log_prob)
    return log_prob, s, *f(log_prob, s, step_size=eta, generator=draw.generator()), eta


def _drift(f: Function, draw: Draw) -> None:
    _, s, state, _, eta = _move(f, draw)
    xi = (state.x - s.x - eta * s.grad) / math.sqrt(2 * eta)
    require(
        (xi.mean(0).abs() * math.sqrt(N) < 3 * Z),
        expected="a mean move of eta g(x)",
        got=f"{((state.x - s.x).mean(0) / eta).tolist()} times eta, where g = {s.grad[0].tolist()}",
    )


def _spread(f: Function, draw: Draw) -> None:
    _, s, state, _, eta = _move(f, draw)
    xi = (state.x - s.x - eta * s.grad) / math.sqrt(2 * eta)
    require(
        standard(xi) < Z, expected="noise of variance 2 eta", got=f"{(2 * eta * xi.var(0)).tolist()} for {eta=:.3f}"
    )


def _new_state(f: Function, draw: Draw) -> None:
    log_prob, _, state, info, _ = _move(f, draw)
    fresh = chain(state.x, log_prob)
    require(torch.allclose(state.log_prob, fresh.log_prob) and torch.allclose(state.grad, fresh.grad),
            expected="log_prob and grad at the new x")  # fmt: skip
    require(info.accepted, expected="every move accepted")


def _generator(f: Function, draw: Draw) -> None:
    log_prob = _target(draw, 2)
    obeys(f, draw, log_prob, chain(draw.normal(9, 2), log_prob), step_size=0.3)


def _langevin(log_prob, s, step_size, generator, *, sign=1.0, spread=None, drift=1.0):  # type: ignore[no-untyped-def]
    spread = math.sqrt(2 * step_size) if spread is None else spread
    y = s.x + sign * drift * step_size * s.grad + spread * noise(s.x, generator)
    return moved(chain(y, log_prob), gradients=1)


def _stale(log_prob, s, *, step_size, generator=None):  # type: ignore[no-untyped-def]
    y = s.x + step_size * s.grad + math.sqrt(2 * step_size) * noise(s.x, generator)
    return moved(s._replace(x=y), gradients=1)


def _common(log_prob, s, *, step_size, generator=None):  # type: ignore[no-untyped-def]
    y = s.x + step_size * s.grad + math.sqrt(2 * step_size) * noise(s.x[:1], generator)
    return moved(chain(y, log_prob), gradients=1)


ula_step = Exercise(
    "5.6",
    mcmc.ula_step,
    checks=(
        holds("moves by eta g(x) on average", _drift, dtype=F64, times=2),
        holds("adds noise of variance 2 eta, fresh for every chain and coordinate", _spread, dtype=F64, times=2),
        holds("returns the density and the gradient at the new place", _new_state, dtype=F64),
        holds("draws from its generator", _generator, dtype=F64),
    ),
    mistakes=(
        (
            "The sign of the drift is flipped: that goes downhill, away from where the density is.",
            lambda log_prob, s, *, step_size, generator=None: _langevin(log_prob, s, step_size, generator, sign=-1),
        ),
        (
            "Half the gradient belongs to noise sqrt(eta): that is the step eta of Welling and Teh, twice ours.",
            lambda log_prob, s, *, step_size, generator=None: _langevin(log_prob, s, step_size, generator, drift=0.5),
        ),
        (
            "sqrt(eta) instead of sqrt(2 eta): the chain samples pi^2, a target of half the temperature.",
            lambda log_prob, s, *, step_size, generator=None: _langevin(
                log_prob, s, step_size, generator, spread=math.sqrt(step_size)
            ),
        ),
        (
            "2 eta is the variance of the noise; xi is multiplied by its square root.",
            lambda log_prob, s, *, step_size, generator=None: _langevin(
                log_prob, s, step_size, generator, spread=2 * step_size
            ),
        ),
        (
            "The 2 belongs under the root: sqrt(2 eta), not 2 sqrt(eta).",
            lambda log_prob, s, *, step_size, generator=None: _langevin(
                log_prob, s, step_size, generator, spread=2 * math.sqrt(step_size)
            ),
        ),
        ("All chains got the same noise: they must be independent.", _common),
        (
            "The new state carries the density and gradient of the old place: `chain(y, log_prob)` evaluates anew.",
            _stale,
        ),
    ),
    hints=(
        "`s.grad` is already the gradient at s.x; nothing has to be differentiated before the move.",
        "`y = s.x + step_size * s.grad + math.sqrt(2 * step_size) * noise(s.x, generator)`",
        "`return moved(chain(y, log_prob), gradients=1)`",
    ),
    why="The state carries its gradient, so one step costs one gradient, at the new place, for the next step. sqrt(2 "
    "eta) is what balances the drift in the Fokker-Planck equation; any other factor is another temperature.",
)


def _log_prior(theta: Tensor) -> Tensor:
    return -theta.square().sum(1) / 2 - theta.pow(4).sum(1) / 10


def _log_likelihood(theta: Tensor, x: Tensor, y: Tensor) -> Tensor:
    return torch.nn.functional.logsigmoid(y * (x * theta[:, None]).sum(-1))


def _mini_batch(draw: Draw) -> Arguments:
    chains, n, d = draw.integer(2, 5), draw.integer(3, 7), draw.integer(1, 3)
    first = draw.choice([1, chains])
    batch = (draw.normal(first, n, d), draw.signs(first, n))
    return args(_log_prior, _log_likelihood, draw.normal(chains, d), batch, draw.integer(20, 90))


def _unbiased(f: Function, draw: Draw) -> None:
    x, y, theta = draw.normal(6, 2), draw.signs(6), draw.normal(1, 2)
    every = theta.expand(6, 2).clone()
    mean = f(_log_prior, _log_likelihood, every, (x[:, None], y[:, None]), 6).mean(0)
    whole = f(_log_prior, _log_likelihood, theta, (x[None], y[None]), 6)[0]
    agree(mean, whole, meaning="The mean over all batches of one example is not the gradient of all the data.")


def _scaled(prior, likelihood, theta, batch, weights):  # type: ignore[no-untyped-def]
    leaf = theta.detach().requires_grad_(True)
    total = weights[0] * prior(leaf) + weights[1] * likelihood(leaf, *batch).sum(1)
    return torch.autograd.grad(total.sum(), leaf)[0]


def _weighted(weights: Callable[[Any, int], tuple[float, float]]) -> Function:
    """The gradient with these weights, of (batch, N), on the prior and on the sum over the batch."""
    return lambda log_prior, log_likelihood, theta, batch, data_size: _scaled(
        log_prior, log_likelihood, theta, batch, weights(batch, data_size)
    )


def _pooled(log_prior, log_likelihood, theta, batch, data_size):  # type: ignore[no-untyped-def]
    g = _scaled(log_prior, log_likelihood, theta, batch, (1.0, data_size / batch[0].shape[1]))
    return g / len(theta)


sgld_gradient = Exercise(
    "5.9",
    mcmc.sgld_gradient,
    checks=(
        same("is the gradient of log prior + N/n times the batch", _mini_batch, dtype=F64, times=4),
        holds("is unbiased: batches of one give, on average, the gradient of all the data", _unbiased, dtype=F64),
    ),
    mistakes=(
        ("N/n is missing: that is the posterior of a data set of n examples.", _weighted(lambda batch, N: (1.0, 1.0))),
        (
            "The mean over the batch counts as one example: multiply by N.",
            _weighted(lambda batch, N: (1.0, 1 / batch[0].shape[1])),
        ),
        (
            "N/n scales the likelihood only; the prior is there once, whatever the batch.",
            _weighted(lambda batch, N: (N / batch[0].shape[1],) * 2),
        ),
        (
            "The prior is missing: that is the gradient of the log likelihood.",
            _weighted(lambda batch, N: (0.0, N / batch[0].shape[1])),
        ),
        (
            "The sign is that of a loss. A sampler climbs the log posterior.",
            lambda log_prior, log_likelihood, theta, batch, data_size: (
                -_scaled(log_prior, log_likelihood, theta, batch, (1.0, data_size / batch[0].shape[1]))
            ),
        ),
        ("n/N stands upside down: n examples speak for N.", _weighted(lambda batch, N: (1.0, batch[0].shape[1] / N))),
        (
            "n is the number of examples, `batch[0].shape[1]`; the first dimension of a batch holds the chains.",
            _weighted(lambda batch, N: (1.0, N / len(batch[0]))),
        ),
        ("The mean over the chains shrinks every gradient: each chain has its own, so add their totals up.", _pooled),
    ),
    hints=(
        "`leaf = theta.detach().requires_grad_(True)`, then write the log posterior of each chain with `leaf`.",
        "n is the number of examples in the batch, `batch[0].shape[1]`; sum the log likelihoods over dimension 1.",
        "The chains do not see each other: `torch.autograd.grad(total.sum(), leaf)[0]` gives all their gradients.",
    ),
    why="Each chain's total depends on its own row only, so the gradient of the sum over chains holds every chain's "
    "gradient. `enable_grad` makes it work under no_grad as well, and the leaf keeps theta itself out of the graph.",
    minutes=15,
)
