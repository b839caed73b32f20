"""Filters that hide a gradient and the attack through them; patches; the detector of a patch and who slips past it."""

from functools import partial

import pytest
import torch
from torch import Tensor, nn

from helpers import attacks, checkpoints, data, models, physical, runtime
from helpers.physical import defence

Digits = tuple[nn.Module, Tensor, Tensor]


@pytest.fixture(scope="module")
def digits() -> Digits:
    net, mnist = checkpoints.load("mnist_cnn"), data.load("mnist")
    device = next(net.parameters()).device
    return net, mnist.x_test[:30].to(device), mnist.y_test[:30].to(device)


@pytest.mark.parametrize("name", list(physical.FILTERS))
def test_straight_through_a_filter(name: str) -> None:
    f, x = physical.FILTERS[name], torch.rand(2, 1, 12, 12, requires_grad=True)
    y, weights = physical.straight_through(f, x), torch.rand(2, 1, 12, 12)
    assert torch.equal(y, f(x))
    assert torch.equal(torch.autograd.grad((weights * y).sum(), x)[0], weights)


def test_jpeg_hides_the_gradient_and_bpda_finds_it(digits: Digits) -> None:
    net, x, y = digits
    found = physical.against_filters(net, x, y, eps=0.2, steps=15, generator=runtime.generator(0))
    assert list(found) == list(physical.FILTERS) and all(row["clean"].rate < 0.1 for row in found.values())
    jpeg, blur = found["JPEG"], found["blur"]
    assert jpeg["through"].rate < 0.2 and jpeg["BPDA"].rate > 0.9
    assert blur["through"].rate > 0.9  # it has a gradient of its own
    with torch.no_grad():
        seen = physical.defended(net, physical.FILTERS["JPEG"])(x).argmax(1)
    assert (seen != y).float().mean() == jpeg["clean"].rate


def test_a_patch_changes_nothing_beside_it(digits: Digits) -> None:
    net, x, y = digits
    mask = physical.square_masks((28, 28), 8, 10)[3].to(x)
    z = physical.patch_attack(net, x, y, mask=mask, steps=10, generator=runtime.generator(0))
    assert torch.equal(z * (1 - mask), x * (1 - mask)) and z.min() >= 0 and z.max() <= 1
    again = physical.patch_attack(net, x, y, mask=mask, steps=10, generator=runtime.generator(0))
    assert torch.equal(z, again)
    noise = torch.rand(x.shape, generator=runtime.generator(1)).to(x)
    with torch.no_grad():
        before = attacks.margin(net(physical.apply_patch(x, noise, mask[None])), y)
        assert attacks.margin(net(z), y).mean() < before.mean() - 3


def test_the_mask_of_nothing_gives_the_picture(digits: Digits) -> None:
    net, x, y = digits
    assert torch.equal(physical.patch_attack(net, x, y, mask=torch.zeros(1, 28, 28).to(x), steps=2), x)


def test_squares_are_all_of_them() -> None:
    masks = physical.square_masks((7, 9), 3, 2)
    assert masks.shape == (3 * 4, 1, 7, 9) and masks.sum((1, 2, 3)).eq(9).all() and masks.unique(dim=0).shape[0] == 12
    assert physical.square_masks((5, 5), 5, 1).eq(1).all()
    with pytest.raises(ValueError, match="side must be at most 5, the picture's, got 6"):
        physical.square_masks((5, 8), 6, 1)


def test_who_is_left_after_all_places(digits: Digits) -> None:
    net, x, y = digits
    masks = physical.square_masks((28, 28), 9, 9)
    left = physical.left_by_patches(net, x, y, masks, steps=5, generator=runtime.generator(0))
    first = physical.left_by_patches(net, x, y, masks[:1], steps=5, generator=runtime.generator(0))
    assert left.dtype == torch.bool and left.sum() < first.sum() <= len(x)


def test_a_few_steps_of_training_against_patches(digits: Digits) -> None:
    _, x, y = digits
    torch.manual_seed(0)
    net = models.lenet().to(x.device)
    options = {"side": 7, "steps": 12, "inner": 2, "generator": runtime.generator(0, "cpu"), "progress": False}
    history = physical.train_against_patches(net, x, y, **options)
    assert len(history.loss) == 12 and history.loss[-1] < history.loss[0]


def test_the_stored_network_withstands_what_the_ordinary_one_does_not(digits: Digits) -> None:
    """On its card 200 digits at 64 places; here 60 at 16: fewer places, so more are left than there."""
    verdict, mnist = checkpoints.card("mnist_patch")["verdict"], data.load("mnist")
    assert verdict["left"] > 0.3 * verdict["images"] and verdict["patch"] == [7, 7]
    net = checkpoints.load("mnist_patch")
    x, y = (part[:60].to(next(net.parameters()).device) for part in (mnist.x_test, mnist.y_test))
    masks, options = physical.square_masks((28, 28), 7, 7), {"steps": 20, "generator": runtime.generator(0)}
    left, of_other = (physical.left_by_patches(n, x, y, masks, **options).double().mean() for n in (net, digits[0]))
    low = verdict["interval"][0]
    assert left > low - 0.05 and of_other < 0.15


def test_the_busiest_window_is_where_the_noise_is() -> None:
    x = torch.rand(2, 3, 20, 24, generator=runtime.generator(0)) / 20
    noise = torch.rand(2, 3, 6, 6, generator=runtime.generator(1)).to(x)
    x[:, :, 9:15, 13:19] = noise
    most, mask = physical.busiest(x, 6)
    window = physical.variation(x, 6)
    by_hand = physical.total_variation(x[0, :, :, :])
    assert window.shape == (2, 15, 19) and most[0] == window[0].max()
    assert (mask * 1.0)[:, 0, 8:16, 12:20].sum() == mask.sum() == 72 and by_hand > 0
    covered = physical.covered(x, 6, 0.5)
    assert (covered[:, :, 10:14, 14:18] == 0.5).all() and torch.equal(covered[..., :8, :], x[..., :8, :])
    assert torch.equal(physical.covered(x, 6, 100.0), x)
    assert physical.unnoticed(6, 100.0)(x).eq(0).all() and (physical.unnoticed(6, 0.1)(x) > 0).all()


def test_variation_is_total_variation_over_the_window() -> None:
    """Of the whole picture as one window."""
    x = torch.rand(3, 2, 8, 8, dtype=torch.float64)
    torch.testing.assert_close(physical.variation(x, 8)[:, 0, 0] * 64, physical.total_variation(x))


def test_the_attacker_who_knows_the_detector(digits: Digits) -> None:
    """From the picture itself, kept below the limit: never noticed, and some digits fall."""
    net, x, y = digits
    limit = float(physical.busiest(x, 9)[0].max())
    mask = physical.square_masks((28, 28), 9, 9)[4].to(x)
    options = {"mask": mask, "steps": 30, "generator": runtime.generator(0)}
    loud = physical.patch_attack(net, x, y, **options)
    quiet = physical.patch_attack(net, x, y, **options, start=x, penalty=physical.unnoticed(9, limit))
    with torch.no_grad():
        fell = net(quiet).argmax(1) != y
    heard = [physical.busiest(z, 9)[0] > limit + 1e-5 for z in (loud, quiet)]
    assert heard[0].float().mean() > 0.3 and not (heard[1] & fell).any() and fell.any()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda n, x, y: physical.patch_attack(n, x, y, mask=torch.ones(1, 9, 9), steps=1),
            r"mask must be zeros and ones",
        ),
        (lambda n, x, y: physical.patch_attack(n, x, y, mask=torch.ones(1, 28, 28) / 2, steps=1), "mask must be zeros"),
        (lambda n, x, y: physical.patch_attack(n, x, y, mask=torch.ones(1, 28, 28), steps=0), "steps must be"),
        (lambda n, x, y: physical.patch_attack(n, x, y, mask=torch.ones(1, 28, 28), steps=1, step=0), "step must be"),
        (lambda n, x, y: physical.busiest(x, 29), "side must be at most 28"),
        (lambda n, x, y: physical.busiest(x + 1, 5), "x must lie in"),
        (lambda n, x, y: physical.covered(x, 5, -1), "limit must be at least 0"),
        (lambda n, x, y: physical.unnoticed(5, 0.1, weight=0), "weight must be a positive"),
    ],
)
def test_bad_input_is_named(digits: Digits, call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(*digits)  # type: ignore[operator]


def test_a_filter_is_a_function_of_pictures() -> None:
    x = torch.rand(2, 3, 9, 8)
    for f in defence.FILTERS.values():
        y = partial(f)(x)
        assert y.shape == x.shape and y.min() >= 0 and y.max() <= 1
