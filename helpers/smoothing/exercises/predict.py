"""Exercise 9.7: the prediction with abstention."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from scipy import special
from torch import Tensor

from helpers import smoothing
from helpers.exercises import Draw, Exercise, args, holds, require, same
from helpers.smoothing.exercises.gaussian import F64

Function = Callable[..., Any]
LEVELS = (5.0, 3.5, 2.4, 1.8, 1.4, 1.15, 1.03, 0.97, 0.92, 0.86, 0.8, 0.72, 0.64, 0.57, 0.48, 0.4, 0.3, 0.15, 0.04)


def p_value(votes: Tensor) -> Tensor:
    """min(1, 2 P(Bin(n_A + n_B, 1/2) >= n_A)), in double precision on the CPU."""
    two = votes.cpu().topk(2, dim=1).values.double().numpy()
    return torch.as_tensor(2 * special.bdtrc(two[:, 0] - 1.0, two.sum(1), 0.5), dtype=F64).clamp(max=1)


def _polled(draw: Draw) -> Any:
    """Rows from hopeless to clear: ties, one vote, few, all for one; n is not the same in every row."""
    rows, classes = 16, draw.choice([2, 3, 5])
    second = draw.integers(8, 60, rows)
    lead = (draw.uniform(rows, high=4.0) * (2 * second).double().sqrt()).long()
    lead[0] = 0
    votes = torch.zeros(rows, classes, dtype=torch.int64, device=draw.device)
    votes[:, 0], votes[:, 1] = second + lead, second
    if classes > 2:
        votes[:, 2:] = (draw.uniform(rows, classes - 2, high=0.9) * second[:, None]).long()
        votes[1, 2] = votes[1, 1]  # the second place is shared
    votes[2:7], votes[7] = 0, 20
    votes[2:7, 0] = torch.tensor([1, 2, 5, 12, 30], device=draw.device)
    order = draw.uniform(rows, classes).argsort(1)
    return args(
        votes.gather(1, order), draw.number(*draw.choice([(0.0006, 0.0013), (0.002, 0.03), (0.07, 0.12), (0.3, 0.45)]))
    )


def _exactly(f: Function, draw: Draw) -> None:
    """All LEVELS of the P-value are tried before one is judged: which of them fail tells the mistakes apart."""
    second, classes = draw.integer(80, 300), draw.integer(3, 6)
    first = second + 2 + int(draw.number(1.8, 2.3) * math.sqrt(2 * second))
    votes = torch.full((1, classes), 1 + int(0.45 * math.sqrt(2 * second) / (classes - 2)), device=draw.device)
    place = 1 + draw.uniform(classes - 1).argsort()  # class 0 is neither of the two: -1 and 0 are told apart
    votes[0, place[:2]] = torch.tensor([first, second], device=draw.device)
    chance, top = p_value(votes).item(), int(place[0])
    named = {share: int(f(votes, share * chance)) for share in (1 / chance - 0.5, *LEVELS)}
    for share, got in sorted(named.items(), key=lambda pair: abs(math.log(pair[0]))):
        wanted = f"{top}, the class: the P-value is {chance:.5g}" if share > 1 else f"-1: the P-value is {chance:.5g}"
        on = f"votes = {votes.tolist()}, alpha = {share * chance:.5g}"
        require(got == (top if share > 1 else -1), expected=wanted, got=got, on=on)


def _seldom_wrong(f: Function, draw: Draw) -> None:
    """Every outcome of a tie, weighed by its exact probability: no simulation, so no false alarm."""
    n, alpha = draw.integer(20, 80), draw.choice([0.01, 0.05, 0.1])
    k = torch.arange(n + 1, device=draw.device)
    named = (f(torch.stack([k, n - k], 1), alpha) != -1).cpu()
    law = torch.as_tensor(special.binom(n, k.cpu().double().numpy())) / 2.0**n
    wrong = (law * named).sum().item()
    require(
        wrong <= alpha + 1e-9,
        expected=f"a class named with probability at most alpha = {alpha} when both are equally probable",
        got=f"probability {wrong:.4f}",
        on=f"votes = [k, {n} - k] for k = 0 ... {n}",
    )


CLASS = "classes[:, 0]"
RETURN = "torch.where(2 * tail <= alpha, classes[:, 0], ABSTAIN)"
NORMAL = "torch.special.ndtr(-(2 * a - total) / total.double().sqrt())"

smoothed_predict = Exercise(
    "9.7",
    smoothing.smoothed_predict,
    checks=(
        holds(
            "names a class exactly when the P-value of the two largest counts is at most alpha",
            _exactly,
            times=3,
            seconds=15,
            meaning="The P-value is 2 P(Bin(n_A + n_B, 1/2) >= n_A), n_A included, of the two largest counts alone; "
            "a P-value above alpha means -1.",
        ),
        holds(
            "names one at most alpha of the time when two are equally probable",
            _seldom_wrong,
            seconds=15,
            meaning="Between two equal classes a name is given by chance alone: the P-value is too small somewhere.",
        ),
        same(
            "is that class, or -1, row by row",
            _polled,
            times=6,
            seconds=15,
            meaning="Each row by itself: its own two largest counts, its own n_A + n_B; integers (N,) come back.",
        ),
    ),
    mistakes=(
        ("It never abstains: with close votes the majority may be chance.", {RETURN: CLASS}),
        (
            "It always abstains: where the P-value is at most alpha, the class is named.",
            {RETURN: "torch.full_like(classes[:, 0], ABSTAIN)"},
        ),
        (
            "The test is two-sided: either class could have come out in front by chance, so the P-value is twice the "
            "tail.",
            {"2 * tail": "tail"},
        ),
        (
            "The 2 is there already; alpha / 2 on top of it makes the test needlessly strict.",
            {"<= alpha": "<= alpha / 2"},
        ),
        (
            "`binom.sf(k, n, p)` is P(> k), without k itself: P(>= n_A) is `binom.sf(n_A - 1, n, p)`.",
            {"(a - 1)": "a"},
        ),
        (
            "Only the votes for the first two classes count: n = n_A + n_B, for under H0 each of these is a fair coin.",
            {"top.sum(1)": "votes.sum(1)"},
        ),
        (
            "That is the normal approximation; the exact binomial tail is one call as well.",
            {"2 * tail": f"2 * {NORMAL}"},
        ),
        (
            "The other way round: a P-value above alpha means that it may be chance, so abstain.",
            {"<= alpha": "> alpha"},
        ),
        ("alpha and 1 - alpha are exchanged.", {"<= alpha": "<= 1 - alpha"}),
        (
            "That is the probability of exactly n_A votes; the tail P(>= n_A) counts those above it too.",
            {"2 * tail": "2 * (tail - torch.as_tensor(special.bdtrc(a.numpy(), total.numpy(), 0.5)))"},
        ),
        ("ABSTAIN is -1; 0 is a class.", {"ABSTAIN": "0"}),
        ("That is the runner-up; the first place of `.indices` is the class.", {CLASS: "classes[:, 1]"}),
        (
            "That is the place in the sorted votes; the class is in the `.indices` of `topk`.",
            {CLASS: "torch.zeros_like(classes[:, 0])"},
        ),
        ("That is the number of votes; the class is in the `.indices` of `topk`.", {CLASS: "a"}),
        (
            "That is the condition of CERTIFY, p_A > 1/2. For the prediction it is enough that A leads over B.",
            {"2 * tail <= alpha": "clopper_pearson_lower(a, int(votes[0].sum()), alpha) > 0.5"},
        ),
        (
            "All rows are taken together: each image has a P-value of its own.",
            {"2 * tail <= alpha": "(2 * tail <= alpha).all()"},
        ),
    ),
    hints=(
        "Which two classes compete? Were they equally probable, what law had the votes of the first, given the "
        "votes of both?",
        "`votes.topk(2, dim=1)` gives both counts (`.values`) and their classes (`.indices`).",
        "Under H0 each of the n_A + n_B votes is a fair coin; P(Bin(n, 1/2) >= n_A) is `scipy.stats.binom.sf(n_A - 1, "
        "n, 0.5)`, on `.cpu().numpy()`.",
        "Twice that is the P-value, `torch.as_tensor` makes it a tensor; `torch.where(p_value <= alpha, top_class, "
        "-1)`.",
    ),
    why="Given n_A + n_B the count of the true leader is binomial with p >= 1/2, so naming the other one needs a tail "
    "of at most alpha / 2. That the two classes were themselves picked by the votes does no harm here, which is not "
    "obvious: it is the theorem of Hung and Fithian. `special.bdtrc(a - 1, n, 0.5)` is P(Bin(n, 1/2) >= a) = "
    "`stats.binom.sf(a - 1, n, 0.5)`, only faster.",
    minutes=15,
)
