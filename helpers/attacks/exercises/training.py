"""Exercise 7.12 of Lecture 7: a step of adversarial training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from helpers import attacks
from helpers.exercises import Arguments, Draw, Exercise, agree, args, holds, require

Function = Callable[..., Any]


class Net(nn.Module):
    """A linear classifier, half as steep in evaluation mode."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, x: Tensor) -> Tensor:
        """(N, ...) -> (N, K)."""
        return x.flatten(1) @ self.weight.T * (1.0 if self.training else 0.5)


def _attack(through: float) -> Function:
    def attack(model: Any, x: Tensor, y: Tensor) -> Tensor:
        """Leaves gradients behind, as a careless attack does; through > 0: differentiable in the weights."""
        model.weight.grad = torch.ones_like(model.weight)
        pull = torch.tanh(model.weight[(y + 1) % 3]).view_as(x)
        return (x + 0.2 * x.cos() + through * pull).clamp(0, 1)

    return attack


def _step(f: Any, draw: Draw, through: float = 0.0) -> tuple[Any, Arguments, Any]:
    """One call that may change the network: the loss, the arguments before, and after, weights moved and all."""
    shape = draw.choice([(6,), (1, 2, 3)])
    net = Net(draw.normal(3, 6))
    optimizer = torch.optim.SGD(net.parameters(), 0.5)
    case = args(net, optimizer, draw.uniform(10, *shape), draw.integers(0, 3, 10), _attack(through))
    loss = f.call(case, may_change=True)
    return loss, case, f.latest.after.positional


def _right(case: Arguments) -> tuple[Tensor, Tensor]:
    """The mean loss at the attacked batch, a constant, and the weights one step of 0.5 down that loss."""
    net, _, x, y, attack = case.positional
    x_adv = attack(net, x, y).detach()
    loss = nn.functional.cross_entropy(net(x_adv), y)
    (g,) = torch.autograd.grad(loss, net.weight)
    return loss.detach(), (net.weight - 0.5 * g).detach()


def _loss(f: Any, draw: Draw) -> None:
    loss, case, _ = _step(f, draw)
    tight = 1e-12 if draw.dtype == torch.float64 else None
    agree(loss, _right(case)[0], rtol=tight, atol=tight)


def _weights(through: float) -> Function:
    def test(f: Any, draw: Draw) -> None:
        _, case, (net, *_) = _step(f, draw, through)
        require((net.weight != case.positional[0].weight).any(), expected="other weights after the step")
        agree(net.weight.detach(), _right(case)[1])

    return test


def _left_alone(f: Any, draw: Draw) -> None:
    _, case, (net, _, x, y, _) = _step(f, draw)
    require(net.training, expected="the network in training mode, as it came", got="evaluation mode")
    require(net.weight.requires_grad, expected="weights that still ask for a gradient")
    require(torch.equal(x, case.positional[2]) and torch.equal(y, case.positional[3]), expected="x and y as they were")


LOSS = "loss = cross_entropy(model(x_adv.detach()), y).mean()"
STEP = "optimizer.zero_grad()\n    loss.backward()\n    optimizer.step()"

adversarial_training_step = Exercise(
    "7.12",
    attacks.adversarial_training_step,
    checks=(
        holds(
            "returns the mean loss at the attacked batch, before the step",
            _loss,
            meaning="x_adv = attack(model, x, y); the loss is the mean cross-entropy of model(x_adv) and y, detached.",
        ),
        holds(
            "takes one step of the optimizer down that loss, whatever gradients the attack left behind",
            _weights(0.0),
            meaning="After the attack: `optimizer.zero_grad()`, `loss.backward()`, `optimizer.step()`, each once.",
        ),
        holds(
            "that step takes the attacked batch as a constant",
            _weights(0.5),
            meaning="The attack may depend on the weights: detach what it returns.",
        ),
        holds(
            "leaves mode, labels and images as they were",
            _left_alone,
            meaning="If you call `model.eval()` for the attack, call `model.train()` before the loss.",
        ),
    ),
    mistakes=(
        (
            "The weights have not moved: `optimizer.step()` is missing, or the gradients are cleared before it.",
            {"optimizer.step()": "pass"},
        ),
        (
            "The loss was raised: the weights minimise, only the attack maximises.",
            {"loss.backward()": "(-loss).backward()"},
        ),
        (
            "Old gradients are added: an attack may leave some behind, so call `optimizer.zero_grad()` after it.",
            {"optimizer.zero_grad()\n": "pass\n"},
        ),
        ("Two steps are taken: one is enough.", {"optimizer.step()": "optimizer.step()\n    optimizer.step()"}),
        ("The loss is taken at x: train on what the attack returned.", {"model(x_adv.detach())": "model(x)"}),
        (
            "Clean and attacked batches are mixed; here the loss is taken at the attacked one alone.",
            {LOSS: "loss = (cross_entropy(model(x_adv.detach()), y) + cross_entropy(model(x), y)).mean() / 2"},
        ),
        (
            "Clean and attacked losses are added; here the loss is taken at the attacked batch alone.",
            {LOSS: "loss = (cross_entropy(model(x_adv.detach()), y) + cross_entropy(model(x), y)).mean()"},
        ),
        (
            "The labels are y, not what the network says: it would learn its own mistakes.",
            {LOSS: "loss = cross_entropy(model(x_adv.detach()), model(x).argmax(1)).mean()"},
        ),
        ("That is the sum over the batch; the loss is the mean.", {"y).mean()": "y).sum()"}),
        (
            "That is the loss after the step; return the one before it.",
            {"return loss.detach()": "return cross_entropy(model(x_adv.detach()), y).mean().detach()"},
        ),
        (
            "Clean loss returned: train and report at what the attack returned.",
            {
                "x_adv = attack(model, x, y)": "x_adv, clean = attack(model, x, y), cross_entropy(model(x), y).mean()",
                "return loss.detach()": "return clean.detach()",
            },
        ),
        (
            "The gradient flows through the attack: detach x_adv (Danskin: it is a constant).",
            {"x_adv.detach()": "x_adv"},
        ),
        (
            "The attack is run twice: on what it returned the first time. Once is enough.",
            {"x_adv = attack(model, x, y)": "x_adv = attack(model, attack(model, x, y), y)"},
        ),
        (
            "A soft-max before the cross-entropy: the loss holds one already, hand it the logits.",
            {"model(x_adv.detach())": "model(x_adv.detach()).softmax(1)"},
        ),
        (
            "The loss is taken in evaluation mode, which drops no unit and uses fixed statistics: call `model.train()` "
            "before it.",
            {"x_adv = attack(model, x, y)": "x_adv = attack(model.eval(), x, y)"},
        ),
        (
            "The network is left in evaluation mode: put it back, `model.train()`.",
            {"return loss": "model.eval()\n    return loss"},
        ),
    ),
    hints=(
        "Five lines: attack, loss, zero_grad, backward, step. Where must zero_grad stand?",
        "`x_adv.detach()`: by Danskin's theorem the maximiser counts as a constant.",
    ),
    why="The attack comes first and may leave gradients in the weights; zero_grad after it removes them. Detached, "
    "x_adv is the constant of Danskin's theorem.",
)
