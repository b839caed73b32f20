"""Right answers of Lecture 7 in three other styles than the course's own: iterations that keep the best point."""

import math

import torch
from torch.nn import functional as F

from helpers import attacks
from helpers.attacks.threat import cross_entropy
from tests.attacks.styles_steps import slope


def best_of(points, model, y, sign):
    """Each image's point with the smallest margin, the first of equals."""
    with torch.no_grad():
        margins = torch.stack([sign * attacks.margin(model(p), y) for p in points])
    return torch.stack(points)[margins.argmin(0), torch.arange(len(y))]


def pgd_linf(
    model, x, y, *, eps, steps, step=None, loss=cross_entropy, targeted=False, random_start=True, generator=None
):
    """All points are kept, and judged at the end."""
    step = step if step is not None else 2.5 * eps / steps
    noise = torch.empty_like(x).uniform_(-1, 1, generator=generator) * eps * random_start
    z = torch.clamp(x + noise, 0, 1)
    sign = -1 if targeted else 1
    points = [z]
    for _ in range(steps):
        z = z + sign * step * slope(model, z, y, loss).sign()
        z = torch.clamp(torch.max(torch.min(z, x + eps), x - eps), 0, 1)
        points.append(z)
    return best_of(points, model, y, sign)


def pgd_linf_2(
    model, x, y, *, eps, steps, step=None, loss=cross_entropy, targeted=False, random_start=True, generator=None
):
    """On delta; u = eps (1 - 2 rand), which is as uniform; the box first, then the ball."""
    if step is None:
        step = eps * 2.5 / steps
    delta = torch.zeros_like(x)
    if random_start:
        delta = eps * (1 - 2 * torch.rand(x.shape, generator=generator, dtype=x.dtype, device=x.device))
    delta = (x + delta).clamp(0, 1) - x
    best, lowest = x + delta, None
    for k in range(steps + 1):
        with torch.enable_grad():
            d = delta.detach().requires_grad_(True)
            z = model(x + d)
            (g,) = torch.autograd.grad(loss(z, y).sum(), d)
        z_y = z.detach()[torch.arange(len(y)), y]
        others = z.detach().masked_fill(F.one_hot(y, z.shape[1]).bool(), -math.inf).amax(1)
        value = others - z_y if targeted else z_y - others
        if k == 0:
            lowest = value
        else:
            better = value < lowest
            best = torch.where(better.view(-1, *[1] * (x.ndim - 1)), x + delta, best)
            lowest = torch.where(better, value, lowest)
        delta = delta + (-step if targeted else step) * g.sign()
        delta = ((x + delta).clamp(0, 1) - x).clamp(-eps, eps)
    return best


def pgd_linf_3(
    model, x, y, *, eps, steps, step=None, loss=cross_entropy, targeted=False, random_start=True, generator=None
):
    """Bounds as two tensors, the start drawn between -eps and eps at once, the best kept by index assignment."""
    low, high = torch.clamp(x - eps, min=0), torch.clamp(x + eps, max=1)
    z = x.clone()
    if random_start:
        z += torch.empty(x.shape, dtype=x.dtype, device=x.device).uniform_(-eps, eps, generator=generator)
    z = torch.maximum(torch.minimum(z, high), low)
    rate = 2.5 * eps / steps if step is None else step
    aim = lambda out: attacks.goal(out, y, targeted)  # noqa: E731
    best, value = z.clone(), aim(model(z)).detach()
    for _ in range(steps):
        g = slope(model, z, y, loss)
        z = (z - rate * g.sign() if targeted else z + rate * g.sign()).clamp(low, high)
        with torch.no_grad():
            now = aim(model(z))
        rows = now < value
        best[rows], value[rows] = z[rows], now[rows]
    return best


def mi_fgsm(model, x, y, *, eps, steps, step=None, decay=1.0, targeted=False):
    """All points are kept, and judged at the end."""
    z, velocity, points = x, 0, [x]
    sign = -1 if targeted else 1
    for _ in range(steps):
        g = sign * slope(model, z, y)
        velocity = decay * velocity + F.normalize(g.flatten(1), p=1, dim=1, eps=1e-30).view_as(g)
        z = (x + (z + (eps / steps if step is None else step) * velocity.sign() - x).clamp(-eps, eps)).clamp(0, 1)
        points.append(z)
    return best_of(points, model, y, sign)


def mi_fgsm_2(model, x, y, *, eps, steps, step=None, decay=1.0, targeted=False):
    """By the mean of |g| instead of the sum, as torchattacks has it: the velocity's sign is the same."""
    step = eps / steps if step is None else step
    low, high, v, points = (x - eps).clamp(min=0), (x + eps).clamp(max=1), torch.zeros_like(x), [x]
    for _ in range(steps):
        g = slope(model, points[-1], y) * (-1 if targeted else 1)
        mean = g.abs().mean(dim=tuple(range(1, x.ndim)), keepdim=True)
        v = v * decay + torch.where(mean > 0, g / mean, 0)
        points.append(torch.clamp(points[-1] + step * torch.sign(v), low, high))
    return best_of(points, model, y, -1 if targeted else 1)


def mi_fgsm_3(model, x, y, *, eps, steps, step=None, decay=1.0, targeted=False):
    """Descends, targeted or not, what is to be lowered; a small number is added to the norm."""
    alpha = step if step is not None else eps / steps
    z, m = x.clone(), torch.zeros_like(x)
    best, lowest = x.clone(), attacks.goal(model(x), y, targeted).detach()
    for _ in range(steps):
        loss = (lambda out, y: cross_entropy(out, y)) if targeted else (lambda out, y: -cross_entropy(out, y))
        g = slope(model, z, y, loss)
        size = g.abs().flatten(1).sum(1).reshape(len(x), *(1,) * (x.ndim - 1))
        m = decay * m + g / (size + 1e-12 * (size == 0))
        z = torch.max(torch.min(z - alpha * m.sign(), x + eps), x - eps).clamp(0, 1)
        now = attacks.goal(model(z), y, targeted).detach()
        best = torch.stack([a if p < q else b for a, b, p, q in zip(z, best, now, lowest, strict=True)])
        lowest = torch.minimum(now, lowest)
    return best
