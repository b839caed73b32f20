r"""Attacks that see only the logits: random search with squares, differential evolution of pixels, and transfer.

Called like those of helpers.attacks: attack(model, x, y, *, eps or budget, steps, ..., targeted=False, generator=None).
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Generator, Tensor

from helpers.attacks.projections import PROJECTIONS, Eps, per_image, spread
from helpers.attacks.threat import Model, attack, evaluating, goal, margin
from helpers.checks import at_least

HALVINGS = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)  # shares of the steps: there a square's area is halved


def side(step: int, steps: int, pixels: int, area: float = 0.8) -> int:
    """The side of the square tried at a step: `area` of the picture at first, then halved again and again; >= 1."""
    halved = area / 2 ** sum(step > share * steps for share in HALVINGS)
    return max(1, round(math.sqrt(halved * pixels)))


@attack
def square(
    model: Model,
    x: Tensor,
    y: Tensor,
    *,
    eps: Eps,
    steps: int,
    p: float = math.inf,
    targeted: bool = False,
    generator: Generator | None = None,
) -> Tensor:
    r"""delta' = P(delta + u 1_S), S a random square, u = +-a in each channel; kept where the margin falls.

    P onto the l_p ball, p in {1, 2, inf}; S shrinks as the search goes on; a gives u 1_S the l_p norm 2 eps in a
    channel, so that for p = inf every pixel of S becomes +-eps. Starts from vertical stripes. Images x (N, C, H, W);
    one query a step and image until success. Andriushchenko et al. 2019, algorithms 1 and 2 (p = inf); p = 1, 2
    follow the same plan.
    """
    if p not in PROJECTIONS:
        raise ValueError(f"p must be 1, 2 or inf, got {p}")
    at_least("steps", steps, 1)
    eps, (n, channels, height, width) = per_image(eps, x), x.shape
    like: dict[str, Any] = {"generator": generator, "device": x.device}
    rows, columns = (torch.arange(size, device=x.device) for size in (height, width))

    def signs(*shape: int) -> Tensor:
        return (2 * torch.randint(2, shape, **like) - 1).to(x.dtype)

    stripes = eps * signs(n, channels, 1, width).expand_as(x) / (x[0].numel() ** (1 / p))
    delta = (x + stripes).clamp(0, 1) - x
    with torch.no_grad():
        gap = goal(model(x + delta), y, targeted)
        for step in range(steps):
            s = side(step, steps, height * width)
            top, left = (torch.randint(size - min(s, size) + 1, (n, 1), **like) for size in (height, width))
            u = signs(n, channels, 1, 1) * 2 * eps / (s * s) ** (1 / p)
            active = (gap >= 0).nonzero()[:, 0]
            if not len(active):
                break
            first = ((rows, top[active]), (columns, left[active]))
            down, across = ((i >= corner) & (i < corner + s) for i, corner in first)
            window = (down[:, :, None] & across[:, None])[:, None]
            moved = PROJECTIONS[p](delta[active] + u[active] * window, eps[active])
            moved = (x[active] + moved).clamp(0, 1)
            value = goal(model(moved), y[active], targeted)
            better = value < gap[active]
            delta[active] = torch.where(spread(better, moved), moved - x[active], delta[active])
            gap[active] = torch.where(better, value, gap[active])
    return (x + delta).clamp(0, 1)


def paint(x: Tensor, genes: Tensor) -> Tensor:
    """x (N, C, H, W), pixels set by genes (N, P, k, 2 + C), (row, column, values) in [0, 1] -> (N, P, C, H, W)."""
    n, channels, height, width = x.shape
    row, column = ((genes[..., i] * size).long().clamp(max=size - 1) for i, size in ((0, height), (1, width)))
    place = (row * width + column)[:, :, None].expand(-1, -1, channels, -1)
    painted = x.flatten(2)[:, None].expand(-1, genes.shape[1], -1, -1).scatter(3, place, genes[..., 2:].transpose(2, 3))
    return painted.view(n, -1, *x.shape[1:])


def distinct_triples(n: int, population: int, device: torch.device, generator: Generator | None) -> Sequence[Tensor]:
    """Three different members of the population for each place in it: three tensors (n, population) of indices."""
    first, a, b = (torch.randint(population - i, (n, population), generator=generator, device=device) for i in range(3))
    b = (a + 1 + b) % (population - 1)
    return first, (first + 1 + a) % population, (first + 1 + b) % population


@attack
def one_pixel(
    model: Model,
    x: Tensor,
    y: Tensor,
    *,
    budget: int = 1,
    steps: int = 30,
    population: int = 100,
    chunk: int = 4096,
    targeted: bool = False,
    generator: Generator | None = None,
) -> Tensor:
    r"""Differential evolution of candidates, budget times (row, column, values):  child_i = c_a + (c_b - c_d) / 2,
    a, b, d different; a child takes its parent's place where its margin is no larger. An image stops at its success.

    At most budget pixels change (all channels of a pixel together). population (steps + 1) queries at most; the model
    sees at most chunk images at once. Images x (N, C, H, W). Su et al. 2017, section 3.2.
    """
    at_least("budget", budget, 1)
    at_least("population", population, 4)
    n, channels = x.shape[:2]
    genes = torch.rand((n, population, budget, 2 + channels), generator=generator, device=x.device, dtype=x.dtype)

    def gaps(active: Tensor, candidates: Tensor) -> Tensor:
        pictures = paint(x[active], candidates).flatten(0, 1)
        labels = y[active].repeat_interleave(population)
        return torch.cat(
            [goal(model(a), b, targeted) for a, b in zip(pictures.split(chunk), labels.split(chunk), strict=True)]
        ).view(-1, population)

    with torch.no_grad():
        gap = gaps(torch.arange(n, device=x.device), genes)
        for _ in range(steps):
            triples = distinct_triples(n, population, x.device, generator)
            active = (gap.amin(1) >= 0).nonzero()[:, 0]
            if not len(active):
                break
            a, b, c = (genes[active[:, None], i[active]] for i in triples)
            child = (a + 0.5 * (b - c)).clamp(0, 1)
            value = gaps(active, child)
            better = value <= gap[active]
            genes[active] = torch.where(better[:, :, None, None], child, genes[active])
            gap[active] = torch.where(better, value, gap[active])
    return paint(x, genes[torch.arange(n), gap.argmin(1)][:, None])[:, 0]


@torch.no_grad()
def transferred(
    models: Sequence[Model], x: Tensor, y: Tensor, attack: Callable[[Model, Tensor, Tensor], Tensor]
) -> Tensor:
    r"""A_ijn: does image n fool model j when crafted on model i? Of the n that all models classify well.

    -> (models, models, images) bool, on the CPU.
    """
    right = torch.ones_like(y, dtype=torch.bool)
    for model in models:
        with evaluating(model):
            right &= margin(model(x), y) > 0
    x, y = x[right], y[right]
    fooled = torch.zeros(len(models), len(models), len(x), dtype=torch.bool)
    for i, source in enumerate(models if len(x) else ()):
        x_adv = attack(source, x, y)
        for j, model in enumerate(models):
            with evaluating(model):
                fooled[i, j] = (margin(model(x_adv), y) < 0).cpu()
    return fooled


def paired(fooled: Tensor, i: int, j: int) -> tuple[float, float]:
    """How much more the examples of model i fool than those of model j, on the targets that both share, and its
    standard error over the images; fooled (models, models, images) is what `transferred` returns."""
    shared = [k for k in range(len(fooled)) if k not in (i, j)]
    difference = fooled[i, shared].double().mean(0) - fooled[j, shared].double().mean(0)
    return difference.mean().item(), difference.std().item() / math.sqrt(len(difference))
