"""The network of the lecture: a small U-Net that takes noised digits, their times and their labels, to the noise."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Plan(NamedTuple):
    """What the network is made for: pictures (1, size, size), labels 0 ... classes - 1, times 1 ... T."""

    size: int = 28
    classes: int = 10
    T: int = 1000


def time_features(t: Tensor, size: int, longest: float = 10_000.0) -> Tensor:
    r"""(sin(t w_k), cos(t w_k)),  w_k = longest^{-k / (size/2)},  k = 0, ..., size/2 - 1.

    t (N,) -> (N, size) in float32. Raises ValueError unless size is even and at least 2, and t has one dimension.
    Source: Vaswani et al. 2017, section 3.5; for diffusion Ho et al. 2020, appendix B.
    """
    if size < 2 or size % 2:
        raise ValueError(f"size must be even and at least 2, got {size}")
    if t.ndim != 1:
        raise ValueError(f"t must be one time per picture, of shape (N,), got {tuple(t.shape)}")
    w = torch.exp(-math.log(longest) * torch.arange(size // 2, device=t.device) / (size // 2))
    angle = t.float()[:, None] * w
    return torch.cat([angle.sin(), angle.cos()], 1)


MNIST = Plan()


class Block(nn.Module):
    r"""h = conv(silu(norm x));  h = conv(silu(norm(h) (1 + a) + b)),  (a, b) = W e;  y = P x + h.

    x (N, n_in, H, W), e (N, d) -> (N, n_out, H, W); P is the identity, or a 1x1 convolution where n_in != n_out. norm
    is GroupNorm, and so one picture's noise never depends on the rest of its batch.
    Source: He et al. 2016 (the sum), Dhariwal & Nichol 2021, section 3 (the norm's scale and shift from t and y).
    """

    def __init__(self, n_in: int, n_out: int, d: int, groups: int = 8) -> None:
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(groups, n_in), nn.Conv2d(n_in, n_out, 3, padding=1)
        self.norm2, self.conv2 = nn.GroupNorm(groups, n_out), nn.Conv2d(n_out, n_out, 3, padding=1)
        self.affine = nn.Linear(d, 2 * n_out)
        self.shortcut = nn.Identity() if n_in == n_out else nn.Conv2d(n_in, n_out, 1)

    def forward(self, x: Tensor, e: Tensor) -> Tensor:
        """The equation above."""
        a, b = self.affine(e)[:, :, None, None].chunk(2, 1)
        h = self.conv1(F.silu(self.norm1(x)))
        h = self.conv2(F.silu(torch.addcmul(b, self.norm2(h), 1 + a)))
        return self.shortcut(x) + h


class Attention(nn.Module):
    r"""y = x + W_o softmax(q k^T / sqrt(c / heads)) v,  (q, k, v) = W norm(x),  over the H W places of a picture.

    x (N, c, H, W) -> the same shape. Source: Vaswani et al. 2017, equation 1.
    """

    def __init__(self, c: int, heads: int = 4) -> None:
        super().__init__()
        self.norm, self.heads = nn.GroupNorm(8, c), heads
        self.qkv, self.out = nn.Conv2d(c, 3 * c, 1), nn.Conv2d(c, c, 1)

    def forward(self, x: Tensor) -> Tensor:
        """The equation above."""
        n, c, *places = x.shape
        q, k, v = self.qkv(self.norm(x)).reshape(n, 3, self.heads, c // self.heads, -1).transpose(-1, -2).unbind(1)
        h = F.scaled_dot_product_attention(q, k, v)
        return x + self.out(h.transpose(-1, -2).reshape(n, c, *places))


class UNet(nn.Module):
    r"""xi_theta(x_t, t, y): the noise in x_t, from the picture, the time and the label; y = classes is the null label.

    x_t (N, 1, 28, 28), t (N,) in 1 ... T, y (N,) int64 in 0 ... classes or None (null throughout) -> as x_t. Squares of
    2x2 pixels are made channels first (Shi et al. 2016, backwards), so all work is done at 14x14 and 7x7: down (two
    blocks), in the middle (two, with attention between), up (two, each beside what the way down saw). e = silu(MLP of
    the time's features + embedding of the label) enters every block.
    Raises ValueError for other shapes, times or labels. Source: Ronneberger et al. 2015; Ho et al. 2020, appendix B.
    """

    def __init__(self, channels: int = 32, plan: Plan = MNIST) -> None:
        super().__init__()
        c, d = channels, 4 * channels
        self.plan, self.time_size = plan, 2 * c
        self.time = nn.Sequential(nn.Linear(2 * c, d), nn.SiLU(), nn.Linear(d, d))
        self.label = nn.Embedding(plan.classes + 1, d)
        self.stem = nn.Conv2d(4, c, 3, padding=1)
        self.down1, self.shrink, self.down2 = Block(c, c, d), nn.Conv2d(c, 2 * c, 3, 2, 1), Block(2 * c, 2 * c, d)
        self.middle1, self.attention, self.middle2 = Block(2 * c, 2 * c, d), Attention(2 * c), Block(2 * c, 2 * c, d)
        self.up2, self.grow, self.up1 = Block(4 * c, 2 * c, d), nn.Conv2d(2 * c, c, 3, padding=1), Block(2 * c, c, d)
        self.head = nn.Sequential(nn.GroupNorm(8, c), nn.SiLU(), nn.Conv2d(c, 4, 3, padding=1))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def null(self) -> int:
        """The label that says nothing."""
        return self.plan.classes

    def forward(self, x_t: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
        """The noise."""
        y = self._checked(x_t, t, y)
        e = F.silu(self.time(time_features(t, self.time_size)) + self.label(y))
        x = F.pixel_unshuffle(x_t, 2).contiguous(memory_format=torch.channels_last)
        h1 = self.down1(self.stem(x), e)
        h2 = self.down2(self.shrink(h1), e)
        h = self.middle2(self.attention(self.middle1(h2, e)), e)
        h = self.up2(torch.cat([h, h2], 1), e)
        h = self.grow(F.interpolate(h, scale_factor=2))
        h = self.up1(torch.cat([h, h1], 1), e)
        return F.pixel_shuffle(self.head(h), 2)

    def _checked(self, x_t: Tensor, t: Tensor, y: Tensor | None) -> Tensor:
        n, size = len(x_t), self.plan.size
        if x_t.shape != (n, 1, size, size) or not x_t.is_floating_point():
            raise ValueError(f"x_t must be pictures (N, 1, {size}, {size}), got {tuple(x_t.shape)} of {x_t.dtype}")
        y = t.new_full((n,), self.null, dtype=torch.int64) if y is None else y
        for name, value, low, high in (("t", t, 1, self.plan.T), ("y", y, 0, self.null)):
            if value.shape != (n,) or value.is_floating_point():
                raise ValueError(f"{name} must be {n} integers (N,), got {tuple(value.shape)} of {value.dtype}")
            if n and not low <= int(value.min()) <= int(value.max()) <= high:
                raise ValueError(f"{name} must lie in {low} ... {high}, got {int(value.min())} ... {int(value.max())}")
        return y


def mnist_unet() -> UNet:
    """The U-Net of MNIST at T = 1000, to train."""
    return UNet()


class NoisyClassifier(nn.Module):
    r"""log p(y | x_t) for every t: two 4x4 convolutions of stride 2, one hidden layer that also sees the time.

    x_t (N, 1, 28, 28), t (N,) -> logits (N, 10). What classifier guidance needs: a classifier of clean digits has never
    seen x_t. Source: Dhariwal & Nichol 2021, section 4.
    """

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(
                nn.Conv2d(1, 16, 4, stride=2, padding=1),
                nn.ReLU(),
                nn.Conv2d(16, 32, 4, stride=2, padding=1),
                nn.ReLU(),
            ),
            *(nn.Flatten(), nn.Linear(32 * 7 * 7, 100)),
        )
        self.time, self.head = nn.Linear(64, 100), nn.Linear(100, classes)

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        """The logits."""
        return self.head(F.silu(self.body(x_t) + self.time(time_features(t, 64))))


class Average:
    r"""theta_bar <- d theta_bar + (1 - d) theta, d = min(decay, (1 + step) / (10 + step)): it soon forgets the start.

    Raises ValueError unless 0 <= decay < 1. Source: Ho et al. 2020, appendix B (decay .9999 over 800,000 steps).
    """

    def __init__(self, model: nn.Module, decay: float = 0.999) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"decay must lie in [0, 1), got {decay}")
        self.decay, self.step = decay, 0
        self.weights = {name: value.detach().clone() for name, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """One step of the equation above."""
        d = min(self.decay, (1 + self.step) / (10 + self.step))
        now = [value for value in model.state_dict().values()]
        torch._foreach_lerp_(list(self.weights.values()), now, 1 - d)
        self.step += 1

    def store(self, model: nn.Module) -> None:
        """Put theta_bar in the place of theta."""
        model.load_state_dict(self.weights)
