"""Exercises 2.1 and 2.2 of Lecture 2: the contrastive and the triplet loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from helpers.exercises import Draw, Exercise, agree, args, holds, require, same
from helpers.faceid import metric

Function = Callable[..., Any]
LABELS = ([0, 0, 1, 1, 2, 2, 2, 3], [0, 1], [1, 1, 0, 0, 0], [5, 2, 5, 0, 2, 5, 2, 0, 0, 4])
PARTNERED = ([0, 0, 1, 1, 2, 2, 2, 3], [0, 0, 1], [1, 1, 0, 0, 0], [5, 2, 5, 0, 2, 5, 2, 0, 0, 4])
ROOT = (
    "The gradient is no number: the root has an infinite slope at d_ii = 0. `torch.cdist` or `torch.norm` put 0 there."
)
SLOPE = "(features[:, None] - features).square().sum(2).sqrt()"
CDIST = "torch.cdist(features, features)"
DIGITS = "float64 in, float64 all the way: no `.float()`, no new tensor of float32 in between."
PAIRWISE = "`F.pairwise_distance` adds 1e-6 to every coordinate's difference: `eps=0`."
WITH_EPS = "(features[:, None] - features + 1e-6).norm(dim=2)"


def _batch(draw: Draw, labels: tuple[list[int], ...]) -> tuple[Tensor, Tensor]:
    y = torch.tensor(draw.choice(labels), device=draw.device)
    return draw.normal(len(y), draw.choice([3, 1, 4])), y


def _loose(draw: Draw) -> Any:
    """Some pairs nearer than the margin, some farther."""
    x, y = _batch(draw, LABELS)
    return args(x, y, margin=draw.choice([1.5, 0.5, 3.0]))


def slopes(f: Function, x: Tensor, *rest: Any, **named: Any) -> Tensor:
    """The gradient of f in x. Asks that it is finite."""
    x = x.clone().requires_grad_()
    (g,) = torch.autograd.grad(f(x, *rest, **named), x)
    require(g.isfinite().all(), expected="a finite gradient", got=g, meaning=ROOT)
    return g


def _gradient(reference: Function, labels: tuple[list[int], ...]) -> Callable[[Function, Draw], None]:
    """As the reference's; finite, too, where two samples of one class are in one place: which of them moves is free."""

    def test(f: Function, draw: Draw) -> None:
        x, y = _batch(draw, labels)
        agree(slopes(f, x, y, margin=1.5), slopes(reference, x, y, margin=1.5), rtol=1e-3, atol=1e-4)
        i, j = (y == y[0]).nonzero().flatten()[[0, -1]].tolist()
        x[i] = x[j]
        slopes(f, x, y, margin=1.5)

    return test


PULL_AND_PUSH = (
    "One class: d^2 / 2, the nearer the better. Two classes: max(0, margin - d)^2 / 2, nothing from the margin on."
)
PAIRS = "loss.triu(1).sum() / math.comb(len(y), 2)"
WHERE = "torch.where(y[:, None] == y, d, (margin - d).clamp(min=0)).square() / 2"


def two_means(features: Tensor, y: Tensor, *, margin: float) -> Tensor:
    """The mean over the pairs of one class plus that over the pairs of two."""
    i, j = torch.triu_indices(len(y), len(y), 1, device=y.device)
    d, alike = torch.cdist(features, features)[i, j], y[i] == y[j]
    parts = d[alike].square(), (margin - d[~alike]).clamp(min=0).square()
    return sum((part.sum() / max(part.numel(), 1) for part in parts), features.new_zeros(())) / 2


contrastive_loss = Exercise(
    "2.1",
    metric.contrastive_loss,
    checks=(
        same(
            "is the mean over all pairs i < j of d^2 / 2 or max(0, margin - d)^2 / 2",
            _loose,
            times=8,
            meaning=PULL_AND_PUSH,
        ),
        same("in the precision of the features", _loose, times=4, dtype=torch.float64, rtol=1e-10, meaning=DIGITS),
        holds(
            "has the gradient of the formula, finite where d = 0",
            _gradient(metric.contrastive_loss, LABELS),
            times=4,
            meaning="Two pictures may have one descriptor, and a sample has distance 0 to itself. " + PULL_AND_PUSH,
        ),
    ),
    mistakes=(
        ("The squares are missing: both parts are squared distances.", {".square() / 2": " / 2"}),
        ("Twice too large: the factor 1/2 is missing, or each pair counts twice.", {".square() / 2": ".square()"}),
        (
            "Without max(0, .) pairs beyond the margin are pulled back to it: there they should cost nothing.",
            {".clamp(min=0)": ""},
        ),
        ("The two cases are swapped: d^2 / 2 belongs to pairs of one class.", {"y[:, None] == y": "y[:, None] != y"}),
        (
            "The square is inside: it is max(0, margin - d)^2, not max(0, margin - d^2).",
            {WHERE: "torch.where(y[:, None] == y, d.square(), (margin - d.square()).clamp(min=0)) / 2"},
        ),
        (
            "The square is inside: it is max(0, margin - d)^2, not max(0, margin^2 - d^2).",
            {WHERE: "torch.where(y[:, None] == y, d.square(), (margin**2 - d.square()).clamp(min=0)) / 2"},
        ),
        ("That is the sum over the pairs; asked is their mean.", {PAIRS: "loss.triu(1).sum()"}),
        (
            "That is the mean over all N^2 entries: N of them are a sample with itself.",
            {PAIRS: "loss.where(torch.eye(len(y), device=y.device) == 0, 0).mean()"},
        ),
        (
            "The diagonal counts as well: a sample and itself are no pair.",
            {PAIRS: "loss.triu().sum() / math.comb(len(y) + 1, 2)"},
        ),
        ("One mean over all pairs, not one for each of the two kinds.", two_means),
        (ROOT, {CDIST: SLOPE}),
        (PAIRWISE, {CDIST: WITH_EPS}),
        ("That is the l_1 distance; asked is the Euclidean one.", {CDIST: "torch.cdist(features, features, p=1)"}),
    ),
    hints=(
        "`torch.cdist(features, features)` are all distances; `y[:, None] == y` says which pairs are of one class.",
        "`torch.where` chooses between the two cases; `.clamp(min=0)` is max(0, .).",
        "Above the diagonal, `.triu(1)`, each pair stands once; there are N (N - 1) / 2 of them.",
    ),
    why="Pairs of one class attract like springs; pairs of two repel, but only within the margin: without it pushing "
    "them apart without end would pay.",
)

HARD = (
    "The farthest of the anchor's class against the nearest of another: max(0, margin + max d_ap - min d_an). The "
    "zeros of a mask are the smallest: put infinity there. An anchor alone in its class is left out."
)
ALONE = "An anchor that is alone in its class has no positive: leave it out of the mean."


def _any(draw: Draw) -> Any:
    x, y = _batch(draw, PARTNERED)
    return args(x, y, margin=draw.choice([0.2, 1.0, 0.05, 2.5]))


def _spread(draw: Draw) -> Any:
    """Classes far apart: some anchors have nothing to pay."""
    x, y = _batch(draw, PARTNERED)
    return args(x + draw.normal(6, x.shape[1])[y], y, margin=draw.choice([0.5, 0.2, 1.0]))


def batch_all(features: Tensor, y: Tensor, *, margin: float) -> Tensor:
    """The mean over all triplets."""
    d, alike = torch.cdist(features, features), y[:, None] == y
    positive = alike & ~torch.eye(len(y), dtype=torch.bool, device=y.device)
    valid = positive[:, :, None] & ~alike[:, None, :]
    return (margin + d[:, :, None] - d[:, None, :]).clamp(min=0)[valid].mean()


triplet_loss = Exercise(
    "2.2",
    metric.triplet_loss,
    checks=(
        same("is the mean of max(0, margin + max_p d_ap - min_n d_an)", _any, times=8, meaning=HARD),
        same("costs nothing where the margin is kept", _spread, times=8, meaning=HARD),
        same("in the precision of the features", _any, times=4, dtype=torch.float64, rtol=1e-10, meaning=DIGITS),
        holds(
            "has the gradient of the formula, finite where d = 0",
            _gradient(metric.triplet_loss, PARTNERED),
            times=4,
            meaning="A sample has distance 0 to itself; two of one class may coincide. " + HARD,
        ),
    ),
    mistakes=(
        (
            "That positive is the nearest: without the anchor itself, and the farthest of its class.",
            {"d.where(same, 0).amax(1)": "d.where(same.fill_diagonal_(False), math.inf).amin(1).nan_to_num(0, 0)"},
        ),
        (
            "That is the farthest negative, the easiest; asked is the nearest.",
            {"d.where(~same, math.inf).amin(1)": "d.where(~same, 0).amax(1)"},
        ),
        (
            "The nearest there is at 0: the anchor, or a zero of the mask. Put infinity where the class is the same.",
            {"d.where(~same, math.inf).amin(1)": "d.amin(1)"},
        ),
        ("The farthest of all samples: the positive is of the anchor's own class.", {"d.where(same, 0)": "d"}),
        ("Without max(0, .) a triplet that is right is pushed further and further.", {".clamp(min=0)": ""}),
        ("The margin is missing.", {"margin + positive": "positive"}),
        ("The margin has the wrong sign: it is added to d_ap - d_an.", {"margin + positive": "-margin + positive"}),
        ("Positive and negative are swapped.", {"positive - negative": "negative - positive"}),
        ("Distances, not their squares.", {CDIST: CDIST + ".square()"}),
        (ALONE, {"loss[partnered(same)].mean()": "loss.mean()"}),
        (
            "The anchors that have nothing to pay count too, with 0: the mean is over all that have a positive.",
            {"loss[partnered(same)].mean()": "loss.sum() / (loss[partnered(same)] > 0).sum().clamp(min=1)"},
        ),
        ("That is the sum over the anchors; asked is their mean.", {".mean()": ".sum()"}),
        ("All triplets are averaged: batch-hard takes one for each anchor, the hardest.", batch_all),
        (ROOT, {CDIST: SLOPE}),
        (PAIRWISE, {CDIST: WITH_EPS}),
    ),
    hints=(
        "`torch.cdist(features, features)` are all distances; `same = y[:, None] == y` says which are of one class.",
        "Put 0 where `same` is False, and the largest of a row is the positive; for the negative put infinity where "
        "it is True.",
        "`same.sum(1) > 1` are the anchors with a positive.",
    ),
    why="The mean over all triplets is soon made of easy ones that cost nothing; the hardest of each anchor always has "
    "something to teach. The distance of the anchor to itself is 0 and never the largest, so it need not be left out.",
    shows=(metric.partnered,),
    minutes=15,
)
