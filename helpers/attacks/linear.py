r"""Linear classifiers of two classes, and logistic regression that is exactly robust."""

import torch
from torch import Tensor, nn

from helpers.checks import at_least


class Linear(nn.Module):
    """f(x) = <w, x> + b as two logits, -f/2 for class 0 and f/2 for class 1. w (d,), b a scalar; x (N, d)."""

    def __init__(self, w: Tensor, b: Tensor) -> None:
        super().__init__()
        self.w, self.b = nn.Parameter(w.clone()), nn.Parameter(b.clone())

    def score(self, x: Tensor) -> Tensor:
        """f(x): (N, d) -> (N,), no gradient for w and b."""
        return x @ self.w.detach() + self.b.detach()

    def forward(self, x: Tensor) -> Tensor:
        """(N, d) -> logits (N, 2)."""
        half = (x @ self.w + self.b) / 2
        return torch.stack([-half, half], 1)


def robust_logistic_loss(w: Tensor, b: Tensor, x: Tensor, y: Tensor, eps: float) -> Tensor:
    r"""mean_n max_{||delta||_inf <= eps} ln(1 + exp(-s f(x + delta))) = mean_n ln(1 + exp(-(s f(x) - eps ||w||_1))),
    s = 2y - 1, f(x) = <w, x> + b: exact, and convex in (w, b). x (N, d), y (N,) in {0, 1} -> scalar.

    Kolter & Madry 2018, chapter 2. Raises ValueError for eps < 0.
    """
    at_least("eps", eps, 0)
    return nn.functional.softplus(eps * w.abs().sum() - (2 * y - 1) * (x @ w + b)).mean()


def fit_logistic(x: Tensor, y: Tensor, eps: float, *, steps: int = 200, rate: float = 0.02) -> Linear:
    """The linear model that `steps` of Adam on robust_logistic_loss find from 0: x (N, d), y (N,) in {0, 1}."""
    w, b = torch.zeros_like(x[0], requires_grad=True), x.new_zeros((), requires_grad=True)
    optimizer = torch.optim.Adam([w, b], rate)
    for _ in range(steps):
        optimizer.zero_grad()
        robust_logistic_loss(w, b, x, y, eps).backward()
        optimizer.step()
    return Linear(w.detach(), b.detach())
