"""Minimisers from SciPy, where a lecture needs the minimum and not the way to it."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor


def minimise(value: Callable[[Tensor], Tensor], w: Tensor) -> Tensor:
    """The weights, of w's shape, where a smooth function value(w) -> scalar is least: L-BFGS from w, by autograd."""
    from scipy.optimize import minimize

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        at = torch.as_tensor(flat).to(w).reshape(w.shape).requires_grad_()
        found = value(at)
        (gradient,) = torch.autograd.grad(found, at)
        return found.item(), gradient.double().cpu().numpy().ravel()

    options = {"maxiter": 1000, "ftol": 1e-13, "gtol": 1e-7}
    found = minimize(objective, w.double().cpu().numpy().ravel(), jac=True, method="L-BFGS-B", options=options)
    return torch.as_tensor(found.x).to(w).reshape(w.shape)


def hard_margin(z: Tensor) -> Tensor:
    r"""arg min |w|^2 subject to M_i = w . z_i >= 1, by SciPy's SLSQP; z_i = y_i x_i (m, d) -> (d,).

    Raises ValueError if no w has all margins positive: the sample cannot be separated.
    """
    from scipy.optimize import minimize

    points = z.double().cpu().numpy()
    margins = {"type": "ineq", "fun": lambda w: points @ w - 1, "jac": lambda w: points}
    found = minimize(lambda w: w @ w / 2, points.sum(0), jac=lambda w: w, constraints=margins, method="SLSQP")
    if not found.success:
        raise ValueError(f"z must hold margins that some w makes positive, got {tuple(z.shape)}: {found.message}")
    return torch.as_tensor(found.x).to(z)
