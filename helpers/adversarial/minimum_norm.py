r"""The smallest perturbation that succeeds: DeepFool, Carlini-Wagner, L-BFGS, JSMA; bisection for any other attack.

Called like those of helpers.attacks. Where no success was found the clean image comes back unchanged (JSMA: as far as
it came), so that helpers.adversarial.threat.outcome, which evaluates anew, counts it as a failure.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from helpers.adversarial.threat import (
    Model,
    attack,
    cross_entropy,
    evaluating,
    goal,
    input_gradient,
    jacobian,
    margin,
    norm,
    spread,
)
from helpers.attacks import carlini_wagner_objective, deepfool_step, jsma_saliency
from helpers.checks import at_least

Search = Callable[[Tensor], tuple[Tensor, Tensor]]


@torch.no_grad()
def nearer(
    x: Tensor, candidate: Tensor, success: Tensor, best: Tensor, smallest: Tensor, p: float = 2
) -> tuple[Tensor, Tensor]:
    """(best, smallest) after the candidates that succeeded and lie closer to x took their place: images, (N,) norms."""
    distance = norm(candidate - x, p)
    better = success & (distance < smallest)
    return torch.where(spread(better, x), candidate, best), torch.where(better, distance, smallest)


@attack
def deepfool(
    model: Model, x: Tensor, y: Tensor, *, steps: int = 50, overshoot: float = 0.02, classes: int = 10
) -> Tensor:
    r"""x_{t+1} = clip(x_t + deepfool_step at x_t), x_0 = x, until x_adv = clip(x + (1 + overshoot)(x_t - x)) is not
    taken for y.

    Only y and the classes - 1 strongest others at x are considered. Untargeted. Exact (times 1 + overshoot) for a
    linear classifier while no pixel meets its bounds. Moosavi-Dezfooli et al. 2015, algorithm 2.
    """
    at_least("steps", steps, 1)
    at_least("classes", classes, 2)
    with torch.no_grad():
        others = model(x).scatter(1, y[:, None], -math.inf)
    candidates = torch.cat([y[:, None], others.topk(min(classes, others.shape[1]) - 1).indices], 1)
    x_t, x_adv, active = x.clone(), x.clone(), torch.arange(len(x), device=x.device)
    for step in range(steps + 1):
        with torch.no_grad():
            active = active[margin(model(x_adv[active]), y[active]) >= 0]
        if step == steps or not len(active):
            break
        z, w = jacobian(model, x_t[active], candidates[active])
        x_t[active] = (x_t[active] + deepfool_step(z, w, torch.zeros_like(active))).clamp(0, 1)
        x_adv[active] = (x[active] + (1 + overshoot) * (x_t[active] - x[active])).clamp(0, 1)
    x_adv[active] = x[active]
    return x_adv


def search_constant(solve: Search, x: Tensor, c: float, rounds: int) -> Tensor:
    """The smallest success over a bisection on c, one c per image: c grows tenfold until a success, then is halved in.

    solve maps c (N,) to candidates (N, ...) and whether they succeeded (N,).
    """
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
    into the open box: there atanh is infinite and its gradient nil. Carlini & Wagner 2016, section VI.A.
    """
    at_least("steps", steps, 1)

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


def best_pair(alpha: Tensor, beta: Tensor) -> tuple[Tensor, Tensor]:
    r"""The pixels p != q with the largest saliency of (alpha_p + alpha_q, beta_p + beta_q): (N, D) -> (N,), (N, 2).

    Exact without the D^2 pairs: a pixel that two others beat in both alpha and -beta is in no best pair, so only the
    first two Pareto fronts remain, a dozen pixels or two. A pixel that may not be taken has alpha = -inf.
    """
    order = alpha.argsort(1, descending=True)
    fall, front = -beta.gather(1, order), torch.zeros_like(alpha, dtype=torch.bool)
    for _ in range(2):
        before = fall.masked_fill(front, -math.inf).cummax(1).values.roll(1, 1)
        before[:, 0] = -math.inf
        front = front | (fall > before) & ~front
    few = front.to(alpha.dtype).topk(max(2, int(front.sum(1).max())), dim=1).indices
    pixels = order.gather(1, few)
    a, b = alpha.gather(1, pixels), beta.gather(1, pixels)
    s = jsma_saliency(a[:, :, None] + a[:, None], b[:, :, None] + b[:, None]).triu(1)
    value, where = s.flatten(1).max(1)
    return value, torch.stack(
        [pixels.gather(1, i[:, None])[:, 0] for i in (where // s.shape[1], where % s.shape[1])], 1
    )


def class_gradients(model: Model, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    r"""dz_y / dx and sum_{k != y} dz_k / dx, each (N, D): one forward and two backward passes."""
    with torch.enable_grad():
        x = x.detach().requires_grad_(True)
        z = model(x)
        (own,) = torch.autograd.grad(z.gather(1, y[:, None]).sum(), x, retain_graph=True)
        (total,) = torch.autograd.grad(z.sum(), x)
    return own.flatten(1), (total - own).flatten(1)


@attack
def jsma(model: Model, x: Tensor, y: Tensor, *, budget: int, theta: float = 1.0, targeted: bool = False) -> Tensor:
    r"""The pair of pixels with the largest saliency moves by theta, again and again, for at most budget pixels.

    theta > 0 raises pixels, theta < 0 lowers them; each moves once, and none that is within 0.01 of its bound, where
    little is to be gained. Untargeted, the sum of the other logits plays the target. Stops where no pair has a
    positive saliency. Papernot et al. 2015, algorithm 3 (on logits).
    """
    at_least("budget", budget, 0)
    x_adv, active, sign = x.clone(), torch.arange(len(x), device=x.device), math.copysign(1, theta)
    used = (x >= 0.99 if theta > 0 else x <= 0.01).flatten(1)
    for step in range(budget // 2 + 1):
        with torch.no_grad():
            active = active[goal(model(x_adv[active]), y[active], targeted) >= 0]
        if step == budget // 2 or not len(active):
            break
        own, others = class_gradients(model, x_adv[active], y[active])
        alpha, beta = (own, others) if targeted else (others, own)
        value, pair = best_pair((sign * alpha).masked_fill(used[active], -math.inf), sign * beta)
        active, pair = active[value > 0], pair[value > 0]
        row, flat = active[:, None], x_adv.flatten(1)
        used[row, pair] = True
        flat[row, pair] = (flat[row, pair] + theta).clamp(0, 1)
        x_adv = flat.view_as(x)
    return x_adv


@torch.no_grad()
def towards_clean(
    model: Model, x: Tensor, x_adv: Tensor, y: Tensor, *, rounds: int = 10, targeted: bool = False
) -> Tensor:
    """Bisect the segment from x to each success x_adv: the closest success that was met. Failures stay as they are."""
    with evaluating(model):
        low, high = x.new_zeros(len(x)), x.new_ones(len(x))
        for _ in range(rounds):
            t = (low + high) / 2
            success = goal(model(x + spread(t, x) * (x_adv - x)), y, targeted) < 0
            low, high = torch.where(success, low, t), torch.where(success, t, high)
        at_x = goal(model(x), y, targeted) < 0
        closest = x + spread(torch.where(at_x, 0, high), x) * (x_adv - x)
        return torch.where(spread(high < 1, x), closest, x_adv)


def smallest_eps(
    attack: Callable[[Model, Tensor, Tensor, Tensor], Tensor],
    model: Model,
    x: Tensor,
    y: Tensor,
    *,
    p: float,
    largest: float,
    rounds: int = 10,
    targeted: bool = False,
) -> Tensor:
    """The minimum-norm form of a maximum-loss attack: bisection on eps in [0, largest], one per image.

    attack(model, x, y, eps) with eps (N,). Returns the success of smallest ||x_adv - x||_p, the clean image where
    none was.
    """
    low, high = x.new_zeros(len(x)), x.new_full((len(x),), float(largest))
    eps, best, smallest = high, x, x.new_full((len(x),), math.inf)
    for _ in range(rounds):
        x_adv = attack(model, x, y, eps)
        with torch.no_grad(), evaluating(model):
            success = goal(model(x_adv), y, targeted) < 0
        best, smallest = nearer(x, x_adv, success, best, smallest, p)
        high, low = torch.where(success, eps, high), torch.where(success, low, eps)
        eps = (low + high) / 2
    return best
