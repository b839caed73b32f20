"""Exercise 1.6: the cross-entropy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional as F

from helpers import risk
from helpers.exercises import Draw, Exercise, agree, holds, require, same
from helpers.risk.exercises.distributions import SHAPE, missed, pair, rare, with_zeros, zeros

Function = Callable[..., Any]


def _true_class(f: Function, draw: Draw) -> None:
    q, y = draw.probabilities(6, 4), draw.integers(0, 4, 6)
    agree(f(F.one_hot(y, 4).to(q.dtype), q), -q[torch.arange(6, device=q.device), y].log(), rtol=1e-12)


def _best_code(f: Function, draw: Draw) -> None:
    p, q = with_zeros(draw, 50, 4), draw.probabilities(50, 4)
    own, other = f(p, p), f(p, q)
    agree(own, risk.entropy(p))
    require(other > own, expected="CE(p, q) > CE(p, p) = H(p) for every q but p", got=(other - own).min())


CE = "-torch.special.xlogy(p, q).sum(-1)"

cross_entropy = Exercise(
    "1.6",
    risk.cross_entropy,
    checks=(
        same(
            "is -sum_k p_k ln q_k over the last dimension, in nats",
            pair,
            meaning=SHAPE + "The outcomes come from p, the code words, -ln q_k long, from q.",
        ),
        holds(
            "for a one-hot p it is -ln q_y, the multi-class logistic loss",
            _true_class,
            dtype=torch.float64,
            meaning="To all digits: no small number inside the logarithm, no step in float32.",
        ),
        same(
            "0 ln 0 = 0, also where q_k = 0 as well",
            zeros,
            meaning="An outcome that never comes costs nothing, whatever its code word: where p_k = 0 the term is 0, "
            "and every other term counts in full.",
        ),
        same(
            "inf where q_k = 0 < p_k",
            missed,
            meaning="An outcome that q excludes and that comes all the same, however rarely, costs infinitely much, in "
            "its own row only. A small number inside the logarithm hides that: 1e-8 makes it a price of 18 nats.",
        ),
        holds(
            "is right down to q_k = 1e-300",
            lambda f, draw: rare(f, draw, 0.0),
            dtype=torch.float64,
            meaning="A rare outcome has a long code word, 690 nats at 1e-300. A clamp or a small number inside the "
            "logarithm shortens it.",
        ),
        holds(
            "is least, H(p), at q = p (Gibbs)",
            _best_code,
            meaning="With the right code, q = p, the mean length is the entropy of p, zeros in p or not.",
        ),
    ),
    mistakes=(
        ("p and q are swapped: p weights the logarithm of q, the code in use.", {"xlogy(p, q)": "xlogy(q, p)"}),
        ("The minus sign is missing: ln q is never positive, a code length never negative.", {"return -": "return "}),
        ("That is in bits (log2); the course measures in nats.", {".sum(-1)": ".sum(-1) / math.log(2)"}),
        (
            "That is KL(p || q), the excess over H(p); the cross-entropy keeps the entropy of p.",
            {CE: "kl_divergence(p, q)"},
        ),
        (
            "That is averaged over the batch; one number for each pair is asked for.",
            {".sum(-1)": ".sum(-1).mean()"},
        ),
        (
            "That sums over the batch too; one number for each pair is asked for.",
            {".sum(-1)": ".sum()"},
        ),
        ("That is the mean over the outcomes; they are weighted by p already: sum.", {".sum(-1)": ".mean(-1)"}),
        (
            "q goes through a soft-max: it holds probabilities already. (F.cross_entropy takes scores.)",
            {CE: "-(p * F.log_softmax(q, -1)).sum(-1)"},
        ),
        (
            "F.cross_entropy takes scores, puts them through a soft-max and averages over the batch; here q holds "
            "probabilities, and each pair has a number of its own.",
            {CE: "F.cross_entropy(q, p)"},
        ),
        (
            "0 times -inf is NaN: where p_k = 0 the term is 0 by convention, whatever q_k is.",
            {CE: "-(p * q.log()).sum(-1)"},
        ),
        (
            "Terms with q_k = 0 are dropped, also where p_k > 0: there the cost is infinite. Mask on p, not on q.",
            {CE: "-torch.where(q > 0, p * q.log(), 0).sum(-1)"},
        ),
        (
            "nan_to_num replaces the infinities too, by the largest float; only the NaN should become 0.",
            {CE: "-(p * q.log()).nan_to_num().sum(-1)"},
        ),
    ),
    hints=(
        "Which of the two is inside the logarithm? The code is made for q, the outcomes come from p.",
        "Where p_k = 0 the term should be 0, even if ln q_k = -inf; but 0 * inf is NaN in floating point.",
        "`torch.special.xlogy(a, b)` is a ln b with 0 ln 0 = 0; `torch.where(p > 0, ..., 0)` does it too.",
    ),
    why="An outcome k costs -ln q_k nats and comes with probability p_k. What never comes costs nothing, so 0 ln 0 "
    "= 0 is not a trick but a limit; what comes although q excludes it costs infinitely much, and a small number "
    "inside the logarithm would hide it. xlogy knows both.",
)
