"""Exercise 1.8: the distance of Jensen and Shannon."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from helpers import risk
from helpers.exercises import Draw, Exercise, agree, holds, require, same
from helpers.risk.exercises.distributions import SHAPE, far_pair, pair, with_zeros, zeros

Function = Callable[..., Any]
ROOT_LN2 = math.sqrt(math.log(2))


def _largest(f: Function, draw: Draw) -> None:
    p, q = draw.probabilities(20, 6), draw.probabilities(20, 6)
    require(f(p, q) < ROOT_LN2, expected="less than sqrt(ln 2) where the supports overlap")
    left = (torch.arange(6, device=p.device) < 3).to(p.dtype)
    p, q = p * left, q * (1 - left)
    far = f(p / p.sum(-1, keepdim=True), q / q.sum(-1, keepdim=True))
    agree(far, torch.full_like(far, ROOT_LN2), rtol=0, atol=5e-13)


def _metric(f: Function, draw: Draw) -> None:
    p, q, c = draw.probabilities(100, 4), with_zeros(draw, 100, 4), draw.probabilities(100, 4)
    agree(f(p, q), f(q, p), rtol=1e-9)
    zero = torch.zeros(100, dtype=p.dtype, device=p.device)
    agree(f(p, p), zero, atol=1e-6, meaning="Each distribution is at the distance 0 from itself.")
    slack = f(p, c) + f(c, q) - f(p, q)
    require(slack > -1e-9, expected="d(p, q) <= d(p, c) + d(c, q)", got=f"broken by {-slack.min():.3g}")


def _nearly_equal(f: Function, draw: Draw) -> None:
    p, c = draw.probabilities(1000, 4), draw.probabilities(1000, 4)
    near = (p + 1e-9 * c) / (1 + 1e-9)
    agree(f(p, near), torch.zeros(1000, dtype=p.dtype, device=p.device), atol=1e-6)


JS, ROOT = "js_divergence(p, q)", "js_divergence(p, q).clamp(min=0).sqrt()"
HALVES = "(kl_divergence(p, centre) + kl_divergence(q, centre)) / 2"

js_distance = Exercise(
    "1.8",
    risk.js_distance,
    checks=(
        same(
            "is sqrt(JS(p, q)) over the last dimension, in nats",
            far_pair,
            meaning=SHAPE + "The mean of KL(p || c) and KL(q || c), c = (p + q)/2, and one root at the end.",
        ),
        same(
            "is so for any two distributions, near or far",
            pair,
            dtype=torch.float64,
            rtol=1e-9,
            atol=1e-9,
            meaning="Right for distributions that are far apart only, or not to all digits: no small number inside the "
            "logarithm, no step in float32.",
        ),
        same(
            "zeros in p or q or both do no harm",
            zeros,
            dtype=torch.float64,
            rtol=1e-9,
            atol=1e-9,
            meaning="0 ln 0 = 0 in both divergences: where p_k = 0 the first has no such term, where q_k = 0 the "
            "second; all other terms count in full.",
        ),
        holds(
            "is at most sqrt(ln 2), and exactly that for disjoint supports",
            _largest,
            dtype=torch.float64,
            meaning="Disjoint supports are sqrt(ln 2) = 0.8326 apart, to all digits: no small number, no cut.",
        ),
        holds(
            "is a metric: symmetric, 0 for p = q, triangle inequality",
            _metric,
            dtype=torch.float64,
            meaning="Symmetric, because the middle treats p and q alike; the triangle inequality holds for the root "
            "and not without it.",
        ),
        holds(
            "is 0, never NaN, for two distributions that are equal up to rounding",
            _nearly_equal,
            dtype=torch.float64,
            meaning="Rounding leaves JS at -1e-17 for p close to q, and the root of that is NaN: clamp it at 0 first.",
        ),
    ),
    mistakes=(
        (
            "That is JS itself; its square root is asked for. Without the root the triangle inequality fails.",
            {".sqrt()": ""},
        ),
        (
            "One root too many. (SciPy's jensenshannon is the root already.) It still passes the triangle "
            "inequality; its values are wrong.",
            {".sqrt()": ".sqrt().sqrt()"},
        ),
        (
            "That is in bits, bounded by 1; in nats the bound is sqrt(ln 2).",
            {".sqrt()": ".div(math.log(2)).sqrt()"},
        ),
        (
            "A factor 1/2 is missing: JS is the mean of the two divergences from the middle.",
            {".sqrt()": ".mul(2).sqrt()"},
        ),
        (
            "One factor 1/2 too many: JS is the mean of the two divergences from the middle.",
            {".sqrt()": ".div(2).sqrt()"},
        ),
        (
            "That is one divergence from the middle; JS is the mean of two, p's and q's.",
            {HALVES: "kl_divergence(p, centre)"},
            risk.js_divergence,
        ),
        (
            "That compares p and q with each other (Jeffreys); Jensen and Shannon compare both with their middle "
            "c = (p + q)/2.",
            {HALVES: "(kl_divergence(p, q) + kl_divergence(q, p)) / 2"},
            risk.js_divergence,
        ),
        (
            "The middle c goes second: KL(p || c), not KL(c || p), which is infinite as soon as p has a zero.",
            {HALVES: "(kl_divergence(centre, p) + kl_divergence(centre, q)) / 2"},
            risk.js_divergence,
        ),
        (
            "Always 0: what is under the root came out negative. The middle is p + q without its 1/2, or a sign "
            "is flipped.",
            {HALVES: "(kl_divergence(p, centre) + kl_divergence(q, centre)) / 2 - math.log(2)"},
            risk.js_divergence,
        ),
        (
            "The mean comes first, then the root; the mean of two roots is smaller.",
            {
                ROOT: "(kl_divergence(p, (p + q) / 2).clamp(min=0).sqrt() + "
                "kl_divergence(q, (p + q) / 2).clamp(min=0).sqrt()) / 2"
            },
        ),
        (
            "0 ln 0 became NaN where p or q is 0; use a divergence that knows the convention.",
            {HALVES: "((p * (p / centre).log()).sum(-1) + (q * (q / centre).log()).sum(-1)) / 2"},
            risk.js_divergence,
        ),
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
