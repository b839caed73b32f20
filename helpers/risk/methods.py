"""Gradient methods of lecture 1: the whole path of gradient descent with momentum, L-BFGS, the order of the batches."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor


def sgd_step(
    w: Tensor, gradient: Tensor, velocity: Tensor, *, eta: float, beta: float = 0.0, tau: float = 0.0
) -> tuple[Tensor, Tensor]:
    r"""v <- beta v + (gradient + tau w);  w <- w - eta v.

    With beta = 0 this is w <- (1 - tau eta) w - eta gradient: weight decay. All tensors of one shape -> (w, v).
    Raises ValueError unless eta > 0, 0 <= beta < 1, tau >= 0 and the shapes agree. Source: Polyak 1964.
    """
    if not (eta > 0 and 0 <= beta < 1 and tau >= 0):
        raise ValueError(f"need eta > 0, 0 <= beta < 1 and tau >= 0, got {eta=}, {beta=}, {tau=}")
    if not w.shape == gradient.shape == velocity.shape:
        shapes = [tuple(t.shape) for t in (w, gradient, velocity)]
        raise ValueError(f"w, gradient and velocity must have one shape, got {shapes}")
    velocity = beta * velocity + gradient + tau * w
    return w - eta * velocity, velocity


def next_batch(margin: Tensor, k: int, order: str, *, generator: torch.Generator | None = None) -> Tensor:
    """Indices (k,) of the next batch: "shuffled" at random, "hardest" smallest margin, "uncertain" smallest |margin|.

    margin (m,) of all objects under the current weights. Raises ValueError for another order or unless 1 <= k <= m.
    """
    if not 1 <= k <= len(margin):
        raise ValueError(f"k must lie between 1 and the number of objects {len(margin)}, got {k}")
    if order == "shuffled":
        return torch.randperm(len(margin), generator=generator, device=margin.device)[:k]
    if order not in ("hardest", "uncertain"):
        raise ValueError(f'order must be "shuffled", "hardest" or "uncertain", got {order!r}')
    return (margin if order == "hardest" else margin.abs()).topk(k, largest=False).indices


def gradient_descent(
    gradient: Callable[[Tensor], Tensor], w: Tensor, *, eta: float | Tensor, beta: float | Tensor = 0.0, steps: int
) -> Tensor:
    r"""w_{t+1} = w_t - eta gradient(w_t) + beta (w_t - w_{t-1}),  w_{-1} = w_0: gradient descent with momentum.

    gradient maps (..., d) to (..., d); eta and beta broadcast against w -> trajectory (steps + 1, ..., d).
    Raises ValueError if steps < 0. Source: Polyak 1964.
    """
    if steps < 0:
        raise ValueError(f"steps must be >= 0, got {steps}")
    path = [w, w]
    for _ in range(steps):
        path.append(path[-1] - eta * gradient(path[-1]) + beta * (path[-1] - path[-2]))
    return torch.stack(path[1:])


def lbfgs(value_and_gradient: Callable[[Tensor], tuple[Tensor, Tensor]], w: Tensor, *, iterations: int) -> Tensor:
    """Minimise a smooth function from w by SciPy's L-BFGS (memory 20) until nothing changes in double precision.

    value_and_gradient(w) -> scalar and gradient of w's shape -> the path (iterations done, *w.shape), the best last.
    """
    from scipy.optimize import minimize  # here, since it costs a fifth of what torch costs to import

    path: list[Tensor] = []

    def unpack(flat: np.ndarray) -> Tensor:
        return torch.as_tensor(flat).to(w).reshape(w.shape)

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = value_and_gradient(unpack(flat))
        return value.item(), gradient.double().cpu().numpy().ravel()

    options = {"maxiter": iterations, "maxfun": 2 * iterations, "maxcor": 20, "ftol": 1e-13, "gtol": 1e-7}
    keep = lambda flat: path.append(unpack(flat.copy()))  # noqa: E731
    minimize(objective, w.double().cpu().numpy().ravel(), jac=True, method="L-BFGS-B", callback=keep, options=options)
    return torch.stack(path)
