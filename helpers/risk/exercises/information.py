"""Exercises 1.9 to 1.11: cross-entropy, the divergences of Kullback-Leibler and of Jensen-Shannon."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from helpers import risk
from helpers.exercises import Draw, Exercise, agree, args, holds, require, same

Function = Callable[..., Any]
Arguments = Any  # what args(...) makes
LN2 = math.log(2)

ROWS = [(4, 3), (2, 5), (2, 3, 4)]


def _pair(draw: Draw) -> Arguments:
    shape = draw.choice(ROWS)
    return args(draw.probabilities(*shape), draw.probabilities(*shape))


def _with_zeros(draw: Draw, *shape: int) -> Tensor:
    """Distributions with the first entry 0."""
    p = draw.probabilities(*shape)
    p[..., 0] = 0
    return p / p.sum(-1, keepdim=True)


def _zeros(draw: Draw) -> Arguments:
    """0 ln 0 twice: where q_k > 0 = p_k, and where both are 0; the support of p is never missed."""
    p, q = _with_zeros(draw, 4, 5), draw.probabilities(4, 5)
    return args(p, torch.cat([q[:2], _with_zeros(draw, 2, 5)]))


def _missed(draw: Draw) -> Arguments:
    """q_k = 0 < p_k in the first two rows of four."""
    p, q = draw.probabilities(4, 5), draw.probabilities(4, 5)
    return args(p, torch.cat([_with_zeros(draw, 2, 5), q[:2]]))


def _masked(p, q, value):  # type: ignore[no-untyped-def]
    return torch.where((p > 0) & (q > 0), value, torch.zeros_like(value)).sum(-1)


def _true_class(f: Function, draw: Draw) -> None:
    q, y = draw.probabilities(6, 4), draw.integers(0, 4, 6)
    agree(f(F.one_hot(y, 4).to(q.dtype), q), -q[torch.arange(6, device=q.device), y].log())


def _best_code(f: Function, draw: Draw) -> None:
    p, q = _with_zeros(draw, 50, 4), draw.probabilities(50, 4)
    own, other = f(p, p), f(p, q)
    agree(own, risk.entropy(p))
    require(other > own, expected="CE(p, q) > CE(p, p) = H(p) for every q but p", got=(other - own).min())


cross_entropy = Exercise(
    "1.9",
    risk.cross_entropy,
    checks=(
        same("is -sum_k p_k ln q_k over the last dimension, in nats", _pair),
        holds("for a one-hot p it is -ln q_y, the multi-class logistic loss", _true_class),
        same("0 ln 0 = 0, also where q_k = 0 as well", _zeros),
        same("inf where q_k = 0 < p_k", _missed),
        holds("is least, H(p), at q = p (Gibbs)", _best_code),
    ),
    mistakes=(
        (
            "p and q are swapped: p weights the logarithm of q, the code in use.",
            lambda p, q: -torch.special.xlogy(q, p).sum(-1),
        ),
        (
            "The minus sign is missing: ln q is never positive, a code length never negative.",
            lambda p, q: torch.special.xlogy(p, q).sum(-1),
        ),
        ("That is in bits (log2); the course measures in nats.", lambda p, q: -torch.special.xlogy(p, q).sum(-1) / LN2),
        (
            "That is averaged over the batch; one number for each pair is asked for.",
            lambda p, q: -torch.special.xlogy(p, q).sum(-1).mean(),
        ),
        (
            "0 times -inf is NaN: where p_k = 0 the term is 0 by convention, whatever q_k is.",
            lambda p, q: -(p * q.log()).sum(-1),
        ),
        (
            "Terms with q_k = 0 are dropped, also where p_k > 0: there the cost is infinite. Mask on p, not on q.",
            lambda p, q: _masked(p, q, -p * q.log()),
        ),
        (
            "The small number inside the logarithm hides the infinity: an event declared impossible happened, at "
            "a price of 18 nats.",
            lambda p, q: -(p * (q + 1e-8).log()).sum(-1),
        ),
        (
            "nan_to_num replaces the infinities too, by the largest float; only the NaN should become 0.",
            lambda p, q: -(p * q.log()).nan_to_num().sum(-1),
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
    p, q = draw.probabilities(200, 4), draw.probabilities(200, 4)
    require(f(p, q) > 0, expected="KL > 0 for every p other than q", got=f(p, q).min())
    point = _with_zeros(draw, 3, 4)
    agree(f(point, point), torch.zeros(3, dtype=p.dtype, device=p.device), atol=1e-5)


def _direction(f: Function, draw: Draw) -> None:
    p, q = draw.probabilities(3), draw.probabilities(3)
    agree(f(p, q) + risk.entropy(p), risk.cross_entropy(p, q), atol=1e-5)
    agree(f(q, p) + risk.entropy(q), risk.cross_entropy(q, p), atol=1e-5)


def _additive(f: Function, draw: Draw) -> None:
    (p, q), (r, s) = draw.probabilities(2, 3), draw.probabilities(2, 4)
    joint = f(torch.outer(p, r).flatten(), torch.outer(q, s).flatten())
    agree(joint, f(p, q) + f(r, s), rtol=1e-3, atol=1e-5)


kl_divergence = Exercise(
    "1.10",
    risk.kl_divergence,
    checks=(
        same("is sum_k p_k ln(p_k / q_k) over the last dimension, in nats", _pair),
        same("0 ln 0 = 0, also where q_k = 0 as well", _zeros),
        same("inf where q_k = 0 < p_k", _missed),
        holds("is positive, and 0 for p = q only (Gibbs)", _gibbs),
        holds("CE = H + KL, in either order: KL is not symmetric", _direction),
        holds("adds up over independent pairs", _additive),
    ),
    mistakes=(
        (
            "That is the other direction, KL(q || p). (F.kl_div takes ln q first and p second.)",
            lambda p, q: risk.kl_divergence(q, p),
        ),
        (
            "That is the cross-entropy; the entropy of p, what p costs with its own code, is still in it.",
            lambda p, q: risk.cross_entropy(p, q),
        ),
        ("The sign is flipped: ln(p/q), not ln(q/p). KL is never negative.", lambda p, q: -risk.kl_divergence(p, q)),
        (
            "That is symmetric in p and q (Jeffreys); KL is not.",
            lambda p, q: (risk.kl_divergence(p, q) + risk.kl_divergence(q, p)) / 2,
        ),
        ("That is in bits (log2); the course measures in nats.", lambda p, q: risk.kl_divergence(p, q) / LN2),
        (
            "That sums over the batch too; one number for each pair is asked for.",
            lambda p, q: risk.kl_divergence(p, q).sum(),
        ),
        ("0 ln 0 became NaN: where p_k = 0 the term is 0, whatever q_k is.", lambda p, q: (p * (p / q).log()).sum(-1)),
        (
            "F.kl_div is NaN where both are 0: it multiplies p_k = 0 by ln q_k = -inf.",
            lambda p, q: F.kl_div(q.log(), p, reduction="none").sum(-1),
        ),
        (
            "Terms with q_k = 0 are dropped, also where p_k > 0: there KL is infinite. Mask on p, not on q.",
            lambda p, q: _masked(p, q, p * (p / q).log()),
        ),
        (
            "The small numbers inside the logarithm make it finite where q misses a point of the support of p; "
            "there KL is infinite.",
            lambda p, q: (p * ((p + 1e-8) / (q + 1e-8)).log()).sum(-1),
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


def _metric(f: Function, draw: Draw) -> None:
    p, q, c = (_with_zeros(draw, 100, 4) if draw.integer(0, 2) else draw.probabilities(100, 4) for _ in range(3))
    agree(f(p, q), f(q, p), rtol=1e-6)
    agree(f(p, p), torch.zeros(100, dtype=p.dtype, device=p.device), atol=1e-6)
    slack = f(p, c) + f(c, q) - f(p, q)
    require(slack > -1e-9, expected="d(p, q) <= d(p, c) + d(c, q)", got=f"broken by {-slack.min():.3g}")


def _largest(f: Function, draw: Draw) -> None:
    p, q = draw.probabilities(20, 6), draw.probabilities(20, 6)
    require(f(p, q) < math.sqrt(LN2), expected="less than sqrt(ln 2) where the supports overlap")
    left, right = (
        (torch.arange(6, device=p.device) < 3).to(p.dtype),
        (torch.arange(6, device=p.device) >= 3).to(p.dtype),
    )
    p, q = (p * left) / (p * left).sum(-1, keepdim=True), (q * right) / (q * right).sum(-1, keepdim=True)
    agree(f(p, q), torch.full_like(p[:, 0], math.sqrt(LN2)), meaning="Disjoint supports are sqrt(ln 2) apart, 0.8326.")


def _naive_js(p, q):  # type: ignore[no-untyped-def]
    c = (p + q) / 2
    return ((p * (p / c).log()).sum(-1) / 2 + (q * (q / c).log()).sum(-1) / 2).sqrt()


def _middle_first(p, q):  # type: ignore[no-untyped-def]
    c = (p + q) / 2
    return ((risk.kl_divergence(c, p) + risk.kl_divergence(c, q)) / 2).sqrt()


def _roots_first(p, q):  # type: ignore[no-untyped-def]
    c = (p + q) / 2
    return (risk.kl_divergence(p, c).clamp(min=0).sqrt() + risk.kl_divergence(q, c).clamp(min=0).sqrt()) / 2


js_distance = Exercise(
    "1.11",
    risk.js_distance,
    checks=(
        same("is sqrt(JS(p, q)) over the last dimension, in nats", _pair),
        same("zeros in p or q or both do no harm", _zeros, dtype=torch.float64),
        holds("is at most sqrt(ln 2), and exactly that for disjoint supports", _largest, dtype=torch.float64),
        holds("is a metric: symmetric, 0 for p = q, triangle inequality", _metric, dtype=torch.float64, times=5),
    ),
    mistakes=(
        (
            "That is JS itself; its square root is asked for. Without the root the triangle inequality fails.",
            lambda p, q: risk.js_divergence(p, q),
        ),
        (
            "One root too many. (SciPy's jensenshannon is the root already.) It still passes the triangle "
            "inequality; its values are wrong.",
            lambda p, q: risk.js_distance(p, q).sqrt(),
        ),
        (
            "That is in bits, bounded by 1; in nats the bound is sqrt(ln 2).",
            lambda p, q: risk.js_distance(p, q) / math.sqrt(LN2),
        ),
        (
            "A factor 1/2 is missing: JS is the mean of the two divergences from the middle.",
            lambda p, q: risk.js_distance(p, q) * math.sqrt(2),
        ),
        (
            "One factor 1/2 too many: JS is the mean of the two divergences from the middle.",
            lambda p, q: risk.js_distance(p, q) / math.sqrt(2),
        ),
        (
            "That compares p and q with each other (Jeffreys); Jensen and Shannon compare both with their middle "
            "c = (p + q)/2.",
            lambda p, q: ((risk.kl_divergence(p, q) + risk.kl_divergence(q, p)) / 2).sqrt(),
        ),
        (
            "The middle c goes second: KL(p || c), not KL(c || p), which is infinite as soon as p has a zero.",
            _middle_first,
        ),
        ("The mean comes first, then the root; the mean of two roots is smaller.", _roots_first),
        ("0 ln 0 became NaN where p or q is 0; use a divergence that knows the convention.", _naive_js),
    ),
    hints=(
        "First the middle c = (p + q)/2, then two divergences from it, their mean, and one root at the end.",
        "You wrote kl_divergence a moment ago, with 0 ln 0 = 0: use it. c_k = 0 only where both are 0, so nothing "
        "is infinite.",
        "Rounding may leave JS at -1e-17 for p close to q, and the root of that is NaN: `clamp(min=0)` first.",
    ),
    why="c_k >= p_k / 2 keeps both divergences below ln 2, zeros or not. The root makes it a metric (Endres & "
    "Schindelin 2003); JS itself breaks the triangle inequality, and a second root would keep it, because the root "
    "of a metric is a metric. So the values are checked too. The clamp is for rounding: JS = -1e-17 would become "
    "NaN.",
)
