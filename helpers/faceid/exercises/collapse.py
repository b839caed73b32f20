"""Exercises 2.8 and 2.9 of Lecture 2: the simplex equiangular tight frame, and (find the flaw) NC1."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from helpers.exercises import Draw, Exercise, agree, args, holds, raises, require, same
from helpers.faceid import bounds, collapse

Function = Callable[..., Any]
SIZES = ((3, 2), (2, 1), (4, 4), (10, 9), (5, 8), (2, 4), (12, 30))


def _gram(f: Function, draw: Draw) -> None:
    K, d = draw.choice(SIZES)
    corners = f(K, d)
    off = ~torch.eye(K, dtype=torch.bool, device=corners.device)
    cos = corners @ corners.T
    due = torch.full_like(cos[off], -1 / (K - 1))
    agree(cos.diagonal(), torch.ones_like(cos[0]), atol=1e-9, meaning="Each row has the norm 1.")
    agree(cos[off], due, atol=1e-9, meaning="Each two rows have the inner product -1 / (K - 1).")


def _balanced(f: Function, draw: Draw) -> None:
    K, d = draw.choice(SIZES)
    agree(f(K, d).sum(0), torch.zeros(d, dtype=torch.float64), rtol=0, atol=1e-6)


def _floor(f: Function, draw: Draw) -> None:
    K, d = draw.choice(SIZES)
    corners, s = f(K, d), draw.number(0.5, 3)
    loss = -(s * corners @ corners.T).log_softmax(1).diagonal().mean()
    agree(loss, bounds.normalised_softmax_bound(loss.new_tensor(s), K), rtol=1e-6, atol=1e-8)


def without_scale(K: int, d: int) -> Tensor:
    """The centred basis, of norm sqrt((K - 1) / K), without a word about d."""
    corners = torch.eye(K, dtype=torch.float64) - 1 / K
    return torch.nn.functional.pad(corners, (0, d - K))


def on_a_circle(K: int, d: int) -> Tensor:
    """Evenly in a plane."""
    return torch.nn.functional.pad(bounds.circle(K), (0, d - 2))


CORNERS = "K corners around 0: the basis vectors minus their mean, 1 / K, stretched to norm 1."
GUARD = 'checks.at_least("d", d, K - 1)'
STRETCH = "corners * math.sqrt(K / (K - 1)) / (k * (k + 1)).sqrt()"
PAD = "F.pad(corners, (0, d - K + 1))"

simplex_etf = Exercise(
    "2.8",
    collapse.simplex_etf,
    checks=(
        holds("has unit rows, each two at -1 / (K - 1)", _gram, times=7, meaning=CORNERS),
        holds("has the mean 0", _balanced, times=7, meaning=CORNERS),
        holds("reaches the floor of the normalised soft-max loss", _floor, times=7, meaning=CORNERS),
        raises(
            "refuses d < K - 1",
            lambda draw: args(*draw.choice([(4, 2), (10, 8), (3, 1), (12, 5)])),
            meaning="K corners span K - 1 dimensions: with fewer there is no such figure; raise a ValueError.",
        ),
    ),
    mistakes=(
        ("The rows are shorter than 1: sqrt(K / (K - 1)) stretches them.", {" * math.sqrt(K / (K - 1))": ""}),
        ("The factor is upside down: sqrt(K / (K - 1)), more than 1.", {"K / (K - 1)": "(K - 1) / K"}),
        ("Without the root: the norm is stretched by sqrt(K / (K - 1)).", {"math.sqrt(K / (K - 1))": "(K / (K - 1))"}),
        (
            "K orthonormal rows have the cosines 0; the mean must be subtracted from them first.",
            {PAD: "torch.eye(K, max(K, d), dtype=torch.float64)[:, :d]"},
        ),
        ("That is the transpose: a row for each class.", {"return " + PAD: "return " + PAD + ".T"}),
        (
            "K directions in one plane: the more classes, the nearer the neighbours. It takes K - 1 dimensions.",
            on_a_circle,
        ),
        ("With fewer than K - 1 dimensions there is no simplex: raise a ValueError.", {GUARD: "d = max(d, K - 1)"}),
        ("d = K - 1 is enough: the centred vectors lie in a hyperplane.", {GUARD: 'checks.at_least("d", d, K)'}),
        ("These have K coordinates: d = K - 1 is asked for too; and the norm is not 1.", without_scale),
    ),
    hints=(
        "Start from `torch.eye(K, dtype=torch.float64) - 1 / K`: K points with equal norms and equal angles.",
        "They lie in a hyperplane. Any orthonormal basis of it gives K - 1 coordinates: from `torch.linalg.svd`, "
        "`torch.linalg.qr` or `torch.linalg.eigh`, those with positive singular values or eigenvalues.",
        "Divide by the norms, and fill up with columns of zeros: `F.pad(corners, (0, d - K + 1))`.",
    ),
    why="K unit vectors satisfy 0 <= |sum|^2 = K + sum of the inner products, so their mean over pairs is at least "
    "-1 / (K - 1): all equal to it, they are as far apart as directions can be. The reference uses Helmert's basis of "
    "the hyperplane; any rotation of it is as good.",
    minutes=15,
)


def _classes(draw: Draw, offset: float) -> tuple[Tensor, Tensor]:
    """K classes of n samples each in R^d, shuffled: with more and with fewer dimensions than K - 1."""
    K, n, d = draw.choice([(4, 5, 6), (3, 4, 2), (2, 6, 3), (5, 3, 3)])
    y = torch.arange(K, device=draw.device).repeat(n)[draw.uniform(K * n).argsort()]
    return offset + draw.normal(K, d)[y] + draw.number(0.1, 0.5) * draw.normal(K * n, d), y


def _moved(f: Function, draw: Draw) -> None:
    x, y = _classes(draw, 0.0)
    before, shift = f(x, y), draw.normal(x.shape[1], std=3.0)
    after = f(x + shift, y)
    require(
        torch.isclose(after, before, rtol=1e-3),
        expected=f"{before:.6g}, as before the same vector was added to all features",
        got=f"{after:.6g}",
    )


def _stretched(f: Function, draw: Draw) -> None:
    x, y = _classes(draw, 1.0)
    q, _ = torch.linalg.qr(draw.normal(x.shape[1], x.shape[1]))
    agree(f(3 * x @ q, y), f(x, y), rtol=1e-3)


def _collapsed(f: Function, draw: Draw) -> None:
    x, y = _classes(draw, 2.0)
    means = torch.stack([x[y == k].mean(0) for k in range(int(y.max()) + 1)])
    agree(f(means[y], y), torch.zeros((), dtype=torch.float64, device=x.device), atol=1e-8)
    half = means[y] + 0.5 * (x - means[y])
    agree(f(half, y), f(x, y) / 4, rtol=1e-3, meaning="Half the spread within the classes is a quarter of Sigma_W.")


CENTRED = "The flaw is where the class means are seen from: Sigma_B measures their spread around their own mean."
BETWEEN, PINV = "means - means.mean(0)", "torch.linalg.pinv(sigma_b, rtol=1e-10, hermitian=True)"

within_class_variability = Exercise(
    "2.9",
    collapse.within_class_variability,
    checks=(
        holds("is the same when one vector is added to all features", _moved, times=4, meaning=CENTRED),
        same(
            "is tr(Sigma_W Sigma_B^+) / K",
            lambda draw: _classes(draw, draw.choice([0.0, 1000.0, 2.0])),
            times=8,
            meaning=CENTRED,
        ),
        holds("is the same when all are turned and stretched", _stretched, times=4, meaning=CENTRED),
        holds("is 0 where the classes are points", _collapsed, times=4, meaning="Sigma_W is 0 there."),
    ),
    mistakes=(
        (
            "That is the flaw itself: the class means are measured from 0, and a shift of all features makes it small.",
            {BETWEEN: "means"},
        ),
        (
            "Within a class the features are seen from their own class mean; the mean of all belongs into Sigma_B.",
            {"features - means[y]": "features - features.mean(0)"},
        ),
        (
            "The division by K is missing.",
            {".trace(sigma_w @ " + PINV + ") / len(means)": ".trace(sigma_w @ " + PINV + ")"},
        ),
        ("Sigma_B is the mean over the classes: divide by K.", {"between / len(means)": "between"}),
        ("Sigma_W is the mean over the samples: divide by N.", {"within / len(y)": "within"}),
        ("Sigma_W is divided by N, not by N - K.", {"within / len(y)": "within / (len(y) - len(means))"}),
        ("Sigma_B is divided by K, not by K - 1.", {"between / len(means)": "between / (len(means) - 1)"}),
        (
            "Upside down: the spread within over that between.",
            {"sigma_w @ " + PINV: PINV.replace("sigma_b", "sigma_w") + " @ sigma_b"},
        ),
        (
            "The ratio of two traces is another measure: Sigma_B^+ weighs each direction by the spread between.",
            {"torch.trace(sigma_w @ " + PINV + ")": "torch.trace(sigma_w) / torch.trace(sigma_b)"},
        ),
        (
            "Sigma_B has rank K - 1 at most: its inverse is made of rounding errors; it takes the pseudo-inverse.",
            {PINV: "torch.linalg.inv(sigma_b + 1e-12 * torch.eye(len(sigma_b), device=y.device))"},
        ),
    ),
    hints=(
        "Add 10 to all features and look at sigma_w and at sigma_b: one of them should not have changed.",
        "Seen from far away all classes stand in the same direction: the means are measured from the wrong point.",
        "Sigma_B is the covariance of the class means around their mean, `means.mean(0)`.",
    ),
    why="Features after a ReLU are positive, and their mean is far from 0: the uncentred means look wide apart when "
    "they are not, and NC1 looks small before anything has collapsed. Papyan et al. centre by the global mean.",
)
