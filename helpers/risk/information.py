"""Entropy, cross-entropy, divergences of distributions, and the Gaussian closest to a density. In nats."""

import math

import torch
from torch import Tensor


def _distributions(*distributions: Tensor) -> None:
    for p in distributions:
        if p.shape != distributions[0].shape:
            raise ValueError(f"distributions must have one shape, got {[tuple(d.shape) for d in distributions]}")
        if not ((p >= 0).all() and ((p.sum(-1) - 1).abs() < 1e-4).all()):
            raise ValueError(
                f"each row must be >= 0 and sum to 1, got minimum {p.min():.3g}, sums {p.sum(-1).flatten()[:3]}"
            )


def entropy(p: Tensor) -> Tensor:
    r"""H(p) = -sum_k p_k ln p_k with 0 ln 0 = 0; 0 <= H <= ln K.

    p (..., K), rows that sum to 1 -> (...), nats. Raises ValueError for anything else.
    """
    _distributions(p)
    return torch.special.entr(p).sum(-1)


def cross_entropy(p: Tensor, q: Tensor) -> Tensor:
    r"""CE(p, q) = -sum_k p_k ln q_k = H(p) + KL(p || q) with 0 ln 0 = 0; inf where q_k = 0 < p_k.

    p, q (..., K), rows that sum to 1 -> (...), nats. Raises ValueError for anything else.
    """
    _distributions(p, q)
    return -torch.special.xlogy(p, q).sum(-1)


def kl_divergence(p: Tensor, q: Tensor) -> Tensor:
    r"""KL(p || q) = sum_k p_k ln(p_k / q_k) >= 0 with 0 ln 0 = 0; inf where q_k = 0 < p_k.

    p, q (..., K), rows that sum to 1 -> (...), nats. Raises ValueError for anything else.
    """
    _distributions(p, q)
    return (torch.special.xlogy(p, p) - torch.special.xlogy(p, q)).sum(-1)


def js_divergence(p: Tensor, q: Tensor) -> Tensor:
    r"""JS(p, q) = 1/2 KL(p || c) + 1/2 KL(q || c),  c = (p + q)/2;  0 <= JS <= ln 2.

    p, q (..., K), rows that sum to 1 -> (...), nats. Raises ValueError for anything else.
    """
    centre = (p + q) / 2
    return (kl_divergence(p, centre) + kl_divergence(q, centre)) / 2


def js_distance(p: Tensor, q: Tensor) -> Tensor:
    r"""sqrt(JS(p, q)), a metric; its largest value is sqrt(ln 2). Source: Endres & Schindelin 2003, theorem 1.

    p, q (..., K), rows that sum to 1 -> (...). Raises ValueError for anything else.
    """
    return js_divergence(p, q).clamp(min=0).sqrt()


def mixture_log_density(x: Tensor, means: Tensor, sigmas: Tensor, weights: Tensor) -> Tensor:
    r"""ln sum_k pi_k N(x; mu_k, sigma_k^2). x (...), means, sigmas, weights (K,), the weights sum to 1 -> (...).

    Raises ValueError if the shapes differ, a sigma is not positive, or the weights are no distribution.
    """
    if means.ndim != 1 or not means.shape == sigmas.shape == weights.shape or not (sigmas > 0).all():
        shapes = f"{(*means.shape,)}, {(*sigmas.shape,)}, {(*weights.shape,)}"
        raise ValueError(f"means, sigmas > 0 and weights must have one shape (K,), got {shapes}, {sigmas=}")
    _distributions(weights)
    z = (x.unsqueeze(-1) - means) / sigmas
    return torch.logsumexp(weights.log() - sigmas.log() - 0.5 * math.log(2 * math.pi) - z.square() / 2, -1)


def fit_gaussian(
    log_p: Tensor, grid: Tensor, *, forward: bool, start: tuple[float, float]
) -> tuple[float, float, float]:
    r"""arg min over (mu, sigma) of KL(p || q) (forward) or KL(q || p) (reverse), q = N(mu, sigma^2), by L-BFGS.

    log_p (G,) is ln p on the evenly spaced grid (G,); start = (mu, sigma) -> (mu, sigma, KL in nats).
    Raises ValueError if the shapes differ or the sigma of the start is not positive.
    """
    mean, sigma = start
    if log_p.shape != grid.shape or grid.ndim != 1 or len(grid) < 2 or not sigma > 0:
        shapes = f"{tuple(log_p.shape)} and {tuple(grid.shape)}"
        raise ValueError(f"log_p and grid must both be (G,), the sigma of the start positive, got {shapes}, {start=}")
    dx = grid[1] - grid[0]
    mu, log_sigma = (grid.new_tensor(value, requires_grad=True) for value in (mean, math.log(sigma)))

    def divergence() -> Tensor:
        log_q = -((grid - mu) / log_sigma.exp()).square() / 2 - log_sigma - 0.5 * math.log(2 * math.pi)
        a, b = (log_p, log_q) if forward else (log_q, log_p)
        return (a.exp() * (a - b)).sum() * dx

    optimizer = torch.optim.LBFGS([mu, log_sigma], max_iter=60, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = divergence()
        value.backward()
        return value

    optimizer.step(closure)
    return mu.item(), log_sigma.exp().item(), divergence().item()
