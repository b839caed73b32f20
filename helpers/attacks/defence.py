r"""Training against attacks: PGD and FGSM training, TRADES; and a net that hides its gradients."""

import copy
import math
from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor, nn

from helpers.attacks.gradient import ascend
from helpers.attacks.projections import Eps, clip_linf, per_image, random_in_ball
from helpers.attacks.threat import Model, attack, cross_entropy
from helpers.checks import at_least
from helpers.training import History, fit


def adversarial_training_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    x: Tensor,
    y: Tensor,
    attack: Callable[[Model, Tensor, Tensor], Tensor],
) -> Tensor:
    r"""One step on min_theta E max_delta L(theta; x + delta, y): x_adv = attack(model, x, y), then the optimiser's
    step on the mean cross-entropy at x_adv. Returns that loss, before the step, as a scalar. Madry et al. 2017,
    equation 2.1.

    Raises ValueError, before the step, when the loss is not finite: one such step ruins all weights.
    """
    x_adv = attack(model, x, y)
    loss = cross_entropy(model(x_adv.detach()), y).mean()
    if not loss.isfinite():
        raise ValueError(f"the loss at x_adv must be finite, got {loss.item()}: no step was taken")
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


def adversarial_loss(
    attack: Callable[[Model, Tensor, Tensor], Tensor],
) -> Callable[[nn.Module, Tensor, Tensor], Tensor]:
    r"""L(model, x, y) = mean cross-entropy at attack(model, x, y), for helpers.training.fit. Madry et al. 2017,
    equation 2.1."""
    return lambda model, x, y: cross_entropy(model(attack(model, x, y).detach()), y).mean()


def kl_divergence(logits: Tensor, reference: Tensor) -> Tensor:
    r"""KL(r || p) = sum_k r_k log(r_k / p_k),  p = softmax(logits): (N, K), reference r (N, K) -> (N,)."""
    return nn.functional.kl_div(logits.log_softmax(1), reference, reduction="none").sum(1)


@attack
def trades_attack(
    model: Model,
    x: Tensor,
    y: Tensor,
    *,
    eps: Eps,
    steps: int,
    step: Eps | None = None,
    generator: Generator | None = None,
) -> Tensor:
    r"""PGD in the l_inf ball on KL(p(x) || p(x + delta)), from a random point: no label is used (y is only checked).

    step: 2 eps / steps unless given. The iterate with the largest divergence is returned. Zhang et al. 2019,
    algorithm 1.
    """
    eps = per_image(eps, x)
    step = 2 * eps / steps if step is None else per_image(step, x, "step")
    project = clip_linf(x, eps)
    with torch.no_grad():
        reference = model(x).softmax(1)
    return ascend(
        model,
        reference,
        lambda z, g: project(z + step * g.sign()),
        start=project(x + random_in_ball(x, eps, math.inf, generator)),
        steps=steps,
        loss=kl_divergence,
        gap=lambda z, r: -kl_divergence(z, r),
    )


def trades_loss(logits: Tensor, logits_adv: Tensor, y: Tensor, beta: float) -> Tensor:
    r"""mean_n [-log p_y(x) + beta KL(p(x) || p(x_adv))]: accuracy plus beta times stability. (N, K) twice, (N,) ->
    scalar.

    beta is the paper's 1 / lambda. Raises ValueError for beta < 0. Zhang et al. 2019, equation 5.
    """
    at_least("beta", beta, 0)
    return (cross_entropy(logits, y) + beta * kl_divergence(logits_adv, logits.softmax(1))).mean()


PHASES = ((4, 3), (3, 5), (6, 10))  # (epochs, steps of the inner attack)


def train_trades(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    eps: float = 0.3,
    beta: float = 6.0,
    phases: Sequence[tuple[int, int]] = PHASES,
    batch_size: int = 128,
    rate: float = 1e-3,
    averaging: float = 0.998,
    generator: Generator | None = None,
    progress: bool = True,
) -> History:
    r"""TRADES with Adam: eps grows linearly over the first phase, the rate falls as a cosine over the last one, and the
    weights' running average, theta' <- averaging theta' + (1 - averaging) theta, is what the model holds in the end.

    phases: (epochs, inner steps) each. From large eps at once a small net ends at a constant prediction.
    """
    epoch = len(x) // batch_size
    inner = [k for epochs, k in phases for _ in range(epochs * epoch)]
    ramp, flat = phases[0][0] * epoch, len(inner) - phases[-1][0] * epoch
    average, now = copy.deepcopy(model), 0

    def loss(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        radius = eps * min(1, (now + 1) / ramp)
        x_adv = trades_attack(model, x, y, eps=radius, steps=inner[now], generator=generator)
        logits, logits_adv = model(torch.cat([x, x_adv])).chunk(2)
        return trades_loss(logits, logits_adv, y, beta)

    @torch.no_grad()
    def after_step(step: int) -> None:
        nonlocal now
        now = step + 1
        for old, new in zip(average.parameters(), model.parameters(), strict=True):
            old.lerp_(new, 1 - min(averaging, now / (now + 9)))

    def schedule(step: int) -> float:
        fall = 0.5 * (1 + math.cos(math.pi * max(0, step - flat) / (len(inner) - flat)))
        return rate * min(1, (step + 1) / 200) * fall

    optimizer = torch.optim.Adam(model.parameters(), rate)
    history = fit(
        model,
        loss,
        (x, y),
        optimizer,
        steps=len(inner),
        batch_size=batch_size,
        schedule=schedule,
        generator=generator,
        after_step=after_step,
        progress=progress,
    )
    model.load_state_dict(average.state_dict())
    return history


class Sharpened(nn.Module):
    """factor * logits: the same decisions, but the cross-entropy's gradient underflows to 0. A mask, not a defence."""

    def __init__(self, model: nn.Module, factor: float = 1000.0) -> None:
        super().__init__()
        self.model, self.factor = model, factor

    def forward(self, x: Tensor) -> Tensor:
        """(N, ...) -> logits (N, K)."""
        return self.factor * self.model(x)
