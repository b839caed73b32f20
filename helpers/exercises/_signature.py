"""Whether a function can be called as the course's own: names, order and defaults of its parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from inspect import Parameter
from typing import Any, NamedTuple

Function = Callable[..., Any]
Parameters = dict[str, Parameter]
STARRED = {Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD}


class Mismatch(NamedTuple):
    """The parameters as they should be, as they are, and what differs."""

    expected: str
    got: str
    meaning: str


def signature_mismatch(function: Function, reference: Function) -> Mismatch | None:
    """What keeps the function from being called as the reference can be; None if nothing does."""
    try:
        own, due = (dict(inspect.signature(f).parameters) for f in (function, reference))
    except (TypeError, ValueError):
        return None
    if {p.kind for p in own.values()} >= STARRED:
        return None
    said = next(_differences(own, due), "")
    return Mismatch(parameters(reference), parameters(function), said) if said else None


def _differences(own: Parameters, due: Parameters) -> Iterator[str]:
    """Each difference in a sentence, the most telling first."""
    missing = [name for name in due if name not in own]
    more = [name for name, p in own.items() if name not in due and p.kind not in STARRED]
    for name in missing:
        place = list(due).index(name)
        found = list(own)[place] if place < len(own) else ""
        if found in more:
            yield f"`{found}` stands where the lecture passes `{name}`: keep the names."
        yield f"`{name}` is missing: the lecture passes it."
    a, b = ([n for n, p in f.items() if p.kind not in (p.KEYWORD_ONLY, *STARRED)] for f in (own, due))
    if a[: len(b)] != b and sorted(a[: len(b)]) == sorted(b):
        yield "The parameters stand in another order."
    for name in b:
        if own[name].kind is Parameter.KEYWORD_ONLY:
            yield f"`{name}` stands behind a `*` and can no longer be passed by its place."
    for name, p in due.items():
        if p.default is not p.empty and own[name].default is p.empty:
            yield f"`{name}` lost its default: `{name}={p.default!r}`."
    for name in more:
        if own[name].default is Parameter.empty:
            yield f"`{name}` is no parameter of the exercise and has no default: the lecture cannot pass it."
    if a[: len(b)] != b:
        yield "The parameters stand in another order."


def parameters(function: Function) -> str:
    """The call in a line, without annotations: 'fgsm(model, x, y, eps=0.1)'."""
    plain = [p.replace(annotation=p.empty) for p in inspect.signature(function).parameters.values()]
    return f"{getattr(function, '__name__', 'f')}{inspect.Signature(plain)}"
