"""When two tensors of one shape agree, entry by entry."""

from __future__ import annotations

import torch
from torch import Tensor

RTOL = {torch.float64: 1e-7, torch.complex128: 1e-7, torch.float16: 1e-2, torch.bfloat16: 3e-2}  # others: 1e-4
ATOL = {torch.float64: 1e-10, torch.complex128: 1e-10, torch.float16: 1e-3, torch.bfloat16: 1e-2}  # others: 1e-6


def tolerances(dtype: torch.dtype, rtol: float | None, atol: float | None) -> tuple[float, float]:
    """The relative and the absolute tolerance: as given, else those of the dtype."""
    return RTOL.get(dtype, 1e-4) if rtol is None else rtol, ATOL.get(dtype, 1e-6) if atol is None else atol


def agreeing(a: Tensor, b: Tensor, rtol: float | None = None, atol: float | None = None) -> Tensor:
    """Where |a - b| <= atol + rtol (|b| + max |b| / 10), both are NaN, or equal; whole numbers agree when equal."""
    if not (b.is_floating_point() or b.is_complex()):
        return a == b
    wide = torch.complex128 if a.is_complex() or b.is_complex() else torch.float64
    x, y = a.to(wide), b.to(wide)
    rtol, atol = tolerances(b.dtype, rtol, atol)
    size = y.abs().nan_to_num(0, 0, 0)
    tolerance = atol + rtol * (size + 0.1 * (size.max() if size.numel() else 0))
    return (x == y) | (x.isnan() & y.isnan()) | ((x - y).abs() <= tolerance) & y.isfinite()


def close(a: Tensor, b: Tensor, rtol: float | None = None, atol: float | None = None) -> bool:
    """Whether all entries agree, in their order, whatever the shapes and the devices."""
    if a.numel() != b.numel():
        return False
    try:
        return bool(agreeing(a.to(b.device).reshape(b.shape), b, rtol, atol).all())
    except (RuntimeError, NotImplementedError):  # inside vmap: only the kind can be compared
        return False
