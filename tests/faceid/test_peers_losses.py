"""Our losses beside pytorch-metric-learning's, values and gradients, in float64; mined triplets beside its miners'.

It lives in an environment of its own (`make peers PEERS=losses`); without it these tests are skipped.
"""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from helpers.faceid import metric
from tests.faceid.draws import random
from tools.bench_losses import PEER, angular, angular_peers, metric_peers, metrics

pytest.importorskip(PEER, reason=f"{PEER} is not installed: make peers PEERS=losses")

close = torch.testing.assert_close


@pytest.mark.parametrize("name", angular())
def test_angular_losses_and_their_gradients_agree(name: str) -> None:
    """64 samples, 20 classes in 3-D: cosines from -1 to 1, so that targets beyond pi - m are among them."""
    x, y = random(64, 3).requires_grad_(), torch.arange(64) % 20
    peer = angular_peers(3, 20)[name]
    peer.W.data = random(3, 20, seed=1)
    w = peer.W.detach().T.clone().requires_grad_()
    ours = angular()[name](x if name != "NormFace" else F.normalize(x), y, w)
    theirs = peer(x, y)
    close(ours, theirs, rtol=1e-6, atol=1e-6)
    (g_x, g_w), (h_x, h_w) = torch.autograd.grad(ours, (x, w)), torch.autograd.grad(theirs, (x, peer.W))
    close(g_x, h_x, rtol=1e-6, atol=1e-6)
    close(g_w, h_w.T, rtol=1e-6, atol=1e-6)


def people() -> tuple[Tensor, Tensor]:
    return F.normalize(random(24, 6)).requires_grad_(), torch.arange(24) // 4


@pytest.mark.parametrize("name", ["triplet, batch-hard", "N-pair", "InfoNCE of pairs"])
def test_metric_losses_and_their_gradients_agree(name: str) -> None:
    x, y = people()
    ours, theirs = metrics()[name](x, y), metric_peers()[name](x, y)
    assert float(theirs.detach()) > 0.1
    close(ours, theirs, rtol=1e-6, atol=1e-6)
    close(torch.autograd.grad(ours, x)[0], torch.autograd.grad(theirs, x)[0], rtol=1e-6, atol=1e-6)


def test_the_contrastive_loss_agrees_pair_by_pair() -> None:
    """Theirs is max(0, d - 0) and max(0, margin - d) per pair: squared, halved, averaged over all pairs it is ours."""
    from pytorch_metric_learning import distances, losses, reducers

    x, y = people()
    plain = distances.LpDistance(normalize_embeddings=False)
    theirs = losses.ContrastiveLoss(0, 1.3, distance=plain, reducer=reducers.DoNothingReducer())(x, y)
    each = torch.cat([theirs[kind]["losses"].flatten() for kind in ("pos_loss", "neg_loss")])
    assert len(each) == 24 * 23
    close(metric.contrastive_loss(x, y, margin=1.3), each.square().mean() / 2, rtol=1e-6, atol=1e-6)


def test_the_semi_hard_triplets_are_among_theirs_the_nearest_of_each_pair() -> None:
    from pytorch_metric_learning import distances, miners

    x, y = people()
    plain = distances.LpDistance(normalize_embeddings=False)
    a, p, n = miners.TripletMarginMiner(0.2, "semihard", distance=plain)(x, y)
    nearest: dict[tuple[int, int], tuple[float, int]] = {}
    for i, j, k in zip(a.tolist(), p.tolist(), n.tolist(), strict=True):
        found = (float((x[i] - x[k]).detach().norm()), k)
        nearest[i, j] = min(found, nearest.get((i, j), found))
    mined = {(i, j): k for i, j, k in metric.semi_hard(x, y, margin=0.2).tolist()}
    assert len(mined) > 10 and mined == {pair: k for pair, (_, k) in nearest.items()}
