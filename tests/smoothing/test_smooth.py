"""Votes, PREDICT and CERTIFY on classifiers of known probabilities; bad input."""

import math

import pytest
import torch
from torch import Tensor, nn

from helpers import models, runtime, smoothing
from helpers.smoothing.closed_form import Ball, Example, HalfSpace, Slab, blind_slab
from helpers.smoothing.smooth import Smooth, allowed_failures, pgd_smoothed

SIGMA = 0.5
EXAMPLES: dict[str, tuple[Example, list[float]]] = {
    "half-space": (HalfSpace(torch.tensor([3.0, 4.0, 0.0]), -1.0), [0.5, 0.5, 2.0]),
    "in the ball": (Ball(1.5), [0.4, 0.0, 0.3]),
    "outside the ball": (Ball(1.5), [1.5, 0.0, 0.9]),
    "slab": (Slab(1.0), [0.1, 0.0, 0.0]),
    "blind slab": (blind_slab(0.4, SIGMA), [0.0, 0.0, 0.0]),
}


def network(seed: int = 0) -> nn.Sequential:
    runtime.seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 12), nn.ReLU(), nn.Linear(12, 3))


def images(n: int, seed: int = 0) -> Tensor:
    return torch.rand(n, 1, 4, 4, generator=runtime.generator(seed))


# Votes.


def test_every_copy_votes_once_and_the_noise_has_its_scale() -> None:
    """A classifier that says whether an entry is above 1: P = Phi((x - 1) / sigma)."""
    x = torch.tensor([[0.4], [1.0], [1.3]])
    n = 40_000
    votes = Smooth(HalfSpace(torch.ones(1), -1.0), SIGMA).votes(x, n, generator=runtime.generator(0))
    assert votes.dtype == torch.int64 and votes.sum(1).tolist() == [n] * 3
    p = torch.special.ndtr((x[:, 0].double() - 1) / SIGMA)
    assert ((votes[:, 1] / n - p).abs() <= 5 * (p * (1 - p) / n).sqrt()).all()


def test_votes_do_not_depend_on_the_budget_nor_change_anything() -> None:
    model, x = network().train(), images(5)
    before = x.clone()
    all_votes = [
        Smooth(model, SIGMA, budget=budget).votes(x, 37, generator=runtime.generator(3))
        for budget in (None, 16 * 7, 16, 1)
    ]
    assert all(torch.equal(votes, all_votes[0]) for votes in all_votes)
    assert torch.equal(x, before) and model.training
    assert not torch.equal(Smooth(model, SIGMA).votes(x, 37, generator=runtime.generator(4)), all_votes[0])


def test_the_copies_of_one_image_and_of_two_are_independent() -> None:
    """The same image twice: independent votes differ."""
    model = network()
    votes = Smooth(model, 2.0).votes(images(1).expand(20, 1, 4, 4), 200, generator=runtime.generator(0))
    assert len({tuple(row) for row in votes.tolist()}) > 10


@pytest.mark.parametrize("n", [1, 1_000, 20_000])
def test_no_pass_is_larger_than_the_budget(n: int) -> None:
    seen: list[int] = []

    def model(x: Tensor) -> Tensor:
        seen.append(x.numel())
        return torch.stack([x.sum((1, 2, 3)), -x.sum((1, 2, 3))], 1)

    smooth = Smooth(model, SIGMA, budget=16 * 1000)
    smooth.certify(images(3), 10, n, 0.05, generator=runtime.generator(0))
    smooth.predict(images(3), n, 0.05)
    assert max(seen) <= 16 * 1000
    if n == 20_000:
        assert max(seen) == 16 * 1000  # and it is used


# Soundness.


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("seed", range(2))
def test_certificates_of_known_classifiers_fail_in_at_most_alpha_of_all_cases(name: str, seed: int) -> None:
    """1,500 certificates of one point, from fresh noise each: wrong if the class is not g's or the radius too large."""
    example, point = EXAMPLES[name]
    trials, alpha = 1_500, 0.05
    x = torch.tensor([point]).expand(trials, 3)
    found = Smooth(example, SIGMA).certify(x, 20, 200, alpha, generator=runtime.generator(seed))
    truth = int(example.probability(x[:1], SIGMA) > 0.5)
    radius = float(example.true_radius(x[:1], SIGMA))
    certified = found.prediction != smoothing.ABSTAIN
    false = certified & ((found.prediction != truth) | (found.radius > radius))
    assert false.sum() <= allowed_failures(trials, alpha)
    assert certified.double().mean() > 0.2
    if name == "half-space":  # where the theorem is tight, alpha is used up
        assert false.double().mean() > alpha / 4
    if name == "blind slab":
        assert radius == math.inf and not false.any()


def test_the_class_is_chosen_on_other_votes_than_those_that_bound_it() -> None:
    """Ten equal classes, argmax of ten noisy zeros: a bound above 0.1 in at most alpha of all cases; and the draws are
    those of votes(n0) and votes(n) in turn."""
    trials, alpha = 1_500, 0.05
    x = torch.zeros(trials, 10)
    found = Smooth(lambda z: z, SIGMA).certify(x, 30, 300, alpha, generator=runtime.generator(0))
    assert (found.prediction == smoothing.ABSTAIN).all()
    assert (found.lower > 0.1).sum() <= allowed_failures(trials, alpha)
    smooth, g, model_x = Smooth(network(), SIGMA), runtime.generator(1), images(1)
    by_hand = smoothing.certify(
        smooth.votes(model_x, 7, generator=g), smooth.votes(model_x, 90, generator=g), sigma=SIGMA, alpha=alpha
    )
    at_once = smooth.certify(model_x, 7, 90, alpha, generator=runtime.generator(1))
    assert all(torch.equal(a, b) for a, b in zip(by_hand, at_once, strict=True))


@pytest.mark.parametrize("name", ["half-space", "in the ball", "slab"])
def test_certificates_approach_what_exact_probabilities_give(name: str) -> None:
    example, point = EXAMPLES[name]
    x = torch.tensor([point])
    p = example.probability(x, SIGMA)
    exact = smoothing.certified_radius(torch.maximum(p, 1 - p), SIGMA)
    shortfall = [
        float(1 - Smooth(example, SIGMA).certify(x, 100, n, 1e-3, generator=runtime.generator(0)).radius / exact)
        for n in (100, 3_000, 300_000)
    ]
    assert shortfall[0] > shortfall[1] > shortfall[2] and abs(shortfall[2]) < 0.03


def test_predict_names_the_class_of_the_known_classifier_or_abstains() -> None:
    x = torch.tensor([[0.2, 0.0], [0.0, 0.0], [-0.2, 0.0]])
    found = Smooth(HalfSpace(torch.tensor([1.0, 0.0])), SIGMA).predict(x, 2_000, 1e-3, generator=runtime.generator(0))
    assert found.tolist() == [1, smoothing.ABSTAIN, 0]


# Interrupted, soft.


def test_an_interrupted_certification_returns_what_was_finished() -> None:
    x, calls = images(6), 0
    plain = network()

    def model(z: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        if calls > 40:
            raise KeyboardInterrupt
        return plain(z)

    whole = Smooth(plain, SIGMA, budget=160).certify(x, 10, 90, 0.05, generator=runtime.generator(0))
    with pytest.warns(UserWarning, match=r"only the first \d of 6 images are certified"):
        part = Smooth(model, SIGMA, budget=160).certify(x, 10, 90, 0.05, generator=runtime.generator(0))
    finished = len(part.prediction)
    assert 0 < finished < 6
    assert all(torch.equal(a, b[:finished]) for a, b in zip(part, whole, strict=True))
    with pytest.raises(KeyboardInterrupt):
        Smooth(model, SIGMA, budget=160).certify(x, 10, 90, 0.05)


def test_soft_smoothing_is_the_mean_softmax_and_has_its_gradient() -> None:
    """Under a linear map, three classes: the mean of many draws, and its derivative by finite differences."""
    model = network().double()
    x = images(2).double().requires_grad_(True)
    p = Smooth(model, SIGMA).probabilities(x, 50, generator=runtime.generator(0))
    assert torch.allclose(p.sum(1), torch.ones(2).double())
    xi = torch.randn((50, 2, 1, 4, 4), generator=runtime.generator(0), dtype=torch.float64)
    assert torch.allclose(p, torch.stack([model(x + SIGMA * one).softmax(1) for one in xi]).mean(0))
    (g,) = torch.autograd.grad(p[0, 0], x)
    step = torch.zeros_like(x)
    step[0, 0, 1, 2] = 1e-5
    with torch.no_grad():
        ends = [Smooth(model, SIGMA).probabilities(x + s * step, 50, generator=runtime.generator(0)) for s in (1, -1)]
    assert float(g[0, 0, 1, 2]) == pytest.approx(float((ends[0] - ends[1])[0, 0] / 2e-5), rel=1e-5)


# Bad input.

FLAT = Smooth(nn.Sequential(nn.Flatten(), nn.Linear(16, 1)), SIGMA)
GOOD = Smooth(network(), SIGMA)


def soft(x: Tensor) -> Tensor:
    return network()(x).softmax(1)


def wider_when_many(x: Tensor) -> Tensor:
    return torch.zeros(len(x), 3 if len(x) == 1 else 4)


def nan_when_noisy(x: Tensor) -> Tensor:
    return torch.where((x > 1.5).any(3).any(2).any(1)[:, None], math.nan, torch.ones(len(x), 3))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Smooth(network(), 0.0), "sigma must be a positive number, got 0.0"),
        (lambda: Smooth(network(), -1.0), "sigma must be a positive number, got -1.0"),
        (lambda: Smooth(network(), 1.0, budget=0), "budget must be an integer of at least 1, got 0"),
        (lambda: GOOD.votes(images(2), 0), "n must be an integer of at least 1, got 0"),
        (lambda: GOOD.certify(images(2), 0, 10, 0.05), "n0 must be an integer of at least 1, got 0"),
        (lambda: GOOD.certify(images(2), 10, 0, 0.05), "n must be an integer of at least 1, got 0"),
        (lambda: GOOD.certify(images(2), 10, 10, 0.0), r"alpha must lie in \(0, 1\), got 0.0"),
        (lambda: GOOD.predict(images(2), 10, 1.0), r"alpha must lie in \(0, 1\), got 1.0"),
        (lambda: FLAT.votes(images(2), 10), r"logits \(N, K\), K >= 2, got \(1, 1\)"),
        (lambda: GOOD.votes(images(2) * math.nan, 10), "x must be finite, got 32 NaN"),
        (lambda: GOOD.votes(images(0), 10), "x must be a non-empty floating batch"),
        (lambda: GOOD.certify(images(0), 10, 10, 0.05), "x must be a non-empty floating batch"),
        (lambda: GOOD.votes(images(2).long(), 10), "x must be a non-empty floating batch"),
        (lambda: GOOD.votes(images(2).half(), 10), "half precision proves nothing.*, got .* of torch.float16"),
        (lambda: Smooth(lambda x: torch.eye(3)[:1], 1.0).votes(images(2), 10), r"one row for each, got \(1, 3\)"),
        (lambda: Smooth(wider_when_many, 1.0).votes(images(2), 10), r"logits \(20, 3\) for 20 copies.*got \(20, 4\)"),
        (lambda: Smooth(soft, 1.0).probabilities(images(2), 10), "returns probabilities"),
        (lambda: pgd_smoothed(soft, images(2), torch.zeros(2).long(), sigma=1.0, eps=1.0), "returns probabilities"),
        (lambda: GOOD.votes(images(2), True), "n must be an integer of at least 1, got True"),
        (lambda: GOOD.votes(images(2).to("meta"), 10), "x must live where the model does, cpu, got meta"),
        (lambda: Smooth(lambda x: torch.full((len(x), 3), math.nan), 1.0).votes(images(2), 10), "NaN for the first"),
        (lambda: Smooth(nan_when_noisy, 1.0).votes(images(2), 100), "NaN for a noisy copy"),
        (lambda: GOOD.probabilities(images(2), 0), "copies must be an integer of at least 1, got 0"),
        (lambda: pgd_smoothed(network(), images(2) + 1, torch.zeros(2).long(), sigma=1.0, eps=1.0), r"in \[0, 1\]"),
        (lambda: pgd_smoothed(network(), images(2), torch.zeros(2).long(), sigma=0.0, eps=1.0), "sigma must be a pos"),
        (lambda: pgd_smoothed(network(), images(2), torch.zeros(2).long(), sigma=1.0, eps=-1.0), "eps must be finite"),
        (lambda: allowed_failures(0, 0.1), "trials must be an integer of at least 1, got 0"),
    ],
)
def test_bad_input_is_named(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_images_on_another_device_than_the_model_are_refused() -> None:
    model = network().to("meta")
    with pytest.raises(ValueError, match="x must live where the model does, meta, got cpu"):
        Smooth(model, SIGMA).votes(images(2), 10)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_votes_and_attack_on_the_gpu() -> None:
    model, x = models.lenet().cuda(), torch.rand(3, 1, 28, 28, device="cuda")
    g = runtime.generator(0, torch.device("cuda"))
    votes = Smooth(model, SIGMA).votes(x, 1_000, generator=g)
    assert votes.is_cuda and votes.sum(1).tolist() == [1_000] * 3
    assert pgd_smoothed(model, x, votes.argmax(1), sigma=SIGMA, eps=0.5, steps=3, generator=g).is_cuda
    with pytest.raises(ValueError, match="generator must live where x does"):
        Smooth(model, SIGMA).votes(x, 10, generator=runtime.generator(0, "cpu"))
