"""Figures of Lecture 1: fits, losses of the margin, lines that separate."""

import math

import numpy as np
import torch
from matplotlib.axes import Axes
from torch import Tensor

from helpers import risk
from helpers.figures import COLOUR, Picture, figure, label

CLASS = {1: COLOUR["model"], -1: COLOUR["attack"]}


def _points(axes: Axes, x: Tensor, y: Tensor) -> None:
    """Points of two classes: discs for +1, crosses for -1."""
    for sign, marker in ((1, "o"), (-1, "x")):
        axes.plot(*x[y == sign].T, marker, color=CLASS[sign], alpha=0.85)


def _line(axes: Axes, w: Tensor, colour: str, reach: float = 6.0, style: str = "-") -> None:
    """The line w_0 + w_1 x_1 + w_2 x_2 = 0."""
    normal = w[1:] / w[1:].norm()
    foot, along = -w[0] / w[1:].norm() * normal, torch.stack([-normal[1], normal[0]])
    axes.plot(*torch.stack([foot - reach * along, foot + reach * along]).T, style, color=colour)


def _plane(axes: Axes, reach: float = 3.6) -> None:
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), xlabel="$x_1$", ylabel="$x_2$", aspect="equal")


def overfitting(x: Tensor, y: Tensor, train: Tensor, test: Tensor) -> Picture:
    """Three fits to one sample x, y (m,); risks (degree, sample) on the training samples and on new points."""
    fig, (left, right) = figure(1, 2, width=11, height=4.2)
    grid = torch.linspace(-1, 1, 400, dtype=x.dtype)
    for degree, name in ((1, "muted"), (3, "model"), (12, "attack")):
        w = torch.linalg.lstsq(risk.legendre(x, degree), y[:, None]).solution
        left.plot(grid, (risk.legendre(grid, degree) @ w)[:, 0], color=COLOUR[name], label=f"degree {degree}")
    left.plot(grid, torch.sin(math.pi * grid), "--", color=COLOUR["truth"], label="truth")
    left.plot(x, y, "o", color=COLOUR["data"])
    left.set(ylim=(-2.1, 2.1), xlabel="$x$", ylabel="$y$", title="One sample of 20 points, three families")
    left.legend(ncols=2, loc="upper left")
    degrees = range(len(train))
    for risks, name, text in ((train, "model", "on the sample"), (test, "attack", "on new points")):
        low, middle, high = risks.quantile(torch.tensor([0.25, 0.5, 0.75], dtype=risks.dtype), dim=1)
        right.fill_between(degrees, low, high, color=COLOUR[name], alpha=0.15, linewidth=0)
        line = right.semilogy(degrees, middle, "o-", color=COLOUR[name])[0]
        label(line, text, at=4, offset=(0, 16 if risks is test else -18))
    right.axhline(0.09, linestyle="--", color=COLOUR["truth"])
    right.annotate("noise", (12, 0.09), (0, 4), textcoords="offset points", color=COLOUR["truth"], ha="right")
    right.set(xlabel="degree", ylabel="mean squared error", title="Risk: median and quartiles of 200 samples")
    return fig


def exact_against_smooth(x: Tensor, y: Tensor, exact: Tensor, smooth: Tensor, table: list, bayes: float) -> Picture:
    """The two lines on one sample; 0-1 and logistic risk along the way between them; mistakes of both on 60 samples."""
    fig, (left, middle, right) = figure(1, 3, width=12, height=4.0)
    _points(left, x, y)
    exact = exact * smooth.norm() / exact.norm()
    _line(left, exact, COLOUR["bound"])
    _line(left, smooth, COLOUR["data"])
    _plane(left)
    left.set_title("One sample, two lines", fontsize=13)
    way = torch.linspace(-0.5, 1.5, 801, dtype=x.dtype)[:, None]
    margins = ((1 - way) * smooth + way * exact) @ torch.nn.functional.pad(x, (1, 0), value=1.0).T * y
    middle.plot(way, risk.zero_one_loss(margins).mean(1), color=COLOUR["bound"], label="0-1: flat steps")
    middle.plot(
        way, risk.SURROGATES["logistic (base 2)"](margins).mean(1), color=COLOUR["data"], label="logistic, base 2"
    )
    middle.set(xticks=(0, 1), xticklabels=("logistic", "brute force"), ylabel="risk", title="Risk from line to line")
    middle.set_ylim(bottom=0)
    middle.legend(loc="center right")
    errors = torch.tensor(table)
    for k, (name, text) in enumerate((("bound", "brute force"), ("data", "logistic"))):
        for column, place in ((2 * k, 0), (2 * k + 1, 1)):
            values = errors[:, column]
            right.plot(
                place + 0.3 * k - 0.15 + torch.linspace(-0.05, 0.05, len(values)),
                values,
                ".",
                color=COLOUR[name],
                alpha=0.35,
            )
            right.plot(
                place + 0.3 * k - 0.15,
                values.mean(),
                "D",
                color=COLOUR[name],
                label=text if column < 3 and not place else None,
            )
    right.axhline(bayes, linestyle="--", color=COLOUR["truth"], label="best possible")
    right.set(xticks=(0, 1), xticklabels=("on the sample", "on new objects"), title="Share of mistakes, 60 samples")
    right.legend(loc="lower right")
    return fig


def surfaces(x: Tensor, y: Tensor, lines: Tensor, x_ring: Tensor, y_ring: Tensor, w_ring: Tensor) -> Picture:
    """Lines (n, 3) that all separate one sample; a quadratic curve (6,) where no line does."""
    fig, (left, right) = figure(1, 2, width=10, height=4.4)
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
    right.set_title("No line will do: a curve, $g$ quadratic in $x$")
    return fig


def normalisers(g: Tensor, Z: dict[str, Tensor]) -> Picture:
    """Z(g) = exp(-L(g)) + exp(-L(-g)) per loss."""
    fig, axes = figure(width=9, height=3.4)
    places = {"logistic": ("truth", 200, 10), "hinge": ("attack", 250, 14), "exponential": ("bound", 260, -14)}
    for name, (colour, at, above) in places.items():
        label(axes.plot(g, Z[name], color=COLOUR[colour])[0], name, at=at, offset=(0, above), ha="center")
    axes.set(
        xlabel="score $g$",
        ylabel="$Z(g)$",
        ylim=(0.6, 1.25),
        title="Of the three, only the logistic loss is normalised: $Z=1$",
    )
    return fig


def max_margin(points: Tensor, path: Tensor, w_hat: Tensor, angle: Tensor) -> Picture:
    """The direction of w_t on separable data, the angle to the largest margin, and the norm."""
    fig, (left, middle, right) = figure(1, 3, width=12, height=3.9)
    _points(left, torch.cat([points, -points]), torch.tensor([1.0] * len(points) + [-1.0] * len(points)))
    zero = torch.zeros(1, dtype=path.dtype)
    for t, name in ((1, "muted"), (100, "second"), (len(path) - 1, "model")):
        _line(left, torch.cat([zero, path[t]]), COLOUR[name])
        left.plot([], [], color=COLOUR[name], label=f"t = {t:,}")
    _line(left, torch.cat([zero, w_hat]), COLOUR["truth"], style="--")
    left.plot([], [], "--", color=COLOUR["truth"], label="largest margin")
    _plane(left, 4)
    left.set_title("The line keeps turning")
    left.legend(loc="upper left", fontsize=9.5)
    steps = np.arange(1, len(path))
    middle.semilogx(steps, angle, color=COLOUR["model"])
    middle.set(xlabel="step $t$", ylabel="degrees", title="Angle to the largest margin", ylim=(0, None))
    norm = path[1:].norm(dim=1)
    right.semilogx(steps, norm, color=COLOUR["model"])
    right.semilogx(
        steps[99:],
        norm[-1] + w_hat.norm() * torch.log(torch.tensor(steps[99:] / steps[-1])),
        "--",
        color=COLOUR["truth"],
    )
    right.annotate("$\\|\\hat w\\|\\,\\ln t$ + const", (2e2, norm[-1] * 0.45), color=COLOUR["truth"])
    right.set(xlabel="step $t$", title="The norm grows like $\\ln t$")
    return fig


def cures(taus: Tensor, penalised: Tensor, norms: Tensor, early: Tensor, path_norms: Tensor) -> Picture:
    """Risk on new points and norm of the weights over the penalty, and over the steps of gradient descent."""
    fig, (left, right) = figure(1, 2, width=11, height=3.9, sharey=True)
    steps = 10 * torch.arange(len(early))
    for axes, x, risks, sizes, text in (
        (left, taus, penalised, norms, "penalty $\\tau$"),
        (right, steps[1:], early[1:], path_norms[1:], "steps of gradient descent"),
    ):
        axes.loglog(x, risks, color=COLOUR["attack"])
        best = int(risks.argmin())
        axes.plot(x[best], risks[best], "o", color=COLOUR["attack"], markersize=9)
        axes.annotate(
            f"{risks[best]:.3f}",
            (x[best], risks[best]),
            (0, -16),
            textcoords="offset points",
            ha="center",
            color=COLOUR["attack"],
        )
        axes.loglog(x, sizes, color=COLOUR["muted"])
        axes.set(xlabel=text, ylim=(0.06, 300))
    left.set_title("A penalty")
    right.set_title("Stopping early")
    left.set_ylabel("mean squared error, norm")
    near = {"textcoords": "offset points"}
    left.annotate("risk on new points", (taus[12], penalised[12]), (-8, -4), color=COLOUR["attack"], ha="right", **near)
    left.annotate("norm of the weights", (taus[13], norms[13]), (0, 6), color=COLOUR["muted"], **near)
    return fig
