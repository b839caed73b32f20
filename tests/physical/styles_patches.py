"""Right answers of Lecture 8 in three other styles than the course's own: patches, total variation, printing, EOT."""

import math

import torch
from torch.nn import functional as F

from helpers import physical


def apply_patch(x, patch, mask):
    """As in the paper, with an elementwise product of what is spread out first."""
    p, m = patch.expand_as(x), mask.expand(len(x), 1, *x.shape[2:])
    return x * (1 - m) + p * m


def apply_patch_2(x, patch, mask):
    """From the picture towards the patch."""
    return torch.lerp(x, patch.expand_as(x), mask.expand_as(x))


def apply_patch_3(x, patch, mask):
    """Picture by picture, channel by channel."""
    seen = []
    for k in range(len(x)):
        p = patch if patch.dim() == 3 else patch[k]
        m = (mask if mask.dim() == 3 else mask[k])[0]
        seen.append(torch.stack([x[k, c] + m * (p[c] - x[k, c]) for c in range(x.shape[1])]))
    return torch.stack(seen)


def total_variation(p):
    """Padded by the last row and column."""
    flat = p.reshape(-1, *p.shape[-3:])
    big = F.pad(flat, (0, 1, 0, 1), mode="replicate")
    across, down = big[..., :-1, 1:] - flat, big[..., 1:, :-1] - flat
    return torch.linalg.vector_norm(torch.stack([across, down], -1), dim=-1).sum((1, 2, 3)).reshape(p.shape[:-3])


def total_variation_2(p):
    """The root made safe by where; zeros in the places that have no neighbour."""
    across, down = torch.zeros_like(p), torch.zeros_like(p)
    across[..., :, :-1] = p[..., :, 1:] - p[..., :, :-1]
    down[..., :-1, :] = p[..., 1:, :] - p[..., :-1, :]
    squares = across * across + down * down
    safe = torch.where(squares > 0, squares, torch.ones_like(squares))
    return torch.where(squares > 0, safe.sqrt(), torch.zeros_like(p)).flatten(-3).sum(-1)


def total_variation_3(p):
    """A complex number at each pixel, of which the absolute value is taken."""
    h, w = p.shape[-2:]
    right = torch.arange(w, device=p.device).add(1).clamp(max=w - 1)
    below = torch.arange(h, device=p.device).add(1).clamp(max=h - 1)
    z = torch.complex(p[..., right] - p, p[..., below, :] - p)
    return z.abs().sum(-1).sum(-1).sum(-1)


def non_printability_score(p, printable):
    """All distances at once."""
    pixels = p.flatten(-2).mT.reshape(-1, p.shape[-3])
    apart = torch.linalg.vector_norm(pixels.unsqueeze(1) - printable.unsqueeze(0), dim=2)
    return apart.min(dim=1).values.reshape(*p.shape[:-3], -1).sum(-1)


def non_printability_score_2(p, printable):
    """Colour by colour, the least so far."""
    best = torch.full_like(p[..., 0, :, :], math.inf)
    for c in printable:
        best = torch.minimum(best, (p - c.view(-1, 1, 1)).norm(dim=-3))
    return best.flatten(-2).sum(-1)


def non_printability_score_3(p, printable):
    """The nearest colour is found first, without a gradient; its distance is computed after."""
    pixels = p.movedim(-3, -1)
    with torch.no_grad():
        nearest = (pixels.unsqueeze(-2) - printable).pow(2).sum(-1).argmin(-1)
    return (pixels - printable[nearest]).norm(dim=-1).sum(dim=(-1, -2))


def expectation_over_transformation(loss, x, shots):
    """Reshaped by n."""
    n = len(shots.angle) // len(x)
    return loss(physical.photograph(x, shots)).reshape(len(x), n).sum(dim=1) / n


def expectation_over_transformation_2(loss, x, shots):
    """Picture by picture."""
    n = len(shots.angle) // x.shape[0]
    means = []
    for k in range(x.shape[0]):
        photographs = physical.photograph(x[k : k + 1], shots.take(slice(k * n, (k + 1) * n)))
        means.append(loss(photographs).mean())
    return torch.stack(means)


def expectation_over_transformation_3(loss, x, shots):
    """Spread out first: one shot for each row."""
    n = shots.angle.shape[0] // x.shape[0]
    costs = loss(physical.photograph(x.repeat_interleave(n, dim=0), shots))
    return torch.stack([part.mean() for part in costs.split(n)])


def straight_through(f, x):
    """The gradient of nothing, added."""
    zero = x - x.detach()
    with torch.no_grad():
        y = f(x)
    return y + zero


def straight_through_2(f, x):
    """A function of autograd's own."""

    class Through(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return f(x).clone()

        @staticmethod
        def backward(ctx, g):
            return g

    return Through.apply(x)


def straight_through_3(f, x):
    """On a copy that nobody differentiates."""
    return torch.add(x.sub(x.detach()), f(x.clone().detach()))
