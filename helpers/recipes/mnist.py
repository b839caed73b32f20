"""The classifiers of MNIST that several lectures share."""

import torch
from torch import Tensor, nn

from helpers import data, models, runtime
from helpers.checkpoints import recipe
from helpers.risk import cosine_schedule
from helpers.training import accuracy, cross_entropy, fit


def mnist_metrics(model: nn.Module) -> dict[str, float]:
    """Accuracy on MNIST's 10,000 test pictures."""
    device, mnist = next(model.parameters()).device, data.load("mnist")
    return {"test_accuracy": accuracy(model, mnist.x_test.to(device), mnist.y_test.to(device))}


@recipe("mnist_cnn", model=models.lenet, measure=mnist_metrics, half=True)
def mnist_cnn(model: nn.Module) -> None:
    """Ten epochs of Adam with a cosine schedule from 3e-3, batches of 128, each batch shifted by up to two pixels."""
    device, mnist, steps = next(model.parameters()).device, data.load("mnist"), 4_680
    shifts = runtime.generator(1, "cpu")

    def shifted_cross_entropy(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        top, left = torch.randint(0, 5, (2,), generator=shifts).tolist()
        return cross_entropy(model, nn.functional.pad(x, (2, 2, 2, 2))[..., top : top + 28, left : left + 28], y)

    fit(
        model,
        shifted_cross_entropy,
        (mnist.x_train.to(device), mnist.y_train.to(device)),
        torch.optim.Adam(model.parameters()),
        steps=steps,
        schedule=lambda step: cosine_schedule(step, steps, peak=3e-3),
        generator=runtime.generator(0, "cpu"),
    )
