"""The floor of the normalised soft-max loss, CosFace's largest margin, the boundary between two classes."""

import math

import pytest
import torch
from torch.nn import functional as F

from helpers.faceid import bounds as B, margins as M

THETA = torch.linspace(0, math.pi, 2001, dtype=torch.float64)


def test_the_decision_boundary_is_where_the_two_logits_are_equal() -> None:
    for m in ({"m1": 2.0}, {"m2": 0.5}, {"m3": 0.35}, {"m1": 1.2, "m2": 0.3, "m3": 0.1}):
        theta = torch.linspace(0, 3, 50, dtype=torch.float64)
        other = B.decision_boundary(theta, **m)
        assert (other >= theta).all() and (other.diff() >= 0).all() and other[-1] == math.pi
        inside = other < math.pi
        z = M.margin_logits(torch.stack([theta, other], 1).cos(), torch.zeros(50).long(), s=5.0, **m)
        torch.testing.assert_close(z[inside, 0], z[inside, 1])
        assert (z[~inside, 0] <= z[~inside, 1]).all()
    torch.testing.assert_close(B.decision_boundary(THETA), THETA)
    assert B.decision_boundary(torch.tensor([math.pi + 5e-7], dtype=torch.float64)) == math.pi  # rounding
    for bad in (-0.1, 3.2, math.nan):
        with pytest.raises(ValueError, match="theta must lie"):
            B.decision_boundary(torch.tensor([0.5, bad]))
    for name, low in (("m1", 0.9), ("m2", -0.1), ("m3", -0.1)):
        with pytest.raises(ValueError, match=f"{name} must be at least"):
            B.decision_boundary(torch.tensor([0.5]), **{name: low})


@pytest.mark.parametrize("K", [2, 3, 10])
def test_the_circle_is_as_even_as_it_can_be(K: int) -> None:
    points = B.circle(K)
    cos = (points @ points.T)[~torch.eye(K, dtype=torch.bool)]
    torch.testing.assert_close(points.norm(dim=1), torch.ones(K, dtype=torch.float64))
    assert 1 - float(cos.max()) == pytest.approx(B.cosface_largest_margin(K, 2))
    assert torch.equal(points[0], torch.tensor([1.0, 0], dtype=torch.float64)) and points[1, 1] >= 0


def test_cosface_s_largest_margin() -> None:
    assert B.cosface_largest_margin(10, 2) == pytest.approx(0.190983)
    assert B.cosface_largest_margin(10, 9) == B.cosface_largest_margin(10, 512) == 10 / 9
    assert B.cosface_largest_margin(2, 1) == 2 and B.cosface_largest_margin(3, 1) == 0
    assert B.cosface_largest_margin(3, 2) == pytest.approx(1 - math.cos(2 * math.pi / 3))
    for K, d in ((10, 8), (10, 3), (1, 5), (3, 0)):
        with pytest.raises(ValueError, match="must be"):
            B.cosface_largest_margin(K, d)
    with pytest.raises(ValueError, match="K must be"):
        B.circle(0)


def test_the_floor_of_the_normalised_softmax_loss() -> None:
    """Ten classes at s = 1 never get below 1.377; two classes by hand; a large s does not overflow or cancel."""
    s = torch.tensor([0.0, 1, 64], dtype=torch.float64)
    bound = B.normalised_softmax_bound(s, 10)
    assert bound[0] == pytest.approx(math.log(10)) and bound[1] == pytest.approx(1.377, abs=5e-4)
    assert bound[2] == pytest.approx(9 * math.exp(-640 / 9), rel=1e-12)
    torch.testing.assert_close(B.normalised_softmax_bound(s, 2), F.softplus(-2 * s))
    for bad in ((s, 1), (-s, 2), (s * math.nan, 2)):
        with pytest.raises(ValueError, match="need K >= 2"):
            B.normalised_softmax_bound(*bad)
