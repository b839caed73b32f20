"""What is stored of lecture 2's experiments: whole, sealed, what the text says of it, and what is measured again."""

import math
import shutil

import pytest
import torch

from helpers import checkpoints, data, runtime
from helpers.faceid import figures, measured, planar, terminal, unseen

NAMES = ("raw pixels", "eigenfaces", *unseen.LOSSES)


def table() -> dict[str, torch.Tensor]:
    """{name: AUC, EER and TAR of each split (J, 3)}."""
    return {name: torch.tensor(rows).double() for name, rows in measured.load("unseen")["splits"].items()}


def test_splits_hold_ten_people_out_four_in_a_row_all_forty() -> None:
    for first in (0, 4):
        tests = [unseen.unseen_people(split) for split in range(first, first + 4)]
        assert torch.cat(tests).sort().values.tolist() == list(range(40))
    x, y, x_test, y_test = unseen.parted(3)
    assert x.shape == (300, 1, 48, 48) and x_test.shape == (100, 1, 48, 48)
    assert y.bincount().tolist() == [10] * 30 and torch.equal(y_test.unique(), unseen.unseen_people(3).sort().values)
    faces, people = unseen.small_faces()
    assert torch.equal(x_test, faces[torch.isin(people, unseen.unseen_people(3))])


def test_another_view_is_another_picture_of_the_same_face() -> None:
    x = unseen.small_faces()[0][:20]
    views = [unseen.another_view(x, runtime.generator(seed, "cpu")) for seed in (0, 0, 1)]
    assert torch.equal(views[0], views[1]) and not torch.equal(views[0], views[2]) and views[0].shape == x.shape
    nearer = torch.minimum(*((views[0] - z).flatten(1).norm(dim=1) for z in (x, x.flip(3))))
    assert (nearer < (views[0] - x.roll(10, 0)).flatten(1).norm(dim=1)).double().mean() > 0.8


def test_verified_of_perfect_and_of_random_features() -> None:
    people = torch.arange(10).repeat_interleave(10)
    assert unseen.verified(torch.eye(10)[people], people) == (1.0, 0.0, 1.0)
    noise = unseen.verified(torch.randn(100, 64, generator=runtime.generator(0, "cpu")), people)
    assert abs(noise.auc - 0.5) < 0.1 and abs(noise.eer - 0.5) < 0.1 and noise.tar < 0.1


def test_paired_differences_count_the_people_that_splits_share() -> None:
    d, first = torch.tensor([0.01, 0.03, 0.02, 0.04]), torch.tensor([0.9, 0.8, 0.7, 0.6])
    mean, error = unseen.paired(first + d, first)
    assert mean == pytest.approx(0.025) and error == pytest.approx(float(d.std()) * math.sqrt(1 / 4 + 1 / 3), rel=1e-4)


def test_the_table_is_whole_and_its_baselines_are_what_is_measured_now() -> None:
    found = table()
    assert set(found) == set(NAMES)
    for rows in found.values():
        assert rows.shape == (unseen.SPLITS, 3) and (rows > 0).all() and (rows < 1).all()
    for split in (0, 5):
        assert unseen.raw_pixels(split) == pytest.approx(found["raw pixels"][split].tolist(), abs=2e-3)
        assert unseen.eigenfaces(split) == pytest.approx(found["eigenfaces"][split].tolist(), abs=2e-3)


def test_one_training_measured_again_agrees_within_what_another_start_changes() -> None:
    seeds = torch.tensor(measured.load("unseen")["seeds"]["CosFace"])
    again, stored = (
        torch.tensor(unseen.learnt(0, "CosFace")),
        torch.tensor(measured.load("unseen")["splits"]["CosFace"]),
    )
    assert ((again - stored[0]).abs() <= 4 * seeds.std(0)).all()


def test_margins_beat_soft_max_by_two_standard_errors_and_not_one_another() -> None:
    """In the area under the curve; between the margins, and in EER, nothing is beyond two standard errors."""
    found = table()
    for name in ("SphereFace", "CosFace", "ArcFace"):
        gain, error = unseen.paired(found[name][:, 0], found["soft-max"][:, 0])
        assert gain > 2 * error
        for other in ("SphereFace", "CosFace", "ArcFace", "triplet, semi-hard"):
            for metric in range(3):
                gain, error = unseen.paired(found[name][:, metric], found[other][:, metric])
                assert abs(gain) <= 2 * error
    assert abs(unseen.paired(found["soft-max"][:, 0], found["raw pixels"][:, 0])[0]) < 0.01


def test_the_stored_history_ends_where_the_checkpoint_stands() -> None:
    """Features agree but for half precision; all histories begin at one start."""
    history, models = measured.planar_history(), checkpoints.load("mnist_planar", "cpu")
    x = data.load("mnist").x_test[: planar.SHOWN]
    assert history.shape == (len(planar.LOSSES), len(planar.FRAMES), planar.SHOWN, 2)
    assert (history[:, 0] == history[0, 0]).all()
    for features, model in zip(history[:, -1], models.values(), strict=True):
        with torch.no_grad():
            assert (features - model(x)).norm() <= 5e-3 * features.norm()


def test_the_geometry_in_the_plane() -> None:
    facts = measured.load("planar")
    rows = {loss: planar.Geometry(*row) for loss, row in facts["geometry"].items()}
    models = checkpoints.load("mnist_planar", "cpu")
    assert list(rows) == list(models) == list(planar.LOSSES)
    assert planar.planar_geometry(models["CosFace"]) == pytest.approx(rows["CosFace"], rel=1e-2)
    collapsed = rows.pop("triplet, batch-hard")
    assert collapsed.by_angle < 0.7 and collapsed.smallest_gap < 1
    most = 1 - math.cos(math.radians(36))
    for row in rows.values():
        assert row.by_angle > 0.95 and row.margin < most
    assert rows["CosFace"].within < rows["NormFace"].within and rows["CosFace"].margin > 0.15
    assert all(row.by_angle > row.by_distance for row in rows.values())


def test_geometry_of_points_whose_angles_are_known() -> None:
    turn = torch.arange(10) * math.pi / 5
    y = torch.arange(10).repeat(2)
    off = torch.tensor([3.0, -3.0]).repeat_interleave(10).deg2rad()
    x = torch.stack([(turn.repeat(2) + off).cos(), (turn.repeat(2) + off).sin()], 1)
    found = planar.geometry(x, y, x, y)
    assert found == pytest.approx((1, 1, 3, 3, 36, 36, 1 - math.cos(math.pi / 5)), abs=1e-3)
    assert planar.share_interval(0.5, 100) == pytest.approx((0.4038, 0.5962), abs=1e-4)


def test_no_class_passes_another_on_the_circle() -> None:
    """The order of the start is the order of the end for every loss but the one that collapses."""
    y, history = data.load("mnist").y_test[: planar.SHOWN], measured.planar_history()
    start = planar.order_on_circle(history[0, 0], y)
    assert start == [0, 4, 5, 8, 3, 9, 1, 2, 7, 6]
    for loss, features in zip(planar.LOSSES, history[:, -1], strict=True):
        assert (planar.order_on_circle(features, y) == start) == (loss != "triplet, batch-hard")


def test_the_way_through_the_plane() -> None:
    """What the explorer of the stored features is asked: batch-hard's classes meet, CosFace's rays narrow late."""
    y, history = data.load("mnist").y_test[: planar.SHOWN], measured.planar_history()
    ways = {
        loss: [planar.geometry(u, y, u, y) for u in moments]
        for loss, moments in zip(planar.LOSSES, history, strict=True)
    }
    gaps = [g.smallest_gap for g in ways["triplet, batch-hard"]]
    assert planar.FRAMES[4:6] == (200, 400) and min(gaps[:5]) > 5 and max(gaps[5:]) < 1
    widths = [g.median for g in ways["CosFace"]]
    assert max(widths) == widths[4] > 1.4 * widths[0] and widths[-1] < widths[0] / 1.5
    shown = figures.unfolding("triplet, batch-hard", 8).axes[0]
    assert "1 2 3 5 7 8 9" in [text.get_text() for text in shown.texts]  # on one ray: one place for their numbers
    assert shown.get_title("left") == "step 2,340: 60 % right"


def test_from_random_weights_normalised_losses_do_no_better() -> None:
    cold, warm = (measured.load(part)["geometry"] for part in ("cold", "planar"))
    assert set(cold) == set(planar.COLD)
    assert all(cold[loss][0] < warm[loss][0] + 0.01 for loss in cold)


def test_neural_collapse_as_stored_and_as_it_begins() -> None:
    stored = [terminal.Row(*row) for row in measured.load("collapse")["rows"]]
    assert tuple(row.epoch for row in stored) == terminal.EPOCHS
    for name, share in (("variability", 0.01), ("equinorm", 0.1), ("equiangle", 0.2), ("self_duality", 0.05)):
        assert getattr(stored[-1], name) < share * getattr(stored[0], name)
    assert stored[-1].error == stored[-1].disagreement == 0 and stored[-1].test_variability > 0.1
    again = terminal.collapse_history((1, 2))
    assert [row.loss for row in again] == pytest.approx([row.loss for row in stored[:2]], rel=0.05)


def test_the_scale_sets_what_the_loss_asks_for() -> None:
    rows = {row[0]: terminal.Scaled(*row) for row in measured.load("scales")["rows"]}
    assert set(rows) == set(terminal.SCALES)
    assert all(row.loss >= row.floor for row in rows.values())
    assert rows[1].loss - rows[1].floor < 0.03 and rows[1].mean_cosine == pytest.approx(-1 / 9, abs=1e-3)
    assert rows[64].mean_cosine > 0.5


def test_a_damaged_or_missing_file_is_named_with_the_remedy(tmp_path, monkeypatch) -> None:
    shutil.copytree(measured.FOLDER, tmp_path / "faceid")
    monkeypatch.setattr(measured, "FOLDER", tmp_path / "faceid")
    file = tmp_path / "faceid" / "planar.npz"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(OSError, match=r"planar.npz is damaged.*git checkout -- data/faceid.*measured planar"):
        measured.planar_history()
    file.unlink()
    with pytest.raises(FileNotFoundError, match=r"planar.npz is missing"):
        measured.planar_history()
    card = tmp_path / "faceid" / "scales.json"
    card.write_text(card.read_text().replace("1.4", "1.3", 1))
    with pytest.raises(OSError, match=r"scales.json is damaged.*measured scales"):
        measured.load("scales")
    with pytest.raises(ValueError, match=r"name must be one of .*Did you mean 'scales'"):
        measured.load("scale")
