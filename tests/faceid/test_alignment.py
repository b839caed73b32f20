import math

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates
from torch import Tensor

from helpers import faceid as A


def umeyama(p: np.ndarray, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The paper's algorithm, with its singular values."""
    p_mean, q_mean = p.mean(0), q.mean(0)
    u, d, vt = np.linalg.svd((q - q_mean).T @ (p - p_mean) / len(p))
    s = np.diag([1, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    matrix = np.trace(np.diag(d) @ s) / (p - p_mean).var(0).sum() * u @ s @ vt
    return matrix, q_mean - matrix @ p_mean


def template() -> Tensor:
    """In double precision, and with --gpu on the GPU."""
    return torch.tensor(A.template().tolist(), dtype=torch.float64)


def similar(scale: float, angle: float) -> Tensor:
    c, s = scale * math.cos(angle), scale * math.sin(angle)
    return torch.tensor([[c, -s], [s, c]], dtype=torch.float64)


def test_the_closed_form_is_umeyamas() -> None:
    g = torch.Generator().manual_seed(0)
    p, q = torch.randn(2, 50, 5, 2, generator=g, dtype=torch.float64)
    matrix, move = A.similarity(p, q)
    for k in range(50):
        expected = umeyama(p[k].numpy(), q[k].numpy())
        np.testing.assert_allclose(matrix[k], expected[0], atol=1e-12)
        np.testing.assert_allclose(move[k], expected[1], atol=1e-12)


def test_a_similarity_is_found_again() -> None:
    p = torch.randn(3, 7, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    wanted, move = similar(3.0, 2.5), torch.tensor([10.0, -4.0], dtype=torch.float64)
    matrix, t = A.similarity(p, p @ wanted.mT + move)
    torch.testing.assert_close(matrix, wanted.expand(3, 2, 2))
    torch.testing.assert_close(t, move.expand(3, 2))


def test_nothing_near_it_fits_better() -> None:
    g = torch.Generator().manual_seed(1)
    p, q = torch.randn(2, 5, 2, generator=g, dtype=torch.float64)
    matrix, move = A.similarity(p, q)

    def misfit(matrix: Tensor, move: Tensor) -> float:
        return float((p @ matrix.mT + move - q).square().sum())

    for k in range(40):
        other = matrix @ similar(1 + 0.05 * math.cos(k), 0.05 * math.sin(k))
        step = 0.05 * torch.randn(2, generator=g, dtype=torch.float64)
        assert misfit(matrix, move) < min(misfit(other, move), misfit(matrix, move + step), misfit(other, move + step))


@pytest.mark.parametrize("p", [torch.ones(5, 2), torch.full((5, 2), math.nan)])
def test_points_without_a_similarity_are_refused(p: Tensor) -> None:
    with pytest.raises(ValueError, match="must be finite and not all the same"):
        A.similarity(p, torch.rand(5, 2))
    with pytest.raises(ValueError, match="landmarks must be finite"):
        A.align(torch.rand(1, 1, 9, 9), p[None])


def test_one_bad_face_in_a_batch_is_enough_and_a_small_one_is_not_bad() -> None:
    p = torch.rand(2, 5, 2, dtype=torch.float64)
    matrix, _ = A.similarity(1e-3 * p, p)
    torch.testing.assert_close(matrix, 1e3 * torch.eye(2, dtype=p.dtype).expand(2, 2, 2))
    p[1] = 1
    with pytest.raises(ValueError, match="must be finite and not all the same"):
        A.similarity(p, torch.rand(2, 5, 2, dtype=torch.float64))


def test_shapes_are_checked() -> None:
    with pytest.raises(ValueError, match=r"got \(2,\) and \(2,\)"):
        A.similarity(torch.rand(2), torch.rand(2))
    with pytest.raises(ValueError, match=r"as many points .* got \(5, 2\) and \(4, 2\)"):
        A.similarity(torch.rand(5, 2), torch.rand(4, 2))
    with pytest.raises(ValueError, match=r"five points for each of 2 pictures, got \(1, 5, 2\)"):
        A.align(torch.rand(2, 1, 9, 9), torch.rand(1, 5, 2))
    with pytest.raises(ValueError, match=r"boxes must be \(1, 4\)"):
        A.crop(torch.rand(1, 1, 9, 9), torch.rand(2, 4))
    with pytest.raises(ValueError, match="finite and not empty"):
        A.crop(torch.rand(1, 1, 9, 9), torch.tensor([[3.0, 3, 3, 5]]))


def test_a_face_that_is_where_it_belongs_stays_as_it_is() -> None:
    x = torch.rand(2, 3, 150, 150, dtype=torch.float64)
    landmarks = template().expand(2, 5, 2)
    torch.testing.assert_close(A.align(x, landmarks), x)
    torch.testing.assert_close(A.crop(x, torch.tensor([[0.0, 0, 150, 150]]).double().expand(2, 4)), x)


def test_pixels_are_read_as_scipy_reads_them() -> None:
    g = torch.Generator().manual_seed(0)
    x = torch.rand(1, 1, 40, 30, generator=g, dtype=torch.float64)
    landmarks = template() / 5 @ similar(0.7, 0.4).mT + torch.tensor([9.0, 2.0])
    matrix, move = umeyama((template() * (20 / 150)).numpy(), landmarks.numpy())
    rows, columns = np.mgrid[:20, :20]
    at = np.stack([columns, rows], -1) @ matrix.T + move
    expected = map_coordinates(x[0, 0].numpy(), [at[..., 1], at[..., 0]], order=1, mode="nearest")
    np.testing.assert_allclose(A.align(x, landmarks[None], 20)[0, 0], expected, atol=1e-6)


def test_the_aligned_face_does_not_depend_on_how_the_head_was_held() -> None:
    """A smooth picture turned by 30 degrees, shrunk and moved, its landmarks with it."""
    matrix, move = similar(0.8, math.pi / 6), torch.tensor([40.0, 8.0], dtype=torch.float64)
    steps = torch.arange(200, dtype=torch.float64)
    at = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), -1)

    def painted(at: Tensor) -> Tensor:
        return (0.5 + 0.4 * torch.sin(at[..., 0] / 9) * torch.cos(at[..., 1] / 7))[None, None]

    landmarks = template() / 2 + 40
    upright = A.align(painted(at), landmarks[None])
    turned = A.align(painted((at - move) @ torch.linalg.inv(matrix).mT), (landmarks @ matrix.mT + move)[None])
    assert (upright - turned).abs().max() < 0.01


def test_gradients_go_through_pictures_landmarks_and_boxes() -> None:
    g = torch.Generator().manual_seed(0)
    x = torch.rand(1, 1, 12, 12, generator=g, dtype=torch.float64, requires_grad=True)
    landmarks = (template() * (9 / 150) + 1.3)[None].requires_grad_()
    boxes = torch.tensor([[1.2, 2.3, 8.4, 9.9]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, p: A.align(x, p, 5), (x, landmarks))
    assert torch.autograd.gradcheck(lambda x, b: A.crop(x, b, 5), (x, boxes))
