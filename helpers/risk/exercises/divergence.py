"""Exercise 1.7: the divergence of Kullback and Leibler."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from helpers import risk
from helpers.exercises import Draw, Exercise, agree, holds, require, same
from helpers.risk.exercises.distributions import SHAPE, far_pair, missed, pair, rare, with_zeros, zeros

Function = Callable[..., Any]


def _gibbs(f: Function, draw: Draw) -> None:
    p, q = far_pair(draw).positional
    require(f(p, q) > 0, expected="KL > 0 for every p other than q", got=f(p, q).min())
    point = with_zeros(draw, 3, 4)
    agree(f(point, point), torch.zeros(3, dtype=p.dtype, device=p.device), atol=1e-12)


def _direction(f: Function, draw: Draw) -> None:
    p, q = draw.probabilities(3), draw.probabilities(3)
    agree(f(p, q) + risk.entropy(p), risk.cross_entropy(p, q), rtol=1e-12)
    agree(f(q, p) + risk.entropy(q), risk.cross_entropy(q, p), rtol=1e-12)


def _additive(f: Function, draw: Draw) -> None:
    (p, q), (r, s) = draw.probabilities(2, 3), draw.probabilities(2, 4)
    joint = f(torch.outer(p, r).flatten(), torch.outer(q, s).flatten())
    agree(joint, f(p, q) + f(r, s), atol=1e-5)


KL = "(torch.special.xlogy(p, p) - torch.special.xlogy(p, q)).sum(-1)"

kl_divergence = Exercise(
    "1.7",
    risk.kl_divergence,
    checks=(
        same(
            "is sum_k p_k ln(p_k / q_k) over the last dimension, in nats",
            pair,
            meaning=SHAPE + "p weights the logarithm and stands above the fraction line.",
        ),
        same(
            "0 ln 0 = 0, also where q_k = 0 as well",
            zeros,
            meaning="Where p_k = 0 the term is 0, whatever q_k is, and every other term counts in full.",
        ),
        same(
            "inf where q_k = 0 < p_k",
            missed,
            meaning="Where q misses a point of the support of p, however small its p_k, KL is infinite, in that "
            "row only. Small numbers inside the logarithm make it finite.",
        ),
        holds(
            "is right down to q_k = 1e-300",
            lambda f, draw: rare(f, draw, -math.log(2)),
            dtype=torch.float64,
            meaning="-ln q_k grows to 690 nats at q_k = 1e-300. A clamp or a small number inside the logarithm stops "
            "it.",
        ),
        holds(
            "is positive, and 0 for p = q only (Gibbs)",
            _gibbs,
            dtype=torch.float64,
            meaning="No code beats the right one: the excess is never negative, and 0 where q = p, zeros in p or not.",
        ),
        holds(
            "CE = H + KL, in either order: KL is not symmetric",
            _direction,
            dtype=torch.float64,
            meaning="KL is what CE(p, q) costs above H(p), to all digits: no small number, no step in float32.",
        ),
        holds(
            "adds up over independent pairs",
            _additive,
            meaning="Logarithms of products are sums, so the KL of two independent pairs is the sum of theirs: no "
            "average over the outcomes, no cut, no normalisation.",
        ),
    ),
    mistakes=(
        (
            "That is the other direction, KL(q || p). (F.kl_div takes ln q first and p second.)",
            {KL: "(torch.special.xlogy(q, q) - torch.special.xlogy(q, p)).sum(-1)"},
        ),
        (
            "That is the cross-entropy; the entropy of p, what p costs with its own code, is still in it.",
            {KL: "-torch.special.xlogy(p, q).sum(-1)"},
        ),
        ("The sign is flipped: ln(p/q), not ln(q/p). KL is never negative.", {"return (": "return -("}),
        (
            "That is symmetric in p and q (Jeffreys); KL is not.",
            {KL: "(torch.special.xlogy(p - q, p) - torch.special.xlogy(p - q, q)).sum(-1) / 2"},
        ),
        ("That is in bits (log2); the course measures in nats.", {".sum(-1)": ".sum(-1) / math.log(2)"}),
        (
            "That sums over the batch too; one number for each pair is asked for.",
            {".sum(-1)": ".sum()"},
        ),
        ("That is the mean over the outcomes; they are weighted by p already: sum.", {".sum(-1)": ".mean(-1)"}),
        (
            "0 ln 0 became NaN: where p_k = 0 the term is 0, whatever q_k is.",
            {KL: "(p * (p / q).log()).sum(-1)"},
        ),
        (
            "NaN where both are 0: p/q is 0/0 there, and F.kl_div multiplies p_k = 0 by ln q_k = -inf.",
            {KL: 'torch.nn.functional.kl_div(q.log(), p, reduction="none").sum(-1)'},
        ),
        (
            "Terms with q_k = 0 are dropped, also where p_k > 0: there KL is infinite. Mask on p, not on q.",
            {KL: "torch.where((p > 0) & (q > 0), p * (p / q).log(), 0).sum(-1)"},
        ),
        (
            "nan_to_num replaces the infinities too, by the largest float; only the NaN should become 0.",
            {KL: "(p * (p / q).log()).nan_to_num().sum(-1)"},
        ),
    ),
    hints=(
        "p weights the logarithm, and p is above the fraction line.",
        "Two special cases: p_k = 0 gives 0; q_k = 0 < p_k gives inf. Which of them does p * (p / q).log() get wrong?",
        "Write ln(p/q) as ln p - ln q, each with the factor p_k that makes it harmless: `torch.special.xlogy(p, "
        "p)`; or mask with `torch.where(p > 0, ..., 0)`.",
    ),
    why="KL is the excess of CE(p, q) over H(p): what it costs to use the code of q for outcomes of p. Each of the "
    "two sums has its 0 ln 0, which xlogy sets to 0, while q_k = 0 < p_k gives +inf, as it should: no amount of "
    "data makes an impossible event possible.",
)
