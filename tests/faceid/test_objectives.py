"""The losses as training uses them: what each computes, and that all see the same batches."""

import copy
from functools import partial

import pytest
import torch

from helpers import faceid, runtime
from helpers.faceid import objectives, planar, terminal, unseen
from helpers.faceid.embedders import Embedder, dense_embedder, digit_embedder, face_embedder

EVERY = {**{("plane", k): v for k, v in planar.LOSSES.items()}, **{("faces", k): v for k, v in unseen.LOSSES.items()}}


def batch(d: int = 5) -> tuple[Embedder, torch.Tensor, torch.Tensor]:
    """A model whose features are its input: four classes, three samples of each."""
    runtime.seed(0)
    y = torch.arange(4).repeat_interleave(3)
    return Embedder(torch.nn.Identity(), 4, d).to(y.device), torch.randn(12, d) + 2 * torch.eye(4, d)[y], y


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("progress", [0.0, 0.2, 1.0])
def test_every_objective_is_a_number_with_a_finite_gradient(name, progress) -> None:
    model, x, y = batch()
    x.requires_grad_()
    value = EVERY[name](model, x, y, progress)
    value.backward()
    assert value.dim() == 0 and value > 0 and x.grad is not None and x.grad.isfinite().all() and (x.grad != 0).any()


def test_margins_grow_from_none_to_the_whole() -> None:
    model, x, y = batch()
    cos, cross_entropy = faceid.cosines(x, model.weight), torch.nn.functional.cross_entropy
    none = objectives.norm_face(8.0)(model, x, y, 0.5)
    for objective, logits in (
        (objectives.cos_face(8.0, 0.3), faceid.cosface_logits(cos, y, s=8.0, m=0.3)),
        (objectives.arc_face(8.0, 0.3), faceid.arcface_logits(cos, y, s=8.0, m=0.3)),
    ):
        assert torch.allclose(objective(model, x, y, 0.0), none)
        assert none < objective(model, x, y, 0.1) < objective(model, x, y, 0.34)
        assert torch.allclose(objective(model, x, y, 0.34), cross_entropy(logits, y))


def test_sphereface_starts_as_modified_soft_max_and_ends_at_lambda_five() -> None:
    model, x, y = batch()
    cos, length = faceid.cosines(x, model.weight), x.norm(dim=1)
    for progress, annealing in ((0.0, 1500.0), (1.0, 5.0)):
        logits = faceid.sphereface_logits(cos, y, s=length, m=4, annealing=annealing)
        expected = torch.nn.functional.cross_entropy(logits, y)
        assert torch.allclose(objectives.sphere_face(4)(model, x, y, progress), expected)


def test_centres_follow_and_pull() -> None:
    model, x, y = batch()
    expected = faceid.update_centres(model.centres, x, y)
    value = objectives.center(0.5)(model, x, y, 0.0)
    assert torch.equal(model.centres, expected)
    pull = faceid.center_loss(x, y, expected)
    assert torch.allclose(value, objectives.soft_max(model, x, y, 0.0) + 0.5 * pull)


def test_n_pair_takes_every_pair_of_a_class_once() -> None:
    model, x, y = batch()
    u = faceid.unit(x).view(4, 3, -1)
    found = [faceid.n_pair_loss(u[:, i], u[:, j], temperature=0.2) for i, j in ((0, 1), (0, 2), (1, 2))]
    assert torch.allclose(objectives.n_pair(0.2)(model, x, y, 0.0), sum(found) / 3)


def test_batches_hold_different_rows_of_the_classes_asked_for() -> None:
    y = torch.tensor([2, 0, 1, 2, 0, 1, 2, 1, 0, 2])
    drawn = objectives.rows_of(y, 3, 3, runtime.generator(0, "cpu"))
    for classes in ([2, 0], [1, 2], [0, 1]):
        rows = drawn(torch.tensor(classes))
        assert y[rows].tolist() == [k for k in classes for _ in range(3)] and len(rows.unique()) == 6
    with pytest.raises(ValueError, match=r"every class 0 \.\.\. 2 needs 4 pictures, got \[3, 3, 4\]"):
        objectives.rows_of(y, 3, 4, runtime.generator(0, "cpu"))


def test_every_loss_sees_the_same_batches_and_training_can_be_repeated_to_the_bit() -> None:
    x, y = torch.rand(40, 1, 28, 28), torch.arange(10).repeat(4)
    start, seen, ends = digit_embedder().to(x.device), [], []
    for objective in (objectives.soft_max, objectives.soft_max, objectives.contrastive(1.0)):
        views: list[torch.Tensor] = []
        model = copy.deepcopy(start)
        objectives.train(
            model,
            objective,
            (x, y),
            steps=3,
            peak=1e-2,
            batch=(4, 2),
            change=lambda x, views=views: views.append(x) or x,
            generator=runtime.generator(7, "cpu"),
        )
        seen.append(torch.stack(views))
        ends.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    assert torch.equal(seen[0], seen[2]) and torch.equal(ends[0], ends[1]) and not torch.equal(ends[0], ends[2])


@pytest.mark.parametrize(
    ("model", "x", "d", "parameters"),
    [
        (digit_embedder(), torch.rand(3, 1, 28, 28), 2, 52_593),
        (face_embedder(), torch.rand(3, 1, 48, 48), 64, 210_272),
        (dense_embedder(), torch.rand(3, 1, 28, 28), 64, 284_992),
    ],
)
def test_embedders_have_the_shapes_they_state(model, x, d, parameters) -> None:
    assert model.to(x.device).eval()(x).shape == (3, d)
    assert sum(p.numel() for p in model.parameters()) == parameters


def scaled_free(s: float, d: int, steps: int) -> terminal.Scaled:
    """Three free features of each of ten classes, descended by NormFace of scale s with steps of 1/s."""
    free = faceid.free_features(10, 3, d, generator=runtime.generator(0, "cpu"))
    return terminal.scaled(s, *faceid.descend(free, partial(faceid.normface_loss, s=s), eta=1 / s, steps=steps))


def free_collapse(steps: int, d: int, generator: torch.Generator) -> faceid.Collapse:
    """NC1 to NC4 of five free features of each of ten classes after so many steps on soft-max, tau = 0.02."""
    free = faceid.free_features(10, 5, d, generator=generator)
    free = faceid.descend(free, faceid.softmax_loss, tau=2e-2, steps=steps)
    return faceid.neural_collapse(free.features, free.y, free.weights, free.features @ free.weights.T)


def test_free_features_reach_the_floor_where_the_dimension_allows() -> None:
    """Ten classes, s = 1: log(1 + 9 exp(-10/9)) = 1.3769, cosines -1/9; not in the plane."""
    found = scaled_free(1, 9, steps=600)
    assert found.floor == pytest.approx(1.376935, abs=1e-6) and abs(found.loss - found.floor) < 1e-6
    assert found.smallest == pytest.approx(-1 / 9, abs=1e-3) and found.largest == pytest.approx(-1 / 9, abs=1e-3)
    plane = scaled_free(1, 2, steps=600)
    assert plane.loss > plane.floor + 0.1


def test_free_features_collapse_to_the_last_digit_in_enough_dimensions_and_not_in_the_plane() -> None:
    g = runtime.generator(0, "cpu")
    first, last = (free_collapse(steps, 16, runtime.generator(0, "cpu")) for steps in (1, 3000))
    assert first.variability > 0.1 and max(last) < 1e-6
    plane = free_collapse(3000, 2, g)
    assert plane.variability < 1e-6 and plane.equiangle > 0.3


def test_a_shorter_history_of_the_collapse_is_its_beginning() -> None:
    short, longer = terminal.collapse_history((1,)), terminal.collapse_history((1, 2))
    assert short[0] == longer[0] and longer[1].epoch == 2 and longer[1].loss < short[0].loss
