"""The networks of lecture 8."""

from torch import nn

from helpers.checkpoints import recipe
from helpers.physical import columns


@recipe("mnist_columns", model=columns.band_net, measure=columns.measure, half=True)
def mnist_columns(model: nn.Module) -> None:
    """5,628 steps of Adam with a cosine schedule from 3e-3, batches of 128, on bands of 1 to 8 columns."""
    columns.train(model)
