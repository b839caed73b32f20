"""How far samples are from the truth: exact optimal transport, its floor, and which error is to blame."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from helpers.checks import whole
from helpers.diffusion.levels import Denoiser, level
from helpers.diffusion.mixture import Mixture
from helpers.diffusion.sampling import Method, sample
from helpers.diffusion.schedules import Schedule


def wasserstein2(a: Tensor, b: Tensor) -> float:
    r"""W_2 = min over pairings of sqrt(mean |a_i - b_pi(i)|^2), exactly: sorted on the line, else as an assignment.

    a, b (n, d), n points each (n^3 operations; 1,000 take a tenth of a second). Raises ValueError for others, NaN.
    """
    if a.ndim != 2 or a.shape != b.shape or not len(a):
        raise ValueError(f"a and b must both be (n, d), got {tuple(a.shape)} and {tuple(b.shape)}")
    if not (a.isfinite().all() and b.isfinite().all()):
        raise ValueError("a and b must be finite, got NaN or infinity")
    a, b = a.detach().double().cpu(), b.detach().double().cpu()
    if a.shape[1] == 1:
        return float((a.sort(0).values - b.sort(0).values).square().mean().sqrt())
    from scipy.optimize import linear_sum_assignment

    squares = torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist").square()
    rows, columns = linear_sum_assignment(squares.numpy())
    return float(squares[rows, columns].mean().sqrt())


def truth_floor(mixture: Mixture, n: int, *, repeats: int = 10, generator: Generator | None = None) -> Tensor:
    """W_2 between two samples of n from the truth itself, `repeats` times: below it nothing can be told. (repeats,)."""
    whole("repeats", repeats)
    pairs = [[mixture.sample(n, generator=generator) for _ in range(2)] for _ in range(repeats)]
    return torch.tensor([wasserstein2(a, b) for a, b in pairs], dtype=torch.float64)


def quantiles(n: int) -> Tensor:
    """The points (i - 1/2) / n, i = 1 ... n, in float64: (n,)."""
    whole("n", n)
    return (torch.arange(n, dtype=torch.float64) + 0.5) / n


def flow_map(mixture: Mixture, x: Tensor, alpha_bar_t: Tensor | float) -> Tensor:
    r"""x_0 = F_0^-1(F_t(x_t)), the exact probability flow of a mixture on the line: it keeps the order, so quantiles.

    x (n, 1), alpha_bar_t one number -> (n, 1). Raises ValueError unless d = 1. Good to 13 standard deviations or so.
    """
    level("alpha_bar_t", alpha_bar_t)
    return mixture.quantile(mixture.noised(alpha_bar_t).cdf(x[:, 0]))[:, None]


class Errors(NamedTuple):
    """W_2 from stage to stage, truth -> prior -> score -> discretisation, and from the first to the last."""

    prior: float
    score: float
    discretisation: float
    total: float


def separate_errors(
    mixture: Mixture,
    schedule: Schedule,
    denoiser: Denoiser,
    *,
    steps: int,
    method: Method = "ddim",
    n: int = 2000,
) -> Errors:
    r"""What the flow from N(0, 1) loses on the line, stage by stage, by n quantiles, so without noise of sampling:

    prior: the exact flow from N(0, 1), not from p_T; score: this denoiser, not the exact one, in T steps of Heun;
    discretisation: `steps` steps of the method, not T of Heun. total <= their sum (triangle inequality).
    Raises ValueError unless d = 1, and as `trajectory`. The method draws no noise: ddim, euler or heun.
    """
    if method not in ("ddim", "euler", "heun"):
        raise ValueError(f"method must be ddim, euler or heun, which draw no noise, got {method!r}")
    u = quantiles(n)
    truth, x_T = mixture.quantile(u)[:, None], torch.special.ndtri(u)[:, None]
    exact = flow_map(mixture, x_T, schedule.at(schedule.T))
    fine = sample(denoiser, schedule, x_T, method="heun")
    coarse = sample(denoiser, schedule, x_T, method=method, steps=steps)
    stages = ((truth, exact), (exact, fine), (fine, coarse), (truth, coarse))
    prior, score, discretisation, total = (wasserstein2(a, b) for a, b in stages)
    return Errors(prior, score, discretisation, total)


def fitted_order(steps: Sequence[int], errors: Sequence[float]) -> float:
    """The slope p of ln error = c - p ln steps, by least squares: 1 for Euler's method, 2 for Heun's.

    Raises ValueError unless there are two of each at least, all positive.
    """
    x, y = torch.tensor(steps, dtype=torch.float64), torch.tensor(errors, dtype=torch.float64)
    if x.shape != y.shape or len(x) < 2 or not ((x > 0).all() and (y > 0).all()):
        raise ValueError(f"steps and errors must be two positive numbers each, or more, got {steps} and {errors}")
    x, y = x.log() - x.log().mean(), y.log()
    return -float(x @ y / (x @ x))
