"""What lecture 8 measured once by queries, kept in data/physical: faces out of descriptors, and two query curves.

`python -m helpers.physical.measured [PART ...]` searches and measures anew, on one thread: some five minutes a part.
The faces are stored as codes, in eigenfaces of other people or as blobs: `frames` makes pictures of them.
"""

import io
import sys
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from helpers import checkpoints, data, runtime
from helpers.faceid.networks import in_parts
from helpers.files import read_card, read_verified, sha256, write_atomically, write_card
from helpers.physical import likeness, queries, restoration, squares

COMMAND = "python -m helpers.physical.measured"
FOLDER = data.FOLDER / "physical"

SMALL, K = 75, 80  # side of the pictures that are searched, and how many eigenfaces
BUDGET = {"eigenfaces": 1_640, "blobs": 1_500}  # queries for each face
PEOPLE = {"eigenfaces": 10, "blobs": 4}  # how many of the people attacked

DIGITS, EPS, QUERIES = 100, 0.2, 2_000
FACES, FACE_EPS, FACE_QUERIES, DOOR = 8, 8 / 255, 408, 0.6


@cache
def basis() -> restoration.Basis:
    """Eigenfaces of the people 0 ... 29 and their mirror images."""
    x = likeness.small(likeness.aligned()[:30], SMALL)
    return restoration.eigenfaces(torch.cat([x, x.flip(3)]), K)


@torch.no_grad()
def targets(resnet: nn.Module) -> Tensor:
    """The descriptors that are known: of each attacked person the mean of the first five pictures, (10, 128)."""
    faces = likeness.aligned()[30:, likeness.ENROLLED].flatten(0, 1).expand(-1, 3, -1, -1)
    return in_parts(resnet, faces, 32).view(10, 5, -1).mean(1)


def searched(method: str, resnet: nn.Module) -> restoration.Path:
    """The search by "eigenfaces" or "blobs", from the mean face of the other people."""
    options: dict[str, Any] = {"budget": BUDGET[method], "generator": runtime.generator(0, "cpu")}
    e = targets(resnet)[: PEOPLE[method]]

    def embed(x: Tensor) -> Tensor:
        return in_parts(resnet, restoration.shown(x), 32)

    if method == "eigenfaces":
        return restoration.restore(embed, e, basis(), **options)
    return restoration.restore_by_blobs(embed, e, basis().mean, **options)


class Restored(NamedTuple):
    """After each of T steps, of N people: queries (T,), |f(x) - e| (T, N), the code (T, N, k), and the second network's
    similarity to the template of each attacked person (T, N, 10)."""

    queries: Tensor
    distance: Tensor
    code: Tensor
    similarity: Tensor


def frames(method: str, found: Restored | restoration.Path, steps: Sequence[int] | None = None) -> Tensor:
    """The pictures after some steps, all by default: (steps, N, 1, 75, 75) in [0, 1]; "eigenfaces" or "blobs"."""
    runtime.check_name(method, tuple(BUDGET))
    chosen = range(len(found.queries)) if steps is None else steps
    if method == "eigenfaces":
        return torch.stack([restoration.face_of(basis(), found.code[t].float()) for t in chosen])
    return torch.stack([restoration.replayed(basis().mean, found.code[: t + 1].float()) for t in chosen])


def judged(method: str, path: restoration.Path, networks: Sequence[nn.Module], templates: Tensor) -> Tensor:
    """What the second network says of each step's pictures: (T, N, 10)."""
    pictures = frames(method, path)
    return (likeness.features(networks, pictures) @ templates.T).view(*pictures.shape[:2], -1)


def restoration_facts(paths: dict[str, restoration.Path], networks: Sequence[nn.Module]) -> dict[str, Any]:
    """Write restoration.npz, return what its card holds: the control, and for each search how it ended."""
    templates, control = likeness.control(networks)
    arrays: dict[str, Any] = {}
    facts: dict[str, Any] = {"impostors_99_percent": round(control.percentile, 4)}
    facts |= {"genuine_above": control.above, "equal_error_rate": round(control.eer, 4)}
    for method, path in paths.items():
        path = path._replace(code=path.code.half())
        similarity = judged(method, path, networks, templates)
        parts = Restored(path.queries, path.distance.half(), path.code, similarity.half())
        arrays |= {f"{method}_{name}": value.numpy() for name, value in parts._asdict().items()}
        own = similarity[-1].diagonal()
        facts[method] = {
            "queries": int(path.queries[-1]),
            "distance": [round(v, 3) for v in path.distance[-1].tolist()],
            "similarity": [round(v, 3) for v in own.tolist()],
            "rank": (similarity[-1] > own[:, None]).sum(1).add(1).tolist(),
        }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    write_atomically(FOLDER / "restoration.npz", lambda file: file.write_bytes(buffer.getvalue()))
    return {**facts, "sha256": sha256(buffer.getvalue())}


def restored_faces() -> dict[str, Any]:
    """Both searches, and six networks to judge them."""
    resnet = checkpoints.load("face_resnet", "cpu").requires_grad_(False)
    return restoration_facts({method: searched(method, resnet) for method in BUDGET}, likeness.second_networks())


def runs(value: queries.Value, x: Tensor, eps: float, budget: int) -> dict[str, queries.Run]:
    """NES, 50 queries a gradient, and squares, under one budget and from one seed each."""
    return {
        name: attack(value, x, eps=eps, budget=budget, generator=runtime.generator(0, "cpu"))
        for name, attack in (("NES", queries.nes_attack), ("square", squares.square_search))
    }


def digits() -> dict[str, queries.Run]:
    """The first 100 test digits that mnist_cnn classifies rightly, l_inf 0.2, margins as answers."""
    model, mnist = checkpoints.load("mnist_cnn", "cpu").requires_grad_(False), data.load("mnist")
    x, y = mnist.x_test[: 2 * DIGITS], mnist.y_test[: 2 * DIGITS]
    right = (model(x).argmax(1) == y).nonzero()[:DIGITS, 0]
    return runs(queries.margin_of(model, y[right]), x[right], EPS, QUERIES)


def faces() -> dict[str, queries.Run]:
    """The sixth picture of the people 30 ... 37 at a door that accepts within 0.6 of the template: 8/255, the distance
    is the only answer. It fell where the door did not open any more."""
    resnet = checkpoints.load("face_resnet", "cpu").requires_grad_(False)
    x, e = likeness.aligned()[30 : 30 + FACES, 5].expand(-1, 3, -1, -1).contiguous(), targets(resnet)
    return runs(lambda z, rows: DOOR - (in_parts(resnet, z, 32) - e[rows]).norm(dim=1), x, FACE_EPS, FACE_QUERIES)


def query_curves() -> dict[str, Any]:
    """{set: {attack: queries until each picture fell, -1 where it did not}}."""
    return {
        name: {attack: run.queries.where(run.success, torch.tensor(-1)).tolist() for attack, run in measure().items()}
        for name, measure in (("digits", digits), ("faces", faces))
    }


def curve(name: str, attack: str, budgets: Sequence[int]) -> list[queries.Share]:
    """The stored curve of "NES" or "square" on "digits" or "faces": the share that fell within each budget."""
    runtime.check_name(name, ("digits", "faces"))
    runtime.check_name(attack, ("NES", "square"))
    spent = torch.tensor(load("queries")[name][attack])
    return queries.share_within(queries.Run(spent, spent >= 0, spent), budgets)


PARTS: dict[str, Callable[[], dict[str, Any]]] = {"restoration": restored_faces, "queries": query_curves}


def remedy(part: str) -> str:
    """What to do about a missing or damaged file."""
    return f"Restore it by `git checkout -- data/physical`, or measure again: {COMMAND} {part}"


def load(part: str) -> dict[str, Any]:
    """The card of a part, its seal verified.

    Raises ValueError for an unknown part, OSError for a missing or damaged file, with the remedy.
    """
    runtime.check_name(part, tuple(PARTS))
    return read_card(FOLDER / f"{part}.json", remedy(part))


def restored(method: str) -> Restored:
    """The stored search by "eigenfaces" or "blobs", in float32, verified. Raises OSError for a damaged file."""
    runtime.check_name(method, tuple(BUDGET))
    content = read_verified(FOLDER / "restoration.npz", load("restoration")["sha256"], remedy("restoration"))
    with np.load(io.BytesIO(content)) as arrays:
        found = [torch.from_numpy(arrays[f"{method}_{name}"]) for name in Restored._fields]
    return Restored(found[0], *(part.float() for part in found[1:]))


def main() -> None:
    """Measure all parts, or those named, and write them."""
    for part in sys.argv[1:] or PARTS:
        runtime.check_name(part, tuple(PARTS))
        runtime.seed(0, threads=1)
        facts = {"rebuild": f"{COMMAND} {part}", "torch": torch.__version__, **PARTS[part]()}
        write_card(FOLDER / f"{part}.json", facts)


if __name__ == "__main__":
    main()
