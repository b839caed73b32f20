"""The mutants themselves: which edits are made, and that one replaces the original wherever it was imported."""

import torch
from torch import Tensor

from tools.edits import mutants


def toy(x: Tensor, low: float = 0.0) -> Tensor:
    """Positive part of the mean."""
    if x.ndim < 1:
        raise ValueError("x must have an axis")
    total = x.sum(-1) / len(x)
    return total.clamp(min=low)


EDITS = {mutant.edit: mutant.function for mutant in mutants(toy)}


def test_the_edits_are_those_that_one_expects() -> None:
    for edit in (
        "x.sum(-1) / len(x) -> x.sum(-1) * len(x)",
        "x.sum(-1) / len(x) -> x.sum(-1)",
        "x.sum(-1) -> x.mean(-1)",
        "x.sum(-1) -> x.sum()",
        "1 -> -1 in total = x.sum(-1) / len(x)",
        "total.clamp(min=low) -> total",
        "total.clamp(min=low) -> total.clamp()",
        "0.0 -> 0.1 in def toy(x, low=0.0):",
        "single precision inside",
    ):
        assert edit in EDITS, sorted(EDITS)


def test_each_does_what_it_says() -> None:
    x = torch.tensor([3.0, 1.0])
    assert EDITS["x.sum(-1) / len(x) -> x.sum(-1) * len(x)"](x) == 8
    assert EDITS["total.clamp(min=low) -> total"](-x) == -2 and toy(-x) == 0
    assert EDITS["single precision inside"](x.double() / 3).dtype == torch.float64


def test_guards_are_mutated_only_when_asked() -> None:
    guarded = {mutant.edit for mutant in mutants(toy, guards=True)}
    assert "x.ndim < 1 -> x.ndim <= 1" in guarded - set(EDITS)
