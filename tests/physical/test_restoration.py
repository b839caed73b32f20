"""Restoration by queries alone: blobs, eigenfaces, and two searches against networks whose answer is known."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from helpers import runtime
from helpers.physical import restoration as R


def generator(seed: int = 0) -> torch.Generator:
    return runtime.generator(seed, "cpu")


def test_a_blob_is_a_normal_density_of_height_a() -> None:
    blob = R.gaussian_blob(torch.tensor([3.5, 1.0]), torch.tensor(2.0), torch.tensor(-0.7), (4, 9))
    v, u = np.mgrid[:4, :9]
    density = stats.multivariate_normal([3.5, 1.0], 4 * np.eye(2)).pdf(np.stack([u, v], -1))
    np.testing.assert_allclose(blob.numpy(), -0.7 * density * 2 * math.pi * 4, rtol=1e-5, atol=1e-7)
    pair = R.symmetric(blob)
    assert torch.equal(pair, pair.flip(-1))


@pytest.mark.parametrize(
    ("centre", "sigma", "amplitude", "message"),
    [
        (torch.zeros(3), torch.ones(()), torch.ones(()), "centre must be"),
        (torch.zeros(2, 2), torch.ones(()), torch.ones(2), "centre must be"),
        (torch.zeros(2), torch.zeros(()), torch.ones(()), "sigma must be positive"),
        (torch.zeros(2), torch.tensor(math.nan), torch.ones(()), "sigma must be positive"),
    ],
)
def test_bad_blobs_are_named(centre: Tensor, sigma: Tensor, amplitude: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        R.gaussian_blob(centre, sigma, amplitude, (4, 4))


def test_eigenfaces_are_the_eigenvectors_of_the_covariance() -> None:
    faces = torch.rand(30, 1, 4, 5, generator=generator())
    basis = R.eigenfaces(faces, 6)
    variances, vectors = np.linalg.eigh(np.cov(faces.flatten(1).numpy().astype(float), rowvar=False))
    np.testing.assert_allclose(basis.scale.numpy() ** 2, variances[::-1][:6], rtol=1e-4)
    overlap = np.abs((basis.directions.flatten(1).numpy() * vectors[:, ::-1][:, :6].T).sum(1))
    np.testing.assert_allclose(overlap, 1, atol=1e-4)
    assert (basis.directions.pow(3).sum((1, 2, 3)) > 0).all()
    torch.testing.assert_close(R.face_of(basis, torch.zeros(1, 6))[0], basis.mean)
    with pytest.raises(ValueError, match="k must be smaller"):
        R.eigenfaces(faces, 30)


def counting(answer: Any) -> tuple[Any, list[int]]:
    asked = list[int]()

    def embed(x: Tensor) -> Tensor:
        asked.append(len(x))
        assert (0 <= x).all() and (x <= 1).all()
        return answer(x)

    return embed, asked


def test_the_search_in_eigenfaces_finds_the_face_behind_a_linear_descriptor() -> None:
    faces = 0.5 + 0.1 * torch.randn(40, 1, 6, 6, generator=generator())
    basis = R.eigenfaces(faces, 8)
    matrix = torch.randn(36, 12, generator=generator(1))
    embed, asked = counting(lambda x: x.flatten(1) @ matrix)
    true = 0.7 * torch.randn(3, 8, generator=generator(2))
    path = R.restore(embed, embed(R.face_of(basis, true)), basis, budget=4_000, generator=generator(3))
    assert sum(asked) - 3 == 3 * int(path.queries[-1]) and path.queries[-1] <= 4_000
    assert path.distance.shape == (97, 3) and path.code.shape == (97, 3, 8)
    assert ((path.code[-1] - true).norm(dim=1) < 0.5 * true.norm(dim=1)).all()
    assert (path.distance[-1] < 0.25 * path.distance[0]).all()


def test_blobs_only_come_nearer_and_can_be_replayed() -> None:
    start, matrix = torch.full((1, 12, 12), 0.5), torch.randn(144, 6, generator=generator(1))
    embed, asked = counting(lambda x: x.flatten(1) @ matrix)
    target = embed(torch.rand(2, 1, 12, 12, generator=generator(2)))
    path = R.restore_by_blobs(embed, target, start, budget=601, samples=30, generator=generator(3))
    assert sum(asked) - 2 == 2 * int(path.queries[-1]) == 2 * 601
    assert (path.distance.diff(dim=0) <= 0).all() and (path.distance[-1] < 0.8 * path.distance[0]).all()
    for t in (0, 7, 19):
        shown = R.replayed(start, path.code[: t + 1])
        torch.testing.assert_close((embed(shown) - target).norm(dim=1), path.distance[t], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("search", [R.restore, R.restore_by_blobs])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"budget": 0}, "budget must be larger"),
        ({"budget": 10}, "budget must be larger"),
        ({"target": torch.zeros(5)}, "target must be finite"),
        ({"target": torch.full((1, 5), math.nan)}, "target must be finite"),
        ({"samples": 0}, "samples must be an integer"),
        ({"embed": lambda x: x.flatten(1)[:, :5] * math.nan}, "finite"),
    ],
)
def test_bad_input_of_the_searches_is_named(search: Any, change: dict[str, Any], message: str) -> None:
    faces = torch.rand(10, 1, 4, 4, generator=generator())
    base: dict[str, Any] = {
        "budget": 90,
        "samples": 10,
        "target": torch.zeros(1, 5),
        "embed": lambda x: x.flatten(1)[:, :5],
    }
    case = base | change
    start: Any = R.eigenfaces(faces, 3) if search is R.restore else faces[0]
    with pytest.raises(ValueError, match=message):
        search(case["embed"], case["target"], start, budget=case["budget"], samples=case["samples"])


def test_an_odd_number_of_samples_is_no_pairs() -> None:
    basis = R.eigenfaces(torch.rand(10, 1, 4, 4), 3)
    with pytest.raises(ValueError, match="samples must be even"):
        R.restore(lambda x: x.flatten(1), torch.zeros(1, 16), basis, budget=90, samples=5)
