"""The losses of the lecture as training uses them, all with one signature, and the training that they share."""

import math
from collections.abc import Callable
from itertools import combinations

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from helpers.faceid.embedders import Embedder
from helpers.faceid.features import unit
from helpers.faceid.margins import arcface_logits, cosface_logits, cosines, normface_logits, sphereface_logits
from helpers.faceid.metric import (
    batch_hard,
    center_loss,
    contrastive_loss,
    n_pair_loss,
    semi_hard,
    triplet_hinge,
    triplet_probabilistic_loss,
    update_centres,
)
from helpers.risk import cosine_schedule
from helpers.training import History, fit

Objective = Callable[[Embedder, Tensor, Tensor, float], Tensor]
"""objective(model, features (N, d), y (N,), progress): one number; progress grows from 0 to 1 over the training."""

GROWTH = 3.0  # margins grow over the first third of the training: from the start they stop it


def soft_max(model: Embedder, features: Tensor, y: Tensor, progress: float) -> Tensor:
    """Cross-entropy of <x, w_j>."""
    return F.cross_entropy(features @ model.weight.T, y)


def center(pull: float) -> Objective:
    """soft_max + pull * center_loss; the centres follow by their own rule."""

    def loss(model: Embedder, features: Tensor, y: Tensor, progress: float) -> Tensor:
        model.centres = update_centres(model.centres, features, y)
        return soft_max(model, features, y, progress) + pull * center_loss(features, y, model.centres)

    return loss


def norm_face(s: float) -> Objective:
    """Cross-entropy of s cos theta_j."""
    return lambda model, features, y, _: F.cross_entropy(normface_logits(cosines(features, model.weight), s=s), y)


def sphere_face(m: float) -> Objective:
    """Cross-entropy of |x| psi(theta), its lambda annealed from 1,500 to 5."""

    def loss(model: Embedder, features: Tensor, y: Tensor, progress: float) -> Tensor:
        annealing, cos = max(5.0, 1500 / (1 + 400 * progress)), cosines(features, model.weight)
        return F.cross_entropy(sphereface_logits(cos, y, s=features.norm(dim=1), m=m, annealing=annealing), y)

    return loss


def cos_face(s: float, m: float) -> Objective:
    """Cross-entropy with s (cos theta_y - m)."""

    def loss(model: Embedder, features: Tensor, y: Tensor, progress: float) -> Tensor:
        margin = m * min(1.0, GROWTH * progress)
        return F.cross_entropy(cosface_logits(cosines(features, model.weight), y, s=s, m=margin), y)

    return loss


def arc_face(s: float, m: float) -> Objective:
    """Cross-entropy with s cos(theta_y + m)."""

    def loss(model: Embedder, features: Tensor, y: Tensor, progress: float) -> Tensor:
        margin = m * min(1.0, GROWTH * progress)
        return F.cross_entropy(arcface_logits(cosines(features, model.weight), y, s=s, m=margin), y)

    return loss


def contrastive(margin: float) -> Objective:
    """All pairs of the batch, on the sphere."""
    return lambda _model, features, y, _: contrastive_loss(unit(features), y, margin=margin)


def triplet(margin: float) -> Objective:
    """Semi-hard triplets, on the sphere."""

    def loss(model: Embedder, features: Tensor, y: Tensor, progress: float) -> Tensor:
        u = unit(features)
        return triplet_hinge(u, semi_hard(u, y, margin=margin), margin=margin)

    return loss


def hard_triplet(margin: float) -> Objective:
    """Batch-hard triplets, on the sphere."""

    def loss(model: Embedder, features: Tensor, y: Tensor, progress: float) -> Tensor:
        u = unit(features)
        return triplet_hinge(u, batch_hard(u, y), margin=margin)

    return loss


def probabilistic(s: float) -> Objective:
    """Triplet probabilistic embedding of every pair of one class with its semi-hard negative; features of norm^2 s."""

    def loss(model: Embedder, features: Tensor, y: Tensor, progress: float) -> Tensor:
        x = math.sqrt(s) * unit(features)
        a, p, n = x[semi_hard(x, y, margin=2 * math.sqrt(s))].unbind(1)
        return triplet_probabilistic_loss(a, p, n)

    return loss


def n_pair(temperature: float) -> Objective:
    """Every two pictures of a class are a pair, those of the other classes its negatives; y in blocks of a class."""

    def loss(model: Embedder, features: Tensor, y: Tensor, progress: float) -> Tensor:
        u = unit(features).unflatten(0, (len(y.unique()), -1))
        found = [n_pair_loss(u[:, i], u[:, j], temperature=temperature) for i, j in combinations(range(u.shape[1]), 2)]
        return torch.stack(found).mean()

    return loss


def rows_of(y: Tensor, K: int, n: int, generator: Generator) -> Callable[[Tensor], Tensor]:
    """classes (P,) -> n different rows of y of each of them, drawn anew with every call, (P n,).

    Raises ValueError for a class 0 ... K - 1 with fewer than n rows.
    """
    rows = [(y == k).nonzero()[:, 0] for k in range(K)]
    if min(map(len, rows)) < n:
        raise ValueError(f"every class 0 ... {K - 1} needs {n} pictures, got {[len(row) for row in rows]}")

    def drawn(classes: Tensor) -> Tensor:
        chosen = [rows[k] for k in classes.tolist()]
        orders = [torch.randperm(len(row), generator=generator, device=generator.device) for row in chosen]
        return torch.cat([row[order[:n].to(y.device)] for row, order in zip(chosen, orders, strict=True)])

    return drawn


def train(
    model: Embedder,
    objective: Objective,
    data: tuple[Tensor, Tensor],
    *,
    steps: int,
    peak: float,
    batch: tuple[int, int],
    change: Callable[[Tensor], Tensor] = lambda x: x,
    generator: Generator,
    after_step: Callable[[int], object] | None = None,
) -> History:
    """Adam, a cosine schedule from `peak`, batches of P classes and n pictures of each, batch = (P, n); `change` draws
    another view of the pictures. With one state of the generator every objective sees the same batches.

    data: x (N, C, H, W), y (N,) of classes 0 ... K - 1, where model has its weights (K, d).
    """
    (x, y), K, (P, n), step = data, len(model.weight), batch, 0
    drawn = rows_of(y, K, n, generator)

    def loss(model: Embedder, classes: Tensor) -> Tensor:
        nonlocal step
        step += 1
        features = model(change(x[drawn(classes)]))
        return objective(model, features, classes.repeat_interleave(n), (step - 1) / steps)

    return fit(
        model,
        loss,
        (torch.arange(K, device=x.device),),
        torch.optim.Adam(model.parameters()),
        steps=steps,
        batch_size=P,
        schedule=lambda t: cosine_schedule(t, steps, peak=peak),
        generator=generator,
        after_step=after_step,
    )
