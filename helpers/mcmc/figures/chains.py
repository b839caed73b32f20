"""Figures of Lecture 5: finite chains, Gibbs sampling, the Ising model."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from helpers import mcmc
from helpers.figures import COLOUR, FAMILY, Choice, Picture, Range, explorer, figure, label
from helpers.mcmc import finite, targets
from helpers.mcmc.figures.plane import _density
from helpers.mcmc.ising import ising_exact


def mixing(distance: Mapping[str, Tensor], rate: float, rates: Tensor) -> Picture:
    """Total variation over the steps for three chains; measured rate over |lambda_2| (chains, 2)."""
    fig, (left, right) = figure(1, 2, width=11, height=3.8)
    for (name, values), colour in zip(distance.items(), ("model", "attack", "bound"), strict=True):
        line, up = left.semilogy(values, color=COLOUR[colour])[0], {"periodic": 9, "reducible": -11}.get(name, 10)
        label(line, name, at=24, offset=(26 if name == "weather" else 0, up), ha="center")
    left.semilogy(distance["weather"][0] * rate ** np.arange(41.0), "--", color=COLOUR["truth"])
    left.annotate("$|\\lambda_2|^t$", (9, rate**9), (0, 12), textcoords="offset points", color=COLOUR["truth"])
    left.set(xlabel="step $t$", ylabel="total variation to $\\pi$", ylim=(None, 8))
    left.set_title("One chain forgets its start, two do not")
    right.plot([0, 1], [0, 1], "--", color=COLOUR["truth"])
    right.plot(*rates.T, "o", color=COLOUR["model"])
    low = float(rates.min()) - 0.03
    right.set(xlim=(low, 1), ylim=(low, 1), xlabel="$|\\lambda_2|$", ylabel="measured factor per step")
    right.set_title("40 random chains: the rate is $|\\lambda_2|$")
    return fig


def _entry(default: float, words: str) -> Range:
    return Range(0.0, 1.0, default, step=0.05, label=words)


RING = {"p12": 1.0, "p13": 0.0, "p21": 0.0, "p23": 1.0, "p31": 1.0, "p32": 0.0}

CUT = {"p12": 0.3, "p13": 0.0, "p21": 0.2, "p23": 0.0, "p31": 0.0, "p32": 0.0}


@explorer(
    p12=_entry(0.15, "1 → 2"),
    p13=_entry(0.05, "1 → 3"),
    p21=_entry(0.3, "2 → 1"),
    p23=_entry(0.3, "2 → 3"),
    p31=_entry(0.1, "3 → 1"),
    p32=_entry(0.3, "3 → 2"),
    start=Choice((1, 2, 3), 1, label="start"),
    t=Range(0, 30, 4, label="step t", play=True),
    stills=({}, {**RING, "t": 9}, {**CUT, "start": 2, "t": 25}),
)
def transition_matrix(
    p12: float, p13: float, p21: float, p23: float, p31: float, p32: float, start: int, t: int
) -> Picture:
    """A chain on three states: its matrix, its law at step t, its distance to pi (without one, to its law at 30)."""
    P = torch.tensor([[0, p12, p13], [p21, 0, p23], [p31, p32, 0]], dtype=torch.float64)
    P = P / P.sum(1, keepdim=True).clamp(min=1)
    P = P + torch.diag(1 - P.sum(1))
    law, second = finite.laws(P, torch.eye(3)[start - 1], 30), finite.second_eigenvalue(P)
    try:
        pi = mcmc.stationary_distribution(P)
        words = "reversible" if mcmc.is_reversible(P, pi) else "not reversible"
    except ValueError:
        pi, words = None, "no unique $\\pi$"
    fig, (left, middle, right) = figure(1, 3, width=11, height=3.3)
    left.imshow(P, cmap="Blues", vmin=0, vmax=1.4)
    for i, j in np.ndindex(3, 3):
        left.text(j, i, f"{P[i, j]:.2f}", ha="center", va="center", fontsize=13)
    left.set(xticks=range(3), yticks=range(3), xticklabels="123", yticklabels="123", ylabel="from", xlabel="to")
    left.set_title(words)
    left.grid(False)
    middle.bar((1, 2, 3), law[t], color=COLOUR["model"], width=0.6)
    if pi is not None:
        middle.plot((1, 2, 3), pi, "_", color=COLOUR["truth"], markersize=42, markeredgewidth=5)
    middle.set(
        ylim=(0, 1.05),
        xticks=(1, 2, 3),
        xlabel="state",
        title=f"law at step {t}" + ("" if pi is None else "; green: $\\pi$"),
    )
    distance = finite.total_variation(law, law[-1] if pi is None else pi).clamp(min=1e-16)  # below the picture
    right.plot(distance.log10(), color=COLOUR["muted"])
    right.plot(t, distance[t].log10(), "o", color=COLOUR["model"], markersize=9)
    right.set(ylim=(-6.2, 0.2), xlim=(-0.5, 30.5), xlabel="step")
    right.set_ylabel("log₁₀ distance to " + ("step 30" if pi is None else "$\\pi$"))
    right.set_title(f"$|\\lambda_2|$ = {second:.3f}")
    return fig


def gibbs(curves: Mapping[float, Tensor], target: targets.Gaussian) -> Picture:
    """Forty updates of Gibbs as stairs; autocorrelation over 61 sweeps: measured (dots), rho^(2t) (lines)."""
    fig, (left, right) = figure(1, 2, width=11, height=3.9)
    _density(left, target, (-3.2, 3.2, -3.2, 3.2))
    g, x, path = torch.Generator().manual_seed(3), torch.tensor([[-2.8, 2.6]], dtype=torch.float64), []
    for k in range(40):
        path.append(x[0])
        x = x.clone()
        x[:, k % 2] = target.conditional(k % 2, x, g)
    left.plot(*torch.stack(path).T, ".-", color=COLOUR["model"], linewidth=1.2)
    left.set_title("Gibbs, $\\rho=0.9$: stairs along a ridge")
    t = np.arange(61)
    for (rho, curve), colour in zip(curves.items(), FAMILY, strict=False):
        right.plot(t, curve, "o", color=colour, markersize=4)
        label(
            right.plot(t, rho ** (2.0 * t), color=colour)[0],
            f"$\\rho$ = {rho}",
            at=3 if rho < 0.9 else 9,
            offset=(0, -14) if rho < 0.9 else (6, 9),
        )
    right.axhline(1 / math.e, linestyle="--", color=COLOUR["muted"])
    right.annotate("1/e", (20, 1 / math.e), (0, 5), textcoords="offset points", color=COLOUR["muted"])
    right.set(xlabel="sweep $t$", ylabel="autocorrelation of $x_1$", ylim=(-0.14, 1.05))
    right.set_title("Narrow ridge, long memory (lines: $\\rho^{2t}$)")
    return fig


def ising(betas: Sequence[float], measured: Tensor, lattices: Mapping[float, Tensor]) -> Picture:
    """4 x 4: energy and magnetisation by Gibbs, (betas, 2), over the exact lines; beside it lattices (n, n) by beta."""
    fig, axes = figure(1, 1 + len(lattices), width=12, height=3.6, width_ratios=(1.5, *(1 for _ in lattices)))
    fine = np.linspace(betas[0], betas[-1], 16)
    exact = np.array([ising_exact(float(beta))[:2] for beta in fine])
    for column, colour, text, up in ((0, "model", "energy per spin", -52), (1, "attack", "|magnetisation|", 26)):
        axes[0].plot(betas, measured[:, column], "o", color=COLOUR[colour])
        line = axes[0].plot(fine, exact[:, column], color=COLOUR[colour])[0]
        label(line, text, at=3, offset=(0, up), ha="center")
    axes[0].set(xlabel="$\\beta$", ylim=(-2.1, 1.35), title="4 × 4: Gibbs (dots) meets the truth (lines)")
    for panel, (beta, spins) in zip(axes[1:], lattices.items(), strict=True):
        panel.imshow(spins, cmap="Greys", vmin=-1.3, vmax=1.3)
        panel.set(title=f"64 × 64, $\\beta$ = {beta}", xticks=(), yticks=())
    return fig
