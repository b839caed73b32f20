"""What `helpers.training.fit` costs beside the same loop written out by hand."""

import statistics
import time
from collections.abc import Callable, Iterator

import torch
from torch import nn

from helpers import data, models, runtime
from helpers.training import cross_entropy, fit

BATCH = 128


def rows(rounds: int = 15, steps: int = 60) -> Iterator[tuple[str, float, float, str]]:
    """The median time of `fit` over that of the bare loop, for LeNet on MNIST, batches of 128.

    The two take turns, so that what else the machine does falls on both.
    """
    mnist, device = data.load("mnist"), runtime.device()
    x, y = mnist.x_train.to(device), mnist.y_train.to(device)

    def ours(model: nn.Module) -> None:
        fit(model, cross_entropy, (x, y), torch.optim.Adam(model.parameters()), steps=steps, batch_size=BATCH)

    def bare(model: nn.Module) -> None:
        optimizer, losses = torch.optim.Adam(model.parameters()), []
        order = torch.randperm(len(x), device=device)
        for step in range(steps):
            rows = order[step * BATCH : (step + 1) * BATCH]
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        torch.stack(losses).tolist()

    times = [(_seconds(ours), _seconds(bare)) for _ in range(rounds + 1)][1:]  # the first round warms both up
    ratio = statistics.median(a for a, _ in times) / statistics.median(b for _, b in times)
    yield "training loop / bare loop", ratio, 1.05, ""


def _seconds(train: Callable[[nn.Module], None]) -> float:
    runtime.seed(0)
    model = models.lenet().to(runtime.device())
    start = time.perf_counter()
    train(model)
    return time.perf_counter() - start
