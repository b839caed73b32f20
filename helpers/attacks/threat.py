r"""What an attack may do and how it is judged: norms, balls, checks, margins, gradients, outcomes.

Everything is batched over the leading dimension: images x (N, ...) in [0, 1], labels y (N,), logits (N, K).
"""

import functools
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Concatenate, NamedTuple, ParamSpec

import torch
from torch import Tensor, nn

from helpers.attacks.projections import norm

Model = Callable[[Tensor], Tensor]

Loss = Callable[[Tensor, Tensor], Tensor]

P = ParamSpec("P")


# Checks: every attack makes them once, before its first step.


def check_batch(x: Tensor, y: Tensor, *, ranking: bool = False) -> None:
    """Raise ValueError unless x (N, ...) is a non-empty floating batch in [0, 1] and y (N,) holds labels in int64.

    ranking: y (N, k) holds k different labels per image.
    """
    if not x.is_floating_point() or x.ndim < 2 or len(x) == 0:
        raise ValueError(f"x must be a non-empty batch (N, ...) of floating images, got {tuple(x.shape)} of {x.dtype}")
    if not ((x >= 0) & (x <= 1)).all():
        low, high = float(x.min()), float(x.max())
        raise ValueError(f"x must lie in [0, 1], got values from {low:.4g} to {high:.4g}; divide bytes by 255")
    if y.dtype != torch.int64 or y.ndim != 1 + ranking or len(y) != len(x):
        what = f"k labels per image, ({len(x)}, k)" if ranking else f"one label per image, ({len(x)},)"
        raise ValueError(f"y must hold {what} of torch.int64, got {tuple(y.shape)} of {y.dtype}")
    if ranking and not y.sort(1).values.diff(dim=1).all():
        raise ValueError(f"the targets of an image must differ, got {y.tolist()}")


def check_logits(logits: Tensor, n: int, y: Tensor) -> None:
    """Raise ValueError unless logits (n, K) are finite, no probabilities, and K is larger than every label in y."""
    if logits.ndim != 2 or len(logits) != n or logits.shape[1] < 2:
        raise ValueError(f"the model must return logits (N, K) with K >= 2, got {tuple(logits.shape)} for N = {n}")
    check_finite(logits)
    if (logits >= 0).all() and ((logits.sum(1) - 1).abs() < 1e-4).all():
        raise ValueError("the model returns probabilities (rows >= 0 that sum to 1); remove its soft-max")
    if y.min() < 0 or y.max() >= logits.shape[1]:
        raise ValueError(f"labels must lie in 0 ... {logits.shape[1] - 1}, got {int(y.min())} to {int(y.max())}")


def check_finite(logits: Tensor) -> None:
    """Raise ValueError unless all logits are finite: NaN compares with nothing, and would look robust."""
    if not logits.isfinite().all():
        raise ValueError(f"the model must return finite logits, got {int((~logits.isfinite()).sum())} NaN or infinite")


class Checked:
    """The model as an attack calls it: the first answer checked in full, every answer for finiteness and gradient."""

    def __init__(self, model: Model, y: Tensor) -> None:
        self.model, self.y, self.checked = model, y, False

    def __call__(self, x: Tensor) -> Tensor:
        """Logits (N, K) of x (N, ...). Raises ValueError also when x asks for a gradient and the logits carry none."""
        logits = self.model(x)
        if self.checked:
            check_finite(logits.detach())
        else:
            check_logits(logits.detach(), len(x), self.y)
            self.checked = True
        if x.requires_grad and not logits.requires_grad:
            raise ValueError(
                "the model's logits carry no gradient: no torch.no_grad, detach or numpy inside it, "
                "or an attack that asks for none, such as `square`"
            )
        return logits


@contextmanager
def evaluating(model: Model) -> Iterator[None]:
    """The model in evaluation mode (dropout off, batch statistics fixed), every submodule's mode put back after."""
    modes = [(m, m.training) for m in model.modules()] if isinstance(model, nn.Module) else []
    for m, _ in modes:
        m.training = False
    try:
        yield
    finally:
        for m, mode in modes:
            m.training = mode


def attack(
    function: Callable[Concatenate[Model, Tensor, Tensor, P], Tensor],
) -> Callable[Concatenate[Model, Tensor, Tensor, P], Tensor]:
    """Decorate attack(model, x, y, ...): check x, y and the model's logits, run in evaluation mode."""
    return _checked(function, ranking=False)


def ranking_attack(
    function: Callable[Concatenate[Model, Tensor, Tensor, P], Tensor],
) -> Callable[Concatenate[Model, Tensor, Tensor, P], Tensor]:
    """As `attack`, for attack(model, x, targets, ...) with k different labels per image, targets (N, k)."""
    return _checked(function, ranking=True)


def _checked(
    function: Callable[Concatenate[Model, Tensor, Tensor, P], Tensor], *, ranking: bool
) -> Callable[Concatenate[Model, Tensor, Tensor, P], Tensor]:
    @functools.wraps(function)
    def checked(model: Model, x: Tensor, y: Tensor, /, *args: P.args, **kwargs: P.kwargs) -> Tensor:
        if torch.is_inference_mode_enabled():
            raise ValueError("an attack needs gradients: leave torch.inference_mode (torch.no_grad does no harm)")
        check_batch(x, y, ranking=ranking)
        with evaluating(model):
            return function(Checked(model, y), x.detach(), y, *args, **kwargs)

    return checked


# Margins and gradients.


def cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    r"""-log p_y = log sum_k exp(z_k) - z_y, one value per image: logits (N, K), y (N,) -> (N,)."""
    return nn.functional.cross_entropy(logits, y, reduction="none")


def margin(logits: Tensor, y: Tensor) -> Tensor:
    r"""M = z_y - max_{k != y} z_k: positive where y is predicted, (N, K), (N,) -> (N,)."""
    others = logits.scatter(1, y[:, None], -math.inf)
    return logits.gather(1, y[:, None])[:, 0] - others.amax(1)


def goal(logits: Tensor, y: Tensor, targeted: bool) -> Tensor:
    """The quantity an attack wants below 0: the margin of the true label y, or minus the margin of the target y."""
    return -margin(logits, y) if targeted else margin(logits, y)


def input_gradient(model: Model, x: Tensor, loss: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """Logits (N, K) at x and the gradient of sum_n loss(logits)_n at x; no parameter's .grad is touched."""
    with torch.enable_grad():
        x = x.detach().requires_grad_(True)
        logits = model(x)
        (gradient,) = torch.autograd.grad(loss(logits).sum(), x)
    return logits.detach(), gradient


def jacobian(model: Model, x: Tensor, classes: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Logits (N, K) and their Jacobian dz_k / dx_i (N, K, ...): one forward and K backward passes.

    classes (N, k) picks k logits per image; both results then hold only these, in that order.
    """
    with torch.enable_grad():
        x = x.detach().requires_grad_(True)
        z = model(x)
        z = z if classes is None else z.gather(1, classes)
        rows = [torch.autograd.grad(z[:, k].sum(), x, retain_graph=True)[0] for k in range(z.shape[1])]
    return z.detach(), torch.stack(rows, 1)


# Judging.


class Outcome(NamedTuple):
    """success (N,) bool, prediction (N,), distance (N,): ||x_adv - x||_p, infinite where the attack failed."""

    success: Tensor
    prediction: Tensor
    distance: Tensor


@torch.no_grad()
def outcome(
    model: Model, x: Tensor, x_adv: Tensor, y: Tensor, *, p: float = math.inf, targeted: bool = False
) -> Outcome:
    """Evaluate x_adv anew: did the prediction leave y (or reach the target y), and how far is x_adv from x?

    Failures count as infinitely far, so that a median over all images compares attacks fairly.
    Raises ValueError when x_adv leaves [0, 1] or has another shape than x.
    """
    check_batch(x_adv, y)
    if x_adv.shape != x.shape:
        raise ValueError(f"x_adv must have the shape of x, {tuple(x.shape)}, got {tuple(x_adv.shape)}")
    with evaluating(model):
        logits = Checked(model, y)(x_adv)
    success = goal(logits, y, targeted) < 0
    return Outcome(success, logits.argmax(1), norm(x_adv - x, p).where(success, math.inf))


class Counted(nn.Module):
    """The model with two counters: images evaluated (queries) and images differentiated (gradients)."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model, self.queries, self.gradients = model, 0, 0

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, K) of x (N, ...), counted."""
        self.queries += len(x)
        logits = self.model(x)
        if logits.requires_grad:
            logits.register_hook(self._count)
        return logits

    def _count(self, gradient: Tensor) -> None:
        self.gradients += len(gradient)


def worst_case(
    attacks: Iterable[Callable[[Model, Tensor, Tensor], Tensor]], model: Model, x: Tensor, y: Tensor
) -> Tensor:
    """The attacks in turn, each on the images that all before it left correctly classified -> x_adv (N, ...).

    Restarts are the same attack several times. 1 - the success rate of the result bounds the robust accuracy from
    above.
    """
    x_adv, left = x.clone(), torch.arange(len(x), device=x.device)
    for one in (None, *attacks):
        if one is not None and len(left):
            x_adv[left] = one(model, x[left], y[left])
        left = left[~outcome(model, x[left], x_adv[left], y[left]).success] if len(left) else left
    return x_adv
