"""Dodging and impersonation: the losses, the system's threshold, and verdicts that a missing face never turns."""

import math

import pytest
import torch
from torch import Tensor, nn

from helpers import faceid, physical as A, runtime
from helpers.physical import stored
from helpers.physical.identity import cosine


def descriptors(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=runtime.generator(seed, "cpu"))


def test_losses_are_cosines_up_to_where_it_is_enough() -> None:
    u, v = descriptors(30, 5), descriptors(30, 5, seed=1)
    c = torch.nn.functional.cosine_similarity(u, v)
    torch.testing.assert_close(A.impersonation_loss(u, v), 1 - c)
    torch.testing.assert_close(A.dodging_loss(u, v), 1 + c)
    torch.testing.assert_close(A.impersonation_loss(u, v, enough=0.2), (0.2 - c).clamp(min=0))
    torch.testing.assert_close(A.dodging_loss(u, v, enough=0.2), (c - 0.2).clamp(min=0))
    torch.testing.assert_close(cosine(3 * u, v / 7), c)  # only the directions count
    assert torch.autograd.gradcheck(A.impersonation_loss, (u[:3].requires_grad_(), v[:3].requires_grad_()))


@pytest.mark.parametrize("loss", [A.impersonation_loss, A.dodging_loss])
def test_what_has_no_direction_is_refused(loss) -> None:
    u = torch.ones(2, 3)
    for bad, message in (
        (torch.zeros(2, 3), "u and v must be finite and not zero"),
        (u * math.nan, "u and v must be finite and not zero"),
        (u[:1], r"\(2, 3\) and \(1, 3\)"),
        (u[0], r"\(2, 3\) and \(3,\)"),
    ):
        with pytest.raises(ValueError, match=message):
            loss(u, bad)
    for enough in (1.5, -2.0, math.nan):
        with pytest.raises(ValueError, match="enough must be a cosine"):
            loss(u, u, enough=enough)


def test_a_template_is_the_mean_direction() -> None:
    u = descriptors(4, 3, 8)
    v = A.template(u)
    torch.testing.assert_close(v.norm(dim=-1), torch.ones(4).double())
    torch.testing.assert_close(A.template(u * torch.tensor([1.0, 5, 9])[:, None]), v)  # each picture counts the same
    torch.testing.assert_close(A.template(u[:, :1])[0], u[0, 0] / u[0, 0].norm())


def test_the_threshold_lets_in_the_share_of_strangers_and_no_more() -> None:
    """By counting: all pictures of each person against all templates of others."""
    u, far = descriptors(12, 10, 6) + 2 * descriptors(12, 1, 6, seed=1), 0.05
    t = A.threshold(u, far)
    pairs = [
        (float(cosine(picture[None], A.template(u[other, A.ENROLLED])[None])), other == person)
        for person in range(12)
        for picture in u[person]
        for other in range(12)
    ]
    strangers = sorted(c for c, own in pairs if not own)
    assert sum(c >= t - 1e-12 for c in strangers) <= far * len(strangers)
    assert sum(c >= t - 0.05 for c in strangers) > far * len(strangers)
    assert A.threshold(u, 0.01) > t > A.threshold(u, 0.2)


def test_nobody_s_pictures_are_in_two_parts() -> None:
    parts = [set(range(10)[part]) for part in (A.MADE, A.ENROLLED, A.JUDGED)]
    assert set.union(*parts) == set(range(10)) and sum(map(len, parts)) == 10


def test_no_face_is_no_verdict() -> None:
    cosines = torch.tensor([[0.9, 0.4, math.nan, math.nan], [0.8, 0.8, 0.8, 0.1]])
    found = A.verdicts(cosines, 0.8)
    assert [found.accepted.rate, found.rejected.rate, found.faceless.rate] == [0.5, 0.25, 0.25]
    assert found.cosine == pytest.approx(3.8 / 6)
    for t in (math.nan, 1.2):
        with pytest.raises(ValueError, match="must be a cosine"):
            A.verdicts(cosines, t)


@pytest.fixture(scope="module")
def networks() -> tuple[faceid.Mtcnn, nn.Module]:
    return faceid.pretrained("cpu")


@pytest.fixture(scope="module")
def everybody() -> stored.People:
    return stored.people()


def test_the_system_knows_its_people(networks, everybody: stored.People) -> None:
    """Without a sticker and a camera: everybody is known, and one in a hundred strangers is let in, about."""
    x, landmarks, _ = everybody.take(slice(20, 40), slice(9, 10))
    v, t = A.template(everybody.descriptors[20:, A.ENROLLED]), stored.system()
    for claimed, share in ((v, 1.0), (v.roll(1, 0), 0.0)):
        found = A.worn_verdicts(*networks, (x, landmarks, claimed), {"none": None}, t, camera=A.LADDER["digital"])
        assert found["none"].accepted.rate == share and found["none"].faceless.rate == 0
    wanted = cosine(everybody.descriptors[20:, 9], v)
    seen = A.cosines_seen(*networks, x[:, 0], v, A.draw(A.LADDER["digital"], x[:, 0]))
    torch.testing.assert_close(seen[:, 0], wanted, atol=1e-3, rtol=0)


def test_the_pipeline_is_asked_about_each_photograph(networks, everybody: stored.People) -> None:
    x = torch.stack([everybody.x[0, 9], torch.zeros_like(everybody.x[0, 9])])
    v = A.template(everybody.descriptors[:2, A.ENROLLED])
    shots = A.draw(A.LADDER["blur"], x, 2, generator=runtime.generator(0, "cpu"))
    seen = A.cosines_seen(*networks, x, v, shots)
    assert (seen[0] > 0.9).all() and seen[1].isnan().all()
    loss = A.sticker_loss(*networks, v, A.dodging_loss)
    photographs, rows = A.photograph(x, shots), torch.tensor([0, 0, 1, 1])
    torch.testing.assert_close(loss(photographs, rows)[:2], 1 + seen[0])
    assert loss(photographs, rows)[2:].tolist() == [0, 0]


def test_the_gradient_is_that_of_the_descriptor_as_the_alignment_is_held(networks, everybody: stored.People) -> None:
    x, landmarks = everybody.x[5, :1], everybody.landmarks[5, :1]
    v = A.template(everybody.descriptors[5:6, A.ENROLLED])
    p = torch.full((1, 1, 12, 32), 0.5, requires_grad=True)
    worn = A.wear(x, landmarks, p, (A.FOREHEAD,))
    loss = A.sticker_loss(*networks, v, A.dodging_loss)(worn, torch.zeros(1, dtype=torch.long))
    (g,) = torch.autograd.grad(loss.sum(), p, retain_graph=True)
    held = A.only_face(networks[0], worn.detach()).landmarks
    (wanted,) = torch.autograd.grad(cosine(faceid.embed(networks[1], faceid.align(worn, held)), v).sum(), p)
    torch.testing.assert_close(g, wanted)
    assert wanted.norm() > 1e-3


def test_everybody_may_wear_their_own(networks, everybody: stored.People) -> None:
    """(P, K, C, h, w): the first without a face behind it, the second in white."""
    x, landmarks, d = everybody.take([0, 1], slice(0, 1))
    own = torch.stack([torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 4, 4)])
    place = (A.Place(0, 0.5, 3, 3),)
    worn = A.wear(x[1], landmarks[1], own[1], place)
    both = A.worn_verdicts(*networks, (x, landmarks, d[:, 0]), {"own": own}, 0.9, places=place, camera=A.Camera())
    one = A.cosines_seen(*networks, worn, d[1], A.draw(A.Camera(), worn))
    assert both["own"].faceless.rate == (1 + float(one.isnan())) / 2
