"""Figures and sliders of Lecture 1."""

import math
from collections.abc import Callable

import numpy as np
import torch
from matplotlib.axes import Axes
from torch import Tensor

from helpers import risk
from helpers.figures import COLOUR, Choice, Picture, Range, explorer, figure, label, pictures
from helpers.risk import methods, noise, quadratics

CLASS = {1: COLOUR["model"], -1: COLOUR["attack"]}
FAMILY = [COLOUR[name] for name in ("model", "attack", "truth", "bound", "second", "third", "data", "muted")]
LINES = dict(zip(risk.SURROGATES, FAMILY, strict=False))
Gaussian = tuple[float, float, float]  # mean, standard deviation, divergence


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


def surrogates() -> Picture:
    """All surrogates over the margin, and a magnifying glass at 0 for the two bases of the logarithm."""
    fig, (left, right) = figure(1, 2, width=11, height=4.4, width_ratios=(2, 1))
    margin = torch.linspace(-2.5, 3.5, 601)
    for name, loss in risk.SURROGATES.items():
        left.plot(margin, loss(margin), "--" if name == "quadratic" else "-", color=LINES[name], label=name)
    for axes, text in ((left, "0-1"), (right, None)):
        axes.plot(margin, risk.zero_one_loss(margin), color=COLOUR["data"], linewidth=3, label=text)
    left.set(
        ylim=(-0.1, 5), xlabel="margin $M$", ylabel="loss $L(M)$", title="Surrogates bound the 0-1 loss from above"
    )
    left.legend(loc="upper right")
    near = torch.linspace(-0.6, 0.6, 241)
    right.plot(near, risk.logistic_loss(near) / math.log(2), color=LINES["logistic (base 2)"])
    right.plot(near, risk.logistic_loss(near), "--", color=COLOUR["attack"])
    right.annotate("base 2: a bound", (-0.55, 1.5), color=LINES["logistic (base 2)"], va="bottom", fontsize=11)
    right.annotate("nats: ln 2 < 1,\nno bound", (-0.2, 0.72), (-0.58, 0.35), color=COLOUR["attack"], fontsize=11)
    right.set(xlim=(-0.6, 0.6), ylim=(0, 1.9), xlabel="margin $M$", title="Near zero")
    return fig


def _fit_line(loss: Callable[[Tensor], Tensor], x: Tensor, y: Tensor) -> Tensor:
    """Weights (3,) of the line with the least mean loss of the margin, from w = 0, by L-BFGS."""
    if loss is risk.hinge_loss:
        loss = _smooth_hinge
    dtype, x, y = x.dtype, x.double(), y.double()
    w, features = torch.zeros(3, dtype=x.dtype, requires_grad=True), torch.nn.functional.pad(x, (1, 0), value=1.0)
    optimizer = torch.optim.LBFGS([w], max_iter=80, tolerance_change=1e-11, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss(y * (features @ w)).mean() + 1e-3 * w.square().sum()
        value.backward()
        return value

    optimizer.step(closure)
    return w.detach().to(dtype)


def _smooth_hinge(margin: Tensor) -> Tensor:
    """The hinge with its corner rounded over 0.02: L-BFGS does not converge on a corner."""
    return 0.02 * torch.nn.functional.softplus((1 - margin) / 0.02)


@explorer(
    distance=Range(-4.0, 12.0, 2.0, step=0.25, label="outlier's place on its ray"),
    loss=Choice(("logistic (base 2)", "hinge", "exponential", "quadratic", "sigmoid"), "quadratic", label="loss"),
    stills=({"distance": 10.0}, {"distance": 10.0, "loss": "hinge"}, {"distance": -4.0, "loss": "exponential"}),
)
def outlier(distance: float, loss: str) -> Picture:
    """Two classes and one outlier of the class +1 pushed along a ray: the best line, and the margins."""
    g = torch.Generator().manual_seed(4)
    y = torch.tensor([1.0, -1.0] * 15)
    x = y[:, None] * torch.tensor([1.5, 0.3]) + 0.6 * torch.randn(30, 2, generator=g)
    x = torch.cat([x, distance * torch.tensor([[0.93, -0.37]])])
    y = torch.cat([y, torch.ones(1)])
    w, without = (_fit_line(risk.SURROGATES[loss], x[:k], y[:k]) for k in (31, 30))
    fig, (left, right) = figure(1, 2, width=11, height=4.2)
    _points(left, x[:30], y[:30])
    left.plot(*x[30], "o", color=CLASS[1], markersize=13, markeredgecolor=COLOUR["data"], markeredgewidth=2)
    _line(left, without, COLOUR["muted"], reach=20, style="--")
    _line(left, w, LINES[loss], reach=20)
    turned = math.degrees(math.acos(torch.cosine_similarity(w[1:], without[1:], dim=0).clamp(-1, 1)))
    left.set(
        xlim=(-5, 12),
        ylim=(-5.2, 4.2),
        xlabel="$x_1$",
        ylabel="$x_2$",
        title=f"The outlier turns the line by {turned:.0f}°",
    )
    margin = torch.linspace(-5, 9, 561)
    margins = y * (torch.nn.functional.pad(x, (1, 0), value=1.0) @ w)
    right.plot(margin, risk.zero_one_loss(margin), color=COLOUR["data"], linewidth=1.5)
    right.plot(margin, risk.SURROGATES[loss](margin), color=LINES[loss])
    shown = margins.clamp(-4.7, 8.6)
    right.plot(shown, risk.SURROGATES[loss](shown), ".", color=LINES[loss])
    right.plot(
        shown[30], risk.SURROGATES[loss](shown[30]), "o", color=CLASS[1], markersize=13, markeredgecolor=COLOUR["data"]
    )
    right.set(
        xlim=(-5, 9), ylim=(-0.2, 8), xlabel="margin $M$", title=f"Its loss is {risk.SURROGATES[loss](margins[30]):.2f}"
    )
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


def code_areas(p: Tensor, q: Tensor) -> Picture:
    """Entropy and cross-entropy as areas: boxes p_k wide and log2(1/p_k), or log2(1/q_k), high."""
    fig, (left, right) = figure(1, 2, width=11, height=3.6, sharey=True)
    start = (p.cumsum(0) - p).numpy()
    for axes, code, title in ((left, p, "entropy"), (right, q, "cross-entropy")):
        height = -code.log2()
        axes.bar(start, height, p, align="edge", color=FAMILY[: len(p)], edgecolor="white", linewidth=2, alpha=0.85)
        if code is q:
            axes.bar(
                start, -p.log2(), p, align="edge", fill=False, edgecolor=COLOUR["data"], linewidth=1.5, linestyle="--"
            )
        axes.set(
            title=f"{title} = area = {(p * height).sum():.3f} bits"
            + (" (dashed: the right code)" if code is q else ""),
            xlabel="probability $p_k$",
            xlim=(0, 1),
        )
        axes.grid(False)
    left.set_ylabel("length of the code word (bits)")
    right.annotate(
        f"KL = {(p * (p / q).log2()).sum():.3f} bits\n= coloured − dashed",
        (0.25, 2.0),
        color="white",
        ha="center",
        va="center",
        fontsize=13,
    )
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
    axes.set(
        xlim=(-8, 8), ylim=(0, 0.85), xlabel="$x$", ylabel="density", title="Forward KL covers, reverse KL seeks a mode"
    )
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
    fig.axes[0].axvline(start, linestyle=":", color=COLOUR["muted"])
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
