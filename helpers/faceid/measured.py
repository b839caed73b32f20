"""What lecture 2 measured once of the networks that it trained, kept in data/faceid/PART.json.

`python -m helpers.faceid.measured [PART ...]` trains and measures anew, on one thread: minutes a part.
"""

import io
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from helpers import data, runtime
from helpers.faceid import planar, terminal, unseen
from helpers.files import read_card, read_verified, sha256, write_atomically, write_card

COMMAND = "python -m helpers.faceid.measured"

FOLDER = data.FOLDER / "faceid"

SEEDS = range(5)  # of two losses on split 0: what another start changes
AGAIN = ("soft-max", "NormFace", "SphereFace", "CosFace", "ArcFace", "triplet, semi-hard")  # all splits, another seed


def unseen_people() -> dict[str, Any]:
    """{"splits": {loss: [[AUC, EER, TAR] of each split]}, "seeds": {loss: [[...] of each seed, on split 0]}}."""
    baselines = {"raw pixels": unseen.raw_pixels, "eigenfaces": unseen.eigenfaces}
    splits = {name: [rounded(judge(split)) for split in range(unseen.SPLITS)] for name, judge in baselines.items()}
    for loss in unseen.LOSSES:
        splits[loss] = [rounded(unseen.learnt(split, loss)) for split in range(unseen.SPLITS)]
    seeds = {loss: [rounded(unseen.learnt(0, loss, seed)) for seed in SEEDS] for loss in ("soft-max", "CosFace")}
    return {"splits": splits, "seeds": seeds}


def unseen_again() -> dict[str, Any]:
    """{"splits": {loss of AGAIN: [[AUC, EER, TAR] of each split]}} from seed 1: does what the first table says hold?"""
    found = {loss: [rounded(unseen.learnt(split, loss, 1)) for split in range(unseen.SPLITS)] for loss in AGAIN}
    return {"splits": found}


def planar_histories() -> dict[str, Any]:
    """The geometry of every loss; its features on the way go to planar.npz, their SHA-256 is `sha256`."""
    models, found = planar.histories()
    return planar_facts({loss: planar.planar_geometry(model) for loss, model in models.items()}, found)


def cold_starts() -> dict[str, Any]:
    """The geometry that the losses of planar.COLD reach from random weights."""
    rows = {loss: rounded(planar.cold_geometry(loss)) for loss in planar.COLD}
    return {"columns": list(planar.Geometry._fields), "geometry": rows}


def planar_facts(geometries: dict[str, planar.Geometry], history: Tensor) -> dict[str, Any]:
    """Write planar.npz, return what the card holds."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, features=history.half().numpy())
    write_atomically(FOLDER / "planar.npz", lambda path: path.write_bytes(buffer.getvalue()))
    columns = list(planar.Geometry._fields)
    rows = {loss: rounded(values) for loss, values in geometries.items()}
    return {"columns": columns, "geometry": rows, "frames": list(planar.FRAMES), "sha256": sha256(buffer.getvalue())}


def planar_history() -> Tensor:
    """The features of the first 500 test digits after FRAMES steps by every loss of planar.LOSSES: (L, F, 500, 2)."""
    content = read_verified(FOLDER / "planar.npz", load("planar")["sha256"], remedy("planar"))
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return torch.from_numpy(arrays["features"]).float()


def collapse() -> dict[str, Any]:
    """NC1 to NC4 over the training, a row for each epoch of terminal.EPOCHS."""
    return {"columns": list(terminal.Row._fields), "rows": [list(row) for row in terminal.collapse_history()]}


def scales() -> dict[str, Any]:
    """What NormFace reaches at each scale s of terminal.SCALES with a network: loss, floor, cosines, accuracy."""
    rows = [rounded(terminal.scaled_network(s)) for s in terminal.SCALES]
    return {"columns": list(terminal.Scaled._fields), "rows": rows}


def rounded(values: tuple[float, ...]) -> list[float]:
    """To four digits, as they are stored."""
    return [round(value, 4) for value in values]


PARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "planar": planar_histories,
    "cold": cold_starts,
    "unseen": unseen_people,
    "unseen_again": unseen_again,
    "collapse": collapse,
    "scales": scales,
}


def remedy(part: str) -> str:
    """What to do about a missing or damaged file."""
    return f"Restore it by `git checkout -- data/faceid`, or measure again: {COMMAND} {part}"


def load(part: str) -> dict[str, Any]:
    """What is stored of a part, its seal verified.

    Raises ValueError for an unknown part, OSError for a missing or damaged file, with the remedy.
    """
    runtime.check_name(part, tuple(PARTS))
    return read_card(FOLDER / f"{part}.json", remedy(part))


def main() -> None:
    """Measure all parts, or those named, and write them."""
    for part in sys.argv[1:] or PARTS:
        runtime.check_name(part, tuple(PARTS))
        runtime.seed(0, threads=1)
        facts = {"rebuild": f"{COMMAND} {part}", "torch": torch.__version__, **PARTS[part]()}
        write_card(FOLDER / f"{part}.json", facts)


if __name__ == "__main__":
    main()
