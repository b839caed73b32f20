"""Fixtures of the tests of Lecture 1."""

import pytest
import torch


@pytest.fixture(autouse=True)
def single_precision() -> None:
    torch.set_default_dtype(torch.float32)  # whatever a lecture's set-up cell, run in another test, left behind


@pytest.fixture
def g() -> torch.Generator:
    return torch.Generator().manual_seed(0)
