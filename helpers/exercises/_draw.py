"""Fresh random inputs for the checks."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor

T = TypeVar("T")


class Turns:
    """The choices of a check's draws, gone through in turn: no option is left to chance.

    The k-th choice of a case starts at a random option and moves on by one from case to case.
    """

    def __init__(self) -> None:
        self.turn, self.most = -1, 1  # cases begun but one; the longest list of options so far
        self._starts: list[int] = []
        self._place = 0

    def next_case(self) -> None:
        """A case begins."""
        self.turn, self._place = self.turn + 1, 0

    def pick(self, options: Sequence[T]) -> T:
        """The option whose turn it is."""
        self.most = max(self.most, len(options))
        if self._place == len(self._starts):
            self._starts.append(secrets.randbelow(2**30))
        start = self._starts[self._place]
        self._place += 1
        return options[(start + self.turn) % len(options)]


class Draw:
    """A source of random inputs, seeded by the operating system; the global generators stay as they are.

    Tensors come out on `device` with dtype `dtype`. With the same `seed` (shown as `.seed`) the same inputs come again,
    but for `choice`, which goes through its options in turn over the cases of one check.
    """

    def __init__(
        self,
        device: str | torch.device = "cpu",
        seed: int | None = None,
        dtype: torch.dtype = torch.float32,
        turns: Turns | None = None,
    ):
        self.device = torch.device(device)
        self.dtype = dtype
        self.seed = secrets.randbits(62) if seed is None else seed
        self._generator = torch.Generator().manual_seed(self.seed)
        self._turns = Turns() if turns is None else turns

    def normal(self, *shape: int, mean: float = 0.0, std: float = 1.0) -> Tensor:
        """Entries N(mean, std^2); shape `shape`."""
        return self._out(mean + std * torch.randn(shape, generator=self._generator, dtype=torch.float64))

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        """Entries uniform in [low, high); shape `shape`."""
        return self._out(low + (high - low) * torch.rand(shape, generator=self._generator, dtype=torch.float64))

    def integers(self, low: int, high: int, *shape: int) -> Tensor:
        """Entries uniform in {low, ..., high - 1}, int64; shape `shape`."""
        return torch.randint(low, high, shape, generator=self._generator).to(self.device)

    def signs(self, *shape: int) -> Tensor:
        """Entries -1 or +1 with equal chances, of the floating dtype; shape `shape`."""
        return self._out(2.0 * torch.randint(0, 2, shape, generator=self._generator).double() - 1)

    def probabilities(self, *shape: int) -> Tensor:
        """Distributions over the last axis, uniform on the simplex: positive, of sum 1; shape `shape`."""
        raw = -torch.rand(shape, generator=self._generator, dtype=torch.float64).clamp_min(1e-12).log()
        return self._out(raw / raw.sum(-1, keepdim=True))

    def number(self, low: float = 0.0, high: float = 1.0) -> float:
        """A Python float uniform in [low, high)."""
        return low + (high - low) * torch.rand((), generator=self._generator, dtype=torch.float64).item()

    def integer(self, low: int, high: int) -> int:
        """A Python int uniform in {low, ..., high - 1}."""
        return int(torch.randint(low, high, (), generator=self._generator).item())

    def choice(self, options: Sequence[T]) -> T:
        """One of the options: each in its turn, case after case (a check has at least as many cases as options)."""
        return self._turns.pick(options)

    def generator(self) -> torch.Generator:
        """A seeded generator on the device; every function that is given it sees it in the same state."""
        return torch.Generator(self.device).manual_seed(self.integer(0, 2**62))

    def _out(self, x: Tensor) -> Tensor:
        return x.to(device=self.device, dtype=self.dtype)
