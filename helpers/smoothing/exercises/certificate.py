"""Exercise 9.8, find the flaw: certify."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.special import ndtri

from helpers import smoothing
from helpers.exercises import Draw, Exercise, agree, args, holds, require, same
from helpers.smoothing.certificates import ABSTAIN, Certificate, certified_radius, clopper_pearson_lower
from helpers.smoothing.exercises.gaussian import F64, MISSED

Function = Callable[..., Any]


def flawed(selection, votes, *, sigma, alpha):  # type: ignore[no-untyped-def]
    """The function as the lecture shows it: word for word but for this line."""
    chosen = votes.argmax(1)
    lower = clopper_pearson_lower(votes.gather(1, chosen[:, None])[:, 0], int(votes[0].sum()), alpha)
    prediction = torch.where(lower > 0.5, chosen, ABSTAIN)
    return Certificate(prediction, certified_radius(lower, sigma), lower)


def drawn(draw: Draw, p: Tensor, n: int) -> Tensor:
    """Votes of n noisy copies of each image, p (N, K) the probabilities of the classes: (N, K) counts."""
    place = torch.searchsorted(p.cumsum(1), draw.uniform(len(p), n).to(p.dtype)).clamp(max=p.shape[1] - 1)
    return torch.zeros(p.shape, dtype=torch.int64, device=p.device).scatter_add_(1, place, torch.ones_like(place))


def _seldom_too_high(f: Function, draw: Draw) -> None:
    """Ten equal classes: five standard errors above alpha, reached by chance less than once in a million checks."""
    images, n, alpha = 1000, 1000, 0.05
    p = torch.full((images, 10), 0.1, dtype=F64, device=draw.device)
    lower = f(drawn(draw, p, 500), drawn(draw, p, n), sigma=0.5, alpha=alpha).lower
    rate, allowed = (lower > 0.1).double().mean().item(), alpha + 5 * math.sqrt(alpha * (1 - alpha) / images)
    require(
        rate <= allowed,
        expected=f"a bound above the true p_A = 0.1 for at most alpha = 5 % of {images:,} images ({allowed:.1%} with "
        "the luck of the draw)",
        got=f"above it for {rate:.1%}",
        on="images with ten equally probable classes, n = 1,000, alpha = 0.05",
        meaning="A bound holds with probability 1 - alpha for a class that was fixed before its votes were counted.",
    )


def _other_choice(f: Function, draw: Draw) -> None:
    n = draw.integer(100, 1000)
    selection, votes = torch.tensor([[60, 40, 0]] * 2, device=draw.device), torch.zeros(2, 3, dtype=torch.int64)
    votes[:, 1] = n
    got = f(selection, votes.to(draw.device), sigma=0.5, alpha=0.01)
    require(
        (got.prediction == -1) & (got.radius == 0) & (got.lower == 0),
        expected="no certificate: the first sample chose class 0, and that has no votes in the second",
    )


def _constant(f: Function, draw: Draw) -> None:
    n, alpha, sigma = draw.integer(50, 5000), draw.choice([0.05, 0.001]), draw.number(0.1, 1.0)
    classes = draw.integers(0, 4, 6)
    hot = torch.nn.functional.one_hot(classes, 4)
    got = f(100 * hot, n * hot, sigma=sigma, alpha=alpha)
    agree(got.prediction, classes)
    ceiling = torch.full((6,), smoothing.max_certifiable_radius(n, alpha, sigma), dtype=F64, device=draw.device)
    agree(got.radius, ceiling, rtol=1e-4, atol=MISSED, meaning="n votes that agree give sigma Phi^{-1}(alpha^{1/n}).")


def _sampled(draw: Draw) -> Any:
    """Clear images, close ones, hopeless ones; no tie in the selection."""
    top = torch.cat(
        [draw.uniform(8, low=0.6, high=0.99), draw.uniform(6, low=0.45, high=0.6), draw.uniform(4, high=0.4)]
    )
    others = draw.probabilities(18, 4) * (1 - top[:, None])
    order = draw.uniform(18, 5).argsort(1)
    p = torch.cat([top[:, None], others], 1).gather(1, order).double()
    selection, n = drawn(draw, p, 30), draw.choice([200, 1000])
    unique = 5 * selection + draw.uniform(18, 5).argsort(1)
    return args(unique, drawn(draw, p, n), sigma=draw.number(0.1, 0.8), alpha=draw.number(0.001, 0.1))


def _certifies(
    choose: Callable[[Tensor, Tensor], Tensor] = lambda selection, votes: selection.argmax(1),
    count: Callable[[Tensor, Tensor], Tensor] = lambda selection, votes: votes,
    *,
    share: Callable[[float, int], float] = lambda alpha, classes: alpha,
    bound: bool = True,
    abstain: bool = True,
    cut: bool = True,
    scaled: bool = True,
) -> Function:
    def answer(selection, votes, *, sigma, alpha):  # type: ignore[no-untyped-def]
        chosen, counts = choose(selection, votes), count(selection, votes)
        k, n = counts.gather(1, chosen[:, None])[:, 0], int(counts[0].sum())
        lower = clopper_pearson_lower(k, n, share(alpha, votes.shape[1])) if bound else k.double() / n
        scale = sigma if scaled else 1.0
        radius = certified_radius(lower, scale) if cut else scale * ndtri(lower)
        return Certificate(torch.where(lower > 0.5, chosen, ABSTAIN) if abstain else chosen, radius, lower)

    return answer


certify = Exercise(
    "9.8",
    smoothing.certify,
    given=flawed,
    checks=(
        holds("its bound is above the truth for at most alpha of the images", _seldom_too_high, seconds=15),
        holds("certifies the class of the first sample, or none", _other_choice),
        holds("votes that all agree give the largest radius that n votes can", _constant),
        same("is the certificate of CERTIFY", _sampled, rtol=1e-4, atol=MISSED, times=4, seconds=15),
    ),
    mistakes=(
        (
            "The class is still chosen by the votes that bound it. The winner of ten equal classes has more than its "
            "share of just these votes, by luck: choose on `selection`, which is a sample of its own.",
            _certifies(lambda selection, votes: votes.argmax(1)),
        ),
        (
            "The votes that bound the class still take part in choosing it: choose on `selection` alone.",
            _certifies(lambda selection, votes: (selection + votes).argmax(1)),
        ),
        (
            "Now the class is chosen and bounded on `selection`: the bound belongs to `votes`, drawn independently.",
            _certifies(count=lambda selection, votes: selection),
        ),
        (
            "The sum of both samples still holds the votes that chose the class: bound it on `votes` alone.",
            _certifies(count=lambda selection, votes: selection + votes),
        ),
        (
            "alpha / K does repair the guarantee (a union bound), but pays for it with smaller radii; the first sample "
            "is there to choose the class.",
            _certifies(lambda selection, votes: votes.argmax(1), share=lambda alpha, classes: alpha / classes),
        ),
        (
            "The choice is right now; but the bound is one-sided: alpha, not alpha / 2.",
            _certifies(share=lambda alpha, classes: alpha / 2),
        ),
        ("k / n is the estimate; the certificate needs the lower bound of Exercise 9.6.", _certifies(bound=False)),
        ("Where the bound is not above 1/2, abstain: prediction -1.", _certifies(abstain=False)),
        ("Where nothing is certified the radius is 0, not negative.", _certifies(cut=False)),
        ("sigma is forgotten in the radius.", _certifies(scaled=False)),
    ),
    hints=(
        "Which arguments does it use? And what was each of the two samples drawn for?",
        "Take ten classes of probability 1/10 each. How large is the largest of ten counts, compared with n / 10? Now "
        "bound that one.",
        "Only the line `chosen = ...` has to change.",
    ),
    why="Clopper-Pearson speaks of one class, named in advance. The winner among ten equal ones is a maximum of ten "
    "counts: with alpha = .05 its bound is too high for about 40 % of the images, near 1 - .95^10. A sample of n_0 "
    "copies names the class at no cost to the guarantee; if it names the wrong one, the bound is low and CERTIFY "
    "abstains. With one dominant class the flaw hardly shows, which is why it survives in so many programs.",
    minutes=15,
)
