"""Exercises 9.6 and 9.7: the Clopper-Pearson bound, the prediction with abstention."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from scipy import special, stats
from torch import Tensor
from torch.special import ndtri

from helpers import smoothing
from helpers.exercises import Draw, Exercise, args, holds, require, same
from helpers.exercises._smoothing_gaussian import F64, MISSED, tensor

Function = Callable[..., Any]


def quantile(share: float, a: Tensor, b: Tensor) -> Tensor:
    """The quantile of Beta(a, b), NaN unless both are positive, on the device of a."""
    found = stats.beta.ppf(share, a.double().cpu().numpy(), b.double().cpu().numpy())
    return torch.as_tensor(found, dtype=F64, device=a.device)


def _counted(draw: Draw) -> Any:
    n = draw.choice([7, 25, 100])
    k = draw.integers(0, n + 1, *draw.choice([(9,), (2, 5)]))
    k.view(-1)[:3] = torch.tensor([0, n, n // 2 + 1], device=k.device)
    return args(k, n, draw.number(0.005, 0.2))


def _solves(f: Function, draw: Draw) -> None:
    n, alpha = draw.choice([12, 60, 400]), draw.number(0.005, 0.2)
    k = draw.integers(1, n + 1, 8)
    tail = torch.as_tensor(stats.binom.sf(k.cpu().numpy() - 1, n, f(k, n, alpha).detach().cpu().numpy()))
    require(
        (tail - alpha).abs() < 2e-3 * alpha,
        expected=f"P(Bin(n, p) >= k) = alpha = {alpha:.4g} at the bound p",
        got=f"P(Bin(n, p) >= k) = {[float(f'{t:.4g}') for t in tail]}",
    )


def _covers(f: Function, draw: Draw) -> None:
    """The exact probability that the bound is right, on a grid of p: no simulation, so no false alarm."""
    n, alpha = draw.integer(20, 60), draw.choice([0.01, 0.05, 0.1])
    k = torch.arange(n + 1, device=draw.device)
    bound = f(k, n, alpha).detach().cpu()
    p = torch.linspace(0.002, 0.998, 499, dtype=F64)[:, None]
    right = (torch.as_tensor(stats.binom.pmf(k.cpu().numpy(), n, p.numpy())) * (bound <= p)).sum(1)
    worst = int(right.argmin())
    require(
        right >= 1 - alpha - 1e-6,
        expected=f"a bound that is right with probability at least {1 - alpha:.4g}, whatever p is",
        got=f"right with probability {float(right[worst]):.4g} for p = {float(p[worst]):.3g}",
        on=f"k = 0 ... n, n = {n}, alpha = {alpha}",
    )


def _with_zero(bound: Callable[[Tensor, int, float], Tensor]) -> Function:
    """A bound for k >= 1, and 0 for k = 0."""

    def answer(successes, n, alpha):  # type: ignore[no-untyped-def]
        k = torch.as_tensor(successes)
        return torch.where(k > 0, bound(k.double(), n, alpha).double(), 0.0)

    return answer


def _wald(k: Tensor, n: int, alpha: float) -> Tensor:
    return k / n - ndtri(tensor(1 - alpha)).item() * (k / n * (1 - k / n) / n).sqrt()


def _wilson(k: Tensor, n: int, alpha: float) -> Tensor:
    z, p = ndtri(tensor(1 - alpha)).item(), k / n
    return (p + z * z / (2 * n) - z * (p * (1 - p) / n + z * z / (4 * n * n)).sqrt()) / (1 + z * z / n)


clopper_pearson_lower = Exercise(
    "9.6",
    smoothing.clopper_pearson_lower,
    checks=(
        holds("is right with probability at least 1 - alpha, whatever p is", _covers, times=2, seconds=10),
        holds("solves P(Bin(n, p) >= k) = alpha", _solves, times=2, seconds=10),
        same("is that p, for counts of any shape; 0 for k = 0", _counted, rtol=1e-4, atol=MISSED, seconds=10),
        same(
            "takes one count as well, of 100,000",
            lambda draw: args(draw.integer(90_000, 100_001), 100_000, 0.001),
            rtol=1e-4,
            atol=MISSED,
            seconds=10,
        ),
    ),
    mistakes=(
        (
            _with_zero(lambda k, n, alpha: quantile(alpha / 2, k, n - k + 1)),
            "That is the lower end of a two-sided interval, alpha / 2 on each side. Only one side matters here: alpha.",
        ),
        (
            _with_zero(lambda k, n, alpha: k / n),
            "k / n is the estimate; it lies above the truth about every second time. Go down to a p that makes k "
            "successes as unlikely as alpha.",
        ),
        (
            _with_zero(lambda k, n, alpha: k / n - math.sqrt(math.log(1 / alpha) / (2 * n))),
            "That is Hoeffding's bound: sound, but it does not know that the binomial law is narrow near p = 1, where "
            "the radii are large.",
        ),
        (
            _with_zero(lambda k, n, alpha: (k / n - math.sqrt(math.log(1 / alpha) / (2 * n))).clamp(min=0)),
            "That is Hoeffding's bound: sound, but it does not know that the binomial law is narrow near p = 1, where "
            "the largest radii come from.",
        ),
        (
            _with_zero(_wald),
            "That is the normal approximation: for k = n it says 1, and near 1 it is wrong far more often than alpha.",
        ),
        (
            _with_zero(lambda k, n, alpha: _wald(k, n, alpha).clamp(min=0)),
            "That is the normal approximation, cut at 0: for k = n it says 1, and near 1 it is wrong far more often "
            "than alpha.",
        ),
        (_with_zero(_wilson), "That is Wilson's interval, an approximation: its error can exceed alpha."),
        (
            _with_zero(lambda k, n, alpha: quantile(1 - alpha, k, n - k + 1)),
            "That is the 1 - alpha quantile of the Beta law; the lower bound is its alpha quantile.",
        ),
        (
            _with_zero(lambda k, n, alpha: quantile(1 - alpha, k + 1, n - k).nan_to_num(1.0)),
            "That is the upper bound of p, Beta(k + 1, n - k) at 1 - alpha; the lower one is asked for.",
        ),
        (
            lambda successes, n, alpha: quantile(
                alpha, torch.as_tensor(successes) + 1, n - torch.as_tensor(successes) + 1
            ),
            "Beta(k + 1, n - k + 1) is the posterior under a flat prior; it does not guarantee 1 - alpha for every p. "
            "The first parameter is k.",
        ),
        (
            _with_zero(lambda k, n, alpha: quantile(alpha, k, n - k)),
            "The second parameter is n - k + 1; with n - k the case k = n has no law at all.",
        ),
        (
            lambda successes, n, alpha: quantile(alpha, torch.as_tensor(successes), n - torch.as_tensor(successes) + 1),
            "Beta(0, n + 1) does not exist: for k = 0 the bound is 0, for any p could give no success.",
        ),
    ),
    hints=(
        "The bound is the p that would make k successes or more as unlikely as alpha: P(Bin(n, p) >= k) = alpha.",
        "P(Bin(n, p) >= k) = P(Beta(k, n - k + 1) <= p): the bound is a quantile, `scipy.stats.beta.ppf(alpha, k, n - "
        "k + 1)`. Or halve [0, 1] some 50 times on `scipy.stats.binom.sf(k - 1, n, p)`.",
        "scipy wants NumPy: `torch.as_tensor(successes).cpu().numpy()`; back with `torch.as_tensor(p, "
        "dtype=torch.float64)`. `torch.where(k > 0, p, 0.0)` ends it.",
    ),
    why="If the true p is below the bound, k or more successes had a chance of at most alpha: so the bound is too "
    "high at most that often, for every p, n and k, with no approximation. One call serves a whole array of counts.",
    minutes=15,
)


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
        (lambda votes, alpha: votes.argmax(1), "It never abstains: with close votes the majority may be chance."),
        (
            _predicts(sides=1.0),
            "The test is two-sided: either class could have come out in front by chance, so the P-value is twice the "
            "tail.",
        ),
        (_predicts(sides=4.0), "The 2 is there already; alpha / 2 on top of it makes the test needlessly strict."),
        (
            _predicts(strict=True),
            "`binom.sf(k, n, p)` is P(> k), without k itself: P(>= n_A) is `binom.sf(n_A - 1, n, p)`.",
        ),
        (
            _predicts(everyone=True),
            "Only the votes for the first two classes count: n = n_A + n_B, for under H0 each of these is a fair coin.",
        ),
        (_predicts(normal=True), "That is the normal approximation; the exact binomial tail is one call as well."),
        (
            _predicts(when=lambda p, alpha: p > alpha),
            "The other way round: a P-value above alpha means that it may be chance, so abstain.",
        ),
        (_predicts(when=lambda p, alpha: p <= 1 - alpha), "alpha and 1 - alpha are exchanged."),
        (_predicts(silent=0), "ABSTAIN is -1; 0 is a class."),
        (
            _predicts(classes=lambda votes: torch.zeros(len(votes), dtype=torch.int64, device=votes.device)),
            "That is the place in the sorted votes; the class is in the `.indices` of `topk`.",
        ),
        (
            _predicts(classes=lambda votes: votes.amax(1)),
            "That is the number of votes; the class is in the `.indices` of `topk`.",
        ),
        (
            _like_certify,
            "That is the condition of CERTIFY, p_A > 1/2. For the prediction it is enough that A leads over B.",
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
