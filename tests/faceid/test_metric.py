"""Metric losses pair by pair and triplet by triplet, their ties on the sphere, and what they refuse."""

import itertools
import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from helpers.faceid import metric as M
from helpers.faceid.features import unit
from tests.faceid.draws import random

Y = torch.tensor([0, 0, 1, 1, 1, 2, 2, 5])  # class 5 has one sample, classes 3 and 4 none
close = torch.testing.assert_close


def distance(x: Tensor, i: int, j: int) -> float:
    return float((x[i] - x[j]).norm())


def test_contrastive_loss_pair_by_pair() -> None:
    x, total = random(8, 3), 0.0
    for i, j in itertools.combinations(range(8), 2):
        d = distance(x, i, j)
        total += d**2 / 2 if Y[i] == Y[j] else max(0, 2 - d) ** 2 / 2
    assert float(M.contrastive_loss(x, Y, margin=2.0)) == pytest.approx(total / 28)


def test_triplet_loss_anchor_by_anchor() -> None:
    x, losses, chosen = random(8, 3) + random(6, 3, seed=1)[Y], [], []
    for a in range(7):
        d = {j: distance(x, a, j) for j in range(8) if j != a}
        p = max((j for j in d if Y[j] == Y[a]), key=lambda j: d[j])
        n = min((j for j in d if Y[j] != Y[a]), key=lambda j: d[j])
        losses.append(max(0, 0.2 + d[p] - d[n]))
        chosen.append([a, p, n])
    assert min(losses) == 0 < max(losses)
    assert float(M.triplet_loss(x, Y, margin=0.2)) == pytest.approx(sum(losses) / 7)
    assert M.batch_hard(x, Y).tolist() == chosen
    close(M.triplet_hinge(x, M.batch_hard(x, Y), margin=0.2), M.triplet_loss(x, Y, margin=0.2))


def test_batch_hard_never_takes_the_anchor_itself() -> None:
    """Neither where all samples of a class are one point."""
    mined = M.batch_hard(torch.zeros(6, 2), torch.tensor([0, 0, 0, 1, 1, 2]))
    assert (mined[:, 0] != mined[:, 1]).all() and mined[:, 0].tolist() == [0, 1, 2, 3, 4]
    y = torch.tensor([0, 0, 0, 1, 1, 2])
    assert (y[mined[:, 0]] == y[mined[:, 1]]).all() and (y[mined[:, 0]] != y[mined[:, 2]]).all()


def test_semi_hard_pair_by_pair() -> None:
    x, margin, expected = random(8, 3), 0.7, []
    for a, p in itertools.permutations(range(7), 2):
        if Y[a] == Y[p]:
            far = distance(x, a, p)
            allowed = {n: distance(x, a, n) for n in range(8) if Y[n] != Y[a]}
            allowed = {n: d for n, d in allowed.items() if far < d < far + margin}
            expected += [[a, p, min(allowed, key=lambda n: allowed[n])]] if allowed else []
    mined = M.semi_hard(x, Y, margin=margin)
    assert 0 < len(expected) < 10 and mined.tolist() == expected
    losses = [float(M.triplet_hinge(x, row[None], margin=margin)) for row in mined]
    assert all(0 < loss < margin for loss in losses)
    close(M.triplet_hinge(x, mined, margin=margin), torch.tensor(losses, dtype=torch.float64).mean())


def test_semi_hard_bounds_are_strict() -> None:
    """On a line: p at distance 1, negatives at 1, 2 and 3 from the anchor."""
    x, y = torch.tensor([[0.0], [1], [-1], [2], [3]]), torch.tensor([0, 0, 1, 2, 3])
    assert [0, 1, 3] not in M.semi_hard(x, y, margin=1.0).tolist()
    assert [0, 1, 3] in M.semi_hard(x, y, margin=1.5).tolist()
    assert [0, 1, 2] not in M.semi_hard(x, y, margin=1.5).tolist()
    none = M.semi_hard(100 * torch.eye(4), torch.tensor([0, 0, 1, 1]), margin=1.0)
    assert none.shape == (0, 3) and M.triplet_hinge(torch.eye(4), none, margin=1.0) == 0


def test_center_loss_and_its_centres() -> None:
    x, centres = random(8, 3), random(6, 3, seed=1)
    expected = sum(float((x[i] - centres[Y[i]]).square().sum()) for i in range(8)) / 16
    assert float(M.center_loss(x, Y, centres)) == pytest.approx(expected)
    new = M.update_centres(centres, x, Y, alpha=0.3)
    for k in range(6):
        members = [i for i in range(8) if Y[i] == k]
        pull = sum((x[i] - centres[k] for i in members), torch.zeros(3, dtype=torch.float64)) / (1 + len(members))
        close(new[k], centres[k] + 0.3 * pull)
    assert torch.equal(new[[3, 4]], centres[[3, 4]])
    close(M.update_centres(centres, x, Y), M.update_centres(centres, x, Y, alpha=0.5))
    assert not M.update_centres(centres, x.requires_grad_(), Y).requires_grad
    moved = centres
    for _ in range(200):
        moved = M.update_centres(moved, x, Y, alpha=1.0)
    close(moved[1], x[2:5].mean(0).detach())  # the fixed point is the class mean


def test_info_nce_by_hand() -> None:
    a, p, n = random(4, 3), random(4, 3, seed=1), random(4, 5, 3, seed=2)
    losses = []
    for i in range(4):
        own = math.exp(float(a[i] @ p[i]) / 0.7)
        losses.append(-math.log(own / (own + sum(math.exp(float(a[i] @ n[i, m]) / 0.7) for m in range(5)))))
    assert float(M.info_nce(a, p, n, temperature=0.7)) == pytest.approx(sum(losses) / 4)


def test_three_losses_are_info_nce() -> None:
    """TPE with one negative; the N-pair loss with the positives of the others; a tenth of a degree is no trouble."""
    a, p, n = random(4, 3), random(4, 3, seed=1), random(4, 3, seed=2)
    close(M.triplet_probabilistic_loss(a, p, n), M.info_nce(a, p, n[:, None], temperature=1.0))
    others = torch.stack([p[[j for j in range(4) if j != i]] for i in range(4)])
    for t in (1.0, 0.1):
        close(M.n_pair_loss(a, p, temperature=t), M.info_nce(a, p, others, temperature=t))
    close(M.n_pair_loss(a, p), M.n_pair_loss(a, p, temperature=1.0))
    gap = ((a * p).sum(1)[:, None] - torch.einsum("nd,nmd->nm", a, others)) * -1
    close(M.n_pair_loss(a, p), torch.log1p(gap.exp().sum(1)).mean())
    close(M.triplet_probabilistic_loss(100 * a, p, n), F.softplus(100 * (a * (n - p)).sum(1)).mean())


def test_on_the_sphere_metric_and_angle_are_one() -> None:
    """|u - v|^2 = 2 - 2 cos: the contrastive loss as a function of the cosines alone."""
    u = unit(random(8, 3))
    cos, pairs = u @ u.T, torch.triu_indices(8, 8, 1)
    d = (2 - 2 * cos[pairs[0], pairs[1]]).sqrt()
    same = Y[pairs[0]] == Y[pairs[1]]
    expected = torch.where(same, d**2, (1.2 - d).clamp(min=0) ** 2).mean() / 2
    close(M.contrastive_loss(u, Y, margin=1.2), expected)


BATCHED: dict[str, Callable[[Tensor], Tensor]] = {
    "contrastive": lambda x: M.contrastive_loss(x, Y, margin=1.5),
    "triplet": lambda x: M.triplet_loss(x, Y, margin=0.5),
    "semi-hard": lambda x: M.triplet_hinge(x, M.semi_hard(x, Y, margin=0.7), margin=0.7),
    "center": lambda x: M.center_loss(x, Y, random(6, 3, seed=1)),
    "info_nce": lambda x: M.info_nce(x, x.flip(0), x.roll(1, 0)[:, None], temperature=0.5),
    "n_pair": lambda x: M.n_pair_loss(x, x.flip(0), temperature=0.5),
    "tpe": lambda x: M.triplet_probabilistic_loss(x, x.flip(0), x.roll(1, 0)),
}


@pytest.mark.parametrize("name", BATCHED)
def test_gradients_agree_with_finite_differences(name: str) -> None:
    assert torch.autograd.gradcheck(BATCHED[name], random(8, 3).requires_grad_())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", BATCHED)
def test_collapsed_features_have_finite_gradients(name: str, dtype: torch.dtype) -> None:
    """All features are one point: every distance is 0, where the root has no slope. The dtype stays."""
    x = torch.ones(8, 3, dtype=dtype, requires_grad=True)
    value = BATCHED[name](x) if name != "center" else M.center_loss(x, Y, torch.ones(6, 3, dtype=dtype))
    (g,) = torch.autograd.grad(value, x)
    assert g.isfinite().all() and value.dtype == dtype and value.ndim == 0


def test_large_batches_agree_with_single_ones() -> None:
    """Above 25 rows cdist multiplies matrices: its rounding stays below 1e-6 in float64, 1e-3 in float32."""
    x, y = random(60, 16), torch.arange(60) % 7
    d = (x[:, None] - x[None]).norm(dim=2)
    same = y[:, None] == y
    expected = (1 + d.where(same, 0).amax(1) - d.where(~same, math.inf).amin(1)).clamp(min=0).mean()
    assert float(M.triplet_loss(x, y, margin=1.0)) == pytest.approx(float(expected), rel=1e-6)
    assert float(M.triplet_loss(x.float(), y, margin=1.0)) == pytest.approx(float(expected), rel=1e-3)


ONE, TWO = torch.zeros(3).long(), torch.arange(3)
X = torch.eye(3)
LABELLED = {
    "contrastive": partial(M.contrastive_loss, margin=1.0),
    "triplet": partial(M.triplet_loss, margin=1.0),
    "batch_hard": M.batch_hard,
    "semi_hard": partial(M.semi_hard, margin=1.0),
}
BAD: dict[str, tuple[Callable[[], object], str]] = {
    **{f"{name}: one class": (partial(f, X, ONE), "two classes") for name, f in LABELLED.items()},
    **{f"{name}: negative label": (partial(f, X, TWO - 1), "0 ...") for name, f in LABELLED.items()},
    **{f"{name}: two labels": (partial(f, X, TWO[:2]), "3 whole") for name, f in LABELLED.items()},
    **{f"{name}: pictures": (partial(f, X[None], TWO[:1]), "floating") for name, f in LABELLED.items()},
    "one sample": (lambda: M.batch_hard(X[:1], ONE[:1]), "two classes"),
    "triplet: all alone": (lambda: M.triplet_loss(X, TWO, margin=1.0), "twice"),
    "batch_hard: all alone": (lambda: M.batch_hard(X, TWO), "twice"),
    "contrastive: margin": (lambda: M.contrastive_loss(X, TWO, margin=0.0), "margin"),
    "triplet: margin": (lambda: M.triplet_loss(X, torch.tensor([0, 0, 1]), margin=-0.1), "margin"),
    "semi_hard: margin": (lambda: M.semi_hard(X, TWO, margin=0.0), "margin"),
    "center: label": (lambda: M.center_loss(X, TWO, X[:2]), "0 ... 1"),
    "center: dimension": (lambda: M.center_loss(X, TWO, X[:, :1]), "centres"),
    "center: one centre": (lambda: M.center_loss(X, TWO, X[0]), "centres"),
    "update: label": (lambda: M.update_centres(X[:2], X, TWO), "0 ... 1"),
    "update: dimension": (lambda: M.update_centres(X[:, :1], X, TWO), "centres"),
    "update: alpha 0": (lambda: M.update_centres(X, X, TWO, alpha=0.0), "alpha"),
    "update: alpha 1.1": (lambda: M.update_centres(X, X, TWO, alpha=1.1), "alpha"),
    "info_nce: positives": (lambda: M.info_nce(X, X[:1], X[None], temperature=1.0), "positives"),
    "info_nce: negatives": (lambda: M.info_nce(X, X, X, temperature=1.0), "negatives"),
    "info_nce: one row": (lambda: M.info_nce(X, X, X[None], temperature=1.0), "negatives"),
    "info_nce: temperature": (lambda: M.info_nce(X, X, X[:, None], temperature=0.0), "temperature"),
    "n_pair: positives": (lambda: M.n_pair_loss(X, X[:1]), "positives"),
    "n_pair: one": (lambda: M.n_pair_loss(X[:1], X[:1]), "two pairs"),
    "n_pair: temperature": (lambda: M.n_pair_loss(X, X, temperature=0.0), "temperature"),
    "tpe: positives": (lambda: M.triplet_probabilistic_loss(X, X[:1], X), "positives"),
    "tpe: negatives": (lambda: M.triplet_probabilistic_loss(X, X, X[:1]), "negatives"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused(name: str) -> None:
    call, words = BAD[name]
    with pytest.raises(ValueError, match=words):
        call()


def test_the_edges_of_the_ranges_are_allowed() -> None:
    assert M.triplet_loss(X, torch.tensor([0, 0, 1]), margin=0.0) == 0
    assert M.update_centres(X, X, TWO, alpha=1.0).shape == (3, 3)
    assert M.n_pair_loss(X[:2], X[:2]).isfinite() and M.contrastive_loss(X, TWO, margin=1.0) == 0
