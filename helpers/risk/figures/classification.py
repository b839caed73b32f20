"""Figures of Lecture 1: lines that separate two classes, and the losses that choose among them."""

import numpy as np
import torch
from matplotlib.axes import Axes
from torch import Tensor
from torch.nn import functional as F

from helpers import risk
from helpers.figures import COLOUR, Picture, figure, label

CLASS = {1: COLOUR["model"], -1: COLOUR["attack"]}


def _points(axes: Axes, x: Tensor, y: Tensor) -> None:
    """Points of two classes: discs for +1, crosses for -1."""
    for sign, marker in ((1, "o"), (-1, "x")):
        axes.plot(*x[y == sign].T, marker, color=CLASS[sign], alpha=0.85)


def _line(axes: Axes, w: Tensor, colour: str, reach: float = 6.0, style: str = "-", text: str | None = None) -> None:
    """The line w_0 + w_1 x_1 + w_2 x_2 = 0."""
    normal = w[1:] / w[1:].norm()
    foot, along = -w[0] / w[1:].norm() * normal, torch.stack([-normal[1], normal[0]])
    axes.plot(*torch.stack([foot - reach * along, foot + reach * along]).T, style, color=colour, label=text)


def _plane(axes: Axes, reach: float = 3.6) -> None:
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), xlabel="$x_1$", ylabel="$x_2$", aspect="equal")


def exact_against_smooth(x: Tensor, y: Tensor, exact: Tensor, smooth: Tensor, table: Tensor, bayes: float) -> Picture:
    """The two lines on one sample; both risks on the way between them; shares of mistakes (sample, 4) of both."""
    fig, (left, middle, right) = figure(1, 3, width=12, height=4.3)
    _points(left, x, y)
    exact = exact * smooth.norm() / exact.norm()
    _line(left, exact, COLOUR["bound"])
    _line(left, smooth, COLOUR["data"])
    _plane(left)
    left.set_title("One sample, two lines")
    way = torch.linspace(-0.5, 1.5, 801, dtype=x.dtype)[:, None]
    margins = ((1 - way) * smooth + way * exact) @ F.pad(x, (1, 0), value=1.0).T * y
    steps = middle.plot(way, risk.zero_one_loss(margins).mean(1), color=COLOUR["bound"])[0]
    slope = middle.plot(way, risk.SURROGATES["logistic (base 2)"](margins).mean(1), color=COLOUR["data"])[0]
    label(steps, "0-1: flat steps", at=400, offset=(0, -30), ha="center")
    label(slope, "logistic, base 2", at=400, offset=(0, 24), ha="center")
    middle.set(xticks=(0, 1), xticklabels=("logistic", "brute force"), title="Risk from line to line")
    middle.set_ylim(0, 0.9)
    _two_methods(right, table, bayes)
    return fig


def _two_methods(axes: Axes, table: Tensor, bayes: float) -> None:
    """Shares of mistakes (sample, 4): brute force on the sample and on new objects, then the logistic loss."""
    for k, (name, text) in enumerate((("bound", "brute force"), ("data", "logistic"))):
        for place in (0, 1):
            values = table[:, 2 * k + place]
            at = place + 0.3 * k - 0.15
            axes.plot(at + torch.linspace(-0.06, 0.06, len(values)), values, ".", color=COLOUR[name], alpha=0.25)
            axes.plot(at, values.mean(), "D", color=COLOUR[name], label=None if place else text, markersize=8)
    axes.axhline(bayes, linestyle="--", color=COLOUR["truth"], label="best possible")
    axes.set(xticks=(0, 1), xticklabels=("on the sample", "on new objects"), ylim=(-0.01, 0.45))
    axes.set_title("Share of mistakes, 200 samples")
    axes.legend(loc="upper right")


def surfaces(x: Tensor, y: Tensor, lines: Tensor, x_ring: Tensor, y_ring: Tensor, w_ring: Tensor) -> Picture:
    """Lines (n, 3) that all separate one sample; a curve g = 0, quadratic in x, with the weights w_ring (6,).

    w_ring belongs to 1, x_1, x_2, x_1^2, x_2^2, x_1 x_2.
    """
    fig, (left, right) = figure(1, 2, width=10, height=4.6)
    for w in lines[:: max(1, len(lines) // 25)]:
        _line(left, w, COLOUR["muted"], reach=9)
    for line in left.lines:
        line.set(linewidth=0.8, alpha=0.7)
    _points(left, x, y)
    _plane(left, 5)
    left.set_title("One sample, many separating lines")
    a, b = np.meshgrid(np.linspace(-4.5, 4.5, 121), np.linspace(-4.5, 4.5, 121))
    w0, w1, w2, w11, w22, w12 = w_ring.tolist()
    right.contour(a, b, w0 + w1 * a + w2 * b + w11 * a**2 + w22 * b**2 + w12 * a * b, levels=[0], colors=COLOUR["data"])
    _points(right, x_ring, y_ring)
    _plane(right, 4.5)
    right.set_title("No line will do: a curve")
    return fig


def normalisers(g: Tensor, Z: dict[str, Tensor]) -> Picture:
    """Z(g) = exp(-L(g)) + exp(-L(-g)) per loss."""
    fig, axes = figure(width=9, height=3.4)
    places = {"logistic": ("truth", 200, 10), "hinge": ("attack", 250, 14), "exponential": ("bound", 310, -22)}
    for name, (colour, at, above) in places.items():
        label(axes.plot(g, Z[name], color=COLOUR[colour])[0], name, at=at, offset=(0, above), ha="center")
    axes.set(xlabel="score $g$", ylabel="$Z(g)$", ylim=(0.6, 1.25))
    axes.set_title("Of the three, only the logistic loss is normalised: $Z=1$")
    return fig


def max_margin(points: Tensor, path: Tensor, w_hat: Tensor, angle: Tensor) -> Picture:
    """The direction of w_t on separable data, the angle to the largest margin, and the norm."""
    fig, (left, middle, right) = figure(1, 3, width=12, height=4.6)
    _points(left, torch.cat([points, -points]), torch.tensor([1.0] * len(points) + [-1.0] * len(points)))
    through_0 = F.pad(path, (1, 0))
    for after, name in ((1, "muted"), (100, "second"), (len(path) - 1, "data")):
        _line(left, through_0[after], COLOUR[name], text=f"t = {after:,}")
    _line(left, F.pad(w_hat, (1, 0)), COLOUR["truth"], style="--", text="largest margin")
    _plane(left, 4)
    left.set_title("The line keeps turning")
    left.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2, handlelength=1.2, columnspacing=0.9)
    t = np.arange(1, len(path))
    middle.semilogx(t, angle, color=COLOUR["model"])
    middle.set(xlabel="step $t$", ylabel="degrees", title="Angle to the largest margin", ylim=(0, None))
    norm = path[1:].norm(dim=1)
    right.semilogx(t, norm, color=COLOUR["model"])
    guide = norm[-1] + w_hat.norm() * torch.log(torch.tensor(t[99:] / t[-1]))
    right.semilogx(t[99:], guide, "--", color=COLOUR["truth"])
    right.annotate("$\\|\\hat w\\|\\,\\ln t$ + const", (0.05, 0.9), xycoords="axes fraction", color=COLOUR["truth"])
    right.set(xlabel="step $t$", ylim=(0, 1.15 * norm[-1].item()), title="The norm grows like $\\ln t$")
    return fig
