"""Right answers of Lecture 9 in other styles than the course's own: what is said of counted votes."""

import math
from statistics import NormalDist

import numpy as np
import torch
from scipy import special, stats
from torch.special import ndtri

from helpers.smoothing.certificates import Certificate, certified_radius as radius, clopper_pearson_lower as lower_bound

F64 = torch.float64


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


def clopper_pearson_lower_2(successes, n, alpha):
    k = torch.as_tensor(successes)
    p = stats.beta.ppf(alpha, k.cpu().numpy(), n - k.cpu().numpy() + 1)
    return torch.where(k > 0, torch.as_tensor(p, dtype=F64, device=k.device), 0.0)


def clopper_pearson_lower_3(successes, n, alpha):
    k = torch.as_tensor(successes)
    found = [stats.beta(c, n - c + 1).ppf(alpha) if c else 0.0 for c in k.flatten().tolist()]
    return torch.tensor(found, dtype=F64, device=k.device).reshape(k.shape)


def smoothed_predict(votes, alpha):
    """Image by image, by scipy's test."""
    out = []
    for row in votes.tolist():
        a, b = sorted(row)[-1:-3:-1]
        significant = stats.binomtest(a, a + b, 0.5).pvalue <= alpha
        out.append(row.index(a) if significant else -1)
    return torch.tensor(out, device=votes.device)


def smoothed_predict_2(votes, alpha):
    top = votes.topk(2, dim=1)
    n_a, n_b = top.values.cpu().numpy().T
    p_value = torch.as_tensor(2 * stats.binom.sf(n_a - 1, n_a + n_b, 0.5))
    return torch.where(p_value.to(votes.device) <= alpha, top.indices[:, 0], -1)


def smoothed_predict_3(votes, alpha):
    counts, classes = votes.cpu().sort(dim=1, descending=True)
    a, n = counts[:, 0].numpy(), counts[:, :2].sum(1).numpy()
    chance = np.minimum(1, 2 * special.betainc(a, n - a + 1, 0.5))
    return torch.where(torch.as_tensor(chance) > alpha, -1, classes[:, 0]).to(votes.device)


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


def certify_2(selection, votes, *, sigma, alpha):
    chosen = selection.argmax(1)
    lower = lower_bound(votes.gather(1, chosen[:, None])[:, 0], int(votes[0].sum()), alpha)
    prediction = torch.where(lower > 0.5, chosen, -1)
    return Certificate(prediction, radius(lower, sigma), lower)


def certify_3(selection, votes, *, sigma, alpha):
    first, second = selection.cpu().numpy(), votes.cpu().numpy()
    chosen = first.argmax(1)
    k, n = second[np.arange(len(chosen)), chosen], second[0].sum()
    p = np.where(k > 0, special.betaincinv(np.maximum(k, 1), n - k + 1, alpha), 0.0)
    sure = p > 0.5
    out = np.where(sure, chosen, -1), np.where(sure, sigma * special.ndtri(np.where(sure, p, 0.6)), 0.0), p
    return Certificate(*(torch.as_tensor(v).to(votes.device) for v in out))


def max_certifiable_radius(n, alpha, sigma):
    """By the logarithm of the tail."""
    return max(0.0, sigma * float(stats.norm.isf(-math.expm1(math.log(alpha) / n))))


def max_certifiable_radius_2(n, alpha, sigma):
    return radius(alpha ** (1 / n), sigma).item()


def max_certifiable_radius_3(n, alpha, sigma):
    """In torch's single precision."""
    return sigma * max(0.0, ndtri(torch.tensor(alpha) ** (1 / n)).item())
