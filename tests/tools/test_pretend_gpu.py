"""The pretended GPU says what a GPU says, refuses what a GPU refuses, and leaves no trace."""

import copy
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from tools import notebooks, pretend_gpu


@pytest.fixture(autouse=True)
def gpu() -> Any:
    with pretend_gpu.on() as device:
        yield device


def on_gpu(x: torch.Tensor) -> bool:
    return x.device == torch.device("cuda:0") and x.is_cuda and not x.is_cpu


def ones() -> torch.Tensor:
    return torch.ones(4, 3, device="cuda")


@pytest.mark.parametrize(
    "make",
    [
        lambda: ones(),
        lambda: torch.tensor([1.0, 2.0]).to("cuda"),
        lambda: torch.tensor([1, 2]).cuda(),
        lambda: torch.ones(3).to(torch.device("cuda"), torch.float64),
        lambda: torch.ones(3).to(ones()),
        lambda: torch.randn(3, generator=torch.Generator("cuda"), device="cuda"),
        lambda: ones() @ ones().T + 1,
        lambda: ones() + torch.tensor(2.0),  # a CPU tensor without dimensions may be mixed in
        lambda: ones()[torch.tensor([0, 1])],  # a CPU tensor may be an index
        lambda: ones().new_zeros(2),
        lambda: torch.zeros_like(ones()),
        lambda: ones().double().sum(0),
        lambda: nn.Linear(3, 2).to("cuda")(ones()),
        lambda: nn.Linear(3, 2).cuda().weight,
        lambda: copy.deepcopy(nn.Linear(3, 2).cuda()).weight,
        lambda: torch.func.vmap(lambda row: row.sum())(ones()),
        lambda: torch.func.grad(lambda x: x.square().sum())(ones()),
        lambda: torch.func.jvp(torch.sin, (ones(),), (ones(),))[1],
        lambda: torch.func.vjp(torch.sin, ones())[1](ones())[0],
    ],
)
def test_what_lives_on_the_gpu(make: Callable[[], torch.Tensor]) -> None:
    assert on_gpu(make())


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.ones(3),
        lambda: ones().cpu(),
        lambda: ones().to("cpu"),
        lambda: ones().to("cpu", torch.float64),
        lambda: torch.zeros_like(ones(), device="cpu"),
        lambda: torch.zeros(4, 3).copy_(ones()),
    ],
)
def test_what_lives_on_the_cpu(make: Callable[[], torch.Tensor]) -> None:
    assert not make().is_cuda and make().numpy() is not None


@pytest.mark.parametrize(
    ("work", "message"),
    [
        (lambda: ones() + torch.ones(3), "found at least two devices, cuda:0 and cpu"),
        (lambda: torch.cat([ones(), torch.ones(1, 3)]), "two devices"),
        (lambda: nn.Linear(3, 2)(ones()), "two devices"),
        (lambda: torch.ones(4, 3)[ones().argmax(0)], "indices should be either on cpu"),
        (lambda: ones().numpy(), "can't convert cuda:0 device type tensor to numpy"),
        (lambda: torch.rand(3, device="cuda", generator=torch.Generator()), "Expected a 'cuda' device type"),
        (lambda: torch.rand(3, generator=torch.Generator("cuda")), "Expected a 'cpu' device type"),
    ],
)
def test_what_a_gpu_refuses(work: Callable[[], Any], message: str) -> None:
    with pytest.raises((RuntimeError, TypeError), match=message) as caught:
        work()
    assert pretend_gpu.refused(caught.value)


def test_a_network_trains() -> None:
    model = nn.Linear(3, 1).to("cuda")
    optimizer, before = torch.optim.Adam(model.parameters(), 0.1), model.weight.detach().clone()
    model(ones()).square().mean().backward()
    optimizer.step()
    assert on_gpu(model.weight.grad) and not torch.equal(model.weight, before)
    for leaf in (torch.ones(3, device="cuda", requires_grad=True), ones().new_tensor([1.0] * 3, requires_grad=True)):
        leaf.square().sum().backward()
        assert leaf.is_leaf and on_gpu(leaf) and leaf.grad.tolist() == [2.0] * 3


def test_it_reaches_other_threads_and_ends_with_the_block() -> None:
    seen = []
    thread = threading.Thread(target=lambda: seen.append(on_gpu(ones())))
    thread.start()
    thread.join()
    assert seen == [True] and torch.cuda.is_available() and f"{ones().sum():.1f}" == "12.0"
    program = (
        "import torch; from tools import pretend_gpu\n"
        "before = torch.Generator, torch.func.vmap, torch.cuda.is_available()\n"
        "with pretend_gpu.on(): pass\n"
        "assert before == (torch.Generator, torch.func.vmap, torch.cuda.is_available()) and not torch.ones(2).is_cuda"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=notebooks.ROOT)
