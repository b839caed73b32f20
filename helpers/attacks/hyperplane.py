r"""FAB: the smallest l_inf perturbation, by projections on linearised boundaries inside the box (Croce & Hein 2020)."""

import math

import torch
from torch import Tensor

from helpers.attacks.minimum_norm import nearer, rivals
from helpers.attacks.projections import norm, spread
from helpers.attacks.threat import Model, attack, input_gradient, margin
from helpers.checks import at_least


def to_hyperplane(x: Tensor, f: Tensor, w: Tensor) -> Tensor:
    r"""The delta of least ||delta||_inf with f + <w, delta> = 0 and x + delta in [0, 1]^d:
    delta_i = s_i min(r, room_i),  s = -sign(f) sign(w),  room_i = how far x_i can move towards s_i;
    r solves  sum_i |w_i| min(r, room_i) = |f|,  linear between the sorted rooms.

    x, w (N, ...), f (N,) -> (N, ...). Where the box does not reach the plane, its point closest to the plane is meant:
    r = max_i room_i. Croce & Hein 2020 (FAB), equation 4.
    """
    s = -spread(f.sign(), x) * w.sign()
    room, weight = torch.where(s > 0, 1 - x, x).flatten(1), w.abs().flatten(1)
    u, order = room.sort(dim=1)
    v = weight.gather(1, order)
    slope = v.flip(1).cumsum(1).flip(1)  # of the sum in r, up to the j-th smallest room: v_j + v_{j+1} + ...
    reach = (slope * u.diff(dim=1, prepend=torch.zeros_like(u[:, :1]))).cumsum(1)  # the sum at r = u_j
    j = (reach < f.abs()[:, None]).sum(1, keepdim=True).clamp(max=u.shape[1] - 1)
    beyond = reach.gather(1, j) - f.abs()[:, None]  # below 0 where no point of the box reaches the plane
    r = u.gather(1, j) - beyond / slope.gather(1, j).clamp(min=torch.finfo(x.dtype).tiny)
    return s * torch.minimum(room, r).view_as(x)


def fab_step(x: Tensor, x_t: Tensor, f: Tensor, w: Tensor, *, largest: float = 0.1, overshoot: float = 1.05) -> Tensor:
    r"""clip((1 - a)(x_t + eta d_t) + a (x + eta d)),  a = min(|d_t| / (|d_t| + |d|), a_max),  in l_inf norms.

    d_t and d lead from x_t and from the clean x to the plane f + <w, z - x_t> = 0: so the point goes to the boundary
    and is pulled towards x. f (N,) and w (N, ...) are a margin and its gradient at x_t; eta is the overshoot. Croce &
    Hein 2020 (FAB), equations 7 and 9.
    """
    f_x = f + (w * (x - x_t)).flatten(1).sum(1)
    d_t, d = to_hyperplane(torch.cat([x_t, x]), torch.cat([f, f_x]), torch.cat([w, w])).chunk(2)
    far_t, far = norm(d_t, math.inf), norm(d, math.inf)
    a = spread((far_t / (far_t + far).clamp(min=torch.finfo(x.dtype).tiny)).clamp(max=largest), x)
    return ((1 - a) * (x_t + overshoot * d_t) + a * (x + overshoot * d)).clamp(0, 1)


@attack
def fab(model: Model, x: Tensor, y: Tensor, *, steps: int = 100, rank: int = 1, back: float = 0.9) -> Tensor:
    r"""x_{t+1} = fab_step at x_t, x_0 = x, on the margin z_y - z_k of the label k that is the rank-th strongest wrong
    one at x; from a success x_t it goes on at x + back (x_t - x).

    The success closest to x in l_inf is returned, whichever wrong label it has; x where none was met. No step size and
    no eps. Croce & Hein 2020 (FAB), algorithm 1, targeted as in their AutoAttack.
    """
    at_least("steps", steps, 1)
    at_least("rank", rank, 1)
    ranked = rivals(model, x, y, rank + 1)
    if ranked.shape[1] <= rank:
        raise ValueError(f"rank must lie in 1 ... {ranked.shape[1] - 1}, got {rank}")
    two = ranked[:, [0, -1]]
    x_t, best, smallest = x, x, x.new_full((len(x),), math.inf)
    for _ in range(steps):
        logits, w = input_gradient(model, x_t, lambda z: -z.gather(1, two).diff(dim=1)[:, 0])
        f, success = -logits.gather(1, two).diff(dim=1)[:, 0], margin(logits, y) < 0
        best, smallest = nearer(x, x_t, success, best, smallest, math.inf)
        here = torch.where(spread(success, x), x + back * (x_t - x), x_t)
        f = f + (w * (here - x_t)).flatten(1).sum(1)
        x_t = fab_step(x, here, f, w)
    with torch.no_grad():
        success = margin(model(x_t), y) < 0
    return nearer(x, x_t, success, best, smallest, math.inf)[0]
