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
