"""Minimisers from SciPy, where a lecture needs the minimum and not the way to it."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor


def minimise(value: Callable[[Tensor], Tensor], w: Tensor) -> Tensor:
    """The weights, of w's shape, where a smooth function value(w) -> scalar is least: L-BFGS from w, by autograd."""
    from scipy.optimize import minimize

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        at = torch.as_tensor(flat).to(w).requires_grad_()
        found = value(at.reshape(w.shape))
        (gradient,) = torch.autograd.grad(found, at)
        return found.item(), gradient.cpu().numpy()

    found = minimize(objective, w.flatten().cpu().numpy(), jac=True, method="L-BFGS-B", tol=1e-13)
    return torch.as_tensor(found.x).to(w).reshape(w.shape)


def hard_margin(z: Tensor) -> Tensor:
    r"""arg min |w|^2 subject to M_i = w . z_i >= 1, by SciPy's SLSQP; z_i = y_i x_i (m, d) -> (d,).

    Raises ValueError if no w has all margins positive: the sample cannot be separated.
    """
    from scipy.optimize import minimize

    points = z.double().cpu().numpy()
    margins = {"type": "ineq", "fun": lambda w: points @ w - 1}
    found = minimize(lambda w: w @ w, points.sum(0), constraints=margins, tol=1e-12)
    if not found.success:
        raise ValueError(f"z must hold margins that some w makes positive, got {tuple(z.shape)}: {found.message}")
    return torch.as_tensor(found.x).to(z)
