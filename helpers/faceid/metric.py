r"""Metric losses: no classifier, only distances. Samples of one class (one person) together, of two apart.

features (N, d), labels y (N,); d_ij = |x_i - x_j|_2, whose gradient is taken as 0 where d_ij = 0.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from helpers import checks
from helpers.faceid.features import alike, check_batch, check_two_classes


def contrastive_loss(features: Tensor, y: Tensor, *, margin: float) -> Tensor:
    r"""mean over all pairs i < j of  d_ij^2 / 2 if y_i = y_j,  max(0, margin - d_ij)^2 / 2 if not.

    features (N, d), y (N,), margin > 0 -> one number. Raises ValueError for a batch of one class.
    Hadsell et al. 2006, equation 4.
    """
    check_two_classes(features, y)
    checks.positive("margin", margin)
    d = torch.cdist(features, features)
    loss = torch.where(y[:, None] == y, d, (margin - d).clamp(min=0)).square() / 2
    return loss.triu(1).sum() / math.comb(len(y), 2)


def triplet_loss(features: Tensor, y: Tensor, *, margin: float) -> Tensor:
    r"""mean over anchors a of max(0, margin + max_p d_ap - min_n d_an): the farthest p of the anchor's class, the
    nearest n of another ("batch-hard"). An anchor that is alone in its class is left out.

    features (N, d), y (N,), margin >= 0 -> one number. Raises ValueError for a batch of one class, or where all are
    alone. Hermans et al. 2017, equation 5.
    """
    check_two_classes(features, y)
    checks.at_least("margin", margin, 0)
    d = torch.cdist(features, features)
    same = y[:, None] == y
    positive = d.where(same, 0).amax(1)
    negative = d.where(~same, math.inf).amin(1)
    loss = (margin + positive - negative).clamp(min=0)
    return loss[partnered(same)].mean()


def partnered(same: Tensor) -> Tensor:
    """Which rows of same (N, N) are True beside the diagonal too. (N,) bool. Raises ValueError if none is."""
    found = same.sum(1) > 1
    if not found.any():
        raise ValueError("y must hold some class twice: there is nothing to pull together")
    return found


def batch_hard(features: Tensor, y: Tensor) -> Tensor:
    r"""For each anchor a that is not alone in its class: (a, argmax_p d_ap, argmin_n d_an). -> (A, 3), whole numbers.

    The first of equals. Raises ValueError as triplet_loss does. Hermans et al. 2017.
    """
    check_two_classes(features, y)
    d, same = torch.cdist(features.detach(), features.detach()), y[:, None] == y
    own = torch.eye(len(y), dtype=torch.bool, device=y.device)
    anchors = partnered(same).nonzero().flatten()
    positive = d.where(same & ~own, -1).argmax(1)
    negative = d.where(~same, math.inf).argmin(1)
    return torch.stack([anchors, positive[anchors], negative[anchors]], 1)


def semi_hard(features: Tensor, y: Tensor, *, margin: float) -> Tensor:
    r"""For each pair (a, p) of one class the nearest n of another with d_ap < d_an < d_ap + margin, if there is one.

    -> (T, 3), T >= 0: such a triplet has a loss between 0 and margin. The paper's d is the squared distance.
    Raises ValueError for a batch of one class, margin <= 0. Schroff et al. 2015 (FaceNet), equation 4.
    """
    check_two_classes(features, y)
    checks.positive("margin", margin)
    d, same = torch.cdist(features.detach(), features.detach()), y[:, None] == y
    a, p = (same & ~torch.eye(len(y), dtype=torch.bool, device=y.device)).nonzero(as_tuple=True)
    far = d[a, p, None]
    allowed = ~same[a] & (d[a] > far) & (d[a] < far + margin)
    nearest, n = d[a].where(allowed, math.inf).min(1)
    return torch.stack([a, p, n], 1)[nearest.isfinite()]


def triplet_hinge(features: Tensor, triplets: Tensor, *, margin: float) -> Tensor:
    r"""mean over the rows (a, p, n) of triplets of max(0, margin + d_ap - d_an);  0 for no triplet.

    features (N, d), triplets (T, 3) of rows of features -> one number. Schroff et al. 2015, equation 3.
    """
    a, p, n = features[triplets].unbind(1)
    gap = F.pairwise_distance(a, p, eps=0) - F.pairwise_distance(a, n, eps=0)
    return (margin + gap).clamp(min=0).sum() / max(len(triplets), 1)


def center_loss(features: Tensor, y: Tensor, centres: Tensor) -> Tensor:
    r"""1 / (2N) sum_i |x_i - c_{y_i}|^2:  added to the soft-max loss, which keeps the centres apart.

    features (N, d), y (N,), centres (K, d) -> one number. Raises ValueError for y outside 0 ... K - 1. The paper sums
    over the batch. Wen et al. 2016, equation 2.
    """
    check_centres(features, y, centres)
    return (features - centres[y]).square().sum(1).mean() / 2


def update_centres(centres: Tensor, features: Tensor, y: Tensor, *, alpha: float = 0.5) -> Tensor:
    r"""c_k + alpha sum_{y_i = k} (x_i - c_k) / (1 + n_k),  n_k how many of the batch are of class k. -> (K, d).

    A class that is not there stays. Raises ValueError unless 0 < alpha <= 1. Wen et al. 2016, equation 4.
    """
    check_centres(features, y, centres)
    if not 0 < alpha <= 1:
        raise ValueError(f"alpha must lie in (0, 1], got {alpha}")
    count = y.bincount(minlength=len(centres))
    pull = torch.zeros_like(centres).index_add(0, y, features.detach() - centres[y])
    return centres + alpha * pull / (1 + count)[:, None]


def check_centres(features: Tensor, y: Tensor, centres: Tensor) -> None:
    """Raise ValueError unless they are a batch of classes 0 ... K - 1 and centres (K, d) in its dimension."""
    if centres.ndim != 2 or centres.shape[1:] != features.shape[1:]:
        raise ValueError(f"centres must be (K, d), d as in {tuple(features.shape)}, got {tuple(centres.shape)}")
    check_batch(features, y, len(centres))


def info_nce(anchors: Tensor, positives: Tensor, negatives: Tensor, *, temperature: float) -> Tensor:
    r"""mean of -log( e^{<a, p> / t} / (e^{<a, p> / t} + sum_m e^{<a, n_m> / t}) ),  t the temperature.

    anchors, positives (N, d), negatives (N, M, d) -> one number; unit rows make the inner products cosines.
    van den Oord et al. 2018, equation 4.
    """
    alike("positives", positives, anchors)
    checks.positive("temperature", temperature)
    if negatives.ndim != 3 or negatives.shape[::2] != anchors.shape:
        raise ValueError(f"negatives must be (N, M, d), (N, d) = {tuple(anchors.shape)}, got {tuple(negatives.shape)}")
    own = (anchors * positives).sum(1, keepdim=True)
    others = torch.einsum("nd,nmd->nm", anchors, negatives)
    logits = torch.cat([own, others], 1) / temperature
    return -logits.log_softmax(1)[:, 0].mean()


def n_pair_loss(anchors: Tensor, positives: Tensor, *, temperature: float = 1.0) -> Tensor:
    r"""mean_i log(1 + sum_{j != i} exp((<a_i, p_j> - <a_i, p_i>) / t)): InfoNCE, the others' positives as negatives.

    anchors, positives (N, d), N >= 2, row i of both of one class, of which there is no second pair -> one number.
    Sohn 2016, equation 6 (t = 1).
    """
    alike("positives", positives, anchors)
    checks.positive("temperature", temperature)
    if len(anchors) < 2:
        raise ValueError(f"anchors must hold at least two pairs, got {len(anchors)}: there is no negative")
    return F.cross_entropy(anchors @ positives.T / temperature, torch.arange(len(anchors), device=anchors.device))


def triplet_probabilistic_loss(anchors: Tensor, positives: Tensor, negatives: Tensor) -> Tensor:
    r"""mean of -log( e^{<a, p>} / (e^{<a, p>} + e^{<a, n>}) ) = mean of log(1 + e^{<a, n> - <a, p>}).

    InfoNCE with one negative and temperature 1; the triplet loss with a smooth hinge. anchors, positives, negatives
    (N, d) -> one number. Sankaranarayanan et al. 2016, equation 3.
    """
    alike("positives", positives, anchors)
    alike("negatives", negatives, anchors)
    return F.softplus((anchors * (negatives - positives)).sum(1)).mean()
