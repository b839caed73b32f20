"""Warps, blur and JPEG beside kornia's and torchvision's, which know nothing of ours.

kornia lives in an environment of its own (`make peers PEERS=physical`); without it these tests are skipped.
"""

import pytest
import torch
from torch import Tensor

from helpers import faceid, physical, runtime

kornia = pytest.importorskip("kornia", reason="kornia is not installed: make peers PEERS=physical")
runtime.import_torchvision()
from torchvision.transforms.v2 import functional as tv  # noqa: E402


@pytest.fixture(scope="module")
def x() -> Tensor:
    return faceid.photograph()[..., 60:165, 100:228]


def test_perspective_is_kornias(x: Tensor) -> None:
    """kornia's matrices count from the first pixel; its picture is read where ours is, edges going on."""
    corners = (torch.rand(1, 4, 2, generator=runtime.generator(0, "cpu")) - 0.5) / 4
    size = torch.tensor([128.0, 105.0])
    start = torch.tensor([[[0.0, 0.0], [1, 0], [1, 1], [0, 1]]]) * size - 0.5
    matrix = kornia.geometry.transform.get_perspective_transform(start, start + corners * size)
    theirs = kornia.geometry.transform.warp_perspective(x, matrix, (105, 128), padding_mode="border")
    torch.testing.assert_close(physical.perspective(x, corners), theirs.clamp(0, 1), atol=2e-4, rtol=0)


@pytest.mark.parametrize(("angle", "scale"), [(17.0, 1.0), (-35.0, 0.8), (5.0, 1.2)])
def test_rotation_is_kornias(x: Tensor, angle: float, scale: float) -> None:
    centre = torch.tensor([[63.5, 52.0]])
    matrix = kornia.geometry.transform.get_rotation_matrix2d(centre, torch.tensor([angle]), torch.tensor([[scale] * 2]))
    theirs = kornia.geometry.transform.warp_affine(x, matrix, (105, 128), padding_mode="border")
    torch.testing.assert_close(physical.rotate_scale(x, angle, scale), theirs.clamp(0, 1), atol=2e-4, rtol=0)


@pytest.mark.parametrize("angle", [12.0, -30.0])
def test_rotation_is_torchvisions_inside(x: Tensor, angle: float) -> None:
    theirs = tv.rotate(x, angle, interpolation=tv.InterpolationMode.BILINEAR)
    ours = physical.rotate_scale(x, angle)
    torch.testing.assert_close(ours[..., 35:70, 45:85], theirs[..., 35:70, 45:85], atol=1e-4, rtol=0)


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.5])
def test_blur_is_theirs_inside(x: Tensor, sigma: float) -> None:
    """Beyond the reach of the border, where each has its own rule."""
    side = 2 * int(5 * sigma) + 5
    ours, inside = physical.blur(x, sigma), (..., slice(side, -side), slice(side, -side))
    theirs = kornia.filters.gaussian_blur2d(x, (side, side), (sigma, sigma))
    torch.testing.assert_close(ours[inside], theirs[inside], atol=1e-5, rtol=0)
    torch.testing.assert_close(ours[inside], tv.gaussian_blur(x, [side, side], [sigma] * 2)[inside], atol=1e-5, rtol=0)


def test_the_response_is_torchvisions_gamma_on_a_lifted_scale(x: Tensor) -> None:
    lifted = tv.adjust_gamma((x + 0.055) / 1.055, 1.7)
    black = (0.055 / 1.055) ** 1.7
    torch.testing.assert_close(physical.colour(x, gamma=1.7), (lifted - black) / (1 - black), atol=1e-5, rtol=0)


@pytest.mark.parametrize("quality", [20.0, 50.0, 90.0])
def test_jpeg_is_kornias_up_to_its_smaller_colours(x: Tensor, quality: float) -> None:
    """On grey, where it does not halve the colours; its roundings are soft, ours are a file's."""
    grey = x.mean(1, keepdim=True).expand(-1, 3, -1, -1)[..., :104, :]
    theirs = kornia.enhance.jpeg_codec_differentiable(grey, torch.tensor([quality]))
    ours = physical.jpeg(grey, quality)
    assert (ours - theirs).abs().mean() < 0.006 and (ours - theirs).abs().mean() < (ours - grey).abs().mean()
