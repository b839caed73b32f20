"""The small networks that several lectures share, for pictures x (N, 1, 28, 28) in [0, 1] -> logits (N, classes)."""

from collections.abc import Callable, Sequence

from torch import Tensor, nn


def mlp(sizes: Sequence[int], activation: Callable[[], nn.Module] = nn.ReLU) -> nn.Sequential:
    r"""h_0 = flatten(x);  h_l = activation(W_l h_{l-1} + b_l);  the last layer is affine.

    x (N, ...) with sizes[0] entries each -> (N, sizes[-1]);  sum_l (n_{l-1} + 1) n_l parameters:
    mlp([784, 100, 10]) has 79,510.
    Raises ValueError unless `sizes` holds at least two positive integers.
    """
    if len(sizes) < 2 or not all(isinstance(n, int) and n > 0 for n in sizes):
        raise ValueError(f"sizes must be at least two positive integers, such as [784, 100, 10], got {sizes!r}")
    layers: list[nn.Module] = [nn.Flatten()]
    for n_in, n_out in zip(sizes[:-2], sizes[1:-1], strict=True):
        layers += [nn.Linear(n_in, n_out), activation()]
    return nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1]))


def mnist_mlp() -> nn.Module:
    """784 pixels, one hidden layer of 200, ten logits."""
    return mlp([784, 200, 10])


def lenet(classes: int = 10) -> nn.Sequential:
    """Two 4x4 convolutions of stride 2 with ReLU, one hidden layer of 100: 166,406 parameters for ten classes.

    The plan of LeCun et al. 1998 (LeNet-5) with strides in place of pooling and ReLU, as in Wong & Kolter 2018: a step
    costs a quarter of that with 5x5 convolutions and max-pooling. No dropout and no normalisation: the network is one
    fixed piecewise-linear function, in training and afterwards. Raises ValueError unless classes >= 1.
    """
    _check_classes(classes)
    return nn.Sequential(
        *(nn.Conv2d(1, 16, 4, stride=2, padding=1), nn.ReLU()),  # (N, 16, 14, 14)
        *(nn.Conv2d(16, 32, 4, stride=2, padding=1), nn.ReLU()),  # (N, 32, 7, 7)
        *(nn.Flatten(), nn.Linear(32 * 7 * 7, 100), nn.ReLU(), nn.Linear(100, classes)),
    )


def stride_cnn(classes: int = 10) -> nn.Sequential:
    """Two convolutions of stride 2 (32 5x5, 64 4x4) and one hidden layer of 256: 839,306 parameters for ten classes.

    No pooling: a gradient costs a quarter of what it costs in a pooled net. Raises ValueError unless classes >= 1.
    """
    _check_classes(classes)
    return nn.Sequential(
        *(nn.Conv2d(1, 32, 5, stride=2, padding=2), nn.ReLU()),  # (N, 32, 14, 14)
        *(nn.Conv2d(32, 64, 4, stride=2, padding=1), nn.ReLU()),  # (N, 64, 7, 7)
        *(nn.Flatten(), nn.Linear(64 * 7 * 7, 256), nn.ReLU(), nn.Linear(256, classes)),
    )


def vgg(classes: int = 10) -> nn.Sequential:
    """Three pairs of 3x3 convolutions (16, 32, 64 channels) with pooling, one hidden layer: 146,938 parameters.

    The plan of Simonyan & Zisserman 2015, weights started as He et al. 2015 (no normalisation is then needed).
    Raises ValueError unless classes >= 1.
    """
    _check_classes(classes)
    layers: list[nn.Module] = []
    for n_in, n_out in ((1, 16), (16, 32), (32, 64)):
        layers += [nn.Conv2d(n_in, n_out, 3, padding=1), nn.ReLU()]
        layers += [nn.Conv2d(n_out, n_out, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    layers += [nn.Flatten(), nn.Linear(64 * 3 * 3, 128), nn.ReLU(), nn.Linear(128, classes)]
    return nn.Sequential(*layers).apply(_he_start)


def resnet(classes: int = 10) -> nn.Sequential:
    """Three stages (16, 32, 64 channels) of two residual blocks, global average pooling: 174,778 parameters.

    The CIFAR plan of He et al. 2016, section 4.2, with n = 2 (14 layers). GroupNorm (Wu & He 2018) stands where that
    paper has batch normalisation: each picture is normalised by itself, so the network is the same function in
    training and evaluation, and one picture's output and gradient never depend on the rest of its batch.
    Raises ValueError unless classes >= 1.
    """
    _check_classes(classes)
    layers: list[nn.Module] = [nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.GroupNorm(8, 16), nn.ReLU()]
    for n_in, n_out, stride in ((16, 16, 1), (16, 32, 2), (32, 64, 2)):
        layers += [Residual(n_in, n_out, stride), Residual(n_out, n_out)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, classes))


class Residual(nn.Module):
    """y = ReLU(x' + F(x)),  F = two 3x3 convolutions with GroupNorm,  x' = x or its 1x1 projection where shapes differ.

    x (N, n_in, H, W) -> (N, n_out, ceil(H / stride), ceil(W / stride)). Source: He et al. 2016, equations 1 and 2.
    """

    def __init__(self, n_in: int, n_out: int, stride: int = 1) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            *(nn.Conv2d(n_in, n_out, 3, stride, padding=1, bias=False), nn.GroupNorm(8, n_out), nn.ReLU()),
            *(nn.Conv2d(n_out, n_out, 3, padding=1, bias=False), nn.GroupNorm(8, n_out)),
        )
        same = n_in == n_out and stride == 1
        self.shortcut = nn.Identity() if same else nn.Conv2d(n_in, n_out, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """The equation above."""
        return (self.shortcut(x) + self.residual(x)).relu()


def _he_start(layer: nn.Module) -> None:
    if isinstance(layer, (nn.Conv2d, nn.Linear)):
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def _check_classes(classes: int) -> None:
    if not (isinstance(classes, int) and classes >= 1):
        raise ValueError(f"classes must be an integer >= 1, got {classes!r}")
