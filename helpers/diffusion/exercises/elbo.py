"""Exercise 6.5 of Lecture 6: the divergence of two Gaussians."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.distributions import MultivariateNormal, kl_divergence

from helpers import diffusion
from helpers.diffusion.exercises.common import Function
from helpers.exercises import Draw, Exercise, agree, args, holds, require, same

SIZES = ((3,), (1,), (4, 2), (2, 2), (2, 3, 4))


def _covariance(draw: Draw, *size: int) -> Tensor:
    root = draw.normal(*size, size[-1])
    s = root @ root.mT / size[-1] + 0.3 * torch.eye(size[-1], dtype=draw.dtype, device=draw.device)
    return (s + s.mT) / 2


def _pair(draw: Draw) -> Any:
    size = draw.choice(SIZES)
    return args(draw.normal(*size), _covariance(draw, *size), draw.normal(*size), _covariance(draw, *size))


def _of_itself(f: Function, draw: Draw) -> None:
    size = draw.choice(SIZES)
    mean, cov = draw.normal(*size), _covariance(draw, *size)
    agree(f(mean, cov, mean, cov), torch.zeros_like(mean[..., 0]), atol=1e-4)
    other = draw.normal(*size), _covariance(draw, *size)
    require(f(mean, cov, *other) > -1e-4, expected="KL >= 0")


def _isotropic(f: Function, draw: Draw) -> None:
    """Two of the same variance: the squared distance of the means over twice the variance."""
    d, v = draw.choice([2, 1, 5]), draw.number(0.2, 3)
    mean_q, mean_p = draw.normal(4, d), draw.normal(4, d)
    cov = v * torch.eye(d, dtype=draw.dtype, device=draw.device).expand(4, d, d)
    agree(f(mean_q, cov, mean_p, cov), (mean_p - mean_q).square().sum(1) / (2 * v), rtol=1e-3, atol=1e-4)


def of_torch(mean_q: Tensor, cov_q: Tensor, mean_p: Tensor, cov_p: Tensor) -> Tensor:
    """The other way round."""
    return kl_divergence(MultivariateNormal(mean_p, cov_p), MultivariateNormal(mean_q, cov_q))


FORMULA = (
    "1/2 [tr(S_p^-1 S_q) + m^T S_p^-1 m - d + ln det S_p - ln det S_q] with m = mean_p - mean_q; sums run over the "
    "last axes only, one number for each pair."
)
SQUARE, LOGS = "(gap * (precision @ gap[..., None]).squeeze(-1)).sum(-1)", "torch.logdet(cov_p) - torch.logdet(cov_q)"
TOTAL = f"(trace + square - d + {LOGS}) / 2"

gaussian_kl_full = Exercise(
    "6.5",
    diffusion.gaussian_kl_full,
    checks=(
        same("is KL(q || p) in nats", _pair, times=10, meaning=FORMULA),
        holds("is 0 for q = p and never negative", _of_itself, times=10, meaning=FORMULA),
        holds("is |m|^2 / (2 v) for two of the variance v I", _isotropic, times=6, meaning=FORMULA),
    ),
    mistakes=(
        ("That is KL(p || q), the other way round: the precision is that of p, the second.", of_torch),
        ("Twice too large: the factor 1/2 is missing.", {TOTAL: TOTAL.removesuffix(" / 2")}),
        ("The d is missing: KL(q || q) would be d / 2.", {" - d +": " +"}),
        ("The logarithms of the determinants have the wrong sign.", {f"+ {LOGS}": f"- ({LOGS})"}),
        ("The logarithms of the determinants are missing.", {f" + {LOGS}": ""}),
        ("The means are missing: how far they are apart costs, too.", {"trace + square": "trace"}),
        ("The trace is missing: tr(S_p^-1 S_q).", {"trace + square": "square"}),
        ("The distance of the means is measured in p's precision: m^T S_p^-1 m.", {SQUARE: "gap.square().sum(-1)"}),
        ("S_p is not inverted: it is the precision that counts.", {"torch.linalg.inv(cov_p)": "cov_p"}),
        ("In bits; asked is in nats.", {TOTAL: TOTAL + " / math.log(2)"}),
        ("Determinants without their logarithms.", {LOGS: "torch.det(cov_p) - torch.det(cov_q)"}),
    ),
    hints=(
        "`torch.linalg.inv(cov_p)` is p's precision; `torch.logdet` takes batches, too.",
        "The trace of a product: `torch.einsum('...ij,...ji->...', precision, cov_q)`.",
        "`torch.einsum('...i,...ij,...j->...', gap, precision, gap)` is the distance of the means in p's precision.",
    ),
    why="E_q ln q - E_q ln p: the quadratic of q has the mean d, that of p the trace and the distance of the means. "
    "With both covariances v I only |m|^2 / (2 v) is left: so the bound becomes a squared error.",
    minutes=12,
)
