"""A classifier of photographs for lecture 7: MobileNetV2 with its ImageNet weights, three pictures, 1,000 labels."""

import io

import numpy as np
import safetensors.torch
import torch
from torch import Tensor, nn

from helpers import runtime
from helpers.data import FOLDER
from helpers.files import read_verified

PICTURES = ("cat", "coffee", "camera")

SHA256 = {
    "pictures.npz": "efde445edbb447501406a215e36a5e85bd178a4173f82dd3c948c6f81d38ebb5",
    "mobilenet_v2.safetensors": "635c7c6781dc71d00458bdcfd0050721ee557c87d73b37d7d2941f5abedd11be",
}


class Normalised(nn.Module):
    """model((x - mean) / std), channel by channel: the classifier of pictures x (N, 3, H, W) in [0, 1]."""

    mean: Tensor
    std: Tensor

    def __init__(self, model: nn.Module, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, K)."""
        return self.model((x - self.mean) / self.std)


def _read(name: str) -> bytes:
    remedy = f"Restore it with `git checkout -- data/imagenet/{name}`."
    return read_verified(FOLDER / "imagenet" / name, SHA256[name], remedy)


def pictures() -> Tensor:
    """The photographs named in PICTURES, (3, 3, 224, 224) float32 in [0, 1]: 256 pixels high, cropped in the middle."""
    with np.load(io.BytesIO(_read("pictures.npz"))) as archive:
        return torch.from_numpy(archive["x"]).float() / 255


def labels() -> tuple[str, ...]:
    """The names of ImageNet's 1,000 classes, in the order of the logits."""
    runtime.import_torchvision()
    from torchvision.models import MobileNet_V2_Weights

    return tuple(MobileNet_V2_Weights.IMAGENET1K_V1.meta["categories"])


def classifier(device: torch.device | str | None = None) -> nn.Module:
    """MobileNetV2 (Sandler et al. 2018; torchvision's weights, 71.9 % top-1 as published), in evaluation mode.

    x (N, 3, 224, 224) in [0, 1] -> logits (N, 1000). Stored in half precision, computed in single.
    """
    runtime.import_torchvision()
    from torchvision.models import mobilenet_v2

    with torch.random.fork_rng(devices=[]):  # its random start is overwritten: the global generator stays as it is
        model = mobilenet_v2()
    model.load_state_dict(safetensors.torch.load(_read("mobilenet_v2.safetensors")), strict=False)
    wrapped = Normalised(model, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    return wrapped.to(runtime.device() if device is None else device).eval().requires_grad_(False)
