r"""Tests that catch a sampler with a mistake in it: p-values and z-scores whose law is known when it is exact.

All of them work on a batch of independent chains at one moment, so no autocorrelation has to be estimated.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from scipy import stats
from torch import Generator, Tensor

from helpers import runtime
from helpers.mcmc.sampling import Step
from helpers.mcmc.state import LogProb, chain
from helpers.mcmc.targets import Smooth, log_normal

Simulator = Callable[[Tensor, Generator | None], Tensor]

Kernel = Callable[[Tensor, Tensor, Generator | None], Tensor]


def detailed_balance(before: Tensor, after: Tensor, cells: int) -> float:
    r"""p-value of pi_i P_ij = pi_j P_ji: with N_ij moves from cell i to cell j, given N_ij + N_ji = n the count N_ij is
    Binomial(n, 1/2), so sum_{i<j} (N_ij - N_ji)^2 / (N_ij + N_ji) is chi-square, one degree for each pair with n >= 10.

    before, after (chains,) int: the cell of each chain before and after a step, started in the target. Cells may be any
    function of the state. Raises ValueError for a cell outside [0, cells) or when no pair has been visited 10 times.
    """
    if before.shape != after.shape or not ((before >= 0) & (before < cells) & (after >= 0) & (after < cells)).all():
        raise ValueError(
            f"before and after must be cells of one shape in [0, {cells}), got {before.shape}, {after.shape}"
        )
    counts = torch.bincount(before * cells + after, minlength=cells**2).reshape(cells, cells).double()
    i, j = torch.triu_indices(cells, cells, 1)
    n, difference = counts[i, j] + counts[j, i], counts[i, j] - counts[j, i]
    enough = n >= 10
    if not enough.any():
        raise ValueError("no pair of cells was visited 10 times: use fewer cells, more chains or a larger step")
    statistic = (difference[enough].square() / n[enough]).sum()
    return float(stats.chi2.sf(float(statistic), int(enough.sum())))


def quantile_cells(x: Tensor, edges: Tensor) -> Tensor:
    """The cell of each x (n,) among the sorted inner edges (k - 1,): 0, ..., k - 1."""
    return torch.bucketize(x.contiguous(), edges)


def moment_scores(x: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    r"""z-scores (2, d) of the mean and the second central moment of independent draws x (n, d) with known moments."""
    n, mean, variance = len(x), mean.to(x), variance.to(x)
    centred = x - mean
    square = centred.square()
    return torch.stack(
        [centred.mean(0) / (variance / n).sqrt(), (square.mean(0) - variance) / (square.std(0) / n**0.5)]
    )


def same_law(x: Tensor, y: Tensor) -> float:
    """p-value of the two-sample Kolmogorov-Smirnov test, the smallest over the d coordinates times d (Bonferroni)."""
    p = [stats.ks_2samp(a.cpu().numpy(), b.cpu().numpy()).pvalue for a, b in zip(x.T, y.T, strict=True)]
    return min(1.0, len(p) * min(p))


def joint_scores(
    prior: Callable[[int, Generator | None], Tensor],
    simulate: Simulator,
    kernel: Kernel,
    statistics: Callable[[Tensor, Tensor], Tensor],
    *,
    chains: int = 10_000,
    rounds: int = 10,
    generator: Generator | None = None,
) -> Tensor:
    r"""Geweke's joint test. From theta ~ p(theta), y ~ p(y | theta), alternate theta ~ kernel(theta, y) and
    y ~ p(y | theta): if the kernel leaves p(theta | y) alone, (theta, y) has the same law after any number of rounds.

    Many chains make the test exact: their states after `rounds` are independent, and are compared with a fresh sample.
    prior(n) -> (n, d); simulate(theta) -> y (n, ...); kernel(theta, y) -> theta; statistics(theta, y) -> (n, k).
    Returns two-sample z-scores (k,), each standard normal for a right kernel. Source: Geweke 2004, section 3.
    """
    theta = prior(chains, generator)
    y = simulate(theta, generator)
    for _ in range(rounds):
        theta = kernel(theta, y, generator)
        y = simulate(theta, generator)
    fresh = prior(chains, generator)
    a, b = statistics(theta, y).double(), statistics(fresh, simulate(fresh, generator)).double()
    return (a.mean(0) - b.mean(0)) / ((a.var(0) + b.var(0)) / chains).sqrt()


def sbc_ranks(
    prior: Callable[[int, Generator | None], Tensor],
    simulate: Simulator,
    kernel: Kernel,
    *,
    chains: int = 1_000,
    draws: int = 19,
    thin: int = 5,
    generator: Generator | None = None,
) -> Tensor:
    r"""Simulation-based calibration of a *reversible* kernel, without a burn-in: theta ~ p(theta), y ~ p(y | theta)
    makes theta a draw from p(theta | y). Put it at a random place M of a stationary chain of `draws` + 1 states, M
    steps into the past and the rest into the future; then its rank among them is uniform on {0, ..., draws}, exactly.
    Ties, which rejections cause, are broken at random.

    -> ranks (chains, d) int. Sources: Talts et al. 2018, theorem 1; Gandy & Scott 2020, algorithm 2.
    """
    if draws < 1 or thin < 1:
        raise ValueError(f"draws and thin must be at least 1, got {draws=}, {thin=}")
    theta = prior(chains, generator)
    y = simulate(theta, generator)
    place = torch.randint(draws + 1, (chains, 1), generator=generator, device=theta.device)
    rank, ties = torch.zeros_like(theta), torch.zeros_like(theta)
    for length in (place, draws - place):
        state = theta
        for t in range(draws):
            for _ in range(thin):
                state = kernel(state, y, generator)
            rank += (state < theta) & (t < length)
            ties += (state == theta) & (t < length)
    u = torch.rand(theta.shape, generator=generator, device=theta.device, dtype=theta.dtype)
    return (rank + (u * (ties + 1)).floor()).long()


def uniform_ranks(ranks: Tensor, draws: int) -> float:
    """p-value of the chi-square test that ranks (n,) are uniform on {0, ..., draws}."""
    counts = torch.bincount(ranks.flatten(), minlength=draws + 1)
    return float(stats.chisquare(counts.cpu().numpy()).pvalue)


@dataclass(frozen=True)
class _Given:
    """theta -> log_joint(theta, y), where each chain has a y of its own."""

    log_joint: Callable[[Tensor, Tensor], Tensor]
    y: Tensor

    def __call__(self, theta: Tensor) -> Tensor:
        return self.log_joint(theta, self.y)

    def rows(self, row: Tensor) -> LogProb:
        """That of some of the chains."""
        return _Given(self.log_joint, self.y[row])


def kernel_of(step: Step, log_joint: Callable[[Tensor, Tensor], Tensor], *, step_size: float, steps: int = 1) -> Kernel:
    """A kernel for `joint_scores` and `sbc_ranks`: `steps` steps of a sampler on theta -> log_joint(theta, y)."""

    def kernel(theta: Tensor, y: Tensor, generator: Generator | None) -> Tensor:
        log_prob = _Given(log_joint, y)
        s = chain(theta, log_prob)
        for _ in range(steps):
            s, _ = step(log_prob, s, step_size=step_size, generator=generator)
        return s.x

    return kernel


Integrator = Callable[[Callable[[Tensor], Tensor], Tensor, Tensor, float, int], tuple[Tensor, Tensor]]
"""(gradient, x, p, step size, steps) -> (x, p) at the end of the path."""


def leapfrog_determinant(
    integrate: Integrator, target: Smooth, x: Tensor, p: Tensor, step_size: float, steps: int
) -> float:
    """Determinant of the Jacobian of the path from the first row of (x, p) (n, d): 1 when volume is preserved."""
    d = x.shape[1]

    def flow(z: Tensor) -> Tensor:
        return torch.cat(integrate(target.gradient, z[None, :d], z[None, d:], step_size, steps), dim=1)[0]

    jacobian = torch.autograd.functional.jacobian(flow, torch.cat([x[0], p[0]]))
    return float(torch.linalg.det(jacobian))


def energy_error(integrate: Integrator, target: Smooth, x: Tensor, p: Tensor, step_size: float, steps: int) -> Tensor:
    r"""Median over the rows of |H(end) - H(x, p)|, H = -log pi(x) + |p|^2 / 2; x, p (n, d) -> scalar."""
    energy = [p.square().sum(1) / 2 - target(x)]
    x, p = integrate(target.gradient, x, p, step_size, steps)
    energy.append(p.square().sum(1) / 2 - target(x))
    return (energy[1] - energy[0]).abs().median()


class Judgement(NamedTuple):
    """What `judge` found: mean acceptance, variance at the end, its z-score, p-value of detailed balance."""

    accepted: float
    variance: float
    z: float
    p: float


def judge(
    step: Step, *, step_size: float, steps: int = 30, chains: int = 40_000, generator: Generator | None
) -> Judgement:
    """Chains started in N(0, 1): are moves between seven cells as frequent as back, and is the law the same in the end?

    One step for detailed balance, then `steps` more for the variance; its z-score is standard normal for a right step.
    """
    device = runtime.home(generator)
    s = chain(torch.randn(chains, 1, generator=generator, dtype=torch.float64, device=device), log_normal)
    before, edges = s.x, torch.linspace(-1.5, 1.5, 6, dtype=torch.float64, device=device)
    s, info = step(log_normal, s, step_size=step_size, generator=generator)
    here, there = (quantile_cells(x[:, 0], edges) for x in (before, s.x))
    for _ in range(steps):
        s, _ = step(log_normal, s, step_size=step_size, generator=generator)
    z = moment_scores(s.x, torch.zeros(1), torch.ones(1))[1, 0]
    accepted = info.log_accept.exp().mean()
    return Judgement(float(accepted), float(s.x.var()), float(z), detailed_balance(here, there, cells=7))


def gradient_error(log_prob: LogProb, x: Tensor, step: float = 1e-6) -> float:
    r"""Largest |g_i - (log pi(x + h e_i) - log pi(x - h e_i)) / 2h| / (1 + |g_i|); x (chains, d) in float64."""
    g = chain(x, log_prob).grad
    differences = [(log_prob(x + step * e) - log_prob(x - step * e)) / (2 * step) for e in torch.eye(x.shape[1]).to(x)]
    error = (torch.stack(differences, dim=1) - g).abs() / (1 + g.abs())
    return float(error.max()) if error.isfinite().all() else math.inf
