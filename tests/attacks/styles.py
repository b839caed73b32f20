"""Right answers of Lecture 7 in three other styles than the course's own."""

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from helpers import attacks
from helpers.attacks.threat import cross_entropy


def slope(model, x, y, loss=cross_entropy):
    x = x.clone().detach()
    x.requires_grad = True
    with torch.enable_grad():
        return torch.autograd.grad(loss(model(x), y).mean(), x)[0]


# ------------------------------------------------------------------------------------------- 7.1, fgsm


def fgsm(model, x, y, *, eps, targeted=False):
    """By the mean loss; the direction as a factor."""
    return torch.clip(x + (1 - 2 * targeted) * eps * torch.sign(slope(model, x, y)), 0.0, 1.0)


def fgsm_2(model, x, y, *, eps, targeted=False):
    """On the perturbation, the network's mode saved and put back, the weights frozen meanwhile."""
    mode, frozen = model.training, [p for p in model.parameters() if p.requires_grad]
    model.eval()
    for p in frozen:
        p.requires_grad_(False)
    delta = torch.zeros_like(x, requires_grad=True)
    nn.CrossEntropyLoss()(model(x + delta), y).backward()
    for p in frozen:
        p.requires_grad_(True)
    model.train(mode)
    x_adv = x - eps * delta.grad.sign() if targeted else x + eps * delta.grad.sign()
    return torch.min(torch.max(x_adv, torch.zeros_like(x)), torch.ones_like(x))


def fgsm_3(model, x, y, *, eps, targeted=False):
    """Image by image, by log_softmax and torch.func."""

    def loss(image, label):
        return -model(image[None]).log_softmax(1)[0].gather(0, label[None])[0]

    g = torch.stack([torch.func.grad(loss)(image, label) for image, label in zip(x, y, strict=True)])
    return (x + (-eps if targeted else eps) * (g > 0).to(x) - (-eps if targeted else eps) * (g < 0).to(x)).clamp(0, 1)


# ---------------------------------------------------------------------------- 7.2 and 7.3, projections


def project_l2(delta, eps):
    """Row by row."""
    return torch.stack([d if d.norm() <= eps else eps * d / d.norm() for d in delta])


def project_l2_2(delta, eps):
    """The factor min(1, eps / norm), by einsum."""
    flat = delta.reshape(len(delta), -1)
    length = torch.einsum("nd,nd->n", flat, flat).sqrt()
    return delta * (eps / length).clamp(max=1).reshape([-1] + [1] * (delta.dim() - 1))


def project_l2_3(delta, eps):
    """A small number under the fraction, as many libraries have it; renorm does the rest."""
    axes = tuple(range(1, delta.ndim))
    length = torch.linalg.vector_norm(delta, dim=axes, keepdim=True)
    return torch.where(length <= eps, delta, delta.div(length + 1e-12) * eps)


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


def project_l1_2(delta, eps):
    """Duchi's algorithm, row by row, in plain Python; points inside are left out at once."""
    out = delta.clone()
    for n, d in enumerate(delta.flatten(1)):
        if d.abs().sum() <= eps:
            continue
        total, theta = 0.0, 0.0
        for j, u in enumerate(sorted(d.abs().tolist(), reverse=True), 1):
            total += u
            if u > (total - eps) / j:
                theta = (total - eps) / j
        out[n] = (d.sign() * torch.relu(d.abs() - theta)).view_as(delta[n])
    return out


def project_l1_3(delta, eps):
    """The largest of all theta_j is theta_rho: no rho is needed."""
    flat = delta.flatten(1)
    u, _ = torch.sort(flat.abs(), dim=-1, descending=True)
    theta = ((torch.cumsum(u, -1) - eps) / torch.arange(1, flat.shape[1] + 1, device=flat.device)).amax(-1)
    return (
        F.softshrink(flat, 0).sub(flat.clamp(-theta.clamp(min=0)[:, None], theta.clamp(min=0)[:, None])).view_as(delta)
    )


# ---------------------------------------------------------------------------------- 7.4, deepfool_step


def deepfool_step(logits, jacobian, y):
    """Image by image, class by class."""
    steps = []
    for z, w, label in zip(logits, jacobian, y.tolist(), strict=True):
        found = [(math.inf, torch.zeros_like(w[0]))]
        for k in range(len(z)):
            f, normal = (z[k] - z[label]).abs(), w[k] - w[label]
            if k != label and normal.norm() > 0:
                found.append((float(f / normal.norm()), f / normal.square().sum() * normal))
        steps.append(min(found, key=lambda pair: pair[0])[1])
    return torch.stack(steps)


def deepfool_step_2(logits, jacobian, y):
    """The formula to the letter, on gathered rows; 0/0 and f/0 put right afterwards."""
    n = torch.arange(logits.shape[0], device=logits.device)
    f = logits - logits.gather(1, y[:, None])
    w = jacobian - jacobian[n, y].unsqueeze(1)
    size = w.flatten(2).norm(p=2, dim=-1)
    ratio = f.abs() / size
    ratio[size == 0] = float("inf")
    chosen = ratio.argmin(dim=1)
    length = f[n, chosen].abs() / size[n, chosen] ** 2
    length[size[n, chosen] == 0] = 0.0
    return torch.einsum("n,n...->n...", length, w[n, chosen])


def deepfool_step_3(logits, jacobian, y):
    """All candidate steps at once; y is masked by one_hot, what has no boundary is clamped away."""
    own = F.one_hot(y, logits.shape[1]).bool()
    f = logits - logits[own][:, None]
    w = (jacobian - jacobian[own][:, None]).flatten(2)
    square = (w * w).sum(2)
    steps = f.abs()[:, :, None] / square.clamp(min=1e-30)[:, :, None] * w
    length = torch.where(own | (square == 0), math.inf, steps.norm(dim=2))
    best = length.min(dim=1).indices
    return steps[range(len(y)), best].reshape(jacobian[:, 0].shape)


# ----------------------------------------------------------------------------- 7.5 and 7.6, iterations


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


# ----------------------------------------------------------------------------- 7.7 and 7.8, objectives


def carlini_wagner_objective(x_adv, x, logits, y, *, c, kappa=0.0, targeted=False):
    own = F.one_hot(y, logits.shape[1]).bool()
    gap = logits[own] - logits.masked_fill(own, -1e9).max(1).values
    gap = -gap if targeted else gap
    return ((x_adv - x) ** 2).flatten(1).sum(1) + c * torch.maximum(gap, torch.full_like(gap, -kappa))


def carlini_wagner_objective_2(x_adv, x, logits, y, *, c, kappa=0.0, targeted=False):
    """As the authors' code has it: 10^4 taken off, relu with kappa inside."""
    one_hot = torch.eye(logits.shape[1], dtype=logits.dtype, device=logits.device)[y]
    real = (one_hot * logits).sum(1)
    other = ((1 - one_hot) * logits - one_hot * 1e4).max(1)[0]
    gap = other - real if targeted else real - other
    return (x_adv - x).pow(2).reshape(len(x), -1).sum(-1) + c * (torch.relu(gap + kappa) - kappa)


def carlini_wagner_objective_3(x_adv, x, logits, y, *, c, kappa=0.0, targeted=False):
    """Image by image."""
    values = []
    for n in range(len(x)):
        z = logits[n]
        rest = torch.cat([z[: y[n]], z[y[n] + 1 :]])
        m = rest.max() - z[y[n]] if targeted else z[y[n]] - rest.max()
        weight = c[n] if isinstance(c, torch.Tensor) and c.ndim else c
        values.append(torch.sum((x_adv[n] - x[n]) ** 2) + weight * m.clamp(min=-kappa))
    return torch.stack(values)


def jsma_saliency(alpha, beta):
    return F.relu(alpha) * F.relu(-beta)


def jsma_saliency_2(alpha, beta):
    out = torch.zeros_like(alpha)
    keep = torch.logical_and(alpha > 0, beta < 0)
    out[keep] = alpha[keep] * torch.abs(beta[keep])
    return out


def jsma_saliency_3(alpha, beta):
    return ((alpha > 0) & (beta < 0)) * alpha * -beta


# --------------------------------------------------------------------------------- 7.9, universal_step


def universal_step(model, x, y, delta, *, eps, step):
    d = delta.detach().clone().requires_grad_()
    with torch.enable_grad():
        value = F.cross_entropy(model(torch.clamp(x + d[None], 0, 1)), y, reduction="sum")
        (g,) = torch.autograd.grad(value, d)
    return torch.clamp(delta + step * torch.sign(g), -eps, eps)


def universal_step_2(model, x, y, delta, *, eps, step):
    """The gradient in the pictures, where they can move, added up."""
    z = (x + delta).clamp(0, 1).requires_grad_(True)
    g = torch.autograd.grad(F.cross_entropy(model(z), y), z)[0]
    free = (x + delta >= 0) & (x + delta <= 1)
    return (delta + step * (g * free).sum(dim=0).sign()).clip(min=-eps, max=eps)


def universal_step_3(model, x, y, delta, *, eps, step):
    """By torch.func, image by image."""

    def mean_loss(d):
        losses = [-model((a + d).clamp(0, 1)[None]).log_softmax(1)[0, k] for a, k in zip(x, y.tolist(), strict=True)]
        return sum(losses) / len(losses)

    new = delta + step * torch.func.grad(mean_loss)(delta).detach().sign()
    return torch.maximum(torch.minimum(new, torch.full_like(new, eps)), torch.full_like(new, -eps))


# --------------------------------------------------------------------------------- 7.10, top_k_success


def top_k_success(logits, targets):
    """One by one."""
    out = []
    for z, t in zip(logits, targets.tolist(), strict=True):
        others = [z[k] for k in range(len(z)) if k not in t]
        values = [*(z[k] for k in t), max(others)]
        out.append(all(bool(a > b) for a, b in zip(values, values[1:], strict=False)))
    return torch.tensor(out, device=logits.device)


def top_k_success_2(logits, targets):
    """The order by topk, and no tie among the first k + 1."""
    k = targets.size(1)
    top = logits.topk(k + 1, dim=1)
    return (top.indices[:, :k] == targets).all(dim=1) & (top.values[:, :k] > top.values[:, 1:]).all(dim=1)


def top_k_success_3(logits, targets):
    """By the gaps of the attack; by places taken out one after the other."""
    left, ok = logits.clone(), torch.ones(len(logits), dtype=torch.bool, device=logits.device)
    for j in range(targets.shape[1]):
        own = left.gather(1, targets[:, [j]])
        left.scatter_(1, targets[:, [j]], -math.inf)
        ok &= own[:, 0] > left.max(dim=1).values
    return ok


# ----------------------------------------------------------------------------------- 7.11, median_norm


def median_norm(success, norms):
    far = torch.where(success, norms, torch.full_like(norms, float("inf")))
    return far.sort().values[(len(far) - 1) // 2]


def median_norm_2(success, norms):
    """The least norm of a success within which at least half of the images lie."""
    found = norms[success].sort().values
    need = math.ceil(len(norms) / 2)
    return found[need - 1] if len(found) >= need else norms.new_tensor(math.inf)


def median_norm_3(success, norms):
    far = norms.clone()
    far[~success] = np.inf
    return torch.kthvalue(far, (far.numel() + 1) // 2)[0]


# --------------------------------------------------------------------- 7.12, adversarial_training_step


def adversarial_training_step(model, optimizer, x, y, attack):
    with torch.no_grad():
        x_adv = attack(model, x, y)
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x_adv), y)
    loss.backward()
    optimizer.step()
    return loss.detach()


def adversarial_training_step_2(model, optimizer, x, y, attack):
    """The attack in evaluation mode, the mode saved and put back."""
    mode = model.training
    model.eval()
    x_adv = attack(model, x, y).detach().clone()
    model.train(mode)
    model.zero_grad(set_to_none=False)
    loss = -model(x_adv).log_softmax(dim=1)[torch.arange(len(y)), y].mean()
    loss.backward()
    optimizer.step()
    return loss.detach().clone()


def adversarial_training_step_3(model, optimizer, x, y, attack):
    """Gradients asked for and handed to the optimiser; model.train() as every tutorial has it."""
    model.train()
    x_adv = attack(model, x, y).data
    weights = list(model.parameters())
    loss = nn.CrossEntropyLoss()(model(x_adv), y)
    for w, g in zip(weights, torch.autograd.grad(loss, weights), strict=True):
        w.grad = g
    optimizer.step()
    return torch.tensor(loss.item(), dtype=loss.dtype, device=loss.device)
