r"""How far a network can move: Lipschitz constants from above and below, and interval bounds with training on them.

Networks are nn.Sequential of Flatten, Linear, Conv2d and ReLU; helpers.certified.relaxation holds tighter bounds.
"""

import math
from collections.abc import Iterator

import torch
from torch import Generator, Tensor, nn

from helpers import checks
from helpers.adversarial.threat import Model, cross_entropy, jacobian
from helpers.smoothing import interval_linear


def operator_norm(
    layer: nn.Module, shape: tuple[int, ...], *, steps: int = 100, generator: Generator | None = None
) -> float:
    r"""||A||_2 = max ||A v|| / ||v|| of the affine layer x -> A x + b, x of `shape`, by power iteration on A^T A:
    u = A v / ||A v||,  v = A^T u / ||A^T u||;  A^T u is a vector-Jacobian product, so a convolution works as well.

    Approaches the norm from below: for a guarantee take as many steps as it takes to stand still, and a Linear layer's
    exact norm from its singular values. Raises ValueError for steps < 1. Golub & Van Loan 2013, section 8.2; for
    convolutions Farnia et al. 2018.
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


def network_lipschitz(
    model: nn.Sequential, shape: tuple[int, ...], *, steps: int = 100, generator: Generator | None = None
) -> list[float]:
    r"""||A_l||_2 of every layer that has weights, for inputs of `shape`; their product bounds ||f(x) - f(x')|| /
    ||x - x'||, as ReLU and Flatten raise no distance.

    Linear layers by singular values, convolutions by power iteration (from below, see operator_norm). Raises
    ValueError for other layers. Szegedy et al. 2013, section 4.3.
    """
    norms, shape = list[float](), tuple(shape)
    for layer in _layers(model):
        if isinstance(layer, nn.Linear):
            norms.append(float(torch.linalg.matrix_norm(layer.weight.detach(), 2)))
        elif isinstance(layer, nn.Conv2d):
            norms.append(operator_norm(layer, shape, steps=steps, generator=generator))
        device = next(model.parameters()).device
        shape = tuple(layer(torch.zeros((1, *shape), device=device)).shape[1:])
    return norms


def local_lipschitz(model: Model, x: Tensor) -> Tensor:
    r"""||J(x)||_2, J = df / dx (K, d): the Lipschitz constant of f cannot be smaller than the largest of them.

    x (N, ...) -> (N,). A certificate needs a bound over a whole ball, as in Huang et al. 2021; this is one point.
    """
    _, j = jacobian(model, x)
    return torch.linalg.matrix_norm(j.flatten(2), 2)


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
    *body, last = list(_layers(model))
    if not isinstance(last, nn.Linear):
        raise ValueError(f"the last layer must be nn.Linear, got {type(last).__name__}")
    for layer in body:
        lower, upper = interval_step(layer, lower, upper)
    centre, radius = (upper + lower) / 2, (upper - lower) / 2
    weight = last.weight[y][:, None] - last.weight  # (N, K, n)
    bias = _bias(last)[y][:, None] - _bias(last)
    middle, reach = (weight * centre[:, None]).sum(2), (weight.abs() * radius[:, None]).sum(2)
    return middle + bias - reach


def interval_certified(model: nn.Sequential, x: Tensor, y: Tensor, eps: float) -> Tensor:
    """Whether interval_margins proves f = y in the whole l_inf ball about x: (N,) bool. Deterministic, no sampling."""
    margins = interval_margins(model, *box(x, eps), y)
    return (margins.scatter(1, y[:, None], math.inf) > 0).all(1)


def ibp_loss(model: nn.Module, x: Tensor, y: Tensor, *, eps: float, kappa: float = 0.5) -> Tensor:
    r"""L = kappa CE(f(x), y) + (1 - kappa) CE(z_worst, y),  z_worst,k = -(lower bound of z_y - z_k) over the l_inf ball
    of radius eps: cross-entropy where every rival is as good as the intervals allow.

    -> scalar. Raise eps slowly from 0, else the net stops learning. Gowal et al. 2018, equation 12.
    """
    if not isinstance(model, nn.Sequential):
        raise ValueError(f"the model must be nn.Sequential, got {type(model).__name__}")
    if not 0 <= kappa <= 1:
        raise ValueError(f"kappa must lie in [0, 1], got {kappa}")
    worst = -interval_margins(model, *box(x, eps), y)
    return kappa * cross_entropy(model(x), y).mean() + (1 - kappa) * cross_entropy(worst, y).mean()


def _layers(model: nn.Sequential) -> Iterator[nn.Module]:
    """The layers in order. Raises ValueError for one whose bounds are not known."""
    for layer in model:
        if not isinstance(layer, (nn.Flatten, nn.Linear, nn.Conv2d, nn.ReLU)):
            raise ValueError(f"the layers must be Flatten, Linear, Conv2d or ReLU, got {type(layer).__name__}")
        yield layer


def _bias(layer: nn.Linear) -> Tensor:
    return layer.weight.new_zeros(len(layer.weight)) if layer.bias is None else layer.bias
