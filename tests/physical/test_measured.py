"""What is stored of lecture 8's searches: whole, sealed, measured again, and what the text says of it."""

import pytest
import torch

from helpers import attacks, checkpoints
from helpers.faceid.networks import in_parts
from helpers.physical import likeness, measured, restoration


def test_who_is_attacked_taught_neither_the_eigenfaces_nor_the_judge() -> None:
    assert not set(likeness.OTHERS) & set(likeness.ATTACKED)
    assert set(likeness.OTHERS) | set(likeness.ATTACKED) == set(range(40))
    kept, enrolled = (set(range(10)[part]) for part in (likeness.KEPT, likeness.ENROLLED))
    assert not kept & enrolled


@pytest.mark.parametrize("method", ["eigenfaces", "blobs"])
def test_the_stored_pictures_have_the_stored_distances(method: str) -> None:
    found, n = measured.restored(method), measured.PEOPLE[method]
    assert found.distance.shape == (len(found.queries), n) and found.similarity.shape == (len(found.queries), n, 10)
    assert found.queries[-1] <= measured.BUDGET[method] + 1 and (found.queries.diff() > 0).all()
    resnet = checkpoints.load("face_resnet", "cpu").requires_grad_(False)
    last = measured.frames(method, found, [len(found.queries) - 1])[0]
    answers = in_parts(resnet, restoration.shown(last), 32)
    distance = (answers - measured.targets(resnet)[:n]).norm(dim=1)
    torch.testing.assert_close(distance, found.distance[-1], rtol=0, atol=5e-3)


def test_they_pass_the_door_and_yet_the_second_network_does_not_know_them() -> None:
    """What the lecture says: nearer than any impostor's picture, and none above 99 % of the impostors."""
    card = measured.load("restoration")
    for method in measured.BUDGET:
        found = measured.restored(method)
        own = found.similarity[-1].diagonal()
        assert (found.distance[-1] < 0.45).all() and (own < card["impostors_99_percent"]).all()
        assert card[method]["similarity"] == pytest.approx(own.tolist(), abs=2e-3)
    assert card["genuine_above"] > 0.8


@pytest.mark.parametrize("name", ["digits", "faces"])
def test_curves_grow_and_squares_need_fewer_queries(name: str) -> None:
    budgets = (20, 100, 400, 2_000)
    nes, squares = (measured.curve(name, attack, budgets) for attack in ("NES", "square"))
    for shares in (nes, squares):
        assert all(a.rate <= b.rate for a, b in zip(shares[:-1], shares[1:], strict=True))
        assert all(s.low <= s.rate <= s.high for s in shares)
    assert all(a.rate <= b.rate for a, b in zip(nes, squares, strict=True))
    n = measured.DIGITS if name == "digits" else measured.FACES
    hits = round(squares[-1].rate * n)
    assert (squares[-1].low, squares[-1].high) == attacks.exact_interval(hits, n)
    if name == "digits":
        assert squares[1].low > nes[2].high


def test_unknown_names_and_damaged_files_are_named(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="name must be one of"):
        measured.load("restored")
    with pytest.raises(ValueError, match="name must be one of"):
        measured.curve("cats", "NES", (1,))
    monkeypatch.setattr(measured, "FOLDER", tmp_path)
    with pytest.raises(FileNotFoundError, match="git checkout -- data/physical"):
        measured.restored("blobs")
