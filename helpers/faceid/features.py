"""Features and labels: what goes into every loss of the lecture, and the refusals that all share."""

import torch
from torch import Tensor


def unit(features: Tensor) -> Tensor:
    r"""x / |x|_2, row by row.  (N, d) -> (N, d) on the sphere S^{d-1}.

    On it distance and angle are one:  |u - v|^2 = 2 - 2 cos(u, v). Raises ValueError for a row of norm 0, inf or NaN.
    """
    length = torch.linalg.vector_norm(features, dim=-1, keepdim=True)
    good = (length > 0) & length.isfinite()
    if not good.all():
        row = int((~good).flatten().to(torch.uint8).argmax())
        raise ValueError(f"every row needs a positive, finite norm to have a direction, got {length.flatten()[row]:g}")
    return features / length


def check_batch(features: Tensor, y: Tensor, classes: int | None = None) -> None:
    """Raise ValueError unless features are (N, d) of a floating dtype and y (N,) whole numbers in 0 ... classes - 1.

    classes None: any y >= 0.
    """
    if features.ndim != 2 or not features.is_floating_point() or len(features) == 0:
        raise ValueError(f"features must be floating (N, d), N >= 1, got {tuple(features.shape)} of {features.dtype}")
    if y.shape != features.shape[:1] or y.is_floating_point() or y.dtype == torch.bool:
        raise ValueError(f"y must hold {len(features)} whole numbers, got {tuple(y.shape)} of {y.dtype}")
    low, high = (int(v) for v in torch.aminmax(y))
    if low < 0 or (classes is not None and high >= classes):
        raise ValueError(f"y must lie in 0 ... {'K - 1' if classes is None else classes - 1}, got {low} to {high}")


def check_two_classes(features: Tensor, y: Tensor) -> None:
    """Raise ValueError unless they are a batch (see check_batch) of two classes at least."""
    check_batch(features, y)
    if (y == y[0]).all():
        raise ValueError(f"y must hold at least two classes, got only class {int(y[0])}: nothing to push apart")


def alike(name: str, tensor: Tensor, other: Tensor) -> None:
    """Raise ValueError unless the two have one shape: nothing is broadcast."""
    if tensor.shape != other.shape:
        raise ValueError(f"{name} must have the shape {tuple(other.shape)}, got {tuple(tensor.shape)}")


def class_means(features: Tensor, y: Tensor) -> Tensor:
    r"""mu_k = mean of {x_i : y_i = k},  k = 0 ... K - 1, K = max y + 1.  (N, d), (N,) -> (K, d).

    Raises ValueError where a class below K has no sample.
    """
    check_batch(features, y)
    sizes = y.bincount()
    if not (sizes > 0).all():
        raise ValueError(f"every class 0 ... {len(sizes) - 1} needs a sample, class {int(sizes.argmin())} has none")
    sums = features.new_zeros(len(sizes), features.shape[1]).index_add(0, y, features)
    return sums / sizes[:, None]
