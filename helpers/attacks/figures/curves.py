"""Lecture 7's curves of accuracy over the radius, and over training."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from torch import Tensor

from helpers.figures import COLOUR, FAMILY, Picture, figure, label

INK = {  # one colour for one attack in every figure; two that share one never meet
    "FGSM": FAMILY[4], "FGSM, random": FAMILY[5], "BIM": FAMILY[1], "MI-FGSM": FAMILY[6], "PGD": FAMILY[0],
    "PGD l_2": FAMILY[0], "PGD l_1": FAMILY[0], "PGD l_0": FAMILY[0], "PGD, bisection": FAMILY[0],
    "PGD-40": FAMILY[0], "square": FAMILY[3], "square l_2": FAMILY[3], "square l_1": FAMILY[3],
    "square, 500": FAMILY[3], "square, 2,000": FAMILY[3], "DeepFool": FAMILY[2], "Carlini-Wagner": FAMILY[1],
    "L-BFGS": FAMILY[3], "APGD-CE, 5 x 100": FAMILY[1],
}  # fmt: skip

TICKS = [digit * 10.0**power for power in range(-3, 4) for digit in (1, 2, 3, 4, 5, 7)]  # on a logarithmic axis


def survival(rows: Mapping[str, tuple]) -> Picture:
    """The share of images whose smallest perturbation found is longer than a radius."""
    fig, axes = figure(width=9, height=3.6)
    longest = 1.05 * max(float(row[-1][row[-1].isfinite()].max()) for row in rows.values())
    for name, row in rows.items():
        _survival(axes, row[-1], longest, color=INK[name], label=f"{name}: median {row[1]:.2f}")
    axes.set(xlabel="$\\varepsilon$ ($\\ell_2$)", ylabel="share not yet fooled", ylim=(0, 1.03), xlim=(0, longest))
    axes.set_title("The smallest $\\ell_2$ perturbation found, standard network")
    axes.legend(loc="upper right")
    return fig


def _survival(axes: Axes, norms: Tensor, longest: float, **style: Any) -> Any:
    return axes.step(*_steps(norms, longest), where="post", **style)[0]


def _steps(norms: Tensor, longest: float) -> tuple[np.ndarray, np.ndarray]:
    """A step down at each norm, then level to the end of the axis: there the failures are."""
    finite = norms[norms.isfinite()].sort().values.cpu().numpy()
    left = 1 - np.arange(len(finite) + 1) / len(norms)
    return np.concatenate([[0], finite, [longest]]), np.append(left, left[-1])


def steps_against_accuracy(steps: Sequence[int], curves: Mapping[str, Sequence[float]]) -> Picture:
    """Accuracy over the number of gradient steps; curves are named "attack, network"."""
    fig, axes = figure(width=9, height=3.8)
    for name, values in curves.items():
        attack, network = name.split(", ")
        style = "--" if network == "robust" else "-"
        label(axes.semilogx(steps, values, "o" + style, color=INK[attack])[0], name)
    axes.set_xticks(steps, [str(t) for t in steps])
    axes.set(xlabel="gradient steps $T$", ylabel="accuracy", ylim=(0, 1.03), xlim=(0.9, 110))
    axes.set_title("More steps: standard at ε 0.1, robust (dashed) at ε 0.3")
    return fig


def robustness(norms: Mapping[tuple[str, str], Tensor], kinds: Mapping[str, float]) -> Picture:
    """Survival curves under each attack: one column a norm, above the standard network, below the robust one."""
    fig, grid = figure(2, 3, width=12, height=6.7, sharey=True)
    shown: dict[str, Any] = {}
    for column, (p, text) in zip(grid.T, ((math.inf, "\\infty"), (2, "2"), (1, "1")), strict=True):
        for axes, victim in zip(column, ("standard", "robust"), strict=True):
            shown |= _survivals(axes, {name: norms[victim, name] for name, kind in kinds.items() if kind == p})
            axes.set(title=f"{victim}, $\\ell_{text}$", xlabel=f"$\\varepsilon$ ($\\ell_{text}$, log scale)")
    for axes in grid[:, 0]:
        axes.set_ylabel("accuracy left")
    fig.legend(shown.values(), shown, loc="outside lower center", ncols=len(shown))
    fig.suptitle("Each attack bounds the robust accuracy from above; grey: what all of them leave")
    return fig


def _survivals(axes: Axes, norms: Mapping[str, Tensor]) -> dict[str, Any]:
    """One curve an attack, and grey under the lowest; the lines by the attacks' names without their norm."""
    every = torch.stack([*norms.values()])
    finite = every[every.isfinite() & (every > 0)]
    low, high = 0.9 * float(finite.min()), 1.05 * float(finite.max())
    places, left = _steps(every.amin(0), high)
    axes.fill_between(places, left, step="post", color=COLOUR["muted"], alpha=0.25, linewidth=0)
    axes.set(xscale="log", xlim=(low, high), ylim=(0, 1.03))
    ticks = [t for t in TICKS if low <= t <= high]
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.minorticks_off()
    lines = {name: _survival(axes, row, high, color=INK[name], linewidth=2.5) for name, row in norms.items()}
    return {name.split(" l_")[0]: line for name, line in lines.items()}


def masking(radii: Sequence[float], left: Mapping[str, Sequence[int]], n: int) -> Picture:
    """Digits left by each judge over eps: where random search wins against the gradient, the gradient misleads."""
    fig, axes = figure(width=9, height=4)
    for name, counts in left.items():
        style = ":" if name == "square, 500" else "-"
        line = axes.plot(radii, [count / n for count in counts], "o", linestyle=style, color=INK[name])[0]
        place = {"square, 500": (-2, (10, 8)), "square, 2,000": (-2, (-12, -4))}.get(name, (-1, (8, 0)))
        label(line, name, at=place[0], offset=place[1])
    axes.axvline(0.3, color=COLOUR["muted"], linestyle="--")
    axes.text(0.3005, 0.03, "trained for", color=COLOUR["muted"], fontsize=11)
    axes.set(xlabel="$\\varepsilon$ ($\\ell_\\infty$)", ylabel="accuracy left", ylim=(0, 1.03), xlim=(0.298, 0.362))
    axes.set_title("Just outside ε 0.3 the robust network's gradients mislead")
    return fig


def overfitting(history: Tensor, eps: float) -> Picture:
    """One history (rows of step, clean, FGSM, PGD) of training with FGSM inside, eps grown over 1,000 steps."""
    fig, axes = figure(width=9, height=3.8)
    for column, (text, colour) in enumerate(
        (("clean", COLOUR["muted"]), ("FGSM", INK["FGSM"]), ("PGD-10", INK["PGD"])), 1
    ):
        axes.plot(history[:, 0], history[:, column], "o-", color=colour, label=text)
    axes.axvline(1000, color=COLOUR["muted"], linestyle=":")
    axes.text(1040, 0.08, f"from here ε = {eps:g}", color=COLOUR["muted"], fontsize=11)
    axes.set(xlabel="training step", ylim=(0, 1.05), ylabel="accuracy, 200 new digits")
    axes.set_title(f"Trained with FGSM, judged at ε {eps:g}")
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return fig
