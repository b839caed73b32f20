r"""Lecture 5, `mcmc`: finite chains, samplers as pure steps on a batch of chains, and what their draws are worth.

A step is `step(log_prob, state, *, step_size, generator) -> (state, info)`: it moves every chain of the batch once, and
nothing else. In `helpers.chains`, `sampling` runs any of them, `targets` and `posteriors` are densities to run them on,
`diagnostics`, `exactness` and `theory` judge the result.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Generator, Tensor

from helpers.chains.posteriors import Posterior
from helpers.chains.state import Chain, Info, LogProb, chain, dot, gradient_at, moved, noise, positive, with_gradient

DIVERGENT = -1000.0
"""A Hamiltonian trajectory whose log acceptance ratio is below this has left the level set: it is called divergent."""


# Finite chains ------------------------------------------------------------------------------------------------------


def transition_matrix(matrix: Tensor) -> Tensor:
    r"""P in float64, each row divided by its sum. Raises ValueError unless P is square, P_ij >= 0, sum_j P_ij = 1."""
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"a transition matrix is square, got shape {tuple(matrix.shape)}")
    p = matrix.double()
    rows = p.sum(1, keepdim=True)
    if not ((p >= 0).all() and torch.allclose(rows, torch.ones_like(rows), atol=1e-5)):
        sums = [round(v, 4) for v in rows[:, 0].tolist()]
        raise ValueError(f"entries must be >= 0 and rows must sum to 1, got minimum {p.min():.3g}, sums {sums}")
    return p / rows


def stationary_distribution(matrix: Tensor) -> Tensor:
    r"""The law that one step leaves alone: pi P = pi, sum_i pi_i = 1.

    P (k, k) stochastic -> pi (k,) in float64. Raises ValueError when P is not stochastic, or when pi is not unique
    (the chain has two or more closed classes). A periodic chain has a stationary law too, and does not converge to it.
    """
    p = transition_matrix(matrix)
    k = len(p)
    if torch.linalg.matrix_rank(p - torch.eye(k, dtype=p.dtype, device=p.device), rtol=1e-12) < k - 1:
        raise ValueError("the chain has more than one closed class of states, so its stationary law is not unique")
    equations = torch.cat([p.T - torch.eye(k, dtype=p.dtype, device=p.device), p.new_ones(1, k)])
    right = torch.cat([p.new_zeros(k), p.new_ones(1)])
    return torch.linalg.lstsq(equations, right[:, None], driver="gelsd" if p.device.type == "cpu" else None).solution[
        :, 0
    ]


def is_reversible(matrix: Tensor, law: Tensor | None = None, *, tolerance: float = 1e-9) -> bool:
    r"""Detailed balance: pi_i P_ij = pi_j P_ji for all i, j, to within `tolerance`.

    P (k, k), pi (k,) or None for the stationary law of P. Every two-state chain passes: judge with three or more.
    """
    p = transition_matrix(matrix)
    pi = stationary_distribution(p) if law is None else law.to(p)
    flow = pi[:, None] * p
    return bool(((flow - flow.T).abs() <= tolerance).all())


def inverse_transform_sample(cdf: LogProb, u: Tensor, low: float, high: float, *, halvings: int = 60) -> Tensor:
    r"""x = F^-(u) = inf {x : F(x) >= u}, so that u ~ U[0, 1] gives x ~ F, whether F is continuous or has jumps.

    Bisection keeps F(low) < u <= F(high). cdf maps a tensor of any shape to F at each entry, u (...) in [0, 1], the law
    lives on [low, high] -> x (...) in float64, at most (high - low) / 2^halvings above F^-(u).
    Raises ValueError unless low < high and 0 <= u <= 1. Source: Devroye 1986, theorem II.2.1.
    """
    if not low < high:
        raise ValueError(f"low must be below high, got {low} and {high}")
    if not ((u >= 0) & (u <= 1)).all():
        raise ValueError(f"u must lie in [0, 1], got values in [{u.min()}, {u.max()}]")
    u = u.double()
    below, above = torch.full_like(u, low), torch.full_like(u, high)
    for _ in range(halvings):
        middle = (below + above) / 2
        reached = cdf(middle) >= u
        below, above = torch.where(reached, below, middle), torch.where(reached, middle, above)
    return above


# Metropolis-Hastings --------------------------------------------------------------------------------------------------


def metropolis_accept(log_ratio: Tensor, *, generator: Generator | None = None) -> Tensor:
    r"""True with probability A = min(1, r), r the Metropolis-Hastings ratio: log u < log r, u ~ U[0, 1).

    log_ratio (chains,) -> bool (chains,). A ratio of NaN is refused. Source: Metropolis et al. 1953; Hastings 1970.
    """
    u = torch.rand(log_ratio.shape, generator=generator, device=log_ratio.device, dtype=log_ratio.dtype)
    return u.log() < log_ratio


def settle(
    s: Chain, y: Chain, log_ratio: Tensor, *, generator: Generator | None, limit: float = -math.inf
) -> tuple[Chain, Info]:
    """Accept or refuse the proposals y of the chains s; a log ratio of NaN, or below `limit`, is called divergent."""
    take = metropolis_accept(log_ratio, generator=generator)
    rows = take[:, None]
    grad = torch.where(rows, y.grad, s.grad) if s.grad.numel() else s.grad
    state = Chain(torch.where(rows, y.x, s.x), torch.where(take, y.log_prob, s.log_prob), grad)
    log_accept = log_ratio.clamp(max=0).nan_to_num_(nan=-math.inf, neginf=-math.inf)
    return state, Info(y.x, log_accept, take, (log_ratio >= limit).logical_not_())


class Proposal(Protocol):
    """(x, step_size, generator) -> a proposal y (chains, d) and log q(x|y) - log q(y|x) (chains,)."""

    def __call__(self, x: Tensor, step_size: float, generator: Generator | None) -> tuple[Tensor, Tensor]: ...  # noqa: D102


def gaussian_proposal(x: Tensor, step_size: float, generator: Generator | None) -> tuple[Tensor, Tensor]:
    r"""y = x + step xi, xi ~ N(0, I): symmetric, q(y|x) = q(x|y)."""
    return torch.add(x, noise(x, generator), alpha=step_size), x.new_zeros(len(x))


def log_normal_proposal(x: Tensor, step_size: float, generator: Generator | None) -> tuple[Tensor, Tensor]:
    r"""y = x exp(step xi), coordinate by coordinate, for x > 0: q(y|x) is proportional to 1 / prod_i y_i, so that
    log q(x|y) - log q(y|x) = sum_i log y_i - log x_i."""
    shift = step_size * noise(x, generator)
    return x * shift.exp(), shift.sum(1)


def metropolis_hastings_step(
    log_prob: LogProb, s: Chain, *, step_size: float, generator: Generator | None = None, propose: Proposal
) -> tuple[Chain, Info]:
    r"""y ~ q(.|x);  accept with probability A = min(1, pi(y) q(x|y) / (pi(x) q(y|x))). Needs no gradient.

    s.x (chains, d) -> the next state and the events. Raises ValueError unless step_size > 0. Source: Hastings 1970.
    """
    positive(step_size)
    x, log_correction = propose(s.x, step_size, generator)
    y = chain(x, log_prob, gradient=False)
    state, info = settle(s._replace(grad=y.grad), y, y.log_prob - s.log_prob + log_correction, generator=generator)
    return state, info._replace(densities=1)


def random_walk_step(
    log_prob: LogProb, s: Chain, *, step_size: float, generator: Generator | None = None
) -> tuple[Chain, Info]:
    r"""y = x + step xi, xi ~ N(0, I);  A = min(1, pi(y) / pi(x)).  Source: Metropolis et al. 1953."""
    return metropolis_hastings_step(log_prob, s, step_size=step_size, generator=generator, propose=gaussian_proposal)


# Gibbs --------------------------------------------------------------------------------------------------------------


class Conditionals(Protocol):
    """A target with full conditionals: conditional(i, x, generator) draws x_i (chains,) given the other coordinates."""

    def conditional(self, i: int, x: Tensor, generator: Generator | None) -> Tensor: ...  # noqa: D102


def gibbs_bivariate_normal(x: Tensor, rho: float, *, generator: Generator | None = None) -> Tensor:
    r"""One systematic sweep for N(0, [[1, rho], [rho, 1]]):
    x_1 ~ N(rho x_2, 1 - rho^2), then x_2 ~ N(rho x_1, 1 - rho^2) with the new x_1.

    x (chains, 2) -> (chains, 2). Raises ValueError unless |rho| < 1 and x has two columns. Source: Geman & Geman 1984.
    """
    if not abs(rho) < 1:
        raise ValueError(f"rho must lie strictly between -1 and 1, got {rho}")
    if x.ndim != 2 or x.shape[1] != 2:
        raise ValueError(f"x must have shape (chains, 2), got {tuple(x.shape)}")
    xi = math.sqrt(1 - rho**2) * noise(x, generator)
    first = rho * x[:, 1] + xi[:, 0]
    return torch.stack([first, rho * first + xi[:, 1]], dim=1)


def gibbs_step(
    target: Conditionals,
    s: Chain,
    *,
    step_size: float | None = None,
    generator: Generator | None = None,
    scan: str = "systematic",
) -> tuple[Chain, Info]:
    r"""x_i ~ pi(x_i | x_1, ..., x_{i-1}, x_{i+1}, ..., x_d): for i = 1, ..., d in turn (scan="systematic": stationary,
    not reversible), or for one i drawn afresh for every chain (scan="random": reversible). It refuses nothing.

    s.x (chains, d) -> the next state, its log_prob NaN (not evaluated). Gibbs has no step size: step_size is ignored.
    """
    if scan not in ("systematic", "random"):
        raise ValueError(f'scan must be "systematic" or "random", got {scan!r}')
    x, d = s.x.clone(), s.x.shape[1]
    if scan == "systematic":
        for i in range(d):
            x[:, i] = target.conditional(i, x, generator)
    else:
        chosen = torch.randint(d, (len(x),), generator=generator, device=x.device)
        for i in range(d):
            rows = chosen == i
            x[rows, i] = target.conditional(i, x[rows], generator)
    return moved(Chain(x, torch.full_like(s.log_prob, math.nan), x[:, :0]))


# Langevin and Hamiltonian dynamics ----------------------------------------------------------------------------------


def ula_step(
    log_prob: LogProb, s: Chain, *, step_size: float, generator: Generator | None = None
) -> tuple[Chain, Info]:
    r"""y = x + eta g(x) + sqrt(2 eta) xi,  xi ~ N(0, I),  g = grad log pi: the unadjusted Langevin algorithm, the
    Euler-Maruyama step of dX = g(X) dt + sqrt(2) dB. Nothing is refused, so its stationary law is off by O(eta).

    s.x (chains, d) -> the next state. Raises ValueError unless step_size = eta > 0. Source: Roberts & Tweedie 1996.
    """
    positive(step_size)
    s = with_gradient(s, log_prob)
    return moved(chain(_langevin(s.x, s.grad, step_size, generator), log_prob), gradients=1)


def _langevin(x: Tensor, grad: Tensor, step_size: float, generator: Generator | None) -> Tensor:
    """x + eta g + sqrt(2 eta) xi."""
    xi = noise(x, generator)
    return torch.add(x, grad, alpha=step_size).add_(xi, alpha=math.sqrt(2 * step_size))


def mala_log_acceptance(x: Chain, y: Chain, step_size: float) -> Tensor:
    r"""log r = log pi(y) + log q(x|y) - log pi(x) - log q(y|x),  log q(b|a) = -|b - a - eta g(a)|^2 / (4 eta).

    The squares of y - x cancel: log q(x|y) - log q(y|x) = -1/2 (g(x) + g(y))^T (y - x - eta/2 (g(x) - g(y))).
    x, y chains with gradients -> (chains,), the logarithm of the ratio r; the move is accepted with min(1, r).
    Raises ValueError unless step_size = eta > 0. Source: Besag 1994.
    """
    positive(step_size)
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
    state, info = settle(s, y, mala_log_acceptance(s, y, step_size), generator=generator)
    return state, info._replace(gradients=1)


def leapfrog(gradient: LogProb, x: Tensor, p: Tensor, step_size: float, steps: int) -> tuple[Tensor, Tensor]:
    r"""`steps` times:  p += h/2 g(x);  x += h p;  p += h/2 g(x),  g = grad log pi (two half kicks in a row are one).

    x, p (chains, d), h = step_size -> (x, p). Reversible (negate p and run again) and volume-preserving, exactly.
    Raises ValueError unless step_size > 0 and steps >= 1. Source: Neal 2011, section 5.2.3.3.
    """
    positive(step_size)
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}")
    p = torch.add(p, gradient(x), alpha=step_size / 2)  # a new tensor, from here on changed in place
    for i in range(steps):
        x = torch.add(x, p, alpha=step_size)
        p.add_(gradient(x), alpha=step_size if i < steps - 1 else step_size / 2)
    return x, p


def hmc_step(
    log_prob: LogProb, s: Chain, *, step_size: float, generator: Generator | None = None, steps: int = 10
) -> tuple[Chain, Info]:
    r"""p ~ N(0, I);  (y, q) = `steps` leapfrog steps from (x, p);  A = min(1, exp(H(x, p) - H(y, q))),
    H(x, p) = -log pi(x) + |p|^2 / 2. Flipping q makes the move its own inverse; H does not see it, q is thrown away.

    s.x (chains, d) -> the next state, after `steps` gradients. Source: Duane et al. 1987; Neal 2011, section 5.3.2.
    """
    first, p = with_gradient(s, log_prob), noise(s.x, generator)
    y, calls = first, itertools.count()

    def gradient(x: Tensor) -> Tensor:  # the first is known, only the last needs its density
        nonlocal y
        call = next(calls)
        if 0 < call < steps:
            return gradient_at(x, log_prob)
        y = chain(x, log_prob) if call else first
        return y.grad

    _, q = leapfrog(gradient, s.x, p, step_size, steps)
    log_ratio = (y.log_prob - first.log_prob).add_(dot(p - q, p + q), alpha=0.5)
    state, info = settle(first, y, log_ratio, generator=generator, limit=DIVERGENT)
    return state, info._replace(gradients=steps)


# Stochastic gradients -----------------------------------------------------------------------------------------------


def sgld_gradient(
    log_prior: LogProb, log_likelihood: Callable[..., Tensor], theta: Tensor, batch: Sequence[Tensor], data_size: int
) -> Tensor:
    r"""g = grad_theta [log p(theta) + (N/n) sum_{i in batch} log p(x_i | theta)]: unbiased for the log posterior.

    theta (chains, d), batch: tensors (1 or chains, n, ...), data_size = N -> (chains, d).
    Raises ValueError when log_likelihood does not return (chains, n). Source: Welling & Teh 2011, equation 4.
    """
    with torch.enable_grad():
        leaf = theta.detach().requires_grad_(True)
        per_example = log_likelihood(leaf, *batch)
        if per_example.shape != (len(theta), batch[0].shape[1]):
            wanted = (len(theta), batch[0].shape[1])
            raise ValueError(f"log_likelihood must return {wanted} (chains, n), got {tuple(per_example.shape)}")
        scaled = log_prior(leaf) + data_size / per_example.shape[1] * per_example.sum(1)
        return torch.autograd.grad(scaled.sum(), leaf)[0]


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


# What the draws are worth -------------------------------------------------------------------------------------------


def split_chains(draws: Tensor) -> Tensor:
    """Each chain cut in two halves, the middle draw of an odd number left out: (m, n, ...) -> (2 m, n // 2, ...).

    Raises ValueError unless draws is (chains, n) or (chains, n, d) with n >= 4 and finite.
    """
    if draws.ndim not in (2, 3) or draws.shape[1] < 4:
        raise ValueError(f"draws must be (chains, n) or (chains, n, d) with n >= 4, got {tuple(draws.shape)}")
    bad = ~draws.isfinite().flatten(1).all(1)
    if bad.any():
        raise ValueError(f"chain {int(bad.nonzero()[0])} holds draws that are not finite: it diverged")
    half = draws.shape[1] // 2
    return torch.cat([draws[:, :half], draws[:, -half:]])


def autocovariance(draws: Tensor) -> Tensor:
    r"""gamma_t = (1/n) sum_{s=1}^{n-t} (x_s - mean)(x_{s+t} - mean) for every lag t, by FFT.

    draws (chains, n, ...) -> (chains, n, ...) in float64, lag along dimension 1, each chain about its own mean.
    """
    n = draws.shape[1]
    centred = draws.double() - draws.double().mean(1, keepdim=True)
    power = torch.fft.rfft(centred, n=2 * n, dim=1).abs().square()
    return torch.fft.irfft(power, n=2 * n, dim=1)[:, :n] / n


def _variances(halves: Tensor, within: Tensor) -> Tensor:
    """var+ = (n - 1)/n W + B/n of Vehtari et al. 2021, equation 3, from W (...) and the chains (m, n, ...)."""
    n = halves.shape[1]
    return within * (n - 1) / n + halves.double().mean(1).var(0)


def effective_sample_size(draws: Tensor) -> Tensor:
    r"""N_eff = N / tau,  tau = 1 + 2 sum_{t>=1} rho_t,  rho_t = 1 - (W - mean_j gamma_tj) / var+, on half chains.

    The sum goes over pairs rho_{2k} + rho_{2k+1} while they are positive, made non-increasing (Geyer's initial monotone
    sequence). draws (chains, n) or (chains, n, d) -> () or (d,) in float64, NaN where nothing ever moved; at most
    N log10 N (antithetic chains). Raises ValueError for fewer than 4 draws or any that is not finite.
    Source: Vehtari et al. 2021, equations 10 to 13; Geyer 1992, section 3.3.
    """
    halves = split_chains(draws)
    m, n = halves.shape[:2]
    gamma = autocovariance(halves).mean(0)
    within = gamma[0] * n / (n - 1)
    rho = 1 - (within - gamma) / _variances(halves, within)
    rho[0] = torch.where(rho[0].isfinite(), 1.0, rho[0])
    last = max((n - 4 + (n - 4) % 2) // 2, 0) if n >= 5 else 0
    even, pairs = rho[0 : 2 * last + 1 : 2], rho[0 : 2 * last + 1 : 2] + rho[1 : 2 * last + 2 : 2]
    stop = (pairs <= 0).int()
    stop[-1] = 1
    cut = stop.argmax(0, keepdim=True)
    kept = torch.arange(last + 1, device=rho.device).reshape(-1, *[1] * (rho.ndim - 1)) < cut
    tau = -1 + 2 * (pairs.cummin(0).values * kept).sum(0) + even.gather(0, cut)[0].clamp(min=0)
    return m * n / tau.clamp(min=1 / math.log10(m * n))


def split_rhat(draws: Tensor) -> Tensor:
    r"""R-hat = sqrt(var+ / W), var+ = (n - 1)/n W + B/n: the variance of all half chains over that within them.

    draws (chains, n) or (chains, n, d) -> () or (d,) in float64, NaN where nothing ever moved. Near 1 when the half
    chains agree, which they also do when all sit in the same mode. Raises ValueError as `effective_sample_size` does.
    Source: Gelman et al. 2013, section 11.4; Vehtari et al. 2021, equation 4.
    """
    halves = split_chains(draws)
    within = halves.double().var(1).mean(0)
    return (_variances(halves, within) / within).sqrt()
