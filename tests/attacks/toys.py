"""Small networks with known answers, their images, and every attack with settings for them."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from helpers import attacks as A
from helpers.attacks import blackbox as B, gradient as G, minimum_norm as M

INF = math.inf


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def linear(classes: int = 2, shape: tuple[int, ...] = (1, 6, 6), seed: int = 0) -> nn.Sequential:
    """Random affine logits in float64."""
    d = math.prod(shape)
    model = nn.Sequential(nn.Flatten(), nn.Linear(d, classes)).double()
    with torch.no_grad():
        model[1].weight.copy_(torch.randn(classes, d, generator=generator(seed), dtype=torch.float64))
        model[1].bias.copy_(0.1 * torch.randn(classes, generator=generator(seed + 1), dtype=torch.float64))
    return model


def network(seed: int = 0, dtype: torch.dtype = torch.float64) -> nn.Sequential:
    """A small random CNN with steep logits, in float64."""
    torch.manual_seed(seed)
    layers = nn.Conv2d(1, 8, 3, 2, 1), nn.ReLU(), nn.Dropout(0.5), nn.Flatten(), nn.Linear(72, 5)
    model = nn.Sequential(*layers).to(dtype)
    with torch.no_grad():
        model[-1].weight.mul_(8)
    return model.eval()


def batch(model: nn.Module, n: int = 8, shape: tuple[int, ...] = (1, 6, 6), seed: int = 3) -> tuple[Tensor, Tensor]:
    """Grey images away from the bounds, labelled as the model sees them."""
    dtype = next(model.parameters()).dtype
    x = 0.4 + 0.2 * torch.rand((n, *shape), generator=generator(seed), dtype=dtype)
    with torch.no_grad():
        return x, model(x).argmax(1)


ATTACKS: dict[str, Callable[..., Tensor]] = {
    "fgsm": lambda m, x, y, **k: A.fgsm(m, x, y, eps=0.1, **k),
    "bim": lambda m, x, y, **k: A.bim(m, x, y, eps=0.1, steps=5, **k),
    "mi_fgsm": lambda m, x, y, **k: A.mi_fgsm(m, x, y, eps=0.1, steps=5, **k),
    "random_start_fgsm": lambda m, x, y, **k: G.random_start_fgsm(m, x, y, eps=0.1, generator=generator(), **k),
    "pgd_linf": lambda m, x, y, **k: A.pgd_linf(m, x, y, eps=0.1, steps=5, generator=generator(), **k),
    "pgd_l2": lambda m, x, y, **k: A.pgd_l2(m, x, y, eps=0.5, steps=5, generator=generator(), **k),
    "pgd_l1": lambda m, x, y, **k: A.pgd_l1(m, x, y, eps=2.0, steps=5, fraction=0.1, generator=generator(), **k),
    "pgd_l0": lambda m, x, y, **k: A.pgd_l0(m, x, y, budget=4, steps=5, **k),
    "carlini_wagner": lambda m, x, y, **k: A.carlini_wagner(m, x, y, steps=20, rounds=4, rate=0.1, **k),
    "lbfgs": lambda m, x, y, **k: A.lbfgs(m, x, y, steps=5, rounds=4, **k),
    "jsma": lambda m, x, y, **k: A.jsma(m, x, y, budget=8, **k),
    "square": lambda m, x, y, **k: B.square(m, x, y, eps=0.1, steps=20, generator=generator(), **k),
    "square_l2": lambda m, x, y, **k: B.square(m, x, y, eps=0.5, steps=20, p=2, generator=generator(), **k),
    "one_pixel": lambda m, x, y, **k: B.one_pixel(m, x, y, steps=5, population=10, generator=generator(), **k),
    "deepfool": lambda m, x, y: M.deepfool(m, x, y),
    "fab": lambda m, x, y: A.fab(m, x, y, steps=10),
}
TARGETED = [name for name in ATTACKS if name not in ("deepfool", "fab")]
DETERMINISTIC = ["fgsm", "bim", "mi_fgsm", "pgd_l0", "carlini_wagner", "lbfgs", "jsma", "deepfool", "fab"]
