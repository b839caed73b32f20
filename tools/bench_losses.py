"""Lecture 2's losses beside pytorch-metric-learning: seconds of each with its gradient, and where the values agree.

512 samples, 512 dimensions, 1,000 classes (metric losses: 128 people of four pictures); one thread, in turns, the
least of the rounds. The values are compared in tests/faceid/test_peers_losses.py.
"""

import importlib.util
import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from helpers import runtime
from helpers.faceid import margins, metric
from tools.bench import Row, table

PEER = "pytorch_metric_learning"
MISSING = "losses: pytorch-metric-learning is not installed: `make peers PEERS=losses` measures beside it"
Loss = Callable[[Tensor, Tensor, Tensor], Tensor]  # of features (N, d), y (N,), weights (K, d)


def angular() -> dict[str, Loss]:
    """Ours: cross-entropy of margin logits, with the margins and scales of `angular_peers`."""
    cos = margins.cosines
    return {
        "NormFace": lambda x, y, w: F.cross_entropy(margins.normface_logits(cos(x, w), s=16.0), y),
        "CosFace": lambda x, y, w: F.cross_entropy(margins.cosface_logits(cos(x, w), y, s=64.0, m=0.35), y),
        "ArcFace": lambda x, y, w: F.cross_entropy(margins.arcface_logits(cos(x, w), y, s=64.0, m=0.5), y),
        "SphereFace": lambda x, y, w: F.cross_entropy(margins.sphereface_logits(cos(x, w), y, s=x.norm(dim=1), m=4), y),
        "L-Softmax": lambda x, y, w: F.cross_entropy(margins.l_softmax_logits(x, w, y, m=4), y),
    }


def angular_peers(d: int, K: int) -> dict[str, Any]:
    """Theirs, which keep the weights (d, K) in `.W`."""
    from pytorch_metric_learning import losses as P

    return {
        "NormFace": P.NormalizedSoftmaxLoss(K, d, temperature=1 / 16),
        "CosFace": P.CosFaceLoss(K, d, margin=0.35, scale=64),
        "ArcFace": P.ArcFaceLoss(K, d, margin=math.degrees(0.5), scale=64),
        "SphereFace": P.SphereFaceLoss(K, d, margin=4, scale=1),
        "L-Softmax": P.LargeMarginSoftmaxLoss(K, d, margin=4, scale=1),
    }


def metrics(margin: float = 1.3) -> dict[str, Callable[[Tensor, Tensor], Tensor]]:
    """Ours: of features (N, d) and y (N,)."""
    return {
        "triplet, batch-hard": lambda x, y: metric.triplet_loss(x, y, margin=margin),
        "contrastive": lambda x, y: metric.contrastive_loss(x, y, margin=margin),
        "triplet, semi-hard": lambda x, y: metric.triplet_hinge(x, metric.semi_hard(x, y, margin=0.1), margin=0.1),
        "N-pair": lambda x, y: metric.n_pair_loss(x[::2], x[1::2]),
        "InfoNCE of pairs": lambda x, y: metric.n_pair_loss(x[::2], x[1::2], temperature=0.1),
    }


def metric_peers(margin: float = 1.3) -> dict[str, Callable[[Tensor, Tensor], Tensor]]:
    """Theirs. Their contrastive loss is not squared, their miner keeps every semi-hard negative, not the nearest."""
    from pytorch_metric_learning import distances as D, losses as P, miners, reducers

    plain = D.LpDistance(normalize_embeddings=False)
    dots = D.DotProductSimilarity(normalize_embeddings=False)
    triplet = P.TripletMarginLoss(margin=margin, distance=plain, reducer=reducers.MeanReducer())
    narrow = P.TripletMarginLoss(margin=0.1, distance=plain, reducer=reducers.MeanReducer())
    contrast = P.ContrastiveLoss(0, margin, distance=plain, reducer=reducers.MeanReducer())
    hard, semi = miners.BatchHardMiner(distance=plain), miners.TripletMarginMiner(0.1, "semihard", distance=plain)
    n_pairs, nce = P.NPairsLoss(distance=dots), P.NTXentLoss(temperature=0.1, distance=dots)

    def info_nce(x: Tensor, y: Tensor) -> Tensor:
        pairs = torch.arange(len(x) // 2, device=x.device)
        return nce(x[::2], pairs, ref_emb=x[1::2], ref_labels=pairs.clone())  # the same tensor would mean: the same x

    return {
        "triplet, batch-hard": lambda x, y: triplet(x, y, hard(x, y)),
        "contrastive": lambda x, y: contrast(x, y),
        "triplet, semi-hard": lambda x, y: narrow(x, y, semi(x, y)),
        "N-pair": lambda x, y: n_pairs(x, torch.arange(len(x), device=x.device) // 2),
        "InfoNCE of pairs": info_nce,
    }


def seconds(step: Callable[[], Tensor], leaves: tuple[Tensor, ...]) -> float:
    """Of one loss and its gradient in all leaves: CPU seconds on a CPU."""
    clock = time.process_time if leaves[0].device.type == "cpu" else time.perf_counter
    start = clock()
    torch.autograd.grad(step(), leaves)[0].cpu()  # to bring it to the CPU is to wait for a GPU
    return clock() - start


def duel(ours: Callable[[], Tensor], theirs: Callable[[], Tensor], leaves: tuple[tuple[Tensor, ...], ...]) -> float:
    """The least seconds of ours over the least of theirs, in turns: what else the machine does can only add to them."""
    times = [(seconds(ours, leaves[0]), seconds(theirs, leaves[1])) for _ in range(24)]
    a, b = (min(column) for column in zip(*times, strict=True))
    return a / b


def rows() -> Iterator[Row]:
    """Ours over theirs, loss by loss."""
    if importlib.util.find_spec(PEER) is None:
        print(MISSING)
        return
    threads, device = torch.get_num_threads(), runtime.device()
    torch.set_num_threads(1)
    g = torch.Generator().manual_seed(0)
    try:
        x = torch.randn(512, 512, generator=g).to(device).requires_grad_()
        y = torch.randint(0, 1000, (512,), generator=g).to(device)
        for name, peer in angular_peers(512, 1000).items():
            w = peer.to(device).W.detach().T.contiguous().requires_grad_()
            loss = angular()[name]
            ratio = duel(lambda: loss(x, y, w), lambda: peer(x, y), ((x, w), (x, peer.W)))  # noqa: B023
            yield f"{name}, K = 1,000 / {PEER}: seconds", ratio, 1.0, ""
        unit, people = F.normalize(x.detach()).requires_grad_(), torch.arange(512, device=device) // 4
        for name, theirs in metric_peers().items():
            ours = metrics()[name]
            ratio = duel(lambda: ours(unit, people), lambda: theirs(unit, people), ((unit,), (unit,)))  # noqa: B023
            yield f"{name} / {PEER}: seconds", ratio, 1.0, ""
    finally:
        torch.set_num_threads(threads)


if __name__ == "__main__":
    table(rows())
