r"""Diagnostics that survive heavy tails: rank-normalised split R-hat, bulk and tail effective sample size, MCSE.

Draws have shape (chains, n) or (chains, n, d); results () or (d,), in float64. The definitions, to the last digit, are
those of ArviZ. Source: Vehtari, Gelman, Simpson, Carpenter & Buerkner 2021.
"""

import math

import numpy as np
import torch
from torch import Tensor


def split_chains(draws: Tensor) -> Tensor:
    """Each chain cut in two halves, the middle draw of an odd number left out: (m, n, ...) -> (2 m, n // 2, ...).

    Raises ValueError unless draws is (chains, n) or (chains, n, d) with chains >= 1, n >= 4, and finite.
    """
    if draws.ndim not in (2, 3) or draws.shape[0] < 1 or draws.shape[1] < 4:
        shape = tuple(draws.shape)
        raise ValueError(f"draws must be (chains, n) or (chains, n, d) with chains >= 1 and n >= 4, got {shape}")
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
    """var+ = (n - 1)/n W + B/n of Vehtari et al. 2021, equation 3, from W (...) and the chains (m, n, ...).

    NaN where nothing ever moved: W would be the rounding error of a constant's mean.
    """
    n, moved = halves.shape[1], halves.amax((0, 1)) > halves.amin((0, 1))
    return torch.where(moved, within * (n - 1) / n + halves.double().mean(1).var(0), math.nan)


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
    return m * n / _geyer(rho).clamp(min=1 / math.log10(m * n))


def _geyer(rho: Tensor) -> Tensor:
    """tau = -1 + 2 sum of the pairs (rho_2k + rho_2k+1), made non-increasing, before the first that is not positive,
    and of that pair the first half, if it is positive; rho (n, ...) -> (...), rho_0 read as 1.

    As in Stan and ArviZ the last pair of an even number of lags counts as not positive, and a single last lag is left.
    """
    rho = torch.cat([1 + 0 * rho[:1], rho[1:]])  # NaN stays NaN
    pairs = rho[: 2 * max((len(rho) - 1) // 2, 1)].unflatten(0, (-1, 2))
    total = pairs.sum(1)
    stop = torch.cat([total[:-1] <= 0, torch.ones_like(total[:1], dtype=torch.bool)])
    cut = stop.int().argmax(0, keepdim=True)
    before = stop.cumsum(0) == 0
    return -1 + 2 * (total.cummin(0).values * before).sum(0) + pairs[:, 0].gather(0, cut)[0].clamp(min=0)


def split_rhat(draws: Tensor) -> Tensor:
    r"""R-hat = sqrt(var+ / W), var+ = (n - 1)/n W + B/n: the variance of all half chains over that within them.

    draws (chains, n) or (chains, n, d) -> () or (d,) in float64, NaN where nothing ever moved. Near 1 when the half
    chains agree, which they also do when all sit in the same mode. Raises ValueError as `effective_sample_size` does.
    Source: Gelman et al. 2013, section 11.4; Vehtari et al. 2021, equation 4.
    """
    halves = split_chains(draws)
    within = halves.double().var(1).mean(0)
    return (_variances(halves, within) / within).sqrt()


def autocorrelation(draws: Tensor, lags: int | None = None) -> Tensor:
    r"""rho_t = gamma_t / gamma_0, gamma averaged over the chains, each about its own mean.

    draws (chains, n, ...) -> (lags + 1, ...); all n lags for None. Raises ValueError unless 0 <= lags < n.
    """
    n = draws.shape[1]
    if lags is not None and not 0 <= lags < n:
        raise ValueError(f"lags must lie in [0, {n - 1}], got {lags}")
    gamma = autocovariance(draws).mean(0)
    return gamma[: n if lags is None else lags + 1] / gamma[0]


def _even(draws: Tensor) -> Tensor:
    """The draws that `split_chains` keeps, with each chain whole: an odd number loses its middle one."""
    first, second = split_chains(draws).chunk(2)
    return torch.cat([first, second], dim=1)


def rank_normalise(draws: Tensor) -> Tensor:
    r"""z = Phi^-1((r - 3/8) / (S + 1/4)), r the rank among all S draws of the coordinate, ties sharing their mean rank.

    draws (chains, n, ...) -> the same shape in float64. Source: Vehtari et al. 2021, equation 14.
    """
    from scipy import special, stats  # here, since they cost a third of what torch costs to import

    flat = draws.detach().cpu().double().flatten(0, 1)
    ranks = stats.rankdata(flat.numpy(), method="average", axis=0)
    z = special.ndtri((ranks - 3 / 8) / (len(flat) + 1 / 4))
    return torch.from_numpy(np.asarray(z)).reshape(draws.shape).to(draws.device)


def bulk_ess(draws: Tensor) -> Tensor:
    """Effective sample size of the rank-normalised draws: how well the centre of the law is known."""
    return effective_sample_size(rank_normalise(_even(draws)))


def quantile_ess(draws: Tensor, probability: float) -> Tensor:
    """Effective sample size of the indicator 1[x <= its quantile], all the draws where that is constant, as in ArviZ.

    NaN where nothing ever moved. Raises ValueError unless 0 < probability < 1.
    """
    if not 0 < probability < 1:
        raise ValueError(f"probability must lie strictly between 0 and 1, got {probability}")
    flat = draws.double().flatten(0, 1)
    cut = torch.from_numpy(np.asarray(np.quantile(flat.cpu().numpy(), probability, axis=0))).to(draws.device)
    halves = split_chains(draws)  # refuses draws that are too few or not finite, before they become an indicator
    below = draws <= cut
    constant = below.flatten(0, 1).all(0) & (halves.amax((0, 1)) > halves.amin((0, 1)))
    return torch.where(constant, halves.shape[0] * halves.shape[1], effective_sample_size(below.double()))


def tail_ess(draws: Tensor) -> Tensor:
    """The smaller effective sample size of the 5 % and the 95 % quantile: how well the tails are known."""
    return torch.minimum(quantile_ess(draws, 0.05), quantile_ess(draws, 0.95))


def rank_rhat(draws: Tensor) -> Tensor:
    r"""max(R-hat of z, R-hat of the folded z): split R-hat of the rank-normalised draws and of |x - median|.

    The first sees chains in different places, also with infinite variance; the second sees chains of different widths,
    and does not count where |x - median| is constant, as for draws of two values.
    """
    even = _even(draws)
    middle = np.median(even.double().flatten(0, 1).cpu().numpy(), axis=0)
    folded = (even - torch.from_numpy(np.asarray(middle)).to(even.device)).abs()
    return torch.fmax(split_rhat(rank_normalise(even)), split_rhat(rank_normalise(folded)))


def mcse(draws: Tensor) -> Tensor:
    r"""Monte Carlo standard error of the mean: sd / sqrt(N_eff), the standard deviation over all draws."""
    return draws.double().flatten(0, 1).std(0) / effective_sample_size(draws).sqrt()
