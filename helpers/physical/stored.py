"""The patches that take longer to make than a cell may run, as networks of no layers: they have recipe and card."""

from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn

from helpers import faceid
from helpers.faceid import stored as described
from helpers.physical import identity
from helpers.physical.camera import LADDER, Camera
from helpers.physical.detector import controls, lost_rates
from helpers.physical.identity import Verdicts
from helpers.physical.sticker import CHEEKS

SEEN = 20  # patches are made on the first 20 people of AT&T, judged on the other 20
CAMERA = LADDER["perspective"]
STRAIGHT = LADDER["blur"]  # who wants to be let in looks into the camera
ATTACKERS = tuple(range(20, 25))  # each wants to be taken for who looks most like them
FAR = 0.01  # the share of strangers that the system accepts


class People(NamedTuple):
    """Ten pictures of each of P people: x (P, 10, 1, H, W), landmarks (P, 10, 5, 2), descriptors (P, 10, 128)."""

    x: Tensor
    landmarks: Tensor
    descriptors: Tensor

    def take(self, people: slice | list[int], pictures: slice = slice(None)) -> "People":
        """Some pictures of some people."""
        return People(*(part[people][:, pictures] for part in self))


def people() -> People:
    """The 40 of AT&T, with the landmarks and the descriptors that data/faceid keeps."""
    x, kept = faceid.att_faces()[0], described.load()
    return People(*(part.unflatten(0, (40, 10)) for part in (x, kept.landmarks, kept.aligned)))


class Patch(nn.Module):
    """Pixels p (..., C, h, w) in [0, 1], grey at first, and nothing else."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.pixels = nn.Parameter(torch.full(shape, 0.5))

    def forward(self) -> Tensor:
        """p, without a gradient."""
        return self.pixels.detach()


def cheek_patches() -> Patch:
    """Two, for the places CHEEKS."""
    return Patch(len(CHEEKS), 1, 24, 24)


def forehead_sticker() -> Patch:
    """One, for the place FOREHEAD."""
    return Patch(1, 1, 24, 64)


def forehead_stickers() -> Patch:
    """One for each of ATTACKERS."""
    return Patch(len(ATTACKERS), 1, 1, 24, 64)


def measure_vanish(model: nn.Module) -> dict[str, float]:
    """Of two photographs of two pictures of each of the people 20 to 39: the share without a face."""
    patches, judged = model().cpu(), people().take(slice(SEEN, 40), slice(0, 10, 5))
    worn = {"none": None, "patch": patches} | controls(patches, Generator().manual_seed(2))
    x, landmarks, _ = (part.flatten(0, 1) for part in judged)
    mtcnn = faceid.pretrained("cpu")[0]
    rates = lost_rates(mtcnn, x, landmarks, worn, camera=CAMERA, n=2, people=SEEN, generator=Generator().manual_seed(1))
    return {f"lost_{name}": value.rate for name, value in rates.items()}


def system() -> float:
    """The threshold on the cosine at which people 0 to 19 are taken for one another with the probability FAR."""
    return identity.threshold(people().descriptors[:SEEN], FAR)


def judge(claims: tuple[Tensor, Tensor, Tensor], patch: Tensor, camera: Camera, n: int = 1) -> dict[str, Verdicts]:
    """`worn_verdicts` without, with the sticker, and with its controls, by the system's threshold."""
    worn = {"none": None, "sticker": patch} | controls(patch, Generator().manual_seed(2))
    mtcnn, resnet = faceid.pretrained("cpu")
    shots = Generator().manual_seed(1)
    return identity.worn_verdicts(mtcnn, resnet, claims, worn, system(), camera=camera, n=n, generator=shots)


def measure_dodge(model: nn.Module) -> dict[str, float]:
    """Of a photograph of each of the pictures JUDGED of the people 20 to 39 the share that is taken for another, and,
    with the sticker, that in which no face is found: they look STRAIGHT into the camera; they have `turned` as CAMERA
    has it."""
    sticker, everybody, found = model().cpu(), people().take(slice(SEEN, 40)), dict[str, float]()
    x, landmarks, _ = everybody.take(slice(None), identity.JUDGED)
    own = identity.template(everybody.descriptors[:, identity.ENROLLED])
    for how, camera in (("", STRAIGHT), ("turned_", CAMERA)):
        rows = judge((x, landmarks, own), sticker, camera)
        found |= {f"{how}rejected_{name}": row.rejected.rate for name, row in rows.items()}
        found[f"{how}faceless_sticker"] = rows["sticker"].faceless.rate
    return found


def targets(everybody: People) -> Tensor:
    """For each of P people the other who looks most like them, by the pictures MADE, which the attacker has: (P,)."""
    v = identity.template(everybody.descriptors[:, identity.MADE])
    return (v @ v.T).fill_diagonal_(-1).argmax(1)


def attackers() -> tuple[People, People]:
    """ATTACKERS, and whom each of them wants to be taken for, the most similar of the people 20 to 39."""
    unseen = people().take(slice(SEEN, 40))
    chosen = (targets(unseen) + SEEN)[[k - SEEN for k in ATTACKERS]]
    return people().take(list(ATTACKERS)), people().take(chosen.tolist())


def measure_impersonate(model: nn.Module) -> dict[str, float]:
    """Of two photographs of each of the pictures JUDGED of ATTACKERS: the share that is taken for the other person."""
    stickers, (own, others) = model().cpu(), attackers()
    x, landmarks, _ = own.take(slice(None), identity.JUDGED)
    v = identity.template(others.descriptors[:, identity.ENROLLED])
    found = judge((x, landmarks, v), stickers, STRAIGHT, n=2)
    return {f"accepted_{name}": value.accepted.rate for name, value in found.items()} | {
        f"cosine_{name}": value.cosine for name, value in found.items()
    }
