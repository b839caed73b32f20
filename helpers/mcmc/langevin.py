"""Langevin dynamics: ULA, MALA, and SGLD with its gradient from part of the data."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor

from helpers.mcmc.metropolis import settle
from helpers.mcmc.posteriors import Posterior, log_terms
from helpers.mcmc.state import Chain, Info, LogProb, chain, dot, moved, noise, positive, with_gradient


def ula_step(
    log_prob: LogProb, s: Chain, *, step_size: float, generator: Generator | None = None
) -> tuple[Chain, Info]:
    r"""y = x + eta g(x) + sqrt(2 eta) xi,  xi ~ N(0, I),  g = grad log pi: the unadjusted Langevin algorithm, the
    Euler-Maruyama step of dX = g(X) dt + sqrt(2) dB. Nothing is refused, so pi is not its law: where g is
    Lipschitz and log pi strongly concave it is off by O(eta); where g grows faster than linearly there may be none.

    s.x (chains, d) -> the next state. Raises ValueError unless step_size = eta > 0. Source: Roberts & Tweedie 1996.
    """
    positive(step_size)
    s = with_gradient(s, log_prob)
    y = s.x + step_size * s.grad + math.sqrt(2 * step_size) * noise(s.x, generator)
    return moved(chain(y, log_prob), gradients=1)


def _langevin(x: Tensor, grad: Tensor, step_size: float, generator: Generator | None) -> Tensor:
    """x + eta g + sqrt(2 eta) xi, in as few kernels as can be."""
    xi = noise(x, generator)
    return torch.add(x, grad, alpha=step_size).add_(xi, alpha=math.sqrt(2 * step_size))


def mala_log_acceptance(x: Chain, y: Chain, step_size: float) -> Tensor:
    r"""log r = log pi(y) + log q(x|y) - log pi(x) - log q(y|x),  log q(b|a) = -|b - a - eta g(a)|^2 / (4 eta).

    x, y chains with gradients -> (chains,), the logarithm of the ratio r; the move is accepted with min(1, r).
    Raises ValueError unless step_size = eta > 0. Source: Besag 1994.
    """
    positive(step_size)

    def log_q(b: Chain, a: Chain) -> Tensor:
        return -(b.x - a.x - step_size * a.grad).square().sum(1) / (4 * step_size)

    return y.log_prob + log_q(x, y) - x.log_prob - log_q(y, x)


def _log_acceptance(x: Chain, y: Chain, step_size: float) -> Tensor:
    """`mala_log_acceptance` in fewer kernels, and without the difference of two large numbers: the squares of y - x
    cancel, log q(x|y) - log q(y|x) = -1/2 (g(x) + g(y))^T (y - x - eta/2 (g(x) - g(y)))."""
    straight = (y.x - x.x).sub_(x.grad, alpha=step_size / 2).add_(y.grad, alpha=step_size / 2)
    return (y.log_prob - x.log_prob).sub_(dot(x.grad + y.grad, straight), alpha=0.5)


def mala_step(
    log_prob: LogProb, s: Chain, *, step_size: float, generator: Generator | None = None
) -> tuple[Chain, Info]:
    r"""y = x + eta g(x) + sqrt(2 eta) xi, accepted with probability min(1, r), r as in `mala_log_acceptance`.

    s.x (chains, d) -> the next state. Raises ValueError unless step_size = eta > 0. Source: Roberts & Tweedie 1996.
    """
    positive(step_size)
    s = with_gradient(s, log_prob)
    y = chain(_langevin(s.x, s.grad, step_size, generator), log_prob)
    state, info = settle(s, y, _log_acceptance(s, y, step_size), generator=generator)
    return state, info._replace(gradients=1)


def sgld_gradient(
    log_prior: LogProb, log_likelihood: Callable[..., Tensor], theta: Tensor, batch: Sequence[Tensor], data_size: int
) -> Tensor:
    r"""g = grad_theta [log p(theta) + (N/n) sum_{i in batch} log p(x_i | theta)]: unbiased for the log posterior.

    theta (chains, d), batch: tensors (1 or chains, n, ...), data_size = N -> (chains, d).
    Raises ValueError unless log_prior returns (chains,) and log_likelihood (chains, n), n >= 1.
    Source: Welling & Teh 2011, equation 4.
    """
    with torch.enable_grad():
        leaf = theta.detach().requires_grad_()
        prior, likelihood = log_terms(log_prior, log_likelihood, leaf, batch)
        log_posterior = prior + data_size * likelihood.mean(1)
        (gradient,) = torch.autograd.grad(log_posterior.sum(), leaf)
    return gradient


def sgld_step(
    posterior: Posterior, s: Chain, *, step_size: float, generator: Generator | None = None
) -> tuple[Chain, Info]:
    r"""theta' = theta + eta g + sqrt(2 eta) xi, g of `sgld_gradient` on a fresh batch (eta is epsilon/2 of the paper).

    s.x (chains, d) -> the next state, its log_prob NaN (it would cost the full data). Source: Welling & Teh 2011.
    """
    positive(step_size)
    size = len(posterior.data[0])
    batch = posterior.batch(len(s.x), generator)
    g = sgld_gradient(posterior.log_prior, posterior.log_likelihood, s.x, batch, size)
    y = _langevin(s.x, g, step_size, generator)
    return moved(Chain(y, torch.full_like(s.log_prob, math.nan), y[:, :0]), gradients=posterior.batch_size / size)
