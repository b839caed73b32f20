"""What every test runs under: one thread for torch, and no network but loopback."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent / "offline"))
import network  # noqa: E402

torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def offline() -> Iterator[None]:
    """No test reaches the network; a server on loopback can be reached."""
    network.block()
    yield
    network.unblock()


def pytest_addoption(parser: pytest.Parser) -> None:
    """--gpu: the tests once more, on a pretended GPU."""
    parser.addoption("--gpu", action="store_true", help="on a pretended GPU: what a test makes lives there")


@pytest.fixture(autouse=True)
def gpu(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """With --gpu: tensors and generators that tests make without naming a device live on the pretended GPU."""
    if not request.config.getoption("--gpu"):
        yield
        return
    from helpers import runtime
    from tools import pretend_gpu

    on_cpu = runtime.generator
    monkeypatch.setattr(runtime, "generator", lambda number=0, device=None: on_cpu(number, pretend_gpu.GPU))
    with pretend_gpu.on(home=str(Path(__file__).parent)):
        yield
