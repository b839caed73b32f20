"""The networks of the pipeline: MTCNN's three, which find faces, and the residual network that describes one."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SIDE = 150  # pixels of the square picture that the residual network sees
PIXEL_MEAN = (122.782, 117.001, 104.298)  # of the faces it was trained on: red, green, blue, of 255


def conv(channels: int, out: int, kernel: int) -> tuple[nn.Module, nn.Module]:
    """A convolution without padding and its PReLU, max(0, z) + a min(0, z), a slope a for each channel."""
    return nn.Conv2d(channels, out, kernel), nn.PReLU(out)


def pool(kernel: int) -> nn.Module:
    """The maximum over kernel x kernel pixels in steps of two; what is left at the edge counts as well."""
    return nn.MaxPool2d(kernel, 2, ceil_mode=True)


def pnet() -> nn.Sequential:
    """The proposal network: x (N, 3, H, W) in [0, 1] -> (N, 5, h, w), for each window of 12 pixels, two pixels apart,
    the log-odds of a face and four shifts, h = ceil((H - 2) / 2) - 4. 6,599 parameters.

    Source: Zhang et al. 2016, figure 2, with one head in place of two and one logit in place of a soft-max of two.
    """
    return nn.Sequential(Centred(), *conv(3, 10, 3), pool(2), *conv(10, 16, 3), *conv(16, 32, 3), nn.Conv2d(32, 5, 1))


def rnet() -> nn.Sequential:
    """The refining network: x (N, 3, 24, 24) -> (N, 5), the log-odds of a face and four shifts."""
    return nn.Sequential(
        *(Centred(), *conv(3, 28, 3), pool(3), *conv(28, 48, 3), pool(3), *conv(48, 64, 2)),
        *(nn.Flatten(), nn.Linear(576, 128), nn.PReLU(128), nn.Linear(128, 5)),
    )


def onet() -> nn.Sequential:
    """The output network: x (N, 3, 48, 48) -> (N, 15): log-odds, four shifts, x and y of five landmarks."""
    return nn.Sequential(
        *(Centred(), *conv(3, 32, 3), pool(3), *conv(32, 64, 3), pool(3), *conv(64, 64, 3), pool(2)),
        *(*conv(64, 128, 2), nn.Flatten(), nn.Linear(1152, 256), nn.PReLU(256), nn.Linear(256, 15)),
    )


def in_parts(network: nn.Module, x: Tensor, size: int = 64) -> Tensor:
    """network(x), `size` rows at a time: what fits into a processor's cache is done sooner."""
    return torch.cat([network(part) for part in x.split(size)])


class Centred(nn.Module):
    """(255 x - 127.5) / 128: pictures in [0, 1] as MTCNN was trained on them."""

    def forward(self, x: Tensor) -> Tensor:
        """x (N, 3, H, W) -> the same shape, channels last in memory: all that follows takes half the time on CPUs."""
        return ((255 * x - 127.5) / 128).contiguous(memory_format=torch.channels_last)


class Mtcnn(nn.Module):
    """The three networks of MTCNN as one module: `pnet`, `rnet`, `onet`; `helpers.faceid.detect` runs them."""

    def __init__(self) -> None:
        super().__init__()
        self.pnet, self.rnet, self.onet = pnet(), rnet(), onet()


class Block(nn.Module):
    """relu(conv(relu(conv(x))) + s(x));  s = identity, or, where the block halves its input, means of 2 x 2 pixels.

    The smaller of the two terms is filled up with zeros, in channels and in pixels, as dlib does it.
    """

    def __init__(self, channels: int, out: int, halve: bool) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, out, 3, stride=2 if halve else 1, padding=0 if halve else 1)
        self.second = nn.Conv2d(out, out, 3, padding=1)
        self.halve = halve

    def forward(self, x: Tensor) -> Tensor:
        """x (N, channels, H, W) -> (N, out, h, w)."""
        y = self.second(F.relu(self.first(x)))
        shortcut = F.avg_pool2d(x, 2) if self.halve else x
        missing = (shortcut.shape[3] - y.shape[3], shortcut.shape[2] - y.shape[2], y.shape[1] - shortcut.shape[1])
        y = F.pad(y, (0, missing[0], 0, missing[1]))
        return F.relu(y + F.pad(shortcut, (0, 0, 0, 0, 0, missing[2])))


class FaceResNet(nn.Module):
    """dlib's face descriptor: 29 convolutions, 5.6 million parameters; x (N, 3, 150, 150) in [0, 1] -> (N, 128).

    Trained by its author on three million faces so that two pictures of one person are nearer than 0.6 in Euclidean
    distance. The normalisations of its layers are folded into their convolutions.
    Source: King 2017, dlib_face_recognition_resnet_model_v1; the architecture is He et al. 2016 with half the filters.
    """

    WIDTHS = (32, 32, 32, 64, 64, 64, 64, 128, 128, 128, 256, 256, 256, 256)
    HALVED = (3, 7, 10, 13)
    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        widths = (32, *self.WIDTHS)
        self.stem = nn.Conv2d(3, 32, 7, stride=2)
        blocks = [Block(widths[k], widths[k + 1], k in self.HALVED) for k in range(len(self.WIDTHS))]
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(256, 128, bias=False)
        self.register_buffer("mean", torch.tensor(PIXEL_MEAN).view(3, 1, 1) / 255, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """The descriptors (N, 128); their length is not 1."""
        x = (x - self.mean).contiguous(memory_format=torch.channels_last)
        u = F.max_pool2d(F.relu(self.stem(x)), 3, 2)
        return self.head(self.blocks(u).mean((2, 3)))
