"""The U-Net: one picture's noise is its own affair, times and labels matter, what does not fit is refused."""

import math

import pytest
import torch
from torch import Tensor, nn

from helpers import diffusion, runtime
from helpers.diffusion.network import Attention, Block, UNet

close = torch.testing.assert_close


def inputs(n: int = 5) -> tuple[Tensor, Tensor, Tensor]:
    g = runtime.generator(0, "cpu")
    return torch.randn(n, 1, 28, 28, generator=g), torch.randint(1, 1001, (n,), generator=g), torch.arange(n) % 11


@pytest.fixture(scope="module")
def model() -> UNet:
    runtime.seed(0)
    return UNet(16).to(runtime.device()).eval()


def test_time_features_are_sines_of_falling_frequency() -> None:
    t = torch.tensor([1, 500, 1000])
    found = diffusion.time_features(t, 6)
    for row, time in zip(found, t.tolist(), strict=True):
        w = [1.0, 10_000 ** (-1 / 3), 10_000 ** (-2 / 3)]
        close(row, torch.tensor([math.sin(time * v) for v in w] + [math.cos(time * v) for v in w]), atol=1e-4, rtol=0)
    every = diffusion.time_features(torch.arange(1, 1001), 64)
    assert (torch.cdist(every, every) + 9 * torch.eye(1000)).min() > 0.1  # no two times look alike
    for bad, size in ((t, 5), (t, 0), (t[None], 6)):
        with pytest.raises(ValueError, match="size must be even|t must be one time"):
            diffusion.time_features(bad, size)


def test_a_block_is_its_equation_by_loops_over_groups() -> None:
    block, x, e = Block(16, 24, 7), torch.randn(2, 16, 5, 6), torch.randn(2, 7)

    def norm(z: Tensor, layer: nn.GroupNorm) -> Tensor:
        groups = z.unflatten(1, (8, -1)).flatten(2)
        unit = (groups - groups.mean(2, keepdim=True)) / (groups.var(2, keepdim=True, correction=0) + 1e-5).sqrt()
        return unit.view_as(z) * layer.weight[:, None, None] + layer.bias[:, None, None]

    a, b = (e @ block.affine.weight.T + block.affine.bias).view(2, 2, 24).transpose(0, 1)[..., None, None]
    h = norm(x, block.norm1)
    h = block.conv1(h * h.sigmoid())
    h = norm(h, block.norm2) * (1 + a) + b
    close(block(x, e), block.shortcut(x) + block.conv2(h * h.sigmoid()), atol=2e-5, rtol=1e-4)


def test_attention_is_a_soft_max_over_places() -> None:
    layer, x = Attention(16, heads=2), torch.randn(3, 16, 4, 5)
    q, k, v = layer.qkv(layer.norm(x)).flatten(2).chunk(3, 1)  # (N, 16, places), heads are blocks of 8 channels
    heads = []
    for part in (slice(0, 8), slice(8, 16)):
        w = (q[:, part].mT @ k[:, part] / math.sqrt(8)).softmax(-1)
        heads.append(v[:, part] @ w.mT)
    close(layer(x), x + layer.out(torch.cat(heads, 1).view_as(x)), atol=1e-5, rtol=1e-4)


def test_the_noise_of_a_picture_does_not_depend_on_its_batch(model: UNet) -> None:
    x, t, y = inputs()
    with torch.no_grad():
        alone = torch.cat([model(x[i : i + 1], t[i : i + 1], y[i : i + 1]) for i in range(len(x))])
        together = model(x, t, y)
    assert together.shape == x.shape
    close(alone, together, atol=1e-4, rtol=1e-4)


def test_time_and_label_change_the_noise_and_no_label_is_the_null_label(model: UNet) -> None:
    x, t, y = inputs()
    with torch.no_grad():
        noise = model(x, t, y)
        assert ((noise - model(x, t % 1000 + 1, y)).abs().amax((1, 2, 3)) > 1e-4).all()
        assert ((noise - model(x, t, (y + 1) % 11)).abs().amax((1, 2, 3)) > 1e-4).all()
        close(model(x, t), model(x, t, torch.full_like(y, model.null)), atol=0, rtol=0)
    assert model.null == 10


def test_every_weight_is_used_and_every_pixel_sees_every_other(model: UNet) -> None:
    x, t, y = inputs(11)
    x.requires_grad_()
    noise = model(x, t, y)
    noise.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in model.parameters())
    (slope,) = torch.autograd.grad(model(x, t, y)[0, 0, 3, 3], x)
    assert (slope[0].abs() > 0).all() and (slope[1:] == 0).all()
    model.zero_grad()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x_t": torch.zeros(5, 28, 28)}, r"x_t must be pictures \(N, 1, 28, 28\)"),
        ({"x_t": torch.zeros(5, 3, 28, 28)}, "x_t must be pictures"),
        ({"x_t": torch.zeros(5, 1, 32, 32)}, "x_t must be pictures"),
        ({"x_t": torch.zeros(5, 1, 28, 28, dtype=torch.uint8)}, "x_t must be pictures"),
        ({"t": torch.zeros(5, dtype=torch.int64)}, "t must lie in 1 ... 1000"),
        ({"t": torch.full((5,), 1001)}, "t must lie in 1 ... 1000"),
        ({"t": torch.tensor(3)}, "t must be 5 integers"),
        ({"t": torch.ones(5)}, "t must be 5 integers"),
        ({"t": torch.ones(1, dtype=torch.int64)}, "t must be 5 integers"),
        ({"y": torch.full((5,), 11)}, "y must lie in 0 ... 10"),
        ({"y": torch.full((5,), -1)}, "y must lie in 0 ... 10"),
        ({"y": torch.zeros(5)}, "y must be 5 integers"),
        ({"y": torch.zeros(4, dtype=torch.int64)}, "y must be 5 integers"),
    ],
)
def test_what_does_not_fit_is_refused(model: UNet, change: dict[str, Tensor], message: str) -> None:
    x, t, y = inputs()
    with pytest.raises(ValueError, match=message):
        model(**{"x_t": x, "t": t, "y": y, **change})


def test_the_average_is_its_sum() -> None:
    model, g = nn.Linear(2, 1), runtime.generator(0, "cpu")
    average, rows = diffusion.Average(model, 0.5), [model.weight.detach().clone()]
    for _ in range(20):
        model.weight.data = torch.randn(1, 2, generator=g)
        rows.append(model.weight.detach().clone())
        average.update(model)
    expected = rows[0]
    for k, row in enumerate(rows[1:]):
        d = min(0.5, (1 + k) / (10 + k))
        expected = d * expected + (1 - d) * row
    now = model.weight.detach().clone()
    average.store(model)
    close(model.weight.detach(), expected)
    assert not torch.equal(model.weight, now)
    for decay in (-0.1, 1.0, math.nan):
        with pytest.raises(ValueError, match=r"decay must lie in \[0, 1\)"):
            diffusion.Average(model, decay)


def test_the_noisy_classifier_sees_picture_and_time() -> None:
    runtime.seed(0)
    classifier, (x, t, y) = diffusion.NoisyClassifier().to(runtime.device()), inputs()
    logits = classifier(x, t)
    assert logits.shape == (5, 10) and ((logits - classifier(x, t % 1000 + 1)).abs().amax(1) > 1e-5).all()
    log_p = diffusion.log_probability(classifier, y)(x, t)
    close(log_p, torch.stack([row.log_softmax(0)[k] for row, k in zip(logits, y, strict=True)]))
