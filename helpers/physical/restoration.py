r"""A face out of its descriptor, by queries alone: pictures are shown to a network, which answers with descriptors,
until one answer is near to the descriptor e that is known. Neither the weights nor a gradient are seen.

Small grey pictures (N, 1, h, w) are searched; `shown` makes of them what the network sees.
Razzhigaev et al. 2020 (blobs), 2021 (eigenfaces).
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from helpers import checks
from helpers.faceid.networks import SIDE
from helpers.physical.queries import check_values, nes_gradient

Embed = Callable[[Tensor], Tensor]  # (M, 1, h, w) in [0, 1] -> (M, d)


class Basis(NamedTuple):
    """mean (1, h, w), directions (k, 1, h, w) of length 1, the standard deviation of the faces along each (k,)."""

    mean: Tensor
    directions: Tensor
    scale: Tensor


class Path(NamedTuple):
    """After each of T steps: queries for each face (T,), |f(x) - e| (T, N), codes of the pictures (T, N, k)."""

    queries: Tensor
    distance: Tensor
    code: Tensor


def shown(x: Tensor) -> Tensor:
    """Small grey faces as the descriptor's network sees them: (N, 1, h, w) -> (N, 3, 150, 150), bilinear."""
    return F.interpolate(x, size=(SIDE, SIDE), mode="bilinear", align_corners=False).expand(-1, 3, -1, -1)


def check_pair(target: Tensor, budget: int, samples: int) -> None:
    """Raise ValueError unless target is (N, d) and finite, and the budget allows for one step."""
    checks.whole("samples", samples)
    if target.ndim != 2 or target.numel() == 0 or not target.isfinite().all():
        raise ValueError(f"target must be finite descriptors (N, d), got {tuple(target.shape)}")
    if not budget > samples:
        raise ValueError(f"budget must be larger than samples = {samples}, got {budget}")


# Eigenfaces.


def eigenfaces(faces: Tensor, k: int) -> Basis:
    r"""The k directions along which faces vary most: x = mean + sum_j s_j z_j v_j,  z_j of variance 1.

    faces (M, 1, h, w); v from the singular value decomposition of the centred faces, its sign such that
    sum v^3 > 0; s_j^2 the variances.
    Raises ValueError unless 1 <= k < M. Turk & Pentland 1991.
    """
    checks.whole("k", k)
    if faces.ndim != 4 or k >= len(faces):
        raise ValueError(f"k must be smaller than the number of faces (M, 1, h, w), got {k} and {tuple(faces.shape)}")
    mean = faces.mean(0)
    _, s, v = torch.linalg.svd((faces - mean).flatten(1).double(), full_matrices=False)
    v = v[:k] * v[:k].pow(3).sum(1, keepdim=True).sign()
    return Basis(mean, v.view(k, *mean.shape).to(faces), (s[:k] / math.sqrt(len(faces) - 1)).to(faces))


def face_of(basis: Basis, z: Tensor) -> Tensor:
    """clip(mean + sum_j s_j z_j v_j) to [0, 1]: z (N, k) -> (N, 1, h, w)."""
    return (basis.mean + torch.einsum("nk,kchw->nchw", z * basis.scale, basis.directions)).clamp(0, 1)


@torch.no_grad()
def restore(
    embed: Embed,
    target: Tensor,
    basis: Basis,
    *,
    budget: int,
    samples: int = 40,
    sigma: float = 0.3,
    rate: float = 0.1,
    generator: Generator | None = None,
) -> Path:
    r"""z <- z + rate (1 - t/T) m / rms(m),  m <- 0.9 m + 0.1 g,  g by nes_gradient of  -|f(x(z)) - e|^2,  from z = 0.

    x(z) by eigenfaces; samples / 2 pairs a step and one query more for the distance. target e (N, d): N faces, each its
    own search. Raises ValueError for other targets, odd samples, a budget below one step, answers that are not finite.
    """
    check_pair(target, budget, samples)
    if samples % 2:
        raise ValueError(f"samples must be even, got {samples}")
    n, k, steps = len(target), len(basis.scale), budget // (samples + 1)

    def nearness(z: Tensor) -> Tensor:
        found = embed(face_of(basis, z.flatten(0, 1))).view(len(z), *target.shape)
        return -(found - target).square().sum(2)

    z, path = target.new_zeros(n, k), list[tuple[Tensor, Tensor]]()
    m = torch.zeros_like(z)
    for t in range(steps):
        xi = torch.randn((samples // 2, n, k), generator=generator, device=z.device, dtype=z.dtype)
        m = 0.9 * m + 0.1 * nes_gradient(nearness, z, xi, sigma=sigma)
        z = z + rate * (1 - t / steps) * m / m.square().mean(1, keepdim=True).sqrt().clamp(min=1e-12)
        path.append(((-nearness(z[None])[0]).sqrt(), z))
    distance, code = (torch.stack(part) for part in zip(*path, strict=True))
    return Path((samples + 1) * torch.arange(1, steps + 1), distance, code)


# Gaussian blobs.


def gaussian_blob(centre: Tensor, sigma: Tensor, amplitude: Tensor, size: tuple[int, int]) -> Tensor:
    r"""B(u, v) = a exp(-((u - c_x)^2 + (v - c_y)^2) / (2 sigma^2)),  u = 0 ... W - 1 across, v = 0 ... H - 1 down.

    centre c (..., 2) as x, y in pixels, sigma > 0 and amplitude a (...), size (H, W) -> (..., H, W).
    Raises ValueError for other shapes, or sigma that is not positive.
    """
    check_blob(centre, sigma, amplitude)
    v, u = (torch.arange(length, device=centre.device, dtype=centre.dtype) for length in size)
    across, down = ((at - c[..., None]).square() for at, c in zip((u, v), centre.unbind(-1), strict=True))
    squared = across[..., None, :] + down[..., :, None]
    return amplitude[..., None, None] * torch.exp(-squared / (2 * sigma[..., None, None] ** 2))


def check_blob(centre: Tensor, sigma: Tensor, amplitude: Tensor) -> None:
    """Raise ValueError unless centre is (..., 2), sigma > 0 and amplitude (...)."""
    if centre.shape[-1:] != (2,) or not centre.shape[:-1] == sigma.shape == amplitude.shape:
        shapes = [tuple(part.shape) for part in (centre, sigma, amplitude)]
        raise ValueError(f"centre must be (..., 2), sigma and amplitude (...), got {shapes}")
    if not ((sigma > 0) & sigma.isfinite()).all():
        raise ValueError(f"sigma must be positive and finite, got {sigma}")


def symmetric(x: Tensor) -> Tensor:
    """x and its mirror image, added: (..., H, W), the same left and right."""
    return x + x.flip(-1)


def drawn_blobs(n: int, progress: float, side: int, generator: Generator | None = None) -> Tensor:
    """n blobs (n, 4), x, y, sigma, amplitude: anywhere, sigma around side / 5 at first and side / 25 in the end,
    amplitude up to 0.2 either way."""
    u = torch.rand((n, 4), generator=generator)
    sigma = side / 5 * 0.2**progress * 2 ** (2 * u[:, 2] - 1)
    return torch.stack([(side - 1) * u[:, 0], (side - 1) * u[:, 1], sigma, 0.4 * u[:, 3] - 0.2], 1)


def painted(blobs: Tensor, size: tuple[int, int]) -> Tensor:
    """The symmetric pairs of blobs (..., 4), x, y, sigma, amplitude, each as a picture (..., H, W)."""
    return symmetric(gaussian_blob(blobs[..., :2], blobs[..., 2], blobs[..., 3], size))


@torch.no_grad()
def restore_by_blobs(
    embed: Embed, target: Tensor, start: Tensor, *, budget: int, samples: int = 30, generator: Generator | None = None
) -> Path:
    r"""x <- x + B + mirrored B, for that of `samples` random blobs whose answer is nearest to e, if nearer than before.

    start (1, h, w) in [0, 1]; the network sees clip(x) to [0, 1]. The code of the path is the blob of each step
    (T, N, 4), of amplitude 0 where none helped: `replayed` makes pictures of them. Raises ValueError as `restore` does.
    """
    check_pair(target, budget, samples)
    size, n, steps = (start.shape[1], start.shape[2]), len(target), budget // samples
    x, path = start.expand(n, *start.shape).clone(), list[tuple[Tensor, Tensor]]()
    best = (embed(x) - target).norm(dim=1)
    for t in range(steps):
        blobs = drawn_blobs(n * samples, t / steps, start.shape[2], generator).view(n, samples, 4)
        tried = x[:, None] + painted(blobs, size)[:, :, None]
        answers = embed(tried.clamp(0, 1).flatten(0, 1)).view(n, samples, -1)
        distance = check_values((answers - target[:, None]).norm(dim=2), (n, samples))
        nearest, chosen = distance.min(1)
        better, rows = nearest < best, torch.arange(n)
        blob = blobs[rows, chosen]
        blob[:, 3] *= better
        x = torch.where(better[:, None, None, None], tried[rows, chosen], x)
        best = torch.where(better, nearest, best)
        path.append((best, blob))
    distances, code = (torch.stack(part) for part in zip(*path, strict=True))
    return Path(1 + samples * torch.arange(1, steps + 1), distances, code)


def replayed(start: Tensor, blobs: Tensor) -> Tensor:
    """The picture after all of the blobs (T, N, 4), from start (1, h, w): (N, 1, h, w) in [0, 1]."""
    return (start + painted(blobs, (start.shape[1], start.shape[2])).sum(0)[:, None]).clamp(0, 1)
