"""Face ID and a sticker on the forehead: not to be known, or to be taken for another, by detect, align, embed.

The pictures of a person are parted in three: a sticker is MADE with the first four, the system has ENROLLED three
others, and the verdicts are on the last three, JUDGED, which nobody has seen before.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from helpers import faceid
from helpers.physical.camera import Camera, Shots, draw, photograph
from helpers.physical.eot import Success, success_rate
from helpers.physical.sticker import FOREHEAD, Place, eot_patches, wear

MADE, ENROLLED, JUDGED = slice(0, 4), slice(4, 7), slice(7, 10)


def cosine(u: Tensor, v: Tensor) -> Tensor:
    r"""<u_n, v_n> / (|u_n| |v_n|): descriptors (N, d), row by row -> (N,).

    Raises ValueError for unequal shapes, and for descriptors that are zero or not finite.
    """
    if u.ndim != 2 or u.shape != v.shape:
        raise ValueError(f"u and v must be as many descriptors (N, d), got {tuple(u.shape)} and {tuple(v.shape)}")
    lengths = torch.stack([u.norm(dim=1), v.norm(dim=1)])
    if not ((lengths > 0) & lengths.isfinite()).all():
        raise ValueError("u and v must be finite and not zero: a zero has no direction")
    return (u * v).sum(1) / lengths.prod(0)


def impersonation_loss(u: Tensor, v: Tensor, *, enough: float = 1.0) -> Tensor:
    r"""L_n = max(0, enough - cos(u_n, v_n)):  0 when photograph n is near enough to the person v to be taken for them.

    Descriptors u, v (N, d) -> (N,) in [0, enough + 1]. Raises ValueError as `cosine` does, and unless |enough| <= 1.
    Source: Komkov & Petiushko 2019, section III, which wants the cosine itself.
    """
    _check_enough(enough)
    return F.relu(enough - cosine(u, v))


def dodging_loss(u: Tensor, v: Tensor, *, enough: float = -1.0) -> Tensor:
    r"""L_n = max(0, cos(u_n, v_n) - enough):  0 when photograph n is far enough from its own person v not to be known.

    Descriptors u, v (N, d) -> (N,) in [0, 1 - enough]. Raises ValueError as `cosine` does, and unless |enough| <= 1.
    """
    _check_enough(enough)
    return F.relu(cosine(u, v) - enough)


def _check_enough(enough: float) -> None:
    if not -1 <= enough <= 1:
        raise ValueError(f"enough must be a cosine, in [-1, 1], got {enough}")


def template(descriptors: Tensor) -> Tensor:
    r"""v = unit(sum_m unit(u_m)): what is kept of a person's M enrolled pictures, (..., M, d) -> (..., d)."""
    return faceid.unit(faceid.unit(descriptors).sum(-2))


def threshold(descriptors: Tensor, far: float) -> float:
    """The lowest cosine t at which at most the share `far` of strangers is accepted: each picture of each person
    against the templates of all others.

    Over the 400 AT&T faces the cosine decides as the distance of lecture 2 does: at FAR 1 % both let in 99.7 % of
    genuine pairs, their equal error rates are 0.6 and 0.5 %.
    descriptors (P, 10, d) of P people. Raises ValueError unless 0 <= far <= 1 and there are several people.
    """
    people = len(descriptors)
    score = faceid.unit(descriptors) @ template(descriptors[:, ENROLLED]).T  # (P, 10, P)
    own = torch.eye(people, dtype=torch.bool, device=score.device)[:, None].expand_as(score)
    genuine = own.clone()
    genuine[:, : JUDGED.start] = False  # a picture that is enrolled is no judge of its own template
    kept = genuine | ~own
    return float(faceid.threshold_at_far(score[kept], own[kept], far))


def sticker_loss(
    mtcnn: faceid.Mtcnn, resnet: nn.Module, v: Tensor, loss: Callable[[Tensor, Tensor], Tensor]
) -> Callable[[Tensor, Tensor], Tensor]:
    """For `eot_patches`: photographs (B, ...) and rows (B,) -> loss(u, v[rows]) (B,), u their descriptors.

    The whole pipeline runs on every photograph; the alignment that it finds is held fixed in the gradient. A photograph
    without a face costs 0: nothing is to be learnt from it.
    """

    def of_photographs(z: Tensor, rows: Tensor) -> Tensor:
        u, seen = faceid.recognise(mtcnn, resnet, z)
        return z.new_zeros(len(z)).index_add(0, seen, loss(u, v[rows[seen]]))

    return of_photographs


def sticker_attack(
    mtcnn: faceid.Mtcnn,
    resnet: nn.Module,
    x: Tensor,
    landmarks: Tensor,
    v: Tensor,
    loss: Callable[[Tensor, Tensor], Tensor],
    *,
    camera: Camera,
    steps: int,
    place: Place = FOREHEAD,
    size: tuple[int, int] = (24, 64),
    step: float = 0.06,
    generator: Generator | None = None,
    **settings: Any,
) -> Tensor:
    """One sticker (1, C, *size) for all the pictures x (N, C, H, W), grey at first, that lowers
    E loss(f(t(x_n with it)), v_n) over pictures and shots: `dodging_loss` with each one's own template v (N, d),
    `impersonation_loss` with that of another. The settings go to `eot_patches`. Komkov & Petiushko 2019.
    """
    if v.shape[:1] != x.shape[:1]:
        raise ValueError(f"v must be templates, one for each of {len(x)} pictures, got {tuple(v.shape)}")
    start = x.new_full((1, x.shape[1], *size), 0.5)
    of_photographs = sticker_loss(mtcnn, resnet, v, loss)
    settings |= {"camera": camera, "steps": steps, "step": step, "start": start, "generator": generator}
    return eot_patches(of_photographs, x, landmarks, (place,), **settings)


@torch.no_grad()
def cosines_seen(mtcnn: faceid.Mtcnn, resnet: nn.Module, x: Tensor, v: Tensor, shots: Shots) -> Tensor:
    """cos(f(t(x)), v) for N n shots of the pictures x (N, ...) and templates v (N, d), by the whole pipeline -> (N, n).

    NaN where the detector finds no face: neither `cosine < t` (not known) nor `cosine >= t` (taken for v) is then true.
    """
    z = photograph(x, shots)
    u, seen = faceid.recognise(mtcnn, resnet, z)
    found = z.new_full((len(z),), torch.nan)
    found[seen] = cosine(u, v.repeat_interleave(len(z) // len(x), 0)[seen])
    return found.view(len(x), -1)


class Verdicts(NamedTuple):
    """What a system said to photographs: the mean cosine where it saw a face; how often it took the person for the one
    who is claimed, how often for another, how often it saw no face: the three rates add up to 1."""

    cosine: float
    accepted: Success
    rejected: Success
    faceless: Success


def verdicts(cosines: Tensor, t: float) -> Verdicts:
    """Of cosines (N, n), as `cosines_seen` gives them, at the threshold t; the rows are people, or pictures.

    Raises ValueError unless -1 <= t <= 1.
    """
    _check_enough(t)
    kinds = (cosines >= t, cosines < t, cosines.isnan())
    return Verdicts(float(cosines.nanmean()), *(success_rate(kind) for kind in kinds))


def worn_verdicts(
    mtcnn: faceid.Mtcnn,
    resnet: nn.Module,
    people: tuple[Tensor, Tensor, Tensor],
    worn: Mapping[str, Tensor | None],
    t: float,
    *,
    places: Sequence[Place] = (FOREHEAD,),
    camera: Camera,
    n: int = 1,
    generator: Generator | None = None,
) -> dict[str, Verdicts]:
    """The verdicts with each of the named stickers (None: without), over the same shots for all.

    people: P of them with k pictures x (P, k, C, H, W), their landmarks (P, k, 5, 2), and the templates v (P, d) of
    those whom they claim to be. A sticker is (K, C, h, w) for all, or (P, K, C, h, w).
    """
    x, landmarks, v = people[0], people[1], people[2].repeat_interleave(people[0].shape[1], 0)
    shots, found = draw(camera, x.flatten(0, 1), n, generator=generator), {}
    for name, patches in worn.items():
        each = [x[k] if patches is None else wear(x[k], landmarks[k], _own(patches, k), places) for k in range(len(x))]
        seen = cosines_seen(mtcnn, resnet, torch.cat(each), v, shots)
        found[name] = verdicts(seen.view(len(x), -1), t)
    return found


def _own(patches: Tensor, person: int) -> Tensor:
    return patches[person] if patches.ndim == 5 else patches
