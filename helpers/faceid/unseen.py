"""Every loss on the AT&T faces: trained on 30 people, judged on pairs of pictures of 10 people it has never seen."""

import math
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from helpers import runtime
from helpers.faceid import objectives as of
from helpers.faceid.embedders import Embedder, face_embedder
from helpers.faceid.features import unit
from helpers.faceid.pictures import att_faces
from helpers.faceid.verification import area, equal_error_rate, last_within, pairs, roc

SIDE, STEPS, PEAK, BATCH = 48, 250, 4e-3, (16, 4)
PEOPLE, UNSEEN, SPLITS = 40, 10, 8

LOSSES: Mapping[str, of.Objective] = {
    "soft-max": of.soft_max,
    "center": of.center(0.05),
    "NormFace": of.norm_face(16),
    "SphereFace": of.sphere_face(4),
    "CosFace": of.cos_face(16, 0.25),
    "ArcFace": of.arc_face(16, 0.4),
    "contrastive": of.contrastive(1.0),
    "triplet, semi-hard": of.triplet(0.2),
    "triplet, batch-hard": of.hard_triplet(0.2),
    "probabilistic": of.probabilistic(16),
    "n-pair": of.n_pair(0.1),
}


@cache
def small_faces() -> tuple[Tensor, Tensor]:
    """The 400 AT&T faces, their middle square, 48 x 48: x (400, 1, 48, 48) in [0, 1], y (400,)."""
    x, y = att_faces()
    side = min(x.shape[2:])
    top, left = ((length - side) // 2 for length in x.shape[2:])
    return F.interpolate(x[..., top : top + side, left : left + side], size=(SIDE, SIDE), mode="area"), y


def unseen_people(split: int) -> Tensor:
    """The 10 of 40 people that split 0, 1, ... keeps for the test: four splits in a row are disjoint. (10,)."""
    generator = runtime.generator(split // 4, "cpu")
    return torch.randperm(PEOPLE, generator=generator, device=generator.device).cpu().chunk(4)[split % 4]


def parted(split: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """x (300, ...), y in 0 ... 29 of the people to train on; x (100, ...), y of the others."""
    x, y = small_faces()
    test = torch.isin(y, unseen_people(split))
    return x[~test], y[~test].unique(return_inverse=True)[1], x[test], y[test]


def another_view(x: Tensor, generator: Generator) -> Tensor:
    """Faces (N, 1, H, W) turned by up to 0.1 radian, scaled by 7 %, shifted by 4 % of the side, mirrored every second
    time, darker or lighter by 15 %, with a little noise."""

    def uniform(*shape: int) -> Tensor:
        return (2 * torch.rand(*shape, generator=generator, device=generator.device) - 1).to(x.device)

    n = len(x)
    turn, zoom, mirror = 0.1 * uniform(n), 1 + 0.07 * uniform(n), uniform(n).sign()
    to = torch.zeros(n, 2, 3, device=x.device)
    to[:, 0, 0], to[:, 0, 1] = zoom * turn.cos() * mirror, -zoom * turn.sin()
    to[:, 1, 0], to[:, 1, 1] = zoom * turn.sin() * mirror, zoom * turn.cos()
    to[:, :, 2] = 0.08 * uniform(n, 2)
    grid = F.affine_grid(to, list(x.shape), align_corners=False)
    moved = F.grid_sample(x, grid, padding_mode="border", align_corners=False)
    darker = moved * (1 + 0.15 * uniform(n, 1, 1, 1))
    return darker + 0.02 * torch.randn(x.shape, generator=generator, device=generator.device).to(x.device)


class Verified(NamedTuple):
    """Of the 4,950 pairs of 100 pictures: area under the ROC, equal error rate, TAR at FAR = 1e-2."""

    auc: float
    eer: float
    tar: float


def verified(features: Tensor, people: Tensor) -> Verified:
    """All pairs of pictures (N, d) by the cosine of their features."""
    i, j = pairs(people)
    u = unit(features)
    curve = roc((u[i] * u[j]).sum(1), people[i] == people[j])
    return Verified(float(area(curve)), float(equal_error_rate(curve)), float(curve.tar[last_within(curve, 1e-2)]))


def trained(split: int, loss: str, seed: int = 0, steps: int = STEPS) -> Embedder:
    """250 steps on the 30 people of a split. With one seed every loss has the same first weights and batches."""
    x, y, _, _ = parted(split)
    runtime.seed(seed)
    model, generator = face_embedder(), runtime.generator(seed, "cpu")
    of.train(
        model,
        LOSSES[loss],
        (x, y),
        steps=steps,
        peak=PEAK,
        batch=BATCH,
        change=lambda x: another_view(x, generator),
        generator=generator,
    )
    return model


def learnt(split: int, loss: str, seed: int = 0) -> Verified:
    """What a loss reaches on the ten people of a split."""
    model = trained(split, loss, seed)
    _, _, x, y = parted(split)
    with torch.no_grad():
        return verified(model(x), y)


def raw_pixels(split: int) -> Verified:
    """The baseline without learning: pixels less the mean face of the 30 people."""
    seen, _, x, y = parted(split)
    return verified((x - seen.mean(0)).flatten(1), y)


def eigenfaces(split: int, k: int = 50) -> Verified:
    """The linear baseline: k principal components of the 30 people's faces, each scaled to variance 1."""
    seen, _, x, y = parted(split)
    mean = seen.mean(0)
    _, s, v = torch.linalg.svd((seen - mean).flatten(1).double(), full_matrices=False)
    return verified((x - mean).flatten(1).double() @ v[:k].T / s[:k], y)


def paired(first: Tensor, second: Tensor) -> tuple[float, float]:
    r"""Mean d of the differences over J splits, and its standard error s sqrt(1/J + n_test/n_train).

    s: the standard deviation of the differences. 1/J alone would take the splits for independent, but any two share
    people; the second term, here 10/30, is for that. first, second (J,). Nadeau & Bengio 2003.
    """
    d = first - second
    return float(d.mean()), float(d.std()) * math.sqrt(1 / len(d) + UNSEEN / (PEOPLE - UNSEEN))
