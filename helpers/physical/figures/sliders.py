"""Sliders of Lecture 8: a camera that grows stronger, a patch that is moved about, a face that comes out of queries."""

import math
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from helpers import attacks, checkpoints, data, faceid, physical, runtime
from helpers.figures import COLOUR, Choice, Picture, Range, explorer, figure, pictures
from helpers.physical import Camera, likeness, measured, stored
from helpers.physical.figures.rates import dots
from helpers.physical.figures.sheets import show

SHOTS = 40


def scaled(camera: Camera, strength: float) -> Camera:
    """Each range of the camera drawn towards where it does nothing (strength 0), or away from it (above 1)."""
    still = Camera()._asdict()
    ranges = {
        name: tuple(rest + strength * (end - rest) for end, rest in zip(found, still[name], strict=True))
        for name, found in camera._asdict().items()
        if name != "quality"
    }
    return Camera(**ranges, quality=camera.quality if strength else (torch.inf, torch.inf))


@lru_cache(maxsize=1)
def _digits() -> tuple[nn.Module, Tensor]:
    return checkpoints.load("mnist_cnn", "cpu"), data.load("mnist").x_test[:4]


@lru_cache(maxsize=16)
def _led(target: int, made: float) -> Tensor:
    """The first digit of the test set, led to a target: by PGD (made for strength 0), or by EOT."""
    network, digits = _digits()
    camera, goal = scaled(physical.LADDER["perspective"], made), torch.tensor([target])
    plan: dict[str, Any] = {"eps": 0.2, "steps": 20, "targeted": True, "generator": runtime.generator(0, "cpu")}
    if not made:
        return attacks.pgd_linf(network, digits[:1], goal, **plan)
    return physical.eot_attack(network, digits[:1], goal, camera=camera, samples=8, **plan)


@explorer(
    strength=Range(0.0, 2.0, 1.0, step=0.1, label="strength of the camera"),
    made=Choice((0.0, 0.5, 1.0, 2.0), 1.0, label="EOT was made for strength"),
    target=Choice((0, 5, 6, 8), 8, label="target"),
    stills=({"strength": 0.0, "made": 0.0}, {"made": 0.0}, {}),
)
def strength(strength: float, made: float, target: int) -> Picture:
    """A seven led to another digit, photographed: by a plain attack (made for strength 0), or by EOT."""
    network, digits = _digits()
    camera, z = scaled(physical.LADDER["perspective"], strength), _led(target, made)
    fig, (left, right) = figure(1, 2, width=10.5, height=3.4, width_ratios=(1.6, 1))
    found = {}
    for name, print_ in (("clean", digits[:1]), ("with EOT" if made else "without EOT", z)):
        shots = physical.draw(camera, print_, SHOTS, generator=runtime.generator(3, "cpu"))
        with torch.no_grad():
            seen = physical.photograph(print_, shots)
            label = network(seen).argmax(1)
        found[name] = physical.success_rate((label == target)[None])
    pictures(left, seen[:8], [str(k) for k in label[:8].tolist()], columns=4)
    left.set_title("photographs, and what they are taken for")
    dots(right, found)
    right.set(title=f"seen as {target} in {SHOTS} shots: {found[name].rate:.2f}", xlim=(-0.03, 1.03))
    return fig


@lru_cache(maxsize=1)
def _unseen() -> tuple[faceid.Mtcnn, Tensor, Tensor, dict[str, Tensor]]:
    """The detector, four people whom no patch was made on, their landmarks, and the patches of both cheeks."""
    faces = stored.people().take(slice(stored.SEEN, stored.SEEN + 4), slice(0, 1))
    cheeks = checkpoints.load("patch_vanish", "cpu")()
    worn = {"made": cheeks, **physical.controls(cheeks, runtime.generator(2, "cpu"))}
    return faceid.pretrained("cpu")[0], faces.x[:, 0], faces.landmarks[:, 0], worn


@explorer(
    patch=Choice(("made", "random", "grey"), "made", label="patches"),
    person=Choice((1, 2, 3, 4), 1, label="person"),
    aside=Range(-0.5, 0.5, 0.0, step=0.05, label="to the side, in eye distances"),
    down=Range(-0.8, 0.4, 0.0, step=0.05, label="down, in eye distances"),
    size=Range(0.4, 1.6, 1.0, step=0.05, label="size"),
    turn=Range(-45, 45, 0, step=5, label="turned, °"),
    stills=({"patch": "grey"}, {}, {"down": -0.4}),
)
def place(patch: str, person: int, aside: float, down: float, size: float, turn: float) -> Picture:
    """The cheek patches moved about on a face that they were not made on, and what the whole cascade says."""
    mtcnn, faces, landmarks, worn = _unseen()
    x, marks = faces[person - 1 : person], landmarks[person - 1 : person]
    for pixels, at in zip(worn[patch], physical.CHEEKS, strict=True):
        moved = {"x": at.x + aside, "y": at.y + down, "width": size * at.width, "height": size * at.height}
        there = at._replace(**moved, turn=math.radians(turn))
        x = physical.wear(x, marks, pixels[None], (there,))
    score = physical.best_score(mtcnn, x).item()
    fig, (left, right) = figure(1, 2, width=7.5, height=3.9, width_ratios=(1, 0.8))
    with torch.no_grad():
        show(left, x[0], faceid.detect(mtcnn, x).boxes)
    left.set_title("found" if score > 0.7 else "no face")
    right.bar([0], [score], color=COLOUR["attack" if score <= 0.7 else "truth"], width=0.5)
    right.axhline(0.7, color=COLOUR["data"], linestyle=":")
    right.set(ylim=(0, 1.02), xlim=(-0.5, 0.5), xticks=(), yticks=(0, 0.7, 1), title=f"best score {score:.2f}")
    return fig


@lru_cache(maxsize=1)
def _searches() -> tuple[measured.Restored, Tensor, Tensor, float]:
    """The stored search, its pictures, a real picture of each person, and the impostors' 99th percentile."""
    found = measured.restored("eigenfaces")
    real = likeness.small(likeness.aligned()[list(likeness.ATTACKED), 5], measured.SMALL)
    line = measured.load("restoration")["impostors_99_percent"]
    return found, measured.frames("eigenfaces", found), real, line


@explorer(
    step=Range(0, 39, 39, label="step (41 queries each)", play=True),
    person=Range(30, 39, 30, label="person"),
    stills=({"step": 0}, {"step": 12}, {}),
)
def player(step: int, person: int) -> Picture:
    """What the queries have made of a descriptor so far, beside a picture of the person that nobody used."""
    found, frames, real, line = _searches()
    k = person - 30
    own = found.similarity[:, k, k]
    fig, (left, right) = figure(1, 2, width=10, height=3.6, width_ratios=(1, 1.1))
    pictures(left, torch.stack([frames[step, k], real[k]]), ["out of the descriptor", "a photograph"])
    right.plot(found.queries, own, color=COLOUR["muted"])
    right.plot(found.queries[: step + 1], own[: step + 1], color=COLOUR["attack"], linewidth=3)
    right.axhline(line, color=COLOUR["bound"], linestyle=":")
    right.set(xlabel="queries", ylabel="similarity by the second network")
    right.set_title(f"{int(found.queries[step]):,} queries: {own[step]:.2f} (line: 99 % of impostors)")
    return fig
