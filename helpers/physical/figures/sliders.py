"""Sliders of Lecture 8: a camera that grows stronger, a patch that is moved about, a face that comes out of queries."""

from functools import lru_cache

import torch
from torch import Tensor, nn

from helpers import attacks, checkpoints, data, physical, runtime
from helpers.figures import COLOUR, Choice, Picture, Range, explorer, figure, pictures
from helpers.physical import Camera
from helpers.physical.figures.rates import dots

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
    plan = {"eps": 0.2, "steps": 20, "targeted": True, "generator": runtime.generator(0, "cpu")}
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
