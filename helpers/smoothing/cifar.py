"""The full scale of lecture 9: a residual network trained with noise on CIFAR-10, and its certified curve."""

from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor, nn

from helpers import checks, data, runtime
from helpers.models import Residual
from helpers.risk.schedules import cosine_schedule
from helpers.smoothing.certificates import Certificate
from helpers.smoothing.noise_training import gaussian_loss
from helpers.smoothing.smooth import Smooth
from helpers.training import fit


def cifar_resnet(width: int = 64, blocks: int = 3, classes: int = 10) -> nn.Sequential:
    """Three stages (width, 2 width, 4 width channels) of `blocks` residual blocks: x (N, 3, 32, 32) -> (N, classes).

    4.3 million parameters as it stands, 20 layers; Cohen et al. 2019 train 110 layers of a quarter of the width, He et
    al. 2016, section 4.2, which take longer than a lecture. GroupNorm as in helpers.models.resnet; width is a multiple
    of 8. Raises ValueError for other widths and for blocks < 1.
    """
    checks.whole("blocks", blocks)
    if width < 8 or width % 8:
        raise ValueError(f"width must be a multiple of 8, got {width}")
    layers: list[nn.Module] = [nn.Conv2d(3, width, 3, padding=1, bias=False), nn.GroupNorm(8, width), nn.ReLU()]
    for n_in, n_out, stride in ((width, width, 1), (width, 2 * width, 2), (2 * width, 4 * width, 2)):
        layers += [Residual(n_in, n_out, stride), *(Residual(n_out, n_out) for _ in range(blocks - 1))]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4 * width, classes))


def shift_and_flip(x: Tensor, generator: Generator | None = None, pixels: int = 4) -> Tensor:
    """Each image shifted by up to `pixels` each way, black moving in, and mirrored with probability 1/2; same shape."""
    n, _, height, width = x.shape
    draw: dict[str, Any] = {"generator": generator, "device": x.device}
    top, left = torch.randint(0, 2 * pixels + 1, (2, n, 1), **draw)
    rows = torch.arange(height, device=x.device) + top
    columns = torch.arange(width, device=x.device) + left
    mirrored = torch.rand((n, 1), **draw) < 0.5
    columns = torch.where(mirrored, columns.flip(1), columns)
    padded = nn.functional.pad(x, (pixels,) * 4)
    return padded[torch.arange(n, device=x.device)[:, None, None], :, rows[:, :, None], columns[:, None]].movedim(3, 1)


def train_cifar(
    model: nn.Module, sigma: float, *, epochs: int = 40, batch_size: int = 256, generator: Generator | None = None
) -> None:
    """Gaussian noise of scale sigma on shifted and mirrored images; SGD with momentum, a cosine schedule from 0.1.

    In bfloat16 on a GPU. Down-loads CIFAR-10 (170 MB) the first time.
    """
    cifar, device = data.load("cifar10"), next(model.parameters()).device
    noisy, steps = gaussian_loss(sigma, generator=generator), epochs * max(1, len(cifar.x_train) // batch_size)

    def loss(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            return noisy(model, shift_and_flip(x, generator), y)

    fit(
        model,
        loss,
        (cifar.x_train.to(device), cifar.y_train.to(device)),
        torch.optim.SGD(model.parameters(), 0.1, momentum=0.9, weight_decay=5e-4, nesterov=True),
        steps=steps,
        batch_size=batch_size,
        schedule=lambda step: cosine_schedule(step, steps, peak=0.1, warmup=steps // 20),
        generator=generator,
    )


class Run(NamedTuple):
    """The network, the certificates of the chosen test pictures, and their labels y (N,)."""

    model: nn.Module
    certificate: Certificate
    y: Tensor


def certified_cifar(
    sigma: float,
    *,
    epochs: int = 40,
    width: int = 64,
    pictures: int = 500,
    n0: int = 100,
    n: int = 10_000,
    alpha: float = 0.001,
    seed: int = 0,
) -> Run:
    """Train cifar_resnet with noise sigma, certify `pictures` of the test set, evenly spaced, as in Cohen et al. 2019.

    metrics.certified_accuracy(run.certificate.prediction, run.certificate.radius, run.y, radii) is the curve to be
    put beside metrics.PUBLISHED_CIFAR10, whose votes were 100,000.
    """
    device = runtime.device()
    runtime.seed(seed)
    model, generator = cifar_resnet(width).to(device), runtime.generator(seed, device)
    train_cifar(model, sigma, epochs=epochs, generator=generator)
    cifar = data.load("cifar10")
    chosen = torch.arange(0, len(cifar.x_test), max(1, len(cifar.x_test) // pictures))[:pictures]
    x, y = cifar.x_test[chosen].to(device), cifar.y_test[chosen].to(device)
    return Run(model, Smooth(model, sigma).certify(x, n0, n, alpha, generator=generator), y)
