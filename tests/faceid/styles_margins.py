"""Right answers of Lecture 2 in three other styles than the course's own: angular losses, the protocols."""

import math

import numpy as np
import torch
from torch.nn import functional as F


def normalised_softmax_bound(s, K):
    """The formula to the letter."""
    return torch.log(1 + (K - 1) * torch.exp(-s * K / (K - 1)))


def normalised_softmax_bound_2(s, K):
    """Minus the log of the own probability."""
    own = torch.exp(s)
    others = (K - 1) * torch.exp(-s / (K - 1))
    return -torch.log(own / (own + others)) if s.max() < 20 else F.softplus(math.log(K - 1) - s * K / (K - 1))


def normalised_softmax_bound_3(s, K):
    """The cross-entropy of K logits."""
    logits = torch.stack([s] + [-s / (K - 1)] * (K - 1), dim=-1)
    return torch.logsumexp(logits, -1) - s


def sphereface_psi(theta, m):
    """The formula to the letter."""
    k = (m * theta / math.pi).floor()
    return (-1.0) ** k * torch.cos(m * theta) - 2 * k


def sphereface_psi_2(theta, m):
    """Branch by branch."""
    psi = torch.zeros_like(theta)
    for k in range(m + 1):
        branch = (theta >= k * math.pi / m) & (theta <= (k + 1) * math.pi / m)
        psi = torch.where(branch, (-1) ** k * torch.cos(m * theta) - 2 * k, psi)
    return psi


def sphereface_psi_3(theta, m):
    """cos falls from 1 to -1 on each half period: only the remainder counts."""
    k = torch.div(m * theta, math.pi, rounding_mode="floor").detach()
    return torch.cos(m * theta - k * torch.pi) - 2 * k


def cosface_logits(cos, y, *, s, m):
    return s * (cos - m * F.one_hot(y, cos.shape[1]).to(cos.dtype))


def cosface_logits_2(cos, y, *, s, m):
    """In place, in a copy."""
    z = cos.clone()
    z[torch.arange(len(y), device=y.device), y] -= m
    return z * s


def cosface_logits_3(cos, y, *, s, m):
    """Row by row."""
    rows = []
    for row, label in zip(cos, y.tolist(), strict=True):
        rows.append(torch.stack([s * (c - m) if j == label else s * c for j, c in enumerate(row)]))
    return torch.stack(rows)


def arcface_logits(cos, y, *, s, m):
    """All angles are clamped, all logits computed, one_hot chooses."""
    theta = torch.acos(cos.clamp(-1 + 1e-7, 1 - 1e-7))
    moved = torch.where(theta > math.pi - m, cos - m * math.sin(m), torch.cos(theta + m))
    own = F.one_hot(y, cos.shape[-1]).bool()
    return s * torch.where(own, moved, cos)


def arcface_logits_2(cos, y, *, s, m):
    """As the authors' program: cos(a + b) by the addition theorem, the limit as cos(pi - m)."""
    c = cos[torch.arange(len(y), device=y.device), y].clamp(-1 + 1e-6, 1 - 1e-6)
    sine = (1 - c**2).sqrt()
    phi = c * math.cos(m) - sine * math.sin(m)
    phi = torch.where(c > math.cos(math.pi - m), phi, c - math.sin(math.pi - m) * m)
    z = cos.clone()
    z[range(len(y)), y] = phi
    return z * s


def arcface_logits_3(cos, y, *, s, m):
    """Row by row; atan2 needs no clamp but under the root."""
    rows = []
    for row, label in zip(cos, y, strict=True):
        c = row[label]
        theta = torch.atan2((1 - c * c).clamp(min=1e-12).sqrt(), c)
        value = torch.cos(theta + m) if theta <= math.pi - m else torch.cos(theta) - m * math.sin(m)
        own = torch.arange(len(row), device=row.device) == label
        rows.append(s * torch.where(own, value, row))
    return torch.stack(rows)


def roc_and_eer(scores, same):
    """Shares by comparison with every threshold; the crossing by hand."""
    t = torch.cat([torch.tensor([math.inf]).to(scores), scores.unique().flip(0)])
    far = (scores[~same] >= t[:, None]).double().mean(1)
    tar = (scores[same] >= t[:, None]).double().mean(1)
    for k in range(1, len(t)):
        before, after = 1 - tar[k - 1] - far[k - 1], 1 - tar[k] - far[k]
        if after <= 0:
            share = before / (before - after)
            return far, tar, (1 - share) * far[k - 1] + share * far[k]
    raise AssertionError("at the lowest score FAR is 1 and FRR 0")


def roc_and_eer_2(scores, same):
    """Sorted once, counted by cumsum; the last of equal scores is kept."""
    order = torch.argsort(scores, descending=True)
    s, g = scores[order], same[order].double()
    last = torch.cat([s[:-1] != s[1:], torch.ones(1, dtype=torch.bool, device=s.device)])
    zero = torch.zeros(1, dtype=torch.float64, device=s.device)
    tar = torch.cat([zero, (g.cumsum(0) / g.sum())[last]])
    far = torch.cat([zero, ((1 - g).cumsum(0) / (1 - g).sum())[last]])
    gap = far - (1 - tar)
    k = int((gap < 0).sum())
    eer = far[k - 1] - gap[k - 1] * (far[k] - far[k - 1]) / (gap[k] - gap[k - 1])
    return far, tar, eer


def roc_and_eer_3(scores, same):
    """NumPy's interpolation of FAR as a function of FAR - FRR, which grows."""
    a, b = scores.detach().cpu().numpy(), same.cpu().numpy()
    t = np.concatenate([[np.inf], np.unique(a)[::-1]])
    far = np.array([(a[~b] >= level).mean() for level in t])
    tar = np.array([(a[b] >= level).mean() for level in t])
    eer = np.interp(0.0, far + tar - 1, far)
    return tuple(torch.as_tensor(v, dtype=torch.float64, device=scores.device) for v in (far, tar, eer))


def tar_at_far(scores, same, far):
    """The best of all thresholds that keep the promise."""
    best = torch.zeros((), dtype=torch.float64, device=scores.device)
    for t in scores.unique():
        if (scores[~same] >= t).double().mean() <= far:
            best = torch.maximum(best, (scores[same] >= t).double().mean())
    return best


def tar_at_far_2(scores, same, far):
    """k impostors may pass: the genuine pairs above impostor k + 1 of the falling order."""
    impostors = scores[~same].sort(descending=True).values
    k = math.floor(far * len(impostors) + 1e-9)
    if k >= len(impostors):
        return torch.ones((), dtype=torch.float64, device=scores.device)
    return (scores[same] > impostors[k]).double().mean()


def tar_at_far_3(scores, same, far):
    """From the ROC of scikit-learn, all of whose points are kept."""
    from sklearn.metrics import roc_curve

    fpr, tpr, _ = roc_curve(same.cpu().numpy(), scores.cpu().numpy(), drop_intermediate=False)
    return torch.tensor(tpr[fpr <= far].max(), dtype=torch.float64, device=scores.device)
