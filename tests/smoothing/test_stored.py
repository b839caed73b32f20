"""The stored votes: verified, whole, and what the checkpoints still say."""

import shutil

import pytest
import torch

from helpers import data, runtime, smoothing
from helpers.smoothing import stored
from helpers.smoothing.metrics import certified_accuracy


@pytest.mark.parametrize("pair", stored.PLAN)
def test_what_is_stored_is_whole(pair) -> None:
    found = stored.load(*pair)
    assert found.selection.shape == (stored.PICTURES, 10) and (found.selection.sum(1) == stored.SELECTION).all()
    sizes = stored.PLAN[pair]
    assert tuple(found.votes) == sizes
    for n, votes in found.votes.items():
        assert votes.dtype == torch.int64 and (votes.sum(1) == n).all()
    for smaller, larger in zip(sizes, sizes[1:], strict=False):
        assert (found.votes[smaller] <= found.votes[larger]).all()
    assert torch.equal(found.y, data.load("mnist").y_test[: stored.PICTURES])


@pytest.mark.parametrize("pair", [pair for pair, sizes in stored.PLAN.items() if sizes[-1] == 10_000])
def test_a_part_measured_again_agrees(pair) -> None:
    """100 copies each of 20 pictures beside the stored 10,000: one source."""
    again = torch.from_numpy(stored.measure(*pair, (100,), pictures=20)).long()
    votes = stored.load(*pair).votes[10_000][:20]
    assert stored.agreement(again[1], votes).min() > 1e-5 / 20


def test_agreement_is_level_and_sees_another_source() -> None:
    runtime.seed(0)
    p = torch.rand(2000, dtype=torch.float64) * 0.3 + 0.6
    counts = [torch.distributions.Binomial(n, p).sample().long() for n in (100, 10_000)]
    votes, others = (torch.stack([c, n - c], 1) for c, n in zip(counts, (100, 10_000), strict=True))
    share = float((stored.agreement(votes, others) < 0.05).double().mean())
    assert 0.01 < share < 0.05 + 4 * (0.05 * 0.95 / 2000) ** 0.5
    moved = torch.stack([others[:, 0] - 2_000, others[:, 1] + 2_000], 1)
    assert (stored.agreement(votes, moved) < 0.05).double().mean() > 0.8


def test_the_curves_are_ordered_as_the_lecture_says() -> None:
    """More votes certify more, and up to the ceiling of 1,000 votes the gain is small."""
    radii = torch.linspace(0, 2, 81)
    curves = {}
    for n in (100, 1_000, 10_000):
        kept = stored.load("mnist_sigma050", 0.5)
        found = smoothing.certify(kept.selection, kept.votes[n], sigma=0.5, alpha=0.001)
        curves[n] = certified_accuracy(found.prediction, found.radius, kept.y, radii)
    assert (curves[100] <= curves[1_000] + 0.01).all() and (curves[1_000] <= curves[10_000] + 0.01).all()
    assert curves[10_000][0] > 0.95 and curves[1_000][-1] == 0


def test_a_damaged_or_missing_file_is_named_with_the_remedy(tmp_path, monkeypatch) -> None:
    shutil.copytree(stored.FOLDER, tmp_path / "smoothing")
    monkeypatch.setattr(stored, "FOLDER", tmp_path / "smoothing")
    file = tmp_path / "smoothing" / "votes.npz"
    content = file.read_bytes()
    file.write_bytes(content[:-1])
    with pytest.raises(OSError, match=r"votes.npz is damaged.*`git checkout -- data`.*helpers.smoothing.stored"):
        stored.load("mnist_sigma050", 0.5)
    file.unlink()
    with pytest.raises(FileNotFoundError, match=r"votes.npz is missing"):
        stored.load("mnist_sigma050", 0.5)
    card = tmp_path / "smoothing" / "votes.json"
    right = card.read_text()
    for wrong in ("{", right.replace("10,", "11,"), right.replace(" x 500", " x 501", 1)):
        card.write_text(wrong)
        if wrong != right:
            with pytest.raises(OSError, match=r"votes.json is damaged.*`git checkout -- data`"):
                stored.load("mnist_sigma050", 0.5)


def test_a_pair_that_is_not_stored_is_refused(capsys) -> None:
    with pytest.raises(ValueError, match=r"must be one of .*got \('mnist_sigma050', 3.0\)"):
        stored.load("mnist_sigma050", 3.0)
    with pytest.raises(SystemExit):
        stored.main(["mnist_none"])
    assert "nothing is stored of 'mnist_none'" in capsys.readouterr().err


def test_building_measures_the_chosen_and_keeps_the_rest(tmp_path, monkeypatch) -> None:
    shutil.copytree(stored.FOLDER, tmp_path / "smoothing")
    monkeypatch.setattr(stored, "FOLDER", tmp_path / "smoothing")
    before = stored._read()
    calls = []

    def quick(name, sigma, sizes):
        calls.append((name, sigma))
        return before[f"{name} {sigma}"][:, ::-1].copy()

    monkeypatch.setattr(stored, "measure", quick)
    stored.main(["mnist_smoothadv050"])
    after = stored._read()
    assert calls == [("mnist_smoothadv050", 0.5)] and set(after) == set(before)
    changed = {key for key in before if (before[key] != after[key]).any()}
    assert changed == {"mnist_smoothadv050 0.5"}
