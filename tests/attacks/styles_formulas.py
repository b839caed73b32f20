"""Right answers of Lecture 7 in three other styles than the course's own: projections, objectives, what is measured."""

import math

import numpy as np
import torch
from torch.nn import functional as F


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
