"""MNIST as the network sees it, in [-1, 1], and digits drawn by the network that is shipped."""

from typing import cast

import torch
from torch import Generator, Tensor, nn

from helpers import checkpoints, data, runtime
from helpers.checks import counts, whole
from helpers.diffusion.forward import q_sample
from helpers.diffusion.guidance import classifier_guided_denoiser, guided_denoiser
from helpers.diffusion.levels import Denoiser
from helpers.diffusion.network import NoisyClassifier, UNet
from helpers.diffusion.quality import asked_for, digit_classifier, features
from helpers.diffusion.samplers import Variance
from helpers.diffusion.sampling import Method, sample
from helpers.diffusion.schedules import Schedule, linear
from helpers.diffusion.training import noise_loss

NAME = "mnist_diffusion"


def scaled_mnist(part: str = "train") -> tuple[Tensor, Tensor]:
    """MNIST's pictures (N, 1, 28, 28) in [-1, 1] and their labels (N,): train or test. Raises ValueError for others."""
    runtime.check_name(part, ("train", "test"))
    mnist = data.load("mnist")
    x, y = (mnist.x_train, mnist.y_train) if part == "train" else (mnist.x_test, mnist.y_test)
    return 2 * x - 1, y


def digit_schedule() -> Schedule:
    """The schedule that the shipped network was trained with: linear, T = 1000."""
    return linear(1000)


def digit_denoiser(device: torch.device | str | None = None) -> UNet:
    """The shipped network, xi_theta(x_t, t, y), evaluation mode. Raises OSError as `checkpoints.load` does."""
    return cast(UNet, checkpoints.load(NAME, device))


def draw_digits(
    model: UNet,
    y: Tensor,
    *,
    gamma: float = 2.0,
    steps: int = 20,
    method: Method = "ddim",
    eta: float = 0.0,
    variance: Variance = "posterior",
    classifier: NoisyClassifier | None = None,
    schedule: Schedule | None = None,
    x_T: Tensor | None = None,
    generator: Generator | None = None,
    batch: int = 256,
) -> Tensor:
    """A digit for each label: x_T ~ N(0, I), then `sample` with guidance, predicted x_0 in [-1, 1]: classifier-free, or
    by a classifier of noised digits, which steers the unlabelled noise.

    y (N,) in 0 ... 9, on the model's device as the generator is; schedule None: `digit_schedule()`; x_T (N, 1, 28, 28)
    in place of the first draw -> (N, 1, 28, 28) in [-1, 1]. Raises ValueError for other labels, and as `sample` does.
    """
    whole("batch", batch)
    counts("y", y, model.null)
    shape = (len(y), 1, model.plan.size, model.plan.size)
    if x_T is None:
        x_T = torch.randn(shape, generator=generator, device=y.device)
    elif x_T.shape != shape:
        raise ValueError(f"x_T must be {shape}, one for each label, got {tuple(x_T.shape)}")
    chain, drawn = digit_schedule() if schedule is None else schedule, []
    for start, labels in zip(x_T.split(batch), y.split(batch), strict=True):
        denoiser = guided_denoiser(model, labels, gamma if classifier is None else 0.0, null=model.null)
        if classifier is not None:
            denoiser = classifier_guided_denoiser(denoiser, log_probability(classifier, labels), chain, gamma)
        options = {"steps": steps, "method": method, "eta": eta, "variance": variance, "clip": 1.0}
        drawn.append(sample(denoiser, chain, start, generator=generator, **options))
    return torch.cat(drawn).clamp(-1, 1)


def log_probability(classifier: NoisyClassifier, y: Tensor) -> Denoiser:
    """(x_t, t) -> log p(y | x_t) (N,), the label of each row fixed: what `classifier_guided_denoiser` climbs.

    Raises ValueError for labels y (N,) that the classifier does not have.
    """
    counts("y", y, classifier.head.out_features - 1)
    return lambda x_t, t: classifier(x_t, t).log_softmax(1).gather(1, y[:, None])[:, 0]


def held_out_loss(model: UNet, schedule: Schedule, n: int = 1000) -> Tensor:
    """The noise loss of the first n test digits, given their labels, at fixed times and noise -> (n,), on the CPU."""
    x, y = (part[:n] for part in scaled_mnist("test"))
    g, device = runtime.generator(5, "cpu"), next(model.parameters()).device
    t, xi = torch.randint(1, schedule.T + 1, (n,), generator=g), torch.randn(x.shape, generator=g)
    x, y, t, xi = (part.to(device) for part in (x, y, t, xi))
    with torch.no_grad():
        return noise_loss(lambda x_t: model(x_t, t, y), x, schedule.at(t), xi).cpu()


def digit_metrics(model: nn.Module) -> dict[str, float]:
    """For the card: the mean `held_out_loss`, the share of 200 drawn digits (10 steps, gamma 2) that were asked for."""
    assert isinstance(model, UNet)
    device = next(model.parameters()).device
    y = torch.arange(10).repeat(20)
    x_T = torch.randn(len(y), 1, 28, 28, generator=runtime.generator(0, "cpu"))
    x = draw_digits(model, y.to(device), steps=10, x_T=x_T.to(device)).cpu()
    classifier = digit_classifier("cpu")
    share = asked_for(classifier, features(classifier, x), y).value
    return {"noise_loss": float(held_out_loss(model, digit_schedule()).mean()), "asked_for": share}


def noisy_classifier(device: torch.device | str | None = None) -> NoisyClassifier:
    """The shipped classifier of noised digits, for classifier guidance. Raises OSError as `checkpoints.load` does."""
    return cast(NoisyClassifier, checkpoints.load("mnist_noisy", device))


def noisy_metrics(model: nn.Module) -> dict[str, float]:
    """What the card holds: the share of the 10,000 test digits that are told right at t = 1, 250, 500."""
    (x, y), device, found = scaled_mnist("test"), next(model.parameters()).device, {}
    xi, schedule = torch.randn(x.shape, generator=runtime.generator(5, "cpu")), digit_schedule()
    for t in (1, 250, 500):
        x_t = q_sample(x, schedule.at(t), xi).to(device)
        with torch.no_grad():
            guesses = model(x_t, torch.full((len(x),), t, device=device)).argmax(1).cpu()
        found[f"accuracy_{t}"] = float((guesses == y).double().mean())
    return found
