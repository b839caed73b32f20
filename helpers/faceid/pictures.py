"""Pictures that the pipeline is given: one photograph, the AT&T faces, and what every picture must be."""

import io

import numpy as np
import torch
from torch import Tensor, nn

from helpers import data
from helpers.files import read_verified

PHOTOGRAPH = "41ac71b4d7058cdff46dcf63a197260917b53b89853a95c5d5a2de224f9c457c"


def check_pictures(name: str, x: Tensor, network: nn.Module | None = None) -> None:
    """Raise ValueError unless x is (N, 1 or 3, H, W), N, H, W >= 1, in [0, 1], and of the network's type and device."""
    if not isinstance(x, Tensor) or not x.is_floating_point():
        kind = x.dtype if isinstance(x, Tensor) else type(x).__name__
        raise ValueError(
            f"{name} must be a floating tensor in [0, 1], got {kind}; of bytes, {name}.float() / 255 is one"
        )
    if x.ndim != 4 or x.shape[1] not in (1, 3) or x.numel() == 0:
        raise ValueError(f"{name} must be pictures (N, 1 or 3, H, W), none of them empty, got {tuple(x.shape)}")
    low, high = x.aminmax()
    if not (low >= 0 and high <= 1):  # so NaN is refused as well
        raise ValueError(f"{name} must lie in [0, 1], got values from {float(low):g} to {float(high):g}")
    like = x if network is None else next(network.parameters())
    if (x.dtype, x.device) != (like.dtype, like.device):
        raise ValueError(f"{name} must be {like.dtype} on {like.device} as the network is, got {x.dtype} on {x.device}")


def in_colour(x: Tensor) -> Tensor:
    """Grey pictures as colour ones of three equal channels: (N, 1 or 3, H, W) -> (N, 3, H, W)."""
    return x.expand(-1, 3, -1, -1)


def photograph() -> Tensor:
    """Eileen Collins, astronaut (NASA, public domain), (1, 3, H, W) in [0, 1]: one face among other things."""
    from PIL import Image

    path = data.FOLDER / "faceid" / "astronaut.png"
    content = read_verified(path, PHOTOGRAPH, f"Restore it with `git checkout -- data/faceid/{path.name}`.")
    with Image.open(io.BytesIO(content)) as picture:
        return torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 255


def att_faces() -> tuple[Tensor, Tensor]:
    """The 400 AT&T faces x (400, 1, 112, 92) and the people in them y (400,), in 0 ... 39, ten of each in turn."""
    x_train, y_train, x_test, y_test, _ = data.load("att_faces")
    return torch.cat([x_train, x_test]), torch.cat([y_train, y_test])
