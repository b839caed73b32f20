"""What an exercise is: its reference, its checks, its mistakes, its hints."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from helpers.exercises._draw import Draw, Turns
from helpers.exercises._edits import Function, edited

Edits = dict[str, str]
Mistake = tuple[str, Edits] | tuple[str, Edits, Function] | tuple[str, Function]


@dataclass(frozen=True)
class Check:
    """One property of an exercise. `run(subject, draw)` returns when it holds and raises Wrong or Raised when not."""

    property: str
    run: Callable[[Any, Draw], None]
    meaning: str = ""
    times: int = 1
    seconds: float = 5.0
    dtypes: tuple[torch.dtype, ...] = (torch.float32,)  # of the draws, in turn
    refusal: bool = False  # it is about an error that must be raised

    def repeat(self, subject: Any, device: str) -> None:
        """Runs it on fresh cases, dtypes in turn, until every option of every choice has had its turn."""
        turns = Turns()
        while turns.turn + 1 < max(self.times, turns.most, len(self.dtypes)):
            turns.next_case()
            subject.calls.clear()
            dtype = self.dtypes[turns.turn % len(self.dtypes)]
            self.run(subject, Draw(device, dtype=dtype, turns=turns))


@dataclass(frozen=True)
class Exercise:
    """An exercise of a lecture: the function `reference`, to be written by the student under the same name.

    number "7.1"; checks are tried in their order; hints are given one by one; why is shown by solution().
    A mistake is what it usually means and the edit of the reference that makes it,
    `("w goes up the hill: the step is against the gradient.", {"w - eta": "w + eta"})`; a third entry names another
    function of the package to be edited in its place; a whole function may stand for the edits. The first mistake that
    does the same as the student's function is shown. differentiable=True asks in every `same` that gradients flow to
    the floating inputs. given is the flawed function of a "find the flaw" exercise, if the stub shows one. shows are
    the functions that hold a part of what is to be written: solution() prints them under the reference.
    """

    number: str
    reference: Function
    checks: tuple[Check, ...]
    mistakes: tuple[Mistake, ...]
    hints: tuple[str, ...]
    why: str
    minutes: int = 10
    differentiable: bool = False
    given: Function | None = None
    shows: tuple[Function, ...] = ()

    def __post_init__(self) -> None:
        if not re.fullmatch(r"\d+\.\d+", self.number):
            raise ValueError(f"number must read like '7.1', got {self.number!r}")
        for name in ("checks", "mistakes", "hints"):
            if not isinstance(getattr(self, name), tuple):
                raise ValueError(f"{name} of exercise {self.number} must be a tuple, got {getattr(self, name)!r}")

    @cached_property
    def wrong_answers(self) -> tuple[tuple[Function, str], ...]:
        """The mistakes as functions, each with what it usually means. Raises ValueError for an edit that cannot be."""
        return tuple(_wrong_answer(self.reference, *mistake) for mistake in self.mistakes)

    @property
    def name(self) -> str:
        """The name of the function."""
        return self.reference.__name__


def _wrong_answer(
    reference: Function, message: str, change: Edits | Function, within: Function | None = None
) -> tuple[Function, str]:
    return (change if callable(change) else edited(reference, change, within=within)), message
