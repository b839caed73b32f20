"""Right answers of Lecture 7 in another style than the course's own."""

import torch
from torch.nn import functional as F

from helpers.attacks import threat
from helpers.attacks.threat import cross_entropy


def slope(model, x, y, loss=cross_entropy):
    x = x.clone().detach()
    x.requires_grad = True
    with torch.enable_grad():
        return torch.autograd.grad(loss(model(x), y).mean(), x)[0]


def fgsm(model, x, y, *, eps, targeted=False):
    """By the mean loss; the direction as a factor."""
    return torch.clip(x + (1 - 2 * targeted) * eps * torch.sign(slope(model, x, y)), 0.0, 1.0)


def project_l2(delta, eps):
    """Row by row."""
    return torch.stack([d if d.norm() <= eps else eps * d / d.norm() for d in delta])


def project_l1(delta, eps):
    """Bisection on the threshold."""
    size = delta.abs().flatten(1).double()
    low, high = torch.zeros(len(size), 1).double(), size.amax(1, keepdim=True)
    low = low.to(size.device)
    for _ in range(100):
        theta = (low + high) / 2
        large = (size - theta).clamp(min=0).sum(1, keepdim=True) > eps
        low, high = torch.where(large, theta, low), torch.where(large, high, theta)
    high = torch.where(size.sum(1, keepdim=True) <= eps, 0, high)
    return delta.sign() * (size - high).clamp(min=0).to(delta.dtype).view_as(delta)


def deepfool_step(logits, jacobian, y):
    """Image by image, class by class."""
    steps = []
    for z, w, label in zip(logits, jacobian, y.tolist(), strict=True):
        found = []
        for k in range(len(z)):
            if k != label:
                f, normal = (z[k] - z[label]).abs(), w[k] - w[label]
                found.append((f / normal.norm(), f / normal.square().sum() * normal))
        steps.append(min(found, key=lambda pair: pair[0])[1])
    return torch.stack(steps)


def pgd_linf(model, x, y, *, eps, steps, step=None, loss=cross_entropy, targeted=False, generator=None):
    step = step if step is not None else 2.5 * eps / steps
    noise = torch.empty_like(x).uniform_(-1, 1, generator=generator) * eps
    z = torch.clamp(x + noise, 0, 1)
    sign = -1 if targeted else 1
    points = [z]
    for _ in range(steps):
        z = z + sign * step * slope(model, z, y, loss).sign()
        z = torch.clamp(torch.max(torch.min(z, x + eps), x - eps), 0, 1)
        points.append(z)
    margins = torch.stack([sign * threat.margin(model(p), y) for p in points])
    return torch.stack(points)[margins.argmin(0), torch.arange(len(x))]


def mi_fgsm(model, x, y, *, eps, steps, decay=1.0, targeted=False):
    z, velocity, points = x, 0, [x]
    sign = -1 if targeted else 1
    for _ in range(steps):
        g = sign * slope(model, z, y)
        velocity = decay * velocity + F.normalize(g.flatten(1), p=1, dim=1, eps=1e-30).view_as(g)
        z = (x + (z + eps / steps * velocity.sign() - x).clamp(-eps, eps)).clamp(0, 1)
        points.append(z)
    margins = torch.stack([sign * threat.margin(model(p), y) for p in points])
    return torch.stack(points)[margins.argmin(0), torch.arange(len(x))]


def carlini_wagner_objective(x_adv, x, logits, y, *, c, kappa=0.0, targeted=False):
    own = F.one_hot(y, logits.shape[1]).bool()
    gap = logits[own] - logits.masked_fill(own, -1e9).max(1).values
    gap = -gap if targeted else gap
    return ((x_adv - x) ** 2).flatten(1).sum(1) + c * torch.maximum(gap, torch.full_like(gap, -kappa))


def jsma_saliency(alpha, beta):
    return F.relu(alpha) * F.relu(-beta)


def universal_step(model, x, y, delta, *, eps, step):
    d = delta.detach().clone().requires_grad_()
    with torch.enable_grad():
        value = F.cross_entropy(model(torch.clamp(x + d[None], 0, 1)), y, reduction="sum")
        (g,) = torch.autograd.grad(value, d)
    return torch.clamp(delta + step * torch.sign(g), -eps, eps)


def top_k_success(logits, targets):
    """One by one."""
    out = []
    for z, t in zip(logits, targets.tolist(), strict=True):
        others = [z[k] for k in range(len(z)) if k not in t]
        values = [*(z[k] for k in t), max(others)]
        out.append(all(bool(a > b) for a, b in zip(values, values[1:], strict=False)))
    return torch.tensor(out, device=logits.device)


def median_norm(success, norms):
    far = torch.where(success, norms, torch.full_like(norms, float("inf")))
    return far.sort().values[(len(far) - 1) // 2]


def adversarial_training_step(model, optimizer, x, y, attack):
    with torch.no_grad():
        x_adv = attack(model, x, y)
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x_adv), y)
    loss.backward()
    optimizer.step()
    return loss.detach()
