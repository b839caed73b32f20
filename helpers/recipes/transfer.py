"""Three more architectures for the transfer matrix of lecture 7, each trained for a few hundred steps only."""

from collections.abc import Callable

import torch
from torch import nn

from helpers import data, models, runtime
from helpers.checkpoints import recipe
from helpers.recipes.mnist import mnist_metrics
from helpers.risk import cosine_schedule
from helpers.training import cross_entropy, fit


def mlp() -> nn.Module:
    """784 pixels, one hidden layer of 200, ten logits."""
    return models.mlp([784, 200, 10])


def quick(steps: int, peak: float) -> Callable[[nn.Module], None]:
    """Adam with a cosine schedule from `peak`, batches of 64."""

    def train(model: nn.Module) -> None:
        device, mnist = next(model.parameters()).device, data.load("mnist")
        fit(
            model,
            cross_entropy,
            (mnist.x_train.to(device), mnist.y_train.to(device)),
            torch.optim.Adam(model.parameters()),
            steps=steps,
            batch_size=64,
            schedule=lambda step: cosine_schedule(step, steps, peak=peak),
            generator=runtime.generator(0, "cpu"),
        )

    return train


@recipe("mnist_mlp", model=mlp, measure=mnist_metrics, half=True)
def mnist_mlp(model: nn.Module) -> None:
    """3,000 steps of Adam with a cosine schedule from 2e-3, batches of 64."""
    quick(3_000, 2e-3)(model)


@recipe("mnist_vgg", model=models.vgg, measure=mnist_metrics, half=True)
def mnist_vgg(model: nn.Module) -> None:
    """500 steps of Adam with a cosine schedule from 2e-3, batches of 64."""
    quick(500, 2e-3)(model)


@recipe("mnist_resnet", model=models.resnet, measure=mnist_metrics, half=True)
def mnist_resnet(model: nn.Module) -> None:
    """800 steps of Adam with a cosine schedule from 3e-3, batches of 64."""
    quick(800, 3e-3)(model)
