"""Figures of Lecture 1: the ways of gradient descent and of SGD."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from helpers import risk
from helpers.figures import COLOUR, FAMILY, Picture, Range, explorer, figure, label, pictures
from helpers.risk import methods, noise, quadratics


def gradient_variance(
    sizes: list[int], measured: dict[bool, list[Tensor]], formula: dict[bool, list[Tensor]]
) -> Picture:
    """Variance of the batch gradient over the batch size: measured (dots) and exact (lines)."""
    fig, axes = figure(width=9, height=3.6)
    for replacement, name, text in (
        (True, "model", "with replacement: S/k"),
        (False, "attack", "without: times (m − k)/(m − 1)"),
    ):
        axes.loglog(sizes, formula[replacement], color=COLOUR[name], label=text)
        axes.loglog(sizes, measured[replacement], "o", color=COLOUR[name])
    axes.set(
        xlabel="batch size $k$ of $m=400$",
        ylabel=r"$E\,\|g_{batch}-g\|^2$",
        title="Noise of a mini-batch: 4,000 batches (dots), formula (lines)",
    )
    axes.legend(loc="lower left")
    return fig


def descent_paths(X: Tensor, y: Tensor, runs: dict[str, tuple[Tensor, Tensor]]) -> Picture:
    """Paths (steps + 1, 3) in the plane (w_1, w_2) over the risk's level lines, and running estimates (steps,)."""
    fig, (left, right) = figure(1, 2, width=11, height=4.4)
    bias = list(runs.values())[0][0][-1, 0]
    a, b = np.meshgrid(np.linspace(-0.5, 3.2, 90), np.linspace(-0.9, 2.2, 90))
    w = torch.stack([torch.full((8100,), bias.item()), torch.tensor(a.ravel()), torch.tensor(b.ravel())]).to(X.dtype)
    risks = risk.logistic_loss(y[:, None] * (X @ w)).mean(0)
    left.contour(
        a,
        b,
        risks.reshape(90, 90),
        levels=risks.min().item() + np.array([0.002, 0.01, 0.03, 0.07, 0.15, 0.3]),
        colors="#BBBBBB",
        linewidths=1,
    )
    for (name, (path, estimate)), colour in zip(reversed(runs.items()), ("second", "model", "data"), strict=True):
        left.plot(*path[:, 1:].T, color=COLOUR[colour], linewidth=1.4, label=f"batch {name}")
        right.plot(estimate, color=COLOUR[colour], linewidth=1.4)
    left.set(xlabel="$w_1$", ylabel="$w_2$", title="Paths over the level lines of the risk")
    left.legend(loc="lower right")
    right.set(xlabel="step", ylabel="running estimate $Q$ (nats)", title="What SGD believes about its risk")
    return fig


def robbins_monro(curves: dict[float, tuple[Tensor, Tensor]], slopes: dict[float, Tensor]) -> Picture:
    """Mean square error over the steps for step sizes t^-power (lines exact, dots measured), and for c/t."""
    fig, (left, right) = figure(1, 2, width=11, height=4.2)
    texts = {
        0.0: "constant: a floor",
        0.5: "$t^{-1/2}$: converges",
        1.0: "$2/t$: converges",
        1.2: "$t^{-1.2}$: stops short",
    }
    for (power, (exact, measured)), colour in zip(curves.items(), FAMILY, strict=False):
        t = np.arange(1, len(exact))
        line = left.loglog(t, exact[1:], color=colour)[0]
        left.loglog([2**k for k in range(14)], measured[1:], "o", color=colour, markersize=4.5)
        label(line, texts[power], at=len(t) - 1)
    left.set(
        xlabel="step $t$",
        ylabel="$E\\,w_t^2$: 2,000 chains (dots), exact (lines)",
        xlim=(1, 4e5),
        title="Only shrinking steps converge, and not too fast",
    )
    t = np.arange(1, 100_001)
    for (c, slope), colour in zip(slopes.items(), FAMILY, strict=False):
        error = noise.mean_square_error(torch.tensor(c / t), mu=1.0, variance=1.0, start=3.0)
        label(
            right.loglog(t, error[1:], color=colour)[0],
            f"$c={c:g}$: slope {slope:.2f}",
            at=99_999,
            offset=(6, 8 if c == 2 else -4),
        )
    right.set(xlabel="step $t$", xlim=(1, 6e6), title="$\\eta_t=c/t$, $\\mu=1$: slope −1 needs $2c\\mu>1$")
    return fig


def zigzag(H: Tensor, path: Tensor) -> Picture:
    """Steepest descent (steps + 1, 2) over the level lines of w'Hw/2."""
    fig, axes = figure(width=9, height=2.9)
    a, b = np.meshgrid(np.linspace(-1, 9.6, 120), np.linspace(-1.6, 1.6, 80))
    values = 0.5 * (H[0, 0].item() * a**2 + H[1, 1].item() * b**2)
    axes.contour(a, b, values, levels=values.min() + np.geomspace(0.2, 45, 10), colors="#BBBBBB", linewidths=1)
    axes.plot(*path.T, "o-", color=COLOUR["model"], markersize=4)
    axes.plot(0, 0, "*", color=COLOUR["truth"], markersize=14)
    axes.set(aspect="equal", xlabel="$w_1$", ylabel="$w_2$", title="Steepest descent: every turn is a right angle")
    return fig


def schedules(functions: dict[str, Callable[[int], float]], steps: int) -> Picture:
    """Step sizes over the steps, a small panel each."""
    fig, axes = figure(1, len(functions), width=12, height=2.2, sharey=True)
    t = np.linspace(0, steps - 1, 300).astype(int)
    for panel, (name, function), colour in zip(axes, functions.items(), FAMILY, strict=False):
        panel.plot(t, [function(int(k)) for k in t], color=colour)
        panel.set(title=name, xticks=(0, steps), xticklabels=("0", "end"))
    axes[0].set_ylabel("step size $\\eta_t$")
    return fig


def momentum_plane(
    eta: Tensor, beta: Tensor, measured: Tensor, predicted: Tensor, best: tuple[float, float]
) -> Picture:
    """Decay per step over the (step, momentum) plane, measured and predicted, and their difference where stable."""
    fig, axes = figure(1, 3, width=12, height=3.9, sharey=True)
    shades = {"cmap": "viridis_r", "vmin": 0.6, "vmax": 1.0, "shading": "nearest"}
    gap = torch.where(predicted < 1, (measured - predicted).abs(), torch.nan)
    for panel, values, title in zip(
        axes, (measured, predicted, gap), ("measured", "spectral radius", "difference"), strict=True
    ):
        unstable = torch.where(predicted < 1, values, torch.nan)
        options = (
            shades if title != "difference" else {"cmap": "magma_r", "vmin": 0, "vmax": 0.01, "shading": "nearest"}
        )
        mesh = panel.pcolormesh(eta, beta, unstable, rasterized=True, **options)
        panel.set(title=title, xlabel="step $\\eta$")
        panel.grid(False)
        panel.plot(*best, "*", color="#FFFFFF", markeredgecolor=COLOUR["data"], markersize=15)
        fig.colorbar(mesh, ax=panel, shrink=0.9)
    axes[0].set_ylabel("momentum $\\beta$")
    axes[0].text(0.12, 0.03, "diverges", color=COLOUR["muted"])
    return fig


def transient_and_cycle(heavy: Tensor, plain: Tensor, cycle: Tensor) -> Picture:
    """Distances to the optimum with and without momentum; the heavy ball's cycle on Lessard's function."""
    fig, (left, right) = figure(1, 2, width=11, height=3.9)
    label(left.semilogy(heavy, color=COLOUR["model"])[0], "heavy ball", at=60, offset=(8, 8))
    label(left.semilogy(plain, color=COLOUR["muted"])[0], "plain", at=60, offset=(0, 12))
    t = np.arange(20, 101)
    left.semilogy(t, heavy[20].item() * (t / 20) * (9 / 11) ** (t - 20.0), ":", color=COLOUR["attack"])
    left.annotate(r"$t\,\rho^t$", (85, 1e-6), color=COLOUR["attack"], ha="right", va="top")
    left.set(xlabel="step", ylabel="distance to the optimum", title=r"$\kappa=100$: first up, then down as $t\,\rho^t$")
    right.plot(cycle[:40], "o-", color=COLOUR["model"], markersize=4, linewidth=1)
    right.axhline(0, linestyle="--", color=COLOUR["truth"])
    right.annotate("the minimum", (41, 0), (0, 0), textcoords="offset points", color=COLOUR["truth"], va="center")
    right.set_xlim(-1, 52)
    right.set(xlabel="step", ylabel="$x_t$", title="Lessard's function: a cycle of three, for ever")
    return fig


@explorer(
    eta=Range(0.002, 0.2, 0.06, step=0.002, label="step η"),
    beta=Range(0.0, 0.98, 0.0, step=0.02, label="momentum β"),
    kappa=Range(1, 100, 25, label="condition κ"),
    stills=({}, {"eta": 0.08}, {"eta": 0.11, "beta": 0.44}),
)
def ravine(eta: float, beta: float, kappa: float) -> Picture:
    """Gradient descent with momentum on (w_1^2 + kappa w_2^2)/2: the path, the error, the rate."""
    eigenvalues = torch.tensor([1.0, float(kappa)], dtype=torch.float64)
    path = methods.gradient_descent(
        lambda w: eigenvalues * w, torch.tensor([9.0, 1.6], dtype=torch.float64), eta=eta, beta=beta, steps=80
    )
    rho = quadratics.spectral_radius(
        torch.tensor(eta, dtype=torch.float64), torch.tensor(beta, dtype=torch.float64), eigenvalues
    ).item()
    fig, (left, right) = figure(1, 2, width=11, height=3.9, width_ratios=(1.5, 1))
    a, b = np.meshgrid(np.linspace(-10, 10, 81), np.linspace(-3, 3, 61))
    left.contour(
        a,
        b,
        0.5 * (a**2 + kappa * b**2),
        levels=np.geomspace(0.3, 60 * (1 + kappa / 10), 9),
        colors="#BBBBBB",
        linewidths=1,
    )
    left.plot(*path.clamp(-40, 40).T, "o-", color=COLOUR["model"], markersize=3.5, linewidth=1.4)
    left.plot(0, 0, "*", color=COLOUR["truth"], markersize=14)
    left.set(xlim=(-10, 10), ylim=(-3, 3), xlabel="$w_1$", ylabel="$w_2$", title="Path of 80 steps")
    size = path.norm(dim=1).clamp(1e-12, 1e6)
    right.semilogy(size, color=COLOUR["model"])
    right.semilogy(size[0] * torch.tensor(rho) ** torch.arange(81.0), "--", color=COLOUR["bound"])
    verdict = (
        "diverges"
        if rho > 1
        else "neither grows nor shrinks"
        if rho == 1
        else f"a factor of e in {-1 / math.log(rho):.0f} steps"
    )
    right.set(ylim=(1e-6, 1e4), xlabel="step", title=f"$\\rho$ = {rho:.3f}: {verdict}")
    right.set_ylabel("distance (dashed: $\\rho^t$)")
    return fig


def separable(free: Tensor, penalised: Tensor) -> Picture:
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
    """Distance of the risk from the optimum over the steps, per schedule."""
    fig, axes = figure(width=11, height=4.6)
    coloured = sorted(zip(results.items(), FAMILY, strict=True), key=lambda entry: -entry[0][1][1][-1].item())
    for (name, (_, risks)), colour in coloured:
        axes.semilogy(np.linspace(0, steps, len(risks)), risks - optimum, color=colour, linewidth=1.8, label=name)
    axes.set(
        xlabel="step (batches of 100)",
        ylabel="risk above the optimum (nats)",
        ylim=(None, 1),
        title="SGD on MNIST: the schedule decides how near it gets",
    )
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), title="worst to best")
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
