r"""How far a network can move: Lipschitz constants from above and below, and interval bounds with training on them.

Networks are nn.Sequential of Flatten, Linear, Conv2d and ReLU; helpers.smoothing.relaxation holds tighter bounds.
"""

import math

import torch
from torch import Tensor, nn

from helpers.attacks.threat import cross_entropy
from helpers.smoothing.lipschitz import _layers, check_labels


def interval_linear(lower: Tensor, upper: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    r"""The range of W x + b over the box lower <= x <= upper:  W c + b -+ |W| rho,  c = (upper + lower) / 2,
    rho = (upper - lower) / 2.

    (N, n), (N, n), (m, n), (m,) -> (N, m), (N, m): each entry's range is exact, up to rounding. Raises ValueError
    where lower > upper, for other shapes, and for NaN. Gowal et al. 2018, equation 6.
    """
    check_box(lower, upper)
    check_affine(lower, weight, bias)
    centre, radius = (upper + lower) / 2, (upper - lower) / 2
    middle, reach = centre @ weight.T + bias, radius @ weight.abs().T
    return middle - reach, middle + reach


def check_box(lower: Tensor, upper: Tensor) -> None:
    """Raise ValueError unless both have one shape, are finite, and lower <= upper."""
    if lower.shape != upper.shape:
        raise ValueError(f"lower and upper must have one shape, got {tuple(lower.shape)} and {tuple(upper.shape)}")
    if not (lower.isfinite() & upper.isfinite()).all():
        raise ValueError(f"the box must be finite, got {int((~(lower + upper).isfinite()).sum())} NaN or infinite ends")
    if not (lower <= upper).all():
        raise ValueError(f"lower must be at most upper, but lies above it by {float((lower - upper).max()):.4g}")


def check_affine(x: Tensor, weight: Tensor, bias: Tensor) -> None:
    """Raise ValueError unless W x + b can be: x (N, n), finite weight (m, n) and bias (m,)."""
    if x.ndim != 2 or weight.ndim != 2 or weight.shape[1] != x.shape[1] or bias.shape != weight.shape[:1]:
        shapes = [tuple(t.shape) for t in (x, weight, bias)]
        raise ValueError(f"need a box (N, n), weight (m, n), bias (m,), got {shapes}")
    if not (weight.isfinite().all() and bias.isfinite().all()):
        raise ValueError("weight and bias must be finite, got NaN or infinite entries")


def box(x: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """(lower, upper): the images within l_inf distance eps of x, inside [0, 1]. Raises ValueError for eps < 0."""
    if not eps >= 0:
        raise ValueError(f"eps must be at least 0, got {eps}")
    return (x - eps).clamp(min=0), (x + eps).clamp(max=1)


def interval_bounds(model: nn.Sequential, lower: Tensor, upper: Tensor) -> tuple[Tensor, Tensor]:
    r"""Bounds of every logit over the box lower <= x <= upper, layer by layer: an affine layer A z + b takes centre c
    and radius rho to A c + b -+ |A| rho, ReLU is monotone.

    (N, ...) twice -> (N, K) twice; differentiable in the weights. Each layer is exact for the box before it, the whole
    is not: the boxes forget which entries go together. Raises ValueError where lower > upper and for other layers.
    Gowal et al. 2018, section 3.
    """
    check_box(lower, upper)
    for layer in _layers(model):
        lower, upper = interval_step(layer, lower, upper)
    return lower, upper


def interval_step(layer: nn.Module, lower: Tensor, upper: Tensor) -> tuple[Tensor, Tensor]:
    """The box behind one layer: Flatten, Linear, Conv2d or ReLU."""
    if isinstance(layer, nn.Linear):
        return interval_linear(lower, upper, layer.weight, _bias(layer))
    if isinstance(layer, nn.Conv2d):
        middle = layer((upper + lower) / 2)
        size = {"weight": layer.weight.abs(), "bias": torch.zeros_like(middle[0, :, 0, 0])}
        reach = torch.func.functional_call(layer, size, ((upper - lower) / 2,))
        return middle - reach, middle + reach
    return layer(lower), layer(upper)


def interval_margins(model: nn.Sequential, lower: Tensor, upper: Tensor, y: Tensor) -> Tensor:
    r"""Lower bounds of z_y - z_k over the box, (N, K), 0 at k = y: certified where all others are positive.

    The last Linear layer is taken together with the difference, W_y - W_k, which is tighter than the difference of its
    bounds. y (N,). Gowal et al. 2018, section 3 (elision of the last layer).
    """
    body, last = _split(model)
    check_box(lower, upper)
    if y.shape != lower.shape[:1] or y.is_floating_point():
        raise ValueError(f"y must hold one label per image, {len(lower)} integers, got {tuple(y.shape)} of {y.dtype}")
    check_labels(y, len(last.weight))
    for layer in body:
        lower, upper = interval_step(layer, lower, upper)
    centre, radius = (upper + lower) / 2, (upper - lower) / 2
    weight = last.weight[y][:, None] - last.weight  # (N, K, n)
    bias = _bias(last)[y][:, None] - _bias(last)
    middle, reach = (weight * centre[:, None]).sum(2), (weight.abs() * radius[:, None]).sum(2)
    return middle + bias - reach


def interval_certified(model: nn.Sequential, x: Tensor, y: Tensor, eps: float) -> Tensor:
    """Whether interval_margins proves f = y in the l_inf ball of radius eps about x, inside [0, 1]: (N,) bool."""
    margins = interval_margins(model, *box(x, eps), y)
    return (margins.scatter(1, y[:, None], math.inf) > 0).all(1)


def ibp_loss(model: nn.Module, x: Tensor, y: Tensor, *, eps: float, kappa: float = 0.5) -> Tensor:
    r"""L = kappa CE(f(x), y) + (1 - kappa) CE(z_worst, y),  z_worst,k = -(lower bound of z_y - z_k) over the l_inf ball
    of radius eps, inside [0, 1]: cross-entropy where every rival is as good as the intervals allow.

    -> scalar. Raise eps slowly from 0, else the net stops learning. Gowal et al. 2018, equation 12.
    """
    if not isinstance(model, nn.Sequential):
        raise ValueError(f"the model must be nn.Sequential, got {type(model).__name__}")
    if not 0 <= kappa <= 1:
        raise ValueError(f"kappa must lie in [0, 1], got {kappa}")
    worst = -interval_margins(model, *box(x, eps), y)
    return kappa * cross_entropy(model(x), y).mean() + (1 - kappa) * cross_entropy(worst, y).mean()


def _split(model: nn.Sequential) -> tuple[list[nn.Module], nn.Linear]:
    """All layers but the last, and the last, which must be Linear with finite weights: else ValueError."""
    layers = list(_layers(model))
    if not layers or not isinstance(layers[-1], nn.Linear):
        raise ValueError(
            f"the last layer must be nn.Linear, got {type(layers[-1]).__name__ if layers else 'no layers'}"
        )
    if not all(w.isfinite().all() for w in model.parameters()):
        raise ValueError("the weights must be finite, got NaN or infinite entries")
    return layers[:-1], layers[-1]


def _bias(layer: nn.Linear) -> Tensor:
    return layer.weight.new_zeros(len(layer.weight)) if layer.bias is None else layer.bias
