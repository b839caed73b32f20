r"""One perturbation for all images: aggregated DeepFool, stochastic gradients, singular vectors of Jacobians."""

import functools
import math
from collections.abc import Callable, Iterator

import torch
from torch import Generator, Tensor

from helpers.attacks.minimum_norm import deepfool
from helpers.attacks.projections import norm, per_image, project_l2, project_linf
from helpers.attacks.threat import Checked, Model, check_batch, cross_entropy, evaluating
from helpers.checks import at_least


def checked_step(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Decorate step(model, x, y, delta, *, eps, step): what comes in is checked as in every attack."""

    @functools.wraps(function)
    def checked(model: Model, x: Tensor, y: Tensor, delta: Tensor, *, eps: float, step: float) -> Tensor:
        check_batch(x, y)
        if delta.shape != x.shape[1:]:
            raise ValueError(f"delta must have the shape of one image, {tuple(x.shape[1:])}, got {tuple(delta.shape)}")
        per_image(eps, x[:1])
        per_image(step, x[:1], "step")
        return function(Checked(model, y), x, y, delta, eps=eps, step=step)

    return checked


@checked_step
def universal_step(model: Model, x: Tensor, y: Tensor, delta: Tensor, *, eps: float, step: float) -> Tensor:
    r"""delta' = clip(delta + step sign grad_delta J, -eps, eps);
    J(delta) = (1/N) sum_n L(clip(x_n + delta, 0, 1), y_n),  L the cross-entropy.

    One perturbation delta, of the shape of one image, for the whole batch x (N, ...). Raises ValueError for other
    shapes, eps or step that are negative or infinite, and what no attack takes. Shafahi et al. 2018 (Universal
    adversarial training), algorithm 1.
    """
    with torch.enable_grad():
        delta = delta.detach().requires_grad_(True)
        loss = cross_entropy(model((x + delta).clamp(0, 1)), y).mean()
        (g,) = torch.autograd.grad(loss, delta)
    return (delta.detach() + step * g.sign()).clamp(-eps, eps)


def project(delta: Tensor, eps: float, p: float) -> Tensor:
    """One perturbation (...) onto the l_p ball of radius eps. Raises ValueError unless p is 2 or inf."""
    if p not in (2, math.inf):
        raise ValueError(f"p must be 2 or inf, got {p}")
    return (project_l2 if p == 2 else project_linf)(delta[None], eps)[0]


@torch.no_grad()
def fooling_rate(model: Model, x: Tensor, delta: Tensor) -> float:
    """The share of images whose prediction changes from x to clip(x + delta): no true label is asked."""
    with evaluating(model):
        return float((model(x).argmax(1) != model((x + delta).clamp(0, 1)).argmax(1)).double().mean())


def shuffled(x: Tensor, batch_size: int, epochs: int, generator: Generator | None) -> Iterator[Tensor]:
    """Indices of the batches of each epoch, every epoch in a new order."""
    place = x.device if generator is None else generator.device
    for _ in range(epochs):
        yield from torch.randperm(len(x), generator=generator, device=place).to(x.device).split(batch_size)


def universal_deepfool(
    model: Model,
    x: Tensor,
    *,
    eps: float,
    p: float = math.inf,
    epochs: int = 5,
    batch_size: int = 20,
    steps: int = 10,
    generator: Generator | None = None,
) -> Tensor:
    r"""For each batch: v <- P(v + sum_n r_n), r_n the DeepFool perturbation of clip(x_n + v) for the images that v
    does not fool yet; P onto the l_p ball. No label is used. -> v, of the shape of one image.

    batch_size = 1 is the paper's loop. Raises ValueError unless p is 2 or inf. Moosavi-Dezfooli et al. 2016,
    algorithm 1.
    """
    with torch.no_grad(), evaluating(model):
        y = model(x).argmax(1)
    check_batch(x, y)
    v = torch.zeros_like(x[0])
    for rows in shuffled(x, batch_size, epochs, generator):
        shifted = (x[rows] + v).clamp(0, 1)
        v = project(v + (deepfool(model, shifted, y[rows], steps=steps) - shifted).sum(0), eps, p)
    return v


def universal_sgd(
    model: Model,
    x: Tensor,
    y: Tensor,
    *,
    eps: float,
    step: float | None = None,
    epochs: int = 5,
    batch_size: int = 100,
    generator: Generator | None = None,
) -> Tensor:
    r"""delta <- universal_step on one random batch after another, in the l_inf ball, delta_0 = 0 -> the shape of one
    image.

    step: eps / 10 unless given. Shafahi et al. 2018 (Universal adversarial training), algorithm 1.
    """
    check_batch(x, y)
    step, delta = (eps / 10 if step is None else step), torch.zeros_like(x[0])
    with evaluating(model):
        for rows in shuffled(x, batch_size, epochs, generator):
            delta = universal_step(model, x[rows], y[rows], delta, eps=eps, step=step)
    return delta


def power(z: Tensor, r: float) -> Tensor:
    r"""psi_r(z) = sign(z) |z|^{r-1}: the direction of the dual of the l_r norm."""
    return z.sign() * z.abs() ** (r - 1)


def singular_perturbation(
    features: Callable[[Tensor], Tensor],
    x: Tensor,
    *,
    p: float = math.inf,
    q: float = 10.0,
    steps: int = 20,
    generator: Generator | None = None,
) -> Tensor:
    r"""v that maximises sum_n ||J_n v||_q^q over ||v||_p = 1, J_n = d features / d x at x_n, by the power method:
    v <- psi_{p'}(s) / ||psi_{p'}(s)||_p,  s = sum_n J_n^T psi_q(J_n v),  psi_r(z) = sign(z) |z|^{r-1},  1/p + 1/p' = 1.

    features maps (N, ...) to (N, ...): a hidden layer or the logits. Multiply v by eps. p > 1 (inf included), q >= 1.
    Khrulkov & Oseledets 2017, algorithm 1.
    """
    at_least("q", q, 1)
    if not p > 1:
        raise ValueError(f"p must be larger than 1, got {p}")
    p_dual = 1.0 if p == math.inf else p / (p - 1)
    v = torch.randn(x[:1].shape, generator=generator, device=x.device, dtype=x.dtype)
    with evaluating(features):
        pull = torch.func.vjp(features, x)[1]
        for _ in range(steps):
            v = v / norm(v, p)
            jv = torch.func.jvp(features, (x,), (v.expand_as(x),))[1]
            jv = jv / jv.abs().max().clamp(min=torch.finfo(jv.dtype).tiny)  # only the direction counts
            v = power(pull(power(jv, q))[0].sum(0, keepdim=True), p_dual)
    return (v / norm(v, p))[0].detach()
