"""The classifiers of lecture 9: LeNet under Gaussian noise, by four ways of training, and one for interval bounds."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from helpers import data, models, runtime
from helpers.attacks.team import judge
from helpers.checkpoints import recipe
from helpers.risk.schedules import cosine_schedule
from helpers.smoothing.bounds import ibp_loss, interval_certified
from helpers.smoothing.certificates import certify
from helpers.smoothing.metrics import average_certified_radius, certified_accuracy
from helpers.smoothing.noise_training import TrainingLoss, consistency_loss, gaussian_loss, smoothadv_loss
from helpers.smoothing.smooth import Smooth
from helpers.training import accuracy, fit

EPOCHS, BATCH = 10, 128


def under_noise(sigma: float) -> Callable[[nn.Module], dict[str, float]]:
    """The metrics of a network for noise of scale sigma, on MNIST's test pictures.

    noisy_accuracy: of f on one noisy copy of each of the 10,000. On the first 100, with n_0 = 100, n = 1,000 and
    alpha = .001: the average certified radius, and the certified accuracies at 0, sigma and 2 sigma.
    """

    def measure(model: nn.Module) -> dict[str, float]:
        device, mnist = next(model.parameters()).device, data.load("mnist")
        x, y = mnist.x_test.to(device), mnist.y_test.to(device)
        generator = runtime.generator(0, device)
        noise = sigma * torch.randn(x.shape, generator=generator, device=device)
        noisy = accuracy(model, x + noise, y)
        plain = Smooth(model, sigma, lattice=0)  # float32 throughout, as when the cards were written
        selection, votes = (plain.votes(x[:100], n, generator=generator) for n in (100, 1_000))
        found = certify(selection, votes, sigma=sigma, alpha=0.001)
        radii = torch.tensor([0, sigma, 2 * sigma])
        at = certified_accuracy(found.prediction, found.radius, y[:100], radii).tolist()
        return {
            "noisy_accuracy": noisy,
            "average_certified_radius": average_certified_radius(found.prediction, found.radius, y[:100]),
            **dict(zip(("certified_0", "certified_1_sigma", "certified_2_sigma"), at, strict=True)),
        }

    return measure


def train(model: nn.Module, loss: TrainingLoss, *, epochs: int = EPOCHS) -> None:
    """Epochs of Adam on MNIST, batches of 128, with a cosine schedule from 2e-3."""
    device, mnist = next(model.parameters()).device, data.load("mnist")
    steps = epochs * (len(mnist.x_train) // BATCH)
    fit(
        model,
        loss,
        (mnist.x_train.to(device), mnist.y_train.to(device)),
        torch.optim.Adam(model.parameters()),
        steps=steps,
        batch_size=BATCH,
        schedule=lambda step: cosine_schedule(step, steps, peak=2e-3),
        generator=runtime.generator(0, "cpu"),
    )


def noise_source(model: nn.Module) -> torch.Generator:
    """The generator of the training noise, where the model lives."""
    return runtime.generator(1, next(model.parameters()).device)


@recipe("mnist_sigma012", model=models.lenet, measure=under_noise(0.12), half=True)
def mnist_sigma012(model: nn.Module) -> None:
    """Gaussian noise of scale 0.12; ten epochs."""
    train(model, gaussian_loss(0.12, generator=noise_source(model)))


@recipe("mnist_sigma025", model=models.lenet, measure=under_noise(0.25), half=True)
def mnist_sigma025(model: nn.Module) -> None:
    """Gaussian noise of scale 0.25; ten epochs."""
    train(model, gaussian_loss(0.25, generator=noise_source(model)))


@recipe("mnist_sigma050", model=models.lenet, measure=under_noise(0.5), half=True)
def mnist_sigma050(model: nn.Module) -> None:
    """Gaussian noise of scale 0.5; ten epochs."""
    train(model, gaussian_loss(0.5, generator=noise_source(model)))


@recipe("mnist_sigma100", model=models.lenet, measure=under_noise(1.0), half=True)
def mnist_sigma100(model: nn.Module) -> None:
    """Gaussian noise of scale 1; ten epochs."""
    train(model, gaussian_loss(1.0, generator=noise_source(model)))


@recipe("mnist_consistency050", model=models.lenet, measure=under_noise(0.5), half=True)
def mnist_consistency050(model: nn.Module) -> None:
    """Noise of scale 0.5, two copies that shall agree: weight 10, entropy 0.5; ten epochs."""
    train(model, consistency_loss(0.5, weight=10, entropy=0.5, generator=noise_source(model)))


@recipe("mnist_smoothadv050", model=models.lenet, measure=under_noise(0.5), half=True)
def mnist_smoothadv050(model: nn.Module) -> None:
    """SmoothAdv, noise of scale 0.5: two copies, attacks of two steps, eps growing to 1 in two of the ten epochs."""
    step = 0

    def eps() -> float:
        nonlocal step
        step += 1
        return min(1.0, step / 936)

    train(model, smoothadv_loss(0.5, eps=eps, steps=2, copies=2, generator=noise_source(model)))


IBP_EPS = 0.1


def ibp_metrics(model: nn.Module) -> dict[str, float]:
    """Accuracy on MNIST's 10,000 test pictures, and the share certified by intervals within l_inf distance 0.1."""
    device, mnist = next(model.parameters()).device, data.load("mnist")
    assert isinstance(model, nn.Sequential)
    x, y = mnist.x_test.to(device), mnist.y_test.to(device)
    with torch.no_grad():
        parts = [interval_certified(model, a, b, IBP_EPS) for a, b in zip(x.split(1000), y.split(1000), strict=True)]
    certified = torch.cat(parts).double().mean()
    return {"test_accuracy": accuracy(model, x, y), "certified_accuracy": float(certified)}


@recipe("mnist_ibp", model=models.lenet, measure=ibp_metrics, half=True, judge=partial(judge, eps=IBP_EPS))
def mnist_ibp(model: nn.Module) -> None:
    """Interval bound propagation: l_inf radius growing to 0.1 and kappa falling to 0.5 in four of the ten epochs."""
    step = 0

    def loss(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        nonlocal step
        step += 1
        share = min(1.0, step / 1872)
        return ibp_loss(model, x, y, eps=share * IBP_EPS, kappa=1 - share / 2)

    train(model, loss)
