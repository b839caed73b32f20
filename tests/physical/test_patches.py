"""A patch where it is put: beside Pillow's turning, at whole pixels, wholly inside; and its controls."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from helpers import physical, runtime


def patch(*shape: int) -> Tensor:
    return torch.rand(shape or (3, 6, 4), generator=runtime.generator(0), dtype=torch.float64)


def test_at_whole_pixels_it_is_the_patch() -> None:
    p = patch()
    seen, mask = physical.place(p, (20, 15), (7, 9), side=4)
    torch.testing.assert_close(seen[0, :, 6:12, 5:9], p)
    torch.testing.assert_close(mask[0, 0, 6:12, 5:9], torch.ones(6, 4, dtype=p.dtype))
    assert abs(mask.sum() - 24) < 1e-9 and seen.shape == (1, 3, 20, 15) and mask.shape == (1, 1, 20, 15)


def test_a_quarter_turn() -> None:
    p = patch(1, 6, 6)
    seen, _ = physical.place(p, (20, 20), (10, 10), side=6, angle=90.0)
    torch.testing.assert_close(seen[0, :, 7:13, 7:13], torch.rot90(p, 1, (1, 2)))


@pytest.mark.parametrize("angle", [0.0, 17.0, -40.0])
@pytest.mark.parametrize("side", [5.0, 8.0, 11.3])
def test_the_mask_covers_the_area_of_the_patch(side: float, angle: float) -> None:
    _, mask = physical.place(patch(), (40, 40), (21.3, 18.6), side=side, angle=angle)
    assert abs(mask.sum() / (side * side * 1.5) - 1) < 0.1
    rows, columns = (torch.arange(40) + 0.5,) * 2
    centre = (mask[0, 0] * columns).sum() / mask.sum(), (mask[0, 0] * rows[:, None]).sum() / mask.sum()
    torch.testing.assert_close(torch.stack(centre), torch.tensor([21.3, 18.6], dtype=mask.dtype), atol=0.1, rtol=0)


def test_many_at_once() -> None:
    p, centre, angle = patch(3, 1, 4, 4), torch.tensor([[8.0, 8.0], [9, 10], [12, 7]]), torch.tensor([0.0, 10.0, 20.0])
    seen, mask = physical.place(p, (20, 20), centre, side=4, angle=angle)
    for k in range(3):
        one, its_mask = physical.place(p[k], (20, 20), centre[k], side=4.0, angle=float(angle[k]))
        torch.testing.assert_close((seen[k], mask[k]), (one[0], its_mask[0]))
    assert physical.place(p[0], (20, 20), centre, side=4)[0].shape == (3, 1, 20, 20)


def test_gradients_in_patch_and_place() -> None:
    p, centre = patch(1, 1, 3, 3).requires_grad_(), torch.tensor([[5.2, 4.7]], dtype=torch.float64, requires_grad=True)
    side, angle = (torch.tensor([v], dtype=torch.float64, requires_grad=True) for v in (4.3, 13.0))
    assert gradcheck(
        lambda p, c, s, a: physical.place(p, (10, 10), c, side=s, angle=a)[0], (p * 0.9 + 0.05, centre, side, angle)
    )


def test_one_sees_the_patch_or_the_picture() -> None:
    x, p = patch(2, 3, 6, 4), patch(3, 6, 4)
    assert torch.equal(physical.apply_patch(x, p, x.new_zeros(1, 6, 4)), x)
    assert torch.equal(physical.apply_patch(x, p, x.new_ones(1, 6, 4)), p.expand(2, 3, 6, 4))
    mask = (patch(2, 1, 6, 4) > 0.5).double()
    torch.testing.assert_close(physical.apply_patch(x, p, mask), torch.where(mask > 0, p, x))
    arguments = tuple(v.requires_grad_() for v in (x, p, (0.1 + 0.8 * mask)))
    assert gradcheck(physical.apply_patch, arguments)


def test_controls_have_the_shape_and_their_own_law() -> None:
    p = patch(3, 40, 40)
    assert physical.grey_patch(p).unique().tolist() == [0.5] and physical.grey_patch(p).shape == p.shape
    random = physical.random_patch(p, generator=runtime.generator(3))
    assert random.shape == p.shape and random.dtype == p.dtype and abs(random.mean() - 0.5) < 0.02
    assert torch.equal(random, physical.random_patch(p, generator=runtime.generator(3)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: physical.place(p, (20, 20), (2, 10), side=6), "must lie inside the picture of 20 x 20 pixels"),
        (lambda p: physical.place(p, (20, 20), (40, 10), side=6), "a smaller side, or another centre"),
        (lambda p: physical.place(p, (4, 4), (2, 2), side=6), "must lie inside the picture of 4 x 4"),
        (lambda p: physical.place(p, (20, 20), (10, 10), side=0.0), "side must lie in"),
        (lambda p: physical.place(p, (20, 20), (10, 10), side=6, angle=float("nan")), "angle must lie in"),
        (lambda p: physical.place(p + 1, (20, 20), (10, 10), side=6), r"patch must lie in \[0, 1\]"),
        (lambda p: physical.place(p[0], (20, 20), (10, 10), side=6), r"patch must be pictures"),
        (lambda p: physical.place(p, (20, 20), (float("nan"), 10), side=6), "must lie inside"),
        (lambda p: physical.apply_patch(patch(2, 3, 9, 9), p, patch(1, 9, 9)), r"patch must be \(3, 9, 9\) or"),
        (lambda p: physical.apply_patch(patch(2, 3, 6, 4), p, p), r"mask must be \(1, 6, 4\) or \(2, 1, 6, 4\)"),
        (lambda p: physical.apply_patch(patch(2, 3, 6, 4), p, 2 + p[:1]), r"mask must lie in \[0, 1\]"),
        (lambda p: physical.apply_patch(patch(2, 3, 6, 4), p[None].expand(5, -1, -1, -1), p[:1]), "patch must be"),
        (lambda p: physical.apply_patch(patch(3, 6, 4), p, p[:1]), "x must be pictures"),
    ],
)
def test_bad_input_is_named(call: Callable[[Tensor], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(patch())
