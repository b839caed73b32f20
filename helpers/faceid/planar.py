"""MNIST in the plane: ten losses train one network from one start, so that what each asks for can be seen."""

import copy
import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from helpers import data, runtime
from helpers.faceid import objectives as of
from helpers.faceid.embedders import Embedder, digit_embedder
from helpers.faceid.features import class_means, unit

START, STEPS, PEAK, BATCH = 936, 2340, 5e-3, (10, 13)  # two epochs of soft-max, then five of the loss

LOSSES: Mapping[str, of.Objective] = {
    "soft-max": of.soft_max,
    "center": of.center(0.1),
    "NormFace": of.norm_face(32),
    "SphereFace": of.sphere_face(4),
    "CosFace": of.cos_face(32, 0.15),  # 1 - cos(2 pi / 10) = 0.191 is the most that ten classes can meet in the plane
    "ArcFace": of.arc_face(32, 0.3),
    "contrastive": of.contrastive(0.6),
    "triplet, semi-hard": of.triplet(0.2),
    "n-pair": of.n_pair(0.1),
    "triplet, batch-hard": of.hard_triplet(0.2),
}

FRAMES = (0, 20, 50, 100, 200, 400, 800, 1600, STEPS)  # steps after which a history keeps the features of 500 digits
SHOWN = 500
COLD = ("soft-max", "NormFace", "CosFace", "ArcFace", "triplet, semi-hard")  # trained from random weights too

Record = Callable[[str, int, Embedder], object]


def planar_embedders() -> nn.ModuleDict:
    """An embedder into the plane for every loss."""
    return nn.ModuleDict({loss: digit_embedder() for loss in LOSSES})


def trained_from(start: Embedder, loss: str, steps: int = STEPS, record: Record | None = None) -> Embedder:
    """A copy of `start`, trained by a loss on MNIST's 60,000; record(loss, t, model) after the t of FRAMES."""
    model, mnist = copy.deepcopy(start), data.load("mnist")

    def after_step(step: int) -> None:
        if record is not None and step + 1 in FRAMES:
            record(loss, step + 1, model)

    of.train(
        model,
        LOSSES[loss],
        (mnist.x_train.to(start.weight.device), mnist.y_train.to(start.weight.device)),
        steps=steps,
        peak=PEAK,
        batch=BATCH,
        generator=runtime.generator(0, "cpu"),
        after_step=after_step,
    )
    return model


def train_planar(models: nn.ModuleDict, record: Record | None = None) -> None:
    """The first embedder is trained by soft-max for 936 steps; from there on each by its own loss for 2,340."""
    first = next(iter(models.values()))
    assert isinstance(first, Embedder)
    start = trained_from(first, "soft-max", START)
    for loss, model in models.items():
        if record is not None:
            record(loss, 0, start)
        model.load_state_dict(trained_from(start, loss, record=record).state_dict())


def histories() -> tuple[nn.ModuleDict, Tensor]:
    """The embedders, trained from seed 0, and the features of the first 500 test digits at FRAMES: (L, F, 500, 2)."""
    runtime.seed(0, threads=1)
    models, x, found = planar_embedders(), data.load("mnist").x_test[:SHOWN], list[Tensor]()

    def record(loss: str, step: int, model: Embedder) -> None:
        with torch.no_grad():
            found.append(model(x))

    train_planar(models, record)
    return models, torch.stack(found).unflatten(0, (len(LOSSES), len(FRAMES)))


def cold_geometry(loss: str) -> "Geometry":
    """What a loss reaches in as many steps from random weights: on a circle no class can pass another."""
    runtime.seed(0, threads=1)
    return planar_geometry(trained_from(digit_embedder(), loss, START + STEPS))


class Geometry(NamedTuple):
    """Of features in the plane: shares right by the nearest class direction and by the nearest class mean; in degrees
    the mean and the median angle to the own class's direction, and the smallest and the largest gap between neighbours
    of the ten directions; 1 - the largest cosine between two of these."""

    by_angle: float
    by_distance: float
    within: float
    median: float
    smallest_gap: float
    largest_gap: float
    margin: float


def geometry(seen: Tensor, y_seen: Tensor, features: Tensor, y: Tensor) -> Geometry:
    """Directions mu_k = mean of x / |x| and means from the training features seen (M, 2), measured on features (N, 2).

    The directions are normalised. Raises ValueError for features of norm 0.
    """
    directions, u = unit(class_means(unit(seen), y_seen)), unit(features)
    right = (u @ directions.T).argmax(1) == y
    near = torch.cdist(features, class_means(seen, y_seen)).argmin(1) == y
    within = (u * directions[y]).sum(1).clamp(-1, 1).acos().rad2deg()
    turns = torch.atan2(directions[:, 1], directions[:, 0]).rad2deg().sort().values
    gaps = torch.cat([turns.diff(), turns[:1] + 360 - turns[-1:]])
    angle, distance, mean = (float(value.double().mean()) for value in (right, near, within))
    margin = 1 - math.cos(math.radians(float(gaps.min())))
    return Geometry(angle, distance, mean, float(within.median()), float(gaps.min()), float(gaps.max()), margin)


def order_on_circle(features: Tensor, y: Tensor) -> list[int]:
    """The classes as their directions follow one another around the circle, from class 0 on."""
    directions = class_means(unit(features), y)
    order = torch.atan2(directions[:, 1], directions[:, 0]).argsort().tolist()
    return order[order.index(0) :] + order[: order.index(0)]


def planar_geometry(model: nn.Module, tests: int = 10_000) -> Geometry:
    """The geometry of an embedder on MNIST: directions and means from 10,000 training digits, measured on the test."""
    mnist, device = data.load("mnist"), next(model.parameters()).device
    with torch.no_grad():
        seen, features = (model(x.to(device)).cpu() for x in (mnist.x_train[:10_000], mnist.x_test[:tests]))
    return geometry(seen, mnist.y_train[:10_000], features, mnist.y_test[:tests])


def planar_metrics(models: nn.Module) -> dict[str, float]:
    """{loss: share of the 10,000 test digits whose nearest class direction is their own class's}."""
    assert isinstance(models, nn.ModuleDict)
    return {loss: planar_geometry(model).by_angle for loss, model in models.items()}


def share_interval(share: float, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share of n independent trials. Wilson 1927."""
    z2 = 1.96**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = math.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    return middle - half, middle + half
