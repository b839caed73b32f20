"""Figures of Lecture 1: quadratics, where gradient descent and momentum can be calculated."""

import math

import numpy as np
import torch
from torch import Tensor

from helpers.figures import COLOUR, Picture, Range, explorer, figure, label
from helpers.risk import methods, quadratics

LEVELS = {"colors": "#BBBBBB", "linewidths": 1}


def zigzag(H: Tensor, path: Tensor) -> Picture:
    """Steepest descent (steps + 1, 2) over the level lines of w'Hw/2."""
    fig, axes = figure(width=9, height=2.9)
    a, b = np.meshgrid(np.linspace(-1, 9.6, 120), np.linspace(-1.6, 1.6, 80))
    values = 0.5 * (H[0, 0].item() * a**2 + H[1, 1].item() * b**2)
    axes.contour(a, b, values, levels=np.geomspace(0.2, 45, 10), **LEVELS)
    axes.plot(*path.T, "o-", color=COLOUR["model"], markersize=4)
    axes.plot(0, 0, "*", color=COLOUR["truth"], markersize=14)
    axes.set(aspect="equal", xlabel="$w_1$", ylabel="$w_2$", title="Steepest descent: every turn is a right angle")
    return fig


def eigen_coordinates(H: Tensor, path: Tensor, waves: dict[float, Tensor], names: dict[float, str]) -> Picture:
    """A path (steps + 1, 2) of gradient descent, the same in eigen-coordinates, and one coordinate with momentum."""
    fig, (left, middle, right) = figure(1, 3, width=12, height=4.0)
    a, b = np.meshgrid(np.linspace(-3, 3, 90), np.linspace(-3, 3, 90))
    (h11, h12), (_, h22) = H.tolist()
    left.contour(a, b, (h11 * a**2 + 2 * h12 * a * b + h22 * b**2) / 2, levels=np.geomspace(0.3, 40, 8), **LEVELS)
    left.plot(*path.T, "o-", color=COLOUR["data"], markersize=3.5, linewidth=1.2)
    eigenvalues, vectors = torch.linalg.eigh(H)
    for k, name in enumerate(("model", "attack")):
        arrow = 2.2 * vectors[:, k] * vectors[:, k].sum().sign()
        left.annotate("", arrow.tolist(), (0, 0), arrowprops={"arrowstyle": "->", "color": COLOUR[name], "lw": 2.5})
        left.annotate(f"$u_{k + 1}$", (1.18 * arrow).tolist(), color=COLOUR[name], fontsize=14, ha="center")
        line = middle.semilogy((path @ vectors[:, k]).abs(), "o", color=COLOUR[name], markersize=4)[0]
        label(line, f"$\\lambda_{k + 1}={eigenvalues[k]:g}$", at=15, offset=(6, 12))
    left.set(xlabel="$w_1$", ylabel="$w_2$", aspect="equal", title="One path of two motions")
    middle.set(xlabel="step", title="$|u_k|$: each decays alone")
    for (beta, wave), name in zip(waves.items(), ("muted", "truth", "bound"), strict=True):
        right.plot(wave, color=COLOUR[name], label=f"$\\beta={beta}$: {names[beta]}")
    right.set(xlabel="step", ylim=(-1.3, 1.25), title="One $u_k$, with momentum")
    right.legend(loc="lower right", handlelength=1.2)
    return fig


def momentum_plane(
    eta: Tensor, beta: Tensor, measured: Tensor, predicted: Tensor, best: tuple[float, float]
) -> Picture:
    """Decay per step over the (step, momentum) plane, measured and predicted, and their difference where stable."""
    fig, axes = figure(1, 3, width=12, height=3.9, sharey=True)
    shades = {"cmap": "viridis_r", "vmin": 0.6, "vmax": 1.0}
    panels = {
        "Decay per step, measured": (measured, shades),
        "Spectral radius: the same": (predicted, shades),
        "Difference: below 0.01": ((measured - predicted).abs(), {"cmap": "magma_r", "vmin": 0, "vmax": 0.01}),
    }
    for panel, (title, (values, options)) in zip(axes, panels.items(), strict=True):
        stable = torch.where(predicted < 1, values, torch.nan)
        mesh = panel.pcolormesh(eta, beta, stable, rasterized=True, shading="nearest", **options)
        panel.set(title=title, xlabel="step $\\eta$")
        panel.grid(False)
        panel.plot(*best, "*", color="#FFFFFF", markeredgecolor=COLOUR["data"], markersize=15)
        fig.colorbar(mesh, ax=panel, shrink=0.9)
    axes[0].set_ylabel("momentum $\\beta$")
    axes[0].text(0.115, 0.05, "diverges", color=COLOUR["data"])
    return fig


def transient(heavy: Tensor, plain: Tensor) -> Picture:
    """Distances to the optimum with and without momentum."""
    fig, axes = figure(width=9, height=3.8)
    label(axes.semilogy(heavy, color=COLOUR["model"])[0], "heavy ball", at=45, offset=(8, 8))
    label(axes.semilogy(plain, color=COLOUR["muted"])[0], "plain", at=60, offset=(0, 12))
    t = np.arange(20, 101)
    guide = axes.semilogy(t, 0.3 * heavy[20].item() * (t / 20) * (9 / 11) ** (t - 20.0), ":", color=COLOUR["truth"])[0]
    label(guide, r"slope of $t\,\rho^t$", at=40, offset=(-8, -8))
    axes.set(xlabel="step", ylabel="distance to the optimum", title=r"$\kappa=100$: first up, then down")
    return fig


def _verdict(rho: float) -> str:
    if rho > 1:
        return "diverges"
    return "neither grows nor shrinks" if rho == 1 else f"a factor of e in {-1 / math.log(rho):.0f} steps"


@explorer(
    eta=Range(0.002, 0.2, 0.06, step=0.002, label="step η"),
    beta=Range(0.0, 0.98, 0.0, step=0.02, label="momentum β"),
    kappa=Range(1, 100, 25, label="condition κ"),
    stills=({}, {"eta": 0.08}, {"eta": 0.11, "beta": 0.44}),
)
def ravine(eta: float, beta: float, kappa: float) -> Picture:
    """Gradient descent with momentum on (w_1^2 + kappa w_2^2)/2: the path, the error, the rate."""
    eigenvalues, start = torch.tensor([1.0, float(kappa)]).double(), torch.tensor([9.0, 1.6]).double()
    path = methods.gradient_descent(lambda w: eigenvalues * w, start, eta=eta, beta=beta, steps=80)
    rho = quadratics.spectral_radius(torch.tensor(eta).double(), torch.tensor(beta).double(), eigenvalues).item()
    fig, (left, right) = figure(1, 2, width=11, height=3.9, width_ratios=(1.5, 1))
    a, b = np.meshgrid(np.linspace(-10, 10, 81), np.linspace(-3, 3, 61))
    values = 0.5 * (a**2 + kappa * b**2)
    left.contour(a, b, values, levels=np.geomspace(0.3, 60 * (1 + kappa / 10), 9), **LEVELS)
    left.plot(*path.clamp(-40, 40).T, "o-", color=COLOUR["model"], markersize=3.5, linewidth=1.4)
    left.plot(0, 0, "*", color=COLOUR["truth"], markersize=14)
    left.set(xlim=(-10, 10), ylim=(-3, 3), xlabel="$w_1$", ylabel="$w_2$", title="Path of 80 steps")
    size = path.norm(dim=1).clamp(1e-12, 1e6)
    right.semilogy(size, color=COLOUR["model"])
    right.semilogy(size[0] * torch.tensor(rho) ** torch.arange(81.0), "--", color=COLOUR["bound"])
    right.set(ylim=(1e-6, 1e4), xlabel="step", title=f"$\\rho$ = {rho:.3f}: {_verdict(rho)}")
    right.set_ylabel("distance (dashed: $\\rho^t$)")
    return fig
