"""What lecture 2 measured once of the networks that it trained, kept in data/faceid/PART.json.

`python -m helpers.faceid.measured [PART ...]` trains and measures anew, on one thread: minutes a part.
"""

import sys
from collections.abc import Callable
from typing import Any

import torch

from helpers import data, runtime
from helpers.faceid import unseen
from helpers.files import read_card, write_card

COMMAND = "python -m helpers.faceid.measured"

FOLDER = data.FOLDER / "faceid"

SEEDS = range(5)  # of two losses on split 0: what another start changes


def unseen_people() -> dict[str, Any]:
    """{"splits": {loss: [[AUC, EER, TAR] of each split]}, "seeds": {loss: [[...] of each seed, on split 0]}}."""
    baselines = {"raw pixels": unseen.raw_pixels, "eigenfaces": unseen.eigenfaces}
    splits = {name: [rounded(judge(split)) for split in range(unseen.SPLITS)] for name, judge in baselines.items()}
    for loss in unseen.LOSSES:
        splits[loss] = [rounded(unseen.learnt(split, loss)) for split in range(unseen.SPLITS)]
        print(loss, splits[loss], flush=True)
    seeds = {loss: [rounded(unseen.learnt(0, loss, seed)) for seed in SEEDS] for loss in ("soft-max", "CosFace")}
    return {"splits": splits, "seeds": seeds}


def rounded(values: tuple[float, ...]) -> list[float]:
    """To four digits, as they are stored."""
    return [round(value, 4) for value in values]


PARTS: dict[str, Callable[[], dict[str, Any]]] = {"unseen": unseen_people}


def load(part: str) -> dict[str, Any]:
    """What is stored of a part, its seal verified.

    Raises ValueError for an unknown part, OSError for a missing or damaged file, with the remedy.
    """
    runtime.check_name(part, tuple(PARTS))
    remedy = f"Restore it by `git checkout -- data`, or measure again: {COMMAND} {part}"
    return read_card(FOLDER / f"{part}.json", remedy)


def main() -> None:
    """Measure all parts, or those named, and write them."""
    for part in sys.argv[1:] or PARTS:
        runtime.check_name(part, tuple(PARTS))
        runtime.seed(0, threads=1)
        facts = {"rebuild": f"{COMMAND} {part}", "torch": torch.__version__, **PARTS[part]()}
        write_card(FOLDER / f"{part}.json", facts)


if __name__ == "__main__":
    main()
