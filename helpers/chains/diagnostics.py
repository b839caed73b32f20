r"""Diagnostics that survive heavy tails: rank-normalised split R-hat, bulk and tail effective sample size, MCSE.

Draws have shape (chains, n) or (chains, n, d); results () or (d,), in float64. The definitions, to the last digit, are
those of ArviZ. Source: Vehtari, Gelman, Simpson, Carpenter & Buerkner 2021.
"""

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from helpers.mcmc import autocovariance, effective_sample_size, split_chains, split_rhat


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
    flat = draws.detach().cpu().double().flatten(0, 1)
    ranks = stats.rankdata(flat.numpy(), method="average", axis=0)
    z = stats.norm.ppf((ranks - 3 / 8) / (len(flat) + 1 / 4))
    return torch.from_numpy(np.asarray(z)).reshape(draws.shape).to(draws.device)


def bulk_ess(draws: Tensor) -> Tensor:
    """Effective sample size of the rank-normalised draws: how well the centre of the law is known."""
    return effective_sample_size(rank_normalise(_even(draws)))


def quantile_ess(draws: Tensor, probability: float) -> Tensor:
    """Effective sample size of the indicator 1[x <= its quantile]. Raises ValueError unless 0 < probability < 1."""
    if not 0 < probability < 1:
        raise ValueError(f"probability must lie strictly between 0 and 1, got {probability}")
    flat = draws.double().flatten(0, 1)
    cut = torch.from_numpy(np.asarray(np.quantile(flat.cpu().numpy(), probability, axis=0))).to(draws.device)
    split_chains(draws)  # refuses draws that are too few or not finite, before they become an indicator
    return effective_sample_size((draws <= cut).double())


def tail_ess(draws: Tensor) -> Tensor:
    """The smaller effective sample size of the 5 % and the 95 % quantile: how well the tails are known."""
    return torch.minimum(quantile_ess(draws, 0.05), quantile_ess(draws, 0.95))


def rank_rhat(draws: Tensor) -> Tensor:
    r"""max(R-hat of z, R-hat of the folded z): split R-hat of the rank-normalised draws and of |x - median|.

    The first sees chains in different places, also with infinite variance; the second sees chains of different widths.
    """
    even = _even(draws)
    middle = np.median(even.double().flatten(0, 1).cpu().numpy(), axis=0)
    folded = (even - torch.from_numpy(np.asarray(middle)).to(even.device)).abs()
    return torch.maximum(split_rhat(rank_normalise(even)), split_rhat(rank_normalise(folded)))


def mcse(draws: Tensor) -> Tensor:
    r"""Monte Carlo standard error of the mean: sd / sqrt(N_eff), the standard deviation over all draws."""
    return draws.double().flatten(0, 1).std(0) / effective_sample_size(draws).sqrt()
