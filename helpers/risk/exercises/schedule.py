"""Exercise 1.6: the cosine schedule with a warm-up."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from helpers import risk
from helpers.exercises import Draw, Exercise, args, holds, require, same

Function = Callable[..., Any]
Arguments = Any  # what args(...) makes


def _whole_wave(f: Function, draw: Draw) -> None:
    half, peak = draw.integer(3, 9), draw.number(0.1, 2.0)
    eta = torch.tensor([f(t, 2 * half, peak) for t in range(2 * half + 1)], dtype=torch.float64)
    for name, t, factor in (("start", 0, 1.0), ("middle", half, 0.5), ("end", 2 * half, 0.0)):
        text = f"step = {t}, steps = {2 * half}, peak = {peak:.4g}"
        require(
            abs(eta[t] - factor * peak) < 1e-6,
            expected=f"{factor * peak:.4g} at the {name}",
            got=eta[t].item(),
            on=text,
        )
    require(((eta + eta.flip(0)) - peak).abs() < 1e-6, expected="eta_t + eta_(T - t) = peak: a cosine", got=eta)


def _whole_schedule(f: Function, draw: Draw) -> None:
    warmup, peak = draw.integer(2, 7), draw.number(0.1, 2.0)
    steps = warmup + draw.integer(5, 11)
    eta = torch.tensor([f(t, steps, peak, warmup) for t in range(steps + 1)], dtype=torch.float64)
    on = f"steps = {steps}, peak = {peak:.4g}, warmup = {warmup}"
    landmarks = (
        ("first step", 0, 1 / warmup),
        ("last step of the warm-up", warmup - 1, 1.0),
        ("step after it", warmup, 1.0),
    )
    for name, t, factor in (*landmarks, ("end", steps, 0.0)):
        where = f"step = {t}, {on}"
        require(
            abs(eta[t] - factor * peak) < 1e-6,
            expected=f"{factor * peak:.4g} at the {name}",
            got=eta[t].item(),
            on=where,
        )
    require(eta[:warmup].diff() > 0, expected="step sizes that grow up to the peak", got=eta, on=on)
    require(eta[warmup:].diff() < 0, expected="step sizes that fall after the warm-up", got=eta, on=on)


def _any_moment(draw: Draw) -> Arguments:
    warmup = draw.integer(1, 500)
    steps = warmup + draw.integer(2, 5000)
    return args(draw.integer(0, steps + 1), steps, draw.number(0.01, 2.0), warmup)


def _wave(share_to_factor: Callable[[float], float]) -> Function:
    """A schedule with the right warm-up and then peak times a factor of the share of the way gone."""

    def schedule(step: int, steps: int, peak: float, warmup: int = 0) -> float:
        if step < warmup:
            return peak * (step + 1) / warmup
        return peak * share_to_factor((step - warmup) / (steps - warmup))

    return schedule


def _no_shift(step, steps, peak, warmup=0):  # type: ignore[no-untyped-def]
    return peak * (step + 1) / warmup if step < warmup else peak / 2 * (1 + math.cos(math.pi * step / steps))


def _too_long(step, steps, peak, warmup=0):  # type: ignore[no-untyped-def]
    return peak * (step + 1) / warmup if step < warmup else peak / 2 * (1 + math.cos(math.pi * (step - warmup) / steps))


def _from_zero(step, steps, peak, warmup=0):  # type: ignore[no-untyped-def]
    return peak * step / warmup if step < warmup else risk.cosine_schedule(step, steps, peak, warmup)


def _one_late(step, steps, peak, warmup=0):  # type: ignore[no-untyped-def]
    return peak * (step + 1) / warmup if warmup and step <= warmup else risk.cosine_schedule(step, steps, peak, warmup)


cosine_schedule = Exercise(
    "1.6",
    risk.cosine_schedule,
    checks=(
        holds("without warm-up: peak at 0, half of it half-way, 0 at the end", _whole_wave),
        holds("with warm-up: straight up to the peak, no jump, then down to 0", _whole_schedule),
        same("is right at any step of a long schedule", _any_moment, times=20, rtol=1e-4, atol=1e-5),
    ),
    mistakes=(
        (
            "The cosine starts at t = 0, not at the end of the warm-up: there is a jump down. Count its steps "
            "from t - warmup.",
            _no_shift,
        ),
        ("The cosine has steps - warmup steps to come down; spread over all of `steps` it never reaches 0.", _too_long),
        (
            "That is a whole wave, down and up again; the cosine should go from 0 to pi only.",
            _wave(lambda u: (1 + math.cos(2 * math.pi * u)) / 2),
        ),
        (
            "The 1 + ... is missing: the cosine itself goes down to -1, and the step sizes become negative.",
            _wave(lambda u: math.cos(math.pi * u)),
        ),
        (
            "That is a quarter of a wave; from 0 to pi, with (1 + cos)/2, it is flat at both ends.",
            _wave(lambda u: math.cos(math.pi / 2 * u)),
        ),
        ("The factor 1/2 is missing: 1 + cos starts at 2.", _wave(lambda u: 1 + math.cos(math.pi * u))),
        ("t / warmup makes the first step 0 and wastes it; with t + 1 the last warm-up step is the peak.", _from_zero),
        ("`<=` makes the warm-up one step too long, and that step is above the peak.", _one_late),
    ),
    hints=(
        "Two cases: the warm-up (t < warmup) and the rest.",
        "In the rest, what share of the way has been gone? It should be 0 at t = warmup and 1 at t = steps.",
        "Half a wave from 1 down to 0 is (1 + cos(pi share)) / 2.",
        "Use `math.cos`: step sizes are plain numbers. With warmup = 0 the first case never happens, and nothing "
        "is divided by 0.",
    ),
    why="(1 + cos)/2 falls from 1 to 0 and is flat at both ends: long at the large steps, then long at the small "
    "ones that lower the noise floor. The warm-up counts from t + 1, so that its first step is not wasted and its "
    "last is the peak, where the cosine takes over without a jump.",
)
