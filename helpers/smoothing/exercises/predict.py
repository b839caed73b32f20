"""Exercise 9.7: the prediction with abstention."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from scipy import special, stats
from torch import Tensor

from helpers import smoothing
from helpers.exercises import Draw, Exercise, args, holds, require, same
from helpers.smoothing.exercises.gaussian import F64

Function = Callable[..., Any]
LEVELS = (
    5.0,
    3.5,
    2.4,
    1.8,
    1.4,
    1.15,
    1.03,
    0.97,
    0.92,
    0.86,
    0.8,
    0.72,
    0.64,
    0.57,
    0.48,
    0.4,
    0.3,
)  # of the P-value


def p_value(votes: Tensor) -> Tensor:
    """min(1, 2 P(Bin(n_A + n_B, 1/2) >= n_A)), in double precision on the CPU."""
    two = votes.cpu().topk(2, dim=1).values.numpy()
    return torch.as_tensor(2 * special.bdtrc(two[:, 0] - 1.0, two.sum(1), 0.5), dtype=F64).clamp(max=1)


def _polled(draw: Draw) -> Any:
    """Rows from hopeless to clear, and a tie, of K = 3 ... 6 classes; n is not the same in every row."""
    rows, classes = 16, draw.integer(3, 7)
    second = draw.integers(8, 60, rows)
    lead = (draw.uniform(rows, high=4.0) * (2 * second).double().sqrt()).long()
    rest = (draw.uniform(rows, classes - 2, high=0.9) * second[:, None]).long()
    lead[0] = 0
    votes = torch.cat([(second + lead)[:, None], second[:, None], rest], 1)
    order = draw.uniform(rows, classes).argsort(1)
    return args(votes.gather(1, order), draw.number(0.002, 0.1))


def _exactly(f: Function, draw: Draw) -> None:
    """All the levels are tried before one is judged: which of them fail tells the mistakes apart."""
    second, classes = draw.integer(80, 300), draw.integer(3, 6)
    first = second + 2 + int(draw.number(1.8, 2.3) * math.sqrt(2 * second))
    votes = torch.full((1, classes), 1 + int(0.45 * math.sqrt(2 * second) / (classes - 2)), device=draw.device)
    place = draw.uniform(classes).argsort()
    place = place.roll(1) if place[0] == 0 else place  # class 0 does not lead: -1 and 0 are told apart
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
    wrong = (torch.as_tensor(stats.binom.pmf(k.cpu().numpy(), n, 0.5)) * named).sum().item()
    require(
        wrong <= alpha + 1e-9,
        expected=f"a class named with probability at most alpha = {alpha} when both are equally probable",
        got=f"probability {wrong:.4f}",
        on=f"votes = [k, {n} - k] for k = 0 ... {n}",
    )


def _predicts(
    *,
    sides: float = 2.0,
    strict: bool = False,
    everyone: bool = False,
    normal: bool = False,
    when: Callable[[Tensor, float], Tensor] = lambda p, alpha: p <= alpha,
    silent: int = -1,
    classes: Callable[[Tensor], Tensor] = lambda votes: votes.argmax(1),
) -> Function:
    def answer(votes, alpha):  # type: ignore[no-untyped-def]
        two = votes.topk(2, dim=1).values.cpu().double()
        first, total = two[:, 0], votes.cpu().double().sum(1) if everyone else two.sum(1)
        tail = torch.as_tensor(stats.binom.sf(first.numpy() - (0 if strict else 1), total.numpy(), 0.5))
        if normal:
            tail = torch.special.ndtr(-(2 * first - total) / total.sqrt())
        return torch.where(when(sides * tail, alpha).to(votes.device), classes(votes), silent)

    return answer


def _like_certify(votes, alpha):  # type: ignore[no-untyped-def]
    bound = smoothing.clopper_pearson_lower(votes.amax(1), int(votes[0].sum()), alpha)
    return torch.where(bound > 0.5, votes.argmax(1), -1)


smoothed_predict = Exercise(
    "9.7",
    smoothing.smoothed_predict,
    checks=(
        holds(
            "names a class exactly when the P-value of the two largest counts is at most alpha",
            _exactly,
            times=3,
            seconds=15,
        ),
        holds("names one at most alpha of the time when two are equally probable", _seldom_wrong, times=2, seconds=15),
        same("is that class, or -1, row by row", _polled, times=6, seconds=15),
    ),
    mistakes=(
        ("It never abstains: with close votes the majority may be chance.", lambda votes, alpha: votes.argmax(1)),
        (
            "The test is two-sided: either class could have come out in front by chance, so the P-value is twice the "
            "tail.",
            _predicts(sides=1.0),
        ),
        ("The 2 is there already; alpha / 2 on top of it makes the test needlessly strict.", _predicts(sides=4.0)),
        (
            "`binom.sf(k, n, p)` is P(> k), without k itself: P(>= n_A) is `binom.sf(n_A - 1, n, p)`.",
            _predicts(strict=True),
        ),
        (
            "Only the votes for the first two classes count: n = n_A + n_B, for under H0 each of these is a fair coin.",
            _predicts(everyone=True),
        ),
        ("That is the normal approximation; the exact binomial tail is one call as well.", _predicts(normal=True)),
        (
            "The other way round: a P-value above alpha means that it may be chance, so abstain.",
            _predicts(when=lambda p, alpha: p > alpha),
        ),
        ("alpha and 1 - alpha are exchanged.", _predicts(when=lambda p, alpha: p <= 1 - alpha)),
        ("ABSTAIN is -1; 0 is a class.", _predicts(silent=0)),
        (
            "That is the place in the sorted votes; the class is in the `.indices` of `topk`.",
            _predicts(classes=lambda votes: torch.zeros(len(votes), dtype=torch.int64, device=votes.device)),
        ),
        (
            "That is the number of votes; the class is in the `.indices` of `topk`.",
            _predicts(classes=lambda votes: votes.amax(1)),
        ),
        (
            "That is the condition of CERTIFY, p_A > 1/2. For the prediction it is enough that A leads over B.",
            _like_certify,
        ),
    ),
    hints=(
        "`votes.topk(2, dim=1)` gives both counts (`.values`) and their classes (`.indices`).",
        "Under H0 each of the n_A + n_B votes is a fair coin; P(Bin(n, 1/2) >= n_A) is `scipy.stats.binom.sf(n_A - 1, "
        "n, 0.5)`, on `.cpu().numpy()`.",
        "Twice that is the P-value; `torch.where(p_value <= alpha, top_class, -1)`.",
    ),
    why="Given n_A + n_B the count of the true leader is binomial with p >= 1/2, so naming the other one needs a tail "
    "of at most alpha / 2. That the two classes were themselves picked by the votes does no harm here, which is not "
    "obvious: it is the theorem of Hung and Fithian.",
    minutes=15,
)
