"""Our JPEG beside Pillow's, which writes and reads real files, and SciPy's cosine transform."""

import io
import math

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import fft
from torch import Tensor

from helpers import faceid, physical
from helpers.physical import compression as C


def through_a_file(x: Tensor, quality: int) -> Tensor:
    """One picture (C, H, W), as Pillow gives it back."""
    levels = (255 * x).round().byte().permute(1, 2, 0).numpy()
    file = io.BytesIO()
    Image.fromarray(levels.squeeze()).save(file, "JPEG", quality=quality, subsampling=0)
    read = torch.from_numpy(np.array(Image.open(file)))
    return (read.permute(2, 0, 1) if read.ndim == 3 else read[None]).float() / 255


@pytest.fixture(scope="module")
def photograph() -> Tensor:
    """Sides that are no multiples of 8."""
    return faceid.photograph()[:, :, 40:170, 90:217]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("quality", [5, 30, 50, 75, 92, 100])
def test_what_pillow_gives_back(photograph: Tensor, quality: int, channels: int) -> None:
    """Pillow's cosines are in whole numbers, so that some are rounded the other way: a small part of what is lost."""
    x = (255 * photograph[:, :channels]).round() / 255
    apart = (255 * (physical.jpeg(x, quality)[0] - through_a_file(x[0], quality))).abs()
    lost = (255 * (x[0] - through_a_file(x[0], quality))).abs().mean()
    assert apart.mean() < 0.5 and (apart < 1.5).float().mean() > 0.88
    assert apart.mean() < lost / 5 or quality == 100


@pytest.mark.parametrize("quality", [10, 20, 30])
def test_the_whole_numbers_in_the_file(photograph: Tensor, quality: int) -> None:
    """The same as ours, except where ours lie within a hundredth of the middle between two.

    The file's are read from what comes back, in whole levels: at higher qualities these hide them.
    """
    x = (255 * photograph[:, :1, :128, :120]).round() / 255
    table = C.steps(torch.full((1, 1, 1, 1), float(quality)), 1)[0, 0].numpy()

    def cosines(picture: Tensor) -> np.ndarray:
        blocks = (255 * picture[0].double() - 128).view(16, 8, 15, 8).transpose(1, 2).numpy()
        return fft.dctn(blocks, axes=(2, 3), norm="ortho") / table

    ours, theirs = cosines(x[0]), cosines(through_a_file(x[0], quality))
    between = np.abs(ours - np.floor(ours) - 0.5) < 0.01
    assert (np.round(ours) == np.round(theirs))[~between].mean() > 0.9999


def test_the_tables_are_those_of_a_file(photograph: Tensor) -> None:
    for quality in (1, 10, 49, 50, 51, 75, 99, 100):
        file = io.BytesIO()
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(file, "JPEG", quality=quality)
        theirs = Image.open(file).quantization  # type: ignore[attr-defined]
        mine = C.steps(torch.full((1, 1, 1, 1), float(quality)), 3)[0]
        for k in (0, 1):
            np.testing.assert_array_equal(mine[k].flatten().numpy(), theirs[k])
        assert torch.equal(mine[1], mine[2])


def test_the_cosines_are_scipys() -> None:
    block = torch.randn(8, 8, dtype=torch.float64)
    c = C.cosines(block)
    torch.testing.assert_close(c @ block @ c.mT, torch.from_numpy(fft.dctn(block.numpy(), norm="ortho")))
    torch.testing.assert_close(c @ c.mT, torch.eye(8, dtype=torch.float64))


def test_the_gradient_goes_straight_through() -> None:
    """Where nothing is clipped, jpeg is linear but for the roundings, and its linear part the identity."""
    x = (0.3 + 0.4 * torch.rand(1, 3, 16, 11, dtype=torch.float64)).requires_grad_()
    w = torch.rand(1, 3, 16, 11, dtype=torch.float64)
    (g,) = torch.autograd.grad((w * physical.jpeg(x, 80)).sum(), x)
    torch.testing.assert_close(g, w, atol=1e-5, rtol=1e-5)
    (g,) = torch.autograd.grad((w * physical.jpeg(x, 80, rounding=torch.round)).sum(), x)
    assert g.eq(0).all()


def test_one_quality_for_each_picture() -> None:
    x = torch.rand(3, 1, 9, 8)
    y = physical.jpeg(x, torch.tensor([10.0, math.inf, 90.0]))
    assert torch.equal(y[0], physical.jpeg(x[:1], 10)[0]) and torch.equal(y[1], x[1])
    assert torch.equal(y[2], physical.jpeg(x[2:], 90)[0])
    torch.testing.assert_close(255 * y[[0, 2]], (255 * y[[0, 2]]).round())


@pytest.mark.parametrize("quality", [0.5, 101.0, math.nan, -1.0])
def test_a_quality_that_there_is_not(quality: float) -> None:
    with pytest.raises(ValueError, match="quality must lie in"):
        physical.jpeg(torch.rand(1, 1, 8, 8), quality)
