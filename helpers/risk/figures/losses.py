"""Figures of Lecture 1: losses of the margin, and what one outlier does to each."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from helpers import risk
from helpers.figures import COLOUR, FAMILY, Choice, Picture, Range, explorer, figure
from helpers.risk.figures.classification import CLASS, _line, _points

LINES = dict(zip(risk.SURROGATES, FAMILY, strict=False))


def surrogates() -> Picture:
    """All surrogates over the margin, and a magnifying glass at 0 for the two bases of the logarithm."""
    fig, (left, right) = figure(1, 2, width=11, height=5.0, width_ratios=(2, 1))
    margin = torch.linspace(-2.5, 3.5, 601)
    for name, loss in risk.SURROGATES.items():
        left.plot(margin, loss(margin), "--" if name == "quadratic" else "-", color=LINES[name], label=name)
    blue = LINES["logistic (base 2)"]
    for axes, text in ((left, "0-1"), (right, None)):
        axes.plot((-2.5, 0, 0, 3.5), (1, 1, 0, 0), color=COLOUR["data"], linewidth=3, label=text)
    left.set(ylim=(-0.1, 5), xlabel="margin $M$", ylabel="loss $L(M)$")
    left.set_title("Surrogates bound the 0-1 loss from above")
    left.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=4, handlelength=1.4, columnspacing=1.2)
    near = torch.linspace(-0.6, 0.6, 241)
    right.plot(near, risk.logistic_loss(near) / math.log(2), color=blue)
    right.plot(near, risk.logistic_loss(near), "--", color=blue)
    right.annotate("base 2: a bound", (-0.55, 1.5), color=blue, va="bottom", fontsize=11)
    right.annotate("nats: ln 2 < 1,\nno bound", (-0.2, 0.72), (-0.58, 0.35), color=blue, fontsize=11)
    right.set(xlim=(-0.6, 0.6), ylim=(0, 1.9), xlabel="margin $M$", title="Near zero")
    return fig


def _fit_line(loss: Callable[[Tensor], Tensor], x: Tensor, y: Tensor) -> Tensor:
    """Weights (3,) with the least mean loss of the margin plus 1e-3 |w|^2, from w = 0, by L-BFGS.

    The points can be separated: without the penalty the logistic and the exponential loss would have no minimum.
    """
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
        title=f"Turned by {turned:.0f}° (mean loss + $10^{{-3}}\\|w\\|^2$)",
    )
    margin = torch.linspace(-5, 9, 561)
    margins = y * (torch.nn.functional.pad(x, (1, 0), value=1.0) @ w)
    right.plot((-5, 0, 0, 9), (1, 1, 0, 0), color=COLOUR["data"], linewidth=1.5)
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
