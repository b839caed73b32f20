"""Total variation and its sub-gradient, colours that can be printed, masks: by hand, by differences, by SciPy."""

import math

import pytest
import torch
from scipy.spatial import cKDTree
from torch import Tensor
from torch.autograd import gradcheck

from helpers import physical, runtime


def patch(*shape: int) -> Tensor:
    return torch.rand(shape or (3, 6, 5), generator=runtime.generator(0), dtype=torch.float64)


def test_total_variation_by_hand() -> None:
    """A step of height 1/2 along 4 pixels of 3 channels; a single pixel: left of it, above it, and itself."""
    p = torch.zeros(3, 4, 6)
    p[:, :, 3:] = 0.5
    torch.testing.assert_close(physical.total_variation(p), torch.tensor(3 * 4 * 0.5))
    one = torch.zeros(1, 5, 5)
    one[0, 2, 2] = 1
    torch.testing.assert_close(physical.total_variation(one), torch.tensor(2 + math.sqrt(2)))
    one = torch.zeros(1, 5, 5)
    one[0, 4, 4] = 1  # in the corner: nothing goes on to the right or below
    torch.testing.assert_close(physical.total_variation(one), torch.tensor(2.0))


def test_total_variation_pixel_by_pixel() -> None:
    p = patch(2, 3, 4, 5)
    expected = torch.zeros(2, dtype=p.dtype)
    for n, c, i, j in ((n, c, i, j) for n in range(2) for c in range(3) for i in range(4) for j in range(5)):
        down = p[n, c, i + 1, j] - p[n, c, i, j] if i < 3 else 0
        across = p[n, c, i, j + 1] - p[n, c, i, j] if j < 4 else 0
        expected[n] += (down**2 + across**2) ** 0.5
    torch.testing.assert_close(physical.total_variation(p), expected)


def test_the_subgradient_is_the_gradient_where_there_is_one() -> None:
    p = patch(2, 3, 4, 5).requires_grad_()
    (g,) = torch.autograd.grad(physical.total_variation(p).sum(), p)
    torch.testing.assert_close(physical.total_variation_subgradient(p.detach()), g)
    assert gradcheck(physical.total_variation, p)


@pytest.mark.parametrize("flat", [0.0, 0.5, 0.9])
def test_the_subgradient_inequality(flat: float) -> None:
    """Also at patches of which a part, or all, is flat: TV(q) >= TV(p) + <g, q - p>."""
    p = torch.where(patch(1, 8, 8) < flat, 0.5, patch(1, 8, 8))
    for start in (p, torch.full_like(p, 0.5)):
        g = physical.total_variation_subgradient(start)
        for k in range(200):
            q = start + torch.randn(p.shape, generator=runtime.generator(k), dtype=p.dtype) * 10.0 ** -(k % 5)
            slack = physical.total_variation(q) - physical.total_variation(start) - (g * (q - start)).sum()
            assert slack > -1e-12


def test_a_flat_patch_has_a_finite_gradient() -> None:
    p = torch.full((3, 4, 4), 0.5, requires_grad=True)
    (g,) = torch.autograd.grad(physical.total_variation(p), p)
    assert g.eq(0).all()


def test_the_score_is_the_distance_to_the_nearest_colour() -> None:
    p, colours = patch(2, 3, 4, 5), physical.PRINTABLE.double()
    apart, _ = cKDTree(colours.numpy()).query(p.movedim(1, -1).reshape(-1, 3).numpy())
    torch.testing.assert_close(physical.non_printability_score(p, colours), torch.tensor(apart).view(2, 20).sum(1))
    printed = colours[:20].T.reshape(3, 4, 5)
    assert physical.non_printability_score(printed, colours) == 0
    assert gradcheck(lambda q: physical.non_printability_score(q, colours), p.requires_grad_())
    assert physical.non_printability_score(p[:, :1], colours[:, :1]).shape == (2,)


def test_printable_colours_are_mixtures_of_the_solids() -> None:
    assert physical.PRINTABLE.shape == (27, 3) and physical.printable_colours(2).shape == (8, 3)
    assert physical.PRINTABLE.min() >= 0 and physical.PRINTABLE.max() <= 1
    assert len(physical.printable_colours(4).unique(dim=0)) == 64
    paper, black = physical.printable_colours(2)[0], physical.printable_colours(2)[-1]
    assert paper.min() > 0.9 and black.max() < 0.2
    torch.testing.assert_close(physical.PRINTABLE[13], physical.printable_colours(2).mean(0))  # half of each ink


def test_the_mask_rises_from_its_rim() -> None:
    mask = physical.smooth_mask(12, 9, 3)
    assert mask.shape == (1, 12, 9) and 0 < mask.min() < 0.01 and mask.max() == 1
    assert (mask[0, 3:9, 3:6] == 1).all() and torch.equal(mask, mask.flip(1)) and torch.equal(mask, mask.flip(2))
    assert (mask[0, :4, 4].diff() > 0).all() and physical.smooth_mask(4, 5, 0).eq(1).all()


def test_bad_input_is_named() -> None:
    for f in (physical.total_variation, physical.total_variation_subgradient):
        with pytest.raises(ValueError, match=r"p must be floating and finite, \(..., C, h, w\), got \(4, 4\)"):
            f(torch.zeros(4, 4))
        with pytest.raises(ValueError, match="finite"):
            f(patch() * math.nan)
    with pytest.raises(ValueError, match=r"printable must be colours \(K, 1\), got \(27, 3\)"):
        physical.non_printability_score(patch(1, 4, 4), physical.PRINTABLE)
    with pytest.raises(ValueError, match=r"PRINTABLE.to\(p\) is"):
        physical.non_printability_score(patch(), physical.PRINTABLE)
    with pytest.raises(ValueError, match="edge must be at least 0"):
        physical.smooth_mask(4, 4, -1)
    with pytest.raises(ValueError, match="height must be an integer"):
        physical.smooth_mask(0, 4, 1)
    with pytest.raises(ValueError, match="levels must be at least 2"):
        physical.printable_colours(1)
