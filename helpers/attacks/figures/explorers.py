"""The sliders of Lecture 7."""

import functools
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from helpers import attacks, checkpoints, data
from helpers.attacks import blackbox, defence, minimum_norm, threat
from helpers.attacks.figures.curves import INK
from helpers.attacks.figures.stills import attacked
from helpers.attacks.pgd import pgd
from helpers.figures import COLOUR, Choice, Picture, Range, explorer, figure

SCALES = {"l_inf": (math.inf, 1.0), "l_2": (2.0, 10.0), "l_1": (1.0, 100.0), "l_0": (0.0, 200.0)}  # p, times eps
NORMS = {"l_1": 1.0, "l_2": 2.0, "l_4": 4.0, "l_inf": math.inf}


def _ball(p: float, eps: float) -> np.ndarray:
    t = np.linspace(0, 2 * np.pi, 721)
    u = np.stack([np.cos(t), np.sin(t)])
    size = np.abs(u).max(0) if p == math.inf else (np.abs(u) ** p).sum(0) ** (1 / p)
    return eps * u / size


@explorer(
    p=Choice(tuple(NORMS), "l_inf", label="norm"),
    angle=Range(0, 90, 30, step=5, label="direction of w"),
    eps=Range(0.2, 1.8, 0.8, step=0.1, label="radius ε"),
    stills=({"p": "l_1", "angle": 20}, {"p": "l_2"}, {"p": "l_inf", "eps": 1.1}),
)
def linear_boundary(p: str, angle: int, eps: float) -> Picture:
    """A ball around x, a linear boundary, the steepest step of that norm and DeepFool's."""
    fig, axes = figure(width=4.1, height=4.4)
    turn = math.radians(angle)
    norm, w = NORMS[p], torch.tensor([[round(math.cos(turn), 6), round(math.sin(turn), 6)]])  # cos 90° is exactly 0
    distance = 1 / threat.norm(w, attacks.dual(norm)).item()  # f(x) = <w, x> - 1 with |w|_2 = 1, and x = 0
    along = torch.tensor([-w[0, 1], w[0, 0]])
    axes.plot(*torch.stack([w[0] - 6 * along, w[0] + 6 * along]).T, color=COLOUR["data"], label="boundary $f = 0$")
    axes.fill(*_ball(norm, eps), color=COLOUR["bound"], alpha=0.2, label="ball of radius ε")
    axes.plot(*_ball(norm, distance), "--", color=COLOUR["bound"], linewidth=1.3, label="ball that touches")
    for step, colour, width, text in (
        (eps * attacks.steepest_ascent(w, norm)[0], COLOUR["attack"], 5.0, "steepest step"),
        (w[0], INK["DeepFool"], 2.0, "DeepFool"),
    ):
        arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": width, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", step.tolist(), (0, 0), arrowprops=arrow)
        axes.plot([], [], color=colour, linewidth=width, label=text)
    axes.plot(0, 0, "o", color=COLOUR["data"])
    axes.set(xlim=(-1.9, 1.9), ylim=(-1.9, 1.9), aspect="equal", xlabel="$\\delta_1$", ylabel="$\\delta_2$")
    verdict = "crosses" if eps > distance + 1e-6 else "reaches" if eps > distance - 1e-6 else "stays inside"
    axes.set_title(f"$|f|/\\|w\\|_q$ = {distance:.2f}: ε = {eps:g} {verdict}")
    fig.legend(loc="outside lower center", ncols=2)
    return fig


@functools.cache
def _digits() -> tuple[Tensor, Tensor]:
    mnist = data.load("mnist")
    first = [int((mnist.y_test == k).nonzero()[0]) for k in range(10)]
    return mnist.x_test[first], mnist.y_test[first]


@functools.cache
def _network(name: str) -> nn.Module:
    model = checkpoints.load({"standard": "mnist_cnn", "robust": "mnist_robust"}[name.removesuffix(", masked")], "cpu")
    return (defence.Sharpened(model) if "masked" in name else model).eval().requires_grad_(False)


def _noise(x: Tensor, p: float, size: float, g: torch.Generator) -> Tensor:
    """x with random signs of that l_p norm added; p = 0: with `size` random pixels set to 0 or 1."""
    signs, d = torch.where(torch.rand(x.shape, generator=g) < 0.5, -1.0, 1.0), x[0].numel()
    if p == 0:
        return torch.where((torch.randperm(d, generator=g) < size).view_as(x), signs, x).clamp(0, 1)
    return (x + size * signs / d ** (1 / p)).clamp(0, 1)


def _run(attack: str, norm: str, model: nn.Module, x: Tensor, y: Tensor, eps: float, steps: int) -> tuple[str, Tensor]:
    """One attack of the explorer, and the name of what ran. eps is scaled by 10 in l_2, 100 in l_1, 200 in l_0."""
    g, (p, scale) = torch.Generator().manual_seed(0), SCALES[norm]
    ball: dict[str, Any] = {"eps": eps * scale, "steps": steps}
    if attack == "DeepFool":
        return "DeepFool", minimum_norm.deepfool(model, x, y, steps=steps)
    if attack == "noise":
        return "noise", _noise(x, p, eps * scale, g)
    if norm == "l_0":
        return "PGD", attacks.pgd_l0(model, x, y, budget=max(1, round(200 * eps)), steps=steps)
    if attack == "square":
        return "square", blackbox.square(model, x, y, **ball, p=p, generator=g)
    if norm == "l_inf" and attack == "FGSM":
        return "FGSM", attacks.fgsm(model, x, y, eps=eps)
    if norm == "l_inf" and attack == "MI-FGSM":
        return "MI-FGSM", attacks.mi_fgsm(model, x, y, **ball)
    return "PGD", pgd(model, x, y, **ball, p=p, generator=g)


@explorer(
    digit=Range(0, 9, 3, label="digit"),
    network=Choice(("standard", "robust"), "standard", label="network"),
    attack=Choice(("noise", "FGSM", "MI-FGSM", "PGD", "square", "DeepFool"), "PGD", label="attack"),
    norm=Choice(("l_inf", "l_2", "l_1", "l_0"), "l_inf", label="norm"),
    eps=Range(0.0, 0.5, 0.15, step=0.01, label="ε (l_2: ×10, l_1: ×100, l_0: ×200; DeepFool: none)"),
    steps=Range(1, 40, 10, label="steps"),
    stills=({"attack": "noise"}, {}, {"network": "robust"}),
    on_release=True,
)
def attack_explorer(digit: int, network: str, attack: str, norm: str, eps: float, steps: int) -> Picture:
    """One digit: clean, perturbation, result, probabilities. The title names what ran: FGSM and MI-FGSM live in l_inf,
    square knows no l_0; elsewhere PGD takes their place."""
    model, (x, y) = _network(network), _digits()
    x, y = x[digit : digit + 1], y[digit : digit + 1]
    ran, x_adv = _run(attack, norm, model, x, y, eps, steps)
    with torch.no_grad():
        before, after = model(x).softmax(1), model(x_adv).softmax(1)
    kind = "l_2" if attack == "DeepFool" else norm
    size = threat.norm(x_adv - x, SCALES[kind][0]).item()
    return attacked(x, x_adv, "0123456789", before, after, (f"{ran}: {kind} = {size:.3g}",))


def _path(model: nn.Module, x: Tensor, y: Tensor, eps: float, steps: int) -> Tensor:
    """The iterates of PGD from x itself, step 2.5 eps / steps: (steps + 1, ...)."""
    points = [x]
    for _ in range(steps):
        z = attacks.fgsm(model, points[-1], y, eps=2.5 * eps / steps)
        points.append(z.clamp((x - eps).clamp(min=0), (x + eps).clamp(max=1)))
    return torch.cat(points)


def _slice(model: nn.Module, x: Tensor, y: Tensor, d: Tensor, reach: float) -> tuple[Tensor, Tensor, Tensor]:
    """a (21,), and over (b, a) the loss and the margin of clip(x + a d_1 + b d_2); d (2, ...)."""
    a = torch.linspace(-reach, reach, 21)
    grid = torch.cartesian_prod(a, a)
    with torch.no_grad():
        z = model((x + torch.einsum("nk,kchw->nchw", grid, d)).clamp(0, 1))
    labels = y.expand(len(z))
    return a, threat.cross_entropy(z, labels).view(21, 21).T, threat.margin(z, labels).view(21, 21).T


@explorer(
    digit=Range(0, 9, 3, label="digit"),
    network=Choice(("standard", "standard, masked", "robust"), "standard, masked", label="network"),
    eps=Range(0.05, 0.4, 0.2, step=0.05, label="radius ε"),
    steps=Range(1, 20, 10, label="steps"),
    stills=({}, {"network": "standard"}, {"network": "robust"}),
    on_release=True,
)
def surface(digit: int, network: str, eps: float, steps: int) -> Picture:
    """The loss on a slice through a digit, the way of PGD on it, and the loss straight to where PGD should end.

    The slice holds x, the end of PGD on the network (of the masked one: on the network under the mask), random signs.
    """
    model, (x, y) = _network(network), _digits()
    x, y = x[digit : digit + 1], y[digit : digit + 1]
    path = _path(model, x, y, eps, steps) - x
    end = (_path(model.model, x, y, eps, steps) - x if isinstance(model, defence.Sharpened) else path)[-1:]
    signs = torch.rand(x.shape, generator=torch.Generator().manual_seed(1)) - 0.5
    d = torch.cat([end / eps, signs.sign()])
    a, loss, margin = _slice(model, x, y, d, 1.4 * eps)
    way = torch.linalg.lstsq(d.flatten(1).T, path.flatten(1).T).solution
    slope = threat.input_gradient(model, x, lambda z: threat.cross_entropy(z, y))[1].abs().sum()
    fig, (left, right) = figure(1, 2, width=8.6, height=3.8)
    side = [a[0], a[-1]] * 2
    shades = left.imshow(loss.numpy(), origin="lower", extent=side, cmap="YlOrBr", interpolation="bilinear")
    if margin.min() < 0 < margin.max():
        left.contour(a, a, margin, levels=[0], colors=COLOUR["data"], linewidths=2.5)
    left.plot(*way.numpy(), "o-", color=COLOUR["model"], markersize=5)
    fig.colorbar(shades, ax=left, shrink=0.85).ax.set_title("loss", fontsize=11)
    left.set(xlabel="towards the end of PGD", ylabel="along random signs", aspect="equal")
    left.set_title(f"PGD: {network}")
    left.grid(False)
    right.plot(a.numpy(), loss[10].clamp(min=1e-10).log10().numpy(), "o-", color=COLOUR["attack"], markersize=5)
    right.set(xlabel="towards the end of PGD", ylabel="log₁₀ loss (0 drawn as −10)", ylim=(-10.5, 5))
    right.set_yticks(range(-10, 6, 5))
    for axes in (left, right):
        axes.locator_params(axis="x", nbins=5)
    right.set_title(f"at the digit $\\|\\nabla L\\|_1$ = {f'{slope:.2g}' if slope else '0 exactly'}")
    return fig
