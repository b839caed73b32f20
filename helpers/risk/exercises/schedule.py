"""Exercise 1.10: the cosine schedule with a warm-up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from helpers import risk
from helpers.exercises import Arguments, Draw, Exercise, agree, args, holds, require, same

Function = Callable[..., Any]


def _whole_wave(f: Function, draw: Draw) -> None:
    half, peak = draw.integer(3, 9), draw.number(0.1, 2.0)
    eta = [f(t, 2 * half, peak) for t in range(2 * half + 1)]
    on = f"steps = {2 * half}, peak = {peak:.4g}"
    for name, t, factor in (("start", 0, 1.0), ("middle", half, 0.5), ("end", 2 * half, 0.0)):
        agree(eta[t], factor * peak, atol=1e-6, on=f"step = {t} (the {name}), {on}")
    sums = torch.tensor([a + b for a, b in zip(eta, reversed(eta), strict=True)])
    require((sums - peak).abs() < 1e-6, expected="eta_t + eta_(T - t) = peak: a cosine", got=eta, on=on)


def _whole_schedule(f: Function, draw: Draw) -> None:
    warmup, peak = draw.integer(2, 7), draw.number(0.1, 2.0)
    steps = warmup + draw.integer(5, 11)
    eta = [f(t, steps, peak, warmup) for t in range(steps + 1)]
    on = f"steps = {steps}, peak = {peak:.4g}, warmup = {warmup}"
    landmarks = (
        ("first step", 0, 1 / warmup),
        ("last step of the warm-up", warmup - 1, 1.0),
        ("step after it", warmup, 1.0),
        ("end", steps, 0.0),
    )
    for name, t, factor in landmarks:
        agree(eta[t], factor * peak, atol=1e-6, on=f"step = {t} (the {name}), {on}")
    slopes = torch.tensor(eta, dtype=torch.float64).diff()
    require(slopes[: warmup - 1] > 0, expected="step sizes that grow up to the peak", got=eta, on=on)
    require(slopes[warmup:] < 0, expected="step sizes that fall after the warm-up", got=eta, on=on)


def _any_moment(draw: Draw) -> Arguments:
    warmup = draw.choice([draw.integer(3, 500), 0, 1])
    steps = warmup + draw.choice([draw.integer(100, 5000), 1, draw.integer(2, 9), 20_000])
    edges = [0, max(warmup - 1, 0), warmup, warmup + 1, steps - 1, steps]
    step = draw.choice([*edges, *(draw.integer(0, steps + 1) for _ in range(5))])
    return args(step, steps, draw.choice([draw.number(0.1, 2.0), 1]), warmup=warmup)


SHARE = "math.pi * (step - warmup) / (steps - warmup)"
WAVE = f"peak / 2 * (1 + math.cos({SHARE}))"

cosine_schedule = Exercise(
    "1.10",
    risk.cosine_schedule,
    checks=(
        holds(
            "without warm-up: peak at 0, half of it half-way, 0 at the end",
            _whole_wave,
            meaning="Half a cosine wave, (1 + cos(pi share)) / 2, falls from 1 to 0 as the share of the way goes from "
            "0 to 1; at t = steps the share is 1.",
        ),
        holds(
            "with warm-up: straight up to the peak, no jump, then down to 0",
            _whole_schedule,
            meaning="The warm-up's first step is peak / warmup and its last (t = warmup - 1) the peak; the cosine "
            "starts from the peak at t = warmup and ends at 0 at t = steps.",
        ),
        same(
            "is right at any step of a short or a long schedule",
            _any_moment,
            times=44,  # each length of the cosine at each moment
            atol=1e-6,
            meaning="The usual moments are right, this one is not: the edges of the two cases, a warm-up of 0 or 1, a "
            "cosine of one step. A Python float comes back.",
        ),
    ),
    mistakes=(
        (
            "The cosine starts at t = 0, not at the end of the warm-up: there is a jump down. Count its steps "
            "from t - warmup.",
            {SHARE: "math.pi * step / steps"},
        ),
        (
            "The cosine has steps - warmup steps to come down; spread over all of `steps` it never reaches 0.",
            {SHARE: "math.pi * (step - warmup) / steps"},
        ),
        (
            "The last step is t = steps: the share of the way is divided by steps - warmup, not by one less.",
            {SHARE: "math.pi * (step - warmup) / max(steps - warmup - 1, 1)"},
        ),
        (
            "That is a whole wave, down and up again; the cosine should go from 0 to pi only.",
            {"math.pi": "2 * math.pi"},
        ),
        (
            "The 1 + ... is missing: the cosine itself goes down to -1, and the step sizes become negative.",
            {WAVE: f"peak * math.cos({SHARE})"},
        ),
        (
            "That is a quarter of a wave; from 0 to pi, with (1 + cos)/2, it is flat at both ends.",
            {WAVE: f"peak * math.cos({SHARE} / 2)"},
        ),
        ("The factor 1/2 is missing: 1 + cos starts at 2.", {"peak / 2": "peak"}),
        ("The peak is missing after the warm-up: that goes from 1 to 0, whatever the peak is.", {"peak / 2": "1 / 2"}),
        (
            "t / warmup makes the first step 0 and wastes it; with t + 1 the last warm-up step is the peak.",
            {"(step + 1)": "step"},
        ),
        (
            "`<=` makes the warm-up one step too long, and that step is above the peak.",
            {"step < warmup:": "warmup and step <= warmup:"},
        ),
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
