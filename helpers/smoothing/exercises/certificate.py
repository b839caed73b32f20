"""Exercise 9.8, find the flaw: certify."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from helpers import smoothing
from helpers.exercises import Draw, Exercise, agree, args, holds, require, same
from helpers.smoothing.certificates import ABSTAIN, Certificate, certified_radius, clopper_pearson_lower
from helpers.smoothing.exercises.gaussian import ATOL, F64, RTOL, scale

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
    n, alpha, sigma = draw.integer(50, 5000), draw.choice([0.05, 0.001]), scale(draw)
    classes = draw.integers(0, 4, 6)
    hot = torch.nn.functional.one_hot(classes, 4)
    got = f(100 * hot, n * hot, sigma=sigma, alpha=alpha)
    agree(got.prediction, classes)
    ceiling = torch.full((6,), smoothing.max_certifiable_radius(n, alpha, sigma), dtype=F64, device=draw.device)
    agree(got.radius, ceiling, rtol=RTOL, atol=ATOL)


def _sampled(draw: Draw) -> Any:
    """Clear images, close ones, hopeless ones; no tie in the selection."""
    low, high = [0.6] * 8 + [0.45] * 6 + [0.2] * 4, [0.99] * 8 + [0.6] * 6 + [0.4] * 4
    top = torch.tensor(low, dtype=F64) + draw.uniform(18).cpu() * (torch.tensor(high) - torch.tensor(low))
    classes = draw.choice([5, 2])
    others = draw.probabilities(18, classes - 1).cpu() * (1 - top[:, None])
    order = draw.uniform(18, classes).cpu().argsort(1)
    p = torch.cat([top[:, None], others], 1).gather(1, order).double().to(draw.device)
    selection, n = drawn(draw, p, 31), draw.choice([20, 200, 1000])
    unique = classes * selection + draw.uniform(18, classes).argsort(1)
    return args(unique, drawn(draw, p, n), sigma=scale(draw), alpha=draw.number(0.001, 0.1))


CHOICE, COUNT = "selection.argmax(1)", "votes.gather(1, chosen[:, None])[:, 0]"
BOUND = f"clopper_pearson_lower({COUNT}, n, alpha)"

certify = Exercise(
    "9.8",
    smoothing.certify,
    given=flawed,
    checks=(
        holds(
            "its bound is above the truth for at most alpha of the images",
            _seldom_too_high,
            seconds=15,
            meaning="A bound holds with probability 1 - alpha for a class that was fixed before its votes were "
            "counted.",
        ),
        holds(
            "certifies the class of the first sample, or none",
            _other_choice,
            meaning="The first sample alone names the class; where the second has no votes for it, nothing is "
            "certified: -1, radius 0, bound 0.",
        ),
        holds(
            "votes that all agree give the largest radius that n votes can",
            _constant,
            times=2,
            meaning="n votes that agree give sigma Phi^{-1}(alpha^{1/n}).",
        ),
        same(
            "is the certificate of CERTIFY",
            _sampled,
            rtol=RTOL,
            atol=ATOL,
            times=4,
            seconds=15,
            meaning="prediction: the class of the first sample, or -1; radius: sigma Phi^{-1}(lower), or 0; lower: the "
            "Clopper-Pearson bound at alpha from the second sample, whatever the prediction is.",
        ),
        same(
            "abstains on a bound of exactly 1/2, and on one vote",
            lambda draw: args(
                torch.tensor([[2, 1], [0, 3]], device=draw.device),
                torch.tensor([[1, 0], [1, 0]], device=draw.device),
                sigma=scale(draw),
                alpha=draw.choice([0.5, 0.001, 0.6]),
            ),
            rtol=RTOL,
            atol=ATOL,
            meaning="A is certified only where the bound is above 1/2; with one vote it is alpha or 0.",
        ),
    ),
    mistakes=(
        (
            "The class is still chosen by the votes that bound it. The winner of ten equal classes has more than its "
            "share of just these votes, by luck: choose on `selection`, which is a sample of its own.",
            {CHOICE: "votes.argmax(1)"},
        ),
        (
            "The votes that bound the class still take part in choosing it: choose on `selection` alone.",
            {CHOICE: "(selection + votes).argmax(1)"},
        ),
        (
            "Now the class is chosen and bounded on `selection`: the bound belongs to `votes`, drawn independently.",
            {COUNT: COUNT.replace("votes", "selection"), "[:, 0], n": "[:, 0], int(selection[0].sum())"},
        ),
        (
            "The samples are exchanged: `selection` chooses, `votes` bounds.",
            {
                CHOICE: "votes.argmax(1)",
                COUNT: COUNT.replace("votes", "selection"),
                "[:, 0], n": "[:, 0], int(selection[0].sum())",
            },
        ),
        (
            "The sum of both samples still holds the votes that chose the class: bound it on `votes` alone.",
            {
                COUNT: COUNT.replace("votes", "(selection + votes)"),
                "[:, 0], n": "[:, 0], int((selection + votes)[0].sum())",
            },
        ),
        (
            "alpha / K does repair the guarantee (a union bound), but pays for it with smaller radii; the first sample "
            "is there to choose the class.",
            {CHOICE: "votes.argmax(1)", "n, alpha)": "n, alpha / votes.shape[1])"},
        ),
        (
            "The choice is right now; the union bound alpha / K on top of it is not needed, and costs radius.",
            {"n, alpha)": "n, alpha / votes.shape[1])"},
        ),
        (
            "The choice is right now; but the bound is one-sided: alpha, not alpha / 2.",
            {"n, alpha)": "n, alpha / 2)"},
        ),
        (
            "k / n is the estimate; the certificate needs the lower bound of Exercise 9.6.",
            {BOUND: f"{COUNT}.double() / n"},
        ),
        (
            "Where the bound is not above 1/2, abstain: prediction -1.",
            {"torch.where(lower > 0.5, chosen, ABSTAIN)": "chosen"},
        ),
        (
            "`lower` is the bound of p_A behind the answer, also where that is to abstain.",
            {"sigma), lower)": "sigma), torch.where(lower > 0.5, lower, 0.0))"},
        ),
        ("ABSTAIN is -1; 0 is a class.", {"ABSTAIN": "0"}),
        (
            "Where nothing is certified the radius is 0, not negative.",
            {"certified_radius(lower, sigma)": "sigma * torch.special.ndtri(lower)"},
        ),
        ("sigma is forgotten in the radius.", {"certified_radius(lower, sigma)": "certified_radius(lower, 1.0)"}),
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
    minutes=10,
)
