"""Right answers of Lecture 9 in other styles than the course's own: radii and bounds, before any vote is counted."""

import math

import numpy as np
import torch
from scipy import optimize, stats
from torch.nn import functional as F
from torch.special import ndtr, ndtri

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


def lipschitz_upper_bound_2(weights):
    product = 1.0
    for w in weights:
        product = product * torch.linalg.matrix_norm(w, 2).item()
    return product


def lipschitz_upper_bound_3(weights):
    return float(np.prod([np.linalg.svd(w.cpu().numpy(), compute_uv=False)[0] for w in weights]))


def margin_radius(logits, y, lipschitz, *, per_logit=False):
    """Image by image, by the smallest of the differences."""
    radii = []
    for z, label in zip(logits, y.tolist(), strict=True):
        gap = min(z[label] - z[k] for k in range(len(z)) if k != label)
        radii.append(torch.relu(gap) / (2 * lipschitz) if per_logit else torch.relu(gap) / lipschitz * 0.5**0.5)
    return torch.stack(radii)


def margin_radius_2(logits, y, lipschitz, *, per_logit=False):
    own = logits.gather(1, y[:, None])[:, 0]
    margin = own - logits.scatter(1, y[:, None], -math.inf).amax(1)
    return margin.clamp(min=0) / ((2 if per_logit else 2**0.5) * lipschitz)


def margin_radius_3(logits, y, lipschitz, *, per_logit=False):
    own = F.one_hot(y, logits.shape[1]).bool()
    gap = logits[own] - logits.masked_fill(own, -torch.inf).max(1).values
    return torch.where(gap > 0, gap / lipschitz / (2 if per_logit else math.sqrt(2)), 0)


def interval_linear(lower, upper, weight, bias):
    """By the positive and the negative part of the weights."""
    up, down = weight.clamp(min=0), weight.clamp(max=0)
    return lower @ up.T + upper @ down.T + bias, upper @ up.T + lower @ down.T + bias


def interval_linear_2(lower, upper, weight, bias):
    centre, radius = (upper + lower) / 2, (upper - lower) / 2
    middle, reach = F.linear(centre, weight, bias), F.linear(radius, weight.abs())
    return middle - reach, middle + reach


def interval_linear_3(lower, upper, weight, bias):
    ends = torch.stack([lower[:, None] * weight, upper[:, None] * weight])
    return ends.amin(0).sum(2) + bias, ends.amax(0).sum(2) + bias


def neyman_pearson_bound(p_a, distance, sigma):
    """By the threshold of the half-space, with scipy."""
    device = p_a.device if isinstance(p_a, torch.Tensor) else "cpu"
    p, d = (np.asarray(v.cpu() if isinstance(v, torch.Tensor) else v, dtype=float) for v in (p_a, distance))
    return torch.as_tensor(stats.norm.cdf(stats.norm.ppf(p, scale=sigma), loc=d, scale=sigma), device=device)


def neyman_pearson_bound_2(p_a, distance, sigma):
    p, d = torch.as_tensor(p_a, dtype=F64), torch.as_tensor(distance, dtype=F64)
    return ndtr(ndtri(p) - d / sigma)


def neyman_pearson_bound_3(p_a, distance, sigma):
    p, d = (torch.as_tensor(v, dtype=F64) for v in (p_a, distance))
    return (1 + torch.erf(torch.erfinv(2 * p - 1) - d / (sigma * math.sqrt(2)))) / 2


def certified_radius(p_a, sigma, p_b=None):
    """By torch's normal law, cut at zero."""
    normal = torch.distributions.Normal(0.0, sigma)
    a = torch.as_tensor(p_a, dtype=F64)
    b = 1 - a if p_b is None else torch.as_tensor(p_b, dtype=F64)
    return torch.clamp((normal.icdf(a) - normal.icdf(b)) / 2, min=0)


def certified_radius_2(p_a, sigma, p_b=None):
    p_a = torch.as_tensor(p_a, dtype=F64)
    p_b = 1 - p_a if p_b is None else torch.as_tensor(p_b, dtype=F64)
    return torch.where(p_a > p_b, sigma / 2 * (ndtri(p_a) - ndtri(p_b)), 0.0)


def certified_radius_3(p_a, sigma, p_b=None):
    a = torch.as_tensor(p_a).double()
    if p_b is None:
        return sigma * ndtri(a).clamp(min=0)
    z = stats.norm.ppf(a.cpu()) + stats.norm.isf(torch.as_tensor(p_b).double().cpu())
    return torch.as_tensor(np.maximum(sigma / 2 * z, 0)).to(a.device)


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


def top_k_radius_2(p_label, p_others, k, sigma, *, halvings=60):
    sums = p_others.topk(k, dim=1).values.flip(1).cumsum(1)
    sums = torch.minimum(sums, 1 - p_label[:, None])
    low, high = torch.zeros_like(p_label), 40 * sigma * torch.ones_like(p_label)
    for _ in range(halvings):
        middle = (low + high) / 2
        left = ndtr(ndtri(p_label) - middle / sigma)
        right = ndtr(ndtri(sums) + middle[:, None] / sigma) / torch.arange(1, k + 1, device=sums.device)
        inside = left > right.amin(1)
        low, high = torch.where(inside, middle, low), torch.where(inside, high, middle)
    return low


def top_k_radius_3(p_label, p_others, k, sigma, *, halvings=60):
    """By steps of 20, 10, 5 ... sigma, taken where they stay inside for one t."""
    rivals = p_others.sort(1).values[:, -k:]
    mass = torch.minimum(rivals.cumsum(1), 1 - p_label[:, None])
    r, step = torch.zeros_like(p_label), 40.0 * sigma
    for _ in range(halvings):
        step, t = step / 2, torch.arange(1, k + 1, device=r.device)
        theirs = ndtr(ndtri(mass) + (r + step)[:, None] / sigma) / t
        r = torch.where((ndtr(ndtri(p_label) - (r + step) / sigma)[:, None] > theirs).any(1), r + step, r)
    return r


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


def lecuyer_radius_2(p_a, p_b, sigma, *, points=1000):
    limit = (p_a / p_b).log().div(2).clamp(max=1)
    beta = limit[:, None] * (torch.arange(1, points + 1, device=p_a.device) - 0.5) / points
    delta = (p_a[:, None] - (2 * beta).exp() * p_b[:, None]) / (1 + beta.exp())
    return torch.where(p_a > p_b, (sigma * beta / (2 * (1.25 / delta).log()).sqrt()).amax(1), 0.0)


def lecuyer_radius_3(p_a, p_b, sigma, *, points=1000):
    """The formula of the docstring, to the letter, in NumPy."""
    a, b = p_a.cpu().numpy()[:, None], p_b.cpu().numpy()[:, None]
    beta = (np.arange(1, points + 1) - 1 / 2) / points * np.minimum(1, np.log(a / b) / 2)
    with np.errstate(all="ignore"):
        radii = sigma * beta / np.sqrt(2 * np.log(1.25 * (1 + np.exp(beta)) / (a - np.exp(2 * beta) * b)))
    return torch.as_tensor(np.where(a > b, radii, 0).max(1)).to(p_a.device)
