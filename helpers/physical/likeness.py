"""Who judges a restored face: a second network, trained on other people, and a control by impostors.

The network under attack is no witness: a picture made to please it pleases it. So six small networks learn to tell the
AT&T people 0 ... 29 apart, and what they say of pictures of the people 30 ... 39, whom they have never seen, is the
verdict; how well they can say it is measured with it.
"""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from helpers import runtime
from helpers.faceid import objectives, stored, unseen, verification
from helpers.faceid.alignment import align
from helpers.faceid.embedders import face_embedder
from helpers.faceid.features import unit
from helpers.faceid.pictures import att_faces

OTHERS, ATTACKED = range(30), range(30, 40)
ENROLLED, KEPT = slice(0, 5), slice(5, 10)  # pictures whose mean descriptor is stolen; pictures that judge
LOSSES, SEEDS, STEPS = ("ArcFace", "SphereFace"), range(3), 250


class Control(NamedTuple):
    """Scores of real pictures against templates, of impostors and genuine; the 99th percentile of the impostors; the
    share of the genuine above it; the equal error rate of the scores."""

    impostors: Tensor
    genuine: Tensor
    percentile: float
    above: float
    eer: float


@cache
def aligned() -> Tensor:
    """The AT&T faces as the descriptor's network sees them: (40 people, 10 pictures, 1, 150, 150)."""
    x, _ = att_faces()
    return align(x, stored.load().landmarks).view(40, 10, 1, 150, 150)


def small(x: Tensor, side: int) -> Tensor:
    """Pictures (..., 1, h, w) of side x side pixels, by means: (N, 1, side, side)."""
    return F.interpolate(x.flatten(0, -4), size=(side, side), mode="area")


def second_networks(losses: Sequence[str] = LOSSES, seeds: Sequence[int] = SEEDS) -> list[nn.Module]:
    """Networks of lecture 2, each 250 steps on the aligned faces of people 0 ... 29: a minute of one core for six."""
    x, y = small(aligned()[:30], unseen.SIDE), torch.arange(30).repeat_interleave(10)
    networks = list[nn.Module]()
    for loss in losses:
        for seed in seeds:
            runtime.seed(seed)
            model, generator = face_embedder(), runtime.generator(seed, "cpu")
            objectives.train(
                model,
                unseen.LOSSES[loss],
                (x, y),
                steps=STEPS,
                peak=unseen.PEAK,
                batch=unseen.BATCH,
                change=lambda z, g=generator: unseen.another_view(z, g),  # type: ignore[misc]
                generator=generator,
            )
            networks.append(model.eval())
    return networks


@torch.no_grad()
def features(networks: Sequence[nn.Module], x: Tensor) -> Tensor:
    """The networks' unit features side by side, of length 1: x (..., 1, h, w), aligned faces -> (N, d)."""
    faces = small(x, unseen.SIDE)
    return unit(torch.cat([unit(network(faces)) for network in networks], 1))


def control(networks: Sequence[nn.Module]) -> tuple[Tensor, Control]:
    """The templates (10, d) of the attacked people, mean features of the pictures kept, and how real pictures score
    against them: 450 impostors, and 50 genuine ones against the template of the other four."""
    seen = features(networks, aligned()[30:, KEPT]).unflatten(0, (10, 5))
    total = seen.sum(1)
    templates, without = unit(total), unit((total[:, None] - seen).flatten(0, 1)).view_as(seen)
    scores = torch.einsum("pid,qd->piq", seen, templates)
    other = ~torch.eye(10, dtype=torch.bool)
    impostors, genuine = scores.transpose(1, 2)[other].flatten(), (seen * without).sum(2).flatten()
    same = torch.cat([torch.ones_like(genuine), torch.zeros_like(impostors)]).bool()
    curve = verification.roc(torch.cat([genuine, impostors]), same)
    line = float(impostors.quantile(0.99))
    above = float((genuine > line).double().mean())
    return templates, Control(impostors, genuine, line, above, float(verification.equal_error_rate(curve)))
