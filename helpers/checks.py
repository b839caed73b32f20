"""What goes in: the checks that lectures share. Each raises ValueError with the name, the value and what is allowed."""

import math
import numbers

from torch import Generator, Tensor, as_tensor, float64


def at_least(name: str, value: float, low: float) -> None:
    """Raise ValueError unless value >= low."""
    if not value >= low:
        raise ValueError(f"{name} must be at least {low:g}, got {value}")


def positive(name: str, value: float) -> None:
    """Raise ValueError unless 0 < value < inf."""
    if not 0 < value < math.inf:
        raise ValueError(f"{name} must be a positive number, got {value}")


def whole(name: str, value: int) -> None:
    """Raise ValueError unless value is an integer >= 1."""
    if not (isinstance(value, numbers.Integral) and not isinstance(value, bool) and value >= 1):
        raise ValueError(f"{name} must be an integer of at least 1, got {value!r}")


def level(alpha: float) -> None:
    """Raise ValueError unless 0 < alpha < 1."""
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie in (0, 1), got {alpha}; 0.001 is usual")


def probability(name: str, p: Tensor | float) -> Tensor:
    """p in float64. Raises ValueError outside [0, 1] and for NaN."""
    p = as_tensor(p, dtype=float64)
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError(f"{name} must lie in [0, 1], got values from {float(p.min()):.4g} to {float(p.max()):.4g}")
    return p


def counts(name: str, value: Tensor, n: int | None) -> Tensor:
    """value, unchanged. Raises ValueError unless it holds whole numbers in 0 ... n; n None: of shape (N, K), K >= 2."""
    if n is not None:
        whole("n", n)
    if value.is_floating_point() or value.numel() == 0 or (n is None and (value.ndim != 2 or value.shape[1] < 2)):
        wanted = "whole numbers" if n is not None else "whole numbers (N, K), K >= 2"
        raise ValueError(f"{name} must be {wanted}, got {tuple(value.shape)} of {value.dtype}")
    high = value.max() if n is None else n
    if value.min() < 0 or value.max() > high:
        raise ValueError(f"{name} must lie in 0 ... {int(high)}, got from {int(value.min())} to {int(value.max())}")
    return value


def drawn_on(generator: Generator | None, x: Tensor) -> None:
    """Raise ValueError unless the generator, if any, lives on the device of x."""
    if generator is not None and generator.device.type != x.device.type:
        raise ValueError(
            f"generator must live where x does, {x.device}, got {generator.device}; "
            f"runtime.generator(0, x.device) makes one"
        )
