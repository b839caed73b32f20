"""What wrong numbers look like beside the right ones: a sign, a factor, a reciprocal, single precision, NaN."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from helpers.exercises._close import agreeing, close, tolerances

# what may have been computed in place of b
INSTEAD: tuple[tuple[Callable[[Tensor], Tensor], str], ...] = (
    (lambda b: 1 - b, "It is 1 minus what is expected."),
    (lambda b: 1 / b, "It is 1 over what is expected."),
    (lambda b: b.square(), "It is the square of what is expected."),
    (lambda b: b.sqrt(), "It is the square root of what is expected."),
    (lambda b: b.exp(), "It is the exponential of what is expected: a logarithm is missing."),
    (lambda b: b.log(), "It is the logarithm of what is expected: an exponential is missing."),
    (lambda b: b.abs(), "The absolute value is right, the sign is lost."),
)
SINGLE = "Right to six digits only: single precision in between (no `dtype=x.dtype`?), or digits are lost."
FLIPPED = "The sign is flipped."


def relation(a: Tensor, b: Tensor, rtol: float | None = None, atol: float | None = None) -> str:
    """What the numbers a look like, where b of the same shape was due; '' if like nothing known."""
    if not b.is_floating_point():
        return ""
    rtol, atol = tolerances(b.dtype, rtol, atol)
    if b.dtype == torch.float64 and close(a, b, max(rtol, 1e-6), atol):
        return SINGLE
    a, b = a.double(), b.double()
    lost = int((a.isnan() & ~b.isnan()).sum())
    if lost:
        return f"NaN in {lost} of {a.numel()} entries."
    if close(-a, b, rtol, atol):
        return FLIPPED
    finite = bool((a.isfinite() & b.isfinite()).all())
    if b.numel() < 3 or not finite or close(b, b.mean().expand_as(b), rtol, atol):
        return ""  # too little to go by
    return _of_many(a, b, rtol, atol)


def _of_many(a: Tensor, b: Tensor, rtol: float, atol: float) -> str:
    """The relation of three numbers and more, not all the same."""
    if (a == a.flatten()[0]).all():
        return f"Every entry is the same, {a.flatten()[0].item() or 0:.4g}."
    for instead, sentence in INSTEAD:
        if close(a, instead(b), rtol, atol):
            return sentence
    wrong = ~agreeing(a, b, rtol, atol)
    factor, offset = ((a * b).sum() / (b * b).sum()).item(), (a - b).mean().item()
    if factor and bool((wrong | (b == 0)).all()) and close(a, factor * b, rtol, atol):
        return f"Every entry is {factor:.4g} times what is expected."
    if bool(wrong.all()) and close(a, b + offset, rtol, atol):
        return f"Every entry is off by the same {offset:.4g}."
    if close(a.flatten().sort().values, b.flatten().sort().values, rtol, atol):
        return "The values are right, their places are not."
    return ""
