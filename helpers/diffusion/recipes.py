"""How the network of digits is trained: python -m helpers.checkpoints mnist_diffusion (half an hour on one core)."""

from torch import nn, optim

from helpers import runtime
from helpers.checkpoints import recipe
from helpers.diffusion.digits import digit_metrics, digit_schedule, noisy_metrics, scaled_mnist
from helpers.diffusion.network import NoisyClassifier, UNet, mnist_unet
from helpers.diffusion.training import noisy_loss, train_denoiser
from helpers.risk import cosine_schedule
from helpers.training import fit

STEPS, NOISY_STEPS = 12_000, 3_000


@recipe("mnist_diffusion", model=mnist_unet, measure=digit_metrics, half=True)
def mnist_diffusion(model: nn.Module) -> None:
    """12,000 steps of Adam on the noise loss of 60,000 digits, batches of 128, the weights' average; one thread."""
    assert isinstance(model, UNet)
    runtime.seed(0, threads=1)
    device = next(model.parameters()).device
    x, y = (part.to(device) for part in scaled_mnist())
    train_denoiser(model, x, y, digit_schedule(), steps=STEPS, generator=runtime.generator(0, device))


@recipe("mnist_noisy", model=NoisyClassifier, measure=noisy_metrics, half=True)
def mnist_noisy(model: nn.Module) -> None:
    """3,000 steps of Adam on the cross-entropy of digits noised to every time, a cosine from 2e-3, batches of 128."""
    runtime.seed(0, threads=1)
    device = next(model.parameters()).device
    x, y = (part.to(device) for part in scaled_mnist())
    g, schedule = runtime.generator(0, device), digit_schedule()
    fit(
        model,
        lambda net, x_0, labels: noisy_loss(net, x_0, labels, schedule, g),
        (x, y),
        optim.Adam(model.parameters()),
        steps=NOISY_STEPS,
        schedule=lambda step: cosine_schedule(step, NOISY_STEPS, 2e-3),
        generator=g,
    )
