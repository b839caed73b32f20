"""What the pipeline makes of the AT&T faces, kept in data/faceid/att_faces.npz: boxes, landmarks, and descriptors of
the whole pictures, of what the boxes cut out, and of the aligned faces. `python -m helpers.faceid.stored` makes it
again, in half a minute on one core.
"""

import io
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from helpers import checkpoints, data
from helpers.faceid.detection import detect
from helpers.faceid.networks import Mtcnn
from helpers.faceid.pictures import att_faces, photograph
from helpers.faceid.pipeline import Described, describe, distances, pretrained, recognise
from helpers.faceid.verification import pairs, roc_and_eer
from helpers.files import read_card, read_verified, sha256, write_atomically, write_card

COMMAND = "python -m helpers.faceid.stored"
FILE = data.FOLDER / "faceid" / "att_faces.npz"
REMEDY = f"Restore it by `git checkout -- data/faceid`, or make it again: {COMMAND}"


def load() -> Described:
    """The stored descriptors, verified. Raises OSError for a missing or damaged file, with the remedy."""
    facts = read_card(FILE.with_suffix(".json"), REMEDY)
    with np.load(io.BytesIO(read_verified(FILE, facts["sha256"], REMEDY))) as arrays:
        return Described(*(torch.from_numpy(arrays[name]) for name in Described._fields))


def measure_detector(mtcnn: nn.Module) -> dict[str, float]:
    """Of the first two pictures of each person the share with exactly one face; the faces in the photograph."""
    assert isinstance(mtcnn, Mtcnn)
    device = next(mtcnn.parameters()).device
    x = att_faces()[0].view(40, 10, 1, 112, 92)[:, :2].flatten(0, 1).to(device)
    with torch.no_grad():
        found, seen = detect(mtcnn, x), detect(mtcnn, photograph().to(device))
    one = torch.bincount(found.picture, minlength=len(x)) == 1
    return {"one_face": one.double().mean().item(), "faces_in_photograph": float(len(seen.scores))}


def measure_descriptor(resnet: nn.Module) -> dict[str, float]:
    """Over all pairs of the 400 AT&T faces, as MTCNN's landmarks align them: equal error rate."""
    device = next(resnet.parameters()).device
    mtcnn, (x, people) = checkpoints.load("mtcnn", device), att_faces()
    assert isinstance(mtcnn, Mtcnn)
    with torch.no_grad():
        found, _ = recognise(mtcnn, resnet, x.to(device))
    return {"equal_error_rate": float(equal_error(found.cpu(), people))}


def equal_error(descriptors: Tensor, people: Tensor) -> Tensor:
    """The equal error rate of Euclidean distances over all pairs."""
    i, j = pairs(people)
    return roc_and_eer(-distances(descriptors[i], descriptors[j]), people[i] == people[j])[2]


def main() -> None:
    """Make the file again, print the error rates of its descriptors."""
    torch.set_num_threads(1)
    x, people = att_faces()
    found, buffer = describe(*pretrained("cpu"), x), io.BytesIO()
    arrays: dict[str, Any] = {name: value.numpy() for name, value in found._asdict().items()}
    np.savez(buffer, **arrays)
    write_atomically(FILE, lambda path: path.write_bytes(buffer.getvalue()))
    rates = {name: float(equal_error(getattr(found, name), people)) for name in ("raw", "cropped", "aligned")}
    facts = {"rebuild": COMMAND, "pictures": data.source("att_faces").split("/")[-1], "equal_error_rates": rates}
    write_card(FILE.with_suffix(".json"), {**facts, "sha256": sha256(buffer.getvalue()), "torch": torch.__version__})
    print(rates)


if __name__ == "__main__":
    main()
