"""Right answers of Lecture 8 in three other styles than the course's own: the losses on descriptors."""

import torch
from torch.nn import functional as F

from helpers import physical


def in_range(enough):
    if not -1 <= enough <= 1:
        raise ValueError("enough must lie in [-1, 1]")


def impersonation_loss(u, v, *, enough=1.0):
    """By torch's own cosine."""
    in_range(enough)
    return (enough - F.cosine_similarity(u, v, dim=1)).clamp(min=0)


def impersonation_loss_2(u, v, *, enough=1.0):
    """Unit vectors first."""
    in_range(enough)
    cos = torch.einsum("nd,nd->n", u / u.norm(dim=1, keepdim=True), v / v.norm(dim=1, keepdim=True))
    return torch.where(cos < enough, enough - cos, torch.zeros_like(cos))


def impersonation_loss_3(u, v, *, enough=1.0):
    """Row by row."""
    in_range(enough)
    rows = [torch.relu(enough - a @ b / (a.norm() * b.norm())) for a, b in zip(u, v, strict=True)]
    return torch.stack(rows)


def dodging_loss(u, v, *, enough=-1.0):
    """By torch's own cosine."""
    in_range(enough)
    return (F.cosine_similarity(u, v, dim=1) - enough).clamp(min=0)


def dodging_loss_2(u, v, *, enough=-1.0):
    """The course's cosine, and the larger of two."""
    in_range(enough)
    cos = physical.cosine(u, v)
    return torch.maximum(cos - enough, torch.zeros_like(cos))


def dodging_loss_3(u, v, *, enough=-1.0):
    """Row by row."""
    in_range(enough)
    rows = [torch.relu(a @ b / (a.norm() * b.norm()) - enough) for a, b in zip(u, v, strict=True)]
    return torch.stack(rows)
