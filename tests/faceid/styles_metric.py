"""Right answers of Lecture 2 in three other styles than the course's own: metric losses, the simplex, NC1."""

import itertools
import math

import numpy as np
import torch
from torch.nn import functional as F


def contrastive_loss(features, y, *, margin):
    """Pair by pair."""
    losses = []
    for i, j in itertools.combinations(range(len(y)), 2):
        d = torch.norm(features[i] - features[j])
        losses.append(d**2 / 2 if y[i] == y[j] else torch.relu(margin - d) ** 2 / 2)
    return torch.stack(losses).mean()


def contrastive_loss_2(features, y, *, margin):
    """As Hadsell et al. write it, with Y = 1 for pairs of two classes."""
    i, j = torch.triu_indices(len(y), len(y), offset=1, device=y.device)
    d = F.pairwise_distance(features[i], features[j], eps=0)
    Y = (y[i] != y[j]).to(d.dtype)
    return ((1 - Y) * 0.5 * d.pow(2) + Y * 0.5 * torch.clamp(margin - d, min=0).pow(2)).mean()


def contrastive_loss_3(features, y, *, margin):
    """All ordered pairs, the diagonal masked; the root is made safe by where."""
    squared = (features.unsqueeze(0) - features.unsqueeze(1)).pow(2).sum(-1)
    safe = torch.where(squared > 0, squared, torch.ones_like(squared)).sqrt()
    d = torch.where(squared > 0, safe, torch.zeros_like(safe))
    off = ~torch.eye(len(y), dtype=torch.bool, device=y.device)
    same = y.view(-1, 1).eq(y.view(1, -1))
    pull, push = squared[same & off] / 2, F.relu(margin - d[~same]).square() / 2
    return (pull.sum() + push.sum()) / off.sum()


def triplet_loss(features, y, *, margin):
    """Anchor by anchor."""
    losses = []
    for a in range(len(y)):
        d = torch.stack([torch.norm(features[a] - other) for other in features])
        friends = [j for j in range(len(y)) if j != a and y[j] == y[a]]
        strangers = [j for j in range(len(y)) if y[j] != y[a]]
        if friends:
            losses.append(torch.relu(margin + d[friends].max() - d[strangers].min()))
    return sum(losses) / len(losses)


def triplet_loss_2(features, y, *, margin):
    """As many programs have it: the largest distance added where the negative is masked."""
    d = torch.cdist(features, features)
    same = (y.unsqueeze(0) == y.unsqueeze(1)).to(d.dtype)
    eye = torch.eye(len(y), dtype=d.dtype, device=d.device)
    hardest_positive, _ = (d * (same - eye)).max(dim=1)
    hardest_negative, _ = (d + (d.max() + 1) * same).min(dim=1)
    valid = (same - eye).sum(1) > 0
    return F.relu(hardest_positive - hardest_negative + margin)[valid].mean()


def triplet_loss_3(features, y, *, margin):
    """Mined first, without a gradient; the loss by torch's own."""
    with torch.no_grad():
        d = torch.cdist(features, features, compute_mode="donot_use_mm_for_euclid_dist")
        same = y[:, None] == y[None, :]
        anchors = torch.where(same.sum(1) >= 2)[0]
        p = d.masked_fill(~same, -math.inf).fill_diagonal_(-1).argmax(1)[anchors]
        n = d.masked_fill(same, math.inf).argmin(1)[anchors]
    return F.triplet_margin_loss(features[anchors], features[p], features[n], margin=margin, eps=0)


def center_loss(features, y, centres):
    return F.mse_loss(features, centres[y], reduction="sum") / (2 * len(y))


def center_loss_2(features, y, centres):
    """Class by class."""
    total = sum((features[y == k] - centre).pow(2).sum() for k, centre in enumerate(centres))
    return total / 2 / features.shape[0]


def center_loss_3(features, y, centres):
    """The matrix of all squared distances, masked by one_hot."""
    cross = features @ centres.T
    squared = (features * features).sum(1, keepdim=True) - 2 * cross + (centres * centres).sum(1)
    own = F.one_hot(y, len(centres)).to(squared.dtype)
    return (squared * own).sum() / len(features) * 0.5


def simplex_etf(K, d):
    """The centred basis in the coordinates of its singular vectors."""
    if d < K - 1:
        raise ValueError(f"{K} corners need {K - 1} dimensions, got {d}")
    centred = torch.eye(K, dtype=torch.float64) - 1 / K
    _, _, rows = torch.linalg.svd(centred)
    corners = centred @ rows[: K - 1].T
    return F.pad(corners / corners.norm(dim=1, keepdim=True), (0, d - K + 1))


def simplex_etf_2(K, d):
    """One corner after the other: each new one along a new axis."""
    if d + 1 < K:
        raise ValueError("too few dimensions")
    corners = torch.zeros(K, d).double()
    for k in range(K):
        for j in range(min(k, K - 1)):
            corners[k, j] = (-1 / (K - 1) - corners[k, :j] @ corners[j, :j]) / corners[j, j]
        if k < K - 1:
            corners[k, k] = math.sqrt(1 - corners[k, :k].square().sum())
    return corners


def simplex_etf_3(K, d):
    """From the eigenvectors of the Gram matrix, with NumPy, into random directions of R^d."""
    if K - 1 > d:
        raise ValueError
    gram = K / (K - 1) * np.eye(K) - 1 / (K - 1)
    values, vectors = np.linalg.eigh(gram)
    corners = vectors[:, 1:] * np.sqrt(values[1:])
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(d, d)))
    return torch.from_numpy(corners @ turn[: K - 1])


def within_class_variability(features, y):
    """Loops and outer products."""
    x = features.double()
    classes = y.unique()
    mu = x.mean(0)
    d, K = x.shape[1], len(classes)
    sigma_w, sigma_b = torch.zeros(d, d).to(x), torch.zeros(d, d).to(x)
    for k in classes:
        members = x[y == k]
        mean = members.mean(dim=0)
        sigma_b += torch.outer(mean - mu, mean - mu) / K
        for member in members:
            sigma_w += torch.outer(member - mean, member - mean) / len(x)
    return (sigma_w @ torch.linalg.pinv(sigma_b, rtol=1e-10)).trace() / K


def within_class_variability_2(features, y):
    """Sigma_B^+ from the pseudo-inverse of the centred means: no covariance is built."""
    x = features.to(torch.float64)
    one_hot = F.one_hot(y).double()
    means = (one_hot.T @ x) / one_hot.sum(0)[:, None]
    inverse = torch.linalg.pinv(means - means.mean(dim=0, keepdim=True), rtol=1e-8)
    return ((x - one_hot @ means) @ inverse).square().sum() / len(x)


def within_class_variability_3(features, y):
    """Covariances by torch.cov and torch.einsum."""
    x = features.double()
    K = int(y.max().item()) + 1
    means = torch.stack([x[y == k].mean(0) for k in range(K)])
    sigma_b = torch.cov(means.T, correction=0).reshape(x.shape[1], x.shape[1])
    sigma_w = sum(torch.cov(x[y == k].T, correction=0).reshape(sigma_b.shape) for k in range(K)) / K
    return torch.einsum("ij,ji->", sigma_w, torch.linalg.pinv(sigma_b, rcond=1e-10)) / K
