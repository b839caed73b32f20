"""Right answers of Lecture 7 in three other styles than the course's own: steps along a gradient."""

import torch
from torch import nn
from torch.nn import functional as F

from helpers.attacks.threat import cross_entropy


def slope(model, x, y, loss=cross_entropy):
    x = x.clone().detach()
    x.requires_grad = True
    with torch.enable_grad():
        return torch.autograd.grad(loss(model(x), y).mean(), x)[0]


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
