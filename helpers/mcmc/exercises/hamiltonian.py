"""Exercise 5.8: the leapfrog."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from helpers import mcmc
from helpers.exercises import Arguments, Draw, Exercise, agree, args, holds, require, same
from helpers.mcmc.exercises.common import F64, Function, quartic
from helpers.mcmc.state import chain


def _force(x: Tensor) -> Tensor:
    return chain(x, quartic).grad


def _phase(draw: Draw) -> Arguments:
    n, d, steps = draw.choice([(1, 1, 2), (3, 2, 1), (4, 3, 5), (2, 1, 1), (5, 4, 8)])
    return args(_force, draw.normal(n, d), draw.normal(n, d), draw.number(0.05, 0.2), steps)


def _reversible(f: Function, draw: Draw) -> None:
    force, x, p, h, steps = _phase(draw).positional
    y, q = f(force, x, p, h, steps)
    z, r = f(force, y, -q, h, steps)
    agree(z, x, rtol=1e-9, atol=1e-9, meaning="Run from the end with the momentum turned round, it does not come back.")
    agree(-r, p, rtol=1e-9, atol=1e-9, meaning="The momentum does not come back.")


def _thrifty(f: Function, draw: Draw) -> None:
    force, x, p, h, steps = _phase(draw).positional
    calls: list[int] = []

    def counted(z: Tensor) -> Tensor:
        calls.append(1)
        return force(z)

    f(counted, x, p, h, steps)  # the reference, which f is held against, has steps + 1 calls of its own
    require(
        len(calls) <= 2 * (steps + 1),
        expected=f"at most {steps + 1} gradients for {steps} steps",
        got=f"{len(calls) - steps - 1}",
    )


def _wasteful(gradient: Any, x: Any, p: Any, step_size: Any, steps: Any) -> Any:
    for _ in range(steps):
        p = p + step_size / 2 * gradient(x)
        x = x + step_size * p
        p = p + step_size / 2 * gradient(x)
    return x, p


FIRST, KICK = "step_size / 2 * gradient(x)\n", "(step_size if i < steps - 1 else step_size / 2)"
FLOW, MOVED = "for i in range(steps):", "x = x + step_size * p"

leapfrog = Exercise(
    "5.8",
    mcmc.leapfrog,
    checks=(
        same(
            "is half a kick, a drift, half a kick, `steps` times",
            _phase,
            meaning="Half a kick; then drift and whole kick in turn; half a kick at the end; return (x, p).",
        ),
        holds(
            "comes back when the momentum is turned round",
            _reversible,
            dtype=F64,
            meaning="The scheme must read the same from both ends.",
        ),
        holds(
            "calls the gradient no more than steps + 1 times",
            _thrifty,
            meaning="The gradient after one drift serves both half kicks around it: keep it.",
        ),
    ),
    mistakes=(
        ("p comes out first; asked for is (x, p).", {"return x, p": "return p, x"}),
        (
            "That is Euler's method: it moves x and p at once, from the same place, and gains energy.",
            {
                f"p + {FIRST}": "p\n",
                f"{MOVED}\n": "x, p = x + step_size * p, p + step_size * gradient(x)\n",
                f"p = p + {KICK} * gradient(x)": "pass",
            },
        ),
        (
            "Whole kicks before each drift: symplectic Euler, which keeps volume and is not reversible.",
            {FIRST: "step_size * gradient(x)\n", KICK: "(step_size if i < steps - 1 else 0)"},
        ),
        (
            "Whole kicks after each drift: symplectic Euler, which keeps volume and is not reversible.",
            {FIRST: "0 * gradient(x)\n", KICK: "step_size"},
        ),
        (
            "The last half kick is missing: x is right, p is half a step behind.",
            {KICK: "(step_size if i < steps - 1 else 0)"},
        ),
        ("The last kick is half a kick: there is no other half after it.", {KICK: "step_size"}),
        ("The first half kick is missing.", {FIRST: "0 * gradient(x)\n"}),
        ("That is one step; `steps` of them are asked for.", {FLOW: "for i in range(steps - 1, steps):"}),
        (
            "Half a drift at the ends and whole kicks between: as good an integrator, and another one.",
            {
                f"p = p + {FIRST}": "x = x + step_size / 2 * p\n",
                f"{MOVED}\n": "p = p + step_size * gradient(x)\n",
                f"p = p + {KICK} * gradient(x)": f"x = x + {KICK} * p",
            },
        ),
        ("Between two drifts there are two half kicks, a whole one.", {KICK: "(step_size / 2)"}),
        (
            "Every kick is a whole one; the first and the last are halves.",
            {FIRST: "step_size * gradient(x)\n", KICK: "step_size"},
        ),
        ("x drifts with the whole step h, not half of it.", {MOVED: "x = x + step_size / 2 * p"}),
        (
            "The force is + grad log pi: it pulls towards the mode.",
            {"= p + step_size": "= p - step_size", "p + (step": "p - (step"},
        ),
        (
            "The momentum comes out turned round. HMC may do that, but it is not part of the leapfrog.",
            {"return x, p": "return x, -p"},
        ),
        (
            "The right place, with twice the gradients: the half kicks on either side of a place are one kick.",
            _wasteful,
        ),
        (
            "The kick after a drift uses the gradient at the new x: evaluate it again.",
            {f"p + {FIRST}": f"p + {FIRST}    kept = gradient(x)\n", f"{KICK} * gradient(x)": f"{KICK} * kept"},
        ),
        (
            "x drifts with the momentum as it is now, after the kick.",
            {f"p = p + {FIRST}": f"old, p = p, p + {FIRST}", MOVED: "x, old = x + step_size * old, p"},
        ),
    ),
    hints=(
        "Write the kicks and drifts of two steps in a row. Which two neighbours use the same gradient?",
        "In the loop: `x = x + h * p`, then `p = p + h * gradient(x)`, but only h/2 in the last round.",
        "`x += ...` would change the caller's tensor.",
    ),
    why="Half kicks at both ends make the scheme symmetric in time, hence reversible and of second order. The inner "
    "pairs are taken together, so a path of `steps` steps costs steps + 1 gradients, and HMC already knows the first.",
)
