"""Loops of Lecture 9: what is done to every radius, network or classifier in turn, and the numbers that come back."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn

from helpers import attacks, checkpoints, models, runtime, training
from helpers.smoothing import bounds, certificates, lipschitz, metrics, relaxation, stored
from helpers.smoothing.cifar import certified_cifar
from helpers.smoothing.noise_training import TrainingLoss
from helpers.smoothing.smooth import Smooth, flips, pgd_smoothed

Range = tuple[float, float]


class Radii(NamedTuple):
    """Of one network: its product bound, and per image what that certifies, the margin over the slope at x, and the
    distance that DeepFool needs. All radii (N,) in l_2."""

    constant: float
    product: Tensor
    slope: Tensor
    attack: Tensor


def product_against_attack(name: str, x: Tensor, y: Tensor) -> Radii:
    """Section 2: the stored network `name` on images x (N, 1, 28, 28), y (N,)."""
    network = checkpoints.load(name, x.device)
    assert isinstance(network, nn.Sequential)
    constant = math.prod(lipschitz.network_lipschitz(network, tuple(x.shape[1:])))
    with torch.no_grad():
        logits = network(x)
    slope = lipschitz.margin_radius(logits, y, 1.0) / lipschitz.local_lipschitz(network, x)
    found = attacks.outcome(network, x, attacks.deepfool(network, x, y), y, p=2).distance
    return Radii(constant, lipschitz.margin_radius(logits, y, constant), slope, found)


def shut_relus(name: str, x: Tensor) -> list[float]:
    """The share of zeros behind each ReLU of the stored network `name` on images x (N, 1, 28, 28)."""
    network, shares = checkpoints.load(name, x.device), list[float]()
    assert isinstance(network, nn.Sequential)
    with torch.no_grad():
        for layer in network:
            x = layer(x)
            if isinstance(layer, nn.ReLU):
                shares.append((x == 0).double().mean().item())
    return shares


def three_bounds(net: nn.Sequential, centre: Tensor, eps: float) -> dict[str, Range]:
    """Lower and upper bound of the one output of a dense net over the box of radius eps about centre (1, n).

    Raises ValueError unless exact lies inside linear, and linear inside interval.
    """
    lower, upper = centre - eps, centre + eps
    found = {
        "exact": relaxation.exact_range(net, lower[0], upper[0]),
        "linear": relaxation.linear_bounds(net, lower, upper),
        "interval": bounds.interval_bounds(net, lower, upper),
    }
    ranges = {name: (float(low), float(high)) for name, (low, high) in found.items()}
    for inner, outer in (("exact", "linear"), ("linear", "interval")):
        if ranges[inner][0] < ranges[outer][0] - 1e-5 or ranges[inner][1] > ranges[outer][1] + 1e-5:
            raise ValueError(f"{inner} must lie inside {outer}, got {ranges[inner]} and {ranges[outer]}")
    return ranges


def widths_in_depth(width: int, depth: int, eps: float, generator: Generator) -> tuple[list[float], list[float]]:
    """Mean width behind each random layer (variance 2 / width, ReLU): of the intervals, and of 2,000 points of the box.

    Raises ValueError if a point leaves its interval by more than rounding.
    """
    low, high = torch.full((1, width), -eps), torch.full((1, width), eps)
    points = eps * (2 * torch.rand(2000, width, generator=generator) - 1)
    boxes, reached = list[float](), list[float]()
    for _ in range(depth):
        weight = torch.randn(width, width, generator=generator) * math.sqrt(2 / width)
        low, high = (side.relu() for side in bounds.interval_linear(low, high, weight, torch.zeros(width)))
        points = (points @ weight.T).relu()
        if not ((points <= high * (1 + 1e-4)).all() and (points >= low * (1 - 1e-4)).all()):
            raise ValueError(f"points must stay inside the intervals, but one left them behind layer {len(boxes) + 1}")
        boxes.append((high - low).mean().item())
        reached.append((points.amax(0) - points.amin(0)).mean().item())
    return boxes, reached


def certified_and_attacked(
    network: nn.Sequential, x: Tensor, y: Tensor, radii: Sequence[float], generator: Generator
) -> tuple[list[float], list[float]]:
    """In l_inf: the share that intervals certify and the share that PGD leaves, at each radius."""
    proved, left = list[float](), list[float]()
    for eps in radii:
        proved.append(bounds.interval_certified(network, x, y, eps).double().mean().item())
        x_adv = attacks.pgd_linf(network, x, y, eps=eps, steps=10, generator=generator)
        left.append(training.accuracy(network, x_adv, y))
    return proved, left


def kept_by_rivals(p_a: float, shifts: Tensor, generator: Generator) -> Tensor:
    """P(A) at x + shift along the first axis for 400 classifiers of the plane with P(A) = p_a at x = 0, sigma = 1.

    100 half-spaces turned at random, 100 discs, 200 sums of waves, on a grid of step 0.08: A holds the smallest values
    of a field until they have p_a (at least). shifts (S,) -> (S, 400).
    """

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64, device=shifts.device)

    line = torch.linspace(-8, 8, 201, dtype=torch.float64, device=shifts.device)
    place = torch.cartesian_prod(line, line)
    squares = (place[:, :1] - shifts).square() + place[:, 1:].square()
    weights = (-squares / 2).softmax(0)  # N(x + shift, I), a column each
    fields = [place @ nn.functional.normalize(normal(2), dim=0) for _ in range(100)]
    fields += [(place - normal(2)).square().sum(1) for _ in range(100)]
    fields += [(place @ (1.5 * normal(2, 6)) + 6 * normal(6)).cos() @ normal(6) for _ in range(200)]
    kept = list[Tensor]()
    for field in fields:
        order = field.argsort()
        inside = order[: int((weights[order, 0].cumsum(0) < p_a).sum()) + 1]
        kept.append(weights[inside].sum(0))
    return torch.stack(kept, 1)


def attacked_accuracy(
    g: Smooth, x: Tensor, y: Tensor, radii: Sequence[float], generator: Generator, alpha: float, votes: int = 100
) -> list[float]:
    """The share of images of which `votes` do not prove, at level alpha, that g gets them wrong after pgd_smoothed, at
    each l_2 radius: above what is certified but for failures of probability 2 alpha an image."""
    left = list[float]()
    for eps in radii:
        x_adv = pgd_smoothed(g.model, x, y, sigma=g.sigma, eps=eps, steps=10, samples=8, generator=generator)
        wrong = flips(g.votes(x_adv, votes, generator=generator), y, alpha)
        left.append((~wrong).double().mean().item())
    return left


def briefly_trained(
    losses: Mapping[str, TrainingLoss], data: tuple[Tensor, Tensor], steps: int
) -> dict[str, nn.Sequential]:
    """A LeNet for each loss: the same first weights, the same batches of 64, Adam at 2e-3."""
    found = dict[str, nn.Sequential]()
    for name, loss in losses.items():
        runtime.seed(23)
        found[name] = network = models.lenet().to(data[0].device)
        optimizer, order = torch.optim.Adam(network.parameters(), 2e-3), runtime.generator(24, "cpu")
        training.fit(network, loss, data, optimizer, steps=steps, batch_size=64, generator=order)
    return found


Crossed = dict[tuple[float, float], certificates.Certificate]
CROSS = {0.0: "mnist_cnn", 0.25: "mnist_sigma025", 0.5: "mnist_sigma050", 1.0: "mnist_sigma100"}


def cross_pairs(alpha: float, n: int) -> Crossed:
    """All stored pairs of a training noise (0: none) among those of CROSS and a noise of the vote, on 500 digits: their
    certificates from n votes."""
    found = Crossed()
    for trained, name in CROSS.items():
        for tested in (0.25, 0.5, 1.0):
            if (name, tested) in stored.PLAN:
                kept = stored.load(name, tested)
                found[trained, tested] = certificates.certify(kept.selection, kept.votes[n], sigma=tested, alpha=alpha)
    return found


def crossed_table(crossed: Crossed, y: Tensor) -> str:
    """The mean certified radius of each pair: a row for a training noise, a column for a noise of the vote."""
    rows = ["trained  vote at 0.25    vote at 0.5     vote at 1"]
    for trained in CROSS:
        cells = [f"{'-':<14}"] * 3
        for place, tested in enumerate((0.25, 0.5, 1.0)):
            if (trained, tested) in crossed:
                mean, error = mean_radius(crossed[trained, tested], y)
                cells[place] = f"{mean:.3f} +- {error:.3f}"
        rows.append(f"{trained:<8} " + "  ".join(cells))
    return "\n".join(rows)


def radius_lost(crossed: Crossed, trained: float, tested: float, y: Tensor) -> tuple[float, float]:
    """How much mean radius a pair loses against the network trained for its vote, and the standard error of that."""
    own, best = (crossed[t, tested].radius * (crossed[t, tested].prediction == y) for t in (trained, tested))
    return (best - own).mean().item(), float((best - own).std() / math.sqrt(len(y)))


# Around sigma = 0.5: one training against several noises of the vote, one vote against several trainings.
AROUND = (
    ((0.25, (0.5, 0.25)), (0.5, (0.5, 0.5)), (1.0, (0.5, 1.0))),
    ((0.25, (0.25, 0.5)), (0.5, (0.5, 0.5)), (1.0, (1.0, 0.5))),
)


def beside_the_paper(
    results: Mapping[float, certificates.Certificate], y: Tensor, radii: Tensor
) -> dict[tuple[str, float], Tensor]:
    """Certified accuracies at `radii`, among metrics.PUBLISHED_RADII, per (network, sigma): ours on MNIST, the paper's
    on CIFAR-10, and our CIFAR-10 at the full scale (a GPU, the download), else NaN."""
    table = dict[tuple[str, float], Tensor]()
    for sigma, found in results.items():
        table["MNIST, LeNet: here", sigma] = metrics.certified_accuracy(found.prediction, found.radius, y, radii)
    for sigma in results:
        published = dict(zip(metrics.PUBLISHED_RADII, metrics.PUBLISHED_CIFAR10[sigma], strict=True))
        table["CIFAR-10, ResNet-110: Cohen et al.", sigma] = torch.tensor([published[r] for r in radii.tolist()])
    for sigma in results:
        row = torch.full((len(radii),), math.nan)
        if runtime.scale() == "full":
            _, found, labels = certified_cifar(sigma)
            row = metrics.certified_accuracy(found.prediction, found.radius, labels, radii)
        table["CIFAR-10, ResNet-20: full scale only", sigma] = row
    return table


def mean_radius(certificate: certificates.Certificate, y: Tensor) -> tuple[float, float]:
    """The average certified radius and its standard error over the images."""
    right = certificate.radius * (certificate.prediction == y)
    return metrics.average_certified_radius(*certificate[:2], y), float(right.std() / math.sqrt(len(right)))
