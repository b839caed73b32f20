import pytest
import torch
from torch import Tensor

from helpers import faceid as A


def some_boxes(n: int, seed: int) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    corner = 20 * torch.rand(n, 2, generator=g)
    return torch.cat([corner, corner + 1 + 10 * torch.rand(n, 2, generator=g)], 1)


def jaccard(a: list[float], b: list[float], over: str) -> float:
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    common = max(w, 0) * max(h, 0)
    one, two = ((c[2] - c[0]) * (c[3] - c[1]) for c in (a, b))
    return common / (one + two - common if over == "union" else min(one, two))


@pytest.mark.parametrize("over", ["union", "smaller"])
@pytest.mark.parametrize("seed", range(5))
def test_suppression_is_the_naive_loop(seed: int, over: A.boxes.Over) -> None:
    """Box after box from the best down, each against all that were kept before; with ties, which the first wins."""
    n, g = 60, torch.Generator().manual_seed(seed)
    boxes, groups = some_boxes(n, seed), torch.randint(0, 4, (n,), generator=g)
    scores = torch.randint(0, 9, (n,), generator=g) / 10
    kept: list[int] = []
    for k in sorted(range(n), key=lambda k: (-float(scores[k]), k)):
        rivals = [m for m in kept if groups[m] == groups[k]]
        if all(jaccard(boxes[m].tolist(), boxes[k].tolist(), over) <= 0.4 for m in rivals):
            kept.append(k)
    assert A.nms(boxes, scores, groups, 0.4, over).tolist() == kept and 8 < len(kept) < n


def test_suppression_of_nothing_keeps_nothing() -> None:
    nothing = torch.zeros(0, dtype=torch.long)
    assert A.nms(torch.zeros(0, 4), torch.zeros(0), nothing, 0.5).shape == (0,)


def test_boxes_that_only_touch_do_not_overlap() -> None:
    a, b = torch.tensor([0.0, 0, 2, 2]), torch.tensor([2.0, 0, 4, 2])
    assert A.overlap(a, b) == 0 and A.overlap(a, a) == 1 and A.overlap(a, torch.tensor([1.0, 1, 1, 1])) == 0
    assert A.overlap(a, torch.tensor([0.0, 0, 1, 1])) == 0.25
    assert A.overlap(a, torch.tensor([1.0, 0, 3, 1]), "smaller") == 0.5
    assert A.areas(torch.tensor([3.0, 0, 2, 2])) == 0


def test_edges_move_by_their_share_of_the_side() -> None:
    boxes, shifts = torch.tensor([[10.0, 20, 14, 30]]), torch.tensor([[0.5, 0.1, -0.25, 0.2]])
    assert A.shifted(boxes, shifts).tolist() == [[12, 21, 13, 32]]
    assert A.shifted(boxes, shifts, extra=1).tolist()[0] == pytest.approx([12.5, 21.1, 12.75, 32.2])


def test_squares_keep_the_centre_and_the_longer_side() -> None:
    assert A.squared(torch.tensor([[10.0, 20, 14, 30], [0, 0, 3, 1]])).tolist() == [[7, 20, 17, 30], [0, -1, 3, 2]]


def test_what_is_cut_out_are_means_over_areas() -> None:
    x = torch.arange(2 * 48.0).view(2, 1, 6, 8)
    boxes = torch.tensor([[1.0, 1, 4, 4], [3.9, 2.2, 30, 5.7], [-9, -9, 2, 2]])
    cut = A.crops(x, boxes, torch.tensor([0, 1, 1]), 2)
    whole = (x[0, 0, :4, :4], x[1, 0, 1:5, 2:8], x[1, 0, :2, :2])
    for part, pixels in zip(cut, whole, strict=True):
        h, w = pixels.shape[0] // 2, pixels.shape[1] // 2
        assert torch.equal(part[0], pixels.view(2, h, 2, w).mean((1, 3)))


def test_a_box_beside_the_picture_still_cuts_something() -> None:
    x = torch.rand(1, 3, 5, 5)
    assert A.crops(x, torch.tensor([[90.0, 90, 99, 99], [-9, -9, -4, -4]]), torch.zeros(2).long(), 4).isfinite().all()
    assert A.crops(x, torch.zeros(0, 4), torch.zeros(0).long(), 24).shape == (0, 3, 24, 24)
