"""Exercise 7.12 of Lecture 7: a step of adversarial training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from helpers import attacks
from helpers.exercises import Draw, Exercise, args, holds, require, same

Function = Callable[..., Any]


class Net:
    """A linear classifier that knows its optimiser: no nn.Module, for the engine forbids changes of a module."""

    def __init__(self, weight: Tensor) -> None:
        self.weight = torch.nn.Parameter(weight)
        self.optimizer = torch.optim.SGD([self.weight], 0.5)

    def __call__(self, x: Tensor) -> Tensor:
        """(N, d) -> (N, K)."""
        return x @ self.weight.T

    def train(self, mode: bool = True) -> Net:
        """As nn.Module has it, like the next three."""
        return self

    def eval(self) -> Net:
        """The same function in training and evaluation."""
        return self

    def parameters(self) -> Iterator[torch.nn.Parameter]:
        """The weight."""
        return iter((self.weight,))

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradient."""
        self.optimizer.zero_grad(set_to_none)


def _attack(seen: list[Any], *, through: float = 0.0) -> Function:
    def attack(model, x, y):  # type: ignore[no-untyped-def]
        """Leaves gradients behind, as a careless attack does; through > 0: differentiable in the weights."""
        seen.append(model)
        model.weight.grad = torch.ones_like(model.weight)
        return (x + 0.2 + through * torch.tanh(model.weight[(y + 1) % 3])).clamp(0, 1)

    return attack


def _batch(draw: Draw) -> tuple[Net, Tensor, Tensor]:
    return Net(draw.normal(3, 6)), draw.uniform(10, 6), draw.integers(0, 3, 10)


def _one_step(draw: Draw) -> Any:
    net, x, y = _batch(draw)
    return args(net, net.optimizer, x, y, _attack([]))


def _gradients(f: Function, draw: Draw, through: float = 0.0) -> tuple[Tensor, Tensor]:
    """What the weights moved along, by SGD with step 0.5, and the gradient of the loss at the attacked batch."""
    net, x, y = _batch(draw)
    seen: list[Any] = []
    f(net, net.optimizer, x, y, _attack(seen, through=through))
    used = ((net.weight - seen[0].weight) / 0.5).detach()
    loss = F.cross_entropy(net(_attack([], through=through)(net, x, y).detach()), y)
    return used, torch.autograd.grad(loss, net.weight)[0]


def _moves(f: Function, draw: Draw) -> None:
    require(_gradients(f, draw)[0].abs().max() > 0, expected="other weights after the step", got="the same weights")


def _along(through: float) -> Function:
    def test(f: Function, draw: Draw) -> None:
        used, right = _gradients(f, draw, through)
        close = min((sign * used - right).abs().max() for sign in (1, -1)) < 1e-4
        require(close or used.abs().max() == 0, expected=right, got=used)

    return test


def _falls(f: Function, draw: Draw) -> None:
    used, right = _gradients(f, draw)
    require((used * right).sum() >= 0, expected="a step down the loss", got="a step up")


def _training(kind: str) -> Function:
    def answer(model, optimizer, x, y, attack):  # type: ignore[no-untyped-def]
        x_adv = attack(model, x, y)
        x_adv = x if kind == "clean" else x_adv if kind == "graph" else x_adv.detach()
        label = model(x).argmax(1) if kind == "guess" else y
        loss = F.cross_entropy(model(x_adv), label, reduction="sum" if kind == "sum" else "mean")
        loss = (loss + F.cross_entropy(model(x), y)) / 2 if kind == "both" else loss
        if kind != "stale":
            optimizer.zero_grad()
        (-loss if kind == "up" else loss).backward()
        if kind != "idle":
            optimizer.step()
        return F.cross_entropy(model(x_adv), y).detach() if kind == "late" else loss.detach()

    return answer


adversarial_training_step = Exercise(
    "7.12",
    attacks.adversarial_training_step,
    checks=(
        same("returns the mean loss at the attacked batch, before the step", _one_step),
        holds("takes a step of the optimizer", _moves),
        holds("that step knows nothing of gradients the attack left behind", _along(0.0)),
        holds("that step takes the attacked batch as a constant", _along(0.5)),
        holds("that step lowers the loss", _falls),
    ),
    mistakes=(
        ("The loss is taken at x: train on what the attack returned.", _training("clean")),
        ("Clean and attacked batches are mixed; here the loss is taken at the attacked one alone.", _training("both")),
        ("The labels are y, not what the network says: it would learn its own mistakes.", _training("guess")),
        ("That is the sum over the batch; the loss is the mean.", _training("sum")),
        ("That is the loss after the step; return the one before it.", _training("late")),
        ("The weights have not moved: `optimizer.step()` is missing.", _training("idle")),
        ("The gradient flows through the attack: detach x_adv (Danskin: it is a constant).", _training("graph")),
        (
            "Old gradients are added: an attack may leave some behind, so call `optimizer.zero_grad()` after it.",
            _training("stale"),
        ),
        ("The loss was raised: the weights minimise, only the attack maximises.", _training("up")),
    ),
    hints=(
        "Five lines: attack, loss, zero_grad, backward, step. Where must zero_grad stand?",
        "`x_adv.detach()`: by Danskin's theorem the maximiser counts as a constant.",
    ),
    why="The attack comes first and may leave gradients in the weights; zero_grad after it removes them. Detached, "
    "x_adv is the constant of Danskin's theorem.",
)
