"""Minimum-norm attacks by a penalty whose constant is searched for: Carlini-Wagner and L-BFGS."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from helpers.attacks.minimum_norm import nearer
from helpers.attacks.projections import norm
from helpers.attacks.threat import Model, attack, cross_entropy, goal, input_gradient
from helpers.checks import at_least, positive

Search = Callable[[Tensor], tuple[Tensor, Tensor]]


def carlini_wagner_objective(
    x_adv: Tensor,
    x: Tensor,
    logits: Tensor,
    y: Tensor,
    *,
    c: float | Tensor,
    kappa: float = 0.0,
    targeted: bool = False,
) -> Tensor:
    r"""||x_adv - x||_2^2 + c max(M, -kappa):  M = z_y - max_{k != y} z_k;  targeted at y: M = max_{k != y} z_k - z_y.

    x_adv, x (N, ...), logits (N, K) at x_adv, y (N,), c one number or (N,) -> (N,). kappa is the margin asked for.
    Carlini & Wagner 2016, section V (f_6) and VI.A (kappa).
    """
    return (x_adv - x).square().flatten(1).sum(1) + c * goal(logits, y, targeted).clamp(min=-kappa)


def search_constant(solve: Search, x: Tensor, c: float, rounds: int) -> Tensor:
    """The smallest success over a bisection on c, one c per image: c grows tenfold until a success, then is halved in.

    solve maps c (N,) to candidates (N, ...) and whether they succeeded (N,).
    """
    positive("c", c)
    at_least("rounds", rounds, 1)
    low, high, c_now = x.new_zeros(len(x)), x.new_full((len(x),), math.inf), x.new_full((len(x),), c)
    best, smallest = x, x.new_full((len(x),), math.inf)
    for _ in range(rounds):
        x_adv, success = solve(c_now)
        best, smallest = nearer(x, x_adv, success, best, smallest)
        high, low = torch.where(success, c_now, high), torch.where(success, low, c_now)
        c_now = torch.where(high.isinf(), 10 * c_now, (low + high) / 2)
    return best


def open_box(x: Tensor, shrink: float) -> Tensor:
    r"""w = atanh((1 - shrink)(2x - 1)): (tanh w + 1) / 2 is x, moved off 0 and 1, where atanh is infinite."""
    return torch.atanh((1 - shrink) * (2 * x - 1))


@attack
def carlini_wagner(
    model: Model,
    x: Tensor,
    y: Tensor,
    *,
    steps: int = 200,
    rounds: int = 6,
    c: float = 1.0,
    rate: float = 0.05,
    kappa: float = 0.0,
    shrink: float = 1e-2,
    targeted: bool = False,
) -> Tensor:
    r"""min over w of ||x_adv - x||_2^2 + c max(M, -kappa),  x_adv = (tanh w + 1) / 2, by Adam.

    c is found by bisection, one per image.

    Every iterate counts, and the closest success of all rounds is returned. Pixels of exactly 0 or 1 are first moved
    into the open box: there atanh is infinite and the gradient of tanh is 0. Carlini & Wagner 2016, section VI.A.
    """
    at_least("steps", steps, 1)
    at_least("kappa", kappa, 0)
    positive("rate", rate)

    def solve(constant: Tensor) -> tuple[Tensor, Tensor]:
        w = open_box(x, shrink).requires_grad_(True)
        optimizer = torch.optim.Adam([w], rate)
        best, smallest = x, x.new_full((len(x),), math.inf)
        for _ in range(steps):
            with torch.enable_grad():
                x_adv = (w.tanh() + 1) / 2
                logits = model(x_adv)
                value = carlini_wagner_objective(x_adv, x, logits, y, c=constant, kappa=kappa, targeted=targeted)
                (w.grad,) = torch.autograd.grad(value.sum(), w)
            success = goal(logits.detach(), y, targeted) < -kappa
            best, smallest = nearer(x, x_adv.detach(), success, best, smallest)
            optimizer.step()
        return best, smallest.isfinite()

    return search_constant(solve, x, c, rounds)


def two_loops(g: Tensor, pairs: list[tuple[Tensor, Tensor]]) -> Tensor:
    """H g, the inverse Hessian of L-BFGS from pairs (s, y) of (N, D), row by row; rows with <s, y> <= 0 are skipped.

    Nocedal & Wright 2006, algorithm 7.4.
    """
    q, scale, stack = g.clone(), torch.ones_like(g[:, :1]), []
    for s, v in reversed(pairs):
        sv = (s * v).sum(1, keepdim=True)
        rho = torch.where(sv > 0, 1 / sv, 0)
        a = rho * (s * q).sum(1, keepdim=True)
        q = q - a * v
        stack.append((s, v, rho, a))
    for _, v, rho, _ in stack[::-1]:
        scale = torch.where(rho > 0, 1 / (rho * v.square().sum(1, keepdim=True)), scale)
    q = scale * q
    for s, v, rho, a in stack[::-1]:
        q = q + s * (a - rho * (v * q).sum(1, keepdim=True))
    return q


def box_lbfgs(f: Search, x: Tensor, *, steps: int, memory: int = 10, halvings: int = 8) -> Tensor:
    """Minimise f over the box [0, 1]^D by projected L-BFGS, row by row. f: (N, D) -> values (N,), gradients (N, D).

    The search runs over the coordinates that are free to move; the step is halved until Armijo's condition holds, and a
    row for which it never does stays where it is.
    """
    value, g = f(x)
    pairs: list[tuple[Tensor, Tensor]] = []
    for _ in range(steps):
        free = torch.where(g > 0, x > 0, x < 1)
        d = -two_loops(g * free, pairs) * free if pairs else -g * free / norm(g, 2)[:, None].clamp(min=1e-12)
        d = torch.where((d * g).sum(1, keepdim=True) < 0, d, -g * free)
        length = torch.ones_like(value)
        for _ in range(halvings):
            trial = (x + length[:, None] * d).clamp(0, 1)
            new_value, new_g = f(trial)
            enough = new_value <= value + 1e-4 * (g * (trial - x)).sum(1)
            if enough.all():
                break
            length = torch.where(enough, length, length / 2)
        row = enough[:, None]
        pairs = [*pairs[1 - memory :], (torch.where(row, trial - x, 0), torch.where(row, new_g - g, 0))]
        x, g, value = torch.where(row, trial, x), torch.where(row, new_g, g), torch.where(enough, new_value, value)
    return x


@attack
def lbfgs(
    model: Model, x: Tensor, y: Tensor, *, steps: int = 20, rounds: int = 8, c: float = 1.0, targeted: bool = False
) -> Tensor:
    r"""min over x_adv in [0, 1] of ||x_adv - x||_2^2 + c L(x_adv) by L-BFGS in the box, c by bisection, one per image.

    L = -log p_t for the target t = y; untargeted, L = -log(1 - p_y). Szegedy et al. 2013, section 4.1.
    """
    at_least("steps", steps, 1)
    flat = x.flatten(1)

    def loss(z: Tensor) -> Tensor:
        return cross_entropy(z, y) if targeted else z.logsumexp(1) - z.scatter(1, y[:, None], -math.inf).logsumexp(1)

    def solve(constant: Tensor) -> tuple[Tensor, Tensor]:
        def f(x_adv: Tensor) -> tuple[Tensor, Tensor]:
            z, g = input_gradient(model, x_adv.view_as(x), lambda z: constant * loss(z))
            delta = x_adv - flat
            return delta.square().sum(1) + constant * loss(z), g.flatten(1) + 2 * delta

        x_adv = box_lbfgs(f, flat, steps=steps).view_as(x)
        with torch.no_grad():
            return x_adv, goal(model(x_adv), y, targeted) < 0

    return search_constant(solve, x, c, rounds)
