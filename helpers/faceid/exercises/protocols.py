"""Exercises 2.10 and 2.11 of Lecture 2: the ROC with its equal error rate, and TAR at FAR."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from helpers.exercises import Draw, Exercise, agree, args, holds, require, same
from helpers.faceid import verification

Function = Callable[..., Any]
SIZES = ((8, 16), (1, 4), (20, 2), (3, 32))  # genuine, impostors


def _pairs(draw: Draw) -> tuple[Tensor, Tensor]:
    """Scores of genuine pairs, which are larger, and of impostors, in any order; in float64 all near 1."""
    genuine, impostors = draw.choice(SIZES)
    alike = draw.uniform(genuine + impostors).argsort() < genuine
    scores = draw.normal(len(alike)) + 1.0 * alike
    return (1 + 1e-10 * scores if draw.dtype == torch.float64 else scores), alike


def _tied(draw: Draw) -> tuple[Tensor, Tensor]:
    """Many equal scores, genuine ones and impostors among them."""
    scores, alike = _pairs(draw)
    spread = draw.choice([1.0, 2.0]) / scores.std(correction=0)
    return ((scores - scores.mean()) * spread).round(), alike


def _apart(f: Function, draw: Draw) -> None:
    scores, alike = _pairs(draw)
    scores = scores / scores.abs().max()
    for sign, error in ((3.0, 0.0), (-3.0, 1.0)):
        far, tar, eer = f(scores + sign * alike, alike)
        agree(eer, torch.tensor(error, dtype=torch.float64, device=eer.device), atol=1e-6)
        ends = torch.tensor([0.0, 1.0], dtype=torch.float64, device=eer.device)
        agree(far[[0, -1]], ends, atol=1e-6, meaning="At t = infinity nobody is accepted, at the lowest score all are.")
        agree(tar[[0, -1]], ends, atol=1e-6, meaning="At t = infinity nobody is accepted, at the lowest score all are.")


def _area(f: Function, draw: Draw) -> None:
    scores, alike = _tied(draw)
    far, tar, eer = f(scores, alike)
    gap = scores[alike][:, None].double() - scores[~alike]
    area = (gap > 0).double().mean() + (gap == 0).double().mean() / 2
    agree(torch.trapezoid(tar, far), area, rtol=1e-6, atol=1e-6)
    require((0 <= eer) & (eer <= 1), expected="an error rate between 0 and 1", got=eer)


def _nearest(scores: Tensor, same: Tensor, average: bool = True) -> tuple[Tensor, Tensor, Tensor]:
    curve = verification.roc(scores, same)
    k = (1 - curve.tar - curve.far).abs().argmin()
    return curve.far, curve.tar, (curve.far[k] + 1 - curve.tar[k]) / 2 if average else curve.far[k]


def untied(scores: Tensor, same: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A point for each pair, where equal scores need one."""
    _, _, eer = verification.roc_and_eer(scores, same)
    kinds = same[scores.argsort(descending=True)].double()
    far, tar = ((kind.cumsum(0) / kind.sum()) for kind in (1 - kinds, kinds))
    return torch.cat([far.new_zeros(1), far]), torch.cat([tar.new_zeros(1), tar]), eer


def over_all(scores: Tensor, same: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Shares of all pairs."""
    curve = verification.roc(scores, same)
    part = same.double().mean()
    return curve.far * (1 - part), curve.tar * part, verification.equal_error_rate(curve)


ACCEPTED = "A pair is accepted when score >= t. FAR is the share among impostors, TAR that among genuine pairs."
BETWEEN = "FAR and FRR = 1 - TAR jump from threshold to threshold: between the two around the crossing draw a line."
T = "torch.cat([scores.new_tensor([math.inf]), scores.unique().flip(0)])"
LINE = "far[k - 1] + (far[k] - far[k - 1]) * gap[k - 1] / (gap[k - 1] - gap[k])"
KINDS = "for kind in (~same, same)"

roc_and_eer = Exercise(
    "2.10",
    verification.roc_and_eer,
    checks=(
        same("is FAR, TAR and EER where all scores differ", _pairs, times=8, rtol=1e-5, atol=1e-6, meaning=ACCEPTED),
        same(
            "one point for equal scores",
            _tied,
            times=8,
            rtol=1e-5,
            atol=1e-6,
            meaning="Pairs with one score are accepted together: one threshold, one point. " + BETWEEN,
        ),
        holds("EER is 0 for scores apart, 1 for scores the wrong way round", _apart, times=2, meaning=ACCEPTED),
        holds("the area is P(genuine > impostor) + P(equal) / 2", _area, times=4, meaning=ACCEPTED),
    ),
    mistakes=(
        (
            "The pair whose score is t is accepted: >=, not >.",
            {"scores[kind].sort().values, t)": "scores[kind].sort().values, t, right=True)"},
        ),
        (
            "The point t = infinity, where nobody is accepted, is missing.",
            {T: "scores.unique().flip(0)", "k = int((gap > 0).sum())": "k = max(1, int((gap > 0).sum()))"},
        ),
        (
            "From the highest threshold down: FAR and TAR grow.",
            {
                T: "torch.cat([scores.unique(), scores.new_tensor([math.inf])])",
                "k = int((gap > 0).sum())": "k = int((gap <= 0).sum())",
            },
        ),
        ("FAR and TAR are swapped: FAR is about impostors.", {KINDS: "for kind in (same, ~same)"}),
        (
            "That is FRR: TAR = 1 - FRR is the share of genuine pairs that are accepted.",
            {"return far, tar, ": "return far, 1 - tar, "},
        ),
        (
            "That is accuracy's error; FAR and FRR are equal at the EER, they are not added.",
            {LINE: "(far + 1 - tar).min()"},
        ),
        ("Each score is a point of its own: pairs with one score are accepted together.", untied),
        ("Each rate is a share of its own kind: impostors, genuine pairs; not of all pairs.", over_all),
        (BETWEEN, _nearest),
        ("That is FAR at the nearest threshold. " + BETWEEN, lambda scores, same: _nearest(scores, same, False)),
        (
            "The weights of the line are swapped: the nearer to 0 the gap, the nearer the crossing.",
            {"* gap[k - 1] /": "* -gap[k] /"},
        ),
        ("That is the TAR where FAR = FRR; the error is FAR there.", {LINE: "1 - (" + LINE + ")"}),
    ),
    hints=(
        "The thresholds: infinity, then `scores.unique().flip(0)`.",
        "`(scores[same] >= t[:, None]).double().mean(1)` is the TAR at each.",
        "gap = FRR - FAR falls from 1 to -1; k is the first threshold where it is <= 0, and the line between k - 1 and "
        "k is 0 at the share gap[k-1] / (gap[k-1] - gap[k]).",
    ),
    why="The ROC knows the order of the scores, not their size. The EER is one point of it, where both errors weigh "
    "alike, which is seldom what a door needs: see 2.11.",
    minutes=15,
)


def _target(draw: Draw) -> Any:
    """Between two steps of FAR, or a sixteenth of a step beside one; genuine pairs between any two impostors."""
    impostors = draw.choice([8, 4, 16])
    alike = draw.uniform(impostors + 60).argsort() < 60
    scores = draw.normal(len(alike))
    if draw.choice([False, True]):
        scores = (2 * scores).round()
    far = (draw.integer(0, impostors - 1) + draw.choice([0.5, 1 / 16, 15 / 16])) / impostors
    return args(scores if draw.dtype == torch.float32 else 1 + 1e-10 * scores, alike, far)


def _exact(draw: Draw) -> Any:
    """Exactly k of 2^j impostors: 0, in between, all."""
    impostors = draw.choice([16, 4, 32])
    alike = draw.uniform(impostors + 9).argsort() < 9
    scores = draw.normal(len(alike)) + alike
    return args(scores, alike, draw.choice([1, 0, 2, impostors // 2, impostors]) / impostors)


def interpolated(scores: Tensor, same: Tensor, far: float) -> Tensor:
    """On the line between two thresholds."""
    curve = verification.roc(scores, same)
    k = verification.last_within(curve, far)[0]
    if k + 1 == len(curve.far):
        return curve.tar[k]
    share = (far - curve.far[k]) / (curve.far[k + 1] - curve.far[k])
    return curve.tar[k] + share * (curve.tar[k + 1] - curve.tar[k])


def of_genuine(scores: Tensor, same: Tensor, far: float) -> Tensor:
    """The quantile of the impostors' scores as a threshold."""
    return (scores[same] >= scores[~same].double().quantile(1 - far)).double().mean()


def below(scores: Tensor, same: Tensor, far: float) -> Tensor:
    """The first threshold where FAR is at least far."""
    curve = verification.roc(scores, same)
    return curve.tar[(curve.far < far - 1e-12).sum().clamp(max=len(curve.far) - 1)]


def over_all_pairs(scores: Tensor, same: Tensor, far: float) -> Tensor:
    """FAR as a share of all pairs."""
    curve = verification.roc(scores, same)
    return curve.tar[(curve.far * (~same).double().mean() <= far).sum() - 1]


def strict(scores: Tensor, same: Tensor, far: float) -> Tensor:
    """FAR < far."""
    curve = verification.roc(scores, same)
    return curve.tar[(curve.far < far).sum().clamp(min=1) - 1]


def of_refused(scores: Tensor, same: Tensor, far: float) -> Tensor:
    """FRR >= far."""
    curve = verification.roc(scores, same)
    return curve.tar[(1 - curve.tar >= far).sum() - 1]


PROMISE = "FAR <= far is a promise: of the thresholds that keep it, the one that lets in the most genuine pairs."
ALL = "tar_within(roc(scores, same), far)"

tar_at_far = Exercise(
    "2.11",
    verification.tar_at_far,
    checks=(
        same("is the largest TAR with FAR <= far", _target, times=12, rtol=1e-5, atol=1e-6, meaning=PROMISE),
        same("FAR = far is allowed, and far = 0 too", _exact, times=15, rtol=1e-5, atol=1e-6, meaning=PROMISE),
    ),
    mistakes=(
        ("FAR = far is allowed: <=, not <.", strict),
        ("That threshold breaks the promise: FAR is larger than far there.", below),
        ("Between two thresholds there is no third: TAR is a step function, nothing is interpolated.", interpolated),
        (
            "A quantile is interpolated between two impostors, and its ties are accepted: FAR may be larger than far.",
            of_genuine,
        ),
        (
            "That is FRR, the share of genuine pairs refused: TAR = 1 - FRR.",
            {ALL: f"1 - {ALL}"},
        ),
        ("That is the FAR at the threshold; asked is the TAR.", {"curve.tar.": "curve.far."}, verification.tar_within),
        ("FAR is the share among the impostors, not among all pairs.", over_all_pairs),
        ("far is the FAR, not the share that is refused.", {", far)": ", 1 - far)"}),
        (
            "That is the first threshold, infinity: nobody is accepted.",
            {ALL: "roc(scores, same).tar[0]"},
        ),
        ("far bounds FAR, not FRR = 1 - TAR.", of_refused),
    ),
    hints=(
        "From 2.10 you have FAR and TAR at every threshold, both growing.",
        "`tar[far_of_t <= far]` is never empty: at t = infinity FAR is 0. Its largest entry is the answer.",
    ),
    why="Whoever runs a door says how many strangers may pass, and asks how many friends then do. At FAR = 1e-3 thirty "
    "impostors say nothing: it takes thousands of independent pairs.",
    shows=(verification.tar_within, verification.last_within),
    minutes=8,
)
