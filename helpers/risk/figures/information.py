"""Figures of Lecture 1: code length as area, forward and reverse divergence."""

import torch
from torch import Tensor

from helpers import risk
from helpers.figures import COLOUR, FAMILY, Picture, Range, explorer, figure

Gaussian = tuple[float, float, float]  # mean, standard deviation, divergence


def code_areas(p: Tensor, q: Tensor) -> Picture:
    """Entropy and cross-entropy as areas: boxes p_k wide and log2(1/p_k), or log2(1/q_k), high."""
    fig, (left, right) = figure(1, 2, width=11, height=3.8, sharey=True)
    start = (p.cumsum(0) - p).numpy()
    boxes = {"align": "edge", "edgecolor": "white", "linewidth": 2, "alpha": 0.85}
    for axes, code, title in ((left, p, "right code: entropy"), (right, q, "wrong code: cross-entropy")):
        axes.bar(start, -code.log2(), p, color=FAMILY[: len(p)], **boxes)
        axes.set(title=f"{title} = {-(p * code.log2()).sum():.3f} bits", xlabel="probability $p_k$", xlim=(0, 1))
        axes.grid(False)
    dashed = {"align": "edge", "fill": False, "edgecolor": COLOUR["data"], "linewidth": 1.5, "linestyle": "--"}
    right.bar(start, -p.log2(), p, **dashed)
    left.set_ylabel("length of the code word (bits)")
    text = f"KL = {(p * (p / q).log2()).sum():.3f} bits\n= coloured − dashed"
    right.annotate(text, (0.25, 2.0), color="white", ha="center", va="center", fontsize=13)
    return fig


def forward_reverse(grid: Tensor, log_p: Tensor, fits: dict[str, Gaussian]) -> Picture:
    """A density and Gaussian fits (mean, standard deviation, divergence)."""
    fig, axes = figure(width=10, height=3.8)
    axes.fill_between(grid, log_p.exp(), color=COLOUR["truth"], alpha=0.25, linewidth=0)
    for (name, (mu, sigma, divergence)), colour in zip(fits.items(), ("model", "attack", "second"), strict=False):
        density = risk.gaussian_log_likelihood(grid, torch.tensor(mu), sigma).exp()
        axes.plot(
            grid,
            density,
            color=COLOUR[colour],
            label=f"{name}: $\\mu$ = {mu:.2f}, $\\sigma$ = {sigma:.2f}, KL = {divergence:.3f}",
        )
    axes.set(xlim=(-8, 8), ylim=(0, 0.85), xlabel="$x$", ylabel="density", title="One Gaussian for two modes")
    axes.legend(loc="upper right")
    return fig


@explorer(
    separation=Range(0.0, 4.0, 2.5, step=0.1, label="half distance"),
    weight=Range(0.05, 0.95, 0.6, step=0.05, label="weight of the left mode"),
    start=Range(-4.0, 4.0, 2.0, step=0.25, label="start of μ"),
    stills=({"separation": 0.8}, {}, {"start": -2.0}),
)
def kl_directions(separation: float, weight: float, start: float) -> Picture:
    """One Gaussian fitted to two modes by forward and by reverse KL; the reverse fit depends on the start."""
    grid = torch.linspace(-12, 12, 481, dtype=torch.float64)
    means, weights = torch.tensor([-separation, separation]).double(), torch.tensor([weight, 1 - weight]).double()
    log_p = risk.mixture_log_density(grid, means, torch.full((2,), 0.7).double(), weights)
    fits = {
        f"{name} KL": risk.fit_gaussian(log_p, grid, forward=name == "forward", start=(start, 1.0))
        for name in ("forward", "reverse")
    }
    fig = forward_reverse(grid, log_p, fits)
    fig.axes[0].axvline(start, ymax=0.72, linestyle=":", color=COLOUR["muted"])
    return fig
