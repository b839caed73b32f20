r"""What is known in closed form about the samplers of the lecture, to hold their measured behaviour against."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from scipy import optimize, stats
from torch import Tensor


def ula_variance(eta: float, variance: float = 1.0) -> float:
    r"""Stationary variance of ULA on N(0, s^2): x' = (1 - eta/s^2) x + sqrt(2 eta) xi has
    2 eta / (1 - (1 - eta/s^2)^2) = s^2 / (1 - eta / (2 s^2)), more than s^2.

    Raises ValueError unless 0 < eta < 2 s^2, where the chain has a stationary law.
    """
    return sgld_variance(eta, 1 / variance, 0.0)


def sgld_variance(eta: float, precision: float, noise: float) -> float:
    r"""Stationary variance of SGLD on N(m, 1/a) with gradient noise of variance V, independent of theta:
    (2 eta + eta^2 V) / (1 - (1 - eta a)^2). With V = 0 it is that of ULA: the discretisation's share of the bias.

    Raises ValueError unless 0 < eta a < 2 and V >= 0.
    """
    if not 0 < eta * precision < 2:
        raise ValueError(f"need 0 < eta < 2 / precision = {2 / precision:.4g} for a stationary law, got {eta=}")
    if noise < 0:
        raise ValueError(f"the variance of the gradient noise must be >= 0, got {noise}")
    return (2 * eta + eta**2 * noise) / (1 - (1 - eta * precision) ** 2)


def minibatch_noise(x: Tensor, noise: float, batch_size: int) -> float:
    r"""V = N^2/n Var_i(x_i) / noise^4 for sum_i log N(x_i; theta, noise^2), n of N drawn with replacement."""
    return float(len(x) ** 2 / batch_size * x.var(correction=0) / noise**4)


def gibbs_matrix(precision: Tensor, scan: str = "systematic") -> Tensor:
    r"""The matrix B of E[x' | x] = B x for Gibbs on N(0, P^-1): its eigenvalues set the pace.

    One update of coordinate i is B_i = I - e_i P_i. / P_ii; a systematic sweep is B_d ... B_1, a random scan the mean.
    Top eigenvalues for the bivariate normal: rho^2 per sweep, (1 + |rho|)/2 per random update.
    """
    d = len(precision)
    eye = torch.eye(d).to(precision)
    updates = [eye - torch.outer(eye[i], precision[i] / precision[i, i]) for i in range(d)]
    if scan == "random":
        return torch.stack(updates).mean(0)
    if scan != "systematic":
        raise ValueError(f'scan must be "systematic" or "random", got {scan!r}')
    sweep = eye
    for update in updates:
        sweep = update @ sweep
    return sweep


def shell(d: int) -> tuple[float, float]:
    r"""Mean and standard deviation of |x|, x ~ N(0, I_d): sqrt(2) Gamma((d+1)/2) / Gamma(d/2), close to sqrt(d), and
    sqrt(d - mean^2), close to 1/sqrt(2): the mass sits in a thin shell, far from the mode."""
    mean = math.sqrt(2) * math.exp(math.lgamma((d + 1) / 2) - math.lgamma(d / 2))
    return mean, float(stats.chi(d).std())


def random_walk_efficiency(step: float, d: int) -> tuple[float, float]:
    r"""Acceptance E[2 Phi(-R/2)] and expected squared jump E[R^2 2 Phi(-R/2)] of random-walk Metropolis started in
    N(0, I_d), exactly: R = step |xi| is the length of the proposal, and given R the log ratio is N(-R^2/2, R^2)."""
    q = (np.arange(4000) + 0.5) / 4000
    r = step * stats.chi(d).ppf(q)
    accept = 2 * stats.norm.cdf(-r / 2)
    return float(accept.mean()), float((r**2 * accept).mean())


def random_walk_optimum(d: int) -> tuple[float, float]:
    """The step that maximises the expected squared jump in N(0, I_d), and its acceptance: .44 (d=1) falls to .234."""
    found = optimize.minimize_scalar(
        lambda s: -random_walk_efficiency(s, d)[1], bounds=(0.1 / d**0.5, 6 / d**0.5), method="bounded"
    )
    return float(found.x), random_walk_efficiency(float(found.x), d)[0]


def limiting_acceptance(sampler: str) -> float:
    r"""Optimal acceptance as d grows: maximise l^a 2 Phi(-l^b / 2) over l, where the step shrinks like d^(-1/(2b)).

    random_walk (a, b) = (2, 1): .234;  mala (2, 3): .574;  hmc (1, 2): .651 (a path of fixed length costs 1/step).
    Sources: Roberts, Gelman & Gilks 1997; Roberts & Rosenthal 1998; Beskos et al. 2013.
    """
    exponents = {"random_walk": (2, 1), "mala": (2, 3), "hmc": (1, 2)}
    if sampler not in exponents:
        raise ValueError(f"sampler must be one of {', '.join(exponents)}, got {sampler!r}")
    a, b = exponents[sampler]
    best = optimize.minimize_scalar(
        lambda v: -a * v - stats.norm.logcdf(-math.exp(b * v) / 2),
        bounds=(-3, 3),
        method="bounded",
        options={"xatol": 1e-10},
    )
    return float(2 * stats.norm.cdf(-math.exp(b * best.x) / 2))


def rejection_acceptance(d: int, scale: float) -> float:
    """Acceptance of rejection sampling N(0, I_d) from N(0, scale^2 I_d), scale >= 1, with the best bound: scale^-d."""
    if scale < 1:
        raise ValueError(f"N(0, scale^2) covers N(0, 1) only for scale >= 1, got {scale}")
    return scale**-d


def importance_efficiency(d: int, scale: float) -> float:
    r"""1 / E[w^2], the share of effective draws when N(0, I_d) is the target and N(0, scale^2 I_d) the proposal:
    (sqrt(2 scale^2 - 1) / scale^2)^d. Raises ValueError unless scale^2 > 1/2, below which the variance is infinite."""
    if not scale**2 > 0.5:
        raise ValueError(f"the weights have infinite variance unless scale^2 > 1/2, got {scale=}")
    return float((math.sqrt(2 * scale**2 - 1) / scale**2) ** d)


def sgld_recursion(etas: Sequence[float], precision: float, noise: float) -> Tensor:
    r"""v_{t+1} = (1 - eta_t a)^2 v_t + 2 eta_t + eta_t^2 V from v_0 = 1/a, SGLD's variance -> (steps,)."""
    v, path = 1 / precision, []
    for eta in etas:
        v = (1 - eta * precision) ** 2 * v + 2 * eta + eta**2 * noise
        path.append(v)
    return torch.tensor(path, dtype=torch.float64)


def log_slope(x: Sequence[float], y: Tensor, errors: Tensor) -> tuple[float, float]:
    """Slope of log y (n,) over log x by least squares, and its standard error from those of y."""
    logs = torch.as_tensor(x, dtype=torch.float64, device=y.device).log()
    weights = (logs - logs.mean()) / (logs - logs.mean()).square().sum()
    return float(weights @ y.double().log()), float((weights * errors.double() / y.double()).norm())
