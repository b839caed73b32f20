"""Patches with which the cascade of lecture 2 loses a face, and how often: asked whole, at its own thresholds."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from helpers import faceid
from helpers.physical.camera import Camera, Shots, draw, photograph
from helpers.physical.eot import Success, success_rate
from helpers.physical.patches import grey_patch, random_patch
from helpers.physical.sticker import CHEEKS, Place, eot_patches, wear

THRESHOLDS = (0.6, 0.7, 0.7)  # of `faceid.detect`
MIN_SIDE = 20  # as `faceid.detect` has it


def only_face(mtcnn: faceid.Mtcnn, x: Tensor, *, min_side: float = MIN_SIDE) -> faceid.Faces:
    """The face of each picture x (N, 1 or 3, H, W). Raises ValueError where there is none to attack, or several."""
    with torch.no_grad():
        faces = faceid.detect(mtcnn, x, min_side=min_side)
    count = torch.bincount(faces.picture, minlength=len(x))
    if (count != 1).any():
        wrong = {n: c for n, c in enumerate(count.tolist()) if c != 1}
        raise ValueError(f"each picture must show one face, the detector finds (picture: faces) {wrong}")
    return faces


def vanishing_loss(
    mtcnn: faceid.Mtcnn,
    x: Tensor,
    *,
    thresholds: Sequence[float] = THRESHOLDS,
    margin: float = 1.0,
    weights: Sequence[float] = (0.0, 1.0, 1.0),
    min_side: float = MIN_SIDE,
) -> Tensor:
    r"""L(x) = sum_k w_k sum over the windows that network k is shown of max(0, z - log(t_k / (1 - t_k)) + margin).

    z the log-odds of a face, k = 1, 2, 3 the networks P, R, O, t_k their thresholds. P is shown all windows of the
    pyramid; R what P lets through, O what R lets through: chosen anew in each picture, without a gradient. With
    w_3 > 0 and margin > 0, L = 0 says that `detect` finds nothing. One network that refuses all its windows is enough,
    and P has hundreds of them to refuse: unless asked for, w_1 = 0. x (N, 1 or 3, H, W) in [0, 1] -> (N,).
    """
    faceid.check_pictures("x", x, mtcnn)
    x, odds = faceid.in_colour(x), (torch.tensor(thresholds).logit() - margin).tolist()
    pyramid, loss = faceid.scales(x.shape[2], x.shape[3], min_side), x.new_zeros(len(x))
    if weights[0]:
        seen = [faceid.windows(mtcnn, x, scale)[0] for scale in pyramid]
        loss = weights[0] * sum((F.relu(z - odds[0]).sum((1, 2)) for z in seen), loss)
    with torch.no_grad():
        shown = faceid.proposals(mtcnn, x, pyramid, thresholds[0])
        left = faceid.refined(mtcnn, x, shown, thresholds[1])
    for k, network, side, (boxes, picture) in ((1, mtcnn.rnet, 24, shown), (2, mtcnn.onet, 48, left)):
        z = faceid.in_parts(network, faceid.crops(x, boxes, picture, side))[:, 0]
        loss = loss.index_add(0, picture, weights[k] * F.relu(z - odds[k]))
    return loss


def vanish(
    mtcnn: faceid.Mtcnn,
    x: Tensor,
    landmarks: Tensor,
    *,
    camera: Camera,
    steps: int,
    places: Sequence[Place] = CHEEKS,
    side: int = 24,
    generator: Generator | None = None,
    **settings: Any,
) -> Tensor:
    """Patches (K, C, side, side), one for each place, with which the detector loses the faces x (N, C, H, W): grey at
    first, then `eot_patches` (which takes the settings) on `vanishing_loss`. Kaziakhmedov et al. 2019, section 4.
    """
    start = x.new_full((len(places), x.shape[1], side, side), 0.5)

    def loss(photographs: Tensor, _: Tensor) -> Tensor:
        return vanishing_loss(mtcnn, photographs)

    settings |= {"camera": camera, "steps": steps, "start": start, "generator": generator}
    return eot_patches(loss, x, landmarks, places, **settings)


@torch.no_grad()
def lost(mtcnn: faceid.Mtcnn, x: Tensor, shots: Shots, **settings: Any) -> Tensor:
    """In which photographs of the pictures x (N, ...) the whole cascade finds nothing at all, nowhere: (N, n) of bool
    for N n shots. It is asked by `detect`, at its own thresholds unless the settings say others."""
    z = photograph(x, shots)
    faces = faceid.detect(mtcnn, z, **settings)
    return (torch.bincount(faces.picture, minlength=len(z)) == 0).view(len(x), -1)


@torch.no_grad()
def best_score(mtcnn: faceid.Mtcnn, x: Tensor, *, min_side: float = MIN_SIDE) -> Tensor:
    """The largest score that network O gives to a window which P and R let through, 0 where there is none: (N,).

    The picture x (N, ...) is lost if and only if it is at most 0.7.
    """
    faces = faceid.detect(mtcnn, x, min_side=min_side, thresholds=(*THRESHOLDS[:2], 0.0))
    return x.new_zeros(len(x)).scatter_reduce(0, faces.picture, faces.scores, "amax")


def controls(patches: Tensor, generator: Generator | None = None) -> dict[str, Tensor]:
    """Patches of the same size for the same places: grey, random, black."""
    return {
        "grey": grey_patch(patches),
        "random": random_patch(patches, generator=generator),
        "black": torch.zeros_like(patches),
    }


def lost_rates(
    mtcnn: faceid.Mtcnn,
    x: Tensor,
    landmarks: Tensor,
    worn: Mapping[str, Tensor | None],
    *,
    places: Sequence[Place] = CHEEKS,
    camera: Camera,
    n: int = 1,
    people: int | None = None,
    generator: Generator | None = None,
) -> dict[str, Success]:
    """How often the face is lost with each of the named patches (None: without any), over the same shots for all.

    x (N, ...) of `people` people, as many pictures of each, one person after the other; unless given, N. The intervals
    are over people and shots drawn anew.
    """
    shots = draw(camera, x, n, generator=generator)
    found = {}
    for name, patches in worn.items():
        pictures = x if patches is None else wear(x, landmarks, patches, places)
        hits = lost(mtcnn, pictures, shots)
        found[name] = success_rate(hits.view(people or len(x), -1))
    return found
