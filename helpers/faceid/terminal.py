"""Long after the last error: Neural Collapse of a network on MNIST, and what the scale s lets a network reach."""

from typing import NamedTuple

import torch
from torch import Tensor

from helpers import data, runtime
from helpers.faceid.bounds import normalised_softmax_bound
from helpers.faceid.collapse import neural_collapse
from helpers.faceid.embedders import Embedder, dense_embedder, digit_embedder
from helpers.faceid.features import class_means, unit
from helpers.faceid.free import normface_loss
from helpers.faceid.margins import cosines
from helpers.faceid.objectives import norm_face, soft_max, train
from helpers.risk import cosine_schedule
from helpers.training import fit

DIGITS, BATCH, PEAK = 1_000, 50, 0.02
EPOCHS = (1, 2, 3, 5, 8, 12, 20, 30, 50, 80, 120, 200, 300)  # after which the collapse is measured
SCALES = (1, 4, 16, 64)


class Row(NamedTuple):
    """After an epoch: on the training digits the loss, the share of errors and NC1 to NC4; the share right of the test
    digits, and NC1 of these."""

    epoch: int
    loss: float
    error: float
    variability: float
    equinorm: float
    equiangle: float
    self_duality: float
    disagreement: float
    test_accuracy: float
    test_variability: float


def measured_row(model: Embedder, epoch: int, seen: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor]) -> Row:
    """NC1 to NC4 of a soft-max embedder."""
    training = model.training
    model.eval()
    with torch.no_grad():
        (features, y), (others, y_test) = ((model(x), y) for x, y in (seen, test))
        logits, guesses = features @ model.weight.T, (others @ model.weight.T).argmax(1)
        found = neural_collapse(features, y, model.weight, logits)
        beyond = neural_collapse(others, y_test, model.weight, others @ model.weight.T).variability
        loss, error = float(soft_max(model, features, y, 1.0)), float((logits.argmax(1) != y).double().mean())
    model.train(training)
    return Row(epoch, loss, error, *found, float((guesses == y_test).double().mean()), beyond)


def collapse_history(epochs: tuple[int, ...] = EPOCHS, tau: float = 5e-3) -> list[Row]:
    """Soft-max without bias on 1,000 digits, d = 64: SGD with momentum 0.9, weight penalty tau, a cosine from 0.02
    to 0 at the last of EPOCHS: a shorter history is the beginning of the stored one."""
    runtime.seed(0, threads=1)
    model, mnist = dense_embedder(), data.load("mnist")
    seen, test = (mnist.x_train[:DIGITS], mnist.y_train[:DIGITS]), (mnist.x_test[:2_000], mnist.y_test[:2_000])
    each, rows = DIGITS // BATCH, list[Row]()

    def after_step(step: int) -> None:
        if (step + 1) % each == 0 and (step + 1) // each in epochs:
            rows.append(measured_row(model, (step + 1) // each, seen, test))

    fit(
        model,
        lambda model, x, y: soft_max(model, model(x), y, 0.0),
        seen,
        torch.optim.SGD(model.parameters(), PEAK, momentum=0.9, weight_decay=tau),
        steps=each * epochs[-1],
        batch_size=BATCH,
        schedule=lambda t: cosine_schedule(t, each * EPOCHS[-1], peak=PEAK),
        generator=runtime.generator(0, "cpu"),
        after_step=after_step,
    )
    return rows


class Scaled(NamedTuple):
    """Of one scale s: the mean loss and its floor; of the cosines between two class directions the mean, the smallest
    and the largest; the share right of the test digits (NaN without a network)."""

    s: float
    loss: float
    floor: float
    mean_cosine: float
    smallest: float
    largest: float
    accuracy: float


def scaled(s: float, features: Tensor, weights: Tensor, y: Tensor, accuracy: float = float("nan")) -> Scaled:
    """What features (N, d), weights (K, d) and labels (N,) reach with the logits s cos theta."""
    u = unit(class_means(unit(features), y))
    between = (u @ u.T)[~torch.eye(len(u), dtype=torch.bool, device=u.device)]
    loss, floor = normface_loss(features, weights, y, s=s), normalised_softmax_bound(torch.tensor(s).double(), len(u))
    mean, low, high = (float(v) for v in (between.mean(), between.min(), between.max()))
    return Scaled(s, float(loss), float(floor), mean, low, high, accuracy)


def scaled_network(s: float, steps: int = 500) -> Scaled:
    """A digit embedder into 16 dimensions, trained by NormFace of scale s, measured on 10,000 training digits."""
    runtime.seed(0, threads=1)
    model, mnist = digit_embedder(16), data.load("mnist")
    train(
        model,
        norm_face(s),
        (mnist.x_train, mnist.y_train),
        steps=steps,
        peak=5e-3,
        batch=(10, 13),
        generator=runtime.generator(0, "cpu"),
    )
    with torch.no_grad():
        features, guesses = model(mnist.x_train[:10_000]), cosines(model(mnist.x_test), model.weight).argmax(1)
    accuracy = float((guesses == mnist.y_test).double().mean())
    return scaled(s, features, model.weight.detach(), mnist.y_train[:10_000], accuracy)
