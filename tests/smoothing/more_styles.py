"""Right answers of Lecture 9, the second and the third of each exercise; the second is what the hints say, typed in."""

import math

import numpy as np
import torch
from scipy import special, stats
from torch.nn import functional as F
from torch.special import ndtr, ndtri

from helpers.smoothing.certificates import Certificate, certified_radius as radius, clopper_pearson_lower as lower_bound

F64 = torch.float64


def lipschitz_upper_bound_2(weights):
    product = 1.0
    for w in weights:
        product = product * torch.linalg.matrix_norm(w, 2).item()
    return product


def lipschitz_upper_bound_3(weights):
    return float(np.prod([np.linalg.svd(w.cpu().numpy(), compute_uv=False)[0] for w in weights]))


def margin_radius_2(logits, y, lipschitz, *, per_logit=False):
    own = logits.gather(1, y[:, None])[:, 0]
    margin = own - logits.scatter(1, y[:, None], -math.inf).amax(1)
    return margin.clamp(min=0) / ((2 if per_logit else 2**0.5) * lipschitz)


def margin_radius_3(logits, y, lipschitz, *, per_logit=False):
    own = F.one_hot(y, logits.shape[1]).bool()
    gap = logits[own] - logits.masked_fill(own, -torch.inf).max(1).values
    return torch.where(gap > 0, gap / lipschitz / (2 if per_logit else math.sqrt(2)), 0)


def interval_linear_2(lower, upper, weight, bias):
    centre, radius = (upper + lower) / 2, (upper - lower) / 2
    middle, reach = F.linear(centre, weight, bias), F.linear(radius, weight.abs())
    return middle - reach, middle + reach


def interval_linear_3(lower, upper, weight, bias):
    ends = torch.stack([lower[:, None] * weight, upper[:, None] * weight])
    return ends.amin(0).sum(2) + bias, ends.amax(0).sum(2) + bias


def neyman_pearson_bound_2(p_a, distance, sigma):
    p, d = torch.as_tensor(p_a, dtype=F64), torch.as_tensor(distance, dtype=F64)
    return ndtr(ndtri(p) - d / sigma)


def neyman_pearson_bound_3(p_a, distance, sigma):
    p, d = (torch.as_tensor(v, dtype=F64) for v in (p_a, distance))
    return (1 + torch.erf(torch.erfinv(2 * p - 1) - d / (sigma * math.sqrt(2)))) / 2


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


def clopper_pearson_lower_2(successes, n, alpha):
    k = torch.as_tensor(successes)
    p = stats.beta.ppf(alpha, k.cpu().numpy(), n - k.cpu().numpy() + 1)
    return torch.where(k > 0, torch.as_tensor(p, dtype=F64, device=k.device), 0.0)


def clopper_pearson_lower_3(successes, n, alpha):
    k = torch.as_tensor(successes)
    found = [stats.beta(c, n - c + 1).ppf(alpha) if c else 0.0 for c in k.flatten().tolist()]
    return torch.tensor(found, dtype=F64, device=k.device).reshape(k.shape)


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


def max_certifiable_radius_2(n, alpha, sigma):
    return radius(alpha ** (1 / n), sigma).item()


def max_certifiable_radius_3(n, alpha, sigma):
    """In torch's single precision."""
    return sigma * max(0.0, ndtri(torch.tensor(alpha) ** (1 / n)).item())


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
