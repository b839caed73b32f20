"""Networks small enough to be trained here: of a digit to a point of the plane, of a face to 64 numbers."""

import torch
from torch import Tensor, nn


class Embedder(nn.Module):
    """f(x) (N, d), and what a loss needs besides: the classifier's weights (K, d), without bias, and centres (K, d)."""

    centres: Tensor

    def __init__(self, body: nn.Module, K: int, d: int) -> None:
        super().__init__()
        self.body = body
        self.weight = nn.Parameter(torch.randn(K, d))
        self.register_buffer("centres", torch.zeros(K, d))

    def forward(self, x: Tensor) -> Tensor:
        """The features (N, d), of whatever length: the loss decides what their length means."""
        return self.body(x)


def digit_embedder(d: int = 2) -> Embedder:
    """Two 4x4 convolutions of stride 2, a hidden layer of 64: x (N, 1, 28, 28) -> (N, d); ten classes.

    52,593 parameters for d = 2. PReLU, so that the features are not confined to a quadrant by what comes before them.
    """
    body = nn.Sequential(
        *(nn.Conv2d(1, 8, 4, stride=2, padding=1), nn.PReLU()),  # (N, 8, 14, 14)
        *(nn.Conv2d(8, 16, 4, stride=2, padding=1), nn.PReLU()),  # (N, 16, 7, 7)
        *(nn.Flatten(), nn.Linear(16 * 7 * 7, 64), nn.PReLU(), nn.Linear(64, d)),
    )
    return Embedder(body, 10, d)


def face_embedder(K: int = 30, d: int = 64) -> Embedder:
    """Four convolutions with batch normalisation, dropout, one linear layer: x (N, 1, 48, 48) -> (N, d); K people."""
    layers: list[nn.Module] = []
    for n_in, n_out, kernel, stride in ((1, 16, 5, 2), (16, 32, 3, 2), (32, 64, 3, 2), (64, 64, 3, 1)):
        layers += [nn.Conv2d(n_in, n_out, kernel, stride, kernel // 2), nn.BatchNorm2d(n_out), nn.ReLU()]
    return Embedder(nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.3), nn.Linear(64 * 36, d)), K, d)


def dense_embedder(d: int = 64) -> Embedder:
    """Three dense layers with batch normalisation and ReLU, 256, 256 and d wide: x (N, 1, 28, 28) -> (N, d) >= 0; ten
    classes.

    The features are outputs of a ReLU: with one more linear layer before the classifier the weight penalty falls on a
    product of two matrices, prefers a low rank, and NC2's angles stay away from the simplex.
    """
    layers: list[nn.Module] = [nn.Flatten()]
    for n_in, n_out in ((784, 256), (256, 256), (256, d)):
        layers += [nn.Linear(n_in, n_out), nn.BatchNorm1d(n_out), nn.ReLU()]
    return Embedder(nn.Sequential(*layers), 10, d)
