"""Lipschitz bounds of networks and the radii that follow from them."""

import itertools
import math
from collections.abc import Iterator, Sequence

import torch
from torch import Generator, Tensor, nn

from helpers import checks
from helpers.attacks.threat import Model, jacobian


def lipschitz_upper_bound(weights: Sequence[Tensor]) -> float:
    r"""prod_l ||W_l||_2 >= L,  ||f(x) - f(x')||_2 <= L ||x - x'||_2 for the net f(x) = W_k relu(... relu(W_1 x)) with
    any biases; ||W||_2 is the largest singular value.

    weights: matrices (n_l, n_{l-1}), the first layer first. ReLU is 1-Lipschitz, and so is max-pooling over windows
    that do not overlap (else it may stretch by the root of the number of windows that share an entry). Raises
    ValueError for no weights or for shapes that do not chain. Szegedy et al. 2013, section 4.3.
    """
    return math.prod(float(torch.linalg.matrix_norm(w, 2)) for w in _chain(weights))


def margin_radius(logits: Tensor, y: Tensor, lipschitz: float, *, per_logit: bool = False) -> Tensor:
    r"""r = max(M, 0) / (sqrt(2) L),  M = z_y - max_{k != y} z_k, L the constant of the whole map x -> z;
    per_logit: r = max(M, 0) / (2 L), L the constant of every single logit.

    Within ||delta||_2 < r the prediction stays y, if L is a global constant; with one of a ball of radius R about x
    within min(r, R). (N, K), (N,) -> (N,). Raises ValueError for lipschitz <= 0, for other
    shapes, and for logits that are NaN or infinite. Tsuzuku et al. 2018, proposition 1; Hein & Andriushchenko 2017.
    """
    checks.positive("lipschitz", lipschitz)
    check_scores(logits, y)
    own = logits.gather(1, y[:, None])[:, 0]
    others = logits.scatter(1, y[:, None], -math.inf).amax(1)
    return (own - others).clamp(min=0) / ((2 if per_logit else math.sqrt(2)) * lipschitz)


def operator_norm(
    layer: nn.Module, shape: tuple[int, ...], *, steps: int = 100, generator: Generator | None = None
) -> float:
    r"""||A||_2 = max ||A v|| / ||v|| of the affine layer x -> A x + b, x of `shape`, by power iteration on A^T A:
    u = A v / ||A v||,  v = A^T u / ||A^T u||;  A^T u is a vector-Jacobian product, so a convolution works as well.

    Approaches the norm from below, so it certifies nothing: convolution_norm bounds from above. Raises ValueError for
    steps < 1. Golub & Van Loan 2013, section 8.2; for convolutions Farnia et al. 2018.
    """
    checks.whole("steps", steps)
    weight = next(layer.parameters())
    v = torch.randn((1, *shape), generator=generator, device=weight.device, dtype=weight.dtype)
    with torch.enable_grad():
        zero = torch.zeros_like(v).requires_grad_(True)
        out = layer(zero)
        for _ in range(steps):
            v = v / v.norm()
            u = layer(v).detach() - out.detach()
            size = float(u.norm())
            if size == 0:
                return 0.0
            (v,) = torch.autograd.grad(out, zero, u / size, retain_graph=True)
    return max(size, float(v.norm()))


def convolution_norm(layer: nn.Conv2d, shape: tuple[int, ...]) -> float:
    r"""An upper bound of ||A||_2 of a convolution on inputs of `shape` (C, H, W), near the norm from above:
    max over frequencies of || FFT of the kernel ||_2  on a torus on which nothing wraps around.

    With zeros around the image A is that circular convolution between an embedding and a restriction, of norm 1 both.
    A stride s is a convolution of stride 1 of the s^2 interleaved images (pixel_unshuffle). Raises ValueError for
    unequal strides and other padding than zeros. Sedghi et al. 2019 for the torus.
    """
    stride, padding = layer.stride[0], layer.padding
    if layer.stride != (stride, stride) or isinstance(padding, str) or layer.padding_mode != "zeros":
        raise ValueError(f"need one stride, and padding with a number of zeros, got {layer}")
    kernel = _dense_kernel(layer).double()
    rest = [-size % stride for size in kernel.shape[2:]]
    kernel = nn.functional.pixel_unshuffle(nn.functional.pad(kernel, (0, rest[1], 0, rest[0])), stride)
    sides = zip(shape[1:], padding, kernel.shape[2:], strict=True)
    torus = [-(-(n + 2 * pad) // stride) + k - 1 for n, pad, k in sides]
    waves = torch.fft.fft2(kernel, s=torus).permute(2, 3, 0, 1)
    return float(torch.linalg.matrix_norm(waves, 2).max())


def _dense_kernel(layer: nn.Conv2d) -> Tensor:
    """The kernel (out, in, k, k) written out: zeros between its entries for dilation, and between groups."""
    weight, (down, right), groups = layer.weight.detach(), layer.dilation, layer.groups
    size = [d * (k - 1) + 1 for d, k in zip(layer.dilation, weight.shape[2:], strict=True)]
    dense = weight.new_zeros(groups, len(weight) // groups, groups, weight.shape[1], *size)
    for group, part in enumerate(weight.chunk(groups)):
        dense[group, :, group, :, ::down, ::right] = part
    return dense.flatten(2, 3).flatten(0, 1)


def network_lipschitz(model: nn.Sequential, shape: tuple[int, ...]) -> list[float]:
    r"""An upper bound of ||A_l||_2 of every layer that has weights, for inputs of `shape`; their product bounds
    ||f(x) - f(x')|| / ||x - x'||, as ReLU and Flatten raise no distance.

    Linear layers by singular values, convolutions by convolution_norm. Raises ValueError for other layers. Szegedy et
    al. 2013, section 4.3.
    """
    norms, shape = list[float](), tuple(shape)
    for layer in _layers(model):
        if isinstance(layer, nn.Linear):
            norms.append(float(torch.linalg.matrix_norm(layer.weight.detach().double(), 2)))
        elif isinstance(layer, nn.Conv2d):
            norms.append(convolution_norm(layer, shape))
        weight = next(model.parameters())
        shape = tuple(layer(weight.new_zeros((1, *shape))).shape[1:])
    return norms


def local_lipschitz(model: Model, x: Tensor) -> Tensor:
    r"""||J(x)||_2, J = df / dx (K, d): the Lipschitz constant of f cannot be smaller than the largest of them.

    x (N, ...) -> (N,). A certificate needs a bound over a whole ball, as in Huang et al. 2021; this is one point.
    """
    _, j = jacobian(model, x)
    return torch.linalg.matrix_norm(j.flatten(2), 2)


def check_scores(logits: Tensor, y: Tensor) -> None:
    """Raise ValueError unless logits (N, K), K >= 2, are finite and y (N,) holds whole numbers in 0 ... K - 1."""
    if logits.ndim != 2 or logits.shape[1] < 2 or y.shape != logits.shape[:1] or y.is_floating_point():
        raise ValueError(
            f"need logits (N, K), K >= 2, and whole numbers y (N,), got {tuple(logits.shape)} and {tuple(y.shape)} "
            f"of {y.dtype}"
        )
    if not logits.isfinite().all():
        raise ValueError(f"logits must be finite, got {int((~logits.isfinite()).sum())} NaN or infinite entries")
    check_labels(y, logits.shape[1])


def check_labels(y: Tensor, classes: int) -> None:
    """Raise ValueError unless every label lies in 0 ... classes - 1."""
    if ((y < 0) | (y >= classes)).any():
        raise ValueError(f"y must lie in 0 ... {classes - 1}, got from {int(y.min())} to {int(y.max())}")


def _chain(weights: Sequence[Tensor]) -> list[Tensor]:
    """The matrices, as a list. Raises ValueError for none, for other shapes, for shapes that do not chain, for NaN."""
    weights = list(weights)
    if not weights or any(w.ndim != 2 for w in weights):
        raise ValueError(f"weights must be one or more matrices, got shapes {[tuple(w.shape) for w in weights]}")
    for first, second in itertools.pairwise(weights):
        if second.shape[1] != first.shape[0]:
            raise ValueError(f"weights must chain, got {tuple(second.shape)} after {tuple(first.shape)}")
    for k, w in enumerate(weights):
        if not w.isfinite().all():
            raise ValueError(f"weights must be finite, got {int((~w.isfinite()).sum())} NaN or infinite in matrix {k}")
    return weights


def _layers(model: nn.Sequential) -> Iterator[nn.Module]:
    """The layers in order. Raises ValueError for one whose bounds are not known."""
    for layer in model:
        if not isinstance(layer, (nn.Flatten, nn.Linear, nn.Conv2d, nn.ReLU)):
            raise ValueError(f"the layers must be Flatten, Linear, Conv2d or ReLU, got {type(layer).__name__}")
        yield layer
