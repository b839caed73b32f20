"""The function under test, and its calls: arguments copied, results recorded, changes of arguments refused."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

import torch
from torch import Tensor

from helpers.exercises._compare import Difference, difference
from helpers.exercises._exercise import Exercise
from helpers.exercises._sandbox import TimeUp
from helpers.exercises._settings import seed_everything
from helpers.exercises._values import clone, is_named_tuple, short

Function = Callable[..., Any]
KEPT_CALLS = 20  # of one check, to find the mistake that explains them


class Wrong(Exception):
    """Raised by a check: what was expected, what came, on which input, and what that usually means (all optional).

    complete=True: that meaning says it all, whatever the property; the check's own is not added to it.
    """

    def __init__(
        self, *, expected: Any = "", got: Any = None, on: Any = None, meaning: str = "", complete: bool = False
    ):
        super().__init__(f"expected {short(expected)}")
        self.expected, self.got, self.on, self.meaning, self.complete = expected, got, on, meaning, complete

    @staticmethod
    def by(found: Difference, on: Any = None, meaning: str = "") -> Wrong:
        """From the difference of two values; `meaning` is what the check says of it, a slip found says more."""
        said = found.meaning if found.complete else meaning or found.meaning
        return Wrong(expected=found.expected, got=found.got, on=on, meaning=said, complete=found.complete)


class Raised(BaseException):
    """The function under test raised `error`; out of reach of a check's own `except Exception`."""

    def __init__(self, error: BaseException):
        super().__init__(repr(error))
        self.error = error


@dataclass(frozen=True)
class Arguments:
    """The arguments of one call."""

    positional: tuple[Any, ...] = ()
    named: dict[str, Any] = field(default_factory=dict)

    @staticmethod
    def of(given: Any) -> Arguments:
        """A plain tuple is positional, a dict named; any other value is the one argument."""
        if isinstance(given, Arguments):
            return given
        if isinstance(given, dict):
            return Arguments((), given)
        return Arguments(given if type(given) is tuple else (given,))

    def bound(self, function: Function) -> dict[str, Any]:
        """The arguments by the names that `function` gives them."""
        try:
            return dict(inspect.signature(function).bind(*self.positional, **self.named).arguments)
        except TypeError:
            return {f"argument {k + 1}": v for k, v in enumerate(self.positional)} | self.named


def args(*positional: Any, **named: Any) -> Arguments:
    """Arguments of a call, positional and named: `args(x, y, eps=0.1)`."""
    return Arguments(positional, named)


@dataclass
class Call:
    """One call of a function: arguments before and after, result or error."""

    before: Arguments
    after: Arguments
    seed: int
    output: Any = None
    error: BaseException | None = None


def clone_arguments(arguments: Arguments, *, graph: bool = False, requires_grad: bool = False) -> Arguments:
    """Arguments of their own memory; with requires_grad=True floating tensors ask for a gradient."""
    memo: dict[int, Any] = {}
    positional = tuple(clone(v, memo, graph=graph) for v in arguments.positional)
    named = {k: clone(v, memo, graph=graph) for k, v in arguments.named.items()}
    if requires_grad:
        for value in (*positional, *named.values()):
            if isinstance(value, Tensor) and value.is_floating_point():
                value.requires_grad_()
    return Arguments(positional, named)


def perform(function: Function, arguments: Arguments, seed: int, *, graph: bool = False) -> Call:
    """Calls function on a copy of the arguments, global generators in a state that depends on `seed` only."""
    given = clone_arguments(arguments, graph=graph)
    call = Call(arguments, given, seed)
    seed_everything(seed)
    try:
        call.output = function(*given.positional, **given.named)
    except TimeUp:
        raise
    except BaseException as error:  # SystemExit and KeyboardInterrupt of the student's are errors as any other
        call.error = error.with_traceback(getattr(error.__traceback__, "tb_next", None))  # this frame holds the call
    return call


class Subject:
    """The function under test, as the checks see it: arguments copied, calls recorded, changes of arguments refused."""

    def __init__(self, function: Function, exercise: Exercise, seed: int):
        self.function, self.exercise, self.seed = function, exercise, seed
        self.calls: list[Call] = []  # the first KEPT_CALLS
        self.latest = Call(Arguments(), Arguments(), seed)

    def call(self, arguments: Arguments, *, graph: bool = False, may_change: bool = False) -> Any:
        """One recorded call. Raises Raised if the function raises, Wrong if it changes one of its arguments."""
        self.seed += 1
        kept = clone_arguments(arguments, graph=graph)
        self.latest = Call(kept, kept, self.seed)  # in case the call never comes back
        call = self.latest = perform(self.function, arguments, self.seed, graph=graph)
        call.before = kept
        if len(self.calls) < KEPT_CALLS:
            self.calls.append(call)
        if call.error:
            raise Raised(call.error)
        changed = None if may_change else changed_argument(call, self.exercise.reference)
        if changed:
            self._refuse_change(*changed)
        return call.output

    def __call__(self, *positional: Any, **named: Any) -> Any:
        """The call that `holds` sees: the kind of the result is held against the reference's."""
        arguments = Arguments(positional, named)
        output = self.call(arguments, graph=True)
        expected = perform(self.exercise.reference, arguments, self.seed, graph=True)
        found = None if expected.error else difference(output, expected.output, kind_only=True)
        if found:
            raise Wrong.by(found)
        return output

    @property
    def __name__(self) -> str:
        return self.exercise.name

    @staticmethod
    def _refuse_change(name: str, before: Any, after: Any) -> NoReturn:
        if isinstance(before, Tensor) and isinstance(after, Tensor) and before.requires_grad != after.requires_grad:
            raise Wrong(
                expected=f"the argument {name} left as it is",
                got=f"requires_grad of {name} switched to {after.requires_grad}",
                meaning=f"Work on a copy: `{name} = {name}.detach().clone().requires_grad_()`.",
                complete=True,
            )
        raise Wrong(
            expected=f"the argument {name} left as it is",
            got=f"{name} changed from {short(before)} to {short(after)}",
            meaning=f"An in-place operation (`+=`, `{name}[k] =`, a method ending in `_`) changes the caller's {name}.",
            complete=True,
        )


def changed_argument(call: Call, reference: Function) -> tuple[str, Any, Any] | None:
    """The first argument that the call changed: its name, its value before and after."""
    before, after = call.before.bound(reference), call.after.bound(reference)
    for name in before:
        if name in after and not unchanged(before[name], after[name]):
            return name, before[name], after[name]
    return None


def unchanged(before: Any, after: Any) -> bool:
    """Whether two copies of an argument are identical to the last bit; generators may advance."""
    if isinstance(before, torch.nn.Module):
        pair = before.state_dict(), after.state_dict()
        return before.training == after.training and unchanged(dict(pair[0]), dict(pair[1]))
    if isinstance(before, Tensor):
        try:
            alike = before.shape == after.shape and before.dtype == after.dtype
            return alike and before.requires_grad == after.requires_grad and bool(_same_bits(before, after).all())
        except RuntimeError:  # inside a transform of torch.func there are no values to compare
            return True
    if isinstance(before, dict):
        return before.keys() == after.keys() and all(unchanged(before[k], after[k]) for k in before)
    if type(before) in (tuple, list) or is_named_tuple(before):
        return len(before) == len(after) and all(map(unchanged, before, after))
    if hasattr(before, "__array_interface__"):
        return unchanged(torch.as_tensor(before), torch.as_tensor(after))
    return True


def _same_bits(a: Tensor, b: Tensor) -> Tensor:
    return (a == b) | ((a != a) & (b != b))
