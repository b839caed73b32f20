"""Figures of Lecture 2: target logits, decision boundaries, the floor of the normalised soft-max loss."""

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from helpers import faceid
from helpers.figures import COLOUR, Choice, Picture, Range, explorer, figure, label

MARGINS = {  # name -> margins as in the papers, colour, where the name stands on its curves left and right, in degrees
    "soft-max": ({}, "muted", 40, 90),
    "SphereFace, m₁ = 4": ({"m1": 4.0}, "truth", 70, 42),
    "ArcFace, m₂ = 0.5": ({"m2": 0.5}, "model", 118, 88),
    "CosFace, m₃ = 0.35": ({"m3": 0.35}, "attack", 150, 26),
}


def target_logits() -> Picture:
    """What stands in place of cos(theta_y), and the boundary between two classes, for each of the angular losses."""
    fig, (left, right) = figure(1, 2, width=12, height=4.6)
    theta = torch.linspace(0, math.pi, 181, dtype=torch.float64)
    degrees = torch.rad2deg(theta)
    for name, (margins, colour, at, beside) in MARGINS.items():
        m1, m2, m3 = (margins.get(key, default) for key, default in (("m1", 1.0), ("m2", 0.0), ("m3", 0.0)))
        line = left.plot(degrees, faceid.sphereface_psi(m1 * theta + m2, 1) - m3, color=COLOUR[colour])[0]
        label(line, name, at=at, offset=(-8, -8) if colour != "muted" else (8, 8))
        least = torch.rad2deg(faceid.decision_boundary(theta, **margins))
        line = right.plot(degrees, least.where(least < 180, math.nan), color=COLOUR[colour])[0]
        label(line, name.split(",")[0], at=beside, offset=(-6, 6) if colour == "model" else (3, -14))
    left.set(xlabel=r"angle to the own class, $\theta_y$", ylabel="target logit / s", ylim=(-4.2, 1.2))
    left.set_title("The own class's logit lies below its cosine")
    right.set(xlabel=r"angle to the own class, $\theta_1$", ylabel=r"angle to the other class, $\theta_2$")
    right.set(xlim=(0, 120), ylim=(0, 182), title="Right only above the line, margin included")
    for axes in (left, right):
        axes.set_xticks(range(0, 181 if axes is left else 121, 30))
        axes.xaxis.set_major_formatter("{x:.0f}°")
    right.set_yticks(range(0, 181, 30))
    right.yaxis.set_major_formatter("{x:.0f}°")
    return fig


def floors(reached: Mapping[int, Tensor], s: Tensor) -> Picture:
    """The floor of the loss over the scale for some numbers of classes, and what free features reached (points)."""
    fig, axes = figure(width=9, height=4.0)
    grid = torch.logspace(-1, 2, 200, dtype=torch.float64)
    for K, colour in ((10, "model"), (1000, "second"), (100_000, "bound")):
        line = axes.semilogx(grid, faceid.normalised_softmax_bound(grid, K), color=COLOUR[colour])[0]
        label(line, f"{K:,} classes", at=30, offset=(0, 10), ha="center")
    for d, marker, colour, text in ((9, "o", "model", "nine dimensions"), (2, "x", "attack", "the plane")):
        axes.plot(s, reached[d], marker, color=COLOUR[colour], markersize=8, markeredgewidth=2, label=text)
    axes.legend(title="free features of 10 classes, in", loc="upper right", alignment="left")
    axes.set(xlabel="scale s", ylabel="least possible loss (nats)", ylim=(-0.3, 13))
    axes.set_title("With a small scale the loss cannot fall, however good the angles")
    return fig


@explorer(
    m1=Range(1.0, 4.0, 1.0, step=0.1, label="m₁ (SphereFace)"),
    m2=Range(0.0, 1.0, 0.5, step=0.05, label="m₂ (ArcFace)"),
    m3=Range(0.0, 1.2, 0.0, step=0.01, label="m₃ (CosFace)"),
    s=Range(1.0, 64.0, 16.0, log=True, label="scale s"),
    K=Choice((2, 3, 4, 6, 10), 4, label="classes"),
    theta=Range(0, 180, 30, label="angle of the feature, °"),
    stills=({"m2": 0.0}, {}, {"m2": 0.0, "m3": 0.35, "theta": 50}),
)
def margin(m1: float, m2: float, m3: float, s: float, K: int, theta: float) -> Picture:
    """A feature on the circle of K classes: the zone that its own class wins, its target logit, its gradient."""
    weights = faceid.circle(K)
    options = {"s": s, "m1": m1, "m2": m2, "m3": m3}
    turn = torch.deg2rad(torch.arange(361, dtype=torch.float64) - 180)
    ring = torch.stack([turn.cos(), turn.sin()], 1)
    z = faceid.margin_logits(faceid.cosines(ring, weights), torch.zeros(361, dtype=torch.long), **options)
    won = z[:, 0] > z[:, 1:].amax(1)
    at = torch.tensor([math.cos(math.radians(theta)), math.sin(math.radians(theta))], dtype=torch.float64)
    first, u = torch.zeros(1, dtype=torch.long), at.clone().requires_grad_()
    loss = F.cross_entropy(faceid.margin_logits(faceid.cosines(u[None], weights), first, **options), first)
    slope, value = torch.autograd.grad(loss, u)[0], loss.detach()
    pull, m = -slope, faceid.sphereface_psi(m1 * torch.tensor(math.radians(theta)) + m2, 1) - m3
    fig, (left, right) = figure(1, 2, width=11, height=4.4, width_ratios=(1, 1.25))
    left.plot(*ring.T, color="#DDDDDD", linewidth=9, solid_capstyle="butt")
    left.plot(*ring.where(won[:, None], math.nan).T, color=COLOUR["truth"], linewidth=9, alpha=0.5)
    for k, w in enumerate(weights):
        left.plot([0, 0.93 * w[0]], [0, 0.93 * w[1]], color=COLOUR["truth" if k == 0 else "muted"], linewidth=2)
    left.plot(*at, "o", color=COLOUR["model"], markersize=13)
    if pull.norm() > 1e-3:
        tip = at + 0.5 * pull / max(1.0, float(pull.norm()))
        left.annotate(
            "", tip.tolist(), at.tolist(), arrowprops={"arrowstyle": "->", "color": COLOUR["attack"], "lw": 3}
        )
    left.set(xlim=(-1.35, 1.35), ylim=(-1.35, 1.35), aspect="equal")
    left.set_axis_off()
    left.set_title(f"green: its class wins by the margin; loss {value:.2f}")
    angles = torch.linspace(0, math.pi, 181, dtype=torch.float64)
    right.plot(torch.rad2deg(angles), angles.cos(), color=COLOUR["muted"])
    right.plot(torch.rad2deg(angles), faceid.sphereface_psi(m1 * angles + m2, 1) - m3, color=COLOUR["model"])
    right.plot(theta, float(m), "o", color=COLOUR["model"], markersize=11)
    right.set(xlabel="angle to the own class", ylim=(-4.5, 1.2), xticks=range(0, 181, 45))
    right.xaxis.set_major_formatter("{x:.0f}°")
    right.set_title(f"target logit / s (grey: cosine); gradient {pull.norm():.2g}")
    return fig


@explorer(
    s=Range(0.5, 100.0, 10.0, log=True, label="scale s"),
    K=Choice((10, 100, 1000, 100_000), 1000, label="classes"),
    theta=Range(0, 90, 40, label="angle to the own class, °"),
    stills=({"s": 3.0}, {}, {"s": 64.0}),
)
def scale(s: float, K: int, theta: float) -> Picture:
    """The own class at an angle, K - 1 others at right angles: probability, slope in the angle, and the floor."""
    fig, (left, right) = figure(1, 2, width=11, height=3.8)
    angles = torch.linspace(0, math.pi / 2, 91, dtype=torch.float64)
    p = torch.sigmoid(s * angles.cos() - math.log(K - 1))  # against K - 1 classes of cosine 0
    slope, now = s * (1 - p) * angles.sin(), round(theta)
    drawn = slope.clamp(min=0.01)
    for panel, values, title in (
        (left, p, f"probability of the own class: {p[now]:.2f}"),
        (right, drawn, f"slope of the loss in the angle: {slope[now]:.2g}"),
    ):
        panel.plot(np.arange(91), values, color=COLOUR["model"])
        panel.plot(now, values[now], "o", color=COLOUR["model"], markersize=11)
        panel.set(xlabel="angle to the own class", title=title, xticks=range(0, 91, 30))
        panel.xaxis.set_major_formatter("{x:.0f}°")
    left.set(ylim=(-0.03, 1.05), ylabel="probability")
    right.set(yscale="log", ylim=(0.009, 200), ylabel="nats per radian")  # one axis for all scales
    floor = float(faceid.normalised_softmax_bound(torch.tensor(s, dtype=torch.float64), K))
    fig.suptitle(f"The loss cannot fall below {floor:.2g} nats")
    return fig
