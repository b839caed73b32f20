r"""The state of a batch of Markov chains, the events of one step, and the one place where densities are evaluated."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Generator, Tensor

LogProb = Callable[[Tensor], Tensor]
"""x (chains, d) -> the logarithm of an unnormalised density (chains,); -inf outside the support."""


class Chain(NamedTuple):
    """Where the chains stand; log_prob is NaN after a sampler that does not evaluate it, and grad then empty."""

    x: Tensor  # (chains, d)
    log_prob: Tensor  # (chains,)
    grad: Tensor  # (chains, d), or (chains, 0) while nobody has asked for it


class Info(NamedTuple):
    """What happened in one step: enough to draw it, to tune it and to pay for it."""

    proposal: Tensor  # (chains, d)
    log_accept: Tensor  # (chains,), log A <= 0
    accepted: Tensor  # (chains,) bool
    divergent: Tensor  # (chains,) bool: the arithmetic, not the target, decided
    densities: float = 0  # evaluations per chain, those that came with a gradient left out
    gradients: float = 0  # evaluations per chain; a mini-batch of n out of N counts n / N


def chain(x: Tensor, log_prob: LogProb, *, gradient: bool = True) -> Chain:
    """The chains at x (chains, d), with log_prob(x) and, when `gradient`, its gradient.

    The gradient is log_prob.value_and_grad(x) where log_prob has such a method, else autograd's.
    Raises ValueError, naming the chain, when log_prob returns +inf, another shape than (chains,) or a value without
    gradient, and unless x is floating, with at least one chain. NaN passes: it is an error at the start (see `start`)
    and a rejection later (see `helpers.mcmc.settle`).
    """
    if x.ndim != 2 or not len(x) or not x.is_floating_point():
        raise ValueError(
            f"x must have shape (chains, d), chains >= 1, and be floating, got {tuple(x.shape)}, {x.dtype}"
        )
    if not gradient:
        return Chain(x, _checked(log_prob(x), x).detach(), x[:, :0])
    if hasattr(log_prob, "value_and_grad"):
        value, grad = log_prob.value_and_grad(x)
        return Chain(x, _checked(value, x), grad)
    with torch.enable_grad():
        leaf = x.detach().requires_grad_(True)
        value = _checked(log_prob(leaf), x)
        if not value.requires_grad:
            raise ValueError("log_prob(x) carries no gradient: it is detached from x, or does not depend on it")
        (grad,) = torch.autograd.grad(value.sum(), leaf)
    return Chain(x, value.detach(), grad)


def _checked(value: Tensor, x: Tensor) -> Tensor:
    if value.shape != x.shape[:1]:
        raise ValueError(f"log_prob must map {tuple(x.shape)} to ({len(x)},), got {tuple(value.shape)}")
    if not float(value.detach().max()) < math.inf and (value == math.inf).any():  # one number to look at, as a rule
        worst = int((value == math.inf).nonzero()[0])
        raise ValueError(f"log_prob is +inf for chain {worst}, at x = {x[worst].detach().tolist()}")
    return value


def start(x: Tensor, log_prob: LogProb, *, gradient: bool = False) -> Chain:
    """`chain`, strict: ValueError names the first chain that stands outside the support or has a NaN."""
    s = chain(x, log_prob, gradient=gradient)
    for what, good in (
        ("x", x.isfinite().all(1)),
        ("log_prob", s.log_prob.isfinite()),
        ("grad", s.grad.isfinite().all(1)),
    ):
        if not good.all():
            worst = int((~good).nonzero()[0])
            value = getattr(s, what)[worst].tolist()
            raise ValueError(f"chain {worst} cannot start at x = {x[worst].tolist()}: {what} = {value} is not finite")
    return s


def moved(y: Chain, **cost: float) -> tuple[Chain, Info]:
    """The chains y of a sampler that refuses nothing."""
    ones = torch.ones(len(y.x), dtype=torch.bool, device=y.x.device)
    broken = dot(y.x, torch.zeros_like(y.x)).isnan()  # 0 x is NaN where x is not finite
    return y, Info(y.x, y.x.new_zeros(len(y.x)), ones, broken, **cost)


def dot(a: Tensor, b: Tensor) -> Tensor:
    """sum_i a_i b_i: (chains, d), (chains, d) -> (chains,). The product with ones is quicker than a sum over few d."""
    return (a * b).mv(a.new_ones(a.shape[1]))


def noise(x: Tensor, generator: Generator | None) -> Tensor:
    """xi ~ N(0, I) in the shape, on the device and in the dtype of x."""
    return torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)


def positive(step_size: float | None) -> None:
    """Raises ValueError unless the step size is a positive, finite number."""
    if step_size is None or not (step_size > 0 and math.isfinite(step_size)):
        raise ValueError(f"step_size must be positive and finite, got {step_size}")


def gradient_at(x: Tensor, log_prob: LogProb) -> Tensor:
    """grad log pi(x) (chains, d), without the density where log_prob has a method for its gradient alone."""
    return log_prob.gradient(x) if hasattr(log_prob, "gradient") else chain(x, log_prob).grad


def with_gradient(s: Chain, log_prob: LogProb) -> Chain:
    """The chains s with their gradient, which is evaluated when nobody has asked for it before."""
    return s if s.grad.shape == s.x.shape else chain(s.x, log_prob)
