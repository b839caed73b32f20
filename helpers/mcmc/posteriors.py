r"""Posteriors on data: conjugate, logistic, a Bayesian network, and the eight schools with their exact means."""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor
from torch.nn.functional import logsigmoid

from helpers.mcmc.state import LogProb

SCHOOL_EFFECTS = (28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0)

SCHOOL_ERRORS = (15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0)
"""Estimated effects of coaching in eight schools, and their standard errors. Source: Rubin 1981, table 1."""

EIGHT_SCHOOLS_REFERENCE = {
    "theta": (6.15050, 4.93958, 3.90591, 4.79602, 3.61444, 4.05115, 6.31717, 4.88400),
    "theta_error": (0.05574, 0.04623, 0.05423, 0.04749, 0.04615, 0.04852, 0.04988, 0.05425),
    "mu": 4.41052,
    "mu_error": 0.03304,
    "tau": 3.60206,
    "tau_error": 0.03186,
}
"""Published posterior means and their Monte Carlo errors. Source: posteriordb, eight_schools_noncentered."""


# fmt: off
BREAST_CANCER_MEAN = (
    0.205, -0.474, -0.473, -0.455, -0.553, -0.245, 0.582, -0.959, -1.067, 0.104, 0.449, -1.435, 0.321, -0.785,
    -1.179, -0.435, 0.732, 0.320, -0.333, 0.298, 0.818, -1.135, -1.494, -0.912, -1.118, -0.719, -0.025,
    -0.984, -1.037, -1.052, -0.529,
)

BREAST_CANCER_SD = (
    0.410, 0.893, 0.549, 0.895, 0.909, 0.612, 0.803, 0.824, 0.830, 0.510, 0.676, 0.785, 0.499, 0.796, 0.921,
    0.464, 0.665, 0.619, 0.659, 0.527, 0.699, 0.917, 0.645, 0.926, 0.932, 0.611, 0.776, 0.761, 0.786, 0.550,
    0.712,
)
# fmt: on
"""Posterior of `breast_cancer()` by HMC: 96 chains of 500 draws; Monte Carlo error of a mean below 0.006."""


class Posterior(NamedTuple):
    """p(theta | data), proportional to p(theta) prod_i p(x_i | theta); a call gives the log of that on all the data.

    log_likelihood(theta, *batch) -> (chains, n) takes theta (chains, d) and tensors of leading shape (1 or chains, n).
    """

    log_prior: LogProb
    log_likelihood: Callable[..., Tensor]
    data: tuple[Tensor, ...]  # each (N, ...)
    batch_size: int

    def __call__(self, theta: Tensor) -> Tensor:
        """log p(theta) + sum_i log p(x_i | theta) (chains,)."""
        prior, likelihood = log_terms(self.log_prior, self.log_likelihood, theta, [t[None] for t in self.data])
        return prior + likelihood.sum(1)

    def batch(self, chains: int, generator: Generator | None) -> tuple[Tensor, ...]:
        """For each chain its own n examples, drawn with replacement: tensors (chains, n, ...)."""
        first = self.data[0]
        rows = torch.randint(len(first), (chains, self.batch_size), generator=generator, device=first.device)
        return tuple(t[rows] for t in self.data)


def log_terms(
    log_prior: LogProb, log_likelihood: Callable[..., Tensor], theta: Tensor, batch: Sequence[Tensor]
) -> tuple[Tensor, Tensor]:
    """log p(theta) (chains,) and log p(x_i | theta) (chains, n) of a batch: tensors (1 or chains, n, ...), n >= 1.

    Raises ValueError for other shapes: a prior of shape () or (chains, 1) would broadcast into another posterior.
    """
    prior, likelihood = log_prior(theta), log_likelihood(theta, *batch)
    chains, n = len(theta), batch[0].shape[1]
    if n < 1:
        raise ValueError("the batch holds no examples")
    if prior.shape != (chains,):
        raise ValueError(f"log_prior must return {(chains,)} (chains,), got {tuple(prior.shape)}")
    if likelihood.shape != (chains, n):
        raise ValueError(f"log_likelihood must return {(chains, n)} (chains, n), got {tuple(likelihood.shape)}")
    return prior, likelihood


def gaussian_prior(scale: float) -> LogProb:
    """log N(theta; 0, scale^2 I) up to a constant."""
    return lambda theta: -theta.square().sum(1) / (2 * scale**2)


def laplace_prior(scale: float) -> LogProb:
    r"""log of prod_j exp(-|theta_j| / scale), up to a constant; its standard deviation is sqrt(2) scale."""
    return lambda theta: -theta.abs().sum(1) / scale


def gaussian_mean_posterior(x: Tensor, noise: float = 1.0, prior: float = 1.0, batch_size: int = 10) -> Posterior:
    r"""theta ~ N(0, prior^2), x_i | theta ~ N(theta, noise^2): the posterior is N(m, 1/a) with precision
    a = N/noise^2 + 1/prior^2 and m = sum x_i / (noise^2 a). x (N,)."""

    def log_likelihood(theta: Tensor, batch: Tensor) -> Tensor:
        return -(batch - theta).square() / (2 * noise**2)

    return Posterior(gaussian_prior(prior), log_likelihood, (x,), batch_size)


def logistic_posterior(x: Tensor, y: Tensor, prior: float = 1.0, batch_size: int = 32) -> Posterior:
    r"""theta ~ N(0, prior^2 I), P(y = 1 | x) = sigma(theta_0 + sum_j theta_j x_j). x (N, d - 1), y (N,) of 0 and 1.

    A proper prior is needed: on separable data the likelihood has no maximum. Raises ValueError for other labels.
    """
    if not ((y == 0) | (y == 1)).all():
        raise ValueError(f"y must hold 0 and 1 only, got {y.unique().tolist()[:5]}")
    columns = torch.cat([torch.ones_like(x[:, :1]), x], dim=1)

    def log_likelihood(theta: Tensor, rows: Tensor, sign: Tensor) -> Tensor:
        shared = rows.shape[0] == 1
        logits = theta @ rows[0].T if shared else torch.einsum("cnd,cd->cn", rows, theta)
        return logsigmoid(sign * logits)

    return Posterior(gaussian_prior(prior), log_likelihood, (columns, 2 * y.to(x) - 1), batch_size)


@lru_cache
def breast_cancer(prior: float = 1.0, batch_size: int = 32) -> Posterior:
    """`logistic_posterior` of scikit-learn's breast-cancer table: 569 tumours, 30 standardised features, y = benign."""
    from sklearn.datasets import load_breast_cancer

    x, y = (torch.from_numpy(a) for a in load_breast_cancer(return_X_y=True))
    return logistic_posterior((x - x.mean(0)) / x.std(0, correction=0), y, prior, batch_size)


def network_logits(theta: Tensor, x: Tensor, sizes: tuple[int, ...]) -> Tensor:
    r"""A ReLU network for every chain: theta (chains, d) holds W_1, b_1, W_2, ... in turn; x (1 or chains, n, sizes[0])
    -> (chains, n, sizes[-1]). Raises ValueError unless d = sum_l (sizes[l] + 1) sizes[l + 1]."""
    wanted = sum((a + 1) * b for a, b in zip(sizes, sizes[1:], strict=False))
    if theta.shape[1] != wanted:
        raise ValueError(f"a network of sizes {sizes} has {wanted} weights, got {theta.shape[1]}")
    used = 0
    for depth, (a, b) in enumerate(zip(sizes, sizes[1:], strict=False)):
        w, used = theta[:, used : used + a * b].reshape(-1, a, b), used + a * b
        bias, used = theta[:, None, used : used + b], used + b
        x = (x.relu() if depth else x) @ w + bias
    return x


def network_posterior(
    x: Tensor, y: Tensor, sizes: tuple[int, ...], prior: float = 1.0, batch_size: int = 100
) -> Posterior:
    r"""A Bayesian network: theta ~ N(0, prior^2 I), y | x ~ softmax of `network_logits`. x (N, sizes[0]), y (N,)."""

    def log_likelihood(theta: Tensor, batch: Tensor, labels: Tensor) -> Tensor:
        log_p = network_logits(theta, batch, sizes).log_softmax(2)
        return log_p.gather(2, labels.expand(len(theta), -1)[:, :, None])[:, :, 0]

    return Posterior(gaussian_prior(prior), log_likelihood, (x, y), batch_size)


def eight_schools(x: Tensor) -> Tensor:
    r"""Non-centred: x = (mu, log tau, z_1, ..., z_8), theta_j = mu + tau z_j, y_j ~ N(theta_j, s_j^2), z_j ~ N(0, 1),
    mu ~ N(0, 5^2), tau ~ half-Cauchy(5); the change to log tau adds its Jacobian, log tau. (chains, 10) -> (chains,).

    Source: Gelman et al. 2013, section 5.5; priors of posteriordb.
    """
    mu, log_tau, z = x[:, 0], x[:, 1], x[:, 2:]
    y, s = x.new_tensor(SCHOOL_EFFECTS), x.new_tensor(SCHOOL_ERRORS)
    theta = mu[:, None] + log_tau.exp()[:, None] * z
    prior = -(mu / 5).square() / 2 - torch.log1p((log_tau.exp() / 5).square()) + log_tau - z.square().sum(1) / 2
    return prior - ((y - theta) / s).square().sum(1) / 2


def eight_schools_effects(x: Tensor) -> Tensor:
    """(..., 10) of `eight_schools` -> (..., 10): theta_1, ..., theta_8, mu, tau, the quantities that are published."""
    tau = x[..., 1:2].exp()
    return torch.cat([x[..., :1] + tau * x[..., 2:], x[..., :1], tau], dim=-1)


def _eight_schools_at(angle: float) -> Tensor:
    r"""p(tau | y) (E[theta_1], ..., E[theta_8], E[mu], tau, 1 given tau), up to a factor, at tau = 5 tan(angle).

    The half-Cauchy prior is flat in the angle. Given tau everything is Gaussian: y_j ~ N(mu, v_j), v_j = s_j^2 + tau^2,
    so mu | tau has precision Q = 1/25 + sum 1/v_j and mean m = (sum y_j/v_j)/Q, and
    E[theta_j | tau] = m + tau^2/v_j (y_j - m).
    """
    y, s = (torch.tensor(a, dtype=torch.float64) for a in (SCHOOL_EFFECTS, SCHOOL_ERRORS))
    tau = 5 * math.tan(angle)
    v = s.square() + tau**2
    q = 1 / 25 + (1 / v).sum()
    m = (y / v).sum() / q
    weight = (-(v.log().sum() + q.log() + (y.square() / v).sum() - q * m.square()) / 2).exp()
    return weight * torch.cat([m + tau**2 / v * (y - m), torch.stack([m, m.new_tensor(tau), m.new_tensor(1.0)])])


def _eight_schools_integral(tau: float) -> Tensor:
    """The integral of `_eight_schools_at` from tau to infinity, (11,)."""
    from scipy import integrate  # here, since it costs a third of what torch costs to import

    low, high = math.atan(tau / 5), math.pi / 2 - 1e-12
    return torch.from_numpy(integrate.quad_vec(lambda a: _eight_schools_at(a).numpy(), low, high, epsrel=1e-10)[0])


@lru_cache
def eight_schools_exact() -> Tensor:
    """E[theta_1], ..., E[theta_8], E[mu], E[tau] given the data, (10,) in float64, by quadrature over tau alone."""
    total = _eight_schools_integral(0.0)
    return total[:-1] / total[-1]


def eight_schools_tail(tau: float) -> float:
    """P(tau > a number, given the data), by quadrature."""
    return float(_eight_schools_integral(tau)[-1] / _eight_schools_integral(0.0)[-1])


def eight_schools_published() -> tuple[Tensor, Tensor]:
    """`EIGHT_SCHOOLS_REFERENCE` in the order of `eight_schools_effects`: means and Monte Carlo errors, (10,) each."""
    rows: dict[str, Any] = EIGHT_SCHOOLS_REFERENCE
    means, errors = ([*rows["theta" + end], rows["mu" + end], rows["tau" + end]] for end in ("", "_error"))
    return torch.tensor(means, dtype=torch.float64), torch.tensor(errors, dtype=torch.float64)
