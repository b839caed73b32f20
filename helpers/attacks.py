r"""Lecture 7: adversarial examples of classifiers, x_adv = x + delta with ||delta||_p <= eps and x_adv in [0, 1].

All are called alike: attack(model, x, y, *, eps or budget, steps, ..., targeted=False, generator=None) -> x_adv.
x (N, ...) in [0, 1]; y (N,) holds the true labels, or, when targeted, the labels wanted; the model maps x to logits
(N, K); eps is one number or one per image (N,). Mode and gradients of the model are left as they were found. Each
attack raises ValueError for images outside [0, 1], labels outside 0 ... K - 1, eps < 0, or a model that returns
probabilities or NaN. helpers.adversarial holds further attacks (gradient, minimum_norm, blackbox, universal), what
all share (threat) and the training against them (defence).
"""

import math
from collections.abc import Callable

import torch
from torch import Generator, Tensor, nn

from helpers.adversarial.threat import (
    Loss,
    Model,
    attack,
    cross_entropy,
    goal,
    input_gradient,
    norm,
    per_image,
    random_in_ball,
    spread,
)
from helpers.checks import at_least

Eps = float | Tensor


def ascend(
    model: Model,
    y: Tensor,
    move: Callable[[Tensor, Tensor], Tensor],
    *,
    start: Tensor,
    steps: int,
    loss: Loss = cross_entropy,
    targeted: bool = False,
    gap: Loss | None = None,
) -> Tensor:
    """The loop of every iterated attack: x_{t+1} = move(x_t, gradient), and the best of x_0 ... x_steps is kept.

    The gradient is that of loss(logits, y), of -loss when targeted. Best is the smallest gap(logits, y), which is
    below 0 where the attack has succeeded (default: the margin of the true label, minus the margin of a target).
    """
    at_least("steps", steps, 1)
    gap = gap or (lambda logits, y: goal(logits, y, targeted))
    x, best, smallest = start, start, start.new_full((len(start),), math.inf)
    for step in range(steps + 1):
        if step < steps:
            logits, g = input_gradient(model, x, lambda z: -loss(z, y) if targeted else loss(z, y))
        else:
            with torch.no_grad():
                logits = model(x)
        value = gap(logits, y)
        best = torch.where(spread(value < smallest, x), x, best)
        smallest = torch.fmin(value, smallest)
        if step < steps:
            x = move(x, g)
    return best


def clip_linf(x: Tensor, eps: Tensor) -> Callable[[Tensor], Tensor]:
    """P of the attacks in the l_inf ball: z -> the point of [x - eps, x + eps] and [0, 1] closest to z, in any l_p.

    eps (N, 1, ..., 1). The two clips are one, to [max(x - eps, 0), min(x + eps, 1)].
    """
    low, high = (x - eps).clamp(min=0), (x + eps).clamp(max=1)
    return lambda z: z.clamp(low, high)


@attack
def fgsm(model: Model, x: Tensor, y: Tensor, *, eps: Eps, targeted: bool = False) -> Tensor:
    r"""x_adv = clip(x + eps sign grad_x L(x, y)),  L the cross-entropy;  targeted: x - eps sign grad_x L.

    Exact for a linear model: no delta in the l_inf ball raises <w, delta> above eps ||w||_1. Goodfellow et al. 2014,
    section 4.
    """
    _, g = input_gradient(model, x, lambda z: -cross_entropy(z, y) if targeted else cross_entropy(z, y))
    return (x + per_image(eps, x) * g.sign()).clamp(0, 1)


@attack
def pgd_linf(
    model: Model,
    x: Tensor,
    y: Tensor,
    *,
    eps: Eps,
    steps: int,
    step: Eps | None = None,
    loss: Loss = cross_entropy,
    targeted: bool = False,
    generator: Generator | None = None,
) -> Tensor:
    r"""x_0 = P(x + u), u ~ U[-eps, eps];  x_{t+1} = P(x_t + step sign grad L(x_t));
    P clips to [x - eps, x + eps] and to [0, 1].

    step: 2.5 eps / steps unless given. The best iterate is returned. Madry et al. 2017, section 2.1.
    """
    eps = per_image(eps, x)
    step = 2.5 * eps / steps if step is None else per_image(step, x, "step")
    project = clip_linf(x, eps)
    start = project(x + random_in_ball(x, eps, math.inf, generator))
    return ascend(
        model, y, lambda z, g: project(z + step * g.sign()), start=start, steps=steps, loss=loss, targeted=targeted
    )


def project_l2(delta: Tensor, eps: Eps) -> Tensor:
    r"""The closest point of {||delta||_2 <= eps}:  delta min(1, eps / ||delta||_2).  (N, ...) -> (N, ...).

    eps one number or (N,). Raises ValueError for eps < 0.
    """
    eps, length = per_image(eps, delta), spread(norm(delta, 2), delta)
    return torch.where(length > eps, delta * (eps / length), delta)


def project_l1(delta: Tensor, eps: Eps) -> Tensor:
    r"""The closest point of {||delta||_1 <= eps}:  sign(delta_i) max(|delta_i| - theta, 0), theta by sorting:
    u = |delta| in falling order,  theta_j = (u_1 + ... + u_j - eps) / j,  theta = theta_rho;
    rho = max{j : u_j > theta_j}.

    (N, ...) -> (N, ...); a point inside the ball stays. eps one number or (N,). Raises ValueError for eps < 0.
    Duchi et al. 2008, figure 1.
    """
    eps = per_image(eps, delta).reshape(-1, 1)
    size = delta.abs().flatten(1)
    u = size.sort(dim=1, descending=True).values
    theta = (u.cumsum(1) - eps) / torch.arange(1, u.shape[1] + 1, device=u.device)
    rho = (u > theta).sum(1, keepdim=True).clamp(min=1)
    theta = theta.gather(1, rho - 1).clamp(min=0)
    return delta.sign() * (size - theta).clamp(min=0).view_as(delta)


@attack
def mi_fgsm(
    model: Model, x: Tensor, y: Tensor, *, eps: Eps, steps: int, decay: float = 1.0, targeted: bool = False
) -> Tensor:
    r"""v_{t+1} = decay v_t + g / ||g||_1,  g = grad L(x_t);  x_{t+1} = clip(x_t + (eps / steps) sign v_{t+1});
    v_0 = 0, x_0 = x.

    decay >= 0; decay = 0 is bim. The best iterate is returned. Dong et al. 2018, algorithm 1.
    """
    at_least("decay", decay, 0)
    eps, velocity = per_image(eps, x), torch.zeros_like(x)
    project = clip_linf(x, eps)

    def move(z: Tensor, g: Tensor) -> Tensor:
        nonlocal velocity
        velocity = decay * velocity + g / spread(norm(g, 1), g).clamp(min=torch.finfo(g.dtype).tiny)
        return project(z + eps / steps * velocity.sign())

    return ascend(model, y, move, start=x, steps=steps, targeted=targeted)


def deepfool_step(logits: Tensor, jacobian: Tensor, y: Tensor) -> Tensor:
    r"""The smallest l_2 step that takes a linear classifier from class y onto its nearest boundary:
    f_k = z_k - z_y,  w_k = grad z_k - grad z_y,  l = argmin_{k != y} |f_k| / ||w_k||_2;
    delta = |f_l| w_l / ||w_l||_2^2.

    logits (N, K), jacobian (N, K, ...), y (N,) -> delta (N, ...). Moosavi-Dezfooli et al. 2015, algorithm 2.
    """
    rows = torch.arange(len(y), device=y.device)
    f = (logits - logits[rows, y][:, None]).abs()
    w = jacobian.flatten(2) - jacobian.flatten(2)[rows, y][:, None]
    distance = f / w.norm(dim=2)
    distance[rows, y] = math.inf
    distance, nearest = distance.nan_to_num(nan=math.inf, posinf=math.inf).min(1)
    w = w[rows, nearest]
    step = (f[rows, nearest] / w.square().sum(1))[:, None] * w
    return step.where(distance.isfinite()[:, None], 0).view_as(jacobian[:, 0])


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
    Carlini & Wagner 2016, section V (f_6).
    """
    return (x_adv - x).square().flatten(1).sum(1) + c * goal(logits, y, targeted).clamp(min=-kappa)


def jsma_saliency(alpha: Tensor, beta: Tensor) -> Tensor:
    r"""S = alpha |beta| where alpha > 0 and beta < 0, else 0:  alpha = dz_t / dx_i,  beta = sum_{k != t} dz_k / dx_i.

    S_i > 0 says that raising pixel i raises the target's logit and lowers the others' sum. Equal shapes in, the same
    out. Papernot et al. 2015, equation 8.
    """
    return torch.where((alpha > 0) & (beta < 0), alpha * beta.abs(), 0)


def universal_step(model: Model, x: Tensor, y: Tensor, delta: Tensor, *, eps: float, step: float) -> Tensor:
    r"""delta' = clip(delta + step sign grad_delta J, -eps, eps);
    J(delta) = (1/N) sum_n L(clip(x_n + delta, 0, 1), y_n),  L the cross-entropy.

    One perturbation delta, of the shape of one image, for the whole batch x (N, ...). Raises ValueError for other
    shapes and eps < 0. Shafahi et al. 2018 (Universal adversarial training), algorithm 1.
    """
    at_least("eps", eps, 0)
    if delta.shape != x.shape[1:]:
        raise ValueError(f"delta must have the shape of one image, {tuple(x.shape[1:])}, got {tuple(delta.shape)}")
    with torch.enable_grad():
        delta = delta.detach().requires_grad_(True)
        loss = cross_entropy(model((x + delta).clamp(0, 1)), y).mean()
        (g,) = torch.autograd.grad(loss, delta)
    return (delta.detach() + step * g.sign()).clamp(-eps, eps)


def top_k_success(logits: Tensor, targets: Tensor) -> Tensor:
    r"""z_{t_1} > z_{t_2} > ... > z_{t_k} > every other logit: the k targets lead, in their order; a tie is no success.

    logits (N, K), targets (N, k) distinct, k < K -> (N,) bool. Zhang & Wu 2020, section 3.
    """
    chosen = logits.gather(1, targets)
    others = logits.scatter(1, targets, -math.inf).amax(1, keepdim=True)
    ranked = torch.cat([chosen, others], 1)
    return (ranked[:, :-1] > ranked[:, 1:]).all(1)


def adversarial_training_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    x: Tensor,
    y: Tensor,
    attack: Callable[[Model, Tensor, Tensor], Tensor],
) -> Tensor:
    r"""One step on min_theta E max_delta L(theta; x + delta, y): x_adv = attack(model, x, y), then the optimiser's
    step on the mean cross-entropy at x_adv. Returns that loss, before the step, as a scalar. Madry et al. 2017,
    equation 2.1.
    """
    x_adv = attack(model, x, y)
    loss = cross_entropy(model(x_adv.detach()), y).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()
