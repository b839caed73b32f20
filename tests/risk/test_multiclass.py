"""Soft-max and the multi-class loss against torch."""

import math

import torch
from torch.nn import functional as F

from helpers import risk
from tests.risk.common import close, normal


def test_softmax_is_torchs_far_out(g: torch.Generator) -> None:
    z = 1e4 * normal(g, 3, 4, 5) * torch.tensor([0.0, 1e-4, 1.0], dtype=torch.float64)[:, None, None]
    assert close(risk.softmax(z), F.softmax(z, -1))
    assert close(risk.softmax(torch.tensor([1000.0, 1000.0, -1e4])), [0.5, 0.5, 0.0])


def test_multiclass_logistic_loss_is_torchs(g: torch.Generator) -> None:
    z, y = 1e3 * normal(g, 7, 4), torch.randint(4, (7,), generator=g)
    assert close(risk.multiclass_logistic_loss(z, y), F.cross_entropy(z, y, reduction="none"))
    assert close(risk.multiclass_logistic_loss(torch.zeros(1, 10), torch.tensor([3])), [math.log(10)], rtol=1e-6)


def test_softmax_gradient_is_autograds(g: torch.Generator) -> None:
    w, x, y = normal(g, 4, 3).requires_grad_(), normal(g, 7, 3), torch.tensor([0, 1, 1, 2, 0, 2, 1])  # no 3 among them
    (F.cross_entropy(x @ w.T, y) + 0.3 / 2 * w.square().sum()).backward()
    assert w.grad is not None and close(risk.softmax_gradient(w.detach(), x, y, tau=0.3), w.grad)
    assert close(risk.softmax_gradient(w.detach(), x, y), w.grad - 0.3 * w.detach())
