"""Noise levels beside a batch: what goes in is checked, and one number for each sample meets (N, ...) as it should."""

from collections.abc import Callable

import torch
from torch import Tensor

Denoiser = Callable[[Tensor, Tensor], Tensor]  # noise(x_t, t), t (N,), of x_t's shape


def level(name: str, alpha_bar: Tensor | float, *, one: bool = False) -> Tensor:
    """alpha_bar in float64, where it lives. Raises ValueError outside (0, 1), or (0, 1] if one, and for NaN."""
    a = torch.as_tensor(alpha_bar, dtype=torch.float64)
    if not ((a > 0) & (a <= 1 if one else a < 1)).all():
        allowed = "(0, 1]" if one else "(0, 1): at 1 there is no noise"
        raise ValueError(f"{name} must lie in {allowed}, got values from {float(a.min()):.4g} to {float(a.max()):.4g}")
    return a


def step_levels(alpha_bar_t: Tensor | float, alpha_bar_prev: Tensor | float) -> tuple[Tensor, Tensor]:
    """Both in float64. Raises ValueError unless 0 < alpha_bar_t < alpha_bar_prev <= 1."""
    a, prev = level("alpha_bar_t", alpha_bar_t), level("alpha_bar_prev", alpha_bar_prev, one=True)
    prev = prev.to(a.device)
    if not (a < prev).all():
        got = f"{alpha_bar_t} and {alpha_bar_prev}"
        raise ValueError(f"alpha_bar_t must be below alpha_bar_prev, got {got}; a step goes towards t = 0")
    return a, prev


def per_sample(value: Tensor, x: Tensor) -> Tensor:
    """value (N,) as (N, 1, ..., 1), of x's dtype and device, to meet x (N, ...); a single number stays one.

    Raises ValueError for another shape than () or (N,).
    """
    if value.ndim and value.shape != x.shape[:1]:
        raise ValueError(f"need one number, or one for each of the {len(x)} samples, got shape {tuple(value.shape)}")
    return value.to(x) if not value.ndim else value.to(x).reshape(-1, *[1] * (x.ndim - 1))


def same_shape(**tensors: Tensor | None) -> None:
    """Raise ValueError unless all that are there have one shape."""
    shapes = {name: tuple(x.shape) for name, x in tensors.items() if x is not None}
    if len(set(shapes.values())) > 1:
        raise ValueError("one shape expected, got " + ", ".join(f"{name} {shape}" for name, shape in shapes.items()))
