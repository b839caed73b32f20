r"""Tighter than intervals, for dense ReLU nets: linear bounds through the triangle relaxation (CROWN), and the exact
range by integer programming. exact <= linear <= interval, as sets."""

import numpy as np
import torch
from scipy import optimize
from torch import Tensor, nn

from helpers.smoothing.bounds import check_box, interval_step


def triangle(lower: Tensor, upper: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    r"""(a, s, t) with  a z <= relu(z) <= s z + t  on [lower, upper]:  s = u / (u - l), t = -s l, the line through both
    ends; a = 1 if u > -l else 0, of all lines through 0 the one that leaves the smaller triangle.

    Where the sign is known the three are exact: (1, 1, 0) for l >= 0, (0, 0, 0) for u <= 0. Any one shape. Zhang et al.
    2018, section 3.2; the triangle is the convex hull of the graph, Wong & Kolter 2017, figure 2.
    """
    check_box(lower, upper)
    known = (lower >= 0) | (upper <= 0)
    on = (lower >= 0).to(lower)
    s = torch.where(known, on, upper / torch.where(known, 1, upper - lower))
    a = torch.where(known, on, (upper > -lower).to(lower))
    return a, s, torch.where(known, 0, -s * lower)


def linear_bounds(model: nn.Sequential, lower: Tensor, upper: Tensor) -> tuple[Tensor, Tensor]:
    r"""Bounds of the logits over the box by linear functions of the input: W_k relu(...) is bounded backwards, layer by
    layer, an entry of positive weight by one side of its triangle and one of negative weight by the other.

    (N, ...) twice -> (N, K) twice. The bounds before each ReLU are found in the same way, and the interval bound is
    taken where it is tighter, which the fixed slope a may leave it, and where a rounding would make the two cross.
    Bounds in exact arithmetic: float32 may pass them by some 1e-6 of their size. Dense nets: Flatten, Linear, ReLU;
    raises ValueError for others and where lower > upper. Zhang et al. 2018 (CROWN), theorem 3.2.
    """
    _dense(model)
    check_box(lower, upper)
    box = lower.flatten(1), upper.flatten(1)
    seen: list[tuple[Tensor, Tensor]] = []  # (lower, upper) before each ReLU
    passed: list[nn.Module] = []  # the layers so far
    low, high = box
    for layer in model:
        if isinstance(layer, nn.ReLU):
            seen.append((low, high))
        low, high = interval_step(layer, low, high)
        passed.append(layer)
        if isinstance(layer, nn.Linear):
            tight = _backward(passed, seen, box)
            both = torch.maximum(low, tight[0]), torch.minimum(high, tight[1])
            crossed = both[0] > both[1]  # by a rounding, where the box is narrow
            low, high = torch.where(crossed, low, both[0]), torch.where(crossed, high, both[1])
    return low, high


def _backward(
    layers: list[nn.Module], seen: list[tuple[Tensor, Tensor]], box: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor]:
    """Bounds of what the last of `layers`, which is Linear, gives over the box."""
    last = layers[-1]
    assert isinstance(last, nn.Linear)
    n, rows = len(box[0]), len(last.weight)
    eye = torch.eye(rows, dtype=last.weight.dtype, device=last.weight.device).expand(n, rows, rows)
    centre, radius = (box[0] + box[1]) / 2, (box[1] - box[0]) / 2
    found = []
    for side in (-1, 1):  # below, above
        weight, constant, ahead = eye, eye.new_zeros(n, rows), len(seen)
        for layer in reversed(layers):
            if isinstance(layer, nn.Linear):
                if layer.bias is not None:
                    constant = constant + weight @ layer.bias
                weight = weight @ layer.weight
            elif isinstance(layer, nn.ReLU):
                ahead -= 1
                a, s, t = (one[:, None] for one in triangle(*seen[ahead]))
                upwards = (weight > 0) if side > 0 else (weight < 0)  # there the upper side bounds
                constant = constant + torch.where(upwards, weight * t, 0).sum(2)
                weight = weight * torch.where(upwards, s, a)
        reach = (weight.abs() * radius[:, None]).sum(2)
        found.append((weight * centre[:, None]).sum(2) + constant + side * reach)
    return found[0], found[1]


def exact_range(model: nn.Sequential, lower: Tensor, upper: Tensor) -> tuple[Tensor, Tensor]:
    r"""The range of every output over one box, exactly but for the solver's tolerance (1e-6) and the rounding of the
    bounds that go in: a mixed-integer program with a binary variable d per neuron,
    h >= z,  h >= 0,  h <= z - l (1 - d),  h <= u d,  l <= z <= u by linear_bounds.

    lower, upper (n,) -> (K,), (K,) in float64. The time can grow as 2^neurons: meant for a few dozen of them. Dense
    nets as in linear_bounds; raises RuntimeError if the solver gives up. Tjeng et al. 2019, section 4.
    """
    _dense(model)
    check_box(lower, upper)
    program, layers = _Program(lower, upper), [layer for layer in model if not isinstance(layer, nn.Flatten)]
    for index, layer in enumerate(layers):
        if isinstance(layer, nn.Linear):
            program.affine(layer)
        else:
            before = linear_bounds(nn.Sequential(*layers[:index]), lower[None], upper[None])
            program.relu(*(_array(end[0]) for end in before))
    ends = [[program.extreme(k, sign) for k in range(len(program.constant))] for sign in (1, -1)]
    return torch.tensor(ends[0], dtype=torch.float64), torch.tensor(ends[1], dtype=torch.float64)


def _array(x: Tensor) -> np.ndarray:
    return x.detach().double().cpu().numpy()


class _Program:
    """The variables x, then h and d of each ReLU layer; weight and constant: the last layer as a function of them."""

    def __init__(self, lower: Tensor, upper: Tensor) -> None:
        self.low, self.high = _array(lower), _array(upper)
        self.integral, self.weight = np.zeros(len(self.low)), np.eye(len(self.low))
        self.constant = np.zeros(len(self.low))
        self.rows: list[tuple[np.ndarray, np.ndarray]] = []  # (A, b) of A v <= b

    def affine(self, layer: nn.Linear) -> None:
        w = _array(layer.weight)
        b = 0 if layer.bias is None else _array(layer.bias)
        self.weight, self.constant = w @ self.weight, w @ self.constant + b

    def relu(self, lower: np.ndarray, upper: np.ndarray) -> None:
        width, old = len(lower), len(self.low)
        lower, upper = np.minimum(lower, 0), np.maximum(upper, 0)
        self.low = np.concatenate([self.low, np.zeros(2 * width)])
        self.high = np.concatenate([self.high, upper, np.ones(width)])
        self.integral = np.concatenate([self.integral, np.zeros(width), np.ones(width)])
        z = np.pad(self.weight, ((0, 0), (0, 2 * width)))
        h, d = np.eye(width, old + 2 * width, old), np.eye(width, old + 2 * width, old + width)
        self.rows += [
            (z - h, -self.constant),  # z <= h
            (h - z - lower[:, None] * d, self.constant - lower),  # h <= z - l (1 - d)
            (h - upper[:, None] * d, np.zeros(width)),  # h <= u d
        ]
        self.weight, self.constant = h, np.zeros(width)

    def extreme(self, k: int, sign: int) -> float:
        size = len(self.low)
        a = [np.pad(rows, ((0, 0), (0, size - rows.shape[1]))) for rows, _ in self.rows]
        limits = [optimize.LinearConstraint(m, -np.inf, b) for m, (_, b) in zip(a, self.rows, strict=True)]
        found = optimize.milp(
            sign * self.weight[k],
            integrality=self.integral,
            bounds=optimize.Bounds(self.low, self.high),
            constraints=limits,
            options={"mip_rel_gap": 0},
        )
        if not found.success:
            raise RuntimeError(f"the solver found no optimum: {found.message}")
        return sign * float(found.fun) + float(self.constant[k])


def _dense(model: nn.Sequential) -> None:
    kinds = [type(layer) for layer in model if not isinstance(layer, nn.Flatten)]
    wanted = [nn.ReLU if index % 2 else nn.Linear for index in range(len(kinds))]
    if kinds != wanted or len(kinds) % 2 == 0:
        raise ValueError(f"the layers must be Linear, ReLU, ..., Linear, got {[kind.__name__ for kind in kinds]}")
