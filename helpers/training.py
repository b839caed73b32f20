"""One training loop for the whole course, and what is measured with it."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from helpers import runtime
from helpers.runtime import progress as progress  # the course's one progress bar, under the name lectures use

CHECK_EVERY = 50  # steps between two looks at the losses: one device synchronisation each


class History(NamedTuple):
    """What `fit` did, one number per step: the loss of the step's batch before the step, and the learning rate."""

    loss: list[float]
    learning_rate: list[float]


def fit(
    model: nn.Module,
    loss: Callable[..., Tensor],
    tensors: Sequence[Tensor],
    optimizer: torch.optim.Optimizer,
    *,
    steps: int,
    batch_size: int = 128,
    schedule: Callable[[int], float] | None = None,
    generator: torch.Generator | None = None,
    progress: bool = True,
    after_step: Callable[[int], object] | None = None,
) -> History:
    r"""For t = 0, ..., steps - 1:  theta <- optimizer(theta, grad_theta loss(model, batch_t)),  eta_t = schedule(t).

    tensors: one or more with the same leading dimension m, on the model's device; loss(model, *batch) is one number.
    An epoch is a fresh permutation cut into floor(m / batch_size) equal batches (the rest waits for another epoch);
    batch_size >= m is full-batch descent. `generator` fixes the permutations and may live on the CPU or with the
    tensors. after_step(t) runs after step t. The model trains in training mode and is returned in evaluation mode.
    Raises ValueError for bad arguments and FloatingPointError, naming the step, when the loss is NaN or infinite.
    """
    _check_arguments(tensors, steps, batch_size)
    history, pending = History([], []), list[Tensor]()
    batches = _batches(tensors, min(batch_size, len(tensors[0])), generator)
    model.train()
    try:
        with runtime.progress(range(steps), "training", show=progress) as bar:
            for step in bar:
                history.learning_rate.append(_set_learning_rate(optimizer, schedule, step))
                pending.append(_step(model, loss, next(batches), optimizer))
                if after_step is not None:
                    after_step(step)
                if len(pending) == CHECK_EVERY or step == steps - 1:
                    _settle(history, pending)
                    bar.set_postfix_str(f"loss {history.loss[-1]:.3g}", refresh=False)
    finally:
        model.eval()
    return history


def _step(
    model: nn.Module, loss: Callable[..., Tensor], batch: Sequence[Tensor], optimizer: torch.optim.Optimizer
) -> Tensor:
    optimizer.zero_grad()
    value = loss(model, *batch)
    if not isinstance(value, Tensor) or value.dim() or not value.requires_grad:
        shape = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
        raise ValueError(f"loss must return one number that depends on the weights (a scalar tensor), got {shape}")
    value.backward()
    optimizer.step()
    return value.detach()


def _batches(tensors: Sequence[Tensor], size: int, generator: torch.Generator | None) -> Iterator[Sequence[Tensor]]:
    m, device = len(tensors[0]), tensors[0].device
    while size == m:
        yield tensors
    while True:
        order = torch.randperm(m, generator=generator, device=generator.device if generator else device).to(device)
        for rows in order[: m - m % size].split(size):
            yield [tensor[rows] for tensor in tensors]


def _set_learning_rate(optimizer: torch.optim.Optimizer, schedule: Callable[[int], float] | None, step: int) -> float:
    if schedule is not None:
        rate = float(schedule(step))
        if not 0 <= rate < math.inf:
            raise ValueError(f"schedule({step}) must be a learning rate >= 0, got {rate}")
        for group in optimizer.param_groups:
            group["lr"] = rate
    return float(optimizer.param_groups[0]["lr"])


def _settle(history: History, pending: list[Tensor]) -> None:
    """Move the losses that wait on the device into the history; refuse the first one that is not finite."""
    history.loss.extend(torch.stack(pending).tolist())
    start = len(history.loss) - len(pending)
    pending.clear()
    for step in range(start, len(history.loss)):
        if not math.isfinite(history.loss[step]):
            rate, before = history.learning_rate[step], f"{history.loss[step - 1]:.4g}" if step else "none"
            raise FloatingPointError(
                f"the loss became {history.loss[step]} at step {step} (learning rate {rate:.4g}, last finite loss "
                f"{before}). Lower the learning rate, or look in the loss for a division by zero or a log of zero."
            )


def _check_arguments(tensors: Sequence[Tensor], steps: int, batch_size: int) -> None:
    for name, value in (("steps", steps), ("batch_size", batch_size)):
        if not (isinstance(value, int) and value >= 1):
            raise ValueError(f"{name} must be an integer >= 1, got {value!r}")
    if isinstance(tensors, Tensor) or not len(tensors):
        raise ValueError("tensors must be a tuple of tensors, such as (x, y)")
    lengths, devices = [len(t) for t in tensors], {t.device for t in tensors}
    if len(set(lengths)) > 1 or lengths[0] == 0:
        raise ValueError(f"tensors must have one common length >= 1, got lengths {lengths}")
    if len(devices) > 1:
        raise ValueError(f"tensors must be on one device, got {sorted(map(str, devices))}")


def cross_entropy(model: Callable[[Tensor], Tensor], x: Tensor, y: Tensor) -> Tensor:
    r"""L = -(1/N) sum_i ln softmax(model(x_i))[y_i], in nats: the loss that `fit` takes for classifiers.

    x (N, ...), y (N,) int64 in [0, K), model(x) (N, K) -> scalar.
    Raises ValueError if the shapes or the type of y do not fit.
    """
    logits = _logits(model, x, y)
    return nn.functional.cross_entropy(logits, y)


def accuracy(model: Callable[[Tensor], Tensor], x: Tensor, y: Tensor, batch_size: int = 1024) -> float:
    r"""(1/N) sum_i [argmax_k model(x_i)_k = y_i], in [0, 1], in evaluation mode and without gradients.

    x (N, ...), y (N,) int64, model(x) (N, K). Raises ValueError if the shapes do not fit or N = 0.
    """
    if len(x) == 0 or not (isinstance(batch_size, int) and batch_size >= 1):
        raise ValueError(f"need at least one row and batch_size >= 1, got {len(x)} rows and {batch_size=}")
    if len(x) != len(y):
        raise ValueError(f"y must hold one label per row of x, got {len(y)} labels for {len(x)} rows")
    with evaluating(model), torch.no_grad():
        batches = zip(x.split(batch_size), y.split(batch_size), strict=True)
        right = torch.stack([(_logits(model, a, b).argmax(1) == b).sum() for a, b in batches])
    return right.sum().item() / len(y)


@contextmanager
def evaluating(model: Any) -> Iterator[None]:
    """Put `model` in evaluation mode inside the block; every layer gets its own mode back. Plain functions pass."""
    layers = [(m, m.training) for m in model.modules()] if isinstance(model, nn.Module) else []
    for layer, _ in layers:
        layer.training = False
    try:
        yield
    finally:
        for layer, mode in layers:
            layer.training = mode


def _logits(model: Callable[[Tensor], Tensor], x: Tensor, y: Tensor) -> Tensor:
    logits = model(x)
    if y.dtype != torch.int64 or y.dim() != 1 or logits.dim() != 2 or len(logits) != len(y):
        raise ValueError(
            f"need logits (N, K) and y (N,) int64, got logits {tuple(logits.shape)} and y {tuple(y.shape)} {y.dtype}"
        )
    return logits
