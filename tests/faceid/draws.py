"""Random inputs of the tests, where the tests' own tensors live: on a pretended GPU with --gpu."""

import torch
from torch import Tensor

from helpers import runtime
from helpers.faceid import collapse


def generator(seed: int = 0) -> torch.Generator:
    return runtime.generator(seed, "cpu")


def random(*shape: int, seed: int = 0) -> Tensor:
    """N(0, 1) in float64."""
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def simplex(K: int, d: int) -> Tensor:
    return collapse.simplex_etf(K, d).to(torch.zeros(1).device)
