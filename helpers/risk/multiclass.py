"""Soft-max and the multi-class logistic loss."""

import torch
from torch import Tensor
from torch.nn import functional as F


def softmax(z: Tensor) -> Tensor:
    r"""p_k = exp(z_k) / sum_j exp(z_j) over the last dimension, exact for every finite z (the maximum is taken out)."""
    e = torch.exp(z - z.amax(-1, keepdim=True))
    return e / e.sum(-1, keepdim=True)


def multiclass_logistic_loss(z: Tensor, y: Tensor) -> Tensor:
    r"""L(z, y) = ln sum_j exp(z_j) - z_y = -ln softmax(z)_y. z (N, K), y (N,) of int64 in 0 .. K-1 -> (N,).

    Raises ValueError if the shapes or the type of y are others.
    """
    if z.ndim != 2 or y.shape != z.shape[:1] or y.dtype != torch.int64:
        raise ValueError(f"z must be (N, K), y (N,) of int64, got {tuple(z.shape)}, {tuple(y.shape)} of {y.dtype}")
    return torch.logsumexp(z, -1) - z.gather(1, y[:, None])[:, 0]


def softmax_gradient(w: Tensor, x: Tensor, y: Tensor, tau: float = 0.0) -> Tensor:
    r"""(1/k) (softmax(x w') - Y)' x + tau w, Y the one-hot labels: the gradient of the penalised multi-class risk.

    The scores are z = x w', the penalty tau |w|^2 / 2. w (K, d), x (k, d), y (k,) in 0 .. K-1 -> (K, d).
    Raises ValueError if the shapes disagree.
    """
    if y.shape != x.shape[:1] or w.shape[1:] != x.shape[1:]:
        raise ValueError(f"need w (K, d), x (k, d), y (k,), got {tuple(w.shape)}, {tuple(x.shape)}, {tuple(y.shape)}")
    return (softmax(x @ w.T) - F.one_hot(y, len(w))).T @ x / len(x) + tau * w
