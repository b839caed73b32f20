"""The stored patches: what their cards promise, on people and shots that they were not made with."""

import pytest
import torch

from helpers import checkpoints, faceid, physical as A, runtime
from helpers.physical import stored

CONTROLS = ("none", "grey", "random", "black")


def test_the_cheek_patches_lose_unseen_faces_and_the_controls_do_not() -> None:
    """80 photographs; black is a control, too, and an honest one: it loses every second face."""
    lost = checkpoints.card("patch_vanish")["metrics"]
    assert list(lost) == [f"lost_{name}" for name in ("none", "patch", "grey", "random", "black")]
    assert lost["lost_patch"] >= 0.8
    assert max(lost[f"lost_{name}"] for name in ("none", "grey", "random")) < 0.1
    assert 0.2 < lost["lost_black"] < lost["lost_patch"]


def test_one_sticker_hides_who_unseen_people_are() -> None:
    """60 photographs of people who look straight into the camera, 60 of people who have turned. Who is not taken for
    another is mostly not seen at all, which is not called a success."""
    rates = checkpoints.card("sticker_dodge")["metrics"]
    assert set(rates) == {
        f"{how}{what}"
        for how in ("", "turned_")
        for what in ("faceless_sticker", *(f"rejected_{name}" for name in ("sticker", *CONTROLS)))
    }
    assert rates["rejected_sticker"] >= 0.8 and rates["turned_rejected_sticker"] >= 0.7
    assert max(rates[f"rejected_{name}"] for name in CONTROLS) < 0.1
    assert max(rates[f"turned_rejected_{name}"] for name in CONTROLS) < 0.25
    for how in ("", "turned_"):
        assert 1 - rates[f"{how}rejected_sticker"] - rates[f"{how}faceless_sticker"] < 0.1  # known all the same


def test_another_person_is_out_of_reach_for_most() -> None:
    """The honest figure: 30 photographs, most of them nearer to the target than without, few near enough."""
    rates = checkpoints.card("sticker_impersonate")["metrics"]
    assert rates["cosine_sticker"] > max(rates[f"cosine_{name}"] for name in CONTROLS) + 0.02
    assert 0.1 < rates["accepted_sticker"] < 0.6
    assert max(rates[f"accepted_{name}"] for name in CONTROLS) < 0.1


def test_a_patch_is_its_pixels() -> None:
    for build, shape in (
        (stored.cheek_patches, (2, 1, 24, 24)),
        (stored.forehead_sticker, (1, 1, 24, 64)),
        (stored.forehead_stickers, (5, 1, 1, 24, 64)),
    ):
        patch = build()
        assert torch.equal(patch(), torch.full(shape, 0.5)) and not patch().requires_grad
    for name in ("patch_vanish", "sticker_dodge", "sticker_impersonate"):
        pixels = checkpoints.load(name, "cpu")()
        assert 0 <= pixels.min() < 0.1 and 0.9 < pixels.max() <= 1


def test_people_are_parted_as_they_stand() -> None:
    everybody = stored.people()
    x, y = faceid.att_faces()
    assert torch.equal(everybody.x.flatten(0, 1), x) and torch.equal(y, torch.arange(40).repeat_interleave(10))
    some = everybody.take([3, 7], slice(0, 10, 5))
    assert torch.equal(some.x[1, 1], x[75]) and some.landmarks.shape == (2, 2, 5, 2)


def test_targets_are_the_most_similar_of_the_other_unseen_people() -> None:
    own, others = stored.attackers()
    unseen = stored.people().take(slice(20, 40))
    v = A.template(unseen.descriptors[:, A.MADE])
    for k in range(len(stored.ATTACKERS)):
        cosines = v[k] @ v.T
        assert torch.equal(own.x[k], unseen.x[k])
        best = int(cosines.sort(descending=True).indices[1])
        assert torch.equal(others.x[k], unseen.x[best])


def test_a_few_steps_lower_the_cosine_to_oneself() -> None:
    """On the pictures that the sticker is made with, as they are; a random sticker does less."""
    mtcnn, resnet = faceid.pretrained("cpu")
    x, landmarks, d = (part[0] for part in stored.people().take([30], slice(0, 2)))
    v, digital = A.template(d).expand(2, -1), A.LADDER["digital"]
    attack = (mtcnn, resnet, x, landmarks, v, A.dodging_loss)
    generator = runtime.generator(0, "cpu")
    sticker = A.sticker_attack(*attack, camera=digital, steps=15, batch=2, step=0.2, generator=generator)
    assert sticker.shape == (1, 1, 24, 64)
    before, after, chance = (
        A.cosines_seen(mtcnn, resnet, worn, v, A.draw(digital, worn)).mean()
        for worn in (x, *(A.wear(x, landmarks, p, (A.FOREHEAD,)) for p in (sticker, torch.rand_like(sticker))))
    )
    assert after < before - 0.03 and after < chance - 0.02
    with pytest.raises(ValueError, match=r"v must be templates, one for each of 2 pictures, got \(1, 128\)"):
        A.sticker_attack(mtcnn, resnet, x, landmarks, v[:1], A.dodging_loss, camera=digital, steps=1)
