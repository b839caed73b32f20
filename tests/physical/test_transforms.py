"""Each part beside an independent implementation (SciPy, NumPy), at rest, through its gradient, and with bad input."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor
from torch.autograd import gradcheck

from helpers import physical, runtime
from helpers.physical.transforms import in_range

STILL = torch.zeros(2, 4, 2)
AT_REST: dict[str, Callable[[Tensor], Tensor]] = {
    "rotate_scale": lambda x: physical.rotate_scale(x, 0.0, 1.0, torch.zeros(len(x), 2)),
    "perspective": lambda x: physical.perspective(x, STILL),
    "warp": lambda x: physical.warp(x, torch.eye(3, dtype=x.dtype)),
    "blur": lambda x: physical.blur(x, 0.0),
    "colour": lambda x: physical.colour(x, 1.0, 0.0, 1.0),
    "noisy": lambda x: physical.noisy(x, torch.ones_like(x), 0.0),
    "quantised": lambda x: physical.quantised(x, math.inf),
    "jpeg": lambda x: physical.jpeg(x, math.inf),
}
AT_WORK: dict[str, Callable[[Tensor], Tensor]] = {
    "rotate_scale": lambda x: physical.rotate_scale(x, 20.0, 0.9, torch.full((len(x), 2), 0.03)),
    "perspective": lambda x: physical.perspective(x, moves(len(x))),
    "blur": lambda x: physical.blur(x, 0.8),
    "colour": lambda x: physical.colour(x, 0.8, 0.05, 1.3),
    "noisy": lambda x: physical.noisy(x, noise(x), 0.02),
}


def moves(n: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return (torch.rand(n, 4, 2, generator=runtime.generator(5), dtype=dtype) - 0.5) / 5


def noise(x: Tensor) -> Tensor:
    return torch.randn(x.shape, generator=runtime.generator(6), dtype=x.dtype, device=x.device)


def pictures(n: int = 2, channels: int = 3, height: int = 13, width: int = 10, low: float = 0.0) -> Tensor:
    u = torch.rand(n, channels, height, width, generator=runtime.generator(0), dtype=torch.float64)
    return low + (1 - 2 * low) * u


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", AT_REST)
def test_at_rest_it_is_the_identity_to_the_last_bit(name: str, dtype: torch.dtype) -> None:
    for channels in (1, 3):
        x = pictures(channels=channels).to(dtype)
        x[0, 0, 0, :2] = torch.tensor([0.0, 1.0])
        assert torch.equal(AT_REST[name](x), x)


@pytest.mark.parametrize("name", ["rotate_scale", "perspective", "blur", "colour", "noisy", "jpeg", "quantised"])
def test_a_picture_at_rest_in_a_batch_that_is_not(name: str) -> None:
    """The first of two keeps its bits and its gradient, the second does not."""
    x = pictures().requires_grad_()
    move = torch.stack([STILL[0], moves(1)[0]])
    y = {
        "rotate_scale": lambda: physical.rotate_scale(x, torch.tensor([0.0, 30.0])),
        "perspective": lambda: physical.perspective(x, move),
        "blur": lambda: physical.blur(x, torch.tensor([0.0, 1.0])),
        "colour": lambda: physical.colour(x, torch.tensor([1.0, 0.7]), gamma=torch.tensor([1.0, 1.5])),
        "noisy": lambda: physical.noisy(x, noise(x), torch.tensor([0.0, 0.1])),
        "jpeg": lambda: physical.jpeg(x, torch.tensor([math.inf, 30.0])),
        "quantised": lambda: physical.quantised(x, torch.tensor([math.inf, 4.0])),
    }[name]()
    assert torch.equal(y[0], x[0]) and not torch.allclose(y[1], x[1])
    weights = pictures()
    (g,) = torch.autograd.grad((weights * y).sum(), x)
    assert torch.equal(g[0], weights[0]) and g.isfinite().all()


@pytest.mark.parametrize("name", AT_WORK)
def test_the_gradient_is_that_of_differences(name: str) -> None:
    assert gradcheck(AT_WORK[name], pictures(1, 1, 6, 7, low=0.2).requires_grad_())


def test_the_gradient_in_the_parameters() -> None:
    x = pictures(1, 1, 6, 7, low=0.2)
    corners, angle = moves(1).requires_grad_(), torch.tensor([11.0], dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda c: physical.perspective(x, c), corners)
    assert gradcheck(lambda a: physical.rotate_scale(x, a, 0.9), angle)
    assert gradcheck(lambda s: physical.blur(x, s), angle.detach().div(10).requires_grad_())


@pytest.mark.parametrize("name", AT_WORK)
def test_type_and_range_stay_and_the_picture_is_not_changed(name: str) -> None:
    x = pictures().float()
    before = x.clone()
    y = AT_WORK[name](x)
    assert y.dtype == x.dtype and y.shape == x.shape and y.min() >= 0 and y.max() <= 1 and torch.equal(x, before)


def test_each_picture_has_its_own_parameters() -> None:
    x, sigma = pictures(3), torch.tensor([0.3, 1.0, 2.5])
    one_by_one = torch.cat([physical.blur(x[k : k + 1], float(sigma[k])) for k in range(3)])
    torch.testing.assert_close(physical.blur(x, sigma), one_by_one)
    turned = torch.cat([physical.rotate_scale(x[k : k + 1], float(10 * sigma[k])) for k in range(3)])
    torch.testing.assert_close(physical.rotate_scale(x, 10 * sigma), turned)


@pytest.mark.parametrize("sigma", [0.4, 1.3, 6.0])
def test_blur_beside_scipy(sigma: float) -> None:
    """A mean over what lies inside: SciPy's filter with zeros outside, over that of a picture of ones."""
    x = pictures(1, 1, 20, 14)
    options = {"sigma": sigma, "mode": "constant", "truncate": 12.0}
    inside = ndimage.gaussian_filter(np.ones((20, 14)), **options)
    expected = ndimage.gaussian_filter(x[0, 0].numpy(), **options) / inside
    np.testing.assert_allclose(physical.blur(x, sigma)[0, 0].numpy(), expected, atol=1e-9)


@pytest.mark.parametrize(
    ("angle", "scale", "shift"), [(25.0, 1.0, (0, 0)), (-8.0, 0.8, (0.1, -0.2)), (0.0, 1.3, (0.25, 0))]
)
def test_rotation_beside_scipy(angle: float, scale: float, shift: tuple[float, float]) -> None:
    """ndimage reads at A p + t, rows before columns, edges going on."""
    x = pictures(1, 1, 17, 12)
    y = physical.rotate_scale(x, angle, scale, torch.tensor([shift]))
    a = math.radians(angle)
    forward = scale * np.array([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]])  # on (row, column)
    middle, move = np.array([8.0, 5.5]), np.array([shift[1] * 17, shift[0] * 12])
    back = np.linalg.inv(forward)
    expected = ndimage.affine_transform(x[0, 0].numpy(), back, middle - back @ (middle + move), order=1, mode="nearest")
    np.testing.assert_allclose(y[0, 0].numpy(), expected, atol=1e-6)


def test_a_quarter_turn_is_counter_clockwise() -> None:
    x = pictures(1, 3, 8, 8)
    torch.testing.assert_close(physical.rotate_scale(x, 90.0), torch.rot90(x, 1, (2, 3)), atol=1e-6, rtol=0)


def test_perspective_takes_the_corners_where_it_says() -> None:
    x = pictures(4)
    m = physical.tilt(x, moves(4))
    size = torch.tensor([10.0, 13.0], dtype=x.dtype)
    corners = torch.tensor([[-1, -1], [1, -1], [1, 1], [-1, 1]], dtype=x.dtype) * size / 2
    there = torch.einsum("nij,kj->nki", m, torch.cat([corners, torch.ones(4, 1, dtype=x.dtype)], 1))
    torch.testing.assert_close(there[..., :2] / there[..., 2:], corners + moves(4) * size)


def test_the_response_curve_and_its_slope_at_black() -> None:
    """From 0 to 1, the power law that sRGB's formula has, and a finite slope where a power's is infinite."""
    x = torch.linspace(0, 1, 12, dtype=torch.float64).view(1, 1, 3, 4)
    np.testing.assert_allclose(physical.colour(x, gamma=0.5).flatten()[[0, -1]].numpy(), [0, 1], atol=1e-12)
    power = ((x + 0.055) / 1.055) ** 2.4
    black = (0.055 / 1.055) ** 2.4
    torch.testing.assert_close(physical.colour(x, gamma=2.4), (power - black) / (1 - black))
    z = torch.zeros(1, 1, 2, 2, requires_grad=True)
    (g,) = torch.autograd.grad(physical.colour(z, gamma=0.5).sum(), z)
    assert g.isfinite().all() and (g > 1).all()


def test_noise_and_grey_levels() -> None:
    x = pictures()
    torch.testing.assert_close(physical.noisy(x, noise(x), 0.1), (x + 0.1 * noise(x)).clamp(0, 1))
    assert physical.quantised(x, 2).unique().tolist() == [0, 1]
    torch.testing.assert_close(255 * physical.quantised(x, 256), (255 * x).round())
    z = x.clone().requires_grad_()
    assert torch.autograd.grad(physical.quantised(z, 4).sum(), z)[0].eq(1).all()
    assert torch.autograd.grad(physical.quantised(z, 4, rounding=torch.round).sum(), z)[0].eq(0).all()


def test_white_keeps_its_gradient_through_a_warp() -> None:
    """A rounding error above 1 is clipped, and no pixel dies of it."""
    x = torch.ones(1, 1, 9, 9, requires_grad=True)
    y = physical.rotate_scale(x, 13.0, 0.97)
    assert y.max() <= 1
    torch.testing.assert_close(torch.autograd.grad(y.sum(), x)[0].sum(), torch.tensor(81.0))
    assert in_range(torch.tensor([-0.1, 1.1])).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: physical.blur(x, -1.0), r"sigma must lie in \[0, inf\], got -1"),
        (lambda x: physical.blur(x, math.nan), "sigma must lie in"),
        (lambda x: physical.blur(x, torch.ones(3)), r"sigma must be one number or one per picture, \(2,\), got \(3,\)"),
        (lambda x: physical.blur(x[0], 1.0), r"x must be pictures \(N, 1 or 3, H, W\)"),
        (lambda x: physical.blur(x + 1, 1.0), r"x must lie in \[0, 1\]"),
        (lambda x: physical.blur(x * math.nan, 1.0), r"x must lie in \[0, 1\]"),
        (lambda x: physical.blur((255 * x).byte(), 1.0), "x must be a floating tensor"),
        (lambda x: physical.colour(x, gain=-0.1), "gain must lie in"),
        (lambda x: physical.colour(x, offset=2.0), "offset must lie in"),
        (lambda x: physical.colour(x, gamma=0.0), "gamma must lie in"),
        (lambda x: physical.noisy(x, noise(x)[:1], 0.1), r"xi must be finite and of the shape of x"),
        (lambda x: physical.noisy(x, noise(x), -0.1), "sigma must lie in"),
        (lambda x: physical.quantised(x, 1), r"levels must lie in \[2, inf\]"),
        (lambda x: physical.rotate_scale(x, scale=0.0), r"scale must lie in \[0.01, 100\]"),
        (lambda x: physical.rotate_scale(x, 1000.0), "angle must lie in"),
        (lambda x: physical.rotate_scale(x, shift=torch.zeros(2)), r"shift must be finite, \(2, 2\), got \(2,\)"),
        (lambda x: physical.perspective(x, torch.zeros(4, 2)), r"corners must be finite, \(2, 4, 2\), got \(4, 2\)"),
        (lambda x: physical.perspective(x, torch.tensor([[0.7, 0.7], *[[0, 0]] * 3]).expand(2, 4, 2)), "convex"),
        (lambda x: physical.warp(x, torch.zeros(3, 3)), "matrix must have an inverse"),
        (lambda x: physical.warp(x, torch.eye(3) * math.nan), "matrix must be finite"),
        (lambda x: physical.warp(x, torch.eye(2)), r"\(3, 3\) or \(2, 3, 3\), got \(2, 2\)"),
    ],
)  # fmt: skip
def test_bad_input_is_named(call: Callable[[Tensor], Tensor], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(pictures())
