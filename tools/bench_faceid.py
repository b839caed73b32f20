"""Lecture 2's pipeline: the detector beside facenet-pytorch, which has the same three networks, and seconds a face.

Same pictures, thresholds and smallest face for both, one thread, in turns in one run; CPU time is measured.
"""

import importlib.util
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from helpers import faceid, runtime
from tools.bench import Row

PEERS = ("facenet_pytorch",)
MISSING = "faceid: the rows beside facenet-pytorch are left out: `make peers PEERS=faceid` measures them"
Detector = Callable[[Tensor], list[tuple[Tensor, Tensor]]]  # boxes (F, 5) with scores, landmarks (F, 5, 2) of each


def greedy(boxes: Tensor, scores: Tensor, threshold: float) -> Tensor:
    """Non-maximum suppression in NumPy, one box after the other: the indices kept, the best first."""
    b, order, kept = boxes.numpy().astype(np.float64), (-scores.numpy()).argsort(kind="stable"), []
    area = (b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1])
    while len(order):
        i, rest = order[0], order[1:]
        kept.append(i)
        size = np.minimum(b[i, 2:], b[rest, 2:]) - np.maximum(b[i, :2], b[rest, :2])
        common = size.clip(0).prod(1)
        order = rest[common <= threshold * (area[i] + area[rest] - common)]
    return torch.tensor(np.array(kept, dtype=np.int64))


def facenet(min_side: float) -> Detector:
    """facenet-pytorch's detector; where torchvision's compiled suppression cannot be loaded, with `greedy` instead."""
    runtime.import_torchvision()
    import torchvision
    from facenet_pytorch import MTCNN
    from facenet_pytorch.models.utils import detect_face as theirs

    if not torchvision.extension._has_ops():
        theirs.batched_nms = in_groups
    nets = MTCNN(device="cpu")

    def detect(x: Tensor) -> list[tuple[Tensor, Tensor]]:
        pixels = faceid.in_colour(255 * x).permute(0, 2, 3, 1)
        options: Any = (min_side, nets.pnet, nets.rnet, nets.onet, [0.6, 0.7, 0.7], 0.709, "cpu")
        with torch.no_grad():
            found = zip(*theirs.detect_face(pixels, *options), strict=True)
        return [tuple(torch.from_numpy(np.array(part, dtype=np.float32)) for part in each) for each in found]  # type: ignore[misc]

    return detect


def in_groups(boxes: Tensor, scores: Tensor, groups: Tensor, threshold: float) -> Tensor:
    """torchvision's batched_nms: the groups are moved apart, then `greedy`."""
    apart = groups.to(boxes)[:, None] * (boxes.max() + 1 if len(boxes) else 1)
    return greedy(boxes + apart, scores, threshold)


def ours(min_side: float) -> Detector:
    """helpers.faceid.detect in the same form."""
    mtcnn, _ = faceid.pretrained("cpu")

    def detect(x: Tensor) -> list[tuple[Tensor, Tensor]]:
        with torch.no_grad():
            faces = faceid.detect(mtcnn, x, min_side=min_side)
        boxes = torch.cat([faces.boxes, faces.scores[:, None]], 1)
        return [(boxes[faces.picture == n], faces.landmarks[faces.picture == n]) for n in range(len(x))]

    return detect


def seconds(run: Callable[[], object]) -> float:
    """CPU seconds."""
    start = time.process_time()
    run()
    return time.process_time() - start


def rows(rounds: int = 7) -> Iterator[Row]:
    """The rows of lecture 2."""
    torch.set_num_threads(1)
    (x, _), (mtcnn, resnet) = faceid.att_faces(), faceid.pretrained("cpu")
    with torch.no_grad():
        yield "400 AT&T faces: detect, align, embed", seconds(lambda: faceid.recognise(mtcnn, resnet, x)), 40, "s"
    if importlib.util.find_spec(PEERS[0]) is None:
        print(MISSING)
        return
    for name, pictures, side in (("80 AT&T faces", x[::5], 20), ("photograph", faceid.photograph(), 20)):
        pair = (ours(side), facenet(side))
        times = [[seconds(partial(run, pictures)) for run in pair] for _ in range(rounds + 1)][1:]  # the first warms up
        yield f"MTCNN, {name} / facenet-pytorch", statistics.median(a / b for a, b in times), 1.0, ""
