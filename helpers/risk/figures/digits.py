"""Figures of Lecture 1: schedules, and what they do on MNIST."""

from collections.abc import Callable

import numpy as np
from torch import Tensor

from helpers.figures import COLOUR, FAMILY, Picture, figure, label, pictures

PANELS = {  # title -> schedules, with the step (as a share) beside which each name stands
    "One way down, or none": {"constant": 0.45, "stairs": 0.34, "1/sqrt(t)": 0.7},
    "Down to zero at the end": {"linear": 0.62, "cosine": 0.25},
    "Up and down again": {"triangles": 0.0, "restarts": 0.0},
}
NAMES = ("cosine", "constant", "linear", "1/sqrt(t)", "plateau", "stairs", "triangles", "restarts")
LINES = dict(zip(NAMES, FAMILY, strict=True))  # a schedule has one colour in both figures


def schedules(functions: dict[str, Callable[[int], float]], steps: int) -> Picture:
    """Step sizes over the steps, a family in each panel."""
    fig, axes = figure(1, 3, width=12, height=3.6, sharey=True)
    t = np.linspace(0, steps - 1, 600).astype(int)
    for panel, (title, members) in zip(axes, PANELS.items(), strict=True):
        for name, place in members.items():
            line = panel.plot(t, [functions[name](int(k)) for k in t], color=LINES[name], label=name)[0]
            if place:
                label(line, name, at=int(600 * place), offset=(8, 10))
        panel.set(title=title, xticks=(0, steps), xticklabels=("0", "end"), xlabel="step")
    axes[2].legend(loc="lower center", ncols=2, bbox_to_anchor=(0.5, -0.03))
    peak = functions["constant"](0)
    axes[0].set(ylabel="step size $\\eta_t$", ylim=(-0.22 * peak, 1.18 * peak), yticks=(0, peak / 2, peak))
    return fig


def to_the_end(free: Tensor, penalised: Tensor) -> Picture:
    """At every fifth iteration (risk, norm, test accuracy): without and with a penalty."""
    fig, axes = figure(1, 3, width=12, height=3.6)
    for values, name, text in ((free, "attack", "no penalty"), (penalised, "model", r"$\tau=10^{-4}$")):
        t = 5 * np.arange(len(values)) + 1
        for k, panel in enumerate(axes):
            draw = panel.loglog if k < 2 else panel.semilogx
            draw(t, values[:, k], color=COLOUR[name], label=text)
    for panel, title in zip(axes, ("penalised risk (nats)", "norm of the weights", "test accuracy"), strict=True):
        panel.set(title=title, xlabel="iteration of L-BFGS")
    axes[2].set_ylim(0.84, 0.92)
    axes[0].legend(loc="lower left")
    return fig


def mnist_schedules(results: dict[str, tuple[Tensor, Tensor]], optimum: float, steps: int) -> Picture:
    """Distance of the risk from the optimum over the steps: the first five of NAMES named, the other three grey."""
    fig, axes = figure(width=11, height=4.6)
    gaps = {name: risks - optimum for name, (_, risks) in results.items()}
    t = np.linspace(0, steps, len(gaps[NAMES[0]]))
    for name in NAMES[5:]:
        axes.semilogy(t, gaps[name], color="#BBBBBB", linewidth=1.2)
    height = 0.0
    for name in sorted(NAMES[:5], key=lambda name: gaps[name][-1].item()):
        axes.semilogy(t, gaps[name], color=LINES[name], linewidth=2.4)
        height = max(gaps[name][-1].item(), 1.28 * height)  # names stand above each other, never on each other
        axes.annotate(name, (1.01 * steps, height), color=LINES[name], va="center")
    axes.annotate(f"grey: {', '.join(NAMES[5:])}", (0.62 * steps, 0.5), color=COLOUR["muted"])
    axes.set(xlabel="step (batches of 100)", ylabel="risk above the optimum (nats)")
    axes.set_ylim(0.55 * min(gap[-1].item() for gap in gaps.values()), 1)
    axes.set(xlim=(0, 1.13 * steps), title="SGD on MNIST: the schedule decides how near it gets")
    return fig


def weight_images(found: Tensor, optimal: Tensor) -> Picture:
    """The weights (10, 785) of SGD and of the optimum as pictures, on one scale."""
    fig, (top, bottom) = figure(2, 1, width=11, height=3.2)
    limit = optimal[:, :-1].abs().quantile(0.995).item()
    for axes, W, text in ((top, found, "SGD"), (bottom, optimal, "optimum")):
        images = W[:, :-1].reshape(10, 28, 28).clamp(-limit, limit)
        pictures(axes, images, [str(k) for k in range(10)], limits=None)
        axes.set_title(text, fontsize=12)
    fig.suptitle("Weights of each class: blue votes against, red votes for")
    return fig
