"""Is a defence a mask? Lecture 7's checklist, and a rounding and a randomised defence and what sees through.

`Rounded` has no gradient, `Shaken` a random one: both look robust to an attack that takes the gradient as it comes.
"""

import math
from collections.abc import Callable

import torch
from torch import Generator, Tensor, nn

from helpers.attacks.apgd import apgd
from helpers.attacks.blackbox import square
from helpers.attacks.gradient import fgsm
from helpers.attacks.pgd import bim, pgd_linf
from helpers.attacks.threat import Loss, Model, cross_entropy, input_gradient, margin, outcome


def minus_margin(logits: Tensor, y: Tensor) -> Tensor:
    """-M: a loss that does not saturate, (N, K), (N,) -> (N,)."""
    return -margin(logits, y)


def checklist(
    model: Model, x: Tensor, y: Tensor, eps: float, *, other: Model, generator: Callable[[], Generator]
) -> dict[str, float]:
    """Accuracies under attacks that should agree on an honest network, and the share of gradients exactly 0.

    other: the network whose examples are transferred. generator() is a new one for each attack. The number before a
    name is that of the rule which it serves.
    """

    def left(x_adv: Tensor) -> float:
        return 1 - outcome(model, x, x_adv, y).success.double().mean().item()

    _, g = input_gradient(model, x, lambda z: cross_entropy(z, y))

    def pgd(m: Model, eps: float, loss: Loss = cross_entropy) -> float:
        return left(pgd_linf(m, x, y, eps=eps, steps=20, loss=loss, generator=generator()))

    return {
        "gradient exactly 0": (g.flatten(1) == 0).all(1).double().mean().item(),
        "1 FGSM": left(fgsm(model, x, y, eps=eps)),
        "1 PGD-20": pgd(model, eps),
        "2 square, 500 queries": left(square(model, x, y, eps=eps, steps=500, generator=generator())),
        "2 transferred PGD-20": pgd(other, eps),
        "3 PGD-20 at eps 0.6": pgd(model, 0.6),
        "4 PGD-20, the margin": pgd(model, eps, minus_margin),
        "4 from x itself": left(bim(model, x, y, eps=eps, steps=20, step=eps / 8)),
        "4 APGD-100": left(apgd(model, x, y, eps=eps, steps=100, generator=generator())),
    }


class Rounded(nn.Module):
    r"""model(round(x levels) / levels): each pixel to one of levels + 1 greys. Its gradient is 0 wherever it exists.

    straight: the backward pass takes the rounding for the identity (BPDA, Athalye et al. 2018, section 4.1).
    """

    def __init__(self, model: nn.Module, levels: int = 1, *, straight: bool = False) -> None:
        super().__init__()
        self.model, self.levels, self.straight = model, levels, straight

    def forward(self, x: Tensor) -> Tensor:
        """(N, ...) -> logits (N, K)."""
        rounded = (x * self.levels).round() / self.levels
        return self.model(x + (rounded - x).detach() if self.straight else rounded + 0 * x)


class Shaken(nn.Module):
    r"""log mean_{j <= draws} softmax(model(x + sigma xi_j)), xi ~ N(0, I): a random answer, a random gradient.

    draws = 1 is the defence. More draws give the gradient of the expected answer (EOT, Athalye et al. 2018, section
    4.2), which the attacker, who knows the law of xi, may take.
    """

    def __init__(self, model: nn.Module, sigma: float, draws: int = 1, *, generator: Generator | None = None) -> None:
        super().__init__()
        self.model, self.sigma, self.draws, self.generator = model, sigma, draws, generator

    def forward(self, x: Tensor) -> Tensor:
        """(N, ...) -> logits (N, K)."""
        many = x.repeat(self.draws, *[1] * (x.ndim - 1))
        xi = torch.randn(many.shape, generator=self.generator, device=x.device, dtype=x.dtype)
        log_p = self.model(many + self.sigma * xi).log_softmax(1).view(self.draws, len(x), -1)
        return log_p.logsumexp(0) - math.log(self.draws)
