"""Exercises 1.9 to 1.11: cross-entropy, the divergences of Kullback-Leibler and of Jensen-Shannon."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from helpers import risk
from helpers.exercises import Arguments, Draw, Exercise, agree, args, holds, require, same

Function = Callable[..., Any]

ROWS = [(4, 3), (3, 3), (2, 3, 4), (5,)]
SHAPE = (
    "One number for each pair of distributions: sum over the last dimension, whatever the number of dimensions, and "
    "over nothing else. "
)


def _pair(draw: Draw) -> Arguments:
    shape = draw.choice(ROWS)
    return args(draw.probabilities(*shape), draw.probabilities(*shape))


def _far_pair(draw: Draw) -> Arguments:
    """p has at least 3/4 at the first entry, q at the last."""
    p, q = _pair(draw).positional
    first, last = (torch.eye(p.shape[-1], dtype=p.dtype, device=p.device)[k] for k in (0, -1))
    return args((p + 3 * first) / 4, (q + 3 * last) / 4)


def _with_zeros(draw: Draw, *shape: int) -> Tensor:
    """Distributions with the first entry 0."""
    p = draw.probabilities(*shape)
    p[..., 0] = 0
    return p / p.sum(-1, keepdim=True)


def _zeros(draw: Draw) -> Arguments:
    """0 ln 0 twice: where q_k > 0 = p_k, and where both are 0; the support of p is never missed. The last p is sure."""
    p, q = _with_zeros(draw, 5, 5), torch.cat([draw.probabilities(2, 5), _with_zeros(draw, 3, 5)])
    p[4] = torch.eye(5, dtype=p.dtype, device=p.device)[2]
    return args(p, q)


def _missed(draw: Draw) -> Arguments:
    """q_k = 0 < p_k in the first three rows of five, in the third for a p_k of 1e-6."""
    p, q = draw.probabilities(5, 5), torch.cat([_with_zeros(draw, 3, 5), draw.probabilities(2, 5)])
    p[2] *= (1 - 1e-6) / p[2, 1:].sum()
    p[2, 0] = 1e-6
    return args(p, q)


def _rare(f: Function, draw: Draw, entropy: float) -> None:
    """f([1/2, 1/2], [tiny, 1 - tiny]) is entropy - (ln tiny + 0) / 2, and twice that for a p that is sure."""
    for tiny in (1e-3, 1e-30, 1e-300):
        q = torch.tensor([tiny, 1 - tiny], dtype=draw.dtype, device=draw.device)
        expected = torch.stack([-q[0].log(), -q.log().mean() + entropy])
        agree(f(torch.tensor([[1.0, 0.0], [0.5, 0.5]]).to(q), q.expand(2, 2)), expected, rtol=0, atol=5e-10)


def _true_class(f: Function, draw: Draw) -> None:
    q, y = draw.probabilities(6, 4), draw.integers(0, 4, 6)
    agree(f(F.one_hot(y, 4).to(q.dtype), q), -q[torch.arange(6, device=q.device), y].log(), rtol=1e-12)


def _best_code(f: Function, draw: Draw) -> None:
    p, q = _with_zeros(draw, 50, 4), draw.probabilities(50, 4)
    own, other = f(p, p), f(p, q)
    agree(own, risk.entropy(p))
    require(other > own, expected="CE(p, q) > CE(p, p) = H(p) for every q but p", got=(other - own).min())


CE = "-torch.special.xlogy(p, q).sum(-1)"

cross_entropy = Exercise(
    "1.9",
    risk.cross_entropy,
    checks=(
        same(
            "is -sum_k p_k ln q_k over the last dimension, in nats",
            _pair,
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
            _zeros,
            meaning="An outcome that never comes costs nothing, whatever its code word: where p_k = 0 the term is 0, "
            "and every other term counts in full.",
        ),
        same(
            "inf where q_k = 0 < p_k",
            _missed,
            meaning="An outcome that q excludes and that comes all the same, however rarely, costs infinitely much, in "
            "its own row only.",
        ),
        holds(
            "is right down to q_k = 1e-300",
            lambda f, draw: _rare(f, draw, 0.0),
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
            "The terms 1 - p_k are those of binary labels, where each q_k stands alone; here the outcomes exclude each "
            "other.",
            {CE: f"{CE} - torch.special.xlogy(1 - p, 1 - q).sum(-1)"},
        ),
        (
            "q goes through a soft-max: it holds probabilities already. (F.cross_entropy takes scores.)",
            {CE: "-(p * F.log_softmax(q, -1)).sum(-1)"},
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
            "The small number inside the logarithm hides the infinity: an event declared impossible happened, at "
            "a price of 18 nats.",
            {CE: "-(p * (q + 1e-8).log()).sum(-1)"},
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


def _gibbs(f: Function, draw: Draw) -> None:
    p, q = _far_pair(draw).positional
    require(f(p, q) > 0, expected="KL > 0 for every p other than q", got=f(p, q).min())
    point = _with_zeros(draw, 3, 4)
    agree(f(point, point), torch.zeros(3, dtype=p.dtype, device=p.device), atol=1e-6)


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
    "1.10",
    risk.kl_divergence,
    checks=(
        same(
            "is sum_k p_k ln(p_k / q_k) over the last dimension, in nats",
            _pair,
            meaning=SHAPE + "p weights the logarithm and stands above the fraction line.",
        ),
        same(
            "0 ln 0 = 0, also where q_k = 0 as well",
            _zeros,
            meaning="Where p_k = 0 the term is 0, whatever q_k is, and every other term counts in full.",
        ),
        same(
            "inf where q_k = 0 < p_k",
            _missed,
            meaning="Where q misses a point of the support of p, however small its p_k, KL is infinite, in that "
            "row only.",
        ),
        holds(
            "is right down to q_k = 1e-300",
            lambda f, draw: _rare(f, draw, -math.log(2)),
            dtype=torch.float64,
            meaning="-ln q_k grows to 690 nats at q_k = 1e-300. A clamp or a small number inside the logarithm stops "
            "it.",
        ),
        holds(
            "is positive, and 0 for p = q only (Gibbs)",
            _gibbs,
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
            "The weights p_k are missing: that adds up the log-ratios, however rare the outcome.",
            {KL: "(p / q).log().sum(-1)"},
        ),
        (
            "0 ln 0 became NaN: where p_k = 0 the term is 0, whatever q_k is.",
            {KL: "(p * (p / q).log()).sum(-1)"},
        ),
        (
            "F.kl_div is NaN where both are 0: it multiplies p_k = 0 by ln q_k = -inf.",
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
        (
            "The small numbers inside the logarithm make it finite where q misses a point of the support of p; "
            "there KL is infinite.",
            {KL: "(p * ((p + 1e-8) / (q + 1e-8)).log()).sum(-1)"},
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
