"""Patches that make the cascade of lecture 2 lose a face, and how often it does: asked as a whole, by its thresholds."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from helpers import faceid
from helpers.physical.camera import Camera, draw, photograph
from helpers.physical.eot import Success, success_rate
from helpers.physical.patches import grey_patch, random_patch
from helpers.physical.sticker import CHEEKS, Place, eot_patches, wear

THRESHOLDS = (0.6, 0.7, 0.7)  # of `faceid.detect`
MIN_SIDE = 20


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
    w_3 > 0 and margin > 0, L = 0 says that `detect` finds nothing. x (N, 1 or 3, H, W) in [0, 1] -> (N,).
    """
    faceid.check_pictures("x", x, mtcnn)
    x, odds = faceid.in_colour(x), torch.tensor(thresholds).logit() - margin
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
