r"""Neural collapse: in the terminal phase of training features of a class become one point, the K points a simplex.

NC1 the variability within the classes, against that between them, goes to 0; NC2 the centred class means get equal
norms and pairwise cosines -1/(K - 1): the simplex equiangular tight frame (ETF); NC3 the classifier's rows point to
them; NC4 it decides for the nearest class mean. Papyan et al. 2020.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from helpers import checks
from helpers.faceid.features import alike, class_means, unit


def simplex_etf(K: int, d: int) -> Tensor:
    r"""K unit vectors in R^d with <e_j, e_k> = -1 / (K - 1), j != k: the largest angle that K directions can have.

    -> (K, d) in float64, the corners of a regular simplex around 0:  sqrt(K / (K - 1)) times the rows of I - 1/K, in
    coordinates of the hyperplane they span (Helmert's). Raises ValueError unless K >= 2, d >= K - 1.
    """
    checks.at_least("K", K, 2)
    checks.at_least("d", d, K - 1)
    k = torch.arange(1, K, dtype=torch.float64)
    corners = torch.ones(K, K - 1, dtype=torch.float64).triu() - torch.diag(k, -1)[:, :-1]
    corners = corners * math.sqrt(K / (K - 1)) / (k * (k + 1)).sqrt()
    return F.pad(corners, (0, d - K + 1))


def within_class_variability(features: Tensor, y: Tensor) -> Tensor:
    r"""NC1 = tr(Sigma_W Sigma_B^+) / K:
    Sigma_W = mean_i (x_i - mu_{y_i})(x_i - mu_{y_i})^T,  Sigma_B = mean_k (mu_k - mu)(mu_k - mu)^T,  mu = mean_k mu_k.

    ^+ is the pseudo-inverse: Sigma_B has rank K - 1 at most. features (N, d), y (N,), classes 0 ... K - 1, K >= 2 ->
    one number, computed in float64. With equal classes mu is the mean of all features. Papyan et al. 2020.
    """
    features = features.double()
    means = class_means(features, y)
    within = features - means[y]
    between = means - means.mean(0)
    sigma_w = within.T @ within / len(y)
    sigma_b = between.T @ between / len(means)
    return torch.trace(sigma_w @ torch.linalg.pinv(sigma_b, rtol=1e-10, hermitian=True)) / len(means)


def centred_means(features: Tensor, y: Tensor) -> Tensor:
    """mu_k - mu, mu the mean of the K class means. (K, d). Raises ValueError unless K >= 2 of them differ."""
    means = class_means(features, y)
    if (means == means[0]).all():
        raise ValueError(f"y must hold at least two classes with different means, got {len(means)} class means alike")
    return means - means.mean(0)


def equinorm(means: Tensor) -> Tensor:
    r"""NC2, norms: standard deviation of |mu_k - mu| over its mean. means: the centred class means (K, d)."""
    length = means.norm(dim=1)
    return length.std(correction=0) / length.mean()


def equiangle(means: Tensor) -> Tensor:
    r"""NC2, angles: mean over j != k of |cos(mu_j - mu, mu_k - mu) + 1 / (K - 1)|; 0 for the simplex ETF alone.

    means: the centred class means (K, d). Raises ValueError for a mean that is 0.
    """
    K = len(means)
    directions = unit(means)
    cos = (directions @ directions.T)[~torch.eye(K, dtype=torch.bool, device=means.device)]
    return (cos + 1 / (K - 1)).abs().mean()


def self_duality(means: Tensor, weights: Tensor) -> Tensor:
    r"""NC3: |W / |W|_F - M / |M|_F|_F^2 of weights W and centred class means M, both (K, d); in 0 ... 4."""
    alike("weights", weights, means)
    return (weights / weights.norm() - means / means.norm()).square().sum()


def nearest_mean_disagreement(features: Tensor, y: Tensor, logits: Tensor) -> Tensor:
    r"""NC4: the share of samples with argmax_k z_k != argmin_k |x - mu_k|. features (N, d), y (N,), logits (N, K)."""
    means = class_means(features, y)
    if logits.shape != (len(features), len(means)):
        raise ValueError(f"logits must be {(len(features), len(means))}, got {tuple(logits.shape)}")
    return (logits.argmax(1) != torch.cdist(features, means).argmin(1)).to(features.dtype).mean()


class Collapse(NamedTuple):
    """NC1 to NC4, each a number that goes to 0 as the features collapse."""

    variability: float
    equinorm: float
    equiangle: float
    self_duality: float
    disagreement: float


def neural_collapse(features: Tensor, y: Tensor, weights: Tensor, logits: Tensor) -> Collapse:
    """NC1 to NC4 of features (N, d), labels (N,), the classifier's weights (K, d) and its logits (N, K)."""
    means = centred_means(features, y)
    measured = (
        within_class_variability(features, y),
        equinorm(means),
        equiangle(means),
        self_duality(means, weights),
        nearest_mean_disagreement(features, y, logits),
    )
    return Collapse(*map(float, measured))
