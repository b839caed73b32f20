"""Right answers of Lecture 9 in other styles than the course's own: `name`, `name_2` and `name_3` for each exercise."""

import math
from statistics import NormalDist

import numpy as np
import torch
from scipy import optimize, stats

from helpers.smoothing.certificates import Certificate
from tests.smoothing.more_styles import (  # noqa: F401
    certified_radius_2,
    certified_radius_3,
    certify_2,
    certify_3,
    clopper_pearson_lower_2,
    clopper_pearson_lower_3,
    interval_linear_2,
    interval_linear_3,
    lecuyer_radius_2,
    lecuyer_radius_3,
    lipschitz_upper_bound_2,
    lipschitz_upper_bound_3,
    margin_radius_2,
    margin_radius_3,
    max_certifiable_radius_2,
    max_certifiable_radius_3,
    neyman_pearson_bound_2,
    neyman_pearson_bound_3,
    smoothed_predict_2,
    smoothed_predict_3,
    top_k_radius_2,
    top_k_radius_3,
)

F64 = torch.float64


def lipschitz_upper_bound(weights):
    """By power iteration on W'W, in a plain loop."""
    bound = 1.0
    for w in weights:
        v = torch.ones(w.shape[1], dtype=w.dtype, device=w.device) + 0.1 * torch.arange(w.shape[1], device=w.device)
        for _ in range(300):
            v = w.T @ (w @ v)
            v = v / v.norm()
        bound *= torch.linalg.svdvals(w)[0].item() if w.shape[1] < 3 else (w @ v).norm().item()
    return bound


def margin_radius(logits, y, lipschitz, *, per_logit=False):
    """Image by image, by the smallest of the differences."""
    radii = []
    for z, label in zip(logits, y.tolist(), strict=True):
        gap = min(z[label] - z[k] for k in range(len(z)) if k != label)
        radii.append(torch.relu(gap) / (2 * lipschitz) if per_logit else torch.relu(gap) / lipschitz * 0.5**0.5)
    return torch.stack(radii)


def interval_linear(lower, upper, weight, bias):
    """By the positive and the negative part of the weights."""
    up, down = weight.clamp(min=0), weight.clamp(max=0)
    return lower @ up.T + upper @ down.T + bias, upper @ up.T + lower @ down.T + bias


def neyman_pearson_bound(p_a, distance, sigma):
    """By the threshold of the half-space, with scipy."""
    device = p_a.device if isinstance(p_a, torch.Tensor) else "cpu"
    p, d = (np.asarray(v.cpu() if isinstance(v, torch.Tensor) else v, dtype=float) for v in (p_a, distance))
    return torch.as_tensor(stats.norm.cdf(stats.norm.ppf(p, scale=sigma), loc=d, scale=sigma), device=device)


def certified_radius(p_a, sigma, p_b=None):
    """By torch's normal law, cut at zero."""
    normal = torch.distributions.Normal(0.0, sigma)
    a = torch.as_tensor(p_a, dtype=F64)
    b = 1 - a if p_b is None else torch.as_tensor(p_b, dtype=F64)
    return torch.clamp((normal.icdf(a) - normal.icdf(b)) / 2, min=0)


def clopper_pearson_lower(successes, n, alpha):
    """By bisection on the tail of the binomial law."""
    k = torch.as_tensor(successes)
    counts = k.cpu().numpy()
    low, high = np.zeros(counts.shape), np.ones(counts.shape)
    for _ in range(50):
        p = (low + high) / 2
        seldom = stats.binom.sf(counts - 1, n, p) < alpha
        low, high = np.where(seldom, p, low), np.where(seldom, high, p)
    return torch.as_tensor(np.where(counts > 0, low, 0.0), dtype=F64, device=k.device)


def smoothed_predict(votes, alpha):
    """Image by image, by scipy's test."""
    out = []
    for row in votes.tolist():
        a, b = sorted(row)[-1:-3:-1]
        significant = stats.binomtest(a, a + b, 0.5).pvalue <= alpha
        out.append(row.index(a) if significant else -1)
    return torch.tensor(out, device=votes.device)


def certify(selection, votes, *, sigma, alpha):
    """Image by image, by the quantile of the Beta law."""
    predictions, radii, bounds = [], [], []
    for first, second in zip(selection.tolist(), votes.tolist(), strict=True):
        a = first.index(max(first))
        k, n = second[a], sum(second)
        p = stats.beta.ppf(alpha, k, n - k + 1) if k else 0.0
        predictions.append(a if p > 0.5 else -1)
        radii.append(sigma * NormalDist().inv_cdf(p) if p > 0.5 else 0.0)
        bounds.append(p)
    double = {"dtype": F64, "device": votes.device}
    return Certificate(
        torch.tensor(predictions, device=votes.device), torch.tensor(radii, **double), torch.tensor(bounds, **double)
    )


def max_certifiable_radius(n, alpha, sigma):
    """By the logarithm of the tail."""
    return max(0.0, sigma * float(stats.norm.isf(-math.expm1(math.log(alpha) / n))))


def top_k_radius(p_label, p_others, k, sigma, *, halvings=60):
    """Image by image: the largest of the roots for each t."""
    radii = []
    for label, others in zip(p_label.tolist(), p_others.tolist(), strict=True):
        rivals, best = sorted(others)[-k:], 0.0
        for t in range(1, k + 1):
            mass = min(sum(rivals[:t]), 1 - label)

            def gap(r, label=label, mass=mass, t=t):
                a, b = stats.norm.ppf(label), stats.norm.ppf(mass)
                return stats.norm.cdf(a - r / sigma) - stats.norm.cdf(b + r / sigma) / t

            if gap(0.0) > 0:
                best = max(best, optimize.brentq(gap, 0, 30 * sigma))
        radii.append(best)
    return torch.tensor(radii, dtype=F64, device=p_label.device)


def lecuyer_radius(p_a, p_b, sigma, *, points=1000):
    """Pair by pair and beta by beta."""
    radii = []
    for a, b in zip(p_a.tolist(), p_b.tolist(), strict=True):
        best = 0.0
        for j in range(1, points + 1) if a > b else ():
            beta = (j - 0.5) / points * min(1, math.log(a / b) / 2)
            delta = (a - math.exp(2 * beta) * b) / (1 + math.exp(beta))
            best = max(best, sigma * beta / math.sqrt(2 * math.log(1.25 / delta)))
        radii.append(best)
    return torch.tensor(radii, dtype=F64, device=p_a.device)
