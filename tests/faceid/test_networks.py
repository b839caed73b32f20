"""The networks, and how their weights are put in order: against the layers that they replace, written out."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from helpers.faceid import networks as N, recipes


def numbers(shape: tuple[int, ...], seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) / 8


def test_parameters_are_as_many_as_the_papers() -> None:
    counted = [sum(p.numel() for p in net().parameters()) for net in (N.pnet, N.rnet, N.onet, N.FaceResNet)]
    assert counted == [6_599, 100_049, 388_783, 5_607_488]


def test_a_converted_network_is_the_one_it_comes_from() -> None:
    """The output network with its three heads, a soft-max of two and Caffe's order of axes, on random weights."""
    sizes = {"conv1": (32, 3, 3, 3), "conv2": (64, 32, 3, 3), "conv3": (64, 64, 3, 3), "conv4": (128, 64, 2, 2)}
    sizes |= {"dense5": (256, 1152), "dense6_1": (2, 256), "dense6_2": (4, 256), "dense6_3": (10, 256)}
    state = {}
    for k, (name, shape) in enumerate(sizes.items()):
        state |= {f"{name}.weight": numbers(shape, k), f"{name}.bias": numbers(shape[:1], k + 50)}
        if "_" not in name:
            state[f"prelu{name[-1]}.weight"] = numbers(shape[:1], k + 90)
    onet = N.onet()
    for parameter, value in zip(onet.parameters(), recipes.stage_weights(state), strict=True):
        parameter.data.copy_(value)

    def layer(u: Tensor, name: str) -> Tensor:
        u = F.conv2d(u, state[f"{name}.weight"], state[f"{name}.bias"])
        return F.prelu(u, state[f"prelu{name[-1]}.weight"])

    x = torch.rand(5, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    u = layer((255 * x - 127.5) / 128, "conv1")
    u = layer(F.max_pool2d(u, 3, 2, ceil_mode=True), "conv2")
    u = layer(F.max_pool2d(u, 3, 2, ceil_mode=True), "conv3")
    u = layer(F.max_pool2d(u, 2, 2, ceil_mode=True), "conv4").permute(0, 3, 2, 1).flatten(1)
    u = F.prelu(F.linear(u, state["dense5.weight"], state["dense5.bias"]), state["prelu5.weight"])
    face, shift, marks = (F.linear(u, state[f"dense6_{k}.weight"], state[f"dense6_{k}.bias"]) for k in (1, 2, 3))
    expected = torch.cat([shift, torch.stack([marks[:, :5], marks[:, 5:]], 2).flatten(1)], 1)
    with torch.no_grad():
        out = onet(x)
    torch.testing.assert_close(out[:, 1:], expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(out[:, 0].sigmoid(), face.softmax(1)[:, 1], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("size", [35, 17, 8, 4])
def test_a_halving_block_fills_up_with_zeros(size: int) -> None:
    x = numbers((2, 4, size, size), 0)
    block = N.Block(4, 6, True).to(x.device)
    torch.nn.init.zeros_(block.second.weight)
    torch.nn.init.zeros_(block.second.bias)
    out = block(x)
    assert out.shape == (2, 6, size // 2, size // 2)
    torch.testing.assert_close(out[:, :4], F.relu(F.avg_pool2d(x, 2)))
    assert (out[:, 4:] == 0).all()


def test_parts_are_the_whole() -> None:
    x = torch.rand(130, 3, 24, 24)
    net = N.rnet().to(x.device)
    torch.testing.assert_close(N.in_parts(net, x), net(x))
    assert N.in_parts(net, x[:0]).shape == (0, 5)


def test_missing_originals_are_named(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("COURSE_WEIGHTS", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"pnet.pt is missing: set .*COURSE_WEIGHTS .* facenet-pytorch 2.6.0"):
        recipes.originals("mtcnn")


def test_bytes_become_numbers(tmp_path) -> None:
    (tmp_path / "w.json").write_text(
        '[{"weights": [{"name": "a", "shape": [2, 2], "quantization": {"dtype": "uint8", "scale": 0.5, "min": -1}}, '
        '{"name": "b", "shape": [1]}]}]'
    )
    (tmp_path / "w.bin").write_bytes(bytes([0, 1, 2, 255]) + torch.tensor([3.5]).numpy().tobytes())
    found = recipes.dequantised(tmp_path / "w.bin", tmp_path / "w.json")
    assert found["a"].tolist() == [[-1, -0.5], [0, 126.5]] and found["b"].tolist() == [3.5]
