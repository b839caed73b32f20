"""How the network of digits is trained: python -m helpers.checkpoints mnist_diffusion (half an hour on one core)."""

from torch import nn

from helpers import runtime
from helpers.checkpoints import recipe
from helpers.diffusion.digits import digit_metrics, digit_schedule, scaled_mnist
from helpers.diffusion.network import UNet, mnist_unet
from helpers.diffusion.training import train_denoiser

STEPS = 10_000


@recipe("mnist_diffusion", model=mnist_unet, measure=digit_metrics, half=True)
def mnist_diffusion(model: nn.Module) -> None:
    """10,000 steps of Adam on the noise loss of 60,000 digits, batches of 128, the weights' average; one thread."""
    assert isinstance(model, UNet)
    runtime.seed(0, threads=1)
    device = next(model.parameters()).device
    x, y = (part.to(device) for part in scaled_mnist())
    train_denoiser(model, x, y, digit_schedule(), steps=STEPS, generator=runtime.generator(0, device))
